//! Held work: deletion waves the guard keeps back, and reads that came back
//! empty; both wait for a person.

use rusqlite::OptionalExtension;

use crate::model::TableName;
use crate::store::{Checkpoint, Position, StoreError, Work};

/// The deletions of one table that are not free to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldWave {
    /// Not looked at, or larger than the guard lets pass.
    pub(crate) held: u64,
    /// Released by a person, for the next pass.
    pub(crate) approved: u64,
}

/// State of an empty read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Waits for a person.
    Held,
    /// A person said that the table really is empty.
    Approved,
}

impl Work<'_> {
    /// The held deletions of a table.
    pub(crate) fn held_wave(&self, table: &TableName) -> Result<HeldWave, StoreError> {
        let (held, approved): (i64, i64) = self
            .sql
            .prepare_cached(
                "SELECT coalesce(sum(hold = 'held'), 0), coalesce(sum(hold = 'approved'), 0)
                 FROM outbox WHERE table_name = ?1 AND hold <> 'free'",
            )?
            .query_row([table.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let count = |n| u64::try_from(n).unwrap_or(0);
        Ok(HeldWave { held: count(held), approved: count(approved) })
    }

    /// Lets the wave go that a person approved. Gives its size.
    pub(crate) fn release_approved(&mut self, table: &TableName) -> Result<usize, StoreError> {
        let released = self.rehold(table, "approved", "free")?;
        if released > 0 {
            self.count_deletions(table)?;
        }
        Ok(released)
    }

    /// Lets the held wave go.
    pub(crate) fn release_held(&mut self, table: &TableName) -> Result<usize, StoreError> {
        let released = self.rehold(table, "held", "free")?;
        if released > 0 {
            self.count_deletions(table)?;
        }
        Ok(released)
    }

    /// A person approves the held wave, and an empty read if there was one.
    /// Gives the number of deletions and whether an empty read was approved.
    pub(crate) fn approve(&mut self, table: &TableName) -> Result<(usize, bool), StoreError> {
        let deletions = self.rehold(table, "held", "approved")?;
        let empty = self.empty_read(table)? == Some(Held::Held);
        if empty {
            self.set_empty_read(table, Some(Held::Approved))?;
        }
        Ok((deletions, empty))
    }

    fn rehold(&mut self, table: &TableName, from: &str, to: &str) -> Result<usize, StoreError> {
        Ok(self
            .sql
            .prepare_cached("UPDATE outbox SET hold = ?3 WHERE table_name = ?1 AND hold = ?2")?
            .execute((table.as_str(), from, to))?)
    }

    /// The environment this store belongs to; `organization`, if it has none
    /// yet.
    pub(crate) fn pin_organization(&mut self, organization: &str) -> Result<String, StoreError> {
        self.sql
            .prepare_cached(
                "INSERT INTO meta (name, value) VALUES ('organization', ?1) ON CONFLICT DO NOTHING",
            )?
            .execute([organization.as_bytes()])?;
        let known: Vec<u8> = self
            .sql
            .prepare_cached("SELECT value FROM meta WHERE name = 'organization'")?
            .query_row([], |row| row.get(0))?;
        String::from_utf8(known)
            .map_err(|_| StoreError::Corrupt("the organization id is not text".into()))
    }

    /// The Campaign instance this store belongs to; `instance`, if it has none
    /// yet. It has one once it holds something of Campaign: until then a mistake
    /// in the address can be mended.
    pub(crate) fn pin_campaign(&mut self, instance: &str) -> Result<String, StoreError> {
        self.sql
            .prepare_cached(
                "INSERT INTO meta (name, value) SELECT 'campaign', ?1
                 WHERE EXISTS (SELECT 1 FROM mirror) OR EXISTS (SELECT 1 FROM consent)
                 ON CONFLICT DO NOTHING",
            )?
            .execute([instance.as_bytes()])?;
        let known: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT value FROM meta WHERE name = 'campaign'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let Some(known) = known else { return Ok(instance.to_owned()) };
        String::from_utf8(known).map_err(|_| {
            StoreError::Corrupt("the name of the Campaign instance is not text".into())
        })
    }

    /// How long Dynamics keeps deleted rows, as it last said.
    pub(crate) fn retention_days(&self) -> Result<Option<u32>, StoreError> {
        let value: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT value FROM meta WHERE name = 'retention-days'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let bytes = value.map(|value| <[u8; 4]>::try_from(value.as_slice()));
        let bytes = bytes.transpose().map_err(|_| {
            StoreError::Corrupt("the retention of change tracking has another length".into())
        })?;
        Ok(bytes.map(u32::from_le_bytes))
    }

    /// Remembers it, for `status`.
    pub(crate) fn set_retention_days(&mut self, days: u32) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO meta (name, value) VALUES ('retention-days', ?1)",
            )?
            .execute([days.to_le_bytes().as_slice()])?;
        Ok(())
    }

    /// Notes that a table's environment was put back from a copy.
    pub(crate) fn set_went_back(&mut self, table: &TableName) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, x'01')")?
            .execute([went_back_name(table)])?;
        Ok(())
    }

    /// Takes a table whose environment was put back as it is now: no version is
    /// remembered, and all is read again, for the token may be of a time that has
    /// not come again yet. Does nothing to another table.
    pub(crate) fn accept_older(&mut self, table: &TableName) -> Result<(), StoreError> {
        let noted = self
            .sql
            .prepare_cached("DELETE FROM meta WHERE name = ?1")?
            .execute([went_back_name(table)])?;
        if noted == 0 {
            return Ok(());
        }
        self.sql
            .prepare_cached("UPDATE mirror SET version = NULL WHERE table_name = ?1")?
            .execute([table.as_str()])?;
        if let Some(checkpoint) = self.checkpoint(table)? {
            let started = self.now();
            let position = Position::FullRead {
                next: None,
                started,
                began: None,
                pages: 0,
                rows: 0,
                initial: false,
            };
            let generation = checkpoint.generation + 1;
            self.set_checkpoint(table, &Checkpoint { position, generation, ..checkpoint })?;
        }
        Ok(())
    }

    /// Whether the last full read of a table came back empty where it must not.
    pub(crate) fn empty_read(&self, table: &TableName) -> Result<Option<Held>, StoreError> {
        let value: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
            .query_row([empty_name(table)], |row| row.get(0))
            .optional()?;
        match value.as_deref() {
            None => Ok(None),
            Some(b"held") => Ok(Some(Held::Held)),
            Some(b"approved") => Ok(Some(Held::Approved)),
            Some(_) => Err(StoreError::Corrupt("an empty read has an unknown state".into())),
        }
    }

    /// Notes or forgets an empty read.
    pub(crate) fn set_empty_read(
        &mut self,
        table: &TableName,
        held: Option<Held>,
    ) -> Result<(), StoreError> {
        let value: &[u8] = match held {
            None => {
                self.sql
                    .prepare_cached("DELETE FROM meta WHERE name = ?1")?
                    .execute([empty_name(table)])?;
                return Ok(());
            }
            Some(Held::Held) => b"held",
            Some(Held::Approved) => b"approved",
        };
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute((empty_name(table), value))?;
        Ok(())
    }
}

fn went_back_name(table: &TableName) -> String {
    format!("went-back:{table}")
}

fn empty_name(table: &TableName) -> String {
    format!("empty-read:{table}")
}
