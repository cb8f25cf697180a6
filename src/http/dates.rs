//! What a system's clock shows, set against ours: the `Date` of its answers.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Answers that are remembered, the newest.
const KEPT: usize = 21;

/// The `Date` of one answer, with the exchange in our clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateSample {
    /// The system's clock, in whole seconds.
    pub(crate) date: Timestamp,
    /// When the request went out.
    pub(crate) sent: Timestamp,
    /// When the answer was there.
    pub(crate) received: Timestamp,
}

/// The newest of them.
#[derive(Debug, Default)]
pub(super) struct Dates(Mutex<VecDeque<DateSample>>);

impl Dates {
    pub(super) fn add(&self, sample: DateSample) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(sample);
    }

    pub(super) fn newest(&self) -> Vec<DateSample> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().copied().collect()
    }
}
