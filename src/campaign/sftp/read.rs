//! The bytes of a file, several requests ahead: one at a time would wait a
//! round trip for every 32 KiB.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{Data, StatusCode};

use super::Session;
use super::failure::{failure, refused};
use crate::http::{Failure, Outcome};

/// Bytes of a request; every server gives so many.
const PIECE_BYTES: u32 = 32 * 1024;
/// Requests on their way; with [`PIECE_BYTES`], what a reading holds in memory.
const AHEAD: usize = 16;

type Answer = (u64, u32, Result<Data, SftpError>);

/// A file that is being read.
pub(crate) struct Reading {
    files: Arc<RawSftpSession>,
    server: Arc<str>,
    moved: Arc<AtomicU64>,
    handle: String,
    size: u64,
    /// Where the next request begins.
    asked: u64,
    answers: FuturesOrdered<BoxFuture<'static, Answer>>,
}

impl Reading {
    pub(super) fn new(session: &Session, handle: String, size: u64) -> Self {
        Self {
            files: Arc::clone(&session.files),
            server: Arc::clone(&session.server),
            moved: Arc::clone(&session.moved),
            handle,
            size,
            asked: 0,
            answers: FuturesOrdered::new(),
        }
    }

    /// The next bytes; none at the end of the size that was told. A file that
    /// has become shorter ends earlier.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        self.ask();
        let Some((offset, wanted, answer)) = self.answers.next().await else {
            return Ok(None);
        };
        let data = match answer {
            Ok(data) => data.data,
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => Vec::new(),
            Err(error) => return Err(refused(&self.server, "a file", &error)),
        };
        if data.len() > wanted as usize {
            let what = "gave more bytes of a file than it was asked for";
            return Err(failure(&self.server, Outcome::Garbled, what));
        }
        self.moved.fetch_add(1, Ordering::Relaxed);
        if data.is_empty() {
            self.answers.clear();
            self.asked = self.size;
            return Ok(None);
        }
        if data.len() < wanted as usize {
            // A server may give less than it was asked for: from there again.
            self.answers.clear();
            self.asked = offset + data.len() as u64;
        }
        Ok(Some(data))
    }

    /// Closes the file; how that ends changes nothing of what was read.
    pub(crate) async fn close(self) {
        drop(self.answers);
        let _ = self.files.close(self.handle).await;
    }

    fn ask(&mut self) {
        while self.asked < self.size && self.answers.len() < AHEAD {
            let offset = self.asked;
            let left = self.size - offset;
            let wanted = u32::try_from(left).unwrap_or(u32::MAX).min(PIECE_BYTES);
            let (files, handle) = (Arc::clone(&self.files), self.handle.clone());
            self.answers.push_back(Box::pin(async move {
                let answer = files.read(handle, offset, wanted).await;
                (offset, wanted, answer)
            }));
            self.asked += u64::from(wanted);
        }
    }
}
