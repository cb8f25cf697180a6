//! One wall clock per system, each as wrong as a test wants it.
//!
//! Owns: the offsets, the `Date` of answers, and `POST /_sandbox/clock`.
//! Monotonic time, and with it the life of tokens, is the same for all.

use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use super::Sandbox;
use super::log::System;
use super::wire::{Call, Reply};
use crate::clock::{Clock, Shift};

/// The systems that have a clock.
const SYSTEMS: [System; 6] = [
    System::Entra,
    System::Dynamics,
    System::Ims,
    System::Campaign,
    System::Journal,
    System::Sandbox,
];

/// The clocks of all systems.
#[derive(Debug)]
pub(crate) struct Clocks(Vec<(System, Shift, Clock)>);

impl Clocks {
    /// All of them right.
    pub(crate) fn new(clock: &Clock) -> Self {
        let one = |system| {
            let shift = Shift::default();
            let shifted = clock.shifted(&shift);
            (system, shift, shifted)
        };
        Self(SYSTEMS.into_iter().map(one).collect())
    }

    /// The clock of a system.
    pub(crate) fn of(&self, system: System) -> &Clock {
        let found = self.0.iter().find(|(of, _, _)| *of == system);
        &found.unwrap_or(&self.0[SYSTEMS.len() - 1]).2
    }

    /// Makes a system's clock wrong.
    pub(crate) fn set(&self, system: System, offset_ms: i64) {
        for (_, shift, _) in self.0.iter().filter(|(of, _, _)| *of == system) {
            shift.set_ms(offset_ms);
        }
    }

    /// The reply with the `Date` that this system's clock shows: whole seconds.
    pub(crate) fn dated(&self, system: System, reply: Reply) -> Reply {
        let now = self.of(system).now();
        reply.with("date", &now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }
}

impl Sandbox {
    /// What a system's clock shows.
    pub fn now(&self, system: System) -> Timestamp {
        self.shared.clocks.of(system).now()
    }

    /// Makes a system's clock wrong by so many milliseconds, positive is ahead:
    /// what it stamps from now on and the `Date` of its answers.
    pub fn set_clock_offset(&self, system: System, offset_ms: i64) {
        self.shared.clocks.set(system, offset_ms);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    system: System,
    offset_ms: i64,
}

/// Answers `POST /_sandbox/clock` with `{"system": "campaign", "offset_ms": n}`.
pub(crate) fn answer(clocks: &Clocks, call: &Call) -> Reply {
    match serde_json::from_slice::<Wanted>(&call.body) {
        Ok(wanted) => {
            clocks.set(wanted.system, wanted.offset_ms);
            Reply::empty(StatusCode::NO_CONTENT)
        }
        Err(error) => Reply::new(StatusCode::BAD_REQUEST, "text/plain", error.to_string()),
    }
}
