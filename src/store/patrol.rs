//! A look at some mirror rows in each pass, whether they are needed or not: a row
//! whose key was damaged is another record's by its key, and nobody asks for it.

use crate::model::TableName;
use crate::store::mirror::sealed_row;
use crate::store::work::record_id;
use crate::store::{StoreError, Work};

/// Rows that are looked at in one pass; a table with fewer is looked at whole.
const ROWS: usize = 500;

impl Work<'_> {
    /// Verifies some rows of a table's mirror, from a place on that is another one
    /// each time; behind the last row it goes on with the first.
    pub(crate) fn patrol(&self, table: &TableName) -> Result<(), StoreError> {
        let print = |part: u8| {
            let at = self.now_us().to_le_bytes();
            self.key.seal("patrol", &[table.as_str().as_bytes(), &at, &[part]])
        };
        let from: Vec<u8> = [print(0), print(1)].concat();
        let seen = self.patrol_from(table, &from, ROWS)?;
        self.patrol_from(table, &[], ROWS.saturating_sub(seen)).map(drop)
    }

    /// Verifies up to so many rows behind a place; gives their number.
    fn patrol_from(
        &self,
        table: &TableName,
        from: &[u8],
        most: usize,
    ) -> Result<usize, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT record, target_key, state, layout, fingerprints, seal FROM mirror
             WHERE table_name = ?1 AND record > ?2 ORDER BY record LIMIT ?3",
        )?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = statement.query((table.as_str(), from, limit))?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            seen += 1;
            let record = record_id(&row.get::<_, Vec<u8>>(0)?)?;
            sealed_row(self.key, table, &record, row)?;
        }
        Ok(seen)
    }
}
