//! The ingress flow: all mapped tables, one after the other. A table that
//! cannot go on stops alone.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::campaign;
use crate::clock::Clock;
use crate::dynamics::{self, Failure, Outcome};
use crate::model::{Flow, TableName, Tally};
use crate::store::{Checkpoint, Store, StoreError};
use crate::telemetry::{CursorAging, DeletesHeld, DeletesReleased, SchemaDrifted, TableFailed};

pub(crate) use super::decide::Deletions;
pub(crate) use super::prepare::Table;
pub(crate) use super::resume::Remapped;
use super::steps::{TableRun, schema_refused};

const FLOW: Flow = Flow::Ingress;

/// Decisions that may wait before reading pauses: a limit on what lies on disk
/// while Campaign is slower than Dynamics. A few pages keep delivery busy, and
/// what waits fits into the store's cache.
const MAX_READY: u64 = 5000;

/// What the reading of a pass needs.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    /// Reads tables.
    pub(crate) dynamics: dynamics::Reader,
    /// Lists resources.
    pub(crate) campaign: campaign::Reader,
    /// Takes decisions and cursors.
    pub(crate) store: Store,
    /// Time.
    pub(crate) clock: Clock,
    /// The run's counts.
    pub(crate) tally: Tally,
    /// Told whenever there may be new work for delivery.
    pub(crate) work_ready: Arc<Notify>,
    /// Told whenever delivery has settled something; none in a dry run, where
    /// nothing is delivered and reading never pauses.
    pub(crate) settled: Option<Arc<Notify>>,
    /// How long Dynamics keeps deleted rows, if it said.
    pub(crate) retention_days: Option<u32>,
}

/// Why a table, or all of them, cannot go on.
#[derive(Debug)]
pub(crate) enum IntakeError {
    /// A system would not.
    Remote(Failure),
    /// The store would not: everything ends.
    Store(StoreError),
    /// This table cannot go on.
    Table(String),
    /// A person must say how to go on; reported already.
    Held,
}

impl From<StoreError> for IntakeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How the tables of a pass ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct IntakeReport {
    /// Tables that could not go on.
    pub(crate) failed: Vec<TableName>,
    /// Tables with held deletions or an empty read.
    pub(crate) held: Vec<TableName>,
    /// Changed mappings, and what follows from each.
    pub(crate) remapped: Vec<Remapped>,
    /// A refusal of credentials or privileges, if there was one.
    pub(crate) refused: Option<Failure>,
    /// A server error that repeating did not mend, if there was one.
    pub(crate) kept_refusing: Option<Failure>,
}

impl Intake {
    /// Reads all tables up to date.
    pub(crate) async fn run(&self, tables: &[Table]) -> Result<IntakeReport, StoreError> {
        let mut report = IntakeReport::default();
        for table in tables {
            match self.table(table, &mut report).await {
                Ok(false) => {}
                Ok(true) | Err(IntakeError::Held) => report.held.push(table.name.clone()),
                Err(IntakeError::Store(error)) => return Err(error),
                Err(IntakeError::Remote(failure)) => {
                    match self.drifted(table, &failure).await {
                        Some(reason) => {
                            let table = table.name.clone();
                            SchemaDrifted { flow: FLOW, table, reason }.emit();
                        }
                        None => failed(table, failure.to_string()),
                    }
                    report.failed.push(table.name.clone());
                    if failure.outcome == Outcome::Refused {
                        report.refused = Some(failure);
                    } else if failure.outcome == Outcome::ServerError {
                        report.kept_refusing = Some(failure);
                    }
                }
                Err(IntakeError::Table(reason)) => {
                    failed(table, reason);
                    report.failed.push(table.name.clone());
                }
            }
            self.work_ready.notify_one();
        }
        Ok(report)
    }

    /// One table up to date. True if deletions are held.
    async fn table(&self, table: &Table, report: &mut IntakeReport) -> Result<bool, IntakeError> {
        self.release_approved(table).await?;
        let (checkpoint, remapped) = self.checkpoint(table).await?;
        report.remapped.extend(remapped);
        self.watch_age(table, &checkpoint);
        let mut run = TableRun::new(self, table);
        run.run(checkpoint).await?;
        run.remaps().await?;
        run.rereads().await?;
        self.guard(table).await
    }

    async fn release_approved(&self, table: &Table) -> Result<(), IntakeError> {
        let name = table.name.clone();
        let released = self.store.call(move |work| work.release_approved(&name)).await?;
        if released > 0 {
            let released = released as u64;
            DeletesReleased { flow: FLOW, table: table.name.clone(), released }.emit();
        }
        Ok(())
    }

    /// A read that was refused because the schema changed under it: which
    /// columns are gone, or that one is hidden from our role.
    async fn drifted(&self, table: &Table, failure: &Failure) -> Option<String> {
        if !schema_refused(failure) {
            return None;
        }
        let wanted = table.query.columns.iter().map(|column| column.name.clone()).collect();
        let schema = self.dynamics.table_schema(&table.name, Some(&wanted)).await.ok();
        let gone: Vec<String> = schema.map_or_else(Vec::new, |schema| {
            let columns = table.query.columns.iter();
            columns
                .filter(|it| it.name != schema.primary_id)
                .filter(|it| schema.columns.get(&it.name).is_none_or(|now| now.kind != it.kind))
                .map(|it| format!("the column `{}` is no longer what it was", it.name))
                .collect()
        });
        Some(if gone.is_empty() { failure.to_string() } else { gone.join("; ") })
    }

    fn watch_age(&self, table: &Table, checkpoint: &Checkpoint) {
        let (Some(obtained), Some(days)) = (checkpoint.position.obtained(), self.retention_days)
        else {
            return;
        };
        let retention_seconds = u64::from(days) * 86_400;
        let age = self.clock.now().duration_since(obtained).as_secs();
        let age_seconds = u64::try_from(age).unwrap_or(0);
        if retention_seconds > 0 && age_seconds * 2 > retention_seconds {
            CursorAging { flow: FLOW, table: table.name.clone(), age_seconds, retention_seconds }
                .emit();
        }
    }

    /// Looks at the wave of deletions: lets it go, or holds it. True if held.
    async fn guard(&self, table: &Table) -> Result<bool, IntakeError> {
        let (name, guard, floor) = (table.name.clone(), table.guard, table.guard_floor);
        let held = self
            .store
            .call(move |work| {
                let wave = work.held_wave(&name)?.held;
                let mapped = work.mapped_records(&name)?;
                let limit = exceeded(wave, mapped, guard.rows, guard.percent, floor);
                if limit.is_none() && wave > 0 {
                    work.release_held(&name)?;
                }
                Ok(limit.map(|limit| (wave, mapped, limit)))
            })
            .await?;
        let Some((held, mapped, limit)) = held else { return Ok(false) };
        DeletesHeld { flow: FLOW, table: table.name.clone(), held, mapped, limit }.emit();
        Ok(true)
    }

    /// Waits while too much is waiting to be delivered.
    pub(super) async fn backpressure(&self) -> Result<(), StoreError> {
        let Some(settled) = &self.settled else { return Ok(()) };
        loop {
            let waiting = settled.notified();
            // Held deletions and rows on their way do not count: they need
            // nothing from reading, and some of them wait for its end.
            if self.store.call(|work| work.ready(FLOW)).await? < MAX_READY {
                return Ok(());
            }
            self.work_ready.notify_one();
            waiting.await;
        }
    }
}

fn failed(table: &Table, reason: String) {
    TableFailed { flow: FLOW, table: table.name.clone(), reason }.emit();
}

/// Which limit of the delete guard a wave passes, if it does.
fn exceeded(
    wave: u64,
    mapped: u64,
    rows: Option<u64>,
    percent: Option<f64>,
    floor: u64,
) -> Option<&'static str> {
    if rows.is_some_and(|rows| wave > rows) {
        return Some("rows");
    }
    #[expect(clippy::cast_precision_loss, reason = "a share in percent needs no exact count")]
    let share = if mapped == 0 { 0.0 } else { wave as f64 * 100.0 / mapped as f64 };
    (wave > floor && percent.is_some_and(|percent| share > percent)).then_some("percent")
}

#[cfg(test)]
mod tests {
    use super::exceeded;

    #[test]
    fn a_wave_larger_than_either_limit_is_held() {
        let cases = [
            (0, 100, Some(0), Some(0.0), 0, None),
            (5, 100, Some(5), None, 0, None),
            (6, 100, Some(5), None, 0, Some("rows")),
            (5, 100, None, Some(5.0), 0, None),
            (6, 100, None, Some(5.0), 0, Some("percent")),
            (6, 100, Some(1000), Some(5.0), 50, None),
            (51, 100, Some(1000), Some(5.0), 50, Some("percent")),
            (3, 0, None, Some(5.0), 0, None),
            (9, 9, None, None, 0, None),
        ];
        for (wave, mapped, rows, percent, floor, expected) in cases {
            assert_eq!(
                exceeded(wave, mapped, rows, percent, floor),
                expected,
                "{wave} of {mapped}"
            );
        }
    }
}
