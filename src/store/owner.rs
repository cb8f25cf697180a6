//! Who has a key, where keys are not simply record ids: two records of Dynamics
//! may carry one value, and Campaign holds one record of it.

use rusqlite::OptionalExtension;

use crate::model::{RecordId, TableName};
use crate::store::work::record_id;
use crate::store::{StoreError, Work};

impl Work<'_> {
    /// Another record that has this key in Campaign, or shall have it. One that
    /// is about to be deleted or to get another key does not count.
    pub(crate) fn key_owner(
        &self,
        table: &TableName,
        key: &str,
        record: RecordId,
    ) -> Result<Option<RecordId>, StoreError> {
        let owner: Option<Vec<u8>> = self
            .sql
            .prepare_cached(
                "SELECT m.record FROM mirror m
                   WHERE m.table_name = ?1 AND m.target_key = ?2 AND m.record <> ?3
                     AND m.state = 'present'
                     AND NOT EXISTS (SELECT 1 FROM outbox o
                       WHERE o.flow = 'ingress' AND o.table_name = ?1 AND o.record = m.record
                         AND (o.action = 'delete' OR o.target_key IS NOT ?2))
                 UNION ALL
                 SELECT record FROM outbox
                   WHERE table_name = ?1 AND target_key = ?2 AND record <> ?3
                     AND flow = 'ingress' AND action = 'write'
                 LIMIT 1",
            )?
            .query_row((table.as_str(), key, record.as_bytes().as_slice()), |row| row.get(0))
            .optional()?;
        owner.map(|bytes| record_id(&bytes)).transpose()
    }

    /// Takes back deletions of this key by other records: the key has a new
    /// owner, and what they would delete is its record. Gives their number.
    pub(crate) fn take_over_key(
        &mut self,
        table: &TableName,
        key: &str,
        record: RecordId,
    ) -> Result<u64, StoreError> {
        let before: Vec<Vec<u8>> = {
            let mut statement = self.sql.prepare_cached(
                "DELETE FROM outbox
                 WHERE table_name = ?1 AND target_key = ?2 AND record <> ?3
                   AND flow = 'ingress' AND action = 'delete' AND leased IS NULL
                 RETURNING record",
            )?;
            let rows = statement
                .query_map((table.as_str(), key, record.as_bytes().as_slice()), |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        for bytes in &before {
            self.remove_mirror(table, record_id(bytes)?)?;
        }
        Ok(before.len() as u64)
    }
}
