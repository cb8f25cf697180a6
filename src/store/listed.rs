//! What a listing of Campaign showed to a comparison, by the hash of the key:
//! fingerprints, for as long as the comparison lasts.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;

use crate::model::{RecordId, TableName};
use crate::store::work::record_id;
use crate::store::{Fingerprint, Inventory, StoreError, Work};

impl Work<'_> {
    /// Notes one record of the listing. `record` is whose it must be, if that
    /// can be told from its key.
    pub(crate) fn add_listed(
        &mut self,
        resync: i64,
        key_hash: Fingerprint,
        record: Option<RecordId>,
        fields: &BTreeMap<String, Fingerprint>,
    ) -> Result<(), StoreError> {
        let (layout, fingerprints) = self.pack(fields)?;
        self.sql
            .prepare_cached(
                "INSERT INTO resync_listed
                 (resync, key_hash, record, layout, fingerprints, copies, matched)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, 0)
                 ON CONFLICT (resync, key_hash) DO UPDATE SET copies = copies + 1",
            )?
            .execute((
                resync,
                key_hash.as_slice(),
                record.map(|record| record.as_bytes().to_vec()),
                layout,
                &fingerprints,
            ))?;
        Ok(())
    }

    /// What the listing showed of a key; from now on it counts as found in
    /// Dynamics.
    pub(crate) fn match_listed(
        &mut self,
        resync: i64,
        key_hash: Fingerprint,
    ) -> Result<Option<Inventory>, StoreError> {
        let row = self
            .sql
            .prepare_cached(
                "UPDATE resync_listed SET matched = 1 WHERE resync = ?1 AND key_hash = ?2
                 RETURNING layout, fingerprints, copies",
            )?
            .query_row((resync, key_hash.as_slice()), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, u32>(2)?))
            })
            .optional()?;
        let Some((layout, fingerprints, copies)) = row else { return Ok(None) };
        Ok(Some(Inventory { fields: self.unpack(layout, &fingerprints)?, copies }))
    }

    /// Up to `limit` hashes after `after` that Dynamics did not show, with whose
    /// they must be.
    pub(crate) fn unmatched(
        &self,
        resync: i64,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, RecordId)>, StoreError> {
        let after = after.map_or_else(Vec::new, |after| after.to_be_bytes().to_vec());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.sql.prepare_cached(
            "SELECT key_hash, record FROM resync_listed
             WHERE resync = ?1 AND key_hash > ?2 AND matched = 0 AND record IS NOT NULL
             ORDER BY key_hash LIMIT ?3",
        )?;
        let rows = statement.query_map((resync, after, limit), |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        rows.map(|row| {
            let (hash, record) = row?;
            let hash = <[u8; 8]>::try_from(hash.as_slice())
                .map_err(|_| StoreError::Corrupt("a hash does not have 8 bytes".into()))?;
            Ok((u64::from_be_bytes(hash), record_id(&record)?))
        })
        .collect()
    }

    /// Forgets a part of the listing of a comparison. False if nothing is left.
    pub(crate) fn shed_listed(&mut self, resync: i64) -> Result<bool, StoreError> {
        const PART: u32 = 5000;
        let deleted = self
            .sql
            .prepare_cached(
                "DELETE FROM resync_listed WHERE resync = ?1 AND key_hash IN
                   (SELECT key_hash FROM resync_listed WHERE resync = ?1 LIMIT ?2)",
            )?
            .execute((resync, PART))?;
        Ok(deleted > 0)
    }

    /// The record that the mirror knows by this key, where keys are not ids.
    pub(crate) fn record_of_key(
        &self,
        table: &TableName,
        key: &str,
    ) -> Result<Option<RecordId>, StoreError> {
        let record: Option<Vec<u8>> = self
            .sql
            .prepare_cached(
                "SELECT record FROM mirror WHERE table_name = ?1 AND target_key = ?2 LIMIT 1",
            )?
            .query_row((table.as_str(), key), |row| row.get(0))
            .optional()?;
        record.map(|bytes| record_id(&bytes)).transpose()
    }
}
