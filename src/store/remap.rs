//! Records that a changed mapping concerns: found by what they were told, by
//! what waits and by what failed, and listed to be read again.

use std::collections::{BTreeMap, HashSet};

use crate::model::{RecordId, RowVersion, TableName};
use crate::store::work::record_id;
use crate::store::{Fingerprint, Note, SEAL_BYTES, Step, StoreError, UNKNOWN, Work};

/// What records were told in a field, to find them by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// One of these.
    Any(HashSet<Fingerprint>),
    /// Anything but this.
    But(Fingerprint),
}

impl Told {
    fn holds(&self, print: Fingerprint) -> bool {
        match self {
            Self::Any(prints) => prints.contains(&print),
            Self::But(other) => print != *other,
        }
    }
}

impl Work<'_> {
    /// Puts the records that Campaign was told one of these values on the list
    /// of those to be looked at again, if they are at most `most`; where there
    /// are more, a full read finds them sooner. Gives their number.
    pub(crate) fn remap_told(
        &mut self,
        table: &TableName,
        wanted: &BTreeMap<String, Told>,
        most: u64,
    ) -> Result<u64, StoreError> {
        if wanted.is_empty() {
            return Ok(0);
        }
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
        wanted: &BTreeMap<String, Told>,
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
            if pairs.any(|(name, print)| wanted.get(&**name).is_some_and(|told| told.holds(*print)))
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
        let mut dropped = 0;
        loop {
            let part = self.drop_waiting(table)?;
            if part == 0 {
                return Ok(dropped);
            }
            dropped += part;
        }
    }

    /// Takes some of these writes back, each noted in the trace.
    fn drop_waiting(&mut self, table: &TableName) -> Result<u64, StoreError> {
        const PART: u32 = 1000;
        let dropped: Vec<(Vec<u8>, Option<i64>)> = {
            let mut statement = self.sql.prepare_cached(
                "DELETE FROM outbox WHERE id IN
                   (SELECT id FROM outbox WHERE flow = 'ingress' AND table_name = ?1
                      AND action = 'write' AND leased IS NULL AND uncertain = 0 LIMIT ?2)
                 RETURNING record, version",
            )?;
            let rows = statement
                .query_map((table.as_str(), PART), |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (record, version) in &dropped {
            let note = Note {
                reason: "the mapping was changed",
                ..Note::of(Step::Redecide, version.map(RowVersion))
            };
            self.note(table, record_id(record)?, &note);
        }
        // One entry for all would have no limit.
        self.flush_trace()?;
        Ok(dropped.len() as u64)
    }

    /// Deletions that wait and that nobody has touched are held, and their
    /// records looked at again: then those that are still meant are let go, or
    /// go on being held.
    pub(crate) fn redecide_deletions(&mut self, table: &TableName) -> Result<(), StoreError> {
        const WAITING: &str = "flow = 'ingress' AND table_name = ?1 AND action = 'delete'
            AND leased IS NULL AND uncertain = 0";
        self.sql.execute(
            &format!(
                "INSERT OR IGNORE INTO remap (table_name, record)
                   SELECT table_name, record FROM outbox WHERE {WAITING}"
            ),
            [table.as_str()],
        )?;
        self.sql.execute(
            &format!("UPDATE outbox SET hold = 'held' WHERE {WAITING}"),
            [table.as_str()],
        )?;
        Ok(())
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

    /// Records that go without one of these links, or were given up for it, are
    /// to be looked at again.
    pub(crate) fn remap_missed(
        &mut self,
        table: &TableName,
        links: &[String],
    ) -> Result<(), StoreError> {
        let mut statement = self.sql.prepare_cached(
            "INSERT OR IGNORE INTO remap (table_name, record)
               SELECT table_name, record FROM link
               WHERE table_name = ?1 AND name = ?2 AND missed = 1",
        )?;
        for link in links {
            statement.execute((table.as_str(), link))?;
        }
        Ok(())
    }

    /// How many records are to be read again: on that list, or, as writes of a
    /// first load that were taken back, among those that are sent anew.
    pub(crate) fn remap_count(&self, table: &TableName) -> Result<u64, StoreError> {
        let count: i64 = self.sql.query_row(
            "SELECT count(*) FROM (SELECT record FROM remap WHERE table_name = ?1
               UNION SELECT record FROM reread WHERE table_name = ?1)",
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
