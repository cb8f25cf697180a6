//! The way of a request to the look-alikes: how long it takes, what is checked
//! on it, and that nothing goes to or comes from a program that is dead.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use uuid::Uuid;

use super::Violation;
use super::message::{asked_for, change_rows, contact_in, copy_of, flow_of, wait_of_a_part};
use super::model::Model;
use super::plan::{Meddling, Plan};
use super::stream::Stream;
use super::writes::{self, Writing};
use crate::clock::{Clock, Monotonic};
use crate::failpoint;
use crate::http::{Broken, LocalAnswer, Transport};
use crate::model::Flow;
use crate::sandbox::{Sandbox, System};

/// Where both systems are said to be. Nothing listens there.
pub(crate) const ORIGIN: &str = "http://127.0.0.1:8700";

/// Most requests of one life; more is work without an end.
const MOST_REQUESTS: u64 = 20_000;

/// Both systems, the model and the ways between.
pub(crate) struct Wire {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    ways: Stream,
    /// Told where a system asks for rest.
    pub(crate) throttled: Notify,
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
    /// Who meddles, and after how many requests more.
    pub(crate) meddling: Vec<Meddling>,
    /// Whether full reads of contacts leave out their first row.
    pub(crate) blind: bool,
    /// The contact that the program asked Campaign for last.
    asked_last: Option<Uuid>,
    writing: Writing,
    /// Flows that were told to rest, and since then not to go on.
    paused: BTreeSet<Flow>,
    /// How often somebody asked that, or that they go on.
    asked: u64,
    /// Percent of the requests that are sent twice.
    pub(crate) repeats: u64,
    /// Whether rows come in any order.
    pub(crate) reorders: bool,
    /// Whether no profile may go.
    keeps: bool,
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
    pub(crate) fn new(sandbox: Sandbox, clock: &Clock, plan: &Plan) -> Arc<Self> {
        let model = Model::new(&sandbox, clock, plan.settings.direction);
        let state = State {
            model,
            broken: None,
            latency: 0,
            requests: 0,
            trace: 0,
            writes: 0,
            pauses: BTreeMap::new(),
            meddling: Vec::new(),
            blind: false,
            asked_last: None,
            writing: Writing::default(),
            paused: BTreeSet::new(),
            asked: 0,
            repeats: 0,
            reorders: false,
            keeps: plan.settings.keeps,
            loud: false,
        };
        let ways = Stream::new(plan.seed, "ways");
        let (clock, throttled, state) = (clock.clone(), Notify::new(), Mutex::new(state));
        Arc::new(Self { sandbox, clock, ways, throttled, state })
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
        let _underway = self.writes(&request);
        self.way().await;
        self.meddle(system, &request);
        let (asked_for, blinds) = (asked_for(&request), self.blinds(&request));
        let mixes = self.reorders(&request);
        if self.repeats(&request) {
            // Nobody hears of the first answer.
            let _ = self.sandbox.call(copy_of(&request)).await;
        }
        let mut answer = self.sandbox.call(request).await;
        if let Some(id) = asked_for {
            self.state().model.looks_at(id, &self.sandbox);
        }
        if let Ok(response) = &mut answer {
            if blinds {
                change_rows(response.body_mut(), |rows| drop(rows.remove(0)));
            }
            if mixes {
                change_rows(response.body_mut(), |rows| rows.reverse());
            }
        }
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

    /// Who waits for this request acts now, before it is taken up.
    fn meddle(&self, system: &str, request: &http::Request<Bytes>) {
        let mut state = self.state();
        let subject = asked_for(request);
        if subject.is_some() {
            state.asked_last = subject;
        }
        let of_many = request.uri().path().ends_with("/$batch");
        if state.meddling.is_empty() || of_many || failpoint::is_dead() {
            return;
        }
        let named = subject.or_else(|| contact_in(request));
        let Some(id) = named.or(state.asked_last) else { return };
        let Some(who) = self.sandbox.dynamics().ids("contact").iter().position(|it| *it == id)
        else {
            return;
        };
        let reads = request.method() == http::Method::GET;
        let of = match system {
            "dynamics" => System::Dynamics,
            "campaign" => System::Campaign,
            _ => return,
        };
        let mut now = Vec::new();
        state.meddling.retain_mut(|it| {
            if it.system != of || it.reads != reads {
                return true;
            }
            it.number = it.number.saturating_sub(1);
            if it.number == 0 {
                now.push(it.act.of(who));
            }
            it.number > 0
        });
        for act in now {
            state.model.act(&self.sandbox, &act);
        }
    }

    /// What this request writes is under way.
    fn writes(&self, request: &http::Request<Bytes>) -> Option<Underway<'_>> {
        if failpoint::is_dead() {
            return None;
        }
        let records = match writes::of(request, &self.sandbox) {
            Ok(records) => records,
            Err(violation) => {
                self.note(Err(violation));
                return None;
            }
        };
        let is_profile = request.uri().path().contains("/profile/");
        if self.state().keeps && is_profile && request.method() == http::Method::DELETE {
            self.note(Err(Violation::new("I12", "a profile is deleted that is to be kept")));
        }
        let begun = self.state().writing.begin(&records);
        match begun {
            Ok(number) => Some(Underway { wire: self, records, number }),
            Err(violation) => {
                self.note(Err(violation));
                None
            }
        }
    }

    /// Whether somebody on the way sends this request twice.
    fn repeats(&self, request: &http::Request<Bytes>) -> bool {
        let path = request.uri().path();
        // Without a key that Campaign keeps unique, it makes two profiles of two
        // requests, and nobody can help that.
        let makes = request.method() == http::Method::POST && path.contains("/campaign/");
        let gives_tokens = path.starts_with("/ims/") || path.ends_with("/token");
        let percent = self.state().repeats;
        let twice = percent > 0 && !makes && !gives_tokens && self.ways.chance(percent);
        if let Some(id) = contact_in(request).filter(|_| twice) {
            self.state().model.written_twice.insert(id);
        }
        twice
    }

    /// Whether the rows come in another order: none was asked for.
    fn reorders(&self, request: &http::Request<Bytes>) -> bool {
        let query = request.uri().query().unwrap_or_default();
        let ordered = query.contains("_order=") || query.contains("$orderby=");
        let of = request.uri().path();
        let lists = of.starts_with("/api/data/") || of.contains("/campaign/");
        let reads = request.method() == http::Method::GET;
        self.state().reorders && reads && lists && !ordered && self.ways.chance(50)
    }

    /// A flow rests, unless somebody has asked for something else since.
    pub(crate) fn rests(&self, flow: Flow, asked: u64) {
        let mut state = self.state();
        if state.asked == asked {
            state.paused.insert(flow);
        }
    }

    /// A flow may go on, or its rest begins anew. Gives the number of the request.
    pub(crate) fn is_asked(&self, flow: Flow) -> u64 {
        let mut state = self.state();
        state.paused.remove(&flow);
        state.asked += 1;
        state.asked
    }

    /// Whether a row is to be left out of the answer.
    fn blinds(&self, request: &http::Request<Bytes>) -> bool {
        let query = request.uri().query().unwrap_or_default();
        let whole = request.uri().path().ends_with("/contacts") && !query.contains("deltatoken");
        let mut state = self.state();
        whole && std::mem::replace(&mut state.blind, false)
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
        let (uri, path) = (request.uri(), request.uri().path());
        let system = if path.starts_with("/api/data/") {
            "dynamics"
        } else if path.contains("/campaign/") {
            "campaign"
        } else if path.contains("/events") {
            "journal"
        } else if path.starts_with("/ims/") {
            "ims"
        } else {
            "entra"
        };
        let gives_tokens = matches!(system, "ims" | "entra");
        let mut state = self.state();
        state.requests += 1;
        // That an event becomes one activity is another promise; it may be tried again.
        let tries = path.ends_with("/$batch");
        if request.method() != http::Method::GET && !gives_tokens && !tries {
            state.writes += 1;
        }
        let (requests, pause) = (state.requests, state.pauses.get(system).copied());
        drop(state);
        if requests > MOST_REQUESTS {
            self.note(Err(Violation::new("I29", "requests without end")));
            failpoint::die();
        }
        if uri.authority().map(http::uri::Authority::as_str) != ORIGIN.strip_prefix("http://") {
            self.note(Err(Violation::new("I20", format!("a request left for {uri}"))));
        }
        if let Some(flow) = flow_of(uri).filter(|flow| self.state().paused.contains(flow)) {
            self.note(Err(Violation::new("I33", format!("{flow:?} rests, and asks for {uri}"))));
        }
        if pause.is_some_and(|until| self.clock.monotonic() < until) {
            self.note(Err(Violation::new("I19", format!("{system} asked for rest and got none"))));
        }
        system
    }

    fn arrives(&self, system: &'static str, response: &http::Response<Bytes>) {
        let wait = if response.status().as_u16() == 429 {
            response.headers().get("retry-after").and_then(|it| it.to_str().ok()?.parse().ok())
        } else {
            wait_of_a_part(response)
        };
        let Some(wait) = wait else { return };
        self.throttled.notify_one();
        let until = self.clock.monotonic().plus(Duration::from_secs(wait));
        let mut state = self.state();
        state.pauses.entry(system).and_modify(|it| *it = (*it).max(until)).or_insert(until);
    }

    /// Tells of a request that was answered, to who wants to know all.
    fn tell(&self, line: &str, answer: &str) {
        let mut state = self.state();
        let dull = ["EntityDefinitions", "resourceType", "WhoAmI"];
        if state.loud && !(answer == "200" && dull.iter().any(|it| line.contains(it))) {
            let (at, trace) = (state.model.since_begin(), state.trace & 0xffff);
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
        let mut state = self.state();
        state.pauses.clear();
        state.writing.forget();
        state.paused.clear();
        state.asked += 1;
    }
}

/// A request that writes, until it is answered or given up.
struct Underway<'a> {
    wire: &'a Wire,
    records: Vec<String>,
    number: u64,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.wire.state().writing.end(&self.records, self.number);
    }
}
