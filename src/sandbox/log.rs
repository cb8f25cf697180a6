//! What the look-alikes were asked, for tests and for people.
//!
//! Owns: a bounded list of requests and unbounded counters. Never holds a
//! header, a body, or the query of an identity request: those carry secrets.

mod line;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which look-alike was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Microsoft's identity platform.
    Entra,
    /// Dataverse's Web API.
    Dynamics,
    /// Adobe's identity service.
    Ims,
    /// Campaign's REST API.
    Campaign,
    /// The journal of Campaign's events.
    Journal,
    /// The sandbox's own pages.
    Sandbox,
}

impl System {
    /// The systems that programs talk to.
    pub const ALL: [Self; 5] =
        [Self::Entra, Self::Dynamics, Self::Ims, Self::Campaign, Self::Journal];

    /// The name used in logs and fault plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Dynamics => "dynamics",
            Self::Ims => "ims",
            Self::Campaign => "campaign",
            Self::Journal => "journal",
            Self::Sandbox => "sandbox",
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Number in order of arrival, from 1, not reset by `clear`.
    pub seq: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// Who was asked.
    pub system: System,
    /// HTTP method.
    pub method: String,
    /// Path and query; identity requests show no query.
    pub path: String,
    /// Milliseconds until the answer was ready, with the delay of a fault.
    pub ms: u64,
    /// HTTP status; 0 where the connection was closed without an answer.
    pub status: u16,
    /// Rows in the reply, for lists.
    pub rows: Option<usize>,
    /// Operations in it: the parts of a batch, the targets of a bulk call, or 1.
    pub operations: usize,
    /// Kind of the fault that was played.
    pub fault: Option<&'static str>,
    /// Requests in flight at this system when this one arrived, itself included.
    pub in_flight: usize,
}

#[derive(Debug)]
struct State {
    cap: usize,
    seq: u64,
    entries: VecDeque<LogEntry>,
    counts: BTreeMap<(System, String), u64>,
    rows: BTreeMap<System, u64>,
    operations: BTreeMap<System, u64>,
    faults: BTreeMap<&'static str, u64>,
    flying: BTreeMap<System, usize>,
    peaks: BTreeMap<System, usize>,
}

type Tell = Box<dyn FnMut(&LogEntry) + Send>;

/// Who is told of each request as it is answered.
#[derive(Default)]
struct Follower(Mutex<Option<Tell>>);

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Follower")
    }
}

/// The request log; a cheap handle.
#[derive(Clone, Debug)]
pub struct RequestLog {
    state: Arc<Mutex<State>>,
    follower: Arc<Follower>,
}

impl Default for RequestLog {
    fn default() -> Self {
        let state = Arc::new(Mutex::new(State {
            cap: 10_000,
            seq: 0,
            entries: VecDeque::new(),
            counts: BTreeMap::new(),
            rows: BTreeMap::new(),
            operations: BTreeMap::new(),
            faults: BTreeMap::new(),
            flying: BTreeMap::new(),
            peaks: BTreeMap::new(),
        }));
        Self { state, follower: Arc::default() }
    }
}

impl RequestLog {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls this for each request from now on, one after the other, when its
    /// answer is known. There is one follower; a new one takes its place.
    pub fn follow(&self, tell: impl FnMut(&LogEntry) + Send + 'static) {
        let mut follower = self.follower.0.lock().unwrap_or_else(PoisonError::into_inner);
        *follower = Some(Box::new(tell));
    }

    /// The kept entries, oldest first.
    pub fn entries(&self) -> Vec<LogEntry> {
        self.state().entries.iter().cloned().collect()
    }

    /// How many entries are kept; older ones are dropped, counters go on.
    pub fn set_cap(&self, entries: usize) {
        let mut state = self.state();
        state.cap = entries;
        while state.entries.len() > entries {
            state.entries.pop_front();
        }
    }

    /// Requests to one system since the last `clear`.
    pub fn count(&self, system: System) -> u64 {
        self.state()
            .counts
            .iter()
            .filter(|((of, _), _)| *of == system)
            .map(|(_, count)| count)
            .sum()
    }

    /// Requests to one system with one method since the last `clear`.
    pub fn count_of(&self, system: System, method: &str) -> u64 {
        self.state().counts.get(&(system, method.to_owned())).copied().unwrap_or(0)
    }

    /// All counters, per system and method.
    pub fn counts(&self) -> BTreeMap<(System, String), u64> {
        self.state().counts.clone()
    }

    /// Rows served in lists by one system since the last `clear`.
    pub fn rows(&self, system: System) -> u64 {
        self.state().rows.get(&system).copied().unwrap_or(0)
    }

    /// Operations that one system was asked for since the last `clear`: a batch
    /// counts each of its parts, a bulk call each target, all else one.
    pub fn operations(&self, system: System) -> u64 {
        self.state().operations.get(&system).copied().unwrap_or(0)
    }

    /// How often each kind of fault was played since the last `clear`.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.state().faults.clone()
    }

    /// The most requests that were in flight together since the last `clear`.
    pub fn peak(&self, system: System) -> usize {
        self.state().peaks.get(&system).copied().unwrap_or(0)
    }

    /// Forgets entries, counters and peaks.
    pub fn clear(&self) {
        let mut state = self.state();
        state.entries.clear();
        state.counts.clear();
        state.rows.clear();
        state.operations.clear();
        state.faults.clear();
        state.peaks = state.flying.clone();
    }

    /// Notes an arrival; returns its number and the requests in flight.
    pub(crate) fn arrive(&self, system: System, method: &str) -> (u64, usize) {
        let mut state = self.state();
        state.seq += 1;
        *state.counts.entry((system, method.to_owned())).or_default() += 1;
        let flying = state.flying.entry(system).or_default();
        *flying += 1;
        let flying = *flying;
        let peak = state.peaks.entry(system).or_default();
        *peak = (*peak).max(flying);
        (state.seq, flying)
    }

    /// Notes the end of a request.
    pub(crate) fn leave(&self, system: System) {
        if let Some(flying) = self.state().flying.get_mut(&system) {
            *flying = flying.saturating_sub(1);
        }
    }

    /// Keeps the entry of an answered request, with the faults inside a batch.
    pub(crate) fn keep(&self, entry: LogEntry, inner: &[&'static str]) {
        if let Some(tell) = self.follower.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            tell(&entry);
        }
        let mut state = self.state();
        *state.operations.entry(entry.system).or_default() +=
            u64::try_from(entry.operations).unwrap_or(u64::MAX);
        for fault in inner {
            *state.faults.entry(fault).or_default() += 1;
        }
        if let Some(rows) = entry.rows {
            *state.rows.entry(entry.system).or_default() += u64::try_from(rows).unwrap_or(u64::MAX);
        }
        if let Some(fault) = entry.fault {
            *state.faults.entry(fault).or_default() += 1;
        }
        if state.cap == 0 {
            return;
        }
        if state.entries.len() >= state.cap {
            state.entries.pop_front();
        }
        state.entries.push_back(entry);
    }
}
