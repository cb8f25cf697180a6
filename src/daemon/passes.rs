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
use crate::model::{Flow, Stop};
use crate::store::{Store, StoreError};

/// A pass in which nothing moves for so long has failed; the schedule tries
/// again.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the service manager is told: one line of all flows. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Board {
    notify: Notify,
    said: Arc<Mutex<BTreeMap<Flow, String>>>,
}

impl Board {
    pub(super) fn new(notify: Notify) -> Self {
        Self { notify, said: Arc::default() }
    }

    /// Feeds the watchdog.
    pub(super) fn alive(&self) {
        self.notify.alive();
    }

    pub(super) fn stopping(&self) {
        self.notify.stopping();
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

    /// Begins a pass of a flow of which none runs.
    pub(super) fn start(
        &mut self,
        flow: Flow,
        (waiters, before): (Vec<Waiter>, Option<Came>),
        (app, store, board): (App, Store, Board),
    ) {
        let stop = Stop::default();
        let options = PassOptions {
            patience: waiters.first().map_or(PATIENCE, |(patience, _)| *patience),
            requests: Requests::default(),
            stop: stop.clone(),
            again: true,
            asked: !waiters.is_empty(),
            before,
        };
        board.say(flow, "running");
        self.marks.insert(flow, Mark { stop, waiters });
        self.active.push(Box::pin(async move {
            let mut watch = |watch: Watch| {
                board.alive();
                board.say(flow, &format!("running, {} waiting", watch.backlog));
            };
            let report = sync(&app, &store, flow, options, &mut watch).await;
            (flow, report)
        }));
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
