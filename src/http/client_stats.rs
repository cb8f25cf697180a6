//! What a client has counted, and how it stands at present.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Client, DateSample};

/// Counts since the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Attempts that went out, without token requests.
    pub(crate) calls: u64,
    /// Token requests.
    pub(crate) token_calls: u64,
    /// Answers that asked us to wait.
    pub(crate) throttled: u64,
    /// Attempts beyond the first of a request.
    pub(crate) retries: u64,
    /// Requests in flight now.
    pub(crate) in_flight: u64,
    /// Most requests in flight that are allowed now.
    pub(crate) limit: u64,
    /// Requests in the window of the rate limit that ends now.
    pub(crate) window_calls: u64,
    /// Most that are allowed in it, and its length.
    pub(crate) window: (u64, Duration),
    /// How long nothing more is sent, because the system asked for it.
    pub(crate) pause: Option<Duration>,
}

impl Client {
    /// Counts so far.
    pub(crate) fn stats(&self) -> Stats {
        let shared = &self.0;
        let (in_flight, limit) = shared.gate.load();
        let (window_calls, window, pause) = shared.gate.window();
        Stats {
            calls: shared.calls.load(Ordering::Relaxed),
            token_calls: shared.credentials.calls(),
            throttled: shared.throttled.load(Ordering::Relaxed),
            retries: shared.retries.load(Ordering::Relaxed),
            in_flight: in_flight as u64,
            limit: limit as u64,
            window_calls,
            window,
            pause,
        }
    }

    /// Takes the place of a client of an earlier configuration. Where it is one of
    /// the same system at the same address, it knows from then on what that one was
    /// and will be asked for: pauses, and the window of the rate.
    pub(crate) fn follow(&self, before: &Self) {
        let (shared, before) = (&self.0, &before.0);
        if shared.system == before.system && shared.origin == before.origin {
            shared.gate.follow(&before.gate);
            shared.credentials.follow(&before.credentials);
        }
    }

    /// Which system it is, in a word.
    pub(crate) fn system(&self) -> &'static str {
        self.0.system.as_str()
    }

    /// What the system's clock showed in its newest answers.
    pub(crate) fn dates(&self) -> Vec<DateSample> {
        self.0.dates.newest()
    }

    /// Rises with each exchange that gets somebody further.
    pub(crate) fn progress(&self) -> u64 {
        self.0.progress.count()
    }

    /// Whether the last write that ended had no answer or a server error.
    pub(crate) fn writes_fail(&self) -> bool {
        self.0.progress.writes_fail()
    }

    /// What the last request met, while the system does not answer.
    pub(crate) fn outage(&self) -> Option<String> {
        self.0.health.outage()
    }
}
