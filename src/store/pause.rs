//! Flows that a person paused; lasts until they are resumed.

use rusqlite::OptionalExtension;

use crate::model::Flow;
use crate::store::{StoreError, Work};

impl Work<'_> {
    /// Whether a flow is paused.
    pub(crate) fn paused(&self, flow: Flow) -> Result<bool, StoreError> {
        let value: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
            .query_row([name(flow)], |row| row.get(0))
            .optional()?;
        Ok(value.is_some())
    }

    /// Pauses or resumes a flow. Gives whether that changed anything.
    pub(crate) fn set_paused(&mut self, flow: Flow, paused: bool) -> Result<bool, StoreError> {
        let changed = if paused {
            self.sql
                .prepare_cached("INSERT OR IGNORE INTO meta (name, value) VALUES (?1, x'01')")?
                .execute([name(flow)])?
        } else {
            self.sql.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([name(flow)])?
        };
        Ok(changed > 0)
    }
}

fn name(flow: Flow) -> String {
    format!("paused-{flow}")
}
