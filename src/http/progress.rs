//! Whether a system's answers get anybody further.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ::http::Method;

use super::failure::{Failure, Outcome};

/// Counts successful exchanges. While writes are not taken, reads do not count:
/// the look-up before each repeated write succeeds for ever.
#[derive(Debug, Default)]
pub(super) struct Progress {
    count: AtomicU64,
    /// Whether the last write that ended had no answer or a server error.
    writes_fail: AtomicBool,
}

impl Progress {
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether the last write that ended had no answer or a server error.
    pub(super) fn writes_fail(&self) -> bool {
        self.writes_fail.load(Ordering::Relaxed)
    }

    /// A request succeeded.
    pub(super) fn moved(&self, method: &Method) {
        let reads = method == Method::GET;
        if !reads {
            self.writes_fail.store(false, Ordering::Relaxed);
        }
        if !reads || !self.writes_fail() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request failed.
    pub(super) fn stuck(&self, method: &Method, failure: &Failure) {
        let silent = matches!(
            failure.outcome,
            Outcome::NotSent | Outcome::Unknown | Outcome::Unavailable | Outcome::ServerError
        );
        if silent && method != Method::GET {
            self.writes_fail.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::failure::System;

    #[test]
    fn reads_are_no_progress_while_writes_fail() {
        let progress = Progress::default();
        let busy = Failure::new(System::Campaign, Outcome::Unavailable, "busy");
        progress.moved(&Method::GET);
        progress.stuck(&Method::GET, &busy);
        progress.moved(&Method::GET);
        assert_eq!(progress.count(), 2);
        assert!(!progress.writes_fail());
        progress.stuck(&Method::PATCH, &busy);
        progress.moved(&Method::GET);
        assert_eq!((progress.count(), progress.writes_fail()), (2, true));
        progress.moved(&Method::POST);
        progress.moved(&Method::GET);
        assert_eq!(progress.count(), 4);
    }
}
