//! Passes under way: at most one of each flow, side by side. Decides nothing of
//! when one begins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::app::{App, Came, PassOptions, PassReport, Requests, Watch, sync};
use crate::daemon::lanes::Waiter;
use crate::daemon::notify::Notify;
use crate::daemon::vitals::Vitals;
use crate::model::{Flow, Stop};
use crate::store::{Store, StoreError};

/// A pass in which nothing moves for so long has failed; the schedule tries
/// again.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the service manager is told, one line of all flows, and what others may
/// know. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Board {
    notify: Notify,
    vitals: Vitals,
    said: Arc<Mutex<BTreeMap<Flow, String>>>,
}

impl Board {
    pub(super) fn new(notify: Notify, vitals: Vitals) -> Self {
        Self { notify, vitals, said: Arc::default() }
    }

    /// Feeds the watchdog.
    pub(super) fn alive(&self) {
        self.notify.alive();
        self.vitals.alive();
    }

    /// How often it is to be fed.
    pub(super) fn pulse(&self) -> Duration {
        self.notify.pulse()
    }

    pub(super) fn stopping(&self) {
        self.notify.stopping();
        self.vitals.stopping();
    }

    /// A pass has come so far.
    fn watched(&self, flow: Flow, watch: Watch) {
        self.alive();
        self.say(flow, &format!("running, {} waiting", watch.backlog));
        self.vitals.watched(flow, watch);
    }

    /// A pass ended.
    pub(super) fn ended(&self, flow: Flow, report: &PassReport) {
        self.vitals.ended(flow, report);
    }

    /// Says what a flow does now.
    pub(super) fn say(&self, flow: Flow, what: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.insert(flow, format!("{flow} {what}"));
        let all: Vec<&str> = said.values().map(String::as_str).collect();
        self.notify.status(&all.join("; "));
    }
}

type Pass = BoxFuture<'static, (Flow, Result<PassReport, StoreError>)>;

/// A pass on its way.
pub(super) type Run = BoxFuture<'static, Result<PassReport, StoreError>>;

pub(super) type Answer<T> = BoxFuture<'static, Result<T, StoreError>>;
type Watching = Box<dyn Fn(&App) -> Answer<()> + Send + Sync>;
type Running = Box<dyn Fn(&App, Flow, PassOptions, &Board) -> Run + Send + Sync>;
type Asking = Box<dyn Fn(Flow) -> Answer<bool> + Send + Sync>;
type Living = Box<dyn Fn() -> Answer<()> + Send + Sync>;
type Counting = Box<dyn Fn() -> u64 + Send + Sync>;

/// What the loop does beyond waiting and deciding. A simulated day has others.
pub(super) struct Acts {
    /// Runs a pass.
    pub(super) run: Running,
    /// Asks whether a person paused a flow.
    pub(super) paused: Asking,
    /// Looks at the cursors of all flows.
    pub(super) watch: Watching,
    /// Asks whether the store answers.
    pub(super) lives: Living,
    /// How far the store has come within what it does.
    pub(super) steps: Counting,
}

impl Acts {
    /// On the store.
    pub(super) fn on(store: &Store) -> Self {
        let [to_run, to_ask, to_watch, to_live, to_look] = [(); 5].map(|()| store.clone());
        Self {
            run: Box::new(move |app, flow, options, board| {
                let (app, store, board) = (app.clone(), to_run.clone(), board.clone());
                Box::pin(async move {
                    let mut watch = |watch: Watch| board.watched(flow, watch);
                    sync(&app, &store, flow, options, &mut watch).await
                })
            }),
            paused: Box::new(move |flow| {
                let store = to_ask.clone();
                Box::pin(async move { store.call(move |work| work.paused(flow)).await })
            }),
            watch: Box::new(move |app| {
                let (app, store) = (app.clone(), to_watch.clone());
                Box::pin(async move { app.watch_cursors(&store, None).await.map(drop) })
            }),
            lives: Box::new(move || {
                let store = to_live.clone();
                Box::pin(async move { store.call(|_| Ok(())).await })
            }),
            steps: Box::new(move || to_look.steps()),
        }
    }
}

/// What is known of a pass under way.
struct Mark {
    stop: Stop,
    waiters: Vec<Waiter>,
}

/// A pass that has ended, and who waited for it.
pub(super) struct Ended {
    pub(super) flow: Flow,
    pub(super) report: Result<PassReport, StoreError>,
    pub(super) waiters: Vec<Waiter>,
}

/// All passes under way.
#[derive(Default)]
pub(super) struct Passes {
    active: FuturesUnordered<Pass>,
    marks: BTreeMap<Flow, Mark>,
}

impl Passes {
    pub(super) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The flows whose passes run.
    pub(super) fn flows(&self) -> Vec<Flow> {
        self.marks.keys().copied().collect()
    }

    /// Begins a pass of a flow of which none runs; `run` is what it does. `woken`:
    /// somebody did something that it is to see.
    pub(super) fn start(
        &mut self,
        flow: Flow,
        (waiters, before, woken): (Vec<Waiter>, Option<Came>, bool),
        run: impl FnOnce(PassOptions) -> Run,
    ) {
        let stop = Stop::default();
        let options = PassOptions {
            patience: waiters.first().map_or(PATIENCE, |(patience, _)| *patience),
            requests: Requests::default(),
            stop: stop.clone(),
            again: true,
            asked: !waiters.is_empty(),
            anew: woken,
            before,
        };
        self.marks.insert(flow, Mark { stop, waiters });
        let run = run(options);
        self.active.push(Box::pin(async move { (flow, run.await) }));
    }

    /// Waits for the end of one; none where none runs.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        let (flow, report) = self.active.next().await?;
        let waiters = self.marks.remove(&flow).map(|mark| mark.waiters).unwrap_or_default();
        Some(Ended { flow, report, waiters })
    }

    /// Asks the pass of a flow to settle and end.
    pub(super) fn stop(&self, flow: Flow) {
        if let Some(mark) = self.marks.get(&flow) {
            mark.stop.request();
        }
    }

    /// The same of all.
    pub(super) fn stop_all(&self) {
        self.marks.values().for_each(|mark| mark.stop.request());
    }
}
