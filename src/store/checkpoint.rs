//! Checkpoints: the position of a table mapping in its source.

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use crate::model::TableName;
use crate::store::{StoreError, Work};

/// Where a table mapping stands. Links are path and query only: a stored
/// continuation cannot name a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub(crate) enum Position {
    /// Before the first load: Campaign is listed, to know what it holds.
    Inventory {
        /// The next page of the listing; none at its start.
        next: Option<String>,
    },
    /// All rows are read, page by page.
    FullRead {
        /// The next page; none at the start.
        next: Option<String>,
        /// When the read began, by the source's clock where it told.
        started: Timestamp,
        /// The same by ours, once there was a page.
        #[serde(default)]
        began: Option<Timestamp>,
        /// Pages taken so far.
        pages: u64,
        /// Rows taken so far.
        rows: u64,
        /// Whether fields with `updates = false` are written.
        initial: bool,
    },
    /// Rows changed while the full read was under way are read again.
    CatchUp {
        /// The next page; none at the start.
        next: Option<String>,
        /// Changed since when; none: all rows, where the table does not say when
        /// a row was changed.
        since: Option<Timestamp>,
        /// What the last page of the full read gave.
        delta: String,
        /// When it gave it.
        obtained: Timestamp,
        /// As in the full read.
        initial: bool,
        /// Rows the full read saw.
        rows: u64,
    },
    /// The ids of all rows are read: what was deleted while the full read was
    /// under way, after its page, is older than the token and in no delta.
    Presence {
        /// The next page; none at the start.
        next: Option<String>,
        /// As in the catch-up.
        delta: String,
        /// As in the catch-up.
        obtained: Timestamp,
        /// Rows the full read saw.
        rows: u64,
    },
    /// Records the full read did not see are looked for and deleted.
    Sweep {
        /// As in the catch-up.
        delta: String,
        /// As in the catch-up.
        obtained: Timestamp,
        /// Rows the full read saw.
        rows: u64,
        /// Whether the ids of all rows were read, and are to be compared.
        #[serde(default)]
        compare: bool,
    },
    /// Changes are read from here.
    Delta {
        /// The delta link, or the next page within a delta.
        link: String,
        /// When the delta link was obtained; what its age is counted from.
        obtained: Timestamp,
        /// Whether `link` is a page within a delta.
        within: bool,
    },
    /// The mapping was changed: the rows that this can concern are read. Then
    /// the delta goes on where it stood, so that no change is lost.
    Affected {
        /// The condition that such rows fulfil.
        filter: String,
        /// The next page; none at the start.
        next: Option<String>,
        /// As in the delta.
        link: String,
        /// As in the delta.
        obtained: Timestamp,
        /// As in the delta.
        within: bool,
    },
    /// All rows are read without change tracking, to be compared.
    DiffRead {
        /// The next page; none at the start.
        next: Option<String>,
        /// Pages taken so far.
        pages: u64,
        /// Rows taken so far.
        rows: u64,
        /// As in the full read.
        initial: bool,
        /// Whether it is the first read of its mapping: rows that were given up
        /// are tried again.
        new: bool,
    },
    /// Records that such a read did not see are looked for and deleted.
    DiffSweep {
        /// Rows the read saw.
        rows: u64,
    },
    /// Nothing to do until the next pass reads all rows again.
    DiffRest {
        /// When the last read and its sweep were over.
        ended: Timestamp,
    },
}

impl Position {
    /// When the token this position rests on was given; none while there is no
    /// token yet.
    pub(crate) fn obtained(&self) -> Option<Timestamp> {
        match self {
            Self::Inventory { .. }
            | Self::FullRead { .. }
            | Self::DiffRead { .. }
            | Self::DiffSweep { .. }
            | Self::DiffRest { .. } => None,
            Self::CatchUp { obtained, .. }
            | Self::Presence { obtained, .. }
            | Self::Sweep { obtained, .. }
            | Self::Affected { obtained, .. }
            | Self::Delta { obtained, .. } => Some(*obtained),
        }
    }

    /// The page link this position goes on with, within a read.
    pub(crate) fn page_link(&self) -> Option<&str> {
        match self {
            Self::Inventory { next }
            | Self::FullRead { next, .. }
            | Self::DiffRead { next, .. }
            | Self::CatchUp { next, .. }
            | Self::Affected { next, .. }
            | Self::Presence { next, .. } => next.as_deref(),
            Self::Delta { link, within: true, .. } => Some(link),
            Self::Delta { within: false, .. }
            | Self::Sweep { .. }
            | Self::DiffSweep { .. }
            | Self::DiffRest { .. } => None,
        }
    }

    /// The word for `status`.
    pub(crate) fn phase(&self) -> &'static str {
        match self {
            Self::Inventory { .. } => "inventory",
            Self::FullRead { .. } => "full-read",
            Self::CatchUp { .. } => "catch-up",
            Self::Presence { .. } => "presence",
            Self::Sweep { .. } => "sweep",
            Self::Delta { .. } => "delta",
            Self::Affected { .. } => "changed-mapping",
            Self::DiffRead { .. } => "diff-read",
            Self::DiffSweep { .. } => "diff-sweep",
            Self::DiffRest { .. } => "diff",
        }
    }
}

/// A stored position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Where.
    pub(crate) position: Position,
    /// The number of the read that is under way: rows it sees are marked with
    /// it. Rises with every full read and every delta.
    pub(crate) generation: i64,
    /// Digest of the mapping the position belongs to.
    pub(crate) mapping: String,
}

impl Work<'_> {
    /// The checkpoint of a table, if it has one.
    pub(crate) fn checkpoint(&self, table: &TableName) -> Result<Option<Checkpoint>, StoreError> {
        let row = self
            .sql
            .prepare_cached(
                "SELECT position, generation, mapping, seal FROM checkpoint WHERE table_name = ?1",
            )?
            .query_row([table.as_str()], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, Vec<u8>>(3)?,
                ))
            })
            .optional()?;
        let Some((position, generation, mapping, seal)) = row else { return Ok(None) };
        let parts: [&[u8]; 4] = [
            table.as_str().as_bytes(),
            position.as_bytes(),
            &generation.to_le_bytes(),
            mapping.as_bytes(),
        ];
        self.key.verify("checkpoint", &parts, &seal)?;
        let position = serde_json::from_str(&position)
            .map_err(|error| StoreError::unreadable("a checkpoint", &error))?;
        Ok(Some(Checkpoint { position, generation, mapping }))
    }

    /// Stores a checkpoint, in the transaction of the work it stands for.
    pub(crate) fn set_checkpoint(
        &mut self,
        table: &TableName,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        let position = serde_json::to_string(&checkpoint.position)
            .map_err(|error| StoreError::Statement(error.to_string()))?;
        let parts: [&[u8]; 4] = [
            table.as_str().as_bytes(),
            position.as_bytes(),
            &checkpoint.generation.to_le_bytes(),
            checkpoint.mapping.as_bytes(),
        ];
        let seal = self.key.seal("checkpoint", &parts);
        self.sql
            .prepare_cached(
                "INSERT INTO checkpoint (table_name, position, generation, mapping, updated_us, seal)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (table_name) DO UPDATE SET position = excluded.position,
                   generation = excluded.generation, mapping = excluded.mapping,
                   updated_us = excluded.updated_us, seal = excluded.seal",
            )?
            .execute((
                table.as_str(),
                &position,
                checkpoint.generation,
                &checkpoint.mapping,
                self.now_us(),
                seal.as_slice(),
            ))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Position;

    #[test]
    fn a_catch_up_that_an_earlier_version_stored_can_be_read() {
        let stored = r#"{"phase":"catch-up","next":"/n","since":"2026-03-01T12:00:00Z","delta":"/d",
            "obtained":"2026-03-01T12:00:01Z","initial":true,"rows":7}"#;
        let Position::CatchUp { since, .. } = serde_json::from_str(stored).unwrap() else {
            panic!("another position");
        };
        assert_eq!(since, Some("2026-03-01T12:00:00Z".parse().unwrap()));
    }
}
