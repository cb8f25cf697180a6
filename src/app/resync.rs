//! Replays, comparisons and repairs: what is asked for becomes requests in the
//! store, and a pass, or a comparison of its own, works them off.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::app::App;
use crate::app::ingress::{of_intake, of_tables, prepare};
use crate::app::pass::{Ending, PassEnd, judge};
use crate::app::progress::{Patience, TICK};
use crate::app::tables::Prepared;
use crate::campaign::Finder;
use crate::flows::ingress::Intake;
use crate::flows::requests::{Others, Report, Requests, Slice};
use crate::model::{Flow, RecordId, TableName, Tally};
use crate::store::{Counts, NewResync, Purpose, Resync, Scope, Store, StoreError};

/// What someone asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// What for.
    pub(crate) purpose: Purpose,
    /// In which tables.
    pub(crate) tables: Vec<TableName>,
    /// Only these records, if any are named.
    pub(crate) ids: Vec<RecordId>,
    /// Only what Dynamics changed at this time or later.
    pub(crate) since: Option<Timestamp>,
}

impl Wish {
    fn requests(&self) -> Vec<NewResync> {
        let scope = match (self.ids.is_empty(), self.since) {
            (false, _) => Scope::Ids,
            (true, Some(since)) => Scope::Since(since),
            (true, None) => Scope::All,
        };
        let request = |table: &TableName| NewResync {
            table: table.clone(),
            purpose: self.purpose,
            scope: scope.clone(),
            records: self.ids.clone(),
        };
        self.tables.iter().map(request).collect()
    }
}

/// Makes a wish durable. Gives those of its tables that were asked for in the
/// same way before, with the time: those go on where they were.
pub(crate) async fn ask(
    store: &Store,
    wish: &Wish,
) -> Result<Vec<(TableName, Timestamp)>, StoreError> {
    let requests = wish.requests();
    store
        .call(move |work| {
            let mut joined = Vec::new();
            for request in &requests {
                if request.purpose == Purpose::Replay && request.scope == Scope::All {
                    // Whoever sends all rows again takes the schema as it is.
                    work.forget_shape(&request.table)?;
                    work.accept_older(&request.table)?;
                }
                let (id, known) = work.request_resync(request)?;
                if known {
                    joined.push((request.table.clone(), work.resync_asked_at(id)?));
                }
            }
            Ok(joined)
        })
        .await
}

impl App {
    /// What a pass knows of requests, once its tables are prepared.
    pub(super) async fn requests(
        &self,
        store: &Store,
        prepared: &Prepared,
        requests: Requests,
    ) -> Result<Requests, StoreError> {
        // One that still runs, beside passes of the daemon, needs its notes.
        if !requests.only
            && let Ok(_alone) = self.lasting.comparing.try_lock()
        {
            forget_comparisons(store).await?;
        }
        let slice = if requests.only { None } else { self.slice_due(store).await? };
        Ok(Requests { finders: finders(prepared), slice, ..requests })
    }

    /// The slice of the scheduled comparison that a pass would take along now.
    pub(super) async fn slice_due(&self, store: &Store) -> Result<Option<Slice>, StoreError> {
        let Some(settings) = &self.config.reconcile else { return Ok(None) };
        let last = store.call(|work| work.last_slice()).await?;
        let slice = Slice { calls: settings.calls_per_run, repair: settings.repair };
        let due = settings.schedule.is_due(last, self.clock.now(), &settings.time_zone);
        Ok(due.then_some(slice))
    }
}

fn finders(prepared: &Prepared) -> Arc<HashMap<TableName, Finder>> {
    let finders =
        prepared.targets.iter().map(|(table, target)| (table.clone(), Finder::new(&target.writer)));
    Arc::new(finders.collect())
}

/// Compares both sides; writes to neither, and leaves nothing in the store. One
/// comparison at a time. Passes may run while it waits for `others`: it judges
/// each record that seems to differ by what both systems say of it in one step.
/// `watch` is called now and then.
pub(crate) async fn verify(
    app: &App,
    store: &Store,
    wish: &Wish,
    (report, others): (&Report, &Others),
    patience: Duration,
    watch: &mut (dyn FnMut() + Send),
) -> Result<PassEnd, StoreError> {
    let _alone = app.lasting.comparing.lock().await;
    // What was told of an interrupted one is gone, so it begins anew.
    forget_comparisons(store).await?;
    ask(store, wish).await?;
    let tally = Tally::default();
    let mut patience = Patience::new(app, Flow::Ingress, &tally, patience);
    let comparing = compare(app, store, &tally, (report, others));
    tokio::pin!(comparing);
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut comparing => break Some(ended?),
            () = patience.run_out(), if !others.are_waited_for() => break None,
            () = app.clock.sleep(TICK) => {
                if others.are_waited_for() {
                    patience.rest();
                }
                watch();
            }
        }
    };
    forget_comparisons(store).await?;
    let Some((prepared, intake)) = ended else {
        patience.report(app);
        return Ok(PassEnd::GaveUp);
    };
    let failed = prepared.failed.iter().any(|table| wish.tables.contains(table));
    let ending = of_intake(Ending { failed, ..of_tables(&prepared) }, intake);
    Ok(judge(ending, &Counts::default()))
}

/// Forgets comparisons that were interrupted, also those of an ended process.
pub(crate) async fn forget_comparisons(store: &Store) -> Result<(), StoreError> {
    let requests = store.call(|work| work.resyncs(&[Purpose::Verify], None)).await?;
    for request in requests {
        while store.call(move |work| work.shed_listed(request.id)).await? {}
        store.call(move |work| work.remove_resync(request.id)).await?;
    }
    Ok(())
}

async fn compare(
    app: &App,
    store: &Store,
    tally: &Tally,
    (report, others): (&Report, &Others),
) -> Result<(Prepared, crate::flows::ingress::IntakeReport), StoreError> {
    others.go_first().await;
    let prepared = prepare(app, store).await?;
    let asked: Vec<Resync> = store.call(|work| work.resyncs(&[Purpose::Verify], None)).await?;
    let requests = Requests {
        only: true,
        finders: finders(&prepared),
        slice: None,
        report: report.clone(),
        others: others.clone(),
    };
    let intake = Intake {
        dynamics: app.dynamics.clone(),
        campaign: app.campaign.clone(),
        store: store.clone(),
        clock: app.clock.clone(),
        tally: tally.clone(),
        work_ready: Arc::new(Notify::new()),
        settled: None,
        requests,
    };
    let report = intake.verify(&prepared.tables, asked).await?;
    Ok((prepared, report))
}
