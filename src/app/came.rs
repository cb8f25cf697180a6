//! What a pass came to beside the one before it: whether that is worth a line.

use crate::store::{Counts, RunOutcome};

/// Idle passes in a row that are told of where the others are not: one sees that
/// all has settled.
const SETTLING: u64 = 3;

/// What a pass came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Came {
    pub(super) outcome: RunOutcome,
    pub(super) counts: Counts,
    /// Passes in a row that found the same, before this one.
    pub(super) alike: u64,
}

impl Came {
    /// What a pass came to after `before`, and whether it is to be told of.
    /// `tell_idle`: also where it found nothing to do.
    pub(super) fn after(
        before: Option<Self>,
        (outcome, counts): (RunOutcome, Counts),
        tell_idle: bool,
    ) -> (Self, bool) {
        let mut came = Self { outcome, counts, alike: 0 };
        if let Some(before) = before.filter(|before| !before.is_followed_by_news(&came)) {
            came.alike = before.alike + 1;
        }
        // A failure is told of by `flow.failing`, once.
        let worth = tell_idle || came.alike <= SETTLING;
        (came, came.alike == 0 || (worth && outcome != RunOutcome::Failed))
    }

    /// Whether a pass is worth a line after this one: it did something, or found
    /// another state. An idle one is not.
    pub(super) fn is_followed_by_news(&self, next: &Self) -> bool {
        let done = next.counts.written + next.counts.deleted + next.counts.dead_lettered > 0;
        let of = |came: &Self| {
            // What was read and where that is now; not the calls and the time.
            let it = came.counts;
            (came.outcome, it.read, it.unchanged, it.filtered, it.pending)
        };
        let idle = |came: &Self| came.outcome == RunOutcome::Ok;
        let nothing = next.counts.read == 0 && idle(self) && idle(next);
        done || !(nothing || of(self) == of(next))
    }
}

#[cfg(test)]
#[path = "came_tests.rs"]
mod tests;
