//! The signals of a service: SIGTERM and SIGINT, SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::daemon::desk::Event;

/// The signals, caught from the moment this is made.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches the signals.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Tells the loop of each signal.
    pub(super) async fn tell(mut self, events: mpsc::Sender<Event>) {
        loop {
            let event = tokio::select! {
                Some(()) = self.terminate.recv() => Event::Terminate("SIGTERM"),
                Some(()) = self.interrupt.recv() => Event::Terminate("SIGINT"),
                Some(()) = self.hangup.recv() => Event::Reload,
                else => return,
            };
            if events.send(event).await.is_err() {
                return;
            }
        }
    }
}
