//! Tables of Dynamics: rows by page, one row in full with what refers to it.

use std::sync::PoisonError;

use uuid::Uuid;

use super::html::{self, Html};
use super::{ROWS, contact, forms, missing, page_number};
use crate::sandbox::dataverse::schema::{Column, Role, Table};
use crate::sandbox::dataverse::store::{Db, Stored, TableData};
use crate::sandbox::dataverse::value;
use crate::sandbox::row::Cell;
use crate::sandbox::server::Shared;
use crate::sandbox::wire::{Call, Reply, encode};

/// Columns of a list, beside the row's name.
const COLUMNS: usize = 7;

/// Rows that a search looks at; the database is held as long.
const SEARCHED: usize = 100_000;

/// Rows that refer to a row, as its page shows them.
const REFERRING: usize = 100;

/// Columns that the server fills in and nobody looks for.
const HOUSEKEEPING: [&str; 9] = [
    "createdby",
    "modifiedby",
    "ownerid",
    "owningbusinessunit",
    "overriddencreatedon",
    "importsequencenumber",
    "transactioncurrencyid",
    "createdon",
    "statuscode",
];

/// Columns that stand behind the others.
const LAST: [&str; 2] = ["statecode", "modifiedon"];

/// The address of a row's page.
pub(super) fn address(table: &str, id: Uuid) -> String {
    format!("/_sandbox/dynamics/{}/{id}", encode(table))
}

/// A value as text, without the quotes of JSON.
pub(super) fn plain(cell: &Cell<'_>) -> String {
    if let Cell::Text(text) = cell {
        return text.clone().into_owned();
    }
    let mut out = Vec::new();
    value::write(&mut out, Some(cell));
    String::from_utf8_lossy(&out).trim_matches('"').to_owned()
}

/// What people call a row: its primary name, or else its id.
pub(super) fn name_of(data: &TableData, id: Uuid) -> String {
    let number = data.def.column(&data.def.primary_name).map(|column| column.number);
    let row = data.rows.get(&id).zip(number);
    let name = row.and_then(|(row, number)| row.data.get(number).map(|cell| plain(&cell)));
    name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| id.to_string())
}

/// A value as people see it, with a link where it is a reference.
fn shown(out: &mut Html, db: &Db, column: &Column, cell: &Cell<'_>) {
    if let Cell::Ref(id, place) = cell
        && let Some(target) = column.kind.targets().get(usize::from(*place))
        && let Some(data) = db.table(&target.table)
    {
        out.link(address(&target.table, *id), name_of(data, *id));
        return;
    }
    let label = value::formatted(column, cell).filter(|_| !column.kind.choices().is_empty());
    out.text(label.unwrap_or_else(|| plain(cell)));
}

fn holds(row: &Stored, id: Uuid, wanted: &str) -> bool {
    id.to_string().contains(wanted)
        || row.data.cells().any(|(_, cell)| plain(&cell).to_lowercase().contains(wanted))
}

/// The columns that have something to say on this page.
fn columns<'d>(def: &'d Table, rows: &[(Uuid, &Stored)]) -> Vec<&'d Column> {
    let filled = |column: &&Column| {
        column.role == Role::Plain
            && column.name != def.primary_name
            && !HOUSEKEEPING.contains(&column.name.as_str())
            && rows.iter().any(|(_, row)| row.data.get(column.number).is_some())
    };
    let last = |column: &&Column| LAST.contains(&column.name.as_str());
    let (behind, mut before): (Vec<&Column>, Vec<&Column>) =
        def.columns.iter().filter(filled).partition(last);
    before.truncate(COLUMNS - behind.len());
    before.extend(behind);
    before
}

/// `GET /_sandbox/dynamics/{table}?page=&q=`
pub(super) fn list(shared: &Shared, call: &Call, table: &str) -> Reply {
    let db = shared.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(data) = db.table(table) else { return missing("table") };
    let wanted = call.param("q").unwrap_or_default().trim().to_lowercase();
    let first = page_number(call) * ROWS;
    let rows = data.rows.iter().map(|(id, row)| (*id, row));
    let mut found: Vec<(Uuid, &Stored)> = if wanted.is_empty() {
        rows.skip(first).take(ROWS + 1).collect()
    } else {
        let hits = rows.take(SEARCHED).filter(|(id, row)| holds(row, *id, &wanted));
        hits.skip(first).take(ROWS + 1).collect()
    };
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let mut out = Html::default();
    out.raw("<h1>").text(table).raw(" <span class=soft>").number(data.rows.len());
    out.raw(" rows in Dynamics</span></h1>");
    if table == "contact" {
        forms::add_contact(&mut out, shared);
    }
    search(&mut out, &format!("/_sandbox/dynamics/{}", encode(table)), &wanted);
    out.raw("<section><div class=wide><table class=list><tr><th>").text(&data.def.primary_name);
    let columns = columns(&data.def, &found);
    for column in &columns {
        out.raw("<th>").text(&column.name);
    }
    out.raw("</tr>");
    for (id, row) in &found {
        out.raw("<tr><td>").link(address(table, *id), name_of(data, *id)).raw("</td>");
        for column in &columns {
            out.raw("<td>");
            if let Some(cell) = row.data.get(column.number) {
                shown(&mut out, &db, column, &cell);
            }
            out.raw("</td>");
        }
        out.raw("</tr>");
    }
    out.raw("</table></div>");
    if found.is_empty() {
        out.raw("<p class=soft>Nothing here.</p>");
    }
    pager(&mut out, &format!("/_sandbox/dynamics/{}", encode(table)), &wanted, first / ROWS, more);
    out.raw("</section>");
    html::page(table, "", None, &out)
}

/// A field to search by.
pub(super) fn search(out: &mut Html, target: &str, wanted: &str) {
    out.raw("<form class=row action=\"").text(target);
    out.raw("\"><label>Contains<input name=q value=\"").text(wanted);
    out.raw("\"></label><button>Search</button></form>");
}

/// Links to the pages before and behind.
pub(super) fn pager(out: &mut Html, target: &str, wanted: &str, page: usize, more: bool) {
    if page == 0 && !more {
        return;
    }
    let address = |page: usize| format!("{target}?page={page}&q={}", encode(wanted));
    out.raw("<div class=pager>");
    if page > 0 {
        out.link(address(page - 1), "← previous");
    }
    out.raw("<span class=soft>page ").number(page + 1).raw("</span>");
    if more {
        out.link(address(page + 1), "next →");
    }
    out.raw("</div>");
}

/// `GET /_sandbox/dynamics/{table}/{id}`
pub(super) fn record(shared: &Shared, table: &str, id: &str) -> Reply {
    let Ok(id) = Uuid::try_parse(id) else { return missing("row") };
    let mut out = Html::default();
    {
        let db = shared.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
        let found = db.table(table).and_then(|data| Some((data, data.rows.get(&id)?)));
        let Some((data, row)) = found else { return missing("row") };
        out.raw("<h1>").text(name_of(data, id)).raw("</h1><p class=soft>");
        out.link(format!("/_sandbox/dynamics/{}", encode(table)), table);
        out.raw(" in Dynamics, id <code>").text(id.to_string());
        out.raw("</code>, version <code>").text(row.version.to_string()).raw("</code></p>");
        if table == "contact" {
            contact::timeline(&mut out, &db, id);
            contact::in_campaign(&mut out, shared, &db, id);
        }
        full(&mut out, &db, &data.def, row);
        referring(&mut out, &db, id, table == "contact");
    }
    forms::delete(&mut out, shared, &format!("dynamics/{table}/{id}"));
    html::page(table, "", None, &out)
}

/// Every column that has a value; the names of the others.
fn full(out: &mut Html, db: &Db, def: &Table, row: &Stored) {
    out.raw("<section><h2>Columns</h2><table class=record>");
    let mut empty = Vec::new();
    for column in def.columns.iter().filter(|column| column.role == Role::Plain) {
        let Some(cell) = row.data.get(column.number) else {
            empty.push(column.name.as_str());
            continue;
        };
        out.raw("<tr><td>").text(&column.name).raw("</td><td>");
        shown(out, db, column, &cell);
        if !column.kind.choices().is_empty() {
            out.raw(" <span class=soft>").text(plain(&cell)).raw("</span>");
        }
        out.raw("</td></tr>");
    }
    out.raw("</table>");
    if !empty.is_empty() {
        out.raw("<details><summary>")
            .number(empty.len())
            .raw(" empty columns</summary><p class=mono>");
        out.text(empty.join(", ")).raw("</p></details>");
    }
    out.raw("</section>");
}

/// The rows that refer to this one; activities are in the timeline.
fn referring(out: &mut Html, db: &Db, id: Uuid, contact: bool) {
    let mut rows = db.referring(id);
    rows.retain(|(table, column, _)| {
        let activity = db.table(table).is_some_and(|data| data.def.activity);
        !(contact && activity && column == "regardingobjectid")
    });
    if rows.is_empty() {
        return;
    }
    out.raw("<section><h2>Referred to by</h2><table>");
    for (table, column, child) in rows.iter().take(REFERRING) {
        let Some(data) = db.table(table) else { continue };
        out.raw("<tr><td class=tight>").text(table).raw("</td><td>");
        out.link(address(table, *child), name_of(data, *child));
        out.raw(" <span class=soft>").text(column).raw("</span></td></tr>");
    }
    out.raw("</table>");
    if rows.len() > REFERRING {
        out.raw("<p class=soft>and ").number(rows.len() - REFERRING).raw(" more</p>");
    }
    out.raw("</section>");
}
