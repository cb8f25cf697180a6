//! One exported file: surveyed as a whole before any of its rows is taken, so that a
//! file that was cut off is left alone; then taken row by row.

use crate::campaign::extract::{Digest, Extract, ExtractError, Row};
use crate::campaign::sftp::Session;
use crate::campaign::{Failure, Outcome};
use crate::mapping::logs::MissingColumn;
use crate::model::FileFormat;

/// A file of up to this size is kept in memory between survey and taking, in
/// place of being fetched twice.
const KEEP_BYTES: u64 = 4 << 20;

/// Largest file that is fetched, packed or not.
const MAX_BYTES: u64 = 2 << 30;

/// Why a file could not be read.
#[derive(Debug)]
pub(super) enum FileError {
    /// The server would not.
    Remote(Failure),
    /// The file is refused; with the reason.
    Refused(String),
}

impl From<ExtractError> for FileError {
    fn from(error: ExtractError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<MissingColumn> for FileError {
    fn from(error: MissingColumn) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<Failure> for FileError {
    fn from(failure: Failure) -> Self {
        match failure.outcome {
            // It is about this file and nothing else.
            Outcome::Missing | Outcome::Garbled | Outcome::ServerError => {
                Self::Refused(failure.message)
            }
            Outcome::Throttled
            | Outcome::NotSent
            | Outcome::Unknown
            | Outcome::Unavailable
            | Outcome::Refused
            | Outcome::Unauthenticated
            | Outcome::DuplicateKey
            | Outcome::VersionConflict
            | Outcome::CursorExpired
            | Outcome::BadRecord
            | Outcome::Setup
            | Outcome::Foreign
            | Outcome::TooLarge
            | Outcome::Spent => Self::Remote(failure),
        }
    }
}

/// A file that can be read.
pub(super) struct Survey {
    /// Of its content.
    pub(super) digest: Digest,
    /// Its rows.
    pub(super) rows: u64,
    bytes: Option<Vec<u8>>,
}

/// A file on the server, and how it is to be read.
#[derive(Clone, Copy)]
pub(super) struct FileOnServer<'a> {
    pub(super) session: &'a Session,
    pub(super) path: &'a str,
    pub(super) size: u64,
    pub(super) format: &'a FileFormat,
    /// What a header lacks.
    pub(super) header: &'a (dyn Fn(&[String]) -> Result<(), String> + Sync),
}

impl FileOnServer<'_> {
    /// Reads the file to its end and keeps nothing but what it is.
    pub(super) async fn survey(&self) -> Result<Survey, FileError> {
        if self.size > MAX_BYTES {
            return Err(ExtractError::TooLarge.into());
        }
        let mut kept = (self.size <= KEEP_BYTES).then(Vec::new);
        let mut rows = Counter::default();
        let mut pieces = Pieces::Server(self.session.read(self.path, self.size).await?);
        let mut extract = Extract::new(self.format);
        let mut batch = Vec::new();
        let mut received = 0;
        while let Some(piece) = pieces.next().await? {
            received += piece.len() as u64;
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(&piece);
            }
            extract.push(&piece, &mut batch)?;
            rows.check(self, &extract, &mut batch)?;
        }
        pieces.close().await;
        if received < self.size {
            return Err(FileError::Refused(format!(
                "the server gave {received} bytes of the {} that it shows: the file was cut off; export it again",
                self.size
            )));
        }
        let digest = extract.finish(&mut batch)?;
        rows.check(self, &extract, &mut batch)?;
        Ok(Survey { digest, rows: rows.count, bytes: kept })
    }

    /// Begins to read its rows.
    pub(super) async fn rows(&self, survey: Survey) -> Result<Rows, FileError> {
        let pieces = match survey.bytes {
            Some(bytes) => Pieces::Memory(Some(bytes)),
            None => Pieces::Server(self.session.read(self.path, self.size).await?),
        };
        Ok(Rows { pieces, extract: Extract::new(self.format), ready: Vec::new(), ended: None })
    }
}

/// Counts rows, after a look at the header.
#[derive(Default)]
struct Counter {
    count: u64,
    checked: bool,
}

impl Counter {
    fn check(
        &mut self,
        file: &FileOnServer<'_>,
        extract: &Extract,
        batch: &mut Vec<Row>,
    ) -> Result<(), FileError> {
        if let (Some(header), false) = (extract.header(), self.checked) {
            (file.header)(header).map_err(FileError::Refused)?;
            self.checked = true;
        }
        self.count += batch.len() as u64;
        batch.clear();
        Ok(())
    }
}

/// The rows of a file, some at a time.
pub(super) struct Rows {
    pieces: Pieces,
    extract: Extract,
    ready: Vec<Row>,
    ended: Option<Digest>,
}

impl Rows {
    /// At least `enough` further rows, or all that are left; none at the end.
    pub(super) async fn next(&mut self, enough: usize) -> Result<Option<Vec<Row>>, FileError> {
        while self.ended.is_none() && self.ready.len() < enough {
            match self.pieces.next().await? {
                Some(piece) => self.extract.push(&piece, &mut self.ready)?,
                None => self.ended = Some(self.extract.finish(&mut self.ready)?),
            }
        }
        let rows = std::mem::take(&mut self.ready);
        Ok((!rows.is_empty()).then_some(rows))
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &[String] {
        self.extract.header().unwrap_or_default()
    }

    /// Closes the file: the digest of what was read, if it was read to its end.
    pub(super) async fn close(self) -> Option<Digest> {
        self.pieces.close().await;
        self.ended
    }
}

/// Where bytes come from.
enum Pieces {
    Memory(Option<Vec<u8>>),
    Server(crate::campaign::sftp::Reading),
}

impl Pieces {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Self::Memory(bytes) => Ok(bytes.take()),
            Self::Server(reading) => reading.next().await,
        }
    }

    async fn close(self) {
        if let Self::Server(reading) = self {
            reading.close().await;
        }
    }
}
