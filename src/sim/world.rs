//! The world of one life: both systems, the program's files and its clock.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;

use super::plan::{Act, Plan, Round, Settings, Wanted};
use super::wire::{ORIGIN, Wire};
use super::{Violation, operator, settings};
use crate::app::App;
use crate::clock::{Clock, Shift};
use crate::config::{Config, load};
use crate::daemon::{Desk, Hand};
use crate::failpoint::{self, Point};
use crate::model::Flow;
use crate::sandbox::{FaultPlan, Sandbox, SandboxOptions, System};
use crate::store::{Mode, Store, begin_anew, keep_connections};

/// The store's files.
const FILES: [&str; 3] = ["cdsync.db", "cdsync.db-wal", "cdsync.db-shm"];

/// Each so manyth life opens its store anew at each start of the program.
const ANEW: u64 = 8;

fn opens_anew(seed: u64) -> bool {
    seed.is_multiple_of(ANEW)
}

/// Puts a new store there, a copy of the first one of this process: to make its
/// tables anew costs as much as a pass.
async fn new_store(path: &Path, clock: &Clock) -> Result<(), String> {
    static FIRST: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(first) = FIRST.get() {
        return std::fs::write(path, first).map_err(|error| error.to_string());
    }
    let store = Store::open(path, Mode::Durable, clock).await;
    store.map_err(|error| error.to_string())?.close().await;
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    FIRST.get_or_init(|| bytes);
    Ok(())
}

/// Something that was asked for, and is waited for.
pub(super) type Asked = BoxFuture<'static, Result<(), Violation>>;

/// The files of a store, as from a backup.
type Backup = Vec<Option<Vec<u8>>>;

/// Everything that a life needs.
pub(super) struct World<'a> {
    pub(super) plan: &'a Plan,
    directory: PathBuf,
    pub(super) wire: Arc<Wire>,
    /// By how much the program's own clock is wrong.
    shift: Shift,
    /// What the configuration file says.
    settings: Arc<Mutex<Settings>>,
    backups: RefCell<Vec<Backup>>,
    /// The configuration that was read last, with its text.
    known: RefCell<Option<(String, Config)>>,
    /// Held by each pass of a flow that somebody asked for and waits for: it runs,
    /// also where the flow was paused meanwhile.
    awaited: RefCell<BTreeMap<Flow, Arc<()>>>,
    /// How often the program may still wait before it dies.
    pub(super) waits: Cell<Option<u64>>,
    /// Where it dies from the first pass of a flow on.
    pub(super) crash_in: Cell<Option<(Flow, (Point, u64))>>,
}

impl<'a> World<'a> {
    pub(super) async fn begin(plan: &'a Plan, directory: &Path) -> Self {
        let from = Timestamp::from_second(1_790_000_000).unwrap_or_default();
        let clock = Clock::simulated_by(plan.seed, from);
        let options = SandboxOptions {
            seed: plan.seed,
            contacts: plan.contacts,
            variants: plan.variants,
            ..SandboxOptions::default()
        };
        let sandbox = match Sandbox::in_process(options, ORIGIN, &clock) {
            Ok(sandbox) => sandbox,
            Err(error) => unreachable!("{error}"),
        };
        sandbox.requests().set_cap(0);
        sandbox.set_clock_offset(System::Dynamics, plan.clocks[0]);
        sandbox.set_clock_offset(System::Campaign, plan.clocks[1]);
        let shift = Shift::default();
        shift.set_ms(plan.clocks[2]);
        let wire = Wire::new(sandbox, &clock, plan);
        wire.state().model.clocks = [plan.clocks[0], plan.clocks[1]];
        let store = directory.join(FILES[0]);
        let is_anew = opens_anew(plan.seed);
        if is_anew || !begin_anew(&store) {
            keep_connections(false);
            for file in FILES {
                let _ = std::fs::remove_file(directory.join(file));
            }
            let made = new_store(&store, &clock).await;
            wire.note(made.map_err(|error| Violation::new("setup", error)));
            keep_connections(!is_anew);
        }
        Self {
            plan,
            directory: directory.to_owned(),
            wire,
            shift,
            settings: Arc::new(Mutex::new(plan.settings)),
            backups: RefCell::default(),
            known: RefCell::default(),
            awaited: RefCell::default(),
            waits: Cell::new(None),
            crash_in: Cell::new(None),
        }
    }

    pub(super) fn now(&self) -> Settings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn back_up(&self) {
        if self.plan.rounds.iter().any(|round| round.restored) {
            let read = |file| std::fs::read(self.directory.join(file)).ok();
            self.backups.borrow_mut().push(FILES.map(read).to_vec());
        }
    }

    /// Puts the store back to what it was at the end of the round before the
    /// last.
    pub(super) fn restore(&self) {
        let backups = self.backups.borrow();
        let Some(backup) = backups.len().checked_sub(2).and_then(|at| backups.get(at)) else {
            return;
        };
        keep_connections(!opens_anew(self.plan.seed));
        for (file, bytes) in FILES.iter().zip(backup) {
            let path = self.directory.join(file);
            let _ = std::fs::remove_file(&path);
            if let Some(bytes) = bytes {
                let done = std::fs::write(&path, bytes);
                self.wire.note(done.map_err(|error| Violation::new("setup", error.to_string())));
            }
        }
        self.tell("the store is set back".to_owned());
        self.wire.state().model.is_set_back(&self.wire.sandbox);
    }

    /// What goes wrong from now on, and how long the ways are.
    pub(super) fn trouble(&self, number: u64, round: &Round) {
        let (seed, rules) = (self.plan.seed ^ number, round.faults.clone());
        let mut state = self.wire.state();
        (state.latency, state.repeats, state.reorders) =
            (round.latency, round.repeats, round.reorders);
        state.meddling.clone_from(&round.meddling);
        state.model.is_late |=
            rules.iter().any(|rule| matches!(rule.fault, crate::sandbox::Fault::Late { .. }));
        drop(state);
        self.wire.sandbox.set_faults(FaultPlan { seed, rules });
    }

    pub(super) fn tell(&self, what: String) {
        self.wire.state().model.story.push(what);
    }

    /// Somebody does something. What takes its time is given back.
    pub(super) fn act(&self, act: &Act, daemon: Option<&(Desk, Hand)>) -> Option<Asked> {
        self.wire.state().model.act(&self.wire.sandbox, act);
        if let Act::OwnClock(ms) = act {
            self.shift.set_ms(*ms);
        }
        let Act::Ask(wanted) = act else { return None };
        if let Wanted::Settings(settings) = wanted {
            *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = *settings;
        }
        let (desk, hand) = daemon.filter(|_| !failpoint::is_dead())?.clone();
        let ids = self.wire.sandbox.dynamics().ids("contact");
        let one = if let Wanted::One(who) = wanted {
            ids.get(who.checked_rem(ids.len())?).copied()
        } else {
            None
        };
        let done = operator::of_daemon(*wanted, one, desk, hand, self.wire.clock.clone());
        let (Wanted::Pause(flow) | Wanted::Resume(flow) | Wanted::Pass(flow)) = *wanted else {
            return Some(done.boxed());
        };
        let (wire, asked) = (Arc::clone(&self.wire), self.wire.is_asked(flow));
        let rests =
            matches!(wanted, Wanted::Pause(_)).then(|| daemon.map(|(desk, _)| desk.clone()));
        let awaited = Arc::clone(self.awaited.borrow_mut().entry(flow).or_default());
        let all = Arc::downgrade(&awaited);
        let waits = matches!(wanted, Wanted::Pass(_)).then_some(awaited);
        let work = async move {
            let done = done.await;
            drop(waits);
            // What a pass had begun, it ends.
            let Some(desk) = rests.flatten() else { return done };
            // Nor does one end that somebody waits for; the world holds `all`, too.
            while let Some(turn) = desk.turn().await {
                let is_asked = all.strong_count() > 1;
                if !is_asked {
                    wire.rests(flow, asked);
                }
                drop(turn);
                if !is_asked {
                    break;
                }
                wire.clock.sleep(Duration::from_secs(1)).await;
            }
            done
        };
        Some(work.boxed())
    }

    /// A new configuration, soon after a system has asked the daemon for rest.
    pub(super) fn reload_on_throttle(
        &self,
        round: &Round,
        daemon: Option<&(Desk, Hand)>,
    ) -> Option<Asked> {
        let ((ms, settings), (desk, hand)) = (round.reload?, daemon?.clone());
        let (wire, known) = (Arc::clone(&self.wire), Arc::clone(&self.settings));
        let work = async move {
            wire.throttled.notified().await;
            wire.clock.sleep(Duration::from_millis(ms)).await;
            *known.lock().unwrap_or_else(PoisonError::into_inner) = settings;
            let wanted = Wanted::Settings(settings);
            operator::of_daemon(wanted, None, desk, hand, wire.clock.clone()).await
        };
        Some(work.boxed())
    }

    pub(super) async fn rest(&self, seconds: u64) {
        self.wire.clock.sleep(Duration::from_secs(seconds)).await;
    }

    pub(super) fn unbroken(&self) -> Result<(), Violation> {
        self.wire.state().broken.clone().map_or(Ok(()), Err)
    }

    pub(super) fn app(&self) -> Result<App, String> {
        let text = settings::text(&self.now(), &self.wire.sandbox, &self.directory);
        let config = match &mut *self.known.borrow_mut() {
            Some((known, config)) if *known == text => config.clone(),
            known => {
                let config = load(&text).map_err(|problems| format!("{problems}\n{text}"))?;
                known.insert((text, config)).1.clone()
            }
        };
        let clock = self.wire.clock.shifted(&self.shift);
        App::over(self.wire.transport(), config, clock).map_err(|error| error.to_string())
    }

    pub(super) fn reload(&self) -> crate::daemon::Reload {
        let (wire, settings) = (Arc::clone(&self.wire), Arc::clone(&self.settings));
        let directory = self.directory.clone();
        Box::new(move |app| {
            let settings = *settings.lock().unwrap_or_else(PoisonError::into_inner);
            let text = settings::text(&settings, &wire.sandbox, &directory);
            let config = load(&text).map_err(|problems| problems.to_string())?;
            app.again(config).map_err(|error| error.to_string())
        })
    }

    /// The end of a future; none where the program dies before it.
    pub(super) async fn mortal<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = Box::pin(work);
        std::future::poll_fn(|context| {
            let ended = work.as_mut().poll(context);
            if failpoint::is_dead() {
                return Poll::Ready(None);
            }
            if ended.is_pending()
                && let Some(left) = self.waits.get()
            {
                self.waits.set(left.checked_sub(1));
                if left == 0 {
                    failpoint::die();
                    return Poll::Ready(None);
                }
            }
            ended.map(Some)
        })
        .await
    }
}
