//! What a transaction offers; each family of tables adds its own methods in
//! its own file.

use rusqlite::Connection;

use crate::clock::Clock;
use crate::store::layout::Layouts;
use crate::store::trace::Trace;
use crate::store::{SealKey, StoreError};

/// One open transaction.
pub(crate) struct Work<'a> {
    pub(super) sql: &'a Connection,
    pub(super) key: &'a SealKey,
    pub(super) layouts: &'a Layouts,
    /// What happened to records in this transaction.
    pub(super) trace: Trace,
    clock: &'a Clock,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        sql: &'a Connection,
        key: &'a SealKey,
        layouts: &'a Layouts,
        clock: &'a Clock,
    ) -> Self {
        Self { sql, key, layouts, trace: Trace::default(), clock }
    }

    /// The key of fingerprints.
    pub(crate) fn key(&self) -> &'a SealKey {
        self.key
    }

    /// Now.
    pub(super) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// Now, in the store's unit.
    pub(super) fn now_us(&self) -> i64 {
        self.clock.now().as_microsecond()
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
