//! Creating, changing and deleting records (campaign sheet 3.7).
//!
//! Owns: what a body may hold, unique keys, and what the server stamps.

use serde_json::{Map, Value};

use super::consent;
use super::error::{self, Refusal};
use super::pkey::Sealed;
use super::schema::{Api, FieldType, Resource};
use super::store::Db;
use super::value;
use crate::sandbox::row::{Cell, Fields};
use crate::sandbox::variants::{Clearing, ParentDelete, Variants};

/// The circumstances of a write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) api: Api,
    pub(crate) variants: Variants,
    /// Milliseconds since 1970.
    pub(crate) now: i64,
}

/// Members of a reply that a client may send back; they are not fields.
const ENVELOPE: [&str; 2] = ["PKey", "href"];
/// Computed members: known, but never written.
const COMPUTED: [&str; 6] = ["age", "domain", "title", "cryptedId", "postalAddress", "metadata"];

/// Reads a body; the content type does not matter.
pub(crate) fn body(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    serde_json::from_slice(bytes).map_err(|error| error::no_json(&error.to_string()))
}

fn apply(
    db: &Db,
    def: &Resource,
    fields: &mut Fields,
    body: &Map<String, Value>,
    scene: Scene,
) -> Result<(), Refusal> {
    let before = fields.clone();
    for (name, value) in body {
        if ENVELOPE.contains(&name.as_str()) {
            continue;
        }
        if COMPUTED.contains(&name.as_str()) && def.name == "profile" {
            return Err(error::read_only(name, &def.name));
        }
        let items: Vec<_> =
            def.fields.iter().filter(|field| field.item.as_deref() == Some(name)).collect();
        if !items.is_empty() {
            let Value::Object(inner) = value else {
                return Err(error::mismatch(&value.to_string(), "item"));
            };
            for (part, value) in inner {
                let field = def.inner(name, part).ok_or_else(|| error::unknown(part, &def.name))?;
                set(fields, field.number, value::parse(def, field, value, scene.variants)?);
            }
            continue;
        }
        let field = def
            .field(name)
            .filter(|field| !(field.custom && scene.api == Api::Plain && field.item.is_none()));
        let field = field.ok_or_else(|| error::unknown(name, &def.name))?;
        if field.read_only {
            return Err(error::read_only(name, &def.name));
        }
        let cell = match &field.kind {
            FieldType::Link { target } => {
                if let Some(cell) = link(db, def, target, value, scene.variants.link_clearing)? {
                    cell
                } else {
                    continue;
                }
            }
            FieldType::Collection { .. } => return Err(error::read_only(name, &def.name)),
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
            | FieldType::Enumeration { .. } => value::parse(def, field, value, scene.variants)?,
        };
        set(fields, field.number, cell);
        stamp(def, fields, &before, name, scene);
    }
    if let Some(field) = def.field("lastModified") {
        fields.insert(field.number, Cell::Time(scene.now));
    }
    Ok(())
}

fn set(fields: &mut Fields, number: u16, cell: Option<Cell<'static>>) {
    match cell {
        Some(cell) => {
            fields.insert(number, cell);
        }
        None => {
            fields.remove(&number);
        }
    }
}

/// A link's new value; nothing at all where it is to be ignored.
#[expect(clippy::option_option, reason = "ignored, cleared and set are three outcomes")]
fn link(
    db: &Db,
    def: &Resource,
    target: &str,
    value: &Value,
    clearing: Clearing,
) -> Result<Option<Option<Cell<'static>>>, Refusal> {
    let (null, empty) = match clearing {
        Clearing::Both => (true, true),
        Clearing::NullOnly => (true, false),
        Clearing::EmptyOnly => (false, true),
    };
    if (null && value.is_null()) || (empty && value.as_str() == Some("")) {
        return Ok(Some(None));
    }
    if value.is_null() || value.is_string() {
        return Err(error::mismatch(value.as_str().unwrap_or("null"), "link"));
    }
    // Attributes of the linked record are ignored without a word.
    let Some(key) = value.get("PKey") else {
        return Ok(None);
    };
    let key = key.as_str().unwrap_or_default();
    if key.is_empty() {
        return Ok(Some(None));
    }
    let custom = def.name.starts_with("cus");
    let foreign = || error::foreign_key(key, &def.label, &def.schema, custom);
    let Some(Sealed::Record(place, row)) = db.sealer.open(key) else {
        return Err(foreign());
    };
    let held = usize::try_from(place).ok().and_then(|place| db.resources.get(place));
    let held = held.filter(|data| data.def.name == target && data.rows.contains_key(&row));
    if held.is_none() {
        return Err(foreign());
    }
    Ok(Some(Some(Cell::Int(i64::try_from(row).unwrap_or(i64::MAX)))))
}

/// Writing an opt-out flag moves its stamps, also with an equal value.
fn stamp(def: &Resource, fields: &mut Fields, before: &Fields, name: &str, scene: Scene) {
    if def.name != "profile" || !consent::is_flag(name) {
        return;
    }
    let number = |name: &str| def.field(name).map(|field| field.number);
    let Some(flag) = number(name) else { return };
    let value = |fields: &Fields| matches!(fields.get(&flag), Some(Cell::Bool(true)));
    if !scene.variants.equal_flag_bumps && value(before) == value(fields) {
        return;
    }
    let own = number(&format!("{name}LastModified")).filter(|_| scene.variants.flags_have_stamps);
    let all = consent::stamp_of_all(name).and_then(|name| number(&name));
    for stamp in [own, all].into_iter().flatten() {
        fields.insert(stamp, Cell::Time(scene.now));
    }
}

fn check_keys(
    db: &Db,
    place: usize,
    row: u64,
    fields: &Fields,
    variants: Variants,
) -> Result<(), Refusal> {
    let Some(data) = db.resources.get(place) else {
        return Err(error::no_resource());
    };
    match data.taken(row, fields, variants.unique_external_id) {
        Some((key, value)) => {
            let label = data.def.label.trim_end_matches('s');
            Err(error::duplicate(label, &value, &key.constraint, &key.column))
        }
        None => Ok(()),
    }
}

/// Creates a record; returns its row.
pub(crate) fn create(
    db: &mut Db,
    place: usize,
    body: &Map<String, Value>,
    scene: Scene,
) -> Result<u64, Refusal> {
    let def =
        db.resources.get(place).map(|data| data.def.clone()).ok_or_else(error::no_resource)?;
    let mut fields = Fields::new();
    apply(db, &def, &mut fields, body, scene)?;
    if let Some(field) = def.field("created") {
        fields.insert(field.number, Cell::Time(scene.now));
    }
    check_keys(db, place, 0, &fields, scene.variants)?;
    let data = db.resources.get_mut(place).ok_or_else(error::no_resource)?;
    let row = data.fresh();
    data.put(row, &fields);
    Ok(row)
}

/// Changes a record. `key` is the field that the address named it by.
pub(crate) fn update(
    db: &mut Db,
    place: usize,
    row: u64,
    key: Option<u16>,
    body: &Map<String, Value>,
    scene: Scene,
) -> Result<(), Refusal> {
    let data = db.resources.get(place).ok_or_else(error::no_resource)?;
    let def = data.def.clone();
    let before = data.rows.get(&row).map(crate::sandbox::row::Packed::unpack).unwrap_or_default();
    let mut fields = before.clone();
    apply(db, &def, &mut fields, body, scene)?;
    if let Some(number) = key
        && before.get(&number) != fields.get(&number)
    {
        let text = |fields: &Fields| {
            fields.get(&number).and_then(|cell| cell.text().map(str::to_owned)).unwrap_or_default()
        };
        return Err(error::key_changed(&def.name, &text(&before), &text(&fields)));
    }
    check_keys(db, place, row, &fields, scene.variants)?;
    if let Some(data) = db.resources.get_mut(place) {
        data.put(row, &fields);
    }
    Ok(())
}

/// The records that a custom resource's record links to.
fn targets(db: &Db, place: usize, row: u64) -> Vec<(usize, u64)> {
    let custom = db.resources.get(place).filter(|data| data.def.name.starts_with("cus"));
    let Some((data, packed)) = custom.and_then(|data| Some((data, data.rows.get(&row)?))) else {
        return Vec::new();
    };
    let fields = data.def.fields.iter().filter(|field| !field.read_only);
    fields
        .filter_map(|field| {
            let FieldType::Link { target } = &field.kind else {
                return None;
            };
            let linked = packed.get(field.number).as_ref().and_then(Cell::int)?;
            Some((db.place(target)?, u64::try_from(linked).ok()?))
        })
        .collect()
}

/// Deletes a record; its children stay unlinked or go too, by variant.
pub(crate) fn delete(db: &mut Db, place: usize, row: u64, variants: Variants) -> bool {
    let Some(name) = db.resources.get(place).map(|data| data.def.name.clone()) else {
        return false;
    };
    let targets = if variants.delete_takes_targets { targets(db, place, row) } else { Vec::new() };
    if !db.resources.get_mut(place).is_some_and(|data| data.remove(row)) {
        return false;
    }
    for (target_place, target) in targets {
        delete(db, target_place, target, variants);
    }
    for (child_place, number, child) in db.children(&name, row) {
        match variants.parent_delete {
            ParentDelete::Cascade => {
                delete(db, child_place, child, variants);
            }
            ParentDelete::Unlink => {
                let Some(data) = db.resources.get_mut(child_place) else {
                    continue;
                };
                let mut fields = data
                    .rows
                    .get(&child)
                    .map(crate::sandbox::row::Packed::unpack)
                    .unwrap_or_default();
                fields.remove(&number);
                data.put(child, &fields);
            }
        }
    }
    true
}
