//! Which rows are there at all, read after a full read of several pages: a row
//! that was deleted after its page and before the last one is older than the
//! token, so no delta will ever tell of it. Costs ids only.

use crate::dynamics::Query;
use crate::model::{Change, RecordId};
use crate::store::{Checkpoint, Position};

use super::ingress::IntakeError;
use super::steps::{FULL_READS, Next, TableRun, link_refused};

/// Rows of a page that Dataverse gives at most ("Page results using OData").
const MOST_ROWS: u32 = 5000;

impl TableRun<'_> {
    /// Writes down the ids of one page; the sweep then looks for records that
    /// are not among them.
    pub(super) async fn presence(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::Presence { next, delta, obtained, rows } = checkpoint.position.clone() else {
            return Ok(Next::Done);
        };
        let mapping = checkpoint.mapping.clone();
        let page = match self.intake.dynamics.ids(&self.id_query(), next.as_deref()).await {
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
        let (generation, first) = (checkpoint.generation, next.is_none());
        let position = match page.next {
            Some(next) => Position::Presence { next: Some(next), delta, obtained, rows },
            None => Position::Sweep { delta, obtained, rows, compare: true },
        };
        let next = Checkpoint { position, generation, mapping };
        let (name, stored) = (self.table.name.clone(), next.clone());
        let ids: Vec<RecordId> = page.changes.iter().map(Change::id).collect();
        self.intake
            .store
            .call(move |work| {
                if first {
                    work.clear_presence(&name)?;
                }
                work.add_presence(&name, &ids)?;
                work.set_checkpoint(&name, &stored)
            })
            .await?;
        Ok(Next::Go(next))
    }

    /// Ids are short: more of them fit a page.
    fn id_query(&self) -> Query {
        let query = self.query();
        Query { page_rows: (query.page_rows * 5).min(MOST_ROWS), ..query }
    }
}
