//! A pass of the ingress flow: its tables, and reading and delivering them.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::app::App;
use crate::app::pass::{Driven, Ending, Frame, PassOptions, PassReport, Watch};
use crate::app::pin::{CampaignPin, Pin, pin};
use crate::app::tables::Prepared;
use crate::app::told::HeldBack;
use crate::delivery::{Delivery, DrainReport};
use crate::flows::ingress::{Intake, IntakeReport, Table};
use crate::flows::requests::Requests;
use crate::model::{Flow, TableName, Tally};
use crate::store::{Store, StoreError};
use crate::telemetry::{LinksWaiting, TableUnmapped};

const FLOW: Flow = Flow::Ingress;

/// How the two halves of a pass ended.
#[derive(Clone, Debug, Default)]
struct Halves {
    intake: IntakeReport,
    drain: DrainReport,
    stopped: bool,
}

/// Runs one pass. `watch` is called now and then.
pub(super) async fn sync_ingress(
    app: &App,
    store: &Store,
    options: PassOptions,
    watch: &mut (dyn FnMut(Watch) + Send),
) -> Result<PassReport, StoreError> {
    let mut frame = Frame::open(app, store, FLOW, &options, watch).await?;
    let began = app.clock.monotonic();
    let known = app.tables_to_look_by(&options);
    let tally = frame.tally.clone();
    let first = look(app, store, (&tally, known));
    let ending = match frame.drive(first, Some(&options.stop)).await? {
        Driven::GaveUp => Ending { gave_up: true, ..Ending::default() },
        Driven::Stopped => Ending { stopped: true, ..Ending::default() },
        Driven::Ended(None) => {
            let_go_of_unmapped(app, store).await?;
            Ending::default()
        }
        Driven::Ended(Some(prepared)) => {
            app.known.note(began, &prepared);
            let before = of_tables(&prepared);
            let names: Vec<_> = prepared.tables.iter().map(|table| table.name.clone()).collect();
            let work = work(app, store, &tally, (prepared, options));
            match Box::pin(frame.drive(work, None)).await? {
                Driven::Ended(halves) => of_halves(before, halves, &names),
                Driven::GaveUp | Driven::Stopped => Ending { gave_up: true, ..before },
            }
        }
    };
    let campaign = CampaignPin::of(app);
    let (overtaken, waiting) = store
        .call(move |work| {
            // The first pass has made it the store of this instance.
            campaign.check(work)?;
            Ok((work.overtaken(FLOW)?, work.waiting_tables()?))
        })
        .await?;
    for (table, waiting) in waiting {
        LinksWaiting { flow: FLOW, table, waiting }.emit();
    }
    frame.close(ending, overtaken).await
}

/// Looks for something to do by what is `known`; if there is, or nothing is
/// known, prepares the tables by the schemas as they are now. None: nothing has
/// changed.
async fn look(
    app: &App,
    store: &Store,
    (tally, known): (&Tally, Option<Vec<Table>>),
) -> Result<Option<Prepared>, StoreError> {
    if let Some(tables) = known
        && app.is_idle((store, tally), &tables).await?
    {
        return Ok(None);
    }
    prepare(app, store).await.map(Some)
}

/// What the tables of a pass mean for its end.
pub(super) fn of_tables(prepared: &Prepared) -> Ending {
    Ending {
        refused: prepared.refused.clone(),
        kept_refusing: prepared.kept_refusing.clone(),
        failed: !prepared.failed.is_empty(),
        all_failed: prepared.tables.is_empty() && !prepared.failed.is_empty(),
        ..Ending::default()
    }
}

/// What reading means for it.
pub(super) fn of_intake(before: Ending, intake: IntakeReport) -> Ending {
    Ending {
        refused: before.refused.or(intake.refused),
        kept_refusing: before.kept_refusing.or(intake.kept_refusing),
        failed: before.failed || !intake.failed.is_empty(),
        held: before.held || !intake.held.is_empty(),
        waves: intake.waves.into_iter().map(HeldBack::Deletes).collect(),
        ..before
    }
}

/// What both halves mean for it; `tables`: those that could run.
fn of_halves(before: Ending, halves: Halves, tables: &[TableName]) -> Ending {
    let gone = [&halves.intake.failed, &halves.drain.failed];
    let fails = |table: &TableName| gone.iter().any(|failed| failed.contains(table));
    let all_failed = before.failed || !tables.is_empty();
    let all_failed = all_failed && tables.iter().all(fails);
    let read = of_intake(before, halves.intake);
    Ending {
        stopped_by: halves.drain.stopped,
        stopped: halves.stopped,
        failed: read.failed || !halves.drain.failed.is_empty(),
        all_failed,
        ..read
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
    let (requests, stop, patience) = (options.requests, options.stop, options.patience);
    let requests = app.requests(store, &prepared, requests).await?;
    let delivery = Delivery::new(
        FLOW,
        store,
        &app.clock,
        tally,
        prepared.targets,
        app.config.campaign.max_in_flight,
    )
    .reading_back_after(app.config.campaign.read_back)
    .resting_within(patience)
    .until(stop.clone());
    // Only for a warning; a role without this right still synchronises.
    let retention_days = app.retention_days().await;
    let intake = intake(app, store, (tally, requests), &delivery);
    app.watch_cursors(store, retention_days).await?;
    let_go_of_unmapped(app, store).await?;
    intake.take_back(&prepared.tables).await?;
    let all_read = AtomicBool::new(false);
    let reading = async {
        // What is dropped here is a page that nobody has seen: as after a crash.
        let report = tokio::select! {
            biased;
            () = stop.requested() => Ok(None),
            report = intake.run(&prepared.tables) => report.map(Some),
        };
        all_read.store(true, Ordering::SeqCst);
        intake.work_ready.notify_one();
        report
    };
    let delivering = delivery.drain(|| all_read.load(Ordering::SeqCst));
    tokio::pin!(reading, delivering);
    tokio::select! {
        biased;
        intake = &mut reading => {
            let (read, drain) = (intake?, delivering.await?);
            let stopped = stop.is_requested();
            Ok(Halves { intake: read.unwrap_or_default(), drain, stopped })
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

fn intake(
    app: &App,
    store: &Store,
    (tally, requests): (&Tally, Requests),
    delivery: &Delivery,
) -> Intake {
    Intake {
        dynamics: app.dynamics.clone(),
        campaign: app.campaign.clone(),
        store: store.clone(),
        clock: app.clock.clone(),
        tally: tally.clone(),
        work_ready: delivery.work_ready(),
        settled: Some(delivery.settled()),
        requests,
    }
}

impl App {
    /// How long Dynamics keeps deleted rows, if it says.
    pub(crate) async fn retention_days(&self) -> Option<u32> {
        self.dynamics.retention_days().await.ok().flatten()
    }
}
