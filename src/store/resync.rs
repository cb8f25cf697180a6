//! Replays, comparisons and repairs that were asked for: durable, so that an
//! interrupted one goes on, and a second one like it joins the first.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use crate::model::{RecordId, TableName};
use crate::store::work::{record_id, table_name};
use crate::store::{StoreError, Work};

/// What a resync is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Everything that is mapped is sent again.
    Replay,
    /// Both sides are compared; nothing is written.
    Verify,
    /// Both sides are compared, and what differs is mended.
    Repair,
    /// The comparison that goes on in slices, by schedule.
    Reconcile,
}

impl Purpose {
    /// The word in the store and in logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Verify => "verify",
            Self::Repair => "repair",
            Self::Reconcile => "reconcile",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "replay" => Ok(Self::Replay),
            "verify" => Ok(Self::Verify),
            "repair" => Ok(Self::Repair),
            "reconcile" => Ok(Self::Reconcile),
            _ => Err(StoreError::Corrupt("a resync has an unknown purpose".into())),
        }
    }
}

/// Which records of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of them.
    All,
    /// Those that Dynamics changed at this time or later.
    Since(Timestamp),
    /// Single ones; the list stands beside the request.
    Ids,
}

/// How far it is. Links are path and query only, as in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub(crate) enum ResyncPosition {
    /// Campaign is listed.
    List {
        /// The next page; none at the start.
        next: Option<String>,
        /// How often it had to begin again.
        #[serde(default)]
        restarts: u32,
    },
    /// Dynamics is read.
    Read {
        /// The next page; none at the start.
        next: Option<String>,
        /// Digest of the columns that this page has; empty where it is not
        /// known.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        columns: String,
    },
    /// What Dynamics did not show of the listing is looked for.
    Sweep {
        /// The key's hash that was looked at last, as a number.
        after: Option<u64>,
    },
    /// Only single records are left.
    Records,
}

impl ResyncPosition {
    /// The beginning of the reading of Dynamics.
    pub(crate) fn reading() -> Self {
        Self::Read { next: None, columns: String::new() }
    }
}

/// A request on its way into the store.
#[derive(Clone, Debug)]
pub(crate) struct NewResync {
    /// The table.
    pub(crate) table: TableName,
    /// What for.
    pub(crate) purpose: Purpose,
    /// Which records.
    pub(crate) scope: Scope,
    /// The records of [`Scope::Ids`].
    pub(crate) records: Vec<RecordId>,
}

/// A stored request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resync {
    /// Its number.
    pub(crate) id: i64,
    /// The table.
    pub(crate) table: TableName,
    /// What for.
    pub(crate) purpose: Purpose,
    /// Which records.
    pub(crate) scope: Scope,
    /// How far it is.
    pub(crate) position: ResyncPosition,
    /// Rows of Dynamics that were taken up so far.
    pub(crate) done: u64,
    /// About how many there will be, where that is known.
    pub(crate) total: Option<u64>,
}

/// A row as it stands in the file.
struct Raw {
    id: i64,
    table: String,
    purpose: String,
    scope: String,
    position: String,
    done: i64,
    total: Option<i64>,
    seal: Vec<u8>,
}

const COLUMNS: &str = "id, table_name, purpose, scope, position, done, total, seal";

impl Raw {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: row.get(0)?,
            table: row.get(1)?,
            purpose: row.get(2)?,
            scope: row.get(3)?,
            position: row.get(4)?,
            done: row.get(5)?,
            total: row.get(6)?,
            seal: row.get(7)?,
        })
    }
}

impl Work<'_> {
    /// Adds a request. Gives its number, and whether one like it was there
    /// already: that one goes on where it is.
    pub(crate) fn request_resync(&mut self, new: &NewResync) -> Result<(i64, bool), StoreError> {
        let scope = self.scope_text(new);
        let purpose = new.purpose.as_str();
        let known: Option<i64> = self
            .sql
            .prepare_cached(
                "SELECT id FROM resync WHERE table_name = ?1 AND purpose = ?2 AND scope = ?3",
            )?
            .query_row((new.table.as_str(), purpose, &scope), |row| row.get(0))
            .optional()?;
        if let Some(id) = known {
            return Ok((id, true));
        }
        let position = match (new.purpose, &new.scope) {
            (_, Scope::Ids) => ResyncPosition::Records,
            (Purpose::Replay, Scope::All) | (_, Scope::Since(_)) => ResyncPosition::reading(),
            (Purpose::Verify | Purpose::Repair | Purpose::Reconcile, Scope::All) => {
                ResyncPosition::List { next: None, restarts: 0 }
            }
        };
        let position = to_text(&position)?;
        let total = match new.scope {
            Scope::All => Some(self.mapped_records(&new.table)?),
            Scope::Since(_) => None,
            Scope::Ids => Some(new.records.len() as u64),
        };
        let seal = self.resync_seal(new.table.as_str(), purpose, &scope, &position);
        self.sql.execute(
            "INSERT INTO resync
             (table_name, purpose, scope, position, done, total, created_us, seal)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7)",
            (
                new.table.as_str(),
                purpose,
                &scope,
                &position,
                total.map(|total| i64::try_from(total).unwrap_or(i64::MAX)),
                self.now_us(),
                seal.as_slice(),
            ),
        )?;
        let id = self.sql.last_insert_rowid();
        self.add_resync_records(id, &new.records)?;
        Ok((id, false))
    }

    /// When a request was first made.
    pub(crate) fn resync_asked_at(&self, id: i64) -> Result<Timestamp, StoreError> {
        let micros: i64 = self
            .sql
            .prepare_cached("SELECT created_us FROM resync WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        Timestamp::from_microsecond(micros)
            .map_err(|_| StoreError::Corrupt("the time of a resync is not a time".into()))
    }

    /// The requests of these purposes, oldest first; of one table, if named.
    pub(crate) fn resyncs(
        &self,
        purposes: &[Purpose],
        table: Option<&TableName>,
    ) -> Result<Vec<Resync>, StoreError> {
        let mut statement = self.sql.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM resync WHERE ?1 IS NULL OR table_name = ?1 ORDER BY id"
        ))?;
        let rows = statement.query_map([table.map(TableName::as_str)], Raw::read)?;
        let mut found = Vec::new();
        for row in rows {
            let resync = self.resync_of(&row?)?;
            if purposes.contains(&resync.purpose) {
                found.push(resync);
            }
        }
        Ok(found)
    }

    /// Stores how far a request is, in the transaction of the work behind it.
    pub(crate) fn set_resync(&mut self, resync: &Resync) -> Result<(), StoreError> {
        let scope: String = self
            .sql
            .prepare_cached("SELECT scope FROM resync WHERE id = ?1")?
            .query_row([resync.id], |row| row.get(0))?;
        let position = to_text(&resync.position)?;
        let purpose = resync.purpose.as_str();
        let seal = self.resync_seal(resync.table.as_str(), purpose, &scope, &position);
        let done = i64::try_from(resync.done).unwrap_or(i64::MAX);
        self.sql
            .prepare_cached("UPDATE resync SET position = ?2, done = ?3, seal = ?4 WHERE id = ?1")?
            .execute((resync.id, &position, done, seal.as_slice()))?;
        Ok(())
    }

    /// Forgets a request with everything beside it.
    pub(crate) fn remove_resync(&mut self, id: i64) -> Result<(), StoreError> {
        self.sql.execute("DELETE FROM resync WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Notes records that a request is to look at one by one.
    pub(crate) fn add_resync_records(
        &mut self,
        id: i64,
        records: &[RecordId],
    ) -> Result<(), StoreError> {
        let mut statement = self.sql.prepare_cached(
            "INSERT OR IGNORE INTO resync_record (resync, record) VALUES (?1, ?2)",
        )?;
        for record in records {
            statement.execute((id, record.as_bytes().as_slice()))?;
        }
        Ok(())
    }

    /// Up to `limit` of those records.
    pub(crate) fn resync_records(
        &self,
        id: i64,
        limit: usize,
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut statement = self
            .sql
            .prepare_cached("SELECT record FROM resync_record WHERE resync = ?1 LIMIT ?2")?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map((id, limit), |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|row| record_id(&row?)).collect()
    }

    /// Takes records off that list.
    pub(crate) fn resync_records_done(
        &mut self,
        id: i64,
        records: &[RecordId],
    ) -> Result<(), StoreError> {
        let mut statement = self
            .sql
            .prepare_cached("DELETE FROM resync_record WHERE resync = ?1 AND record = ?2")?;
        for record in records {
            statement.execute((id, record.as_bytes().as_slice()))?;
        }
        Ok(())
    }

    /// When the last slice of the reconciliation ended.
    pub(crate) fn last_slice(&self) -> Result<Option<Timestamp>, StoreError> {
        let value: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT value FROM meta WHERE name = 'reconcile-slice'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let corrupt = || StoreError::Corrupt("the time of the last slice is not a time".into());
        value
            .map(|bytes| {
                let bytes = <[u8; 8]>::try_from(bytes.as_slice()).map_err(|_| corrupt())?;
                Timestamp::from_microsecond(i64::from_le_bytes(bytes)).map_err(|_| corrupt())
            })
            .transpose()
    }

    /// Remembers when a slice ended.
    pub(crate) fn set_last_slice(&mut self, ended: Timestamp) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO meta (name, value) VALUES ('reconcile-slice', ?1)",
            )?
            .execute([ended.as_microsecond().to_le_bytes().as_slice()])?;
        Ok(())
    }

    fn resync_of(&self, raw: &Raw) -> Result<Resync, StoreError> {
        let parts: [&[u8]; 4] = [
            raw.table.as_bytes(),
            raw.purpose.as_bytes(),
            raw.scope.as_bytes(),
            raw.position.as_bytes(),
        ];
        self.key.verify("resync", &parts, &raw.seal)?;
        let corrupt = || StoreError::Corrupt("a resync cannot be read".into());
        let scope = match raw.scope.split_once(':') {
            None if raw.scope == "all" => Scope::All,
            Some(("since", time)) => Scope::Since(time.parse().map_err(|_| corrupt())?),
            Some(("ids", _)) => Scope::Ids,
            Some(_) | None => return Err(corrupt()),
        };
        Ok(Resync {
            id: raw.id,
            table: table_name(&raw.table)?,
            purpose: Purpose::parse(&raw.purpose)?,
            scope,
            position: serde_json::from_str(&raw.position).map_err(|_| corrupt())?,
            done: u64::try_from(raw.done).unwrap_or(0),
            total: raw.total.and_then(|total| u64::try_from(total).ok()),
        })
    }

    fn resync_seal(&self, table: &str, purpose: &str, scope: &str, position: &str) -> Vec<u8> {
        let parts: [&[u8]; 4] =
            [table.as_bytes(), purpose.as_bytes(), scope.as_bytes(), position.as_bytes()];
        self.key.seal("resync", &parts).to_vec()
    }

    /// The same records make the same text, in whatever order they are named.
    fn scope_text(&self, new: &NewResync) -> String {
        match new.scope {
            Scope::All => "all".to_owned(),
            Scope::Since(time) => format!("since:{time}"),
            Scope::Ids => {
                let mut ids: Vec<[u8; 16]> = new.records.iter().map(|id| *id.as_bytes()).collect();
                ids.sort_unstable();
                ids.dedup();
                let print = u64::from_be_bytes(self.key.fingerprint(ids.as_flattened()));
                format!("ids:{}:{print:016x}", ids.len())
            }
        }
    }
}

fn to_text(position: &ResyncPosition) -> Result<String, StoreError> {
    serde_json::to_string(position).map_err(|error| StoreError::Statement(error.to_string()))
}
