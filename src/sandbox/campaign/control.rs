//! The handle by which tests and demos act on the Campaign look-alike.
//!
//! Owns: what a Campaign user or administrator would do there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use super::error::Refusal;
use super::read::View;
use super::record;
use super::schema::{Api, FieldType, Filter, FilterOperator};
use super::store::Db;
use super::write::{self, Scene};
use crate::clock::Clock;
use crate::sandbox::ControlError;
use crate::sandbox::identity::{Audience, Identity};
use crate::sandbox::row::{Fields, Packed};
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::Call;

impl From<Refusal> for ControlError {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.status.to_string(), message: refusal.text }
    }
}

pub(super) fn unknown(what: &str) -> ControlError {
    ControlError { code: String::new(), message: format!("there is no such {what}") }
}

/// Acts on Campaign as a user or an administrator; cheap to clone. Records are
/// shown as the Ext API shows them, without `PKey` and `href`; links show the
/// linked record's unique key under `key`.
#[derive(Clone, Debug)]
pub struct CampaignControl {
    pub(crate) db: Arc<Mutex<Db>>,
    pub(crate) variants: Arc<Mutex<Variants>>,
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
}

impl CampaignControl {
    pub(super) fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn variants(&self) -> Variants {
        *self.variants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scene(&self) -> Scene {
        Scene { api: Api::Ext, variants: self.variants(), now: self.clock.now().as_millisecond() }
    }

    /// All records of a resource, in order of creation.
    pub fn rows(&self, resource: &str) -> Vec<Map<String, Value>> {
        let db = self.db();
        let Some(data) = db.named(resource) else {
            return Vec::new();
        };
        data.rows.iter().map(|(number, row)| self.show(&db, resource, *number, row)).collect()
    }

    /// The records whose field has this text.
    pub fn by_key(&self, resource: &str, field: &str, value: &str) -> Vec<Map<String, Value>> {
        let db = self.db();
        let Some(data) = db.named(resource) else {
            return Vec::new();
        };
        let numbers = matching(&db, resource, field, value);
        numbers
            .iter()
            .filter_map(|number| Some(self.show(&db, resource, *number, data.rows.get(number)?)))
            .collect()
    }

    /// One record.
    pub(crate) fn show(
        &self,
        db: &Db,
        resource: &str,
        number: u64,
        row: &Packed,
    ) -> Map<String, Value> {
        let Some(place) = db.place(resource) else {
            return Map::new();
        };
        let call = Call::new(Method::GET, "/", HeaderMap::new(), Bytes::new(), "");
        let now = self.clock.now().as_millisecond();
        let view = View {
            call: &call,
            tenant: "",
            api: Api::Ext,
            place,
            variants: Variants::default(),
            now,
        };
        let Value::Object(mut out) = record::record(db, &view, number, row) else {
            return Map::new();
        };
        out.remove("PKey");
        out.remove("href");
        let Some(data) = db.resources.get(place) else {
            return out;
        };
        for field in &data.def.fields {
            match &field.kind {
                FieldType::Collection { .. } => {
                    out.remove(&field.name);
                }
                FieldType::Link { target } => {
                    let linked = row
                        .get(field.number)
                        .and_then(|cell| cell.int())
                        .and_then(|row| u64::try_from(row).ok());
                    let key = linked.and_then(|row| key_of(db, target, row));
                    out.insert(
                        field.name.clone(),
                        key.map_or(Value::Null, |key| serde_json::json!({"key": key})),
                    );
                }
                FieldType::Text { .. }
                | FieldType::Memo
                | FieldType::Byte
                | FieldType::Short
                | FieldType::Long
                | FieldType::Int64
                | FieldType::Double
                | FieldType::Boolean
                | FieldType::Date
                | FieldType::DateTime
                | FieldType::Enumeration { .. } => {}
            }
        }
        out
    }

    /// Creates a record as a Campaign user.
    pub fn insert(&self, resource: &str, record: &Value) -> Result<(), ControlError> {
        let mut db = self.db();
        let place = db.place(resource).ok_or_else(|| unknown("resource"))?;
        let body = record.as_object().ok_or_else(|| unknown("record"))?;
        write::create(&mut db, place, body, self.scene())?;
        Ok(())
    }

    /// Changes all records whose field has this text; returns how many.
    pub fn update(
        &self,
        resource: &str,
        field: &str,
        value: &str,
        changes: &Value,
    ) -> Result<usize, ControlError> {
        let mut db = self.db();
        let place = db.place(resource).ok_or_else(|| unknown("resource"))?;
        let body = changes.as_object().ok_or_else(|| unknown("record"))?;
        let rows = matching(&db, resource, field, value);
        for row in &rows {
            write::update(&mut db, place, *row, None, body, self.scene())?;
        }
        Ok(rows.len())
    }

    /// Deletes all records whose field has this text; returns how many.
    pub fn delete(&self, resource: &str, field: &str, value: &str) -> usize {
        let variants = self.variants();
        let mut db = self.db();
        let Some(place) = db.place(resource) else {
            return 0;
        };
        let rows = matching(&db, resource, field, value);
        for row in &rows {
            write::delete(&mut db, place, *row, variants);
        }
        rows.len()
    }

    /// Records of a resource.
    pub fn count(&self, resource: &str) -> usize {
        self.db().named(resource).map_or(0, |data| data.rows.len())
    }

    /// The names of all resources.
    pub fn resources(&self) -> Vec<String> {
        self.db().resources.iter().map(|data| data.def.name.clone()).collect()
    }

    /// Adds a custom filter of one condition.
    pub fn add_filter(
        &self,
        resource: &str,
        name: &str,
        parameter: &str,
        field: &str,
        operator: FilterOperator,
    ) -> Result<(), ControlError> {
        let mut db = self.db();
        let data = db.named_mut(resource).ok_or_else(|| unknown("resource"))?;
        Arc::make_mut(&mut data.def).filters.push(Filter {
            name: name.to_owned(),
            custom: true,
            parameter: parameter.to_owned(),
            field: field.to_owned(),
            operator,
        });
        Ok(())
    }

    /// Removes a filter, as an administrator who renames it would.
    pub fn remove_filter(&self, resource: &str, name: &str) {
        if let Some(data) = self.db().named_mut(resource) {
            Arc::make_mut(&mut data.def).filters.retain(|filter| filter.name != name);
        }
    }

    /// The state of a workflow and the parameters of the signals that it took.
    pub fn workflow(&self, id: &str) -> Option<(String, Vec<Value>)> {
        let db = self.db();
        let workflow = db.workflows.get(id)?;
        let signals = workflow.signals.iter().map(|(_, parameters)| parameters.clone());
        Some((workflow.state().to_owned(), signals.collect()))
    }

    /// Revokes all bearer tokens for Campaign.
    pub fn revoke_bearer_tokens(&self) {
        self.identity.revoke_all(Audience::Campaign);
    }

    /// Bearer tokens that are alive.
    pub fn bearer_tokens(&self) -> usize {
        self.identity.alive(Audience::Campaign)
    }
}

pub(super) fn matching(db: &Db, resource: &str, field: &str, value: &str) -> Vec<u64> {
    let Some(data) = db.named(resource) else {
        return Vec::new();
    };
    let Some(field) = data.def.field(field) else {
        return Vec::new();
    };
    if field.indexed {
        return data.with(field.number, value);
    }
    let is = |row: &Packed| {
        let fields: Fields = row.unpack();
        let shown = super::value::show(field, fields.get(&field.number));
        super::value::spelt(&shown) == value
    };
    data.rows.iter().filter(|(_, row)| is(row)).map(|(number, _)| *number).collect()
}

/// The first unique key of a record that is not empty.
fn key_of(db: &Db, resource: &str, row: u64) -> Option<String> {
    let data = db.named(resource)?;
    let packed = data.rows.get(&row)?;
    data.def.keys.iter().find_map(|key| {
        let number = data.def.field(&key.field)?.number;
        packed.get(number)?.text().map(str::to_owned)
    })
}
