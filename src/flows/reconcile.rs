//! The scheduled comparison, in slices: a slice makes a limited number of
//! calls, and the next one goes on where it stopped. A table whose comparison
//! is complete goes to the end of the queue.

use crate::store::{NewResync, Purpose, Resync, Scope, StoreError};
use crate::telemetry::ReconcileFinished;

use super::compare::{Comparison, forget};
use super::ingress::{Intake, IntakeError, IntakeReport, note};
use super::prepare::Table;
use super::report::{Found, sum_up};
use super::requests::Slice;

/// What a slice did.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    rows: u64,
    calls: u64,
    tables_completed: u64,
    found: Found,
}

impl Intake {
    /// One slice over these tables.
    pub(super) async fn reconcile(
        &self,
        tables: &[Table],
        slice: Slice,
        report: &mut IntakeReport,
    ) -> Result<(), StoreError> {
        let names: Vec<_> = tables.iter().map(|table| table.name.clone()).collect();
        let queue = self
            .store
            .call(move |work| {
                for table in names {
                    work.request_resync(&whole(table))?;
                }
                work.resyncs(&[Purpose::Reconcile], None)
            })
            .await?;
        let mut sum = Sum::default();
        for request in queue {
            let Some(table) = tables.iter().find(|table| table.name == request.table) else {
                continue;
            };
            if report.failed.contains(&table.name) {
                continue;
            }
            let ended = self.part(table, request, slice, &mut sum).await;
            note(table, ended.map(|()| false), report)?;
            if sum.calls >= slice.calls {
                break;
            }
        }
        let ended = self.clock.now();
        self.store.call(move |work| work.set_last_slice(ended)).await?;
        let [edited, missing, orphaned, duplicated] = sum.found.drift;
        ReconcileFinished {
            rows: sum.rows,
            edited,
            missing,
            orphaned,
            duplicated,
            mended: sum.found.mended,
            calls: sum.calls,
            tables_completed: sum.tables_completed,
        }
        .emit();
        Ok(())
    }

    /// As much of one table as the rest of the slice allows.
    async fn part(
        &self,
        table: &Table,
        request: Resync,
        slice: Slice,
        sum: &mut Sum,
    ) -> Result<(), IntakeError> {
        let Some(finder) = self.requests.finders.get(&table.name) else { return Ok(()) };
        let mut comparison = Comparison::new((self, table, finder), request, slice.repair);
        comparison.budget = Some(slice.calls.saturating_sub(sum.calls));
        let done = loop {
            if !comparison.affordable() {
                break Ok(false);
            }
            match comparison.step().await {
                Ok(true) => self.backpressure().await?,
                Ok(false) => break Ok(true),
                Err(error) => break Err(error),
            }
        };
        sum.rows += comparison.rows;
        sum.calls += comparison.calls;
        sum.found.add(comparison.found);
        sum_up(&table.name, Purpose::Reconcile, &comparison.found);
        if done? {
            sum.tables_completed += 1;
            let (id, name) = (comparison.request.id, table.name.clone());
            forget(self, id).await?;
            self.store.call(move |work| work.request_resync(&whole(name)).map(drop)).await?;
        }
        Ok(())
    }
}

fn whole(table: crate::model::TableName) -> NewResync {
    NewResync { table, purpose: Purpose::Reconcile, scope: Scope::All, records: Vec::new() }
}
