//! Which rows are there at all, read after a full read of several pages: a row
//! that was deleted after its page and before the last one is older than the
//! token, so no delta will ever tell of it. Costs ids only.

use crate::model::{Change, RecordId};
use crate::store::{Checkpoint, Position};

use super::ingress::IntakeError;
use super::steps::{FULL_READS, Next, TableRun, link_refused};

impl TableRun<'_> {
    /// Marks the rows of one page of ids with a generation of their own; the
    /// sweep then looks for those that have no mark.
    pub(super) async fn presence(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::Presence { next, delta, obtained, rows } = checkpoint.position.clone() else {
            return Ok(Next::Done);
        };
        let mapping = checkpoint.mapping.clone();
        let page = match self.intake.dynamics.ids(&self.query(), next.as_deref()).await {
            // A stored page link does not live for ever: begin again.
            Err(failure)
                if link_refused(&failure) && next.is_some() && self.full_reads < FULL_READS =>
            {
                self.full_reads += 1;
                let position = Position::Presence { next: None, delta, obtained, rows };
                let generation = checkpoint.generation;
                return Ok(Next::Go(Checkpoint { position, generation, mapping }));
            }
            page => page?,
        };
        self.watch.rows(page.changes.len()).map_err(IntakeError::Table)?;
        let generation = checkpoint.generation + i64::from(next.is_none());
        let position = match page.next {
            Some(next) => Position::Presence { next: Some(next), delta, obtained, rows },
            None => Position::Sweep { delta, obtained, rows },
        };
        let next = Checkpoint { position, generation, mapping };
        let (name, stored) = (self.table.name.clone(), next.clone());
        let ids: Vec<RecordId> = page.changes.iter().map(Change::id).collect();
        self.intake
            .store
            .call(move |work| {
                for id in ids {
                    work.mark_there(&name, id, generation)?;
                }
                work.set_checkpoint(&name, &stored)
            })
            .await?;
        Ok(Next::Go(next))
    }
}
