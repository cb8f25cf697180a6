//! What a write carries, and how it stands in the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::store::{Fingerprint, StoreError, UNKNOWN};

/// What a write carries. Personal data: it lives here until it is delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// The record's key in Campaign.
    pub(crate) key: String,
    /// Whether fields with `updates = false` are written to a record that
    /// exists already.
    pub(crate) initial: bool,
    /// All mapped fields that have something to say.
    pub(crate) fields: Vec<PayloadField>,
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
