//! The loop: waits for the schedule or for someone who asks, begins passes, and
//! ends with what is under way settled.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::app::App;
use crate::clock::Monotonic;
use crate::daemon::DaemonError;
use crate::daemon::desk::{Event, Shared, Turn};
use crate::daemon::lanes::{Lanes, Waiter, may_overlap};
use crate::daemon::notify::Notify;
use crate::daemon::passes::{Board, Ended, Passes};
use crate::daemon::pulse::Pulse;
use crate::model::Flow;
use crate::scheduler::{Timer, next_due};
use crate::store::Store;
use crate::telemetry::{ConfigRefused, ConfigReloaded, DaemonStopping};

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

    /// Notes what time it is.
    fn look(&mut self, now: Timestamp, elapsed: Monotonic) {
        self.lanes.look(now);
        self.lanes.let_go(elapsed);
        if let Some(slice) = &mut self.reconcile {
            slice.look(now);
        }
    }

    fn due(&self, now: Timestamp, running: &[Flow]) -> Option<Timestamp> {
        let slice = next_due(&self.reconcile, now).filter(|_| self.slice_may_begin(running));
        self.lanes.due(now, running).into_iter().chain(slice).min()
    }

    /// The flow that has something to do; a slice of the comparison goes with a
    /// pass of `ingress`.
    fn wanted(&self, now: Timestamp, running: &[Flow]) -> Option<Flow> {
        let slice = self.reconcile.as_ref().and_then(|slice| slice.due(now));
        let slice = slice.filter(|due| *due <= now && self.slice_may_begin(running));
        self.lanes.wanted(now, running).or(slice.map(|_| Flow::Ingress))
    }

    fn slice_may_begin(&self, running: &[Flow]) -> bool {
        running.iter().all(|other| may_overlap(Flow::Ingress, *other))
            && !self.lanes.is_held(Flow::Ingress)
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
    passes: Passes,
    board: Board,
    pulse: Pulse,
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
        let pulse = Pulse::new(&store, &app.clock, notify.pulse());
        Self {
            pulse,
            app,
            store,
            shared,
            events,
            timers,
            passes: Passes::default(),
            board: Board::new(notify),
            reload,
            turns: Vec::new(),
            reload_wanted: false,
            stopping: None,
            at_once: false,
        }
    }

    /// Runs until a signal; gives whether all was settled.
    pub(super) async fn run(mut self) -> Result<bool, DaemonError> {
        loop {
            match self.stopping {
                Some(_) if self.passes.is_empty() => return Ok(true),
                Some(since) if self.at_once || self.is_late(since) => return Ok(false),
                Some(_) => {}
                None => self.begin().await?,
            }
            self.turn().await?;
        }
    }

    fn is_late(&self, since: Monotonic) -> bool {
        self.app.clock.monotonic().since(since) >= SETTLE_WITHIN
    }

    /// Begins what there is to do. Whoever wants the systems for himself comes
    /// before a new pass.
    async fn begin(&mut self) -> Result<(), DaemonError> {
        if std::mem::take(&mut self.reload_wanted) {
            self.reload();
        }
        while self.passes.is_empty()
            && self.stopping.is_none()
            && let Some(turn) = self.turns.pop()
        {
            self.lend(turn).await?;
        }
        let now = self.app.clock.now();
        self.timers.look(now, self.app.clock.monotonic());
        while self.turns.is_empty()
            && self.stopping.is_none()
            && let Some(flow) = self.timers.wanted(now, &self.passes.flows())
        {
            let may_run = self.may_run(flow).await?;
            let waiters = self.timers.begun(flow, now);
            if may_run {
                let before = self.timers.lanes.get(flow).and_then(|lane| lane.came);
                let parts = (self.app.clone(), self.store.clone(), self.board.clone());
                self.passes.start(flow, (waiters, before), parts);
            } else {
                self.board.say(flow, "paused");
            }
        }
        self.show_running();
        Ok(())
    }

    fn show_running(&self) {
        let mut shown = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = self.passes.flows();
    }

    /// A paused flow runs only for who asks.
    async fn may_run(&mut self, flow: Flow) -> Result<bool, DaemonError> {
        let asked = self.timers.lanes.get(flow).is_some_and(|lane| lane.is_asked());
        Ok(asked || !self.store.call(move |work| work.paused(flow)).await?)
    }

    /// Waits for what comes first: the end of a pass, an event, or a time.
    async fn turn(&mut self) -> Result<(), DaemonError> {
        let now = self.app.clock.now();
        let due = self.timers.due(now, &self.passes.flows()).filter(|_| self.turns.is_empty());
        let until = due.filter(|_| self.stopping.is_none()).map_or(LOOK_EVERY, |due| {
            Duration::try_from(due.duration_since(now)).unwrap_or_default().min(LOOK_EVERY)
        });
        let clock = self.app.clock.clone();
        tokio::select! {
            Some(ended) = self.passes.next() => self.ended(ended),
            Some(event) = self.events.recv() => self.take(event),
            felt = self.pulse.felt() => {
                felt?;
                self.board.alive();
                Ok(())
            }
            () = clock.sleep(until) => Ok(()),
        }
    }

    /// Notes how a pass ended, and tells who waited for it.
    fn ended(&mut self, ended: Ended) -> Result<(), DaemonError> {
        self.show_running();
        let report = ended.report?;
        if let Some(lane) = self.timers.lanes.get(ended.flow) {
            let now = self.app.clock.monotonic();
            let said = lane.judge(&report, self.app.outage(), now);
            self.board.say(ended.flow, &said);
        }
        for (_, reply) in ended.waiters {
            // Who asked may have gone.
            let _ = reply.send(report.end.clone());
        }
        Ok(())
    }

    /// Notes an event.
    fn take(&mut self, event: Event) -> Result<(), DaemonError> {
        match event {
            Event::Terminate(signal) => {
                if self.stopping.is_some() {
                    self.at_once = true;
                } else {
                    self.stopping = Some(self.app.clock.monotonic());
                    self.passes.stop_all();
                    DaemonStopping { signal }.emit();
                    self.board.stopping();
                }
            }
            Event::Reload => self.reload_wanted = true,
            Event::Wake => self.timers.lanes.wake(),
            Event::Paused(flow) => self.passes.stop(flow),
            Event::Pass(flow, patience, reply) => {
                self.timers.lanes.wait_for(flow, (patience, reply));
            }
            Event::Turn(reply) => self.turns.push(reply),
            Event::Ended(name) => return Err(DaemonError::Task(name)),
        }
        Ok(())
    }

    /// Lets someone else have the systems until he is done.
    async fn lend(&mut self, reply: oneshot::Sender<Turn>) -> Result<(), DaemonError> {
        let (held, mut back) = oneshot::channel();
        if reply.send(Turn { _held: held }).is_err() {
            return Ok(());
        }
        while self.stopping.is_none() {
            tokio::select! {
                _ = &mut back => return Ok(()),
                Some(event) = self.events.recv() => self.take(event)?,
                felt = self.pulse.felt() => {
                    felt?;
                    self.board.alive();
                }
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
