//! One simulated life: the rounds of a plan, then peace, then the comparison.

use std::cell::Cell;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::plan::{Act, Crash, How, Plan, Round};
use super::world::{Asked, World};
use super::{Violation, check, operator};
use crate::app::{App, Came, PassEnd, PassOptions, PassReport, Requests, sync};
use crate::daemon::{Desk, Hand, Simulated};
use crate::failpoint;
use crate::model::{Flow, Stop};
use crate::store::{Mode, Store, StoreError};

/// Passes in peace until all must have arrived.
const SETTLING: usize = 12;
/// As long as a pass may stand still.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A program that lives.
pub(super) struct Program {
    app: App,
    pub(super) store: Store,
    /// Whether its passes are those of a schedule, or somebody asks for each.
    scheduled: bool,
    /// What its last pass of `ingress` came to.
    before: Cell<Option<Came>>,
}

/// What a life came to.
pub(crate) struct Life {
    /// The first promise that was broken.
    pub(crate) broken: Option<Violation>,
    /// What happened, for people.
    pub(crate) story: Vec<String>,
    /// Requests of all kinds.
    pub(crate) requests: u64,
    /// The same life has the same.
    pub(crate) trace: u64,
}

/// Carries a plan out. `directory` holds the secrets, and the store while it
/// lasts; where it is `loud`, each request is told.
pub(crate) fn live(plan: &Plan, directory: &Path, loud: bool) -> Life {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else {
        let broken = Some(Violation::new("setup", "no runtime"));
        return Life { broken, story: Vec::new(), requests: 0, trace: 0 };
    };
    failpoint::plan(None);
    // Within the runtime from the start: its clock is not the machine's.
    let life = runtime.block_on(async {
        let world = World::begin(plan, directory).await;
        world.wire.state().loud = loud;
        Box::pin(world.life()).await
    });
    failpoint::plan(None);
    life
}

impl World<'_> {
    async fn life(self) -> Life {
        let broken = self.rounds().await.err();
        let state = self.wire.state();
        Life {
            broken: state.broken.clone().or(broken),
            story: state.model.story.clone(),
            requests: state.requests,
            trace: state.trace,
        }
    }

    async fn rounds(&self) -> Result<(), Violation> {
        for (number, round) in self.plan.rounds.iter().enumerate() {
            self.tell(format!("-- round {number}"));
            if round.restored {
                self.restore();
            }
            self.rest(round.rest).await;
            for act in &round.before {
                if matches!(act, Act::Clock(..)) {
                    self.look().await?;
                }
                self.act(act, None);
            }
            self.trouble(number as u64, round);
            self.round(round).await?;
            self.unbroken()?;
            self.back_up();
        }
        self.trouble(0, &Round::default());
        self.wire.state().model.mend_schema(&self.wire.sandbox);
        self.wire.forget_pauses();
        self.rest(600).await;
        let begun = self.start().await;
        let program = begun.map_err(|error| Violation::new("I30", error))?;
        let program = Program { scheduled: true, ..program };
        let (back, mends) = {
            let model = &self.wire.state().model;
            (model.set_back, model.mends)
        };
        if mends {
            // As the documents ask for: what is on its way is not compared.
            let tidied = self.tidy_up(&program.store).await;
            tidied.map_err(|error| Violation::new("I30", error.to_string()))?;
            self.passes_of(&program).await.map_err(|error| Violation::new("I29", error))?;
        }
        if back || mends {
            let asked = operator::after_a_backup(&program.store, back).await;
            asked.map_err(|error| Violation::new("I30", error.to_string()))?;
        }
        self.settle(&program).await?;
        self.price(&program).await?;
        self.wave(&program).await?;
        self.gap(&program).await?;
        self.is_silent(&program).await?;
        program.store.close().await;
        Ok(())
    }

    /// The program sees both clocks: nothing goes wrong meanwhile.
    async fn look(&self) -> Result<(), Violation> {
        self.trouble(0, &Round::default());
        self.wire.forget_pauses();
        let looked = async {
            let program = self.start().await?;
            let ended = self.pass(&program, Flow::Optout).await;
            self.tell(format!("a look at the clocks: {ended:?}"));
            program.store.close().await;
            Ok(())
        };
        looked.await.map_err(|error: String| Violation::new("I30", error))?;
        self.unbroken()
    }

    /// The program lives, unless it dies before.
    async fn round(&self, round: &Round) -> Result<(), Violation> {
        let (point, waits) = match round.crash {
            None | Some(Crash::In(..)) => (None, None),
            Some(Crash::At(point, number)) => (Some((point, number)), None),
            Some(Crash::Waits(number)) => (None, Some(number)),
        };
        failpoint::plan(point);
        if let Some(Crash::In(flow, point, number)) = round.crash {
            self.crash_in.set(Some((flow, (point, number))));
        }
        self.waits.set(waits);
        self.wire.forget_pauses();
        let ended = match round.how {
            How::Passes => {
                let (ended, ()) =
                    tokio::join!(self.mortal(self.passes()), self.people(round, None));
                ended.map(|ended| ended.map(|ends| format!("{ends:?}")))
            }
            How::Daemon(seconds) => self.daemon(round, seconds).await,
            How::Away(_) => {
                self.people(round, None).await;
                Some(Ok("nobody ran".to_owned()))
            }
        };
        failpoint::plan(None);
        self.waits.set(None);
        self.crash_in.set(None);
        // What the dead had begun beside themselves goes too.
        self.wire.clock.sleep(Duration::from_millis(1)).await;
        match ended {
            None => {
                self.tell("the program died".to_owned());
                Ok(())
            }
            Some(Ok(ends)) => {
                self.tell(ends);
                Ok(())
            }
            Some(Err(error)) => Err(Violation::new("I30", format!("it ended: {error}"))),
        }
    }

    /// What people do while the program lives.
    async fn people(&self, round: &Round, daemon: Option<&(Desk, Hand)>) {
        let mut asked = FuturesUnordered::new();
        asked.extend(self.reload_on_throttle(round, daemon));
        let mut acts: Vec<_> = round.during.iter().collect();
        acts.sort_by_key(|(at, _)| *at);
        let begin = self.wire.clock.monotonic();
        for (at, act) in acts {
            let until = begin.plus(Duration::from_millis(*at));
            self.meanwhile(&mut asked, self.wire.clock.sleep_until(until)).await;
            asked.extend(self.act(act, daemon));
        }
        if let How::Daemon(seconds) | How::Away(seconds) = round.how {
            let until = begin.plus(Duration::from_secs(seconds));
            self.meanwhile(&mut asked, self.wire.clock.sleep_until(until)).await;
        }
        if let Some((_, hand)) = daemon {
            self.meanwhile(&mut asked, hand.terminate()).await;
        }
    }

    /// Waits, and lets those go on who were asked.
    async fn meanwhile(&self, asked: &mut FuturesUnordered<Asked>, work: impl Future<Output = ()>) {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = &mut work => return,
                // The dead give no answer, or a wrong one.
                Some(done) = asked.next() => {
                    if !failpoint::is_dead() {
                        self.wire.note(done);
                    }
                }
            }
        }
    }

    /// The daemon, until it is told to end.
    async fn daemon(&self, round: &Round, seconds: u64) -> Option<Result<String, String>> {
        let begun = self
            .mortal(async {
                let Program { app, store, .. } = self.start().await?;
                let daemon = Simulated::new(app, &store, self.reload()).await;
                daemon.map(|daemon| (daemon, store)).map_err(|error| error.to_string())
            })
            .await;
        let (daemon, store) = match begun? {
            Ok(begun) => begun,
            Err(error) => return Some(Err(error)),
        };
        let people = (daemon.desk(), daemon.hand());
        let work = async {
            let settled = daemon.run().await.map_err(|error| error.to_string())?;
            store.close().await;
            Ok(format!("the daemon ran for {seconds} s, settled: {settled}"))
        };
        let (ended, ()) = tokio::join!(self.mortal(work), self.people(round, Some(&people)));
        ended
    }

    /// The program begins.
    pub(super) async fn start(&self) -> Result<Program, String> {
        let app = self.app()?;
        let store = app.open_store(Mode::Durable).await.map_err(|error| error.to_string())?;
        Ok(Program { app, store, scheduled: false, before: Cell::default() })
    }

    /// It begins, does a pass of each flow, and ends.
    async fn passes(&self) -> Result<Vec<&'static str>, String> {
        let program = self.start().await?;
        let ends = self.passes_of(&program).await?;
        program.store.close().await;
        Ok(ends)
    }

    /// A pass of each flow.
    pub(super) async fn passes_of(&self, program: &Program) -> Result<Vec<&'static str>, String> {
        let mut ends = Vec::new();
        for flow in [Flow::Ingress, Flow::Egress, Flow::Optout] {
            let ended = self.pass(program, flow).await;
            ends.push(ended.map_err(|error| error.to_string())?);
        }
        Ok(ends)
    }

    async fn pass(&self, program: &Program, flow: Flow) -> Result<&'static str, StoreError> {
        self.pass_within(program, flow, PATIENCE).await
    }

    /// A pass that may stand still for so long.
    pub(super) async fn pass_within(
        &self,
        program: &Program,
        flow: Flow,
        patience: Duration,
    ) -> Result<&'static str, StoreError> {
        if let Some((of, point)) = self.crash_in.get()
            && of == flow
            && !failpoint::is_dead()
        {
            self.crash_in.set(None);
            failpoint::plan(Some(point));
        }
        let Program { app, store, scheduled, before } = program;
        let options = PassOptions {
            patience,
            requests: Requests::default(),
            stop: Stop::default(),
            again: false,
            asked: !scheduled,
            anew: !scheduled,
            before: before.get().filter(|_| *scheduled),
        };
        let report = Box::pin(sync(app, store, flow, options, &mut |_| {})).await?;
        if flow == Flow::Ingress {
            before.set(Some(report.came));
        }
        self.wire.note(adds_up(flow, &report));
        Ok(match report.end {
            PassEnd::Done => "done",
            PassEnd::Incomplete => "incomplete",
            PassEnd::Refused(_) => "refused",
            PassEnd::KeptRefusing(_) => "kept refusing",
            PassEnd::Spent(_) => "spent",
            PassEnd::TablesFailed => "every table failed",
            PassEnd::GaveUp => "gave up",
            PassEnd::Stopped => "stopped",
        })
    }

    /// An administrator lets all run that was paused, tries again what was given
    /// up, and approves what is held.
    async fn tidy_up(&self, store: &Store) -> Result<(), StoreError> {
        operator::resume_all(store).await?;
        operator::retry(store).await?;
        operator::approve(store).await
    }

    /// Peace, until a pass of all flows writes nothing; then both sides are
    /// compared.
    pub(super) async fn settle(&self, program: &Program) -> Result<(), Violation> {
        let mut last = Vec::new();
        for at in 0..SETTLING {
            let before = self.wire.state().writes;
            if at < 2 || self.now().guard.is_some() {
                let tidied = self.tidy_up(&program.store).await;
                tidied.map_err(|error| Violation::new("I30", error.to_string()))?;
            }
            let ends = self.passes_of(program).await;
            last = ends.map_err(|error| Violation::new("I29", error))?;
            self.unbroken()?;
            if self.wire.state().writes == before && last.iter().all(|end| *end == "done") {
                let state = self.wire.state();
                return check::quiet(&self.wire.sandbox, &state.model, &self.now());
            }
            self.rest(600).await;
        }
        Err(Violation::new("I29", format!("no end in peace: {last:?}")))
    }

    /// Two further passes write nothing.
    async fn is_silent(&self, program: &Program) -> Result<(), Violation> {
        let before = self.wire.state().writes;
        for _ in 0..2 {
            self.rest(60).await;
            self.passes_of(program).await.map_err(|error| Violation::new("I10", error))?;
        }
        self.unbroken()?;
        match self.wire.state().writes - before {
            0 => Ok(()),
            writes => {
                Err(Violation::new("I10", format!("{writes} writes although nothing changed")))
            }
        }
    }
}

fn adds_up(flow: Flow, report: &PassReport) -> Result<(), Violation> {
    let it = &report.counts;
    let sum = it.written + it.unchanged + it.filtered + it.deleted + it.pending + it.dead_lettered;
    if it.read == sum { Ok(()) } else { Err(Violation::new("I15", format!("{flow:?}: {it:?}"))) }
}
