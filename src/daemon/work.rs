//! The loop: waits for the schedule or for someone who asks, runs one pass at a
//! time, and ends with what is under way settled.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::app::{App, PassOptions, Requests, Watch, sync};
use crate::clock::Monotonic;
use crate::daemon::DaemonError;
use crate::daemon::desk::{Event, Shared, Turn};
use crate::daemon::lanes::{Lanes, Waiter};
use crate::daemon::notify::Notify;
use crate::model::{Flow, Stop};
use crate::scheduler::{Timer, next_due};
use crate::store::Store;
use crate::telemetry::{ConfigRefused, ConfigReloaded, DaemonStopping};

/// A pass in which nothing moves for so long has failed; the schedule tries
/// again.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long what is under way may take to settle. Below the 90 s after which
/// systemd kills.
const SETTLE_WITHIN: Duration = Duration::from_secs(45);

/// How often the wall clock is looked at while nothing is due: it may be set.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type Reload = (PathBuf, Box<dyn Fn() -> Result<App, String> + Send + Sync>);

/// What has a schedule.
#[derive(Debug)]
pub(super) struct Timers {
    lanes: Lanes,
    reconcile: Option<Timer>,
}

impl Timers {
    /// The first pass of each flow is due at once.
    pub(super) async fn new(app: &App, store: &Store) -> Result<Self, DaemonError> {
        let lanes = Lanes::new(app).map_err(DaemonError::Setup)?;
        let last = store.call(|work| work.last_slice()).await?;
        let reconcile = app.reconcile_plan().map(|plan| Timer::new(plan, last));
        Ok(Self { lanes, reconcile })
    }

    fn due(&self, now: Timestamp) -> Option<Timestamp> {
        self.lanes.due(now).into_iter().chain(next_due(&self.reconcile, now)).min()
    }

    /// The flow that has something to do; a slice of the comparison goes with a
    /// pass of `ingress`.
    fn wanted(&self, now: Timestamp) -> Option<Flow> {
        let slice = self.reconcile.as_ref().and_then(|slice| slice.due(now));
        let slice = slice.filter(|due| *due <= now).map(|_| Flow::Ingress);
        self.lanes.wanted(now).or(slice)
    }

    /// A pass begins; the slice that is due goes with it.
    fn begun(&mut self, flow: Flow, now: Timestamp) -> Vec<Waiter> {
        if flow == Flow::Ingress
            && let Some(slice) = self.reconcile.as_mut()
            && slice.due(now).is_some_and(|due| due <= now)
        {
            slice.begun(now);
        }
        self.lanes.get(flow).map(|lane| lane.begun(now)).unwrap_or_default()
    }
}

/// The loop's state.
pub(super) struct Worker {
    app: App,
    store: Store,
    shared: Arc<Shared>,
    events: mpsc::Receiver<Event>,
    timers: Timers,
    notify: Notify,
    reload: Reload,
    turns: Vec<oneshot::Sender<Turn>>,
    reload_wanted: bool,
    /// Since when it is to end, once it is.
    stopping: Option<Monotonic>,
    at_once: bool,
}

impl Worker {
    pub(super) fn new(
        app: App,
        store: Store,
        (shared, events): (Arc<Shared>, mpsc::Receiver<Event>),
        timers: Timers,
        notify: Notify,
        reload: Reload,
    ) -> Self {
        Self {
            app,
            store,
            shared,
            events,
            timers,
            notify,
            reload,
            turns: Vec::new(),
            reload_wanted: false,
            stopping: None,
            at_once: false,
        }
    }

    /// Runs until a signal; gives whether all was settled.
    pub(super) async fn run(mut self) -> Result<bool, DaemonError> {
        let mut settled = true;
        while self.stopping.is_none() {
            self.notify.alive();
            if std::mem::take(&mut self.reload_wanted) {
                self.reload();
            }
            if let Some(turn) = self.turns.pop() {
                self.lend(turn).await?;
                continue;
            }
            let now = self.app.clock.now();
            match self.timers.wanted(now) {
                Some(flow) if self.may_run(flow).await? => settled = self.pass(flow, now).await?,
                Some(flow) => {
                    self.timers.begun(flow, now);
                    self.say(flow, "paused");
                }
                None => {
                    let due = self.timers.due(now);
                    self.wait(now, due).await?;
                }
            }
        }
        Ok(settled)
    }

    /// A paused flow runs only for who asks.
    async fn may_run(&mut self, flow: Flow) -> Result<bool, DaemonError> {
        let asked = self.timers.lanes.get(flow).is_some_and(|lane| lane.is_asked());
        Ok(asked || !self.store.call(move |work| work.paused(flow)).await?)
    }

    /// Tells the service manager what a flow does.
    fn say(&mut self, flow: Flow, what: &str) {
        if let Some(lane) = self.timers.lanes.get(flow) {
            lane.say(what);
        }
        self.notify.status(&self.timers.lanes.status());
    }

    /// Waits for the next thing to do.
    async fn wait(&mut self, now: Timestamp, due: Option<Timestamp>) -> Result<(), DaemonError> {
        let until = due.map_or(LOOK_EVERY, |due| {
            Duration::try_from(due.duration_since(now)).unwrap_or_default().min(LOOK_EVERY)
        });
        let clock = self.app.clock.clone();
        tokio::select! {
            Some(event) = self.events.recv() => self.take(event),
            () = clock.sleep(until) => Ok(()),
        }
    }

    /// Notes an event.
    fn take(&mut self, event: Event) -> Result<(), DaemonError> {
        match event {
            Event::Terminate(signal) => {
                if self.stopping.is_some() {
                    self.at_once = true;
                } else {
                    DaemonStopping { signal }.emit();
                    self.notify.stopping();
                    self.stopping = Some(self.app.clock.monotonic());
                }
            }
            Event::Reload => self.reload_wanted = true,
            Event::Wake => self.timers.lanes.wake(),
            Event::Paused(_) => {}
            Event::Pass(flow, patience, reply) => {
                self.timers.lanes.wait_for(flow, (patience, reply));
            }
            Event::Turn(reply) => self.turns.push(reply),
            Event::Ended(name) => return Err(DaemonError::Task(name)),
        }
        Ok(())
    }

    /// One pass. False, where it was left before all was settled.
    async fn pass(&mut self, flow: Flow, now: Timestamp) -> Result<bool, DaemonError> {
        let waiters = self.timers.begun(flow, now);
        let patience = waiters.first().map_or(PATIENCE, |(patience, _)| *patience);
        let stop = Stop::default();
        let options = PassOptions {
            patience,
            requests: Requests::default(),
            stop: stop.clone(),
            again: true,
            asked: !waiters.is_empty(),
        };
        let (app, store, notify) = (self.app.clone(), self.store.clone(), self.notify.clone());
        self.say(flow, "running");
        let others = self.timers.lanes.status();
        let mut watch = |watch: Watch| {
            notify.alive();
            let running = format!("{flow} running");
            notify.status(
                &others.replace(&running, &format!("{running}, {} waiting", watch.backlog)),
            );
        };
        self.set_running(Some(flow));
        let pass = sync(&app, &store, flow, options, &mut watch);
        tokio::pin!(pass);
        let report = loop {
            let deadline = self.stopping.map(|since| since.plus(SETTLE_WITHIN));
            let late = async {
                match deadline {
                    Some(deadline) => app.clock.sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                report = &mut pass => break Some(report?),
                Some(event) = self.events.recv() => {
                    if matches!(event, Event::Paused(paused) if paused == flow) {
                        stop.request();
                    }
                    self.take(event)?;
                    if self.stopping.is_some() {
                        stop.request();
                    }
                    if self.at_once {
                        break None;
                    }
                }
                () = late => break None,
            }
        };
        self.set_running(None);
        let Some(report) = report else { return Ok(false) };
        if let Some(lane) = self.timers.lanes.get(flow) {
            lane.backlog = report.counts.pending;
            lane.judge(&report.end, self.app.outage());
        }
        self.notify.status(&self.timers.lanes.status());
        for (_, reply) in waiters {
            // Who asked may have gone.
            let _ = reply.send(report.end.clone());
        }
        Ok(true)
    }

    fn set_running(&self, flow: Option<Flow>) {
        *self.shared.running.lock().unwrap_or_else(PoisonError::into_inner) = flow;
    }

    /// Lets someone else have the systems until he is done.
    async fn lend(&mut self, reply: oneshot::Sender<Turn>) -> Result<(), DaemonError> {
        let (held, mut back) = oneshot::channel();
        if reply.send(Turn { _held: held }).is_err() {
            return Ok(());
        }
        let clock = self.app.clock.clone();
        while self.stopping.is_none() {
            self.notify.alive();
            tokio::select! {
                _ = &mut back => return Ok(()),
                Some(event) = self.events.recv() => self.take(event)?,
                () = clock.sleep(LOOK_EVERY) => {}
            }
        }
        Ok(())
    }

    /// Reads the configuration again; a bad one changes nothing.
    fn reload(&mut self) {
        let path = self.reload.0.display().to_string();
        let replaced = (self.reload.1)().and_then(|app| self.replace(app));
        match replaced {
            Ok(()) => ConfigReloaded { path }.emit(),
            Err(reason) => ConfigRefused { path, reason }.emit(),
        }
    }

    fn replace(&mut self, app: App) -> Result<(), String> {
        let fixed = [
            ("[store] path", app.config.store.path == self.app.config.store.path),
            ("the control socket", app.config.socket() == self.app.config.socket()),
        ];
        if let Some((what, _)) = fixed.iter().find(|(_, same)| !same) {
            return Err(format!(
                "{what} cannot change while the daemon runs; put it back, or restart the daemon"
            ));
        }
        self.timers.lanes.replace(&app)?;
        let now = app.clock.now();
        self.timers.reconcile = app.reconcile_plan().map(|plan| match &self.timers.reconcile {
            Some(timer) => timer.by(plan),
            None => Timer::new(plan, Some(now)),
        });
        *self.shared.app.write().unwrap_or_else(PoisonError::into_inner) = app.clone();
        self.app = app;
        Ok(())
    }
}
