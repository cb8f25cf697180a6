//! Requests to each system, by UTC day (days since 1970-01-01).

use rusqlite::OptionalExtension;

use crate::store::{StoreError, Work};

/// Days for which they are kept.
const KEPT_DAYS: i64 = 31;

impl Work<'_> {
    /// Requests of a day; `system` as in the log.
    pub(crate) fn calls_of(&self, system: &str, day: i64) -> Result<u64, StoreError> {
        let count: Option<i64> = self
            .sql
            .prepare_cached("SELECT count FROM calls WHERE system = ?1 AND day = ?2")?
            .query_row((system, day), |row| row.get(0))
            .optional()?;
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
    }

    /// Sets them. Those of long ago are forgotten.
    pub(crate) fn set_calls(
        &mut self,
        system: &str,
        day: i64,
        count: u64,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "INSERT INTO calls (system, day, count) VALUES (?1, ?2, ?3)
                 ON CONFLICT (system, day) DO UPDATE SET count = excluded.count",
            )?
            .execute((system, day, i64::try_from(count).unwrap_or(i64::MAX)))?;
        self.sql
            .prepare_cached("DELETE FROM calls WHERE system = ?1 AND day < ?2")?
            .execute((system, day - KEPT_DAYS))?;
        Ok(())
    }
}
