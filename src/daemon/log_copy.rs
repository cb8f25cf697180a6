//! When the log is copied to Campaign's file server: from time to time, when a
//! part is full, and at the end. No flow waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::app::App;
use crate::clock::Clock;
use crate::daemon::DaemonError;
use crate::daemon::desk::Desk;
use crate::telemetry::{LogsCopyFailing, LogsCopyRecovered, LogsDropped, Spool};

/// Longest wait for the next attempt where one failed.
const RETRY_AFTER: Duration = Duration::from_mins(5);

/// Longest attempt: all that can wait, over a slow line.
const ATTEMPT_WITHIN: Duration = Duration::from_mins(10);

/// Longest attempt at the end. With the time in which flows settle, it stays
/// below the 90 s after which systemd kills.
const LAST_WITHIN: Duration = Duration::from_secs(20);

/// Copies the lines that the spool holds; clones share what they know.
#[derive(Clone)]
pub(super) struct Copier {
    desk: Desk,
    spool: Spool,
    clock: Clock,
    /// Attempts that failed in a row.
    failed: Arc<AtomicU64>,
    /// Whether it was told that lines are lost.
    told: Arc<AtomicBool>,
}

/// Keeps lines from now on, where the configuration wants a copy of them.
pub(super) fn keep_lines(app: &App, spool: &Spool) -> Result<(), DaemonError> {
    if app.config.daemon.log_copy.is_none() {
        return Ok(());
    }
    let place = app.config.log_spool();
    spool.open(&place).map_err(|error| {
        DaemonError::Setup(format!(
            "lines of the log cannot be kept in {}: {error}; mend that, or remove [daemon.log_copy]",
            place.display()
        ))
    })
}

impl Copier {
    pub(super) fn new(desk: Desk, spool: Spool) -> Self {
        let clock = desk.app().clock;
        Self { desk, spool, clock, failed: Arc::default(), told: Arc::default() }
    }

    /// Copies for ever. What an ended process left does not wait.
    pub(super) async fn run(self) {
        let mut due = self.clock.monotonic();
        if !self.spool.has_parts() {
            due = due.plus(self.pause());
        }
        loop {
            let full = tokio::select! {
                () = self.clock.sleep_until(due) => false,
                () = self.spool.grown() => true,
            };
            self.tell_lost();
            if full && (self.is_failing() || !self.spool.has_parts()) {
                continue;
            }
            if !self.spool.is_empty() {
                self.attempt(ATTEMPT_WITHIN).await;
            }
            due = self.clock.monotonic().plus(self.pause());
        }
    }

    /// Copies what is left when the daemon ends, if there is reason to think that
    /// it works; the next start does it otherwise.
    pub(super) async fn last(self) {
        self.tell_lost();
        if !self.is_failing() && !self.spool.is_empty() {
            self.attempt(LAST_WITHIN).await;
        }
    }

    fn is_failing(&self) -> bool {
        self.failed.load(Ordering::Relaxed) > 0
    }

    /// Until the next attempt.
    fn pause(&self) -> Duration {
        let app = self.desk.app();
        let every = app.config.daemon.log_copy.as_ref().map_or(RETRY_AFTER, |it| it.every);
        if self.is_failing() { every.min(RETRY_AFTER) } else { every }
    }

    async fn attempt(&self, within: Duration) {
        let app = self.desk.app();
        let copied = tokio::select! {
            copied = app.copy_logs(&self.spool) => copied,
            () = self.clock.sleep(within) => {
                Err(format!("the SFTP server did not take the log within {} s", within.as_secs()))
            }
        };
        match copied {
            Ok(()) => {
                let failed = self.failed.swap(0, Ordering::Relaxed);
                if failed > 0 {
                    LogsCopyRecovered { failed }.emit();
                }
                self.told.store(false, Ordering::Relaxed);
            }
            Err(reason) => {
                if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    LogsCopyFailing { reason }.emit();
                }
            }
        }
    }

    /// Says that lines are lost, once until an attempt succeeds.
    fn tell_lost(&self) {
        if let Some(lost) = self.spool.lost()
            && !self.told.swap(true, Ordering::Relaxed)
        {
            LogsDropped { bytes: lost.bytes, reason: lost.reason() }.emit();
        }
    }
}
