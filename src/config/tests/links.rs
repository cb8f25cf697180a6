//! `links`: what loads, and every problem with its place and hint.

use super::{BASE, problems};
use crate::config::load;
use crate::mapping::spec::{LinkMapping, MissingParent};
use crate::model::ResourceName;

/// Tables of these names with these lines, from line 14 on: seven lines each.
fn tables(all: &[(&str, &str)]) -> String {
    let one = |(name, line): &(&str, &str)| {
        format!(
            "[[ingress.table]]\ndynamics = \"{name}\"\ncampaign = \"cus_{name}\"\nkey = {{ from = \"id\", to = \"cusId\", in_uri = true }}\n{line}\nfields = [ {{ from = \"name\", to = \"cusName\" }} ]\n"
        )
    };
    let text: Vec<String> = all.iter().map(one).collect();
    format!("{BASE}[ingress]\n{}", text.concat())
}

fn link(to: &str) -> String {
    format!("links = [ {{ from = \"new_up\", to = \"up\", table = \"{to}\" }} ]")
}

fn loaded(all: &[(&str, &str)]) -> Vec<LinkMapping> {
    let tables = load(&tables(all)).unwrap().ingress.unwrap().tables;
    tables.into_iter().flat_map(|table| table.links).collect()
}

#[test]
fn a_link_is_loaded_with_its_parents_resource_and_the_tables_choice() {
    let line = "missing_parent = \"send-without\"\nlinks = [ { from = \"_new_up_value\", to = \"up\", table = \"b\" }, { from = \"new_other\", to = \"other\", table = \"elsewhere\", missing_parent = \"dead-letter\" } ]";
    let links = loaded(&[("a", line), ("b", "")]);
    let told: Vec<_> = links
        .iter()
        .map(|link| (link.from.as_str(), link.table.as_str(), link.missing_parent))
        .collect();
    assert_eq!(
        told,
        [
            ("new_up", "b", MissingParent::SendWithout),
            ("new_other", "elsewhere", MissingParent::DeadLetter)
        ]
    );
    assert_eq!(links[0].resource.as_ref().map(ResourceName::as_str), Some("cus_b"));
    assert_eq!(links[1].resource, None, "it is not mapped");
    assert_eq!(loaded(&[("b", ""), ("a", &link("b"))])[0].missing_parent, MissingParent::Wait);
}

#[test]
fn every_mistake_in_a_link_is_named_with_its_place() {
    insta::assert_snapshot!(
        [
            "links = [ { from = \"new_up\" } ]",
            "links = [ { from = \"a\", to = \"b\", table = \"b\", missing_parent = \"skip\" } ]",
            "links = [ { from = \"a\", to = \"cusName\", table = \"b\" }, { from = \"a\", to = \"cusId\", table = \"b\" }, { from = \"a\", to = \"x\", table = \"b\" }, { from = \"c\", to = \"x\", table = \"b\" } ]",
            "links = [ { from = \"a\", to = \"up\", table = \"nobody\" } ]",
            "missing_parent = \"wait\"",
            "links = { from = \"a\" }",
        ]
        .map(|line| format!("{line}\n{}\n", problems(&tables(&[("a", line), ("b", "")]))))
        .concat(),
        @r##"
    links = [ { from = "new_up" } ]
    18:11: ingress.table[0].links[0].table: `table` is missing (add `table = "contact"`)
    18:11: ingress.table[0].links[0].to: `to` is missing (add `to = "vehicleOwner"`)
    links = [ { from = "a", to = "b", table = "b", missing_parent = "skip" } ]
    18:65: ingress.table[0].links[0].missing_parent: `skip` is not known here (one of `wait`, `send-without`, `dead-letter`)
    links = [ { from = "a", to = "cusName", table = "b" }, { from = "a", to = "cusId", table = "b" }, { from = "a", to = "x", table = "b" }, { from = "c", to = "x", table = "b" } ]
    18:30: ingress.table[0].links[0].to: the field `cusName` is filled already, by `ingress.table[0].fields[0]` (a Campaign field takes its value from one column: remove one of the two)
    18:75: ingress.table[0].links[1].to: the field `cusId` is filled already, by `ingress.table[0].key` (a Campaign field takes its value from one column: remove one of the two)
    18:157: ingress.table[0].links[3].to: the field `x` is filled already, by `ingress.table[0].links[2]` (a Campaign field takes its value from one column: remove one of the two)
    links = [ { from = "a", to = "up", table = "nobody" } ]
    18:44: ingress.table[0].links[0].table: `nobody` is not mapped, so its children would wait for ever (add an `[[ingress.table]]` for it, or set `missing_parent` to `send-without` or `dead-letter`)
    missing_parent = "wait"
    18:1: ingress.table[0].missing_parent: the table has no `links`, so nothing can miss its parent (remove `missing_parent`, or add `links`)
    links = { from = "a" }
    18:9: ingress.table[0].links: this is a table, it must be an array (write it in brackets: `[ … ]`)
    "##
    );
}

#[test]
fn a_ring_of_links_is_named_and_its_other_problems_too() {
    let ring =
        tables(&[("a", &link("b")), ("b", &link("c")), ("c", &link("a")), ("d", &link("d"))]);
    insta::assert_snapshot!(problems(&ring), @r##"
    18:49: ingress.table[0].links[0].table: the links make a ring: `a` → `b` → `c` → `a` (a parent must be written before its child: remove one link of the ring)
    36:49: ingress.table[3].links[0].table: the links make a ring: `d` → `d` (a parent must be written before its child: remove one link of the ring)
    "##);
}
