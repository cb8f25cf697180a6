//! Tables without change tracking: each pass reads all rows and compares them
//! with the mirror; what the read did not show is looked for and deleted.
//!
//! A row that changes while the read is under way is found by the next pass,
//! so no catch-up is needed.

use jiff::Timestamp;

use crate::dynamics::Page;
use crate::mapping::spec::Tracking;
use crate::model::{Change, Flow, RecordId, RowVersion, TallyDelta};
use crate::store::{Checkpoint, Position};
use crate::telemetry::LoadFinished;

use super::full_read::live_rows;
use super::ingress::IntakeError;
use super::steps::{Next, TableRun, link_refused};

const FLOW: Flow = Flow::Ingress;

/// The checkpoint in the form that the table's `tracking` asks for: a position
/// of the other form begins a read anew, under a number of its own.
pub(super) fn fitting(checkpoint: Checkpoint, tracking: Tracking, now: Timestamp) -> Checkpoint {
    let initial = match (&checkpoint.position, tracking) {
        (
            Position::FullRead { initial, .. } | Position::CatchUp { initial, .. },
            Tracking::Diff,
        )
        | (Position::DiffRead { initial, .. }, Tracking::Changes) => *initial,
        (
            Position::Presence { .. }
            | Position::Sweep { .. }
            | Position::Affected { .. }
            | Position::Delta { .. },
            Tracking::Diff,
        )
        | (Position::DiffSweep { .. } | Position::DiffRest { .. }, Tracking::Changes) => false,
        (Position::Inventory { .. }, _)
        | (
            Position::FullRead { .. }
            | Position::CatchUp { .. }
            | Position::Presence { .. }
            | Position::Sweep { .. }
            | Position::Affected { .. }
            | Position::Delta { .. },
            Tracking::Changes,
        )
        | (
            Position::DiffRead { .. } | Position::DiffSweep { .. } | Position::DiffRest { .. },
            Tracking::Diff,
        ) => return checkpoint,
    };
    let position = match tracking {
        Tracking::Changes => {
            Position::FullRead { next: None, started: now, began: None, pages: 0, rows: 0, initial }
        }
        Tracking::Diff => Position::DiffRead { next: None, pages: 0, rows: 0, initial, new: true },
    };
    Checkpoint { position, generation: checkpoint.generation + 1, ..checkpoint }
}

impl TableRun<'_> {
    /// One page of all rows.
    pub(super) async fn diff_read(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::DiffRead { next, pages, rows, initial, new } = checkpoint.position.clone()
        else {
            return Ok(Next::Done);
        };
        let page = match self.intake.dynamics.all_rows(&self.query(), next.as_deref()).await {
            // A stored page link does not live for ever: begin again.
            Err(failure) if link_refused(&failure) && next.is_some() => {
                return self
                    .begin_full_read(checkpoint, initial, "cursor-expired")
                    .await
                    .map(Next::Go);
            }
            page => page?,
        };
        let (pages, rows) = (pages + 1, rows + live_rows(&page));
        let position = match page.next.clone() {
            Some(next) => Position::DiffRead { next: Some(next), pages, rows, initial, new },
            None => {
                if let Some(alarm) = self.empty_alarm(checkpoint, rows).await? {
                    return Err(alarm);
                }
                if new {
                    LoadFinished { flow: FLOW, table: self.table.name.clone(), rows, pages }.emit();
                }
                Position::DiffSweep { rows }
            }
        };
        let changes =
            if new { page.changes } else { self.without_letters(checkpoint, page).await? };
        let next = Checkpoint { position, ..checkpoint.clone() };
        self.commit(&changes, initial, &next).await?;
        Ok(Next::Go(next))
    }

    /// The page without rows that were given up and are still the same: reading
    /// them again is no new decision.
    async fn without_letters(
        &self,
        checkpoint: &Checkpoint,
        page: Page,
    ) -> Result<Vec<Change>, IntakeError> {
        let versions: Vec<(RecordId, RowVersion)> = page
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Upsert(row) => Some((row.id, row.version?)),
                Change::Delete(_) => None,
            })
            .collect();
        let (name, generation) = (self.table.name.clone(), checkpoint.generation);
        let same = self
            .intake
            .store
            .call(move |work| {
                let same = work.see_dead_letters(FLOW, &name, &versions, generation)?;
                for record in &same {
                    work.mark_seen(&name, *record, generation)?;
                }
                Ok(same)
            })
            .await?;
        let count = same.len() as u64;
        self.intake.tally.add(TallyDelta {
            read: count,
            unchanged: count,
            ..TallyDelta::default()
        });
        let mut changes = page.changes;
        changes.retain(|change| !same.contains(&change.id()));
        Ok(changes)
    }

    /// What the read did not show; then the table rests until the next pass.
    pub(super) async fn diff_sweep(
        &mut self,
        checkpoint: &Checkpoint,
    ) -> Result<Next, IntakeError> {
        self.sweep_unseen(checkpoint, false).await?;
        let position = Position::DiffRest { ended: self.intake.clock.now() };
        let next = Checkpoint { position, ..checkpoint.clone() };
        let name = self.table.name.clone();
        self.intake
            .store
            .call(move |work| {
                work.clear_inventory(&name)?;
                work.set_checkpoint(&name, &next)
            })
            .await?;
        Ok(Next::Done)
    }
}

/// The next pass's read of a table that rests. It is stored with its first page.
pub(super) fn next_read(checkpoint: &Checkpoint) -> Next {
    Next::Go(Checkpoint {
        position: Position::DiffRead { next: None, pages: 0, rows: 0, initial: false, new: false },
        generation: checkpoint.generation + 1,
        mapping: checkpoint.mapping.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_of_the_other_kind_begins_a_read_under_a_new_number() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let full = |initial| Position::FullRead {
            next: None,
            started: now,
            began: None,
            pages: 0,
            rows: 0,
            initial,
        };
        let diff =
            |initial| Position::DiffRead { next: None, pages: 0, rows: 0, initial, new: true };
        let page = Some("/p".to_owned());
        let (next, delta) = (page.clone(), "/d".to_owned());
        let read = Position::DiffRead { next: page, pages: 1, rows: 5, initial: true, new: true };
        let tracked = Position::FullRead {
            next,
            started: now,
            began: None,
            pages: 1,
            rows: 5,
            initial: true,
        };
        let rest = Position::DiffRest { ended: now };
        let listing = Position::Inventory { next: None };
        let link = Position::Delta { link: delta, obtained: now, within: false };
        let cases = [
            (tracked.clone(), Tracking::Diff, Some(diff(true))),
            (link.clone(), Tracking::Diff, Some(diff(false))),
            (read.clone(), Tracking::Changes, Some(full(true))),
            (rest.clone(), Tracking::Changes, Some(full(false))),
            (Position::DiffSweep { rows: 5 }, Tracking::Changes, Some(full(false))),
            (listing.clone(), Tracking::Diff, None),
            (listing, Tracking::Changes, None),
            (read, Tracking::Diff, None),
            (rest, Tracking::Diff, None),
            (tracked, Tracking::Changes, None),
            (link, Tracking::Changes, None),
        ];
        for (position, tracking, expected) in cases {
            let stored = Checkpoint { position, generation: 4, mapping: "m".to_owned() };
            let fit = fitting(stored.clone(), tracking, now);
            let begun = Checkpoint { generation: 5, ..stored.clone() };
            let expected = expected.map(|position| Checkpoint { position, ..begun });
            assert_eq!(fit, expected.unwrap_or(stored), "{tracking:?}");
        }
    }
}
