//! What is kept of a mapping to tell by what it sends otherwise after a change.

use super::{field, field_name, mapping, resource, table};
use crate::mapping::compile;
use crate::mapping::shape::{Domain, FieldShape};
use crate::mapping::spec::{FieldMapping, OnNull, OnTooLong, Picklists, Replacement};
use crate::model::FieldType;

fn shape_with(spec: FieldMapping, room: u32) -> FieldShape {
    let mut resource = resource();
    let text = FieldType::Text { max_length: Some(room) };
    resource.fields.get_mut("text").unwrap().kind = text;
    compile(&mapping(vec![spec]), &table(), &resource).unwrap().fields()[1].shape()
}

fn shape(spec: FieldMapping) -> FieldShape {
    shape_with(spec, 50)
}

fn replaced(from: &str, to: &str, value: &str, with: &str) -> FieldMapping {
    let replacement = Replacement { value: value.to_owned(), with: with.to_owned() };
    FieldMapping { replace: vec![replacement], ..field(from, to) }
}

#[test]
fn a_rule_changes_where_anything_else_may_be_sent_and_nowhere_else() {
    let rule = |spec: &FieldMapping| shape(spec.clone()).rule;
    let by_value = |from| FieldMapping { picklists: Some(Picklists::Value), ..field(from, "text") };
    let cut = FieldMapping { on_too_long: OnTooLong::Cut, ..field("text", "text") };
    let in_room = |spec: &FieldMapping, room| shape_with(spec.clone(), room).rule;
    // Whether a text fits changes nothing of what is sent; where it is cut does.
    assert_eq!(in_room(&field("text", "text"), 60), in_room(&field("text", "text"), 50));
    assert_ne!(in_room(&cut, 60), in_room(&cut, 50));
    assert_ne!(rule(&cut), rule(&field("text", "text")));
    // Of a closed list each case is known, of several of its options only parts.
    assert_eq!(rule(&by_value("choice")), rule(&field("choice", "text")));
    assert_ne!(rule(&by_value("multi")), rule(&field("multi", "text")));
    let of_choice = replaced("choice", "text", "Male", "M");
    assert_eq!(rule(&of_choice), rule(&field("choice", "text")));
    let of_multi = replaced("multi", "text", "Male", "M");
    assert_ne!(rule(&of_multi), rule(&field("multi", "text")));
    assert_eq!(rule(&replaced("text", "text", "a", "b")), rule(&field("text", "text")));
    let kept = FieldMapping { on_null: OnNull::Keep, ..field("text", "text") };
    assert_ne!(rule(&kept), rule(&field("text", "text")));
    assert!(!shape(kept).clears && shape(field("text", "text")).clears);
}

#[test]
fn the_cases_of_a_column_are_its_values_its_options_or_what_is_replaced() {
    let sent = |spec: FieldMapping| {
        let one = |bytes: Option<Vec<u8>>| {
            bytes.map_or_else(|| "-".to_owned(), |it| String::from_utf8_lossy(&it).into_owned())
        };
        let cases = shape(spec).cases.into_iter();
        cases.map(|it| format!("{}={}", it.name, one(it.sent))).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sent(field("bool", "text")), "= false=false true=true");
    assert_eq!(sent(replaced("choice", "text", "Male", "M")), "= 1=M 2=Female 9=male");
    assert_eq!(sent(field("choice", "int8")), "=0 1=1 2=2 9=9");
    assert_eq!(sent(field("multi", "text")), "1=Male 2=Female 9=male");
    assert_eq!(sent(field("whole", "text")), "");
    assert_eq!(sent(replaced("whole", "text", "1", "one")), "1=one");
    assert_eq!(shape(field("bool", "text")).domain, Domain::Whole);
    assert_eq!(shape(field("multi", "text")).domain, Domain::Parts);
    assert_eq!(shape(field("text", "text")).domain, Domain::Open);
}

#[test]
fn a_case_knows_its_rows_and_what_goes_without_its_replacement() {
    let only = |spec| shape(spec).cases.remove(0);
    let case = only(replaced("text", "int8", "7", "1"));
    assert_eq!(case.ask.unwrap().text(), "text eq '7'");
    assert_eq!(case.plain, only(replaced("text", "int8", "1", "7")).sent, "a seven");
    let case = only(replaced("text", "int8", "", "1"));
    assert_eq!((case.ask, case.plain), (None, Some(shape(field("text", "int8")).empty)));
    let case = only(replaced("text", "int8", "seven", "7"));
    assert_eq!(case.plain, None, "it would fail");
    let case = only(replaced("whole", "text", "1", "one"));
    assert_eq!((case.ask, case.plain), (None, None), "only texts are compared alike");
    let [empty, no, yes] = &shape(field("bool", "text")).cases[..] else { panic!("three") };
    let asked = [empty, no, yes].map(|case| case.ask.as_ref().unwrap().text());
    assert_eq!(asked, ["bool eq null", "bool eq false", "bool eq true"]);
}

#[test]
fn a_filter_is_known_by_its_columns_and_its_rule() {
    use super::filter_reference::{Tree, filtered};
    use crate::mapping::spec::Operator::{Eq, Gt};
    let leaf = |operator, place| {
        let tree = Tree::Leaf { column: "whole", operator, places: vec![place], words: vec![] };
        compile(&filtered(tree.rule()), &table(), &resource()).unwrap()
    };
    let (one, other) = (leaf(Eq, 3), leaf(Gt, 3));
    assert_eq!(one.filter_rule(), leaf(Eq, 3).filter_rule());
    assert!(one.filter_rule().is_some() && one.filter_rule() != other.filter_rule());
    let columns: Vec<_> = one.filter_columns();
    let shown: Vec<_> = columns.iter().map(|(it, kind)| (it.name.as_str(), &*kind.words)).collect();
    assert_eq!(shown, [("whole", "whole number")]);
    let none = compile(&mapping(vec![]), &table(), &resource()).unwrap();
    assert_eq!((none.filter_rule(), none.filter_columns().len()), (None, 0));
    assert_eq!(none.fields()[0].name, field_name("externalId"));
}
