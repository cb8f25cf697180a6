//! `docs/privacy.md` has every table of the store, and `forget` looks at every
//! column that holds ids of records.

use std::collections::{BTreeMap, BTreeSet};

use super::{Place, frozen, record};
use crate::store::forget::ABOUT;

/// Columns that `forget` takes care of in another way than by deleting rows.
const LINKED: [(&str, &str); 2] = [("link", "record"), ("link", "parent")];

/// Tables whose ids are made from a source's id of an event: what names the
/// person is the content.
const BY_CONTENT: [&str; 3] = ["event", "event_known", "event_letter"];

/// Each table with its columns, and whether a column holds ids of records: the
/// schema says so by its length of 16 bytes.
fn tables(place: &Place) -> BTreeMap<String, BTreeMap<String, bool>> {
    let raw = place.raw();
    let mut statement = raw
        .prepare(
            "SELECT t.name, c.name, instr(t.sql, 'length(' || c.name || ') = 16') > 0
             FROM sqlite_schema t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    let mut tables: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (table, column, id) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get::<_, bool>(2).unwrap());
        tables.entry(table).or_default().insert(column, id);
    }
    tables
}

/// The rows of the page's list of tables: name, and the columns that it names
/// as those of a person.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/privacy.md");
    let page = std::fs::read_to_string(path).unwrap();
    let list = page.split("## The store, table by table\n").nth(1).unwrap();
    let list = list.split("\n## ").next().unwrap();
    let quoted = |cell: &str| -> BTreeSet<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let rows = list.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 4, "{line}");
        (quoted(cells[0]).into_iter().next().unwrap(), quoted(cells[2]))
    });
    rows.collect()
}

#[tokio::test]
async fn the_page_of_privacy_has_every_table_and_every_column_of_ids() {
    let place = Place::new();
    place.open().await.close().await;
    let (tables, page) = (tables(&place), documented());
    let names = |it: &BTreeSet<&String>| format!("{it:?}");
    let (there, told): (BTreeSet<_>, BTreeSet<_>) =
        (tables.keys().collect(), page.keys().collect());
    assert_eq!(names(&told), names(&there), "left: docs/privacy.md, right: the migrations");
    for (table, columns) in &tables {
        for named in &page[table] {
            assert!(columns.contains_key(named), "{table} has no column {named}");
        }
        let ids = columns.iter().filter(|(_, id)| **id).map(|(column, _)| column);
        for column in ids {
            assert!(page[table].contains(column), "docs/privacy.md: {table}.{column} holds ids");
        }
    }
}

#[tokio::test]
async fn forgetting_looks_at_every_column_of_ids_and_each_was_tried() {
    let place = Place::new();
    let store = place.open().await;
    frozen::fill(&store).await;
    store.close().await;
    let known: BTreeSet<(String, String)> =
        ABOUT.iter().chain(&LINKED).map(|(t, c)| ((*t).to_owned(), (*c).to_owned())).collect();
    let mut ids = BTreeSet::new();
    for (table, columns) in tables(&place) {
        for (column, _) in columns.into_iter().filter(|(_, id)| *id) {
            // The test of `forget` forgets the records 1 to 9.
            let several: Vec<String> =
                (1..=9).map(|at| frozen::literal(record(at).as_bytes().to_vec().into())).collect();
            let sql =
                format!("SELECT count(*) FROM {table} WHERE {column} IN ({})", several.join(", "));
            let tried = place.number(&sql) > 0 || BY_CONTENT.contains(&table.as_str());
            assert!(tried, "{table}.{column} has no record that is forgotten");
            ids.insert((table.clone(), column));
        }
    }
    assert_eq!(known, ids, "left: what forget.rs looks at, right: the migrations");
}
