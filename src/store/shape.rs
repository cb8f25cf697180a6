//! What a table mapping rested on when it last ran: types and lengths of both
//! schemas, and digests of the configuration. No mapped value in clear.

use std::collections::{BTreeMap, HashSet};

use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use crate::model::{RecordId, RowVersion, TableName};
use crate::store::work::record_id;
use crate::store::{Fingerprint, Note, SEAL_BYTES, Step, StoreError, UNKNOWN, Work};

/// A type as far as it may drift.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownKind {
    /// In words, without its length.
    pub(crate) words: String,
    /// Characters or bits.
    pub(crate) size: Option<u32>,
    /// Tables that a lookup may point to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) targets: Vec<String>,
}

/// One field of a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownField {
    /// The column that it reads.
    pub(crate) column: String,
    /// The column's type.
    pub(crate) reads: KnownKind,
    /// The field's type.
    pub(crate) writes: KnownKind,
    /// Digest of its entry in the configuration.
    pub(crate) spec: String,
    /// Digest of everything but the cases that decides what is sent.
    pub(crate) rule: String,
    /// Whether later changes are carried.
    pub(crate) updates: bool,
    /// `whole`, `parts` or `open`: what the cases cover.
    pub(crate) domain: String,
    /// Fingerprint of what is sent for a case, by the fingerprint of the case.
    pub(crate) cases: BTreeMap<u64, Option<u64>>,
    /// The same without replacements; known only while the mapping is.
    #[serde(skip)]
    pub(crate) plain: BTreeMap<u64, Option<u64>>,
}

/// All of a table mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownTable {
    /// By target field; the key among them.
    pub(crate) fields: BTreeMap<String, KnownField>,
    /// The columns of the filter.
    pub(crate) filter_columns: BTreeMap<String, KnownKind>,
    /// Digest of the filter as the configuration has it.
    pub(crate) filter_spec: String,
    /// Digest of the filter as it decides.
    pub(crate) filter: String,
    /// `delete_filtered_out`
    pub(crate) delete_filtered_out: bool,
    /// What a write looks like apart from its values (how a field is emptied).
    pub(crate) form: String,
    /// Digest of what else decides which records are written.
    pub(crate) rest: String,
    /// Digest of the opt-out flags that a record is made with; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) opt_outs: String,
}

impl Work<'_> {
    /// What the mapping of a table rested on when it last ran.
    pub(crate) fn shape(&self, table: &TableName) -> Result<Option<KnownTable>, StoreError> {
        let row = self
            .sql
            .prepare_cached("SELECT known, seal FROM shape WHERE table_name = ?1")?
            .query_row([table.as_str()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .optional()?;
        let Some((known, seal)) = row else { return Ok(None) };
        self.key.verify("shape", &[table.as_str().as_bytes(), known.as_bytes()], &seal)?;
        serde_json::from_str(&known)
            .map(Some)
            .map_err(|error| StoreError::Corrupt(format!("a shape cannot be read: {error}")))
    }

    /// Remembers what the mapping rests on.
    pub(crate) fn set_shape(
        &mut self,
        table: &TableName,
        shape: &KnownTable,
    ) -> Result<(), StoreError> {
        let known = serde_json::to_string(shape)
            .map_err(|error| StoreError::Statement(error.to_string()))?;
        let seal = self.key.seal("shape", &[table.as_str().as_bytes(), known.as_bytes()]);
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO shape (table_name, known, seal) VALUES (?1, ?2, ?3)",
            )?
            .execute((table.as_str(), &known, seal.as_slice()))?;
        Ok(())
    }

    /// Forgets it: the next pass takes both schemas as they are, and reads all
    /// rows.
    pub(crate) fn forget_shape(&mut self, table: &TableName) -> Result<(), StoreError> {
        self.sql.execute("DELETE FROM shape WHERE table_name = ?1", [table.as_str()])?;
        Ok(())
    }

    /// Puts the records that Campaign was told one of these values on the list
    /// of those to be looked at again, if they are at most `most`; where there
    /// are more, a full read finds them sooner. Gives their number.
    pub(crate) fn remap_told(
        &mut self,
        table: &TableName,
        wanted: &BTreeMap<String, HashSet<Fingerprint>>,
        most: u64,
    ) -> Result<u64, StoreError> {
        let mut found = 0;
        self.each_told(table, wanted, |_| {
            found += 1;
            Ok(())
        })?;
        if found <= most {
            self.each_told(table, wanted, |record| self.add_remap(table, record))?;
        }
        Ok(found)
    }

    fn each_told(
        &self,
        table: &TableName,
        wanted: &BTreeMap<String, HashSet<Fingerprint>>,
        mut visit: impl FnMut(RecordId) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT record, layout, fingerprints FROM mirror
             WHERE table_name = ?1 AND state = 'present'",
        )?;
        let mut rows = statement.query([table.as_str()])?;
        while let Some(row) = rows.next()? {
            let names = self.layout_of(row.get(1)?)?.names;
            let prints = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            let (prints, _) = prints.as_chunks::<SEAL_BYTES>();
            let mut pairs = names.iter().zip(prints);
            if pairs.any(|(name, print)| wanted.get(&**name).is_some_and(|set| set.contains(print)))
            {
                visit(record_id(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?)?;
            }
        }
        Ok(())
    }

    fn add_remap(&self, table: &TableName, record: RecordId) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("INSERT OR IGNORE INTO remap (table_name, record) VALUES (?1, ?2)")?
            .execute((table.as_str(), record.as_bytes().as_slice()))?;
        Ok(())
    }

    /// What Campaign holds in these fields is no longer known: they were not
    /// mapped for a while. A part of the table at a time is held in memory.
    pub(crate) fn doubt_fields(
        &mut self,
        table: &TableName,
        fields: &[String],
    ) -> Result<(), StoreError> {
        const PART: u32 = 1000;
        let mut after = Vec::new();
        loop {
            let part = self.mirrored_after(table, &after, PART)?;
            let Some((last, _)) = part.last() else { return Ok(()) };
            after = last.as_bytes().to_vec();
            for (record, layout) in part {
                let names = self.layout_of(layout)?.names;
                if !names.iter().any(|name| fields.iter().any(|field| **field == **name)) {
                    continue;
                }
                let Some(mut mirror) = self.mirror(table, record)? else { continue };
                for (name, print) in &mut mirror.fields {
                    if fields.contains(name) {
                        *print = UNKNOWN;
                    }
                }
                self.set_mirror(table, record, &mirror)?;
            }
        }
    }

    fn mirrored_after(
        &self,
        table: &TableName,
        after: &[u8],
        limit: u32,
    ) -> Result<Vec<(RecordId, i64)>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT record, layout FROM mirror WHERE table_name = ?1 AND record > ?2
             ORDER BY record LIMIT ?3",
        )?;
        let mut rows = statement.query((table.as_str(), after, limit))?;
        let mut part = Vec::new();
        while let Some(row) = rows.next()? {
            let record = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            part.push((record_id(record)?, row.get(1)?));
        }
        Ok(part)
    }

    /// Takes back writes that wait and that nobody has touched: they were
    /// decided under another mapping. Their records, and those of writes that
    /// may have reached Campaign, are to be looked at again, unless `all` are
    /// read anyway; those that were to be written in full stay so. Gives the
    /// number of writes taken back.
    pub(crate) fn redecide_waiting(
        &mut self,
        table: &TableName,
        all: bool,
    ) -> Result<u64, StoreError> {
        const WRITES: &str = "flow = 'ingress' AND table_name = ?1 AND action = 'write'";
        self.sql.execute(
            &format!(
                "INSERT OR IGNORE INTO reread (table_name, record)
                   SELECT table_name, record FROM outbox
                   WHERE {WRITES} AND json_extract(payload, '$.initial')"
            ),
            [table.as_str()],
        )?;
        self.sql.execute(
            &format!(
                "INSERT OR IGNORE INTO remap (table_name, record)
                   SELECT table_name, record FROM outbox
                   WHERE {WRITES} AND NOT json_extract(payload, '$.initial') AND NOT ?2"
            ),
            (table.as_str(), all),
        )?;
        let dropped: Vec<(Vec<u8>, Option<i64>)> = {
            let mut statement = self.sql.prepare(&format!(
                "DELETE FROM outbox WHERE {WRITES} AND leased IS NULL AND uncertain = 0
                 RETURNING record, version"
            ))?;
            let rows =
                statement.query_map([table.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (record, version) in &dropped {
            let note = Note {
                reason: "the mapping was changed",
                ..Note::of(Step::Redecide, version.map(RowVersion))
            };
            self.note(table, record_id(record)?, &note);
        }
        Ok(dropped.len() as u64)
    }

    /// Records that the mapping could not carry are to be looked at again; with
    /// `writes`, those that Campaign refused as well. Gives their number.
    pub(crate) fn remap_failed(
        &mut self,
        table: &TableName,
        writes: bool,
    ) -> Result<u64, StoreError> {
        let added = self.sql.execute(
            "INSERT OR IGNORE INTO remap (table_name, record)
               SELECT table_name, record FROM dead_letter
               WHERE flow = 'ingress' AND table_name = ?1
                 AND (action = 'map' OR (?2 AND action = 'write'))",
            (table.as_str(), writes),
        )?;
        Ok(added as u64)
    }

    /// How many records are on that list.
    pub(crate) fn remap_count(&self, table: &TableName) -> Result<u64, StoreError> {
        let count: i64 = self.sql.query_row(
            "SELECT count(*) FROM remap WHERE table_name = ?1",
            [table.as_str()],
            |row| row.get(0),
        )?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Up to `limit` records on that list.
    pub(crate) fn remaps(
        &self,
        table: &TableName,
        limit: u32,
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut statement =
            self.sql.prepare_cached("SELECT record FROM remap WHERE table_name = ?1 LIMIT ?2")?;
        let rows = statement.query_map((table.as_str(), limit), |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|row| record_id(&row?)).collect()
    }

    /// Whether a record is to be read again, for whatever reason.
    pub(crate) fn to_be_read(
        &self,
        table: &TableName,
        record: RecordId,
    ) -> Result<bool, StoreError> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM remap WHERE table_name = ?1 AND record = ?2)
                   OR EXISTS (SELECT 1 FROM reread WHERE table_name = ?1 AND record = ?2)",
            )?
            .query_row((table.as_str(), record.as_bytes().as_slice()), |row| row.get(0))?)
    }

    /// Takes records off the list, in the transaction of their new decision.
    pub(crate) fn remap_done(
        &mut self,
        table: &TableName,
        records: &[RecordId],
    ) -> Result<(), StoreError> {
        let mut statement =
            self.sql.prepare_cached("DELETE FROM remap WHERE table_name = ?1 AND record = ?2")?;
        for record in records {
            statement.execute((table.as_str(), record.as_bytes().as_slice()))?;
        }
        Ok(())
    }
}
