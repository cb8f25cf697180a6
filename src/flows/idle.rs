//! A look whether anything has changed: asks each table for its changes and for
//! nothing else. Most passes of a daemon find none, and need no schema for that.
//!
//! Decides nothing: a row that has changed, or anything else to do, is left to
//! the pass, which reads both schemas before it looks at a row.

use crate::model::Flow;
use crate::store::{Checkpoint, Position, Purpose, StoreError};

use super::ingress::{Intake, IntakeError, Table};
use super::steps::TableRun;

impl Intake {
    /// Whether no table has anything to do; the cursors are then behind this look.
    /// `tables` may be of an earlier pass by the same configuration.
    pub(crate) async fn is_idle(&self, tables: &[Table]) -> Result<bool, StoreError> {
        if self.store.call(|work| work.flow_backlog(Flow::Ingress)).await? > 0 {
            return Ok(false);
        }
        for table in tables {
            let Some(checkpoint) = self.resting(table).await? else { return Ok(false) };
            match self.nothing_new(table, &checkpoint).await {
                Ok(true) => {}
                Err(IntakeError::Store(error)) => return Err(error),
                // The pass meets it again, and tells.
                Ok(false)
                | Err(
                    IntakeError::Remote(_)
                    | IntakeError::Drifted(..)
                    | IntakeError::Table(_)
                    | IntakeError::Held,
                ) => return Ok(false),
            }
        }
        self.begin(tables).await?;
        Ok(true)
    }

    /// Where the table stands, if it follows changes and nothing else is to be done.
    async fn resting(&self, table: &Table) -> Result<Option<Checkpoint>, StoreError> {
        let (name, mapping) = (table.name.clone(), table.mapping_of_cursor());
        self.store
            .call(move |work| {
                let asked = !work.remaps(&name, 1)?.is_empty()
                    || !work.rereads(&name, false, 1)?.is_empty()
                    || !work.rereads(&name, true, 1)?.is_empty()
                    || !work.resyncs(&[Purpose::Replay, Purpose::Repair], Some(&name))?.is_empty();
                let rests = |it: &Checkpoint| {
                    let follows = matches!(it.position, Position::Delta { within: false, .. });
                    follows && it.mapping == mapping && !asked
                };
                Ok(work.checkpoint(&name)?.filter(rests))
            })
            .await
    }

    /// Whether Dynamics knows of no change; if so, takes the new token.
    async fn nothing_new(
        &self,
        table: &Table,
        checkpoint: &Checkpoint,
    ) -> Result<bool, IntakeError> {
        let Position::Delta { link, .. } = &checkpoint.position else { return Ok(false) };
        let page = self.dynamics.tracked_page(&table.query, link).await?;
        if !page.changes.is_empty() || page.next.is_some() {
            return Ok(false);
        }
        let Some(link) = page.delta else { return Ok(true) };
        let obtained = page.date.unwrap_or_else(|| self.clock.now());
        let next = Checkpoint {
            position: Position::Delta { link, obtained, within: false },
            generation: checkpoint.generation + 1,
            mapping: checkpoint.mapping.clone(),
        };
        TableRun::new(self, table).commit(&[], false, &next).await?;
        Ok(true)
    }
}
