//! From the bytes of the file to those of its text: gzip by content, with a cap
//! on what a few bytes may become. Must not know what the text says.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use super::{Digest, ExtractError, MAX_FILE_BYTES};
use crate::model::Compression;

/// Unpacked bytes from which the ratio counts.
const RATIO_FROM_BYTES: u64 = 8 << 20;
/// Most unpacked bytes for one packed.
const MAX_RATIO: u64 = 200;
/// First bytes by which a packing is known.
const HEAD_BYTES: usize = 4;

/// Undoes the packing.
pub(super) struct Unpack {
    compression: Compression,
    /// Bytes before it is known what they are.
    head: Vec<u8>,
    state: Option<State>,
    hasher: blake3::Hasher,
    received: u64,
    unpacked: u64,
}

enum State {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Unpack {
    pub(super) fn new(compression: Compression) -> Self {
        Self {
            compression,
            head: Vec::new(),
            state: None,
            hasher: blake3::Hasher::new(),
            received: 0,
            unpacked: 0,
        }
    }

    /// The unpacked bytes of the next piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, ExtractError> {
        self.received += piece.len() as u64;
        if self.state.is_some() {
            return self.unpack(piece);
        }
        self.head.extend_from_slice(piece);
        if self.head.len() < HEAD_BYTES {
            return Ok(Vec::new());
        }
        self.begin()
    }

    /// What is left at the end of the file.
    pub(super) fn finish(&mut self) -> Result<Vec<u8>, ExtractError> {
        if self.received == 0 {
            return Err(ExtractError::Empty);
        }
        let mut bytes = if self.state.is_none() { self.begin()? } else { Vec::new() };
        if let Some(State::Gzip(decoder)) = &mut self.state {
            decoder.try_finish().map_err(|error| damaged(&error))?;
            let rest = std::mem::take(decoder.get_mut());
            self.count(&rest)?;
            bytes.extend_from_slice(&rest);
        }
        Ok(bytes)
    }

    /// Of all that was unpacked.
    pub(super) fn digest(&self) -> Digest {
        *self.hasher.finalize().as_bytes()
    }

    fn begin(&mut self) -> Result<Vec<u8>, ExtractError> {
        let head = std::mem::take(&mut self.head);
        let gzip = head.starts_with(&[0x1f, 0x8b]);
        self.state = Some(match (self.compression, gzip) {
            (Compression::Gzip, false) => return Err(ExtractError::NotPacked),
            (Compression::Auto | Compression::Gzip, true) => {
                State::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
            }
            (Compression::Auto, false) => {
                if let Some(name) = other_packing(&head) {
                    return Err(ExtractError::OtherPacking(name));
                }
                State::Plain
            }
            (Compression::None, _) => State::Plain,
        });
        self.unpack(&head)
    }

    fn unpack(&mut self, piece: &[u8]) -> Result<Vec<u8>, ExtractError> {
        let bytes = match &mut self.state {
            Some(State::Gzip(decoder)) => {
                decoder.write_all(piece).map_err(|error| damaged(&error))?;
                std::mem::take(decoder.get_mut())
            }
            Some(State::Plain) | None => piece.to_vec(),
        };
        self.count(&bytes)?;
        Ok(bytes)
    }

    fn count(&mut self, bytes: &[u8]) -> Result<(), ExtractError> {
        self.unpacked += bytes.len() as u64;
        self.hasher.update(bytes);
        if self.unpacked > MAX_FILE_BYTES {
            return Err(ExtractError::TooLarge);
        }
        if self.unpacked > RATIO_FROM_BYTES && self.unpacked / MAX_RATIO > self.received {
            return Err(ExtractError::Bomb);
        }
        Ok(())
    }
}

fn damaged(_: &io::Error) -> ExtractError {
    ExtractError::Packing
}

/// Packings that someone may use and that would read as garbage.
fn other_packing(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 5] = [
        (b"PK\x03\x04", "zip"),
        (b"BZh", "bzip2"),
        (b"\xfd7zX", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x1f\x9d", "compress (.Z)"),
    ];
    KNOWN.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name)
}
