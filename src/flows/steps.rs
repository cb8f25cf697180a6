//! The steps of one table: inventory → full read → catch-up → presence → sweep
//! → delta, and, after a change of the mapping, the rows it concerns; or, without change tracking, inventory → full read → sweep in each
//! pass.
//! Each step reads one page and commits it with the position behind it, so a
//! run that is interrupted goes on where it stopped.

use crate::dynamics::{Failure, Outcome};
use crate::model::{Change, Flow, RecordId};
use crate::store::{Checkpoint, Position, StoreError, Work};
use crate::telemetry::{CursorExpired, LoadStarted, RecordDeadLettered};

use super::commit::{Committed, commit_page};
use super::diff::{fitting, next_read};
use super::ingress::{Intake, IntakeError};
use super::inventory::commit_inventory;
use super::older::older;
use super::page_watch::PageWatch;
use super::prepare::{Prepared, Table};

const FLOW: Flow = Flow::Ingress;

/// Full reads that may be begun for one table in one pass: a token that
/// expires faster than a full read takes must not make a loop without end.
pub(super) const FULL_READS: u32 = 3;

/// What a step left behind.
pub(super) enum Next {
    /// Go on from this position.
    Go(Checkpoint),
    /// The table is up to date.
    Done,
}

/// One table on its way through the steps.
pub(super) struct TableRun<'a> {
    pub(super) intake: &'a Intake,
    pub(super) table: &'a Table,
    pub(super) full_reads: u32,
    pub(super) watch: PageWatch,
    /// Rows that were looked at because the mapping was changed.
    pub(super) looked_at: u64,
    /// Whether it is within changes that an earlier pass had asked for: what came
    /// since is still to be asked for.
    pub(super) resumed: bool,
    page_rows: u32,
}

impl<'a> TableRun<'a> {
    pub(super) fn new(intake: &'a Intake, table: &'a Table) -> Self {
        let (watch, page_rows) = (PageWatch::default(), table.query.page_rows);
        Self { intake, table, full_reads: 0, watch, looked_at: 0, resumed: false, page_rows }
    }

    /// Runs the steps until the table is up to date.
    pub(super) async fn run(&mut self, start: Checkpoint) -> Result<(), IntakeError> {
        let mut checkpoint = start;
        self.resumed = matches!(
            checkpoint.position,
            Position::Delta { within: true, .. } | Position::Affected { within: true, .. }
        );
        loop {
            self.intake.backpressure().await?;
            checkpoint = fitting(checkpoint, self.table.tracking, self.intake.clock.now());
            let step = match checkpoint.position.clone() {
                Position::Inventory { next } => self.inventory(&checkpoint, next).await,
                Position::FullRead { .. } => self.full_read(&checkpoint).await,
                Position::CatchUp { .. } => self.catch_up(&checkpoint).await,
                Position::Presence { .. } => self.presence(&checkpoint).await,
                Position::Sweep { .. } => self.sweep(&checkpoint).await,
                Position::Delta { .. } => self.delta(&checkpoint).await,
                Position::Affected { .. } => Box::pin(self.affected(&checkpoint)).await,
                Position::DiffRead { .. } => self.diff_read(&checkpoint).await,
                Position::DiffSweep { .. } => self.diff_sweep(&checkpoint).await,
                Position::DiffRest { .. } => Ok(next_read(&checkpoint)),
            };
            checkpoint = match step {
                Ok(Next::Go(checkpoint)) => {
                    if let Some(link) = checkpoint.position.page_link() {
                        let read = (checkpoint.generation, self.full_reads);
                        self.watch.link(read, link).map_err(IntakeError::Table)?;
                    }
                    checkpoint
                }
                Ok(Next::Done) => return Ok(()),
                Err(IntakeError::Remote(failure)) if failure.outcome == Outcome::CursorExpired => {
                    self.expired(&checkpoint).await?
                }
                Err(IntakeError::Remote(failure))
                    if failure.outcome == Outcome::TooLarge && self.page_rows > 100 =>
                {
                    self.page_rows /= 2;
                    checkpoint
                }
                Err(error) => return Err(error),
            };
        }
    }

    pub(super) fn query(&self) -> crate::dynamics::Query {
        crate::dynamics::Query { page_rows: self.page_rows, ..(*self.table.query).clone() }
    }

    /// The token is gone: read everything again, and find deletions by
    /// comparison.
    async fn expired(&mut self, checkpoint: &Checkpoint) -> Result<Checkpoint, IntakeError> {
        CursorExpired {
            flow: FLOW,
            table: Some(self.table.name.clone()),
            from: checkpoint.position.obtained().map(|at| at.to_string()),
            to: self.intake.clock.now().to_string(),
        }
        .emit();
        let initial = match &checkpoint.position {
            Position::FullRead { initial, .. }
            | Position::CatchUp { initial, .. }
            | Position::DiffRead { initial, .. } => *initial,
            Position::Inventory { .. }
            | Position::Presence { .. }
            | Position::Sweep { .. }
            | Position::Affected { .. }
            | Position::Delta { .. }
            | Position::DiffSweep { .. }
            | Position::DiffRest { .. } => false,
        };
        self.begin_full_read(checkpoint, initial, "cursor-expired").await
    }

    pub(super) async fn begin_full_read(
        &mut self,
        checkpoint: &Checkpoint,
        initial: bool,
        reason: &'static str,
    ) -> Result<Checkpoint, IntakeError> {
        self.full_reads += 1;
        if self.full_reads > FULL_READS {
            return Err(IntakeError::Table(format!(
                "the delta token was lost {FULL_READS} times in one pass; the next pass begins another full read"
            )));
        }
        let next = Checkpoint {
            position: Position::FullRead {
                next: None,
                started: self.intake.clock.now(),
                began: None,
                pages: 0,
                rows: 0,
                initial,
            },
            generation: checkpoint.generation + 1,
            mapping: checkpoint.mapping.clone(),
        };
        self.announce(reason);
        let (table, stored) = (self.table.name.clone(), next.clone());
        self.intake.store.call(move |work| work.set_checkpoint(&table, &stored)).await?;
        Ok(next)
    }

    pub(super) fn announce(&self, reason: &'static str) {
        LoadStarted {
            flow: FLOW,
            table: self.table.name.clone(),
            resource: self.table.resource.name.clone(),
            reason,
        }
        .emit();
    }

    async fn inventory(
        &mut self,
        checkpoint: &Checkpoint,
        next: Option<String>,
    ) -> Result<Next, IntakeError> {
        if next.is_none() {
            let table = self.table.name.clone();
            self.intake.store.call(move |work| work.clear_inventory(&table)).await?;
        }
        let fields = self.table.field_names();
        let page = self
            .intake
            .campaign
            .listing(&self.table.resource, &self.table.key, &fields, next.as_deref())
            .await?;
        if page.next.is_some() {
            self.watch.rows(page.records.len()).map_err(IntakeError::Table)?;
        }
        let position = match &page.next {
            Some(next) => Position::Inventory { next: Some(next.clone()) },
            None => {
                self.full_reads += 1;
                self.announce("first-load");
                Position::FullRead {
                    next: None,
                    started: self.intake.clock.now(),
                    began: None,
                    pages: 0,
                    rows: 0,
                    initial: true,
                }
            }
        };
        let next = Checkpoint { position, ..checkpoint.clone() };
        let (table, stored) = (self.table.clone(), next.clone());
        self.intake.store.call(move |work| commit_inventory(work, &table, &page, &stored)).await?;
        Ok(Next::Go(next))
    }

    pub(super) async fn reread(&self, id: RecordId) -> Result<Change, IntakeError> {
        let row = self.intake.dynamics.row(&self.query(), id).await?;
        Ok(row.map_or(Change::Delete(id), Change::Upsert))
    }

    pub(super) fn prepare(&self, changes: &[Change], initial: bool) -> Vec<Prepared> {
        let key = self.intake.store.key();
        changes.iter().map(|change| self.table.prepare(change, initial, key)).collect()
    }

    pub(super) async fn commit(
        &mut self,
        changes: &[Change],
        initial: bool,
        checkpoint: &Checkpoint,
    ) -> Result<(), IntakeError> {
        self.commit_with(changes, initial, checkpoint, |_| Ok(())).await
    }

    /// The same, with something to be done first in the transaction.
    pub(super) async fn commit_with(
        &mut self,
        changes: &[Change],
        initial: bool,
        checkpoint: &Checkpoint,
        first: impl FnOnce(&mut Work<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), IntakeError> {
        self.watch.rows(changes.len()).map_err(IntakeError::Table)?;
        let prepared = self.prepare(changes, initial);
        let (table, checkpoint) = (self.table.clone(), checkpoint.clone());
        let tally = self.intake.tally.clone();
        let committed = self
            .intake
            .store
            .call(move |work| {
                if let Some(reason) = older(work, &table.name, &prepared)? {
                    return Ok(Err(reason));
                }
                first(work)?;
                let committed = commit_page(work, &table, &prepared, &checkpoint)?;
                // Counted here: the caller may be gone when this has lasted.
                tally.add(committed.tally);
                Ok(Ok(committed))
            })
            .await?;
        self.report(committed.map_err(IntakeError::Table)?);
        Ok(())
    }

    pub(super) fn report(&self, committed: Committed) {
        report_committed(self.intake, self.table, committed);
    }
}

/// Tells of the records that a transaction gave up, and of the work it left.
pub(super) fn report_committed(intake: &Intake, table: &Table, committed: Committed) {
    for (id, reason) in committed.given_up {
        RecordDeadLettered {
            flow: FLOW,
            table: table.name.clone(),
            id,
            reason,
            status: None,
            request_id: None,
            attempts: 0,
        }
        .emit();
    }
    intake.work_ready.notify_one();
}

/// Whether Dynamics does not understand a link it once gave. Which code says so
/// is not confirmed: any refusal of the request as such counts.
pub(super) fn link_refused(failure: &Failure) -> bool {
    if schema_refused(failure) {
        return false;
    }
    let refused = matches!(failure.outcome, Outcome::Setup | Outcome::BadRecord | Outcome::Missing);
    refused && matches!(failure.status, Some(400 | 404))
}

/// Whether Dynamics refuses a read because of a column: it has none of that
/// name (`0x80041103`; `0x80060888` says so in `OData`'s words, which are not
/// localised), or our role may not see it (`0x8004f504`; sheet, section 8.3).
pub(super) fn schema_refused(failure: &Failure) -> bool {
    match failure.code.as_deref() {
        Some("0x80041103" | "0x8004f504") => true,
        Some("0x80060888") => failure.message.contains("Could not find a property named"),
        Some(_) | None => false,
    }
}

impl From<Failure> for IntakeError {
    fn from(failure: Failure) -> Self {
        Self::Remote(failure)
    }
}
