//! Which rows Dynamics has, as ids, for the length of one sweep: writing them
//! down costs less than marking every row of the mirror.

use crate::model::{RecordId, TableName};
use crate::store::work::record_id;
use crate::store::{StoreError, Work};

impl Work<'_> {
    /// Forgets the ids of a table.
    pub(crate) fn clear_presence(&mut self, table: &TableName) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM presence WHERE table_name = ?1")?
            .execute([table.as_str()])?;
        Ok(())
    }

    /// Notes ids that Dynamics has.
    pub(crate) fn add_presence(
        &mut self,
        table: &TableName,
        records: &[RecordId],
    ) -> Result<(), StoreError> {
        let mut statement = self.sql.prepare_cached(
            "INSERT OR IGNORE INTO presence (table_name, record) VALUES (?1, ?2)",
        )?;
        for record in records {
            statement.execute((table.as_str(), record.as_bytes().as_slice()))?;
        }
        Ok(())
    }

    /// Up to `limit` records after `after` that Campaign holds, or shall, and
    /// that are not among the ids.
    pub(crate) fn absent(
        &self,
        table: &TableName,
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordId>, StoreError> {
        let after = after.map_or_else(Vec::new, |record| record.as_bytes().to_vec());
        let mut statement = self.sql.prepare_cached(
            "SELECT record FROM mirror
               WHERE table_name = ?1 AND state = 'present' AND record > ?2
                 AND NOT EXISTS (SELECT 1 FROM presence p
                   WHERE p.table_name = ?1 AND p.record = mirror.record)
                 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.flow = 'ingress'
                   AND o.table_name = ?1 AND o.record = mirror.record AND o.action = 'delete')
             UNION
             SELECT record FROM outbox
               WHERE flow = 'ingress' AND table_name = ?1 AND action = 'write' AND record > ?2
                 AND NOT EXISTS (SELECT 1 FROM presence p
                   WHERE p.table_name = ?1 AND p.record = outbox.record)
             UNION
             SELECT record FROM dead_letter
               WHERE flow = 'ingress' AND table_name = ?1 AND action <> 'delete' AND record > ?2
                 AND NOT EXISTS (SELECT 1 FROM presence p
                   WHERE p.table_name = ?1 AND p.record = dead_letter.record)
             ORDER BY record LIMIT ?3",
        )?;
        let rows =
            statement.query_map((table.as_str(), after, limit), |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|row| record_id(&row?)).collect()
    }
}
