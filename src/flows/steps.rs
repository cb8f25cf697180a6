//! The steps of one table: inventory → full read → catch-up → presence → sweep
//! → delta.
//! Each step reads one page and commits it with the position behind it, so a
//! run that is interrupted goes on where it stopped.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use crate::dynamics::{Failure, Outcome, Page};
use crate::model::{Change, Flow, RecordId};
use crate::store::{Checkpoint, Held, Position};
use crate::telemetry::{CursorExpired, LoadFinished, LoadStarted, ReadEmpty, RecordDeadLettered};

use super::commit::{Committed, commit_inventory, commit_page};
use super::ingress::{Intake, IntakeError};
use super::page_watch::PageWatch;
use super::prepare::{Prepared, Table};

const FLOW: Flow = Flow::Ingress;

/// How far before the start of a full read the catch-up looks, for clocks that
/// disagree and writes that commit late.
const CATCH_UP_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// A full read that finds nothing is an alarm from this many known records on.
const EMPTY_ALARM: u64 = 10;

/// Full reads that may be begun for one table in one pass: a token that
/// expires faster than a full read takes must not make a loop without end.
pub(super) const FULL_READS: u32 = 3;

/// Records whose existence is asked in one request of a sweep.
const SWEEP_IDS: u32 = 50;

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
    page_rows: u32,
}

impl<'a> TableRun<'a> {
    pub(super) fn new(intake: &'a Intake, table: &'a Table) -> Self {
        let (watch, page_rows) = (PageWatch::default(), table.query.page_rows);
        Self { intake, table, full_reads: 0, watch, page_rows }
    }

    /// Runs the steps until the table is up to date.
    pub(super) async fn run(&mut self, start: Checkpoint) -> Result<(), IntakeError> {
        let mut checkpoint = start;
        loop {
            self.intake.backpressure().await?;
            let step = match checkpoint.position.clone() {
                Position::Inventory { next } => self.inventory(&checkpoint, next).await,
                Position::FullRead { .. } => self.full_read(&checkpoint).await,
                Position::CatchUp { .. } => self.catch_up(&checkpoint).await,
                Position::Presence { .. } => self.presence(&checkpoint).await,
                Position::Sweep { .. } => self.sweep(&checkpoint).await,
                Position::Delta { .. } => self.delta(&checkpoint).await,
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
            table: self.table.name.clone(),
            from: checkpoint.position.obtained().map(|at| at.to_string()),
            to: self.intake.clock.now().to_string(),
        }
        .emit();
        let initial = match &checkpoint.position {
            Position::FullRead { initial, .. } | Position::CatchUp { initial, .. } => *initial,
            Position::Inventory { .. }
            | Position::Presence { .. }
            | Position::Sweep { .. }
            | Position::Delta { .. } => false,
        };
        self.begin_full_read(checkpoint, initial, "cursor-expired").await
    }

    async fn begin_full_read(
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

    fn announce(&self, reason: &'static str) {
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

    async fn full_read(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::FullRead { next, started, pages, rows, initial } =
            checkpoint.position.clone()
        else {
            return Ok(Next::Done);
        };
        let query = self.query();
        let page = match &next {
            None => self.intake.dynamics.full_read(&query).await?,
            Some(next) => match self.intake.dynamics.tracked_page(&query, next).await {
                Err(failure) if failure.outcome == Outcome::Setup => {
                    // A stored page link does not live for ever: begin again.
                    return self
                        .begin_full_read(checkpoint, initial, "cursor-expired")
                        .await
                        .map(Next::Go);
                }
                page => page?,
            },
        };
        let started = if pages == 0 { page.date.unwrap_or(started) } else { started };
        let pages = pages + 1;
        let seen = rows + live_rows(&page);
        let position = match (&page.next, &page.delta) {
            (Some(next), _) => {
                Position::FullRead { next: Some(next.clone()), started, pages, rows: seen, initial }
            }
            (None, Some(delta)) => {
                if let Some(alarm) = self.empty_alarm(checkpoint, seen).await? {
                    return Err(alarm);
                }
                self.after_full_read(delta, &page, started, pages, seen, initial)
            }
            (None, None) => {
                return Err(IntakeError::Table(
                    "Dynamics ended the read without a delta link, so changes could not be followed; is change tracking on for this table?".into(),
                ));
            }
        };
        let next = Checkpoint { position, ..checkpoint.clone() };
        self.commit(&page.changes, initial, &next).await?;
        Ok(Next::Go(next))
    }

    fn after_full_read(
        &self,
        delta: &str,
        page: &Page,
        started: Timestamp,
        pages: u64,
        rows: u64,
        initial: bool,
    ) -> Position {
        LoadFinished { flow: FLOW, table: self.table.name.clone(), rows, pages }.emit();
        let obtained = page.date.unwrap_or_else(|| self.intake.clock.now());
        let delta = delta.to_owned();
        // The token stands for the moment of the last page; rows of earlier
        // pages may have changed in between.
        let can_catch_up = self.table.query.table.columns.contains_key("modifiedon");
        if pages == 1 {
            Position::Sweep { delta, obtained, rows }
        } else if can_catch_up {
            let since = started.checked_sub(CATCH_UP_MARGIN).unwrap_or(started);
            Position::CatchUp { next: None, since, delta, obtained, initial, rows }
        } else {
            Position::Presence { next: None, delta, obtained, rows }
        }
    }

    /// A read of nothing where much was: an alarm, not a success.
    async fn empty_alarm(
        &self,
        checkpoint: &Checkpoint,
        rows: u64,
    ) -> Result<Option<IntakeError>, IntakeError> {
        let name = self.table.name.clone();
        let restart = Checkpoint {
            position: Position::FullRead {
                next: None,
                started: self.intake.clock.now(),
                pages: 0,
                rows: 0,
                initial: false,
            },
            ..checkpoint.clone()
        };
        let mapped = self
            .intake
            .store
            .call(move |work| {
                let mapped = work.mapped_records(&name)?;
                let approved = work.empty_read(&name)? == Some(Held::Approved);
                if rows > 0 || mapped < EMPTY_ALARM || approved {
                    work.set_empty_read(&name, None)?;
                    return Ok(None);
                }
                work.set_empty_read(&name, Some(Held::Held))?;
                work.set_checkpoint(&name, &restart)?;
                Ok(Some(mapped))
            })
            .await?;
        let Some(mapped) = mapped else { return Ok(None) };
        ReadEmpty { flow: FLOW, table: self.table.name.clone(), mapped }.emit();
        Ok(Some(IntakeError::Held))
    }

    async fn catch_up(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::CatchUp { next, since, delta, obtained, initial, rows } =
            checkpoint.position.clone()
        else {
            return Ok(Next::Done);
        };
        let query = self.query();
        let page = match self.intake.dynamics.modified_since(&query, since, next.as_deref()).await {
            // A stored page link does not live for ever: begin again.
            Err(failure)
                if failure.outcome == Outcome::Setup
                    && next.is_some()
                    && self.full_reads < FULL_READS =>
            {
                self.full_reads += 1;
                let position =
                    Position::CatchUp { next: None, since, delta, obtained, initial, rows };
                return Ok(Next::Go(Checkpoint { position, ..checkpoint.clone() }));
            }
            page => page?,
        };
        let position = match &page.next {
            Some(next) => Position::CatchUp {
                next: Some(next.clone()),
                since,
                delta,
                obtained,
                initial,
                rows,
            },
            None => Position::Presence { next: None, delta, obtained, rows },
        };
        let next = Checkpoint { position, ..checkpoint.clone() };
        self.commit(&page.changes, initial, &next).await?;
        Ok(Next::Go(next))
    }

    /// Records that the full read did not see: asked for by id, because a read
    /// may be incomplete; those that are really gone are deleted.
    async fn sweep(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::Sweep { delta, obtained, .. } = checkpoint.position.clone() else {
            return Ok(Next::Done);
        };
        let mut after: Option<RecordId> = None;
        loop {
            let (name, generation) = (self.table.name.clone(), checkpoint.generation);
            let unseen = self
                .intake
                .store
                .call(move |work| work.unseen(&name, generation, after, SWEEP_IDS))
                .await?;
            let Some(last) = unseen.last() else { break };
            after = Some(*last);
            let query = self.query();
            let existing = self.intake.dynamics.existing(&query, &unseen).await?;
            let mut changes = Vec::with_capacity(unseen.len());
            for id in unseen {
                changes.push(if existing.contains(&id) {
                    self.reread(id).await?
                } else {
                    Change::Delete(id)
                });
            }
            self.commit(&changes, false, checkpoint).await?;
            self.intake.backpressure().await?;
        }
        let position = Position::Delta { link: delta, obtained, within: false };
        let next = Checkpoint { position, ..checkpoint.clone() };
        let (name, stored) = (self.table.name.clone(), next.clone());
        self.intake
            .store
            .call(move |work| {
                work.clear_inventory(&name)?;
                work.set_checkpoint(&name, &stored)
            })
            .await?;
        // The token was obtained at the end of the full read; what has changed
        // since then comes with the first delta, now.
        Ok(Next::Go(next))
    }

    async fn reread(&self, id: RecordId) -> Result<Change, IntakeError> {
        let row = self.intake.dynamics.row(&self.query(), id).await?;
        Ok(row.map_or(Change::Delete(id), Change::Upsert))
    }

    async fn delta(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::Delta { link, obtained, within } = checkpoint.position.clone() else {
            return Ok(Next::Done);
        };
        let generation = checkpoint.generation + i64::from(!within);
        let page = match self.intake.dynamics.tracked_page(&self.query(), &link).await {
            // A token or a stored page link that Dynamics does not understand
            // (any more) will not be understood next time.
            Err(failure) if failure.outcome == Outcome::Setup && failure.status == Some(400) => {
                return self
                    .begin_full_read(checkpoint, false, "cursor-refused")
                    .await
                    .map(Next::Go);
            }
            page => page?,
        };
        let now = page.date.unwrap_or_else(|| self.intake.clock.now());
        let (position, done) = match (page.next.clone(), page.delta.clone()) {
            (Some(next), _) => (Position::Delta { link: next, obtained, within: true }, false),
            (None, Some(delta)) => {
                (Position::Delta { link: delta, obtained: now, within: false }, true)
            }
            // Nothing new and no new link: the old one stays good.
            (None, None) if !within => (Position::Delta { link, obtained, within: false }, true),
            (None, None) => {
                return self
                    .begin_full_read(checkpoint, false, "no-delta-link")
                    .await
                    .map(Next::Go);
            }
        };
        let changes = self.settle_deletions(page.changes, generation).await?;
        let next = Checkpoint { position, generation, mapping: checkpoint.mapping.clone() };
        self.commit(&changes, false, &next).await?;
        Ok(if done { Next::Done } else { Next::Go(next) })
    }

    /// A deletion of a record that this very delta also reported alive may be
    /// older than the record (deleted, then created anew with its id) or newer
    /// (deleted while the pages were read). Only asking tells.
    async fn settle_deletions(
        &self,
        changes: Vec<Change>,
        generation: i64,
    ) -> Result<Vec<Change>, IntakeError> {
        let mut alive: HashSet<RecordId> = HashSet::new();
        let mut deleted: Vec<RecordId> = Vec::new();
        for change in &changes {
            match change {
                Change::Upsert(row) => {
                    alive.insert(row.id);
                }
                Change::Delete(id) => deleted.push(*id),
            }
        }
        let name = self.table.name.clone();
        let seen = self
            .intake
            .store
            .call(move |work| work.seen_alive(&name, generation, &deleted))
            .await?;
        alive.extend(seen);
        let mut settled = Vec::with_capacity(changes.len());
        for change in changes {
            settled.push(match change {
                Change::Delete(id) if alive.contains(&id) => self.reread(id).await?,
                change @ (Change::Delete(_) | Change::Upsert(_)) => change,
            });
        }
        Ok(settled)
    }

    /// Records that someone asked to read again.
    pub(super) async fn rereads(&mut self) -> Result<(), IntakeError> {
        loop {
            let name = self.table.name.clone();
            let asked = self.intake.store.call(move |work| work.rereads(&name, SWEEP_IDS)).await?;
            if asked.is_empty() {
                return Ok(());
            }
            let mut changes = Vec::with_capacity(asked.len());
            for id in &asked {
                changes.push(self.reread(*id).await?);
            }
            let prepared = self.prepare(&changes, true);
            let (table, tally) = (self.table.clone(), self.intake.tally.clone());
            let committed = self
                .intake
                .store
                .call(move |work| {
                    let Some(checkpoint) = work.checkpoint(&table.name)? else {
                        return Ok(Committed::default());
                    };
                    let committed = commit_page(work, &table, &prepared, &checkpoint)?;
                    tally.add(committed.tally);
                    work.reread_done(&table.name, &asked)?;
                    Ok(committed)
                })
                .await?;
            self.report(committed);
        }
    }

    fn prepare(&self, changes: &[Change], initial: bool) -> Vec<Prepared> {
        let key = self.intake.store.key();
        changes.iter().map(|change| self.table.prepare(change, initial, key)).collect()
    }

    async fn commit(
        &mut self,
        changes: &[Change],
        initial: bool,
        checkpoint: &Checkpoint,
    ) -> Result<(), IntakeError> {
        self.watch.rows(changes.len()).map_err(IntakeError::Table)?;
        let prepared = self.prepare(changes, initial);
        let (table, checkpoint) = (self.table.clone(), checkpoint.clone());
        let tally = self.intake.tally.clone();
        let committed = self
            .intake
            .store
            .call(move |work| {
                let committed = commit_page(work, &table, &prepared, &checkpoint)?;
                // Counted here: the caller may be gone when this has lasted.
                tally.add(committed.tally);
                Ok(committed)
            })
            .await?;
        self.report(committed);
        Ok(())
    }

    fn report(&self, committed: Committed) {
        for (id, reason) in committed.given_up {
            RecordDeadLettered {
                flow: FLOW,
                table: self.table.name.clone(),
                id,
                reason,
                status: None,
                request_id: None,
                attempts: 0,
            }
            .emit();
        }
        self.intake.work_ready.notify_one();
    }
}

fn live_rows(page: &Page) -> u64 {
    page.changes.iter().filter(|change| matches!(change, Change::Upsert(_))).count() as u64
}

impl From<Failure> for IntakeError {
    fn from(failure: Failure) -> Self {
        Self::Remote(failure)
    }
}
