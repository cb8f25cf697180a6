//! One pass of a flow: reading and delivering side by side until the backlog is
//! empty, with an end to patience. What is read and how it is delivered stands
//! in the flow's own file.

use std::future::Future;
use std::time::Duration;

use crate::app::App;
use crate::app::came::Came;
use crate::app::egress::sync_egress;
use crate::app::ingress::sync_ingress;
use crate::app::optout::sync_optout;
use crate::app::pin::CampaignPin;
use crate::app::progress::{Patience, Ticker};
use crate::app::told::{HeldBack, finished};
use crate::clock::Monotonic;
use crate::flows::requests::Requests;
use crate::http::{Failure, Outcome};
use crate::model::{Flow, RunId, Stop, Tally, TallyDelta};
use crate::store::{Counts, RunOutcome, Store, StoreError};
use crate::telemetry::{FlowStarted, pass_over};

/// How a pass is to run.
#[derive(Clone, Debug)]
pub(crate) struct PassOptions {
    /// Ends after this long without any progress.
    pub(crate) patience: Duration,
    /// Whether it is for requests alone, and where they are told of.
    pub(crate) requests: Requests,
    /// Ends the pass early, with all settled that is on its way.
    pub(crate) stop: Stop,
    /// Whether an end to patience is left to the caller to tell.
    pub(crate) again: bool,
    /// Whether someone asked for it, and not the schedule.
    pub(crate) asked: bool,
    /// Whether both schemas are read, also where nothing has changed.
    pub(crate) anew: bool,
    /// What the pass before it came to, where it is known.
    pub(crate) before: Option<Came>,
}

/// Where a pass is, for whoever draws it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    /// Its counts so far.
    pub(crate) counts: TallyDelta,
    /// Decisions that wait.
    pub(crate) backlog: u64,
}

/// How a pass ended.
#[derive(Clone, Debug)]
pub(crate) enum PassEnd {
    /// All done.
    Done,
    /// Ended, but something needs a look: dead letters, held deletions, or a
    /// table that stopped.
    Incomplete,
    /// Every table or source failed, each for its own reason, or nobody's write
    /// would succeed.
    TablesFailed,
    /// A system refused our credentials or privileges.
    Refused(Failure),
    /// A system kept answering with server errors, beyond the retries of a read, or
    /// with what nobody understands.
    KeptRefusing(Failure),
    /// The budget of the day is used up.
    Spent(Failure),
    /// Nothing moved for too long.
    GaveUp,
    /// It was asked to end early; the next one goes on where it stopped.
    Stopped,
}

impl PassEnd {
    /// Why nothing, or not all, could be done; none where it is not a failure
    /// of the whole pass.
    pub(crate) fn failure(&self) -> Option<String> {
        match self {
            Self::Done | Self::Incomplete | Self::Stopped | Self::Spent(_) => None,
            Self::TablesFailed => Some(
                "every table or source failed; `table.failed` or `flow.stopped` says why"
                    .to_owned(),
            ),
            Self::Refused(failure) | Self::KeptRefusing(failure) => Some(failure.to_string()),
            Self::GaveUp => Some("nothing moved for too long".to_owned()),
        }
    }
}

/// What a pass did.
#[derive(Clone, Debug)]
pub(crate) struct PassReport {
    /// How it ended.
    pub(crate) end: PassEnd,
    /// What it counted.
    pub(crate) counts: Counts,
    /// Both, for the next one.
    pub(crate) came: Came,
    /// Whether it was told of.
    pub(crate) told: bool,
    /// The run.
    pub(crate) run: RunId,
    /// Requests to the system that it reads.
    pub(crate) source_calls: u64,
    /// What waits for a person's approval.
    pub(crate) held: Vec<HeldBack>,
}

#[cfg(test)]
impl PassReport {
    /// Of a pass that ended so, and was told of.
    pub(crate) fn test(end: PassEnd, counts: Counts) -> Self {
        let came = Came { outcome: outcome(&end, false), counts, alike: 0 };
        let (run, source_calls, held) = (RunId(0), 0, Vec::new());
        Self { end, counts, came, told: true, run, source_calls, held }
    }
}

/// What stood in the way of a pass, from all its parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    /// A refusal of credentials or privileges, or of our own budget.
    pub(super) refused: Option<Failure>,
    /// A server error that repeating did not mend.
    pub(super) kept_refusing: Option<Failure>,
    /// What ended the delivery of the whole flow.
    pub(super) stopped_by: Option<Failure>,
    /// Whether nothing moved for too long.
    pub(super) gave_up: bool,
    /// Whether it was asked to end early.
    pub(super) stopped: bool,
    /// Whether a table or source could not go on.
    pub(super) failed: bool,
    /// Whether none of them could: the next pass waits, as after a refusal.
    pub(super) all_failed: bool,
    /// Whether something waits for a person.
    pub(super) held: bool,
    /// What a guard holds back.
    pub(super) waves: Vec<HeldBack>,
}

/// Runs one pass of a flow. `watch` is called now and then.
pub(crate) async fn sync(
    app: &App,
    store: &Store,
    flow: Flow,
    options: PassOptions,
    watch: &mut (dyn FnMut(Watch) + Send),
) -> Result<PassReport, StoreError> {
    // What has not gone out when it is asked to end does not go.
    let app = &app.of_flow(flow).until(&options.stop);
    match flow {
        Flow::Ingress => Box::pin(sync_ingress(app, store, options, watch)).await,
        Flow::Egress => Box::pin(sync_egress(app, store, options, watch)).await,
        Flow::Optout => Box::pin(sync_optout(app, store, options, watch)).await,
    }
}

/// A pass under way: what all flows have in common.
pub(super) struct Frame<'a> {
    pub(super) app: &'a App,
    pub(super) store: &'a Store,
    pub(super) tally: Tally,
    flow: Flow,
    run: RunId,
    began: Monotonic,
    calls: (u64, u64),
    patience: Patience,
    again: bool,
    before: Option<Came>,
    asked: bool,
    watch: &'a mut (dyn FnMut(Watch) + Send),
    shown: Option<(Monotonic, u64)>,
    told: Option<(TallyDelta, u64)>,
}

/// How a part of a pass came to its end.
pub(super) enum Driven<T> {
    /// By itself.
    Ended(T),
    /// Nothing moved for too long.
    GaveUp,
    /// It was asked to.
    Stopped,
}

impl<'a> Frame<'a> {
    /// Begins a run; what waits from earlier ones is part of it.
    pub(super) async fn open(
        app: &'a App,
        store: &'a Store,
        flow: Flow,
        options: &PassOptions,
        watch: &'a mut (dyn FnMut(Watch) + Send),
    ) -> Result<Self, StoreError> {
        let tally = Tally::default();
        let (began, calls) = (app.clock.monotonic(), app.calls(flow));
        store.in_place().await?;
        let campaign = CampaignPin::of(app);
        let (run, carried) = store
            .call(move |work| {
                campaign.check(work)?;
                Ok((work.start_run(flow)?, work.flow_backlog(flow)?))
            })
            .await?;
        let (again, asked, before) = (options.again, options.asked, options.before);
        FlowStarted { flow, run, backlog: carried }.emit(asked || before.is_none());
        tally.add(TallyDelta { read: carried, ..TallyDelta::default() });
        let patience = Patience::new(app, flow, &tally, options.patience);
        // A pass that does no more than that tells nothing.
        let (shown, told) = (None, Some((tally.get(), carried)));
        Ok(Self {
            app,
            store,
            tally,
            flow,
            run,
            began,
            calls,
            patience,
            again,
            before,
            asked,
            watch,
            shown,
            told,
        })
    }

    /// Runs a part of the pass while patience lasts, and tells how far it is.
    pub(super) async fn drive<T>(
        &mut self,
        work: impl Future<Output = Result<T, StoreError>>,
        stop: Option<&Stop>,
    ) -> Result<Driven<T>, StoreError> {
        tokio::pin!(work);
        let mut ticker = Ticker {
            app: self.app,
            store: self.store,
            flow: self.flow,
            run: self.run,
            tally: &self.tally,
            watch: &mut *self.watch,
            last: &mut self.shown,
            told: &mut self.told,
            quiet: quiet_about(self.before),
        };
        let stopped = async {
            match stop {
                Some(stop) => stop.requested().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => return Ok(Driven::Stopped),
                ended = &mut work => return ended.map(Driven::Ended),
                () = self.patience.run_out() => return Ok(Driven::GaveUp),
                tick = ticker.tick() => tick?,
            }
        }
    }

    /// Ends the run: what it counted, how it is judged, and what is told of it.
    /// `overtaken`: decisions that newer ones replaced.
    pub(super) async fn close(
        self,
        ending: Ending,
        overtaken: u64,
    ) -> Result<PassReport, StoreError> {
        if ending.gave_up && !self.again {
            self.patience.report(self.app);
        }
        let (flow, run, store) = (self.flow, self.run, self.store);
        let backlog = store.call(move |work| work.flow_backlog(flow)).await?;
        self.tally.add(TallyDelta { unchanged: overtaken, ..TallyDelta::default() });
        let duration = self.app.clock.monotonic().since(self.began);
        let (target, source) = self.app.calls(flow);
        let counts = Counts {
            calls: target - self.calls.0,
            ..counts(
                self.tally.get(),
                backlog,
                u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            )
        };
        let (failed, held) = (ending.failed, ending.waves.clone());
        let end = judge(ending, &counts);
        let outcome = outcome(&end, failed);
        self.app.lasting.meters.settle().await;
        if let Some(error) = self.app.lasting.meters.failed() {
            return Err(error);
        }
        store.call(move |work| work.finish_run(run, outcome, &counts)).await?;
        let (came, news) =
            Came::after(self.before, (outcome, counts), self.app.config.daemon.tell_idle);
        let told = self.asked || news;
        let source_calls = source - self.calls.1;
        finished((flow, run), (outcome, &counts), source_calls).emit(told);
        if !matches!(end, PassEnd::Stopped) {
            pass_over(flow);
        }
        let days = self.app.config.store.trace_days;
        store.call(move |work| work.prune_trace(days, run)).await?;
        Ok(PassReport { end, counts, came, told, run, source_calls, held })
    }
}

impl App {
    /// Requests so far, tokens not counted: to the system that a flow writes
    /// to, and to the one that it reads.
    fn calls(&self, flow: Flow) -> (u64, u64) {
        let campaign = self.campaign.client().stats().calls;
        let dynamics = self.dynamics.client().stats().calls;
        let journal = self.journal.as_ref().map_or(0, |it| it.client().stats().calls);
        match flow {
            Flow::Ingress => (campaign, dynamics),
            Flow::Egress => (dynamics, journal),
            Flow::Optout => (campaign + dynamics, 0),
        }
    }
}

fn counts(tally: TallyDelta, backlog: u64, duration_ms: u64) -> Counts {
    Counts {
        read: tally.read,
        written: tally.written,
        unchanged: tally.unchanged,
        filtered: tally.filtered,
        deleted: tally.deleted,
        pending: backlog,
        dead_lettered: tally.dead_lettered,
        calls: 0,
        duration_ms,
    }
}

/// Whether reading again is no progress: the pass before this one failed after it.
fn quiet_about(before: Option<Came>) -> bool {
    before.is_some_and(|came| came.outcome == RunOutcome::Failed)
}

/// What a pass came to.
pub(super) fn judge(ending: Ending, counts: &Counts) -> PassEnd {
    let stopped_by = ending.stopped_by;
    let refused = ending.refused.or_else(|| stopped_by.clone().filter(stops_all));
    if let Some(failure) = refused {
        return if failure.is_spent() {
            PassEnd::Spent(failure)
        } else {
            PassEnd::Refused(failure)
        };
    }
    if ending.gave_up {
        return PassEnd::GaveUp;
    }
    let in_vain = stopped_by.clone().filter(|failure| failure.outcome.is_vain_answer());
    if let Some(failure) = ending.kept_refusing.or(in_vain) {
        return PassEnd::KeptRefusing(failure);
    }
    if ending.stopped {
        return PassEnd::Stopped;
    }
    if ending.all_failed || stopped_by.is_some() {
        return PassEnd::TablesFailed;
    }
    let incomplete = counts.dead_lettered > 0 || ending.failed || ending.held;
    if incomplete { PassEnd::Incomplete } else { PassEnd::Done }
}

/// Whether nobody's request will succeed after this.
pub(super) fn stops_all(failure: &Failure) -> bool {
    matches!(failure.outcome, Outcome::Refused | Outcome::Spent)
}

fn outcome(end: &PassEnd, failed: bool) -> RunOutcome {
    match end {
        PassEnd::Done => RunOutcome::Ok,
        PassEnd::Stopped | PassEnd::Spent(_) => RunOutcome::Incomplete,
        PassEnd::Incomplete if !failed => RunOutcome::Incomplete,
        PassEnd::Incomplete
        | PassEnd::TablesFailed
        | PassEnd::Refused(_)
        | PassEnd::KeptRefusing(_)
        | PassEnd::GaveUp => RunOutcome::Failed,
    }
}

#[cfg(test)]
#[path = "pass_tests.rs"]
mod tests;
