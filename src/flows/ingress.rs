//! The ingress flow: all mapped tables, one after the other, parents before
//! their children. A table that cannot go on stops alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::campaign;
use crate::clock::Clock;
use crate::dynamics::{self, Failure, Outcome};
use crate::mapping::spec::MissingParent;
use crate::model::{Flow, TableName, Tally, exceeded};
use crate::store::{Checkpoint, Store, StoreError};
use crate::telemetry::{DeletesHeld, DeletesReleased, SchemaDrifted, TableFailed};

pub(crate) use super::decide::Deletions;
pub(crate) use super::prepare::Table;
use super::requests::Requests;
pub(crate) use super::resume::Remapped;
use super::shape::with_remedy;
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
    /// What was asked for beyond the changes.
    pub(crate) requests: Requests,
}

/// Why a table, or all of them, cannot go on.
#[derive(Debug)]
pub(crate) enum IntakeError {
    /// A system would not.
    Remote(Failure),
    /// The store would not: everything ends.
    Store(StoreError),
    /// A column or field is no longer what it was; with the refusal that showed
    /// it.
    Drifted(String, Failure),
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
    /// The held deletions.
    pub(crate) waves: Vec<DeletesHeld>,
    /// Changed mappings, and what follows from each.
    pub(crate) remapped: Vec<Remapped>,
    /// A refusal of credentials or privileges, if there was one.
    pub(crate) refused: Option<Failure>,
    /// A server error that repeating did not mend, if there was one.
    pub(crate) kept_refusing: Option<Failure>,
}

impl Intake {
    /// Reads all tables up to date; parents come before their children.
    pub(crate) async fn run(&self, tables: &[Table]) -> Result<IntakeReport, StoreError> {
        self.begin(tables).await?;
        let mut report = IntakeReport::default();
        let mut read = BTreeSet::new();
        for table in tables {
            let table = &table.with_read(&read);
            let ended = match self.table(table, &mut report).await {
                Ok(()) => {
                    read.insert(table.name.clone());
                    // Deletions go child first: those of parents are looked at
                    // when all children have been read.
                    if table.is_parent {
                        Ok(false)
                    } else {
                        Ok(self.guard(table, &mut report).await?)
                    }
                }
                Err(IntakeError::Remote(failure)) => match self.drifted(table, &failure).await {
                    Some(reason) => Err(IntakeError::Drifted(reason, failure)),
                    None => Err(IntakeError::Remote(failure)),
                },
                Err(error) => Err(error),
            };
            note(table, ended, &mut report)?;
            self.work_ready.notify_one();
        }
        if let Some(slice) = self.requests.slice {
            self.reconcile(tables, slice, &mut report).await?;
            for table in tables.iter().filter(|table| !table.is_parent) {
                if read.contains(&table.name) {
                    let held = self.guard(table, &mut report).await?;
                    note(table, Ok(held), &mut report)?;
                }
            }
        }
        for table in tables.iter().rev().filter(|table| table.is_parent) {
            self.release_approved(table).await?;
            if read.contains(&table.name) {
                let held = self.guard(table, &mut report).await?;
                note(table, Ok(held), &mut report)?;
            }
            self.work_ready.notify_one();
        }
        Ok(report)
    }

    /// What must be right before anything is read: rows are what was written,
    /// nothing waits for what is there, and links that the configuration dropped
    /// hold nobody up.
    pub(super) async fn begin(&self, tables: &[Table]) -> Result<(), StoreError> {
        let linkless: Vec<TableName> = tables
            .iter()
            .filter(|table| !table.has_links())
            .map(|table| table.name.clone())
            .collect();
        let names: Vec<TableName> = tables.iter().map(|table| table.name.clone()).collect();
        self.store
            .call(move |work| {
                names.iter().try_for_each(|table| work.patrol(table))?;
                for table in &linkless {
                    work.drop_links(table)?;
                }
                work.recount_waiting()
            })
            .await
    }

    /// One table up to date.
    async fn table(&self, table: &Table, report: &mut IntakeReport) -> Result<(), IntakeError> {
        if !table.is_parent {
            self.release_approved(table).await?;
        }
        let mut run = TableRun::new(self, table);
        if self.requests.only {
            self.same_target(table).await?;
        } else {
            let (checkpoint, remapped) = self.checkpoint(table).await?;
            let remapped_here = remapped.is_some();
            report.remapped.extend(remapped);
            run.run(checkpoint).await?;
            run.remaps().await?;
            if remapped_here && let Some(remapped) = report.remapped.last_mut() {
                remapped.rows.get_or_insert(run.looked_at);
            }
            self.reconsider(table).await?;
            run.rereads().await?;
        }
        run.requests().await
    }

    /// Records that wait for a parent which will not come, where the link has
    /// another choice, are decided anew.
    async fn reconsider(&self, table: &Table) -> Result<(), StoreError> {
        let links: Vec<String> = table
            .mapping
            .links()
            .iter()
            .filter(|link| link.missing_parent != MissingParent::Wait)
            .filter(|link| table.read_parents.contains(&link.table))
            .map(|link| link.name.to_string())
            .collect();
        if links.is_empty() {
            return Ok(());
        }
        let name = table.name.clone();
        self.store
            .call(move |work| links.iter().try_for_each(|link| work.reconsider(&name, link)))
            .await
    }

    async fn release_approved(&self, table: &Table) -> Result<(), StoreError> {
        let name = table.name.clone();
        let released = self.store.call(move |work| work.release_approved(&name)).await?;
        if released > 0 {
            let released = released as u64;
            DeletesReleased { flow: FLOW, table: table.name.clone(), released }.emit();
        }
        Ok(())
    }

    /// Refuses a table whose mapping names another target than the store does.
    pub(super) async fn same_target(&self, table: &Table) -> Result<(), IntakeError> {
        let name = table.name.clone();
        let stored = self.store.call(move |work| work.checkpoint(&name)).await?;
        stored.map_or(Ok(()), |stored| refuse_other_target(&stored, table))
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

    /// Looks at the wave of deletions: lets it go, or holds it. True if held.
    async fn guard(&self, table: &Table, report: &mut IntakeReport) -> Result<bool, StoreError> {
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
        let wave = DeletesHeld { flow: FLOW, table: table.name.clone(), held, mapped, limit };
        wave.emit();
        report.waves.retain(|other| other.table != wave.table);
        report.waves.push(wave);
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

/// A refusal with what can be done about it here.
fn in_words(failure: &Failure) -> String {
    if dynamics::not_tracked(failure) {
        format!("{failure}; set `tracking = \"diff\"` in the mapping of this table")
    } else {
        failure.to_string()
    }
}

/// Notes how a table ended: whether deletions are held, or what went wrong.
pub(super) fn note(
    table: &Table,
    ended: Result<bool, IntakeError>,
    report: &mut IntakeReport,
) -> Result<(), StoreError> {
    match ended {
        Ok(false) => {}
        Ok(true) | Err(IntakeError::Held) => {
            if !report.held.contains(&table.name) {
                report.held.push(table.name.clone());
            }
        }
        Err(IntakeError::Store(error)) => return Err(error),
        Err(IntakeError::Remote(failure)) => {
            if !failure.is_spent() {
                failed(table, in_words(&failure));
            }
            refused(table, failure, report);
        }
        Err(IntakeError::Drifted(reason, failure)) => {
            let reason = with_remedy(&table.name, &reason);
            SchemaDrifted { flow: FLOW, table: table.name.clone(), reason }.emit();
            refused(table, failure, report);
        }
        Err(IntakeError::Table(reason)) => {
            failed(table, reason);
            report.failed.push(table.name.clone());
        }
    }
    Ok(())
}

/// Notes what a system's refusal means for the pass.
fn refused(table: &Table, failure: Failure, report: &mut IntakeReport) {
    report.failed.push(table.name.clone());
    if matches!(failure.outcome, Outcome::Refused | Outcome::Spent) {
        report.refused = Some(failure);
    } else if failure.outcome == Outcome::ServerError {
        report.kept_refusing = Some(failure);
    }
}

pub(super) fn refuse_other_target(stored: &Checkpoint, table: &Table) -> Result<(), IntakeError> {
    let identity = stored.mapping.split('|').next().unwrap_or_default();
    if identity == table.identity {
        return Ok(());
    }
    Err(IntakeError::Table(format!(
        "the store mirrors {identity}, the configuration now says {}; set [store] path to a new file, or put the mapping back",
        table.identity
    )))
}

fn failed(table: &Table, reason: String) {
    TableFailed { flow: FLOW, table: table.name.clone(), reason }.emit();
}
