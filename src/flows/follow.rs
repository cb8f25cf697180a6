//! After the full read: the sweep for what it did not see, the deltas, and
//! single records that someone asked to read again.

use std::collections::HashSet;

use crate::model::{Change, RecordId};
use crate::store::{Checkpoint, Position};

use super::commit::{Committed, commit_page};
use super::ingress::IntakeError;
use super::steps::{Next, TableRun, link_refused};

/// Records whose existence is asked in one request of a sweep.
const SWEEP_IDS: u32 = 50;

impl TableRun<'_> {
    /// Records that the full read did not see: asked for by id, because a read
    /// may be incomplete; those that are really gone are deleted.
    pub(super) async fn sweep(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::Sweep { delta, obtained, compare, .. } = checkpoint.position.clone() else {
            return Ok(Next::Done);
        };
        self.sweep_unseen(checkpoint, compare).await?;
        let position = Position::Delta { link: delta, obtained, within: false };
        let next = Checkpoint { position, ..checkpoint.clone() };
        let (name, stored) = (self.table.name.clone(), next.clone());
        self.intake
            .store
            .call(move |work| {
                work.clear_inventory(&name)?;
                work.clear_presence(&name)?;
                work.set_checkpoint(&name, &stored)
            })
            .await?;
        // The token was obtained at the end of the full read; what has changed
        // since then comes with the first delta, now.
        Ok(Next::Go(next))
    }

    /// Asks for each record that the read did not see, or, with `compare`, that
    /// is not among the ids that were read after it.
    pub(super) async fn sweep_unseen(
        &mut self,
        checkpoint: &Checkpoint,
        compare: bool,
    ) -> Result<(), IntakeError> {
        let mut after: Option<RecordId> = None;
        // Records that the read did not show; then, where the ids of all rows
        // were read, records that are not among them.
        let mut comparing = false;
        loop {
            let (name, generation) = (self.table.name.clone(), checkpoint.generation);
            let unseen = self
                .intake
                .store
                .call(move |work| {
                    if comparing {
                        work.absent(&name, after, SWEEP_IDS)
                    } else {
                        work.unseen(&name, generation, after, SWEEP_IDS)
                    }
                })
                .await?;
            let Some(last) = unseen.last() else {
                if comparing || !compare {
                    return Ok(());
                }
                (comparing, after) = (true, None);
                continue;
            };
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
    }

    pub(super) async fn delta(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::Delta { link, obtained, within } = checkpoint.position.clone() else {
            return Ok(Next::Done);
        };
        let generation = checkpoint.generation + i64::from(!within);
        let page = match self.intake.dynamics.tracked_page(&self.query(), &link).await {
            // A token or a stored page link that Dynamics does not understand
            // (any more) will not be understood next time.
            Err(failure) if link_refused(&failure) => {
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
        let all = done && !self.resumed;
        self.resumed &= !done;
        Ok(if all { Next::Done } else { Next::Go(next) })
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

    /// These records (at most 50) as they are now, in one call. What it does not
    /// show is asked for by its own id.
    async fn read_again(&self, asked: &[RecordId]) -> Result<Vec<Change>, IntakeError> {
        let mut changes = self.intake.dynamics.rows(&self.query(), asked).await?;
        let shown: HashSet<RecordId> = changes.iter().map(Change::id).collect();
        changes.retain(|change| asked.contains(&change.id()));
        for id in asked.iter().filter(|id| !shown.contains(*id)) {
            changes.push(self.reread(*id).await?);
        }
        Ok(changes)
    }

    /// Records that a changed mapping may concern.
    pub(super) async fn remaps(&mut self) -> Result<(), IntakeError> {
        loop {
            let name = self.table.name.clone();
            let asked = self.intake.store.call(move |work| work.remaps(&name, SWEEP_IDS)).await?;
            if asked.is_empty() {
                return Ok(());
            }
            let changes = self.read_again(&asked).await?;
            self.looked_at += asked.len() as u64;
            let prepared = self.prepare(&changes, false);
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
                    work.remap_done(&table.name, &asked)?;
                    Ok(committed)
                })
                .await?;
            self.report(committed);
            self.intake.backpressure().await?;
        }
    }

    /// Records that are to be read again: because someone asked, or because a
    /// parent came or went.
    pub(super) async fn rereads(&mut self) -> Result<(), IntakeError> {
        for replay in [true, false] {
            while self.some_rereads(replay).await? {}
        }
        Ok(())
    }

    /// Some of them. False if there are none.
    async fn some_rereads(&mut self, replay: bool) -> Result<bool, IntakeError> {
        let name = self.table.name.clone();
        let asked =
            self.intake.store.call(move |work| work.rereads(&name, replay, SWEEP_IDS)).await?;
        if asked.is_empty() {
            return Ok(false);
        }
        let changes = self.read_again(&asked).await?;
        let prepared = self.prepare(&changes, replay);
        let (table, tally) = (self.table.clone(), self.intake.tally.clone());
        let committed = self
            .intake
            .store
            .call(move |work| {
                let Some(checkpoint) = work.checkpoint(&table.name)? else {
                    return Ok(Committed::default());
                };
                // First: what is decided now may ask for another look.
                work.reread_done(&table.name, &asked)?;
                let committed = commit_page(work, &table, &prepared, &checkpoint)?;
                tally.add(committed.tally);
                Ok(committed)
            })
            .await?;
        self.report(committed);
        Ok(true)
    }
}
