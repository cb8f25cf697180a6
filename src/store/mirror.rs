//! The mirror: what Campaign was last told of each record, as fingerprints;
//! and the inventory, what a listing of Campaign showed before a first load.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;

use crate::model::{RecordId, RowVersion, TableName};
use crate::store::work::record_id;
use crate::store::{Fingerprint, Leased, SEAL_BYTES, SealKey, StoreError, Work};

/// Whether the source still has the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MirrorState {
    /// Campaign holds it, and Dynamics does.
    Present,
    /// Campaign holds it; Dynamics deleted it, and deletions are not applied.
    Gone,
}

impl MirrorState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Gone => "gone",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "present" => Ok(Self::Present),
            "gone" => Ok(Self::Gone),
            _ => Err(StoreError::Corrupt("a mirror row has an unknown state".into())),
        }
    }
}

/// One mirror row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// The record's key in Campaign; none where it is the record id itself.
    pub(crate) key: Option<String>,
    /// Whether the source still has it.
    pub(crate) state: MirrorState,
    /// Fingerprint by field name.
    pub(crate) fields: BTreeMap<String, Fingerprint>,
    /// The version that was written.
    pub(crate) version: Option<RowVersion>,
    /// The read that last saw the record.
    pub(crate) seen: i64,
}

/// What a listing of Campaign showed of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inventory {
    /// Fingerprint by field name, of the record that came first.
    pub(crate) fields: BTreeMap<String, Fingerprint>,
    /// How many records have the key.
    pub(crate) copies: u32,
}

impl Work<'_> {
    /// The mirror row of a record.
    pub(crate) fn mirror(
        &self,
        table: &TableName,
        record: RecordId,
    ) -> Result<Option<Mirror>, StoreError> {
        let row = self
            .sql
            .prepare_cached(
                "SELECT target_key, state, layout, fingerprints, version, seen, seal
                 FROM mirror WHERE table_name = ?1 AND record = ?2",
            )?
            .query_row((table.as_str(), record.as_bytes().as_slice()), |row| {
                Ok((
                    row.get::<_, Option<String>>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, Vec<u8>>(3)?,
                    row.get::<_, Option<i64>>(4)?,
                    row.get::<_, i64>(5)?,
                    row.get::<_, Vec<u8>>(6)?,
                ))
            })
            .optional()?;
        let Some((key, state, layout, fingerprints, version, seen, seal)) = row else {
            return Ok(None);
        };
        let parts = mirror_parts(table, &record, key.as_deref(), &state, layout, &fingerprints);
        self.key.verify("mirror", &parts.each(), &seal)?;
        let fields = self.unpack(layout, &fingerprints)?;
        Ok(Some(Mirror {
            key,
            state: MirrorState::parse(&state)?,
            fields,
            version: version.map(RowVersion),
            seen,
        }))
    }

    /// The version of a record that Campaign was last told. Not sealed: a wrong
    /// one stops the table, or finds nothing.
    pub(crate) fn told_version(
        &self,
        table: &TableName,
        record: RecordId,
    ) -> Result<Option<RowVersion>, StoreError> {
        let version: Option<Option<i64>> = self
            .sql
            .prepare_cached("SELECT version FROM mirror WHERE table_name = ?1 AND record = ?2")?
            .query_row((table.as_str(), record.as_bytes().as_slice()), |row| row.get(0))
            .optional()?;
        Ok(version.flatten().map(RowVersion))
    }

    /// Stores a mirror row.
    pub(crate) fn set_mirror(
        &mut self,
        table: &TableName,
        record: RecordId,
        mirror: &Mirror,
    ) -> Result<(), StoreError> {
        let packed = self.pack(&mirror.fields)?;
        let Mirror { key, state, version, seen, fields: _ } = mirror;
        self.write_mirror(table, record, (key.as_deref(), *state, *version, *seen), &packed)
    }

    /// Stores that Campaign was told all of a payload, and holds nothing else
    /// of ours: as [`Work::set_mirror`], without the map between.
    pub(crate) fn set_mirror_told(
        &mut self,
        leased: &Leased,
        state: MirrorState,
        seen: i64,
    ) -> Result<(), StoreError> {
        let mut told: Vec<_> =
            leased.payload.fields.iter().map(|field| (&*field.name, field.fingerprint)).collect();
        told.sort_unstable_by_key(|(name, _)| *name);
        let layout = self.layout(told.iter().map(|(name, _)| *name))?;
        let packed = (layout.id, told.iter().flat_map(|(_, print)| *print).collect());
        let key = leased.own_key();
        self.write_mirror(&leased.table, leased.record, (key, state, leased.version, seen), &packed)
    }

    fn write_mirror(
        &mut self,
        table: &TableName,
        record: RecordId,
        (key, state, version, seen): (Option<&str>, MirrorState, Option<RowVersion>, i64),
        (layout, fingerprints): &(i64, Vec<u8>),
    ) -> Result<(), StoreError> {
        let state = state.as_str();
        let parts = mirror_parts(table, &record, key, state, *layout, fingerprints);
        let seal = self.key.seal("mirror", &parts.each());
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO mirror
                 (table_name, record, target_key, state, layout, fingerprints, version, seen, seal)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                table.as_str(),
                record.as_bytes().as_slice(),
                key,
                state,
                layout,
                fingerprints,
                version.map(|version| version.0),
                seen,
                seal.as_slice(),
            ))?;
        Ok(())
    }

    /// Forgets what Campaign was told of a record.
    pub(crate) fn remove_mirror(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM mirror WHERE table_name = ?1 AND record = ?2")?
            .execute((table.as_str(), record.as_bytes().as_slice()))?;
        Ok(())
    }

    /// Marks a record as seen by a read. Not sealed: a wrong mark costs a
    /// question to Dynamics, never a deletion.
    pub(crate) fn mark_seen(
        &mut self,
        table: &TableName,
        record: RecordId,
        generation: i64,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("UPDATE mirror SET seen = ?3 WHERE table_name = ?1 AND record = ?2")?
            .execute((table.as_str(), record.as_bytes().as_slice(), generation))?;
        Ok(())
    }

    /// How many records of the table Campaign holds for us and Dynamics has.
    pub(crate) fn mapped_records(&self, table: &TableName) -> Result<u64, StoreError> {
        let count: i64 = self
            .sql
            .prepare_cached(
                "SELECT count(*) FROM mirror WHERE table_name = ?1 AND state = 'present'",
            )?
            .query_row([table.as_str()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Up to `limit` records after `after` that the read `generation` did not
    /// see although Campaign holds them, or shall.
    pub(crate) fn unseen(
        &self,
        table: &TableName,
        generation: i64,
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordId>, StoreError> {
        let after = after.map_or_else(Vec::new, |record| record.as_bytes().to_vec());
        let mut statement = self.sql.prepare_cached(
            "SELECT record FROM mirror
               WHERE table_name = ?1 AND state = 'present' AND seen < ?2 AND record > ?3
                 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.flow = 'ingress'
                   AND o.table_name = ?1 AND o.record = mirror.record
                   AND (o.action = 'delete' OR o.seen >= ?2))
             UNION
             SELECT record FROM outbox
               WHERE flow = 'ingress' AND table_name = ?1 AND action = 'write' AND seen < ?2
                 AND record > ?3
             UNION
             SELECT record FROM dead_letter
               WHERE flow = 'ingress' AND table_name = ?1 AND action <> 'delete' AND record > ?3
                 AND seen < ?2
             ORDER BY record LIMIT ?4",
        )?;
        let rows = statement.query_map((table.as_str(), generation, after, limit), |row| {
            row.get::<_, Vec<u8>>(0)
        })?;
        rows.map(|row| record_id(&row?)).collect()
    }

    /// Which of `records` the read `generation` has already seen alive.
    pub(crate) fn seen_alive(
        &self,
        table: &TableName,
        generation: i64,
        records: &[RecordId],
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM mirror
                      WHERE table_name = ?1 AND record = ?2 AND seen >= ?3)
                 OR EXISTS (SELECT 1 FROM outbox
                      WHERE flow = 'ingress' AND table_name = ?1 AND record = ?2
                        AND action = 'write' AND seen >= ?3)",
        )?;
        let mut alive = Vec::new();
        for record in records {
            let bytes = record.as_bytes().as_slice();
            if statement.query_row((table.as_str(), bytes, generation), |row| row.get(0))? {
                alive.push(*record);
            }
        }
        Ok(alive)
    }

    /// Notes one record of Campaign's listing.
    pub(crate) fn add_inventory(
        &mut self,
        table: &TableName,
        key_hash: Fingerprint,
        fields: &BTreeMap<String, Fingerprint>,
    ) -> Result<(), StoreError> {
        let (layout, fingerprints) = self.pack(fields)?;
        self.sql
            .prepare_cached(
                "INSERT INTO inventory (table_name, key_hash, layout, fingerprints, copies)
                 VALUES (?1, ?2, ?3, ?4, 1)
                 ON CONFLICT (table_name, key_hash) DO UPDATE SET copies = copies + 1",
            )?
            .execute((table.as_str(), key_hash.as_slice(), layout, &fingerprints))?;
        Ok(())
    }

    /// Whether the listing of a table holds anything.
    pub(crate) fn has_inventory(&self, table: &TableName) -> Result<bool, StoreError> {
        Ok(self
            .sql
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM inventory WHERE table_name = ?1)")?
            .query_row([table.as_str()], |row| row.get(0))?)
    }

    /// What the listing showed of a key.
    pub(crate) fn inventory(
        &self,
        table: &TableName,
        key_hash: Fingerprint,
    ) -> Result<Option<Inventory>, StoreError> {
        let row = self
            .sql
            .prepare_cached(
                "SELECT layout, fingerprints, copies FROM inventory
                 WHERE table_name = ?1 AND key_hash = ?2",
            )?
            .query_row((table.as_str(), key_hash.as_slice()), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, u32>(2)?))
            })
            .optional()?;
        let Some((layout, fingerprints, copies)) = row else { return Ok(None) };
        Ok(Some(Inventory { fields: self.unpack(layout, &fingerprints)?, copies }))
    }

    /// Forgets the listing, at its start and when the first load is done.
    pub(crate) fn clear_inventory(&mut self, table: &TableName) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM inventory WHERE table_name = ?1")?
            .execute([table.as_str()])?;
        Ok(())
    }

    pub(super) fn pack(
        &mut self,
        fields: &BTreeMap<String, Fingerprint>,
    ) -> Result<(i64, Vec<u8>), StoreError> {
        let layout = self.layout(fields.keys().map(String::as_str))?;
        Ok((layout.id, fields.values().flatten().copied().collect()))
    }

    pub(super) fn unpack(
        &self,
        layout: i64,
        fingerprints: &[u8],
    ) -> Result<BTreeMap<String, Fingerprint>, StoreError> {
        let names = self.layout_of(layout)?.names;
        let (chunks, rest) = fingerprints.as_chunks::<SEAL_BYTES>();
        if !rest.is_empty() || chunks.len() != names.len() {
            return Err(StoreError::Corrupt("fingerprints do not fit their layout".into()));
        }
        Ok(names.iter().map(ToString::to_string).zip(chunks.iter().copied()).collect())
    }
}

/// Refuses a row (record, key, state, layout, fingerprints, seal) that is not as
/// it was written.
pub(super) fn sealed_row(
    seals: &SealKey,
    table: &TableName,
    record: &RecordId,
    row: &rusqlite::Row<'_>,
) -> Result<(), StoreError> {
    let key: Option<String> = row.get(1)?;
    let (state, fingerprints): (String, Vec<u8>) = (row.get(2)?, row.get(4)?);
    let parts = mirror_parts(table, record, key.as_deref(), &state, row.get(3)?, &fingerprints);
    seals.verify("mirror", &parts.each(), &row.get::<_, Vec<u8>>(5)?)
}

/// The sealed columns of a mirror row, in one buffer each.
struct MirrorParts<'a> {
    table: &'a [u8],
    record: &'a [u8],
    key: &'a [u8],
    state: &'a [u8],
    layout: [u8; 8],
    fingerprints: &'a [u8],
}

impl MirrorParts<'_> {
    fn each(&self) -> [&[u8]; 6] {
        [self.table, self.record, self.key, self.state, &self.layout, self.fingerprints]
    }
}

fn mirror_parts<'a>(
    table: &'a TableName,
    record: &'a RecordId,
    key: Option<&'a str>,
    state: &'a str,
    layout: i64,
    fingerprints: &'a [u8],
) -> MirrorParts<'a> {
    MirrorParts {
        table: table.as_str().as_bytes(),
        record: record.as_bytes(),
        key: key.unwrap_or_default().as_bytes(),
        state: state.as_bytes(),
        layout: layout.to_le_bytes(),
        fingerprints,
    }
}
