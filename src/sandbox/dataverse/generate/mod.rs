//! The data a fresh sandbox holds.
//!
//! Owns: fixed rows and seeded rows with everything that real data does to a
//! reader: gaps, umlauts, emoji, full lengths, the ends of the calendar.

mod fleet;
mod people;
mod rows;
mod sales;
mod stream;

use uuid::Uuid;

use self::stream::Stream;
use super::schema::{Column, name_guid};
use super::store::Db;
use crate::sandbox::row::{Cell, Fields};

/// Fills a fresh database.
pub(crate) fn fill(db: &mut Db, seed: u64, contacts: usize, now: i64) {
    fixed_rows(db, now);
    let people = people(db, seed, contacts, now);
    // Streams of their own: the contacts of a seed stay what they were.
    let vehicles = fleet::vehicles(db, seed, &people, now);
    fleet::visits(db, seed, contacts, &vehicles, now);
    sales::fill(db, seed, &people, now);
}

fn people(db: &mut Db, seed: u64, contacts: usize, now: i64) -> Vec<Uuid> {
    let mut stream = Stream::new(seed);
    let columns: Vec<Column> =
        db.table("contact").map(|data| data.def.columns.clone()).unwrap_or_default();
    let mut ids = Vec::with_capacity(contacts);
    for number in 0..contacts {
        let id = stream.guid();
        let fields = people::contact(db, &columns, &mut stream, number, now);
        // Generated keys are distinct, so nothing can be refused.
        let _ = db.put("contact", id, &fields);
        ids.push(id);
    }
    ids
}

/// Column names with their values.
type Named = Vec<(&'static str, Cell<'static>)>;

fn fixed_rows(db: &mut Db, now: i64) {
    let fixed = db.fixed;
    let publisher = name_guid("fixed", "publisher");
    let rows: [(&str, Uuid, Named); 7] = [
        (
            "publisher",
            publisher,
            vec![
                ("friendlyname", Cell::Text("Default Publisher for contoso".into())),
                ("uniquename", Cell::Text("DefaultPublishercontoso".into())),
                ("customizationprefix", Cell::Text("new".into())),
                ("customizationoptionvalueprefix", Cell::Int(10_000)),
            ],
        ),
        (
            "solution",
            name_guid("fixed", "solution"),
            vec![
                ("friendlyname", Cell::Text("Default Solution".into())),
                ("uniquename", Cell::Text("Default".into())),
                ("version", Cell::Text("1.0".into())),
                ("publisherid", Cell::Ref(publisher, 0)),
            ],
        ),
        (
            "organization",
            fixed.organization,
            vec![
                ("name", Cell::Text("Contoso".into())),
                ("expirechangetrackingindays", Cell::Int(7)),
                ("expiresubscriptionsindays", Cell::Int(90)),
                ("languagecode", Cell::Int(1033)),
            ],
        ),
        ("businessunit", fixed.unit, vec![("name", Cell::Text("Contoso".into()))]),
        (
            "systemuser",
            fixed.application,
            vec![
                ("fullname", Cell::Text("# cdsync".into())),
                ("isdisabled", Cell::Bool(false)),
                ("createdon", Cell::Time(now)),
            ],
        ),
        (
            "systemuser",
            fixed.person,
            vec![
                ("fullname", Cell::Text("Grace Hopper".into())),
                ("isdisabled", Cell::Bool(false)),
                ("createdon", Cell::Time(now)),
            ],
        ),
        (
            "transactioncurrency",
            fixed.currency,
            vec![
                ("currencyname", Cell::Text("Euro".into())),
                ("isocurrencycode", Cell::Text("EUR".into())),
            ],
        ),
    ];
    for (table, id, cells) in rows {
        let mut fields = Fields::new();
        for (name, cell) in cells {
            if let Some(column) = db.table(table).and_then(|data| data.def.column(name)) {
                fields.insert(column.number, cell);
            }
        }
        let _ = db.put(table, id, &fields);
    }
}
