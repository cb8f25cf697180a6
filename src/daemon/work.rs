//! The loop: waits for the schedule or for someone who asks, begins passes, and
//! ends with what is under way settled.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::app::App;
use crate::clock::Monotonic;
use crate::daemon::desk::{Event, Shared, Turn};
use crate::daemon::lanes::{Lanes, Waiter, may_overlap};
use crate::daemon::passes::{Acts, Board, Ended, Passes};
use crate::daemon::pulse::Pulse;
use crate::daemon::{DaemonError, Reload};
use crate::model::Flow;
use crate::scheduler::{Timer, next_due};
use crate::store::Store;
use crate::telemetry::{ConfigRefused, ConfigReloaded, DaemonStopping};

/// How long what is under way may take to settle. Below the 90 s after which
/// systemd kills.
const SETTLE_WITHIN: Duration = Duration::from_secs(45);

/// How often cursors are looked at, also those of flows that do not run.
const WATCH_EVERY: Duration = Duration::from_mins(10);

/// How often the wall clock is looked at while nothing is due: it may be set.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type Reading = (PathBuf, Reload);

/// What has a schedule.
#[derive(Debug)]
pub(super) struct Timers {
    lanes: Lanes,
    reconcile: Option<Timer>,
}

impl Timers {
    /// The first pass of each flow is due at once.
    pub(super) async fn new(app: &App, store: &Store) -> Result<Self, DaemonError> {
        let last = store.call(|work| work.last_slice()).await?;
        Self::of(app, last)
    }

    /// The same where the last slice of the comparison began at `last`.
    pub(super) fn of(app: &App, last: Option<Timestamp>) -> Result<Self, DaemonError> {
        let lanes = Lanes::new(app).map_err(DaemonError::Setup)?;
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
    acts: Acts,
    shared: Arc<Shared>,
    events: mpsc::Receiver<Event>,
    timers: Timers,
    passes: Passes,
    board: Board,
    pulse: Pulse,
    reload: Reading,
    turns: VecDeque<oneshot::Sender<Turn>>,
    reload_wanted: bool,
    /// Since when it is to end, once it is.
    stopping: Option<Monotonic>,
    at_once: bool,
    /// When the cursors were looked at.
    watched: Option<Monotonic>,
}

impl Worker {
    pub(super) fn new(
        app: App,
        acts: Acts,
        (shared, events): (Arc<Shared>, mpsc::Receiver<Event>),
        timers: Timers,
        board: Board,
        reload: Reading,
    ) -> Self {
        let pulse = Pulse::new(&acts, &app.clock, board.pulse());
        Self {
            pulse,
            app,
            acts,
            shared,
            events,
            timers,
            passes: Passes::default(),
            board,
            reload,
            turns: VecDeque::new(),
            reload_wanted: false,
            stopping: None,
            at_once: false,
            watched: None,
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
    /// before a new pass; passes that are due come before the next one like him.
    async fn begin(&mut self) -> Result<(), DaemonError> {
        loop {
            if std::mem::take(&mut self.reload_wanted) {
                self.reload();
            }
            let lent = match self.turns.pop_front() {
                Some(turn) if self.passes.is_empty() => {
                    self.lend(turn).await?;
                    true
                }
                Some(turn) => {
                    self.turns.push_front(turn);
                    false
                }
                None => false,
            };
            self.watch().await?;
            self.begin_passes(lent).await?;
            let idle = self.passes.is_empty() && !self.turns.is_empty();
            if !idle || self.stopping.is_some() {
                self.show_running();
                return Ok(());
            }
        }
    }

    /// Begins the passes that are due; where someone wants the systems for
    /// himself, only if they were `lent` just now.
    async fn begin_passes(&mut self, lent: bool) -> Result<(), DaemonError> {
        let now = self.app.clock.now();
        self.timers.look(now, self.app.clock.monotonic());
        while (lent || self.turns.is_empty())
            && self.stopping.is_none()
            && let Some(flow) = self.timers.wanted(now, &self.passes.flows())
        {
            let stays = self.stays(flow).await?;
            let woken = self.timers.lanes.get(flow).is_some_and(|lane| lane.woken);
            let waiters = self.timers.begun(flow, now);
            self.board.say(flow, stays.as_deref().unwrap_or("running"));
            if stays.is_none() {
                let before = self.timers.lanes.get(flow).and_then(|lane| lane.came);
                let (app, board) = (&self.app, &self.board);
                let run = &self.acts.run;
                let start = |options| run(app, flow, options, board);
                self.passes.start(flow, (waiters, before, woken), start);
            }
        }
        Ok(())
    }

    fn show_running(&self) {
        let mut shown = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = self.passes.flows();
    }

    /// Looks at what changes with time alone: budgets of the day, and cursors.
    async fn watch(&mut self) -> Result<(), DaemonError> {
        let app = &self.app;
        app.look_at_budgets();
        self.timers.lanes.wake_paid(|flow| app.budget_until(flow).is_some());
        let now = app.clock.monotonic();
        if self.watched.is_none_or(|last| now.since(last) >= WATCH_EVERY) {
            self.watched = Some(now);
            (self.acts.watch)(app).await?;
        }
        Ok(())
    }

    /// Why a flow that is due does not run, in words for the service manager. One
    /// that is paused, or waits for its budget, runs only for who asks.
    async fn stays(&mut self, flow: Flow) -> Result<Option<String>, DaemonError> {
        let until = self.app.budget_until(flow);
        let Some(lane) = self.timers.lanes.get(flow) else { return Ok(None) };
        if lane.is_asked() {
            return Ok(None);
        }
        let waiting = format!("{} waiting", lane.backlog);
        if (self.acts.paused)(flow).await? {
            return Ok(Some(format!("paused, {waiting}")));
        }
        lane.unpaid = until.is_some();
        Ok(until.map(|until| format!("waits for the budget until {until}, {waiting}")))
    }

    /// Waits for what comes first: the end of a pass, an event, or a time.
    async fn turn(&mut self) -> Result<(), DaemonError> {
        let now = self.app.clock.now();
        let due = self.timers.due(now, &self.passes.flows()).filter(|_| self.turns.is_empty());
        let until = wait(due.filter(|_| self.stopping.is_none()), now);
        let clock = self.app.clock.clone();
        tokio::select! {
            biased;
            Some(ended) = self.passes.next() => self.ended(ended),
            Some(event) = self.events.recv() => self.take(event),
            felt = self.pulse.felt(&self.acts) => {
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
        self.board.ended(ended.flow, &report);
        if let Some(lane) = self.timers.lanes.get(ended.flow) {
            let now = self.app.clock.monotonic();
            let said = lane.judge(&report, self.app.outage(), now);
            self.board.say(ended.flow, &said);
        }
        for (_, reply) in ended.waiters {
            // Who asked may have gone.
            let _ = reply.send(report.clone());
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
            Event::Turn(reply) => self.turns.push_back(reply),
            Event::Ended(name) => return Err(DaemonError::Task(name)),
        }
        Ok(())
    }

    /// Lets someone else have the systems until he is done, and lets him know when
    /// something is due.
    async fn lend(&mut self, reply: oneshot::Sender<Turn>) -> Result<(), DaemonError> {
        let (held, mut back) = oneshot::channel();
        let wanted = Arc::new(AtomicBool::new(false));
        if reply.send(Turn { _held: held, wanted: wanted.clone() }).is_err() {
            return Ok(());
        }
        let clock = self.app.clock.clone();
        while self.stopping.is_none() {
            let now = clock.now();
            self.timers.look(now, clock.monotonic());
            let due = self.timers.due(now, &[]);
            let is_due = self.timers.wanted(now, &[]).is_some();
            if is_due || self.reload_wanted {
                wanted.store(true, Ordering::Relaxed);
            }
            let until = wait(due.filter(|_| !is_due), now);
            tokio::select! {
                biased;
                _ = &mut back => return Ok(()),
                Some(event) = self.events.recv() => self.take(event)?,
                felt = self.pulse.felt(&self.acts) => {
                    felt?;
                    self.board.alive();
                }
                () = clock.sleep(until) => {}
            }
        }
        Ok(())
    }

    /// Reads the configuration again; a bad one changes nothing.
    fn reload(&mut self) {
        let path = self.reload.0.display().to_string();
        let replaced = (self.reload.1)(&self.app).and_then(|app| self.replace(app));
        match replaced {
            Ok(()) => ConfigReloaded { path }.emit(),
            Err(reason) => ConfigRefused { path, reason }.emit(),
        }
    }

    fn replace(&mut self, app: App) -> Result<(), String> {
        let copies = |app: &App| app.config.daemon.log_copy.is_some();
        let fixed = [
            ("[store] path", app.config.store.path == self.app.config.store.path),
            ("the control socket", app.config.socket() == self.app.config.socket()),
            ("[metrics] listen", app.config.metrics == self.app.config.metrics),
            ("[daemon.log_copy]", copies(&app) == copies(&self.app)),
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

/// How long the loop sleeps at most where this is due next.
fn wait(due: Option<Timestamp>, now: Timestamp) -> Duration {
    due.map_or(LOOK_EVERY, |due| {
        Duration::try_from(due.duration_since(now)).unwrap_or_default().min(LOOK_EVERY)
    })
}
