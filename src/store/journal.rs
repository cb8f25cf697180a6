//! Where the reading of a journal stands, and the times whose events it lost.

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use crate::store::{StoreError, Work};

/// Where the reading of a journal stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JournalPosition {
    /// Path and query of the next page.
    pub(crate) next: Option<String>,
    /// The position of the last event that was read.
    pub(crate) last: Option<String>,
    /// When the latest of all events that were read had happened.
    pub(crate) told: Option<Timestamp>,
}

/// A time whose events the journal lost before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Row number.
    pub(crate) id: i64,
    /// When the last event that was read had happened; none: nothing was.
    pub(crate) from: Option<Timestamp>,
    /// When the first event that was read after it had happened, or when the
    /// gap was found.
    pub(crate) to: Timestamp,
}

impl Work<'_> {
    /// Where the reading of a journal stands; none where it never began.
    /// `source` tells journals apart.
    pub(crate) fn journal_position(
        &self,
        source: &str,
    ) -> Result<Option<JournalPosition>, StoreError> {
        let row = self
            .sql
            .prepare_cached("SELECT next, last, told_us, seal FROM journal WHERE source = ?1")?
            .query_row([source], |row| {
                Ok((
                    row.get::<_, Option<String>>(0)?,
                    row.get::<_, Option<String>>(1)?,
                    row.get::<_, Option<i64>>(2)?,
                    row.get::<_, Vec<u8>>(3)?,
                ))
            })
            .optional()?;
        let Some((next, last, told_us, seal)) = row else { return Ok(None) };
        if self.journal_seal(source, next.as_deref(), last.as_deref(), told_us) != seal.as_slice() {
            return Err(StoreError::Corrupt(
                "a row of `journal` does not match its checksum".into(),
            ));
        }
        let told = told_us.map(moment).transpose()?;
        Ok(Some(JournalPosition { next, last, told }))
    }

    /// When the position of a journal was stored last; none where there is none.
    pub(crate) fn journal_moved(&self, source: &str) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = self
            .sql
            .prepare_cached("SELECT updated_us FROM journal WHERE source = ?1")?
            .query_row([source], |row| row.get(0))
            .optional()?;
        at.map(moment).transpose()
    }

    /// Stores where it stands, in the transaction of the events it stands for.
    pub(crate) fn set_journal_position(
        &mut self,
        source: &str,
        position: &JournalPosition,
    ) -> Result<(), StoreError> {
        let told_us = position.told.map(Timestamp::as_microsecond);
        let (next, last) = (position.next.as_deref(), position.last.as_deref());
        let seal = self.journal_seal(source, next, last, told_us);
        self.sql
            .prepare_cached(
                "INSERT INTO journal (source, next, last, told_us, updated_us, seal)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (source) DO UPDATE SET next = excluded.next, last = excluded.last,
                   told_us = excluded.told_us, updated_us = excluded.updated_us,
                   seal = excluded.seal",
            )?
            .execute((source, next, last, told_us, self.now_us(), seal.as_slice()))?;
        Ok(())
    }

    /// Notes a time whose events are lost to the journal.
    pub(crate) fn add_gap(
        &mut self,
        source: &str,
        from: Option<Timestamp>,
        to: Timestamp,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "INSERT INTO gap (source, from_us, to_us, found_us, state)
                 VALUES (?1, ?2, ?3, ?4, 'open')",
            )?
            .execute((
                source,
                from.map(Timestamp::as_microsecond),
                to.as_microsecond(),
                self.now_us(),
            ))?;
        Ok(())
    }

    /// Gaps that no other source has filled, of all journals.
    pub(crate) fn open_gaps(&self) -> Result<Vec<Gap>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT id, from_us, to_us FROM gap WHERE state = 'open' ORDER BY id",
        )?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, i64>(2)?))
        })?;
        rows.map(|row| {
            let (id, from, to) = row?;
            Ok(Gap { id, from: from.map(moment).transpose()?, to: moment(to)? })
        })
        .collect()
    }

    /// Another source told of all events of a gap.
    pub(crate) fn fill_gap(&mut self, id: i64) -> Result<(), StoreError> {
        self.sql.execute("UPDATE gap SET state = 'filled' WHERE id = ?1", [id])?;
        Ok(())
    }

    fn journal_seal(
        &self,
        source: &str,
        next: Option<&str>,
        last: Option<&str>,
        told_us: Option<i64>,
    ) -> crate::store::Fingerprint {
        let told = told_us.map(i64::to_le_bytes);
        // Absent and empty must differ.
        let mark = |present: bool| if present { &b"1"[..] } else { &b"0"[..] };
        self.key.seal(
            "journal",
            &[
                source.as_bytes(),
                mark(next.is_some()),
                next.unwrap_or_default().as_bytes(),
                mark(last.is_some()),
                last.unwrap_or_default().as_bytes(),
                told.as_ref().map_or(&[][..], |told| told.as_slice()),
            ],
        )
    }
}

fn moment(us: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(us)
        .map_err(|_| StoreError::Corrupt("a journal has an impossible time".into()))
}
