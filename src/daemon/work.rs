//! The loop: waits for the schedule or for someone who asks, runs one pass at a
//! time, and ends with what is under way settled.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::app::{App, PassEnd, PassOptions, Requests, Watch, sync_ingress};
use crate::clock::Monotonic;
use crate::daemon::DaemonError;
use crate::daemon::desk::{Event, Shared, Turn};
use crate::daemon::notify::Notify;
use crate::model::{Flow, Stop};
use crate::scheduler::{Timer, next_due};
use crate::store::Store;
use crate::telemetry::{ConfigRefused, ConfigReloaded, DaemonStopping, FlowFailing, FlowRecovered};

const FLOW: Flow = Flow::Ingress;

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
    ingress: Timer,
    reconcile: Option<Timer>,
}

impl Timers {
    /// The first pass is due at once.
    pub(super) async fn new(app: &App, store: &Store) -> Result<Self, DaemonError> {
        let ingress = Timer::new(app.ingress_plan().map_err(DaemonError::Setup)?, None);
        let last = store.call(|work| work.last_slice()).await?;
        let reconcile = app.reconcile_plan().map(|plan| Timer::new(plan, last));
        Ok(Self { ingress, reconcile })
    }

    fn due(&self, now: Timestamp) -> Option<Timestamp> {
        next_due(std::iter::once(&self.ingress).chain(&self.reconcile), now)
    }

    /// A pass begins; the slice that is due goes with it.
    fn begun(&mut self, now: Timestamp) {
        self.ingress.begun(now);
        let slice = self.reconcile.as_mut();
        if let Some(slice) = slice.filter(|slice| slice.due(now).is_some_and(|due| due <= now)) {
            slice.begun(now);
        }
    }
}

/// Someone who waits for a pass, and how patient it is to be.
type Waiter = (Duration, oneshot::Sender<PassEnd>);

/// The loop's state.
pub(super) struct Worker {
    app: App,
    store: Store,
    shared: Arc<Shared>,
    events: mpsc::Receiver<Event>,
    timers: Timers,
    notify: Notify,
    reload: Reload,
    waiters: Vec<Waiter>,
    turns: Vec<oneshot::Sender<Turn>>,
    woken: bool,
    reload_wanted: bool,
    /// Passes that failed in a row.
    failed: u64,
    /// Since when it is to end, once it is.
    stopping: Option<Monotonic>,
    at_once: bool,
    backlog: u64,
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
            waiters: Vec::new(),
            turns: Vec::new(),
            woken: false,
            reload_wanted: false,
            failed: 0,
            stopping: None,
            at_once: false,
            backlog: 0,
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
            let due = self.timers.due(now);
            let wanted = self.woken || due.is_some_and(|due| due <= now);
            if !self.waiters.is_empty() {
                settled = self.pass(now).await?;
            } else if wanted {
                self.woken = false;
                if self.store.call(|work| work.paused(FLOW)).await? {
                    self.timers.begun(now);
                    self.notify.status("ingress paused");
                } else {
                    settled = self.pass(now).await?;
                }
            } else {
                self.wait(now, due).await?;
            }
        }
        Ok(settled)
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
            Event::Wake => self.woken = true,
            Event::Paused => {}
            Event::Pass(patience, reply) => self.waiters.push((patience, reply)),
            Event::Turn(reply) => self.turns.push(reply),
            Event::Ended(name) => return Err(DaemonError::Task(name)),
        }
        Ok(())
    }

    /// One pass. False, where it was left before all was settled.
    async fn pass(&mut self, now: Timestamp) -> Result<bool, DaemonError> {
        self.woken = false;
        self.timers.begun(now);
        let waiters = std::mem::take(&mut self.waiters);
        let patience = waiters.first().map_or(PATIENCE, |(patience, _)| *patience);
        let stop = Stop::default();
        let options = PassOptions {
            patience,
            requests: Requests::default(),
            stop: stop.clone(),
            again: true,
        };
        let (app, store, notify) = (self.app.clone(), self.store.clone(), self.notify.clone());
        let mut backlog = self.backlog;
        let mut watch = |watch: Watch| {
            notify.alive();
            notify.status(&format!("ingress running, {} waiting", watch.backlog));
            backlog = watch.backlog;
        };
        self.shared.running.store(true, Ordering::Relaxed);
        let pass = sync_ingress(&app, &store, options, &mut watch);
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
                    if matches!(event, Event::Paused) {
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
        self.shared.running.store(false, Ordering::Relaxed);
        let Some(report) = report else { return Ok(false) };
        self.backlog = report.counts.pending;
        self.judge(&report.end);
        for (_, reply) in waiters {
            // Who asked may have gone.
            let _ = reply.send(report.end.clone());
        }
        Ok(true)
    }

    /// Tells when passes begin to fail, and when they work again.
    fn judge(&mut self, end: &PassEnd) {
        let backlog = self.backlog;
        if let Some(reason) = end.failure() {
            self.failed += 1;
            let outage = self.app.outage().filter(|_| matches!(end, PassEnd::GaveUp));
            let reason = outage.map_or_else(|| reason.clone(), |met| format!("{reason}: {met}"));
            self.notify.status(&format!("ingress failed, {backlog} waiting: {reason}"));
            if self.failed == 1 {
                FlowFailing { flow: FLOW, reason }.emit();
            }
            return;
        }
        self.notify.status(&format!("ingress idle, {backlog} waiting"));
        if self.failed > 0 && !matches!(end, PassEnd::Stopped) {
            FlowRecovered { flow: FLOW, failed: self.failed }.emit();
            self.failed = 0;
        }
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
        let plan = app.ingress_plan()?;
        self.timers.ingress = self.timers.ingress.by(plan);
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
