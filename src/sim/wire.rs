//! The way of a request to the look-alikes: how long it takes, what is checked
//! on it, and that nothing goes to or comes from a program that is dead.

use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::Violation;
use super::model::Model;
use super::stream::Stream;
use crate::clock::{Clock, Monotonic};
use crate::failpoint;
use crate::http::{Broken, LocalAnswer, Transport};
use crate::sandbox::Sandbox;

/// Where both systems are said to be. Nothing listens there.
pub(crate) const ORIGIN: &str = "http://127.0.0.1:8700";

/// Most requests of one life; more is work without an end.
const MOST_REQUESTS: u64 = 20_000;

/// Both systems, the model and the ways between.
pub(crate) struct Wire {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    ways: Stream,
    state: Mutex<State>,
}

/// What is known of the ways.
pub(crate) struct State {
    pub(crate) model: Model,
    /// The first promise that was broken.
    pub(crate) broken: Option<Violation>,
    /// Longest way, in milliseconds.
    pub(crate) latency: u64,
    pub(crate) requests: u64,
    /// What went over the ways and when, as a number.
    pub(crate) trace: u64,
    /// Requests that change a contact or a profile.
    pub(crate) writes: u64,
    pauses: BTreeMap<&'static str, Monotonic>,
    /// Whether every request is told.
    pub(crate) loud: bool,
}

impl State {
    /// Looks at what a request to this system may have changed.
    fn observe(&mut self, system: &str, sandbox: &Sandbox) -> Result<(), Violation> {
        match system {
            "dynamics" => self.model.observe_dynamics(sandbox),
            "campaign" => self.model.observe_campaign(sandbox),
            _ => Ok(()),
        }
    }
}

impl Wire {
    /// Ways to these systems.
    pub(crate) fn new(sandbox: Sandbox, clock: &Clock, seed: u64) -> Arc<Self> {
        let model = Model::new(&sandbox, clock);
        let (requests, writes, latency) = (0, 0, 0);
        let state = State {
            model,
            broken: None,
            latency,
            requests,
            trace: 0,
            writes,
            pauses: BTreeMap::new(),
            loud: false,
        };
        let ways = Stream::new(seed, "ways");
        Arc::new(Self { sandbox, clock: clock.clone(), ways, state: Mutex::new(state) })
    }

    /// What is known now.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transport of a program that uses these ways.
    pub(crate) fn transport(self: &Arc<Self>) -> Transport {
        let wire = Arc::clone(self);
        Transport::Local(Arc::new(move |request| -> LocalAnswer {
            let wire = Arc::clone(&wire);
            Box::pin(async move { wire.carry(request).await })
        }))
    }

    async fn carry(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Broken> {
        let system = self.leaves(&request);
        self.trace(&[request.uri().to_string().as_bytes(), request.body()]);
        let reads = request.method() == http::Method::GET;
        let line = format!("{} {}", request.method(), request.uri());
        self.way().await;
        let answer = self.sandbox.call(request).await;
        if !reads {
            let seen = self.state().observe(system, &self.sandbox);
            self.note(seen);
        }
        self.way().await;
        match answer {
            Ok(response) => {
                self.trace(&[&response.status().as_u16().to_le_bytes(), response.body()]);
                self.tell(&line, response.status().as_str());
                self.arrives(system, &response);
                Ok(response)
            }
            Err(error) => {
                self.tell(&line, "no answer");
                Err(Broken::Unknown(error.to_string()))
            }
        }
    }

    /// Something is on its way for a while; for ever, where nobody lives to send
    /// or to hear it.
    async fn way(&self) {
        if failpoint::is_dead() {
            return std::future::pending().await;
        }
        let longest = self.state().latency;
        if longest > 0 {
            self.clock.sleep(Duration::from_millis(self.ways.below(longest + 1))).await;
        }
        if failpoint::is_dead() {
            std::future::pending::<()>().await;
        }
    }

    fn leaves(&self, request: &http::Request<Bytes>) -> &'static str {
        let uri = request.uri();
        let path = uri.path();
        let system = if path.starts_with("/api/data/") {
            "dynamics"
        } else if path.contains("/campaign/") {
            "campaign"
        } else if path.contains("/events") {
            "journal"
        } else {
            "tokens"
        };
        let mut state = self.state();
        state.requests += 1;
        // An event that waits for its contact is tried now and then, in a batch;
        // that it becomes one activity is another promise.
        let tries = path.ends_with("/$batch");
        if request.method() != http::Method::GET && system != "tokens" && !tries {
            state.writes += 1;
        }
        let (requests, pause) = (state.requests, state.pauses.get(system).copied());
        drop(state);
        if requests > MOST_REQUESTS {
            self.note(Err(Violation::new("I29", "requests without end")));
        }
        if uri.authority().map(http::uri::Authority::as_str) != ORIGIN.strip_prefix("http://") {
            self.note(Err(Violation::new("I20", format!("a request left for {uri}"))));
        }
        if pause.is_some_and(|until| self.clock.monotonic() < until) {
            self.note(Err(Violation::new("I19", format!("{system} asked for rest and got none"))));
        }
        system
    }

    fn arrives(&self, system: &'static str, response: &http::Response<Bytes>) {
        if response.status().as_u16() != 429 {
            return;
        }
        let wait = response.headers().get("retry-after").and_then(|it| it.to_str().ok());
        let Some(wait) = wait.and_then(|it| it.parse().ok()) else { return };
        let until = self.clock.monotonic().plus(Duration::from_secs(wait));
        let mut state = self.state();
        let pause = state.pauses.entry(system).or_insert(until);
        *pause = (*pause).max(until);
    }

    /// Tells of a request that was answered, to who wants to know all.
    fn tell(&self, line: &str, answer: &str) {
        let mut state = self.state();
        let dull = ["EntityDefinitions", "resourceType", "WhoAmI"];
        if state.loud && !(answer == "200" && dull.iter().any(|it| line.contains(it))) {
            let at = state.model.since_begin();
            let trace = state.trace & 0xffff;
            state.model.story.push(format!("    {at:?} {line}: {answer} [{trace:04x}]"));
        }
    }

    /// Adds to the trace.
    fn trace(&self, parts: &[&[u8]]) {
        let mut hasher = std::hash::DefaultHasher::new();
        let mut state = self.state();
        (state.trace, state.model.since_begin().as_millis(), parts).hash(&mut hasher);
        state.trace = hasher.finish();
    }

    /// Keeps the first promise that was broken.
    pub(crate) fn note(&self, seen: Result<(), Violation>) {
        if let Err(violation) = seen {
            self.state().broken.get_or_insert(violation);
        }
    }

    /// The program that was told to rest is no more.
    pub(crate) fn forget_pauses(&self) {
        self.state().pauses.clear();
    }
}
