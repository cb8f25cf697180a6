//! Reading a body under its caps, and undoing gzip.
//!
//! Must not know what a body means. Compression is undone here and not in the
//! HTTP library, whose decoder has no limit: a few kilobytes can hold gigabytes.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

/// Decoded bytes from which the ratio counts.
const RATIO_FROM_BYTES: usize = 8 << 20;
/// Most decoded bytes for one received.
const MAX_RATIO: usize = 200;

/// Why a body was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// More than allowed.
    TooLarge(&'static str),
    /// The encoding is not what the headers say, or one we did not ask for.
    Garbled(&'static str),
}

/// Collects one body.
pub(super) struct Collector {
    state: State,
    cap: usize,
}

enum State {
    /// As received; a body of one piece is never copied.
    Plain(Option<Bytes>, Vec<u8>),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

/// Takes decoded bytes up to the caps.
struct Capped {
    out: Vec<u8>,
    received: usize,
    cap: usize,
}

impl Collector {
    /// For a body with this `Content-Encoding`, at most `cap` decoded bytes.
    pub(super) fn new(encoding: Option<&str>, cap: usize) -> Result<Self, BodyError> {
        let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
        let state = match encoding.as_str() {
            "" | "identity" => State::Plain(None, Vec::new()),
            "gzip" | "x-gzip" => State::Gzip(Box::new(MultiGzDecoder::new(Capped {
                out: Vec::new(),
                received: 0,
                cap,
            }))),
            _ => return Err(BodyError::Garbled("a content encoding that was not asked for")),
        };
        Ok(Self { state, cap })
    }

    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: Bytes) -> Result<(), BodyError> {
        match &mut self.state {
            State::Plain(first, rest) => {
                let have = first.as_ref().map_or(0, Bytes::len) + rest.len();
                if have + piece.len() > self.cap {
                    return Err(BodyError::TooLarge("the body is larger than allowed"));
                }
                if have == 0 {
                    *first = Some(piece);
                } else {
                    if let Some(first) = first.take() {
                        rest.extend_from_slice(&first);
                    }
                    rest.extend_from_slice(&piece);
                }
                Ok(())
            }
            State::Gzip(decoder) => {
                decoder.get_mut().received += piece.len();
                decoder.write_all(&piece).map_err(|error| gzip_error(&error))
            }
        }
    }

    /// The decoded body, once all pieces were taken.
    pub(super) fn finish(self) -> Result<Bytes, BodyError> {
        match self.state {
            State::Plain(Some(only), _) => Ok(only),
            State::Plain(None, rest) => Ok(rest.into()),
            State::Gzip(decoder) if decoder.get_ref().received == 0 => Ok(Bytes::new()),
            State::Gzip(decoder) => match decoder.finish() {
                Ok(capped) => Ok(capped.out.into()),
                Err(error) => Err(gzip_error(&error)),
            },
        }
    }
}

fn gzip_error(error: &io::Error) -> BodyError {
    if error.kind() == io::ErrorKind::FileTooLarge {
        BodyError::TooLarge("the decompressed body is larger than allowed")
    } else {
        BodyError::Garbled("the body is not the gzip that its header promises")
    }
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let total = self.out.len() + piece.len();
        let bomb = total > RATIO_FROM_BYTES && total / MAX_RATIO > self.received;
        if total > self.cap || bomb {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.out.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
