//! What systemd is told (`sd_notify(3)`): ready, a status line, stopping, and
//! that the loop is alive. Without `NOTIFY_SOCKET` nothing is sent.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Monotonic};

/// A way to the service manager; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Notify(Option<Arc<Manager>>);

#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    clock: Clock,
    /// Half of what the manager waits for a sign of life.
    every: Option<Duration>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    status: String,
    alive: Option<Monotonic>,
}

impl Notify {
    /// The manager that the environment names, if there is one.
    pub(super) fn from_environment(clock: &Clock) -> Self {
        let manager = std::env::var_os("NOTIFY_SOCKET").and_then(|name| {
            let address = address(&name)?;
            let socket = UnixDatagram::unbound().ok()?;
            // A manager that does not read must not hold the work up.
            socket.set_nonblocking(true).ok()?;
            let (every, told) = (watchdog(), Mutex::default());
            Some(Arc::new(Manager { socket, address, clock: clock.clone(), every, told }))
        });
        Self(manager)
    }

    /// How often a sign of life is to be looked for.
    pub(super) fn pulse(&self) -> Duration {
        /// Shortest and longest time between two looks.
        const BOUNDS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
        let every = self.0.as_ref().and_then(|manager| manager.every);
        every.map_or(BOUNDS.1, |every| (every / 2).clamp(BOUNDS.0, BOUNDS.1))
    }

    /// No manager.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The service can work.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// The service ends.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// A line for people; sent when it differs from the last one.
    pub(super) fn status(&self, text: &str) {
        let Some(manager) = &self.0 else { return };
        let mut told = manager.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.status != text {
            text.clone_into(&mut told.status);
            drop(told);
            self.send(&format!("STATUS={text}"));
        }
    }

    /// The work goes on: called by who has just seen it, as often as it likes.
    pub(super) fn alive(&self) {
        let Some(manager) = &self.0 else { return };
        let Some(every) = manager.every else { return };
        let now = manager.clock.monotonic();
        let mut told = manager.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.alive.is_none_or(|last| now.since(last) >= every) {
            told.alive = Some(now);
            drop(told);
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, text: &str) {
        let Some(manager) = &self.0 else { return };
        // Whether the manager listens is its own affair.
        let _ = manager.socket.send_to_addr(text.as_bytes(), &manager.address);
    }
}

/// A path, or with `@` a name that is in no directory.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest).ok(),
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

/// Half of `WatchdogSec`, where it is meant for this process.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|_| ours).map(|micros| Duration::from_micros(micros / 2))
}
