//! Making files: several requests ahead, as for reading.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use russh_sftp::protocol::{FileAttributes, OpenFlags};

use super::Session;
use super::failure::{failure, refused};
use crate::http::{Failure, Outcome};

/// Bytes of a request; every server takes so many.
const PIECE_BYTES: usize = 32 * 1024;
/// Requests on their way.
const AHEAD: usize = 16;

/// Read and written by the whole group: Campaign's workflows run under another
/// user of it (Campaign sheet, 8.3).
const MODE: u32 = 0o660;

impl Session {
    /// Writes a file from its beginning, and looks whether all of it is there: a
    /// full disk cuts files off in silence (Campaign sheet, 8.3).
    pub(crate) async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let told = |error| refused(&self.server, "a file that is to be written", &error);
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
        let mode = FileAttributes { permissions: Some(MODE), ..FileAttributes::empty() };
        let handle = self.files.open(path, flags, mode).await.map_err(told)?.handle;
        let pieces: Vec<Vec<u8>> = bytes.chunks(PIECE_BYTES).map(<[u8]>::to_vec).collect();
        let writes = pieces.into_iter().enumerate().map(|(number, piece)| {
            let (files, handle) = (Arc::clone(&self.files), handle.clone());
            async move { files.write(handle, (number * PIECE_BYTES) as u64, piece).await }
        });
        let mut answers = stream::iter(writes).buffer_unordered(AHEAD);
        let mut written = Ok(());
        while let Some(answer) = answers.next().await {
            self.answered();
            if let Err(error) = answer {
                written = Err(told(error));
                break;
            }
        }
        drop(answers);
        let closed = self.files.close(handle).await;
        written?;
        closed.map_err(told)?;
        let found = self.stat(path).await?.map_or(0, |found| found.size);
        if found != bytes.len() as u64 {
            let what =
                format!("kept {found} of {} bytes of a file; its disk may be full", bytes.len());
            return Err(failure(&self.server, Outcome::ServerError, &what));
        }
        Ok(())
    }

    /// Gives a file another name, which no file may have.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), Failure> {
        let renamed = self.files.rename(from, to).await;
        renamed.map_err(|error| refused(&self.server, "a file that is to be renamed", &error))?;
        self.answered();
        Ok(())
    }
}
