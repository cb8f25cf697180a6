//! Resources of Campaign: records by page, one record in full.

use std::sync::PoisonError;

use super::dynamics::{pager, plain, search};
use super::html::{self, Html};
use super::{ROWS, forms, missing, page_number};
use crate::sandbox::campaign::schema::{Field, FieldType, Resource};
use crate::sandbox::campaign::store::Db;
use crate::sandbox::campaign::value;
use crate::sandbox::row::{Cell, Packed};
use crate::sandbox::server::Shared;
use crate::sandbox::wire::{Call, Reply, encode};

/// Fields of a list, beside the record's name.
const FIELDS: usize = 7;

/// Records that a search looks at; the database is held as long.
const SEARCHED: usize = 100_000;

/// Fields whose values tell people which record it is, the best first.
const NAMES: [&[&str]; 5] =
    [&["firstName", "lastName"], &["label"], &["cusName"], &["email"], &["name"]];

/// The address of a record's page.
pub(super) fn address(resource: &str, row: u64) -> String {
    format!("/_sandbox/campaign/{}/{row}", encode(resource))
}

fn title(def: &Resource, row: &Packed) -> Option<String> {
    let text = |name: &&str| {
        let cell = def.field(name).and_then(|field| row.get(field.number));
        cell.and_then(|cell| cell.text().map(str::to_owned)).filter(|text| !text.is_empty())
    };
    let key = || def.keys.iter().find_map(|key| text(&key.field.as_str()));
    NAMES
        .iter()
        .map(|names| names.iter().filter_map(text).collect::<Vec<_>>().join(" "))
        .find(|name| !name.trim().is_empty())
        .or_else(key)
}

/// What people call a record.
pub(super) fn name_of(db: &Db, resource: &str, row: u64) -> String {
    let name = db.named(resource).and_then(|data| title(&data.def, data.rows.get(&row)?));
    name.unwrap_or_else(|| format!("record {row}"))
}

fn shown(out: &mut Html, db: &Db, field: &Field, cell: &Cell<'_>) {
    if let FieldType::Link { target } = &field.kind
        && let Some(row) = cell.int().and_then(|row| u64::try_from(row).ok())
    {
        out.link(address(target, row), name_of(db, target, row));
        return;
    }
    out.text(value::spelt(&value::show(field, Some(cell))));
}

fn holds(row: &Packed, wanted: &str) -> bool {
    row.cells().any(|(_, cell)| plain(&cell).to_lowercase().contains(wanted))
}

/// `GET /_sandbox/campaign/{resource}?page=&q=`
pub(super) fn list(shared: &Shared, call: &Call, resource: &str) -> Reply {
    let db = shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(data) = db.named(resource) else { return missing("resource") };
    let wanted = call.param("q").unwrap_or_default().trim().to_lowercase();
    let first = page_number(call) * ROWS;
    let rows = data.rows.iter().map(|(row, packed)| (*row, packed));
    let mut found: Vec<(u64, &Packed)> = if wanted.is_empty() {
        rows.skip(first).take(ROWS + 1).collect()
    } else {
        let hits = rows.take(SEARCHED).filter(|(_, row)| holds(row, &wanted));
        hits.skip(first).take(ROWS + 1).collect()
    };
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let filled = |field: &&Field| {
        let dull = field.read_only || field.item.is_some();
        !dull && found.iter().any(|(_, row)| row.get(field.number).is_some())
    };
    let fields: Vec<&Field> = data.def.fields.iter().filter(filled).take(FIELDS).collect();
    let target = format!("/_sandbox/campaign/{}", encode(resource));
    let mut out = Html::default();
    out.raw("<h1>").text(resource).raw(" <span class=soft>").number(data.rows.len());
    out.raw(" records in Campaign</span></h1>");
    search(&mut out, &target, &wanted);
    out.raw("<section><div class=wide><table class=list><tr><th>record");
    for field in &fields {
        out.raw("<th>").text(&field.name);
    }
    out.raw("</tr>");
    for (row, packed) in &found {
        out.raw("<tr><td>").link(address(resource, *row), name_of(&db, resource, *row));
        out.raw("</td>");
        for field in &fields {
            out.raw("<td>");
            if let Some(cell) = packed.get(field.number) {
                shown(&mut out, &db, field, &cell);
            }
            out.raw("</td>");
        }
        out.raw("</tr>");
    }
    out.raw("</table></div>");
    if found.is_empty() {
        out.raw("<p class=soft>Nothing here.</p>");
    }
    pager(&mut out, &target, &wanted, first / ROWS, more);
    out.raw("</section>");
    html::page(resource, "", None, &out)
}

/// `GET /_sandbox/campaign/{resource}/{row}`
pub(super) fn record(shared: &Shared, resource: &str, row: &str) -> Reply {
    let Ok(row) = row.parse::<u64>() else { return missing("record") };
    let mut out = Html::default();
    {
        let db = shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
        let found = db.named(resource).and_then(|data| Some((data, data.rows.get(&row)?)));
        let Some((data, packed)) = found else { return missing("record") };
        out.raw("<h1>").text(name_of(&db, resource, row)).raw("</h1><p class=soft>");
        out.link(format!("/_sandbox/campaign/{}", encode(resource)), resource);
        out.raw(" in Campaign, record ").text(row.to_string()).raw("</p>");
        full(&mut out, &db, &data.def, packed);
        linked_from(&mut out, &db, resource, row);
    }
    forms::delete(&mut out, shared, &format!("campaign/{resource}/{row}"));
    html::page(resource, "", None, &out)
}

fn full(out: &mut Html, db: &Db, def: &Resource, row: &Packed) {
    out.raw("<section><h2>Fields</h2><table class=record>");
    let mut empty = Vec::new();
    for field in &def.fields {
        if matches!(field.kind, FieldType::Collection { .. }) {
            continue;
        }
        let item = field.item.as_ref().map(|item| format!("{item}.")).unwrap_or_default();
        let name = format!("{item}{}", field.name);
        let Some(cell) = row.get(field.number) else {
            empty.push(name);
            continue;
        };
        out.raw("<tr><td>").text(name).raw("</td><td>");
        shown(out, db, field, &cell);
        out.raw("</td></tr>");
    }
    out.raw("</table>");
    if !empty.is_empty() {
        out.raw("<details><summary>")
            .number(empty.len())
            .raw(" empty fields</summary><p class=mono>");
        out.text(empty.join(", ")).raw("</p></details>");
    }
    out.raw("</section>");
}

fn linked_from(out: &mut Html, db: &Db, resource: &str, row: u64) {
    let children = db.children(resource, row);
    if children.is_empty() {
        return;
    }
    out.raw("<section><h2>Linked from</h2><table>");
    for (place, _, child) in children.iter().take(100) {
        let Some(data) = db.resources.get(*place) else { continue };
        let name = &data.def.name;
        out.raw("<tr><td class=tight>").text(name).raw("</td><td>");
        out.link(address(name, *child), name_of(db, name, *child)).raw("</td></tr>");
    }
    out.raw("</table></section>");
}
