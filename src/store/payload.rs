//! What a write carries, and how it stands in the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{RecordId, TableName};
use crate::store::{Fingerprint, StoreError, UNKNOWN};

/// What a write carries. Personal data: it lives here until it is delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// The record's key in Campaign.
    pub(crate) key: String,
    /// Whether fields with `updates = false` are written to a record that
    /// exists already.
    pub(crate) initial: bool,
    /// All mapped fields that have something to say, links among them.
    pub(crate) fields: Vec<PayloadField>,
    /// The links that are set: what their fields hold is known when they are
    /// sent, because a `PKey` is never stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<PayloadLink>,
}

/// A link to a parent. In the store it is a list without names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredLink", into = "StoredLink")]
pub(crate) struct PayloadLink {
    /// Campaign's name of the field.
    pub(crate) field: String,
    /// The parent's table.
    pub(crate) table: TableName,
    /// The parent.
    pub(crate) record: RecordId,
    /// Whether the field holds the parent's key in place of a link.
    pub(crate) by_key: bool,
}

/// Field, table, record, `by_key`.
#[derive(Serialize, Deserialize)]
struct StoredLink(String, String, String, bool);

impl From<PayloadLink> for StoredLink {
    fn from(link: PayloadLink) -> Self {
        Self(link.field, link.table.to_string(), link.record.to_string(), link.by_key)
    }
}

impl TryFrom<StoredLink> for PayloadLink {
    type Error = &'static str;

    fn try_from(StoredLink(field, table, record, by_key): StoredLink) -> Result<Self, Self::Error> {
        let table = TableName::new(&table).map_err(|_| "a link's table is not a name")?;
        let record = RecordId::parse(&record).map_err(|_| "a link's parent is not an id")?;
        Ok(Self { field, table, record, by_key })
    }
}

impl Payload {
    /// The fields that this write carries and that Campaign does not hold so.
    /// A field with `updates = false` that Campaign was never told is carried
    /// once.
    pub(crate) fn changed<'p>(
        &'p self,
        holds: &'p BTreeMap<String, Fingerprint>,
    ) -> impl Iterator<Item = &'p PayloadField> {
        self.fields.iter().filter(|field| match holds.get(&field.name) {
            Some(held) if *held == UNKNOWN => true,
            Some(held) => (field.updates || self.initial) && *held != field.fingerprint,
            None => true,
        })
    }
}

/// One field of a write. In the store it is a list without names: a backlog
/// holds very many of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Stored")]
pub(crate) struct PayloadField {
    /// Campaign's name.
    pub(crate) name: String,
    /// The value in its wire form.
    pub(crate) json: Box<RawValue>,
    /// Its fingerprint.
    pub(crate) fingerprint: Fingerprint,
    /// Whether later changes are carried (`updates`).
    pub(crate) updates: bool,
}

/// Name, value, fingerprint, `updates`.
#[derive(Deserialize)]
struct Stored(String, Box<RawValue>, u64, bool);

impl From<Stored> for PayloadField {
    fn from(Stored(name, json, fingerprint, updates): Stored) -> Self {
        Self { name, json, fingerprint: fingerprint.to_le_bytes(), updates }
    }
}

impl Serialize for PayloadField {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fingerprint = u64::from_le_bytes(self.fingerprint);
        (&self.name, &self.json, fingerprint, self.updates).serialize(serializer)
    }
}

pub(super) fn encode(payload: &Payload) -> Result<String, StoreError> {
    serde_json::to_string(payload).map_err(|error| StoreError::Statement(error.to_string()))
}

pub(super) fn decode(payload: &str) -> Result<Payload, StoreError> {
    serde_json::from_str(payload)
        .map_err(|error| StoreError::Corrupt(format!("a payload cannot be read: {error}")))
}
