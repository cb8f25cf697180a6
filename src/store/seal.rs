//! Keyed checksums: seals on rows, fingerprints of values.
//!
//! SQLite's own check finds a flipped bit in less than half of all cases; a
//! seal finds it when the row is read. The key makes the fingerprint of a
//! guessable value (a first name, a flag) useless without the store's key.

use crate::store::StoreError;

/// Bytes of a seal and of a fingerprint.
pub(crate) const SEAL_BYTES: usize = 8;

/// A fingerprint of one field's value.
pub(crate) type Fingerprint = [u8; SEAL_BYTES];

/// Stands for "nobody knows what Campaign holds here"; differs from all others.
pub(crate) const UNKNOWN: Fingerprint = [0; SEAL_BYTES];

/// The store's key.
#[derive(Clone)]
pub(crate) struct SealKey([u8; 32]);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The seal of a row of `table` with these columns, in this order.
    pub(crate) fn seal(&self, table: &str, parts: &[&[u8]]) -> Fingerprint {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in std::iter::once(&table.as_bytes()).chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        first_bytes(&hasher.finalize())
    }

    /// The fingerprint of a value's canonical bytes; never [`UNKNOWN`].
    pub(crate) fn fingerprint(&self, canonical: &[u8]) -> Fingerprint {
        let mut fingerprint = first_bytes(&blake3::keyed_hash(&self.0, canonical));
        if fingerprint == UNKNOWN {
            fingerprint[0] = 1;
        }
        fingerprint
    }

    /// Refuses a row whose seal does not match.
    pub(crate) fn verify(
        &self,
        table: &str,
        parts: &[&[u8]],
        seal: &[u8],
    ) -> Result<(), StoreError> {
        if self.seal(table, parts) == seal {
            Ok(())
        } else {
            Err(StoreError::Corrupt(format!("a row of `{table}` does not match its checksum")))
        }
    }
}

fn first_bytes(hash: &blake3::Hash) -> Fingerprint {
    let mut bytes = UNKNOWN;
    bytes.copy_from_slice(&hash.as_bytes()[..SEAL_BYTES]);
    bytes
}
