//! What a write carries, and how it stands in the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{RecordId, TableName};
use crate::store::{Fingerprint, SEAL_BYTES, StoreError, UNKNOWN, Work};

/// What a write carries. Personal data: it lives here until it is delivered.
#[derive(Clone, Debug)]
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
    pub(crate) links: Vec<PayloadLink>,
    /// Opt-out flags, by Campaign's names, that a record is made with. They
    /// belong to another flow: no record that is there already is told of them,
    /// and what Campaign holds in them is not remembered.
    pub(crate) opt_outs: Vec<Arc<str>>,
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
        self.fields.iter().filter(|field| match holds.get(&*field.name) {
            Some(held) if *held == UNKNOWN => true,
            Some(held) => (field.updates || self.initial) && *held != field.fingerprint,
            None => true,
        })
    }
}

/// One field of a write.
#[derive(Clone, Debug)]
pub(crate) struct PayloadField {
    /// Campaign's name.
    pub(crate) name: Arc<str>,
    /// The value in its wire form.
    pub(crate) json: Box<RawValue>,
    /// Its fingerprint.
    pub(crate) fingerprint: Fingerprint,
    /// Whether later changes are carried (`updates`).
    pub(crate) updates: bool,
}

/// How a payload stands in the file: the names are a layout's, because a
/// backlog holds very many of them.
#[derive(Serialize)]
struct Written<'p> {
    key: &'p str,
    initial: bool,
    layout: i64,
    /// The layout's proof of its names.
    names: u64,
    /// All fingerprints, in Base64.
    prints: String,
    /// Places of the fields without `updates`.
    once: Vec<usize>,
    values: Vec<&'p RawValue>,
    #[serde(skip_serializing_if = "slice_is_empty")]
    links: &'p [PayloadLink],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    opt_outs: Vec<&'p str>,
}

fn slice_is_empty(links: &&[PayloadLink]) -> bool {
    links.is_empty()
}

/// As [`Written`]; or in the form of the first versions, with a list of fields.
#[derive(Deserialize)]
struct Stored {
    key: String,
    initial: bool,
    #[serde(default)]
    layout: Option<i64>,
    #[serde(default)]
    names: u64,
    #[serde(default)]
    prints: String,
    #[serde(default)]
    once: Vec<usize>,
    #[serde(default)]
    values: Vec<Box<RawValue>>,
    #[serde(default)]
    fields: Vec<Named>,
    #[serde(default)]
    links: Vec<PayloadLink>,
    #[serde(default)]
    opt_outs: Vec<String>,
}

/// Name, value, fingerprint, `updates`.
#[derive(Deserialize)]
struct Named(String, Box<RawValue>, u64, bool);

impl From<Named> for PayloadField {
    fn from(Named(name, json, fingerprint, updates): Named) -> Self {
        Self { name: name.into(), json, fingerprint: fingerprint.to_le_bytes(), updates }
    }
}

impl Work<'_> {
    pub(super) fn encode(&mut self, payload: &Payload) -> Result<String, StoreError> {
        let fields = &payload.fields;
        let layout = self.layout(fields.iter().map(|field| &*field.name))?;
        let prints: Vec<u8> = fields.iter().flat_map(|field| field.fingerprint).collect();
        let once = fields.iter().enumerate().filter(|(_, field)| !field.updates);
        serde_json::to_string(&Written {
            key: &payload.key,
            initial: payload.initial,
            layout: layout.id,
            names: u64::from_le_bytes(layout.print),
            prints: STANDARD_NO_PAD.encode(prints),
            once: once.map(|(place, _)| place).collect(),
            values: fields.iter().map(|field| &*field.json).collect(),
            links: &payload.links,
            opt_outs: payload.opt_outs.iter().map(|name| &**name).collect(),
        })
        .map_err(|error| StoreError::Statement(error.to_string()))
    }

    pub(super) fn decode(&self, payload: &str) -> Result<Payload, StoreError> {
        let stored: Stored = serde_json::from_str(payload)
            .map_err(|error| StoreError::unreadable("a payload", &error))?;
        let Stored { key, initial, links, opt_outs, .. } = stored;
        let opt_outs = opt_outs.into_iter().map(Arc::from).collect();
        let Some(layout) = stored.layout else {
            let fields = stored.fields.into_iter().map(PayloadField::from).collect();
            return Ok(Payload { key, initial, fields, links, opt_outs });
        };
        let unfit = || StoreError::Corrupt("a payload does not fit its layout".into());
        let layout = self.layout_of(layout)?;
        let prints = STANDARD_NO_PAD.decode(stored.prints).map_err(|_| unfit())?;
        let (prints, rest) = prints.as_chunks::<SEAL_BYTES>();
        let count = layout.names.len();
        if u64::from_le_bytes(layout.print) != stored.names
            || !rest.is_empty()
            || prints.len() != count
            || stored.values.len() != count
        {
            return Err(unfit());
        }
        let mut fields: Vec<PayloadField> = layout
            .names
            .iter()
            .zip(stored.values)
            .zip(prints)
            .map(|((name, json), fingerprint)| PayloadField {
                name: Arc::clone(name),
                json,
                fingerprint: *fingerprint,
                updates: true,
            })
            .collect();
        for place in stored.once {
            fields.get_mut(place).ok_or_else(unfit)?.updates = false;
        }
        Ok(Payload { key, initial, fields, links, opt_outs })
    }
}
