//! One pass of the ingress flow: reading and delivering side by side until the
//! backlog is empty, with an end to patience.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::app::App;
use crate::app::pin::{Pin, pin};
use crate::app::progress::{Patience, Ticker};
use crate::app::tables::Prepared;
use crate::delivery::{Delivery, DrainReport};
use crate::flows::ingress::{Intake, IntakeReport};
use crate::flows::requests::Requests;
use crate::http::{Failure, Outcome};
use crate::model::{Flow, RunId, Stop, Tally, TallyDelta};
use crate::store::{Counts, RunOutcome, Store, StoreError};
use crate::telemetry::{FlowFinished, FlowStarted, LinksWaiting, TableUnmapped};

const FLOW: Flow = Flow::Ingress;

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
    /// A system refused our credentials or privileges.
    Refused(Failure),
    /// A system kept answering with server errors, beyond the retries of a read.
    KeptRefusing(Failure),
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
            Self::Done | Self::Incomplete | Self::Stopped => None,
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
}

/// How the two halves of a pass ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Halves {
    pub(super) intake: IntakeReport,
    pub(super) drain: DrainReport,
    pub(super) gave_up: bool,
    pub(super) stopped: bool,
}

/// Runs one pass. `watch` is called now and then.
pub(crate) async fn sync_ingress(
    app: &App,
    store: &Store,
    options: PassOptions,
    watch: &mut (dyn FnMut(Watch) + Send),
) -> Result<PassReport, StoreError> {
    let tally = Tally::default();
    let began = app.clock.monotonic();
    let calls_before = (app.campaign.client().stats().calls, app.dynamics.client().stats().calls);
    let (run, carried) =
        store.call(|work| Ok((work.start_run(FLOW)?, work.backlog(FLOW, None)?))).await?;
    FlowStarted { flow: FLOW, run, backlog: carried }.emit();
    tally.add(TallyDelta { read: carried, ..TallyDelta::default() });
    let mut patience = Patience::new(app, &tally, options.patience);
    let mut ticker = Ticker { app, store, run, tally: &tally, watch, last: None, told: None };
    let prepared = begin((app, store), &options.stop, &mut patience, &mut ticker).await?;
    let again = options.again;
    let (halves, failed_tables, refused, silent) = match prepared {
        Err(halves) => (halves, 0, None, None),
        Ok(prepared) => {
            let (failed, refused) = (prepared.failed.len(), prepared.refused.clone());
            let silent = prepared.kept_refusing.clone();
            let work = work(app, store, &tally, (prepared, options));
            tokio::pin!(work);
            let halves = loop {
                tokio::select! {
                    halves = &mut work => break halves?,
                    () = patience.run_out() => break Halves { gave_up: true, ..Halves::default() },
                    tick = ticker.tick() => tick?,
                }
            };
            (halves, failed, refused, silent)
        }
    };
    if halves.gave_up && !again {
        patience.report(app);
    }
    let (backlog, unchanged, waiting) = store
        .call(|work| Ok((work.backlog(FLOW, None)?, work.overtaken(FLOW)?, work.waiting_tables()?)))
        .await?;
    for (table, waiting) in waiting {
        LinksWaiting { flow: FLOW, table, waiting }.emit();
    }
    tally.add(TallyDelta { unchanged, ..TallyDelta::default() });
    let duration_ms = u64::try_from(app.clock.monotonic().since(began).as_millis()).unwrap_or(0);
    let mut counts = counts(tally.get(), backlog, duration_ms);
    counts.calls = app.campaign.client().stats().calls - calls_before.0;
    let source_calls = app.dynamics.client().stats().calls - calls_before.1;
    let end = judge(&halves, failed_tables, refused, silent, &counts);
    let failed = failed_tables + halves.intake.failed.len() + halves.drain.failed.len() > 0;
    finish(store, run, &end, failed, counts, source_calls).await?;
    let days = app.config.store.trace_days;
    store.call(move |work| work.prune_trace(days, run)).await?;
    Ok(PassReport { end, counts })
}

/// The tables of the pass, or how it ended before there were any.
async fn begin(
    (app, store): (&App, &Store),
    stop: &Stop,
    patience: &mut Patience,
    ticker: &mut Ticker<'_>,
) -> Result<Result<Prepared, Halves>, StoreError> {
    let preparing = prepare(app, store);
    tokio::pin!(preparing);
    loop {
        tokio::select! {
            prepared = &mut preparing => return prepared.map(Ok),
            () = patience.run_out() => {
                return Ok(Err(Halves { gave_up: true, ..Halves::default() }));
            }
            () = stop.requested() => {
                return Ok(Err(Halves { stopped: true, ..Halves::default() }));
            }
            tick = ticker.tick() => tick?,
        }
    }
}

/// The tables of the pass, after a look at whether the store is the
/// environment's.
pub(super) async fn prepare(app: &App, store: &Store) -> Result<Prepared, StoreError> {
    match pin(app, store).await? {
        Pin::Fits => app.prepare(store).await,
        Pin::Other(found, known) => Err(StoreError::OtherOrganization { found, known }),
        Pin::Refused(failure) => Ok(Prepared { refused: Some(failure), ..Prepared::default() }),
    }
}

/// Reading and delivering, side by side.
async fn work(
    app: &App,
    store: &Store,
    tally: &Tally,
    (prepared, options): (Prepared, PassOptions),
) -> Result<Halves, StoreError> {
    let (requests, stop) = (options.requests, options.stop);
    let requests = app.requests(store, &prepared, requests).await?;
    let delivery = Delivery::new(
        FLOW,
        store,
        &app.clock,
        tally,
        prepared.targets,
        app.config.campaign.max_in_flight,
    )
    .until(stop.clone());
    let intake = intake(app, store, (tally, requests), &delivery).await;
    if let Some(days) = intake.retention_days {
        store.call(move |work| work.set_retention_days(days)).await?;
    }
    let_go_of_unmapped(app, store).await?;
    intake.take_back(&prepared.tables).await?;
    let all_read = AtomicBool::new(false);
    let reading = async {
        // What is dropped here is a page that nobody has seen: as after a crash.
        let report = tokio::select! {
            report = intake.run(&prepared.tables) => report.map(Some),
            () = stop.requested() => Ok(None),
        };
        all_read.store(true, Ordering::SeqCst);
        intake.work_ready.notify_one();
        report
    };
    let delivering = delivery.drain(|| all_read.load(Ordering::SeqCst));
    tokio::pin!(reading, delivering);
    tokio::select! {
        intake = &mut reading => {
            let (read, drain) = (intake?, delivering.await?);
            let stopped = stop.is_requested();
            Ok(Halves { intake: read.unwrap_or_default(), drain, gave_up: false, stopped })
        }
        // Before all is read, delivery ends only when nobody's write will
        // succeed; reading on would be of no use.
        drain = &mut delivering => {
            let stopped = stop.is_requested();
            Ok(Halves { drain: drain?, stopped, ..Halves::default() })
        }
    }
}

/// Tells of decisions for tables that are no longer mapped; nothing waits for
/// them. A table that could not be prepared is mapped all the same.
async fn let_go_of_unmapped(app: &App, store: &Store) -> Result<(), StoreError> {
    let mapped = app.config.mapped_tables();
    let unmapped = store
        .call(move |work| {
            let unmapped = work.unmapped(&mapped)?;
            unmapped.iter().try_for_each(|(table, _)| work.let_go_of(table))?;
            Ok(unmapped)
        })
        .await?;
    for (table, waiting) in unmapped {
        TableUnmapped { flow: FLOW, table, waiting }.emit();
    }
    Ok(())
}

async fn intake(
    app: &App,
    store: &Store,
    (tally, requests): (&Tally, Requests),
    delivery: &Delivery,
) -> Intake {
    // Only for a warning; a role without this right still synchronises.
    let retention_days = app.retention_days().await;
    Intake {
        dynamics: app.dynamics.clone(),
        campaign: app.campaign.clone(),
        store: store.clone(),
        clock: app.clock.clone(),
        tally: tally.clone(),
        work_ready: delivery.work_ready(),
        settled: Some(delivery.settled()),
        retention_days,
        requests,
    }
}

impl App {
    /// How long Dynamics keeps deleted rows, if it says.
    pub(crate) async fn retention_days(&self) -> Option<u32> {
        self.dynamics.retention_days().await.ok().flatten()
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

pub(super) fn judge(
    halves: &Halves,
    failed_tables: usize,
    refused: Option<Failure>,
    silent: Option<Failure>,
    counts: &Counts,
) -> PassEnd {
    let stopped = halves.drain.stopped.clone();
    let refused = refused
        .or_else(|| halves.intake.refused.clone())
        .or_else(|| stopped.clone().filter(|failure| failure.outcome == Outcome::Refused));
    if let Some(failure) = refused {
        return PassEnd::Refused(failure);
    }
    if halves.gave_up {
        return PassEnd::GaveUp;
    }
    if let Some(failure) = silent.or_else(|| halves.intake.kept_refusing.clone()) {
        return PassEnd::KeptRefusing(failure);
    }
    if halves.stopped {
        return PassEnd::Stopped;
    }
    let incomplete = counts.dead_lettered > 0
        || failed_tables > 0
        || stopped.is_some()
        || !halves.intake.failed.is_empty()
        || !halves.intake.held.is_empty()
        || !halves.drain.failed.is_empty();
    if incomplete { PassEnd::Incomplete } else { PassEnd::Done }
}

async fn finish(
    store: &Store,
    run: RunId,
    end: &PassEnd,
    table_failed: bool,
    counts: Counts,
    source_calls: u64,
) -> Result<(), StoreError> {
    let outcome = match end {
        PassEnd::Done => RunOutcome::Ok,
        PassEnd::Stopped => RunOutcome::Incomplete,
        PassEnd::Incomplete if !table_failed => RunOutcome::Incomplete,
        PassEnd::Incomplete | PassEnd::Refused(_) | PassEnd::KeptRefusing(_) | PassEnd::GaveUp => {
            RunOutcome::Failed
        }
    };
    store.call(move |work| work.finish_run(run, outcome, &counts)).await?;
    FlowFinished {
        flow: FLOW,
        run,
        outcome: outcome.as_str(),
        read: counts.read,
        written: counts.written,
        unchanged: counts.unchanged,
        filtered: counts.filtered,
        deleted: counts.deleted,
        pending: counts.pending,
        dead_lettered: counts.dead_lettered,
        calls: counts.calls,
        source_calls,
        duration_ms: counts.duration_ms,
    }
    .emit();
    Ok(())
}
