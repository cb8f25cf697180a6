//! Dead letters: decisions that were given up, with the reason and a way back.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use crate::model::{Flow, RecordId, RowVersion, TableName};
use crate::store::work::{flow, record_id, table_name};
use crate::store::{Action, NewWrite, Note, Payload, Step, StoreError, Work};

/// A record on its way into the dead letters.
#[derive(Clone, Debug)]
pub(crate) struct NewDeadLetter {
    /// Whose work it was.
    pub(crate) flow: Flow,
    /// The table.
    pub(crate) table: TableName,
    /// The record.
    pub(crate) record: RecordId,
    /// What was to be done; none if the mapping itself failed.
    pub(crate) write: Option<(Action, Payload)>,
    /// The version the decision rested on.
    pub(crate) version: Option<RowVersion>,
    /// The read that saw it.
    pub(crate) seen: i64,
    /// Why; names fields, never values.
    pub(crate) reason: String,
    /// HTTP status of the last answer.
    pub(crate) status: Option<u16>,
    /// The remote's id of the last request.
    pub(crate) request_id: Option<String>,
    /// Attempts that failed.
    pub(crate) attempts: u32,
    /// Whether an attempt ended without an answer.
    pub(crate) uncertain: bool,
}

/// A dead letter as the commands show it.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    /// Its number.
    pub(crate) id: i64,
    /// Whose work it was.
    pub(crate) flow: Flow,
    /// The table.
    pub(crate) table: TableName,
    /// The record.
    pub(crate) record: RecordId,
    /// `write`, `delete`, or `map` where the mapping itself failed.
    pub(crate) action: String,
    /// Why.
    pub(crate) reason: String,
    /// HTTP status of the last answer.
    pub(crate) status: Option<u16>,
    /// The remote's id of the last request.
    pub(crate) request_id: Option<String>,
    /// Attempts that failed.
    pub(crate) attempts: u32,
    /// Since when.
    pub(crate) created: Timestamp,
    /// Names of the fields that were to be written.
    pub(crate) fields: Vec<String>,
}

const COLUMNS: &str = "id, flow, table_name, record, action, payload, version, seen, reason,
     status, request_id, attempts, uncertain, created_us, seal";

struct Raw {
    id: i64,
    flow: String,
    table: String,
    record: Vec<u8>,
    action: String,
    payload: String,
    version: Option<i64>,
    seen: i64,
    reason: String,
    status: Option<u16>,
    request_id: Option<String>,
    attempts: u32,
    uncertain: bool,
    created_us: i64,
    seal: Vec<u8>,
}

impl Raw {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: row.get(0)?,
            flow: row.get(1)?,
            table: row.get(2)?,
            record: row.get(3)?,
            action: row.get(4)?,
            payload: row.get(5)?,
            version: row.get(6)?,
            seen: row.get(7)?,
            reason: row.get(8)?,
            status: row.get(9)?,
            request_id: row.get(10)?,
            attempts: row.get(11)?,
            uncertain: row.get(12)?,
            created_us: row.get(13)?,
            seal: row.get(14)?,
        })
    }
}

impl Work<'_> {
    /// Which of the records were given up in just this version; they are marked
    /// as seen by the read `seen`.
    pub(crate) fn see_dead_letters(
        &mut self,
        flow: Flow,
        table: &TableName,
        records: &[(RecordId, RowVersion)],
        seen: i64,
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut same = Vec::new();
        if self.dead_letter_count(flow, Some(table))? == 0 {
            return Ok(same);
        }
        let mut statement = self.sql.prepare_cached(
            "UPDATE dead_letter SET seen = ?5
             WHERE flow = ?1 AND table_name = ?2 AND record = ?3 AND version = ?4",
        )?;
        for (record, version) in records {
            let bytes = record.as_bytes().as_slice();
            if statement.execute((flow.as_str(), table.as_str(), bytes, version.0, seen))? > 0 {
                same.push(*record);
            }
        }
        Ok(same)
    }

    /// Adds a dead letter, in place of an older one of the same record.
    pub(crate) fn add_dead_letter(&mut self, new: &NewDeadLetter) -> Result<(), StoreError> {
        let (action, payload) = match &new.write {
            Some((action, payload)) => (action.as_str(), self.encode(payload)?),
            None => ("map", String::new()),
        };
        let parts = parts(
            new.flow.as_str(),
            new.table.as_str(),
            new.record.as_bytes(),
            action,
            &payload,
            new.uncertain,
        );
        let seal = self.key.seal("dead_letter", &parts);
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO dead_letter (flow, table_name, record, action, payload,
                   version, seen, reason, status, request_id, attempts, uncertain, created_us, seal)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?
            .execute((
                new.flow.as_str(),
                new.table.as_str(),
                new.record.as_bytes().as_slice(),
                action,
                payload,
                new.version.map(|version| version.0),
                new.seen,
                &new.reason,
                new.status,
                &new.request_id,
                new.attempts,
                new.uncertain,
                self.now_us(),
                seal.as_slice(),
            ))?;
        Ok(())
    }

    /// A newer decision about a record takes its dead letter away. True if
    /// there was one whose last attempt ended without an answer.
    pub(crate) fn supersede_dead_letter(
        &mut self,
        flow: Flow,
        table: &TableName,
        record: RecordId,
    ) -> Result<bool, StoreError> {
        let uncertain: Option<bool> = self
            .sql
            .prepare_cached(
                "DELETE FROM dead_letter WHERE flow = ?1 AND table_name = ?2 AND record = ?3
                 RETURNING uncertain",
            )?
            .query_row((flow.as_str(), table.as_str(), record.as_bytes().as_slice()), |row| {
                row.get(0)
            })
            .optional()?;
        Ok(uncertain.unwrap_or(false))
    }

    /// All dead letters, oldest first.
    pub(crate) fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        self.raw_dead_letters()?.into_iter().map(|raw| shown(self, raw)).collect()
    }

    /// One dead letter.
    pub(crate) fn dead_letter(&self, id: i64) -> Result<Option<DeadLetter>, StoreError> {
        self.raw_dead_letter(id)?.map(|raw| shown(self, raw)).transpose()
    }

    /// The dead letters of one record.
    pub(crate) fn dead_letters_of(&self, record: RecordId) -> Result<Vec<DeadLetter>, StoreError> {
        let mut statement = self
            .sql
            .prepare(&format!("SELECT {COLUMNS} FROM dead_letter WHERE record = ?1 ORDER BY id"))?;
        let rows = statement.query_map([record.as_bytes().as_slice()], Raw::read)?;
        rows.map(|row| self.verified(row?).and_then(|raw| shown(self, raw))).collect()
    }

    /// How many there are: of a flow, or of one of its tables.
    pub(crate) fn dead_letter_count(
        &self,
        flow: Flow,
        table: Option<&TableName>,
    ) -> Result<u64, StoreError> {
        let count: i64 = self
            .sql
            .prepare_cached(
                "SELECT count(*) FROM dead_letter
                 WHERE flow = ?1 AND (?2 IS NULL OR table_name = ?2)",
            )?
            .query_row((flow.as_str(), table.map(TableName::as_str)), |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Puts a dead letter back to work: into the outbox or among the events, or,
    /// where the mapping failed, on the list of what is to be read again. False if there is none
    /// of this number.
    pub(crate) fn retry_dead_letter(&mut self, id: i64) -> Result<bool, StoreError> {
        let Some(raw) = self.raw_dead_letter(id)? else { return Ok(false) };
        let (flow, table) = (flow(&raw.flow)?, table_name(&raw.table)?);
        let record = record_id(&raw.record)?;
        if flow == Flow::Optout {
            self.contact_due(record)?;
        } else if flow == Flow::Egress {
            self.retry_event_letter(record)?;
        } else if raw.action == "map" {
            self.request_reread(&table, record)?;
        } else if self.pending(flow, &table, record)?.is_none() {
            let action = Action::parse(&raw.action)?;
            let payload = self.decode(&raw.payload)?;
            let new = NewWrite {
                flow,
                table: &table,
                record,
                action,
                payload: &payload,
                version: raw.version.map(RowVersion),
                seen: raw.seen,
            };
            self.put(&new, None)?;
            self.sql.execute(
                "UPDATE outbox SET uncertain = ?4, hold = 'free'
                 WHERE flow = ?1 AND table_name = ?2 AND record = ?3",
                (flow.as_str(), table.as_str(), record.as_bytes().as_slice(), raw.uncertain),
            )?;
            self.count_waits(&table, record)?;
        }
        self.note(&table, record, &Note::of(Step::LetterRetried, raw.version.map(RowVersion)));
        self.remove_dead_letter(id)?;
        Ok(true)
    }

    /// Removes a dead letter for good. False if there is none of this number.
    pub(crate) fn discard_dead_letter(&mut self, id: i64) -> Result<bool, StoreError> {
        let Some(raw) = self.raw_dead_letter(id)? else { return Ok(false) };
        let (table, record) = (table_name(&raw.table)?, record_id(&raw.record)?);
        if flow(&raw.flow)? == Flow::Egress {
            self.discard_event_letter(record)?;
        }
        self.note(&table, record, &Note::of(Step::LetterDiscarded, raw.version.map(RowVersion)));
        self.remove_dead_letter(id)
    }

    fn remove_dead_letter(&mut self, id: i64) -> Result<bool, StoreError> {
        Ok(self.sql.execute("DELETE FROM dead_letter WHERE id = ?1", [id])? > 0)
    }

    /// Puts a record on the list of those to be read again, as a replay: fields
    /// with `updates = false` are written too.
    pub(crate) fn request_reread(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        self.sql.execute(
            "INSERT OR REPLACE INTO reread (table_name, record, replay) VALUES (?1, ?2, 1)",
            (table.as_str(), record.as_bytes().as_slice()),
        )?;
        Ok(())
    }

    /// The same, as a change like any other.
    pub(crate) fn request_another_look(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "INSERT OR IGNORE INTO reread (table_name, record, replay) VALUES (?1, ?2, 0)",
            )?
            .execute((table.as_str(), record.as_bytes().as_slice()))?;
        Ok(())
    }

    /// Up to `limit` records of a table that are to be read again: as a replay,
    /// or as a change like any other.
    pub(crate) fn rereads(
        &self,
        table: &TableName,
        replay: bool,
        limit: u32,
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT record FROM reread WHERE table_name = ?1 AND replay = ?2 LIMIT ?3",
        )?;
        let rows =
            statement.query_map((table.as_str(), replay, limit), |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|row| record_id(&row?)).collect()
    }

    /// Takes records off that list, in the transaction of their new decision.
    pub(crate) fn reread_done(
        &mut self,
        table: &TableName,
        records: &[RecordId],
    ) -> Result<(), StoreError> {
        for record in records {
            self.sql
                .prepare_cached("DELETE FROM reread WHERE table_name = ?1 AND record = ?2")?
                .execute((table.as_str(), record.as_bytes().as_slice()))?;
        }
        Ok(())
    }

    fn raw_dead_letters(&self) -> Result<Vec<Raw>, StoreError> {
        let mut statement =
            self.sql.prepare(&format!("SELECT {COLUMNS} FROM dead_letter ORDER BY id"))?;
        let rows = statement.query_map([], Raw::read)?;
        rows.map(|row| self.verified(row?)).collect()
    }

    fn raw_dead_letter(&self, id: i64) -> Result<Option<Raw>, StoreError> {
        let raw = self
            .sql
            .query_row(&format!("SELECT {COLUMNS} FROM dead_letter WHERE id = ?1"), [id], Raw::read)
            .optional()?;
        raw.map(|raw| self.verified(raw)).transpose()
    }

    fn verified(&self, raw: Raw) -> Result<Raw, StoreError> {
        let parts =
            parts(&raw.flow, &raw.table, &raw.record, &raw.action, &raw.payload, raw.uncertain);
        self.key.verify("dead_letter", &parts, &raw.seal)?;
        Ok(raw)
    }
}

/// The sealed columns of a dead letter.
pub(super) fn parts<'a>(
    flow: &'a str,
    table: &'a str,
    record: &'a [u8],
    action: &'a str,
    payload: &'a str,
    uncertain: bool,
) -> [&'a [u8]; 6] {
    let doubt: &[u8] = if uncertain { &[1] } else { &[0] };
    [flow.as_bytes(), table.as_bytes(), record, action.as_bytes(), payload.as_bytes(), doubt]
}

fn shown(work: &Work<'_>, raw: Raw) -> Result<DeadLetter, StoreError> {
    let fields = if raw.payload.is_empty() {
        Vec::new()
    } else {
        let payload = work.decode(&raw.payload)?;
        payload.fields.iter().map(|field| field.name.to_string()).collect()
    };
    Ok(DeadLetter {
        id: raw.id,
        flow: flow(&raw.flow)?,
        table: table_name(&raw.table)?,
        record: record_id(&raw.record)?,
        action: raw.action,
        reason: raw.reason,
        status: raw.status,
        request_id: raw.request_id,
        attempts: raw.attempts,
        created: Timestamp::from_microsecond(raw.created_us)
            .map_err(|_| StoreError::Corrupt("a dead letter has an impossible time".into()))?,
        fields,
    })
}
