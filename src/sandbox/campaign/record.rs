//! A record as JSON (campaign sheet 3.2 and 3.3).
//!
//! Owns: links, computed members and the keys that differ on each appearance.

use serde_json::{Map, Value};

use super::pkey::Sealed;
use super::read::View;
use super::schema::{Api, FieldType, Resource};
use super::store::Db;
use super::value;
use crate::sandbox::moment;
use crate::sandbox::row::{Cell, Packed};

/// A text field's value, empty where unset.
pub(crate) fn text_of(def: &Resource, row: &Packed, name: &str) -> String {
    def.field(name)
        .and_then(|field| row.get(field.number))
        .and_then(|cell| cell.text().map(str::to_owned))
        .unwrap_or_default()
}

/// What people see of a record: computed, never stored.
fn title(def: &Resource, row: &Packed) -> String {
    if def.name != "profile" {
        let label = text_of(def, row, "label");
        return if label.is_empty() {
            text_of(def, row, "cusName")
        } else {
            format!("{label} ({})", text_of(def, row, "name"))
        };
    }
    let names = [text_of(def, row, "firstName"), text_of(def, row, "lastName").to_uppercase()];
    let name = names.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ");
    format!("{name} ({})", text_of(def, row, "email"))
}

/// A record in full.
pub(crate) fn record(db: &Db, view: &View<'_>, number: u64, row: &Packed) -> Value {
    let Some(data) = db.resources.get(view.place) else {
        return Value::Null;
    };
    let def = &data.def;
    let place = u64::try_from(view.place).unwrap_or(0);
    let base = view.base(&def.name);
    let key = db.sealer.seal(Sealed::Record(place, number));
    let mut out = Map::new();
    out.insert("href".to_owned(), format!("{base}/{key}").into());
    out.insert("PKey".to_owned(), key.into());
    let mut cells: Vec<Option<Cell<'_>>> = vec![None; usize::from(def.next_number)];
    for (at, cell) in row.cells() {
        if let Some(slot) = cells.get_mut(usize::from(at)) {
            *slot = Some(cell);
        }
    }
    // Collections of one reply share a token, which differs from the record's own.
    let inner = db.sealer.seal(Sealed::Record(place, number));
    for field in def.fields.iter().filter(|field| !(field.custom && view.api == Api::Plain)) {
        let cell = cells.get(usize::from(field.number)).and_then(Option::as_ref);
        let shown = match &field.kind {
            FieldType::Collection { .. } => {
                serde_json::json!({"href": format!("{base}/{inner}/{}/", field.name)})
            }
            FieldType::Link { target } => linked(db, view, target, cell),
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
            | FieldType::Enumeration { .. } => value::show(field, cell),
        };
        match &field.item {
            None => {
                out.insert(field.name.clone(), shown);
            }
            Some(item) => {
                let holder = out.entry(item.clone()).or_insert_with(|| Value::Object(Map::new()));
                if let Some(holder) = holder.as_object_mut() {
                    holder.insert(field.name.clone(), shown);
                }
            }
        }
    }
    if def.name == "profile" {
        computed(def, row, number, view.now, &mut out);
    }
    if def.field("title").is_none() {
        out.insert("title".to_owned(), title(def, row).into());
    }
    Value::Object(out)
}

/// A record as a row of a list, which may lack links that are not set.
pub(crate) fn list_row(db: &Db, view: &View<'_>, number: u64, row: &Packed) -> Value {
    let mut full = record(db, view, number, row);
    let def = db.resources.get(view.place).map(|data| &data.def);
    if view.variants.lists_leave_out_unset_links
        && let (Some(def), Some(full)) = (def, full.as_object_mut())
    {
        for field in &def.fields {
            if matches!(field.kind, FieldType::Link { .. })
                && full.get(&field.name).is_some_and(Value::is_null)
            {
                full.remove(&field.name);
            }
        }
    }
    full
}

fn linked(db: &Db, view: &View<'_>, target: &str, cell: Option<&Cell<'_>>) -> Value {
    let row = cell.and_then(Cell::int).and_then(|row| u64::try_from(row).ok());
    let (Some(row), Some(place)) = (row, db.place(target)) else {
        return Value::Null;
    };
    let Some((data, packed)) =
        db.resources.get(place).and_then(|data| Some((data, data.rows.get(&row)?)))
    else {
        return Value::Null;
    };
    let key = db.sealer.seal(Sealed::Record(u64::try_from(place).unwrap_or(0), row));
    // A linked record may be under another root than the one asked.
    let api = if data.def.apis.contains(&view.api) {
        view.api
    } else {
        data.def.apis.first().copied().unwrap_or(view.api)
    };
    serde_json::json!({"href": format!("{}/{key}", view.base_under(api, target)), "title": title(&data.def, packed), "PKey": key})
}

fn computed(def: &Resource, row: &Packed, number: u64, now: i64, out: &mut Map<String, Value>) {
    let email = text_of(def, row, "email");
    let domain =
        email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).unwrap_or_default();
    let born = def.field("birthDate").and_then(|field| row.get(field.number));
    let age = match born {
        Some(Cell::Date(days)) => {
            let (year, month, day) = moment::civil_from_days(days);
            let (this, now_month, now_day) = moment::civil_from_days(now.div_euclid(86_400_000));
            (this - year - i64::from((now_month, now_day) < (month, day))).max(0)
        }
        Some(_) | None => 0,
    };
    let crypted = blake3::hash(&number.to_le_bytes()).to_hex();
    let names = [text_of(def, row, "firstName"), text_of(def, row, "lastName")];
    let line = names.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ");
    if out.get("thumbnail").and_then(Value::as_str) == Some("") {
        out.insert("thumbnail".to_owned(), "/nl/img/thumbnails/defaultProfil.png".into());
    }
    out.insert("age".to_owned(), age.into());
    out.insert("domain".to_owned(), domain.into());
    out.insert("cryptedId".to_owned(), crypted.get(..32).unwrap_or_default().into());
    out.insert(
        "postalAddress".to_owned(),
        serde_json::json!({"addrDefined": false, "addrErrorCount": 0, "addrLastCheck": "", "addrQuality": "0", "line1": line,
            "line2": "", "line3": "", "line4": "", "line5": "", "line6": "", "serialized": line}),
    );
}
