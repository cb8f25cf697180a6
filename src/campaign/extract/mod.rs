//! Delimited text files as Campaign exports them: bytes → rows by header name,
//! piece by piece and within caps, whatever their length.
//!
//! Pure: knows no server, no file name and no meaning of any column.

mod decode;
mod table;
#[cfg(test)]
mod tests;
mod unpack;

use crate::model::FileFormat;

use decode::Decode;
use table::Table;
use unpack::Unpack;

/// Most bytes of one row.
pub(crate) const MAX_ROW_BYTES: usize = 1 << 20;
/// Most columns.
pub(crate) const MAX_COLUMNS: usize = 500;
/// Most bytes of a file, unpacked.
pub(crate) const MAX_FILE_BYTES: u64 = 2 << 30;

/// A digest of a file's unpacked content.
pub(crate) type Digest = [u8; 32];

/// Why a file is refused. Names a line, never what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExtractError {
    /// Not even a header.
    #[error("the file is empty, without even a header; export it again")]
    Empty,
    /// The packed bytes are damaged or end early.
    #[error("the file is not whole gzip: it is damaged or was cut off; export it again")]
    Packing,
    /// The configuration says gzip, and it is not.
    #[error("the file is not gzip; set `compression = \"auto\"` in its `format`")]
    NotPacked,
    /// Packed by something else.
    #[error(
        "the file is packed as {0}; only gzip is read: let the export write plain text or gzip"
    )]
    OtherPacking(&'static str),
    /// A small file that unpacks to a large one.
    #[error("the file unpacks to more than 200 times its size, which no export does")]
    Bomb,
    /// More than [`MAX_FILE_BYTES`].
    #[error("the file has more than 2 GiB unpacked; export in smaller parts")]
    TooLarge,
    /// Bytes that are not of the encoding.
    #[error(
        "line {line}: the bytes are not {encoding}; set `encoding` in its `format` to that of the export"
    )]
    Encoding {
        /// From 1.
        line: u64,
        /// What was expected.
        encoding: &'static str,
    },
    /// More than [`MAX_ROW_BYTES`].
    #[error(
        "line {line}: a row of more than 1 MiB; are `separator` and `quote` of its `format` those of the export?"
    )]
    RowTooLong {
        /// Where the row begins, from 1.
        line: u64,
    },
    /// More than [`MAX_COLUMNS`].
    #[error(
        "line {line}: more than 500 columns; is `separator` of its `format` that of the export?"
    )]
    TooManyColumns {
        /// From 1.
        line: u64,
    },
    /// A name that stands twice could mean either.
    #[error(
        "line 1: columns {first} and {second} of the header have the same name; rename one in the export"
    )]
    SameName {
        /// Position, from 1.
        first: usize,
        /// Position, from 1.
        second: usize,
    },
    /// The text ends within quotes.
    #[error(
        "line {line}: a quote is opened and never closed: the file was cut off, or `quote` of its `format` is not that of the export; export it again"
    )]
    OpenQuote {
        /// Where the row begins, from 1.
        line: u64,
    },
    /// The last row has fewer values than the header.
    #[error(
        "line {line}: the last row ends early: the file was cut off (is the server's disk full?); export it again"
    )]
    CutOff {
        /// From 1.
        line: u64,
    },
}

/// One row, as told: a value for each column of the header, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where it begins, from 1.
    pub(crate) line: u64,
    /// Values in the order of the header.
    pub(crate) values: Vec<String>,
}

/// Reads one file.
pub(crate) struct Extract {
    unpack: Unpack,
    decode: Decode,
    table: Table,
}

impl Extract {
    /// For a file of this format.
    pub(crate) fn new(format: &FileFormat) -> Self {
        Self {
            unpack: Unpack::new(format.compression),
            decode: Decode::new(format.encoding),
            table: Table::new(format.separator, format.quote),
        }
    }

    /// Takes the next piece of the file; the rows that it completes go to
    /// `rows`. The last row is held back until [`Extract::finish`].
    pub(crate) fn push(&mut self, piece: &[u8], rows: &mut Vec<Row>) -> Result<(), ExtractError> {
        /// A piece of packed bytes may become a thousand times as large.
        const STEP_BYTES: usize = 1024;
        for step in piece.chunks(STEP_BYTES) {
            let bytes = self.unpack.push(step)?;
            self.decode.push(&bytes, &mut self.table, rows)?;
        }
        Ok(())
    }

    /// The end of the file: the last row, and the digest of the content.
    pub(crate) fn finish(&mut self, rows: &mut Vec<Row>) -> Result<Digest, ExtractError> {
        let bytes = self.unpack.finish()?;
        self.decode.push(&bytes, &mut self.table, rows)?;
        self.decode.finish(&mut self.table, rows)?;
        self.table.finish(rows)?;
        Ok(self.unpack.digest())
    }

    /// The names of the columns, once the first line has been read.
    pub(crate) fn header(&self) -> Option<&[String]> {
        self.table.header()
    }
}
