//! Links: their order, their checks, and where a row points.

use std::collections::BTreeMap;

use super::{ID, column_name, field, field_name, mapping, resource, row, table, text};
use crate::mapping::order::{Cycle, depth, parents_first};
use crate::mapping::spec::{Key, LinkMapping, MissingParent, TableMapping};
use crate::mapping::{Applied, Place, Pointer, compile};
use crate::model::{ColumnType, RecordId, ResourceName, TableName, Value};

fn name(text: &str) -> TableName {
    TableName::new(text).unwrap()
}

fn link(from: &str, to: &str, table: &str) -> LinkMapping {
    LinkMapping {
        from: column_name(from),
        to: field_name(to),
        table: name(table),
        resource: None,
        missing_parent: MissingParent::Wait,
    }
}

/// Tables with the tables that they link to.
fn tables(all: &[(&str, &[&str])]) -> Vec<TableMapping> {
    let one = |(table, parents): &(&str, &[&str])| TableMapping {
        dynamics: name(table),
        links: parents.iter().map(|parent| link("up", "up", parent)).collect(),
        ..mapping(Vec::new())
    };
    all.iter().map(one).collect()
}

fn order(all: &[(&str, &[&str])]) -> Result<Vec<String>, Vec<String>> {
    let tables = tables(all);
    let names = |found: Vec<TableName>| found.iter().map(ToString::to_string).collect();
    match parents_first(&tables) {
        Ok(order) => Ok(order.iter().map(|at| tables[*at].dynamics.to_string()).collect()),
        Err(Cycle(ring)) => Err(names(ring)),
    }
}

#[test]
fn parents_come_first_and_else_the_order_stays() {
    assert_eq!(order(&[("c", &[]), ("b", &[]), ("a", &[])]).unwrap(), ["c", "b", "a"]);
    let all: &[(&str, &[&str])] = &[
        ("visit", &["vehicle", "store"]),
        ("lone", &[]),
        ("vehicle", &["contact"]),
        ("store", &[]),
        ("contact", &["gone"]),
    ];
    assert_eq!(order(all).unwrap(), ["contact", "vehicle", "store", "visit", "lone"]);
    let depths: Vec<usize> = (0..5).map(|at| depth(&tables(all), at).unwrap()).collect();
    assert_eq!(depths, [2, 0, 1, 0, 0]);
}

#[test]
fn a_ring_is_found_wherever_it_begins() {
    assert_eq!(order(&[("a", &["a"])]).unwrap_err(), ["a"]);
    assert_eq!(order(&[("x", &["b"]), ("a", &["b"]), ("b", &["a"])]).unwrap_err(), ["b", "a"]);
    assert!(depth(&tables(&[("a", &["b"]), ("b", &["a"])]), 0).is_err());
}

fn linked(link: LinkMapping) -> TableMapping {
    TableMapping { links: vec![link], ..mapping(vec![field("text", "text")]) }
}

#[test]
fn a_link_needs_a_lookup_of_that_table_and_a_field_that_can_hold_it() {
    let to_profile = LinkMapping {
        resource: Some(ResourceName::new("profile").unwrap()),
        ..link("lookup", "link", "account")
    };
    let compiled = compile(&linked(to_profile.clone()), &table(), &resource()).unwrap();
    let [by_link] = compiled.links() else { panic!("one link") };
    assert_eq!((by_link.name.as_str(), by_link.by_key()), ("link", false));
    assert_eq!(by_link.targets(), ["account"]);
    let bare = TableMapping {
        links: vec![link("lookup", "externalId", "account")],
        key: Key { to: field_name("text"), ..mapping(Vec::new()).key },
        ..mapping(Vec::new())
    };
    let compiled = compile(&bare, &table(), &resource()).unwrap();
    assert!(compiled.links()[0].by_key(), "a text that holds the parent's key");
    let mut resource_of = resource();
    let field = resource_of.fields.get_mut("link").unwrap();
    field.kind = crate::model::FieldType::Link { target: Some("store".into()) };
    for named in ["profile", "cusProfile", "nms:profile", "CUSPROFILE"] {
        let mut resource = resource();
        resource.fields.get_mut("link").unwrap().kind =
            crate::model::FieldType::Link { target: Some(named.into()) };
        assert!(compile(&linked(to_profile.clone()), &table(), &resource).is_ok(), "{named}");
    }
    let cases = [
        (link("text", "link", "account"), resource(), "a text column is no lookup"),
        (
            link("lookup", "link", "contact"),
            resource(),
            "the lookup `lookup` does not point to `contact`",
        ),
        (
            link("lookup", "int32", "account"),
            resource(),
            "a field of type integer (32 bit) cannot hold a link",
        ),
        (
            link("lookup", "text", "account"),
            resource(),
            "the field `text` is already filled from `text`",
        ),
        (
            link("lookup", "short", "account"),
            resource(),
            "an id has 36 characters, the field takes 5",
        ),
        (
            to_profile,
            resource_of,
            "the link `link` points to `store`, but `account` is mapped to `profile`",
        ),
    ];
    for (link, resource, expected) in cases {
        let problems = compile(&linked(link), &table(), &resource).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].text.as_str(), &problems[0].place), (expected, &Place::Link(0)));
    }
}

#[test]
fn a_row_points_to_a_parent_nowhere_or_elsewhere() {
    let id = RecordId::parse(ID).unwrap();
    let guid = Value::Guid(id.into());
    let mut several = table();
    let column = several.columns.get_mut("lookup").unwrap();
    column.kind = ColumnType::Lookup { targets: vec!["account".into(), "contact".into()] };
    let cases = [
        (table(), None, None, Ok(Pointer::Absent)),
        (table(), Some(Value::Null), None, Ok(Pointer::Empty)),
        (table(), Some(guid.clone()), None, Ok(Pointer::To(id))),
        (table(), Some(guid.clone()), Some("contact"), Ok(Pointer::Elsewhere)),
        (several.clone(), Some(guid.clone()), Some("account"), Ok(Pointer::To(id))),
        (several.clone(), Some(guid.clone()), Some("contact"), Ok(Pointer::Elsewhere)),
        (several, Some(guid), None, Ok(Pointer::Elsewhere)),
        (
            table(),
            Some(Value::Unreadable("a GUID")),
            None,
            Err("the column `lookup` could not be read: a GUID"),
        ),
        (
            table(),
            Some(text("x")),
            None,
            Err("the value is not of the column's type: the metadata says lookup"),
        ),
    ];
    for (schema, value, points_to, expected) in cases {
        let compiled =
            compile(&linked(link("lookup", "link", "account")), &schema, &resource()).unwrap();
        let mut source = row(&[("text", text("x"))]);
        source.columns.extend(value.map(|value| (column_name("lookup"), value)));
        let named = points_to.map(|table| (column_name("lookup"), table.to_owned()));
        source.points_to = named.into_iter().collect::<BTreeMap<_, _>>();
        match (compiled.apply(&source), expected) {
            (Applied::Record(record), Ok(pointer)) => assert_eq!(record.links, [pointer]),
            (Applied::Failed(failures), Err(reason)) => assert_eq!(failures[0].reason, reason),
            (applied, expected) => panic!("{applied:?}, not {expected:?}"),
        }
    }
}
