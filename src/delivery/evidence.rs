//! What a delivery has seen of the system: whether a failure is the record's
//! trouble or everybody's, and how often a record was tried in vain.

use std::collections::HashSet;

use crate::model::RecordId;

use super::policy::Evidence;

/// Different records that must fail in a row to make it the system's trouble.
const OUTAGE_RECORDS: usize = 5;

/// Successes and failures since a delivery began.
#[derive(Debug, Default)]
pub(super) struct Seen {
    successes: u64,
    /// Records that failed since the last success.
    failing: HashSet<RecordId>,
}

/// A record's last failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Successes of others before it.
    successes: u64,
    /// Failures that no success of another parts from this one, with it.
    pub(super) tries: u32,
}

impl Seen {
    /// So many records were written.
    pub(super) fn successes(&mut self, count: u64) {
        if count > 0 {
            self.successes += count;
            self.failing.clear();
        }
    }

    /// A record failed.
    pub(super) fn failure(&mut self, record: RecordId) {
        self.failing.insert(record);
    }

    /// What that says of the system; `before`: the record's failure before.
    pub(super) fn evidence(&self, before: Option<Mark>) -> Evidence {
        Evidence {
            outage: self.failing.len() >= OUTAGE_RECORDS,
            others_succeed: self.others_since(before),
        }
    }

    /// The failure, for the next one.
    pub(super) fn mark(&self, before: Option<Mark>) -> Mark {
        let alike = before.filter(|_| !self.others_since(before));
        let tries = alike.map_or(1, |before| before.tries.saturating_add(1));
        Mark { successes: self.successes, tries }
    }

    fn others_since(&self, before: Option<Mark>) -> bool {
        before.is_some_and(|before| self.successes > before.successes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_a_record_count_anew_once_another_is_written() {
        let mut seen = Seen::default();
        let first = seen.mark(None);
        let second = seen.mark(Some(first));
        assert_eq!((first.tries, second.tries), (1, 2));
        assert!(!seen.evidence(Some(second)).others_succeed);
        seen.successes(1);
        assert!(seen.evidence(Some(second)).others_succeed);
        assert_eq!(seen.mark(Some(second)).tries, 1);
    }

    #[test]
    fn five_records_in_a_row_are_an_outage_and_one_as_often_is_not() {
        let mut seen = Seen::default();
        let mut fails = |record: u8| {
            seen.failure(RecordId::from_bytes([record; 16]));
            seen.evidence(None).outage
        };
        assert!(!(0..9).any(|_| fails(1)));
        assert_eq!([2, 3, 4, 5].map(&mut fails), [false, false, false, true]);
        seen.successes(0);
        assert!(seen.evidence(None).outage);
        seen.successes(1);
        assert!(!seen.evidence(None).outage);
    }
}
