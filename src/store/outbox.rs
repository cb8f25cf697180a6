//! The outbox: writes decided but not yet acknowledged, one row per record.
//!
//! A row that a process works on is leased. A newer decision replaces the
//! payload and raises the revision; when the leased revision is settled and is
//! no longer the newest, the row goes back to waiting. So two writes to one
//! record are never in flight together, and the last decision wins.

use rusqlite::{OptionalExtension, Row};

use crate::model::{FieldName, Flow, RecordId, RowVersion, TableName};
use crate::store::consent::FlagRow;
use crate::store::lease::ASIDE;
use crate::store::work::{record_id, table_name};
use crate::store::{Fingerprint, Mirror, Payload, PayloadLink, StoreError, Work};

/// What is to be done to the target record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Create or update it.
    Write,
    /// Delete it.
    Delete,
}

impl Action {
    /// The word in the store and in outputs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "write" => Ok(Self::Write),
            "delete" => Ok(Self::Delete),
            _ => Err(StoreError::Corrupt("an outbox row has an unknown action".into())),
        }
    }
}

/// A decision on its way into the outbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewWrite<'a> {
    /// Whose work it is.
    pub(crate) flow: Flow,
    /// The table the record comes from.
    pub(crate) table: &'a TableName,
    /// The record.
    pub(crate) record: RecordId,
    /// Write or delete.
    pub(crate) action: Action,
    /// What is written; for a deletion only the key counts.
    pub(crate) payload: &'a Payload,
    /// The version the decision rests on.
    pub(crate) version: Option<RowVersion>,
    /// The read that saw it.
    pub(crate) seen: i64,
}

/// What an outbox row for a record looks like to a new decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Row number.
    pub(crate) id: i64,
    /// What it wants.
    pub(crate) action: Action,
    /// Whether some revision is being worked on.
    pub(crate) leased: bool,
    /// Whether this very revision is.
    pub(crate) in_flight: bool,
    /// Whether some revision may have reached Campaign unacknowledged.
    pub(crate) touched: bool,
}

/// A row taken for delivery.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    /// Row number.
    pub(crate) id: i64,
    /// The table.
    pub(crate) table: TableName,
    /// The record.
    pub(crate) record: RecordId,
    /// Write or delete.
    pub(crate) action: Action,
    /// What is written.
    pub(crate) payload: Payload,
    /// The version the decision rests on.
    pub(crate) version: Option<RowVersion>,
    /// The read that saw it.
    pub(crate) seen: i64,
    /// Which decision this is.
    pub(crate) revision: i64,
    /// Whether an earlier attempt ended without an answer.
    pub(crate) uncertain: bool,
    /// Attempts that failed through Campaign's fault.
    pub(crate) attempts: u32,
    /// What Campaign was last told.
    pub(crate) mirror: Option<Mirror>,
    /// The records that its links point to.
    pub(crate) parents: Vec<Parent>,
    /// What the opt-out ledger knows of it.
    pub(crate) flags: Vec<FlagRow>,
    /// How many records it waits for.
    pub(crate) waits: u32,
    /// The remote's id of the last write that it answered, for `trace`.
    pub(crate) answered: Option<String>,
    /// Flags that Dynamics had when it was decided, and that its profile was found
    /// or made with.
    pub(crate) opted_out: Vec<FieldName>,
    /// Flags that its profile was found with, and that Dynamics has cleared.
    pub(crate) outdated: Vec<FieldName>,
}

/// A record that a link points to.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    /// The link.
    pub(crate) link: PayloadLink,
    /// The parent's key in Campaign; none if Campaign was not told of it.
    pub(crate) key: Option<String>,
}

impl Leased {
    /// The record's key in Campaign, where it is not simply the record id.
    pub(crate) fn own_key(&self) -> Option<&str> {
        Some(self.payload.key.as_str()).filter(|key| **key != *self.record.to_string())
    }
}

/// What a new decision found in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// Nothing.
    Nothing,
    /// A decision that nobody was working on; it is gone.
    Waiting,
    /// A decision in flight; it will be settled on its own.
    InFlight,
}

pub(super) const COLUMNS: &str =
    "id, flow, table_name, record, action, payload, version, seen, revision,
     uncertain, attempts, seal, waits";

impl Work<'_> {
    /// The outbox row of a record.
    pub(crate) fn pending(
        &self,
        flow: Flow,
        table: &TableName,
        record: RecordId,
    ) -> Result<Option<Pending>, StoreError> {
        let row = self
            .sql
            .prepare_cached(
                "SELECT id, action, revision, leased, uncertain FROM outbox
                 WHERE flow = ?1 AND table_name = ?2 AND record = ?3",
            )?
            .query_row((flow.as_str(), table.as_str(), record.as_bytes().as_slice()), |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, Option<i64>>(3)?,
                    row.get::<_, bool>(4)?,
                ))
            })
            .optional()?;
        let Some((id, action, revision, leased, uncertain)) = row else { return Ok(None) };
        let leased = leased.filter(|leased| *leased != ASIDE);
        Ok(Some(Pending {
            id,
            action: Action::parse(&action)?,
            leased: leased.is_some(),
            in_flight: leased == Some(revision),
            touched: leased.is_some() || uncertain,
        }))
    }

    /// Puts a decision into the outbox, in place of an older one. A deletion
    /// is held until the delete guard has looked at its wave.
    /// `existing` is what [`Work::pending`] says of the record.
    pub(crate) fn put(
        &mut self,
        new: &NewWrite<'_>,
        existing: Option<Pending>,
    ) -> Result<Replaced, StoreError> {
        let payload = self.encode(new.payload)?;
        let seal = self.outbox_seal(new.flow, new.table, new.record, new.action, &payload);
        let version = new.version.map(|version| version.0);
        // Where the key is simply the record id, nobody else can have it.
        let key = Some(&new.payload.key).filter(|key| **key != new.record.to_string());
        let Some(existing) = existing else {
            let hold = if new.action == Action::Delete { "held" } else { "free" };
            // Campaign may hold what this store was told to forget.
            let uncertain = new.action == Action::Write && self.was_forgotten(new.record)?;
            self.sql
                .prepare_cached(
                    "INSERT INTO outbox (flow, table_name, record, action, payload, version, seen,
                       revision, leased, uncertain, hold, attempts, created_us, seal, target_key)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, NULL, ?12, ?8, 0, ?9, ?10, ?11)",
                )?
                .execute((
                    new.flow.as_str(),
                    new.table.as_str(),
                    new.record.as_bytes().as_slice(),
                    new.action.as_str(),
                    &payload,
                    version,
                    new.seen,
                    hold,
                    self.now_us(),
                    seal.as_slice(),
                    key,
                    uncertain,
                ))?;
            return Ok(Replaced::Nothing);
        };
        self.sql
            .prepare_cached(
                "UPDATE outbox SET payload = ?2, version = ?3, seen = ?4, revision = revision + 1,
                   attempts = 0, seal = ?5, target_key = ?7, waits = 0,
                   hold = CASE WHEN ?6 = 'write' THEN 'free'
                     WHEN action = 'delete' THEN hold ELSE 'held' END,
                   action = ?6
                 WHERE id = ?1",
            )?
            .execute((
                existing.id,
                &payload,
                version,
                new.seen,
                seal.as_slice(),
                new.action.as_str(),
                key,
            ))?;
        Ok(if existing.in_flight { Replaced::InFlight } else { Replaced::Waiting })
    }

    /// The key that a waiting write carries.
    pub(crate) fn pending_key(&self, id: i64) -> Result<String, StoreError> {
        let payload: String = self
            .sql
            .prepare_cached("SELECT payload FROM outbox WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        Ok(self.decode(&payload)?.key)
    }

    /// The next attempt must look the key up first.
    pub(crate) fn mark_uncertain(
        &mut self,
        flow: Flow,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "UPDATE outbox SET uncertain = 1
                 WHERE flow = ?1 AND table_name = ?2 AND record = ?3",
            )?
            .execute((flow.as_str(), table.as_str(), record.as_bytes().as_slice()))?;
        Ok(())
    }

    /// Takes a waiting decision back.
    pub(crate) fn withdraw(&mut self, id: i64) -> Result<(), StoreError> {
        self.sql.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    /// What an ended process was working on may have reached the other side.
    pub(crate) fn recover_leases(&mut self) -> Result<usize, StoreError> {
        Ok(self.recover_events()? + self.recover_writes()?)
    }

    /// The same of the outbox alone.
    pub(crate) fn recover_writes(&mut self) -> Result<usize, StoreError> {
        Ok(self
            .sql
            .prepare_cached(
                "UPDATE outbox SET uncertain = max(uncertain, leased <> ?1), leased = NULL
                 WHERE leased IS NOT NULL",
            )?
            .execute([ASIDE])?)
    }

    /// All rows of a flow in order, for a dry run: `visit` is called for each.
    pub(crate) fn each_pending(
        &self,
        flow: Flow,
        mut visit: impl FnMut(Leased) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self
            .sql
            .prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE flow = ?1 ORDER BY id"))?;
        let mut rows = statement.query([flow.as_str()])?;
        while let Some(row) = rows.next()? {
            visit(self.leased(flow, &Raw::read(row)?)?)?;
        }
        Ok(())
    }

    pub(super) fn leased(&self, flow: Flow, raw: &Raw) -> Result<Leased, StoreError> {
        let table = table_name(&raw.table)?;
        let record = record_id(&raw.record)?;
        let action = Action::parse(&raw.action)?;
        let seal = self.outbox_seal(flow, &table, record, action, &raw.payload);
        if seal.as_slice() != raw.seal {
            return Err(StoreError::Corrupt(
                "a row of `outbox` does not match its checksum".into(),
            ));
        }
        let mirror = self.mirror(&table, record)?;
        let payload = self.decode(&raw.payload)?;
        let mut parents = Vec::with_capacity(payload.links.len());
        for link in &payload.links {
            let key = self.key_in_campaign(&link.table, link.record)?;
            parents.push(Parent { link: link.clone(), key });
        }
        let writes = flow == Flow::Ingress && action == Action::Write;
        let flags = if writes { self.flags_of(record)? } else { Vec::new() };
        Ok(Leased {
            id: raw.id,
            table,
            record,
            action,
            payload,
            version: raw.version.map(RowVersion),
            seen: raw.seen,
            revision: raw.revision,
            uncertain: raw.uncertain,
            attempts: raw.attempts,
            mirror,
            parents,
            flags,
            waits: raw.waits,
            answered: None,
            opted_out: Vec::new(),
            outdated: Vec::new(),
        })
    }

    pub(super) fn outbox_seal(
        &self,
        flow: Flow,
        table: &TableName,
        record: RecordId,
        action: Action,
        payload: &str,
    ) -> Fingerprint {
        self.key.seal(
            "outbox",
            &[
                flow.as_str().as_bytes(),
                table.as_str().as_bytes(),
                record.as_bytes(),
                action.as_str().as_bytes(),
                payload.as_bytes(),
            ],
        )
    }
}

/// A row as it stands in the file.
pub(super) struct Raw {
    pub(super) id: i64,
    table: String,
    record: Vec<u8>,
    action: String,
    payload: String,
    version: Option<i64>,
    seen: i64,
    revision: i64,
    uncertain: bool,
    attempts: u32,
    seal: Vec<u8>,
    waits: u32,
}

impl Raw {
    pub(super) fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: row.get(0)?,
            table: row.get(2)?,
            record: row.get(3)?,
            action: row.get(4)?,
            payload: row.get(5)?,
            version: row.get(6)?,
            seen: row.get(7)?,
            revision: row.get(8)?,
            uncertain: row.get(9)?,
            attempts: row.get(10)?,
            seal: row.get(11)?,
            waits: row.get(12)?,
        })
    }
}
