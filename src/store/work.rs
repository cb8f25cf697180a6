//! What a transaction offers; each family of tables adds its own methods in
//! its own file.

use rusqlite::Connection;

use crate::clock::Clock;
use crate::store::{SealKey, StoreError};

/// One open transaction.
pub(crate) struct Work<'a> {
    pub(super) sql: &'a Connection,
    pub(super) key: &'a SealKey,
    clock: &'a Clock,
}

impl<'a> Work<'a> {
    pub(super) fn new(sql: &'a Connection, key: &'a SealKey, clock: &'a Clock) -> Self {
        Self { sql, key, clock }
    }

    /// The key of fingerprints.
    pub(crate) fn key(&self) -> &'a SealKey {
        self.key
    }

    /// Now, in the store's unit.
    pub(super) fn now_us(&self) -> i64 {
        self.clock.now().as_microsecond()
    }

    /// The number of the layout with these field names; made, if it is new.
    pub(crate) fn layout(&mut self, fields: &[String]) -> Result<i64, StoreError> {
        let text = fields.join(",");
        self.sql
            .prepare_cached("INSERT INTO layout (fields) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([&text])?;
        Ok(self
            .sql
            .prepare_cached("SELECT id FROM layout WHERE fields = ?1")?
            .query_row([&text], |row| row.get(0))?)
    }

    /// The field names of a layout.
    pub(super) fn layout_fields(&self, id: i64) -> Result<Vec<String>, StoreError> {
        let text: String = self
            .sql
            .prepare_cached("SELECT fields FROM layout WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        Ok(text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }
}

/// Sixteen bytes of a record id column.
pub(super) fn record_id(bytes: &[u8]) -> Result<crate::model::RecordId, StoreError> {
    bytes
        .try_into()
        .map(crate::model::RecordId::from_bytes)
        .map_err(|_| StoreError::Corrupt("a record id does not have 16 bytes".into()))
}

/// A name column.
pub(super) fn table_name(text: &str) -> Result<crate::model::TableName, StoreError> {
    crate::model::TableName::new(text)
        .map_err(|_| StoreError::Corrupt("a table name is not a name".into()))
}

/// A flow column.
pub(super) fn flow(text: &str) -> Result<crate::model::Flow, StoreError> {
    crate::model::Flow::parse(text)
        .ok_or_else(|| StoreError::Corrupt("a flow has an unknown name".into()))
}
