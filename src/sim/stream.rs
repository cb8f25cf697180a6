//! Random numbers by purpose: taking one decision away moves no other.

use crate::clock::Clock;

/// One purpose's numbers.
pub(crate) struct Stream(Clock);

impl Stream {
    /// The numbers of a seed for a purpose.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("cdsync simulation");
        hasher.update(&seed.to_le_bytes()).update(purpose.as_bytes());
        let bytes: [u8; 8] =
            hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
        Self(Clock::seeded(u64::from_le_bytes(bytes)))
    }

    /// A number below `limit`; 0 where that is 0.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.0.random().checked_rem(limit).unwrap_or(0)
    }

    /// A number below `limit`, for an index.
    pub(crate) fn index(&self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap_or(0)
    }

    /// Whether something happens that happens in so many of a hundred cases.
    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub(crate) fn one_of<T: Clone>(&self, choices: &[T]) -> T {
        choices[self.index(choices.len())].clone()
    }
}
