//! What a run has counted so far. Flows and delivery add to it from several
//! tasks; its first number always equals the sum of the others once the work
//! that is still queued is counted as pending.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one run; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    read: AtomicU64,
    written: AtomicU64,
    unchanged: AtomicU64,
    filtered: AtomicU64,
    deleted: AtomicU64,
    dead_lettered: AtomicU64,
}

/// A change to a tally, made known once the transaction behind it lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TallyDelta {
    /// Records taken up.
    pub(crate) read: u64,
    /// Created or updated.
    pub(crate) written: u64,
    /// Nothing to do.
    pub(crate) unchanged: u64,
    /// Left out by configuration.
    pub(crate) filtered: u64,
    /// Deleted.
    pub(crate) deleted: u64,
    /// Given up.
    pub(crate) dead_lettered: u64,
}

impl Tally {
    /// Adds.
    pub(crate) fn add(&self, delta: TallyDelta) {
        let numbers = &self.0;
        for (number, by) in [
            (&numbers.read, delta.read),
            (&numbers.written, delta.written),
            (&numbers.unchanged, delta.unchanged),
            (&numbers.filtered, delta.filtered),
            (&numbers.deleted, delta.deleted),
            (&numbers.dead_lettered, delta.dead_lettered),
        ] {
            number.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// The numbers so far.
    pub(crate) fn get(&self) -> TallyDelta {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        TallyDelta {
            read: load(&self.0.read),
            written: load(&self.0.written),
            unchanged: load(&self.0.unchanged),
            filtered: load(&self.0.filtered),
            deleted: load(&self.0.deleted),
            dead_lettered: load(&self.0.dead_lettered),
        }
    }
}
