//! Whether a system answers, told once when that changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::failure::{Failure, Outcome, System};
use crate::clock::{Clock, Monotonic};
use crate::telemetry::{RemoteBack, RemoteUnreachable};

/// Requests in a row without an answer before it is told.
const TELL_AFTER: u32 = 3;

/// What is known of one system.
pub(super) struct Health {
    system: System,
    clock: Clock,
    /// Whether `silence` holds anything: spares the lock while all is well.
    failing: AtomicBool,
    silence: Mutex<Silence>,
}

/// Since when and why a system does not answer.
#[derive(Default)]
struct Silence {
    failures: u32,
    since: Option<Monotonic>,
    problem: Option<String>,
}

impl Health {
    pub(super) fn new(system: System, clock: Clock) -> Self {
        Self { system, clock, failing: AtomicBool::new(false), silence: Mutex::default() }
    }

    /// What the last request met, while the system does not answer.
    pub(super) fn outage(&self) -> Option<String> {
        self.lock().problem.clone()
    }

    /// Takes the end of a request; `None` for a success. Any answer of the
    /// system itself, be it a refusal, ends an outage.
    pub(super) fn judge(&self, failure: Option<&Failure>) {
        let silent = failure.filter(|failure| {
            matches!(failure.outcome, Outcome::NotSent | Outcome::Unknown | Outcome::Unavailable)
        });
        match silent {
            Some(failure) => self.worse(failure),
            None if self.failing.load(Ordering::Relaxed) => self.better(),
            None => {}
        }
    }

    fn worse(&self, failure: &Failure) {
        let now = self.clock.monotonic();
        let mut silence = self.lock();
        silence.failures = silence.failures.saturating_add(1);
        silence.since.get_or_insert(now);
        silence.problem = Some(failure.to_string());
        self.failing.store(true, Ordering::Relaxed);
        let tell = silence.failures == TELL_AFTER;
        drop(silence);
        if tell {
            RemoteUnreachable { system: self.system.as_str(), problem: failure.to_string() }.emit();
        }
    }

    fn better(&self) {
        let now = self.clock.monotonic();
        let was = std::mem::take(&mut *self.lock());
        self.failing.store(false, Ordering::Relaxed);
        if let Some(since) = was.since
            && was.failures >= TELL_AFTER
        {
            let silent_ms = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
            RemoteBack { system: self.system.as_str(), silent_ms }.emit();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
