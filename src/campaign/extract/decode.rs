//! From bytes to UTF-8. A byte order mark says more than the configuration.

use encoding_rs::{Decoder, DecoderResult, Encoding};

use super::table::Table;
use super::{ExtractError, Row};

/// Turns bytes of one encoding into text, piece by piece.
pub(super) struct Decode {
    decoder: Decoder,
    text: Vec<u8>,
}

impl Decode {
    pub(super) fn new(encoding: &'static Encoding) -> Self {
        Self { decoder: encoding.new_decoder(), text: vec![0; 16 * 1024] }
    }

    /// Hands the text of these bytes to the table.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        table: &mut Table,
        rows: &mut Vec<Row>,
    ) -> Result<(), ExtractError> {
        self.decode(bytes, false, table, rows)
    }

    /// The end: a character that is cut off is an error.
    pub(super) fn finish(
        &mut self,
        table: &mut Table,
        rows: &mut Vec<Row>,
    ) -> Result<(), ExtractError> {
        self.decode(&[], true, table, rows)
    }

    fn decode(
        &mut self,
        mut bytes: &[u8],
        last: bool,
        table: &mut Table,
        rows: &mut Vec<Row>,
    ) -> Result<(), ExtractError> {
        loop {
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(bytes, &mut self.text, last);
            bytes = bytes.get(read..).unwrap_or_default();
            table.push(self.text.get(..written).unwrap_or_default(), rows)?;
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    let encoding = self.decoder.encoding().name();
                    return Err(ExtractError::Encoding { line: table.line(), encoding });
                }
            }
        }
    }
}
