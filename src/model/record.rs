//! One record of Dynamics, and what a change feed says of it.

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

use crate::model::{ColumnName, Value};

/// A text that is not the GUID of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a record id: a GUID like 2e451703-c286-e711-80ef-00155db19e6d is expected")]
pub(crate) struct RecordIdError;

/// The primary id of a Dynamics row. One canonical form, whatever the case,
/// braces or dashes of the text it came from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub(crate) struct RecordId(Uuid);

impl RecordId {
    /// Reads a GUID in any of its usual forms.
    pub(crate) fn parse(text: &str) -> Result<Self, RecordIdError> {
        Uuid::try_parse(text.trim()).map(Self).map_err(|_| RecordIdError)
    }

    /// From the sixteen bytes that the store keeps.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes that the store keeps.
    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl From<Uuid> for RecordId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<RecordId> for Uuid {
    fn from(id: RecordId) -> Self {
        id.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hyphenated(), f)
    }
}

/// Dynamics' `versionnumber`: rises over the whole database, not per table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowVersion(pub(crate) i64);

/// The selected columns of one row at the moment it was read.
///
/// A column that the answer did not carry is absent from the map; one that it
/// carried empty is [`Value::Null`]. The two are treated differently.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SourceRow {
    /// Its primary id.
    pub(crate) id: RecordId,
    /// From the row's `ETag`, where the table has one.
    pub(crate) version: Option<RowVersion>,
    /// The values by column.
    pub(crate) columns: BTreeMap<ColumnName, Value>,
    /// The table that a lookup points to, where the answer said so.
    pub(crate) points_to: BTreeMap<ColumnName, String>,
}

/// One item of a change feed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Created or updated: change tracking does not tell the two apart.
    Upsert(SourceRow),
    /// Deleted: only the id is known.
    Delete(RecordId),
}

impl Change {
    /// The record this change is about.
    pub(crate) fn id(&self) -> RecordId {
        match self {
            Self::Upsert(row) => row.id,
            Self::Delete(id) => *id,
        }
    }
}
