//! Leases: which revision of an outbox row is being worked on, and how the
//! work on it ends.

use rusqlite::OptionalExtension;

use crate::model::Flow;
use crate::store::outbox::{COLUMNS, Leased, Raw};
use crate::store::{StoreError, Work};

/// In place of a leased revision: the row is set aside until the drain ends.
/// Revisions begin at one.
pub(super) const ASIDE: i64 = 0;

impl Work<'_> {
    /// Takes up to `limit` waiting rows of a flow for delivery, oldest first; those
    /// that may have been carried out only `with_doubtful`.
    pub(crate) fn lease(
        &mut self,
        flow: Flow,
        limit: usize,
        with_doubtful: bool,
    ) -> Result<Vec<Leased>, StoreError> {
        let rows: Vec<Raw> = {
            let mut statement = self.sql.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM outbox INDEXED BY outbox_ready
                 WHERE leased IS NULL AND hold = 'free' AND waits = 0 AND flow = ?1
                   AND uncertain <= ?3 ORDER BY id LIMIT ?2"
            ))?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map((flow.as_str(), limit, with_doubtful), Raw::read)?;
            rows.collect::<Result<_, _>>()?
        };
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        self.sql
            .prepare_cached(
                // The plus keeps SQLite from walking all rows of the flow.
                "UPDATE outbox SET leased = revision WHERE id BETWEEN ?1 AND ?2
                   AND leased IS NULL AND hold = 'free' AND waits = 0 AND +flow = ?3
                   AND uncertain <= ?4",
            )?
            .execute((first.id, last.id, flow.as_str(), with_doubtful))?;
        rows.into_iter().map(|raw| self.leased(flow, &raw)).collect()
    }

    /// Whether there is a row to be taken that may have been carried out.
    pub(crate) fn has_doubtful(&self, flow: Flow) -> Result<bool, StoreError> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_ready
                   WHERE leased IS NULL AND hold = 'free' AND waits = 0 AND flow = ?1
                     AND uncertain = 1)",
            )?
            .query_row([flow.as_str()], |row| row.get(0))?)
    }

    /// Takes a leased row anew, with the newest decision. None if that is a
    /// deletion that the guard must see first, or must wait for another record;
    /// the lease is given back then.
    /// With it, whether the leased decision was overtaken.
    pub(crate) fn release_again(
        &mut self,
        flow: Flow,
        id: i64,
    ) -> Result<(Option<Leased>, bool), StoreError> {
        let overtaken = self.unlease(id)?;
        let changed = self
            .sql
            .prepare_cached(
                "UPDATE outbox SET leased = revision WHERE id = ?1 AND hold = 'free' AND waits = 0",
            )?
            .execute([id])?;
        if changed == 0 {
            return Ok((None, overtaken));
        }
        let raw = self
            .sql
            .prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1"))?
            .query_row([id], Raw::read)?;
        Ok((Some(self.leased(flow, &raw)?), overtaken))
    }

    /// Gives a lease back: the row waits again. True if a newer decision had
    /// taken the place of the leased one.
    pub(crate) fn unlease(&mut self, id: i64) -> Result<bool, StoreError> {
        self.end_lease(id, None)
    }

    /// Sets a leased row aside: nothing of it is on its way, but nobody takes
    /// it up either until [`Work::unlease`]. True as there.
    pub(crate) fn set_aside(&mut self, id: i64) -> Result<bool, StoreError> {
        self.end_lease(id, Some(ASIDE))
    }

    fn end_lease(&mut self, id: i64, leased: Option<i64>) -> Result<bool, StoreError> {
        let overtaken: bool = self
            .sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM outbox
                   WHERE id = ?1 AND leased < revision AND leased <> ?2)",
            )?
            .query_row((id, ASIDE), |row| row.get(0))?;
        self.sql
            .prepare_cached("UPDATE outbox SET leased = ?2 WHERE id = ?1")?
            .execute((id, leased))?;
        Ok(overtaken)
    }

    /// How many decisions were overtaken while they were leased, and have not
    /// been settled.
    pub(crate) fn overtaken(&self, flow: Flow) -> Result<u64, StoreError> {
        let count: i64 = self
            .sql
            .prepare_cached(
                "SELECT count(*) FROM outbox
                 WHERE flow = ?1 AND leased < revision AND leased <> ?2",
            )?
            .query_row((flow.as_str(), ASIDE), |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Ends the work on a leased revision that Campaign now holds. Gives the
    /// read that last saw the record, if the row is gone; none if a newer
    /// decision was waiting behind it.
    pub(crate) fn finish(&mut self, leased: &Leased) -> Result<Option<i64>, StoreError> {
        let seen = self.give_up(leased)?;
        if seen.is_none() {
            self.sql
                .prepare_cached("UPDATE outbox SET uncertain = 0 WHERE id = ?1")?
                .execute([leased.id])?;
        }
        Ok(seen)
    }

    /// Ends the work on a leased revision without success. As [`Work::finish`],
    /// but the newer decision inherits the doubt about earlier attempts.
    pub(crate) fn give_up(&mut self, leased: &Leased) -> Result<Option<i64>, StoreError> {
        // Two plain statements cost less than one with RETURNING, which makes a
        // table of its own for its answer.
        let seen = self
            .sql
            .prepare_cached("SELECT seen FROM outbox WHERE id = ?1 AND revision = ?2")?
            .query_row((leased.id, leased.revision), |row| row.get(0))
            .optional()?;
        if seen.is_some() {
            self.withdraw(leased.id)?;
        } else {
            self.unlease(leased.id)?;
        }
        Ok(seen)
    }

    /// Notes a failed attempt; the row stays leased until its next one.
    pub(crate) fn note_attempt(
        &mut self,
        leased: &Leased,
        attempts: u32,
        uncertain: bool,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "UPDATE outbox SET uncertain = ?2,
                   attempts = CASE WHEN revision = ?4 THEN ?3 ELSE attempts END WHERE id = ?1",
            )?
            .execute((leased.id, uncertain, attempts, leased.revision))?;
        Ok(())
    }
}
