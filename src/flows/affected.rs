//! After a change of the mapping: the rows that it can concern, as Dynamics
//! gives them for a condition, before the changes are followed further.
//!
//! Why no change is lost: the delta token is older than this read and stays
//! where it is. A row that comes to fulfil the condition later, or leaves it,
//! has changed since the token, so the delta shows it.

use crate::model::{Change, RecordId};
use crate::store::{Checkpoint, Position, Work};

use super::ingress::IntakeError;
use super::steps::{FULL_READS, Next, TableRun, link_refused, schema_refused};

impl TableRun<'_> {
    /// One page of these rows.
    pub(super) async fn affected(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::Affected { filter, next, link, obtained, within } =
            checkpoint.position.clone()
        else {
            return Ok(Next::Done);
        };
        let query = self.query();
        let page = match self.intake.dynamics.matching(&query, &filter, next.as_deref()).await {
            // A stored page link does not live for ever: begin again.
            Err(failure)
                if link_refused(&failure) && next.is_some() && self.full_reads < FULL_READS =>
            {
                self.full_reads += 1;
                let position = Position::Affected { filter, next: None, link, obtained, within };
                return Ok(Next::Go(Checkpoint { position, ..checkpoint.clone() }));
            }
            // The condition may name a column that is gone since, or hold what
            // this server does not understand.
            Err(failure) if link_refused(&failure) || schema_refused(&failure) => {
                return self
                    .begin_full_read(checkpoint, false, "mapping-changed")
                    .await
                    .map(Next::Go);
            }
            page => page?,
        };
        self.looked_at += page.changes.len() as u64;
        let position = match page.next {
            Some(next) => Position::Affected { filter, next: Some(next), link, obtained, within },
            None => Position::Delta { link, obtained, within },
        };
        let next = Checkpoint { position, ..checkpoint.clone() };
        // Decided now, they need no look of their own.
        let ids: Vec<RecordId> = page.changes.iter().map(Change::id).collect();
        let name = self.table.name.clone();
        let listed = move |work: &mut Work<'_>| work.remap_done(&name, &ids);
        self.commit_with(&page.changes, false, &next, listed).await?;
        Ok(Next::Go(next))
    }
}
