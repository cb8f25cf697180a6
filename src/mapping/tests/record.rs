//! Whole records: keys, order, all failures at once, columns to select.

use super::{ID, column_name, field, field_name, mapping, resource, row, sent, table, text};
use crate::mapping::apply::FieldFailure;
use crate::mapping::spec::{Filter, Group, Lookup, Operand, Operator, Rule, Test};
use crate::mapping::{Applied, Compiled, MappedField, compile};
use crate::model::{RecordId, Value};

fn compiled(spec: &crate::mapping::spec::TableMapping) -> Compiled {
    compile(spec, &table(), &resource()).unwrap()
}

#[test]
fn the_key_comes_first_and_is_known_even_if_the_answer_left_it_out() {
    let it = compiled(&mapping(vec![field("text", "text")]));
    let names: Vec<_> = it.fields().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["externalId", "text"]);
    let Applied::Record(record) = it.apply(&row(&[("text", text("x"))])) else {
        panic!("no record")
    };
    assert_eq!(record.key, ID);
    assert_eq!(record.fields, [MappedField::Send(sent(ID)), MappedField::Send(sent("x"))]);
    assert_eq!(it.key_of_id(RecordId::parse(ID).unwrap()), Some(ID.to_owned()));
}

#[test]
fn every_failure_of_a_record_is_reported() {
    let it = compiled(&mapping(vec![
        field("text", "short"),
        field("whole", "int8"),
        field("double", "double"),
    ]));
    let bad = row(&[
        ("contactid", Value::Null),
        ("text", text("far too long")),
        ("whole", Value::Integer(1000)),
        ("double", Value::Double(1.5)),
    ]);
    let Applied::Failed(failures) = it.apply(&bad) else { panic!("no failure") };
    let failure = |field: &str, column: &str, reason: &str| FieldFailure {
        field: Some(field_name(field)),
        column: column_name(column),
        reason: reason.to_owned(),
    };
    assert_eq!(
        failures,
        [
            failure("externalId", "contactid", "the key is empty"),
            failure("short", "text", "the text has 12 characters, the field takes 5"),
            failure("int8", "whole", "the number is out of range for integer (8 bit)"),
        ]
    );
}

#[test]
fn keys_that_would_break_a_uri_are_refused_only_there() {
    let mut spec = mapping(vec![]);
    spec.key.from = Some(column_name("text"));
    let in_uri = compiled(&spec);
    spec.key.lookup =
        Lookup::Filter { filter: "byId".to_owned(), parameter: "id_parameter".to_owned() };
    let by_filter = compiled(&spec);
    for key in ["a/b", "a?b", "a#b", "50%", "a\\b", ".", ".."] {
        let row = row(&[("text", text(key))]);
        let reason = in_uri.key(&row).unwrap_err().reason;
        assert!(reason.contains("URI") && !reason.contains(&format!("`{key}`")), "{reason}");
        assert_eq!(by_filter.key(&row).as_deref(), Ok(key));
    }
    for key in ["", "a\nb"] {
        assert!(by_filter.key(&row(&[("text", text(key))])).is_err());
        assert!(in_uri.key(&row(&[("text", text(key))])).is_err());
    }
    assert!(in_uri.key(&row(&[])).is_err());
    assert_eq!(in_uri.key(&row(&[("text", text("a b@ü"))])).as_deref(), Ok("a b@ü"));
    assert_eq!(in_uri.key_of_id(RecordId::parse(ID).unwrap()), None);
}

#[test]
fn columns_hold_key_fields_filter_and_primary_id_once_each() {
    let mut spec = mapping(vec![field("text", "text"), field("text", "short")]);
    spec.key.from = Some(column_name("guid"));
    let test = |column: &str, operator, operands: &[Operand]| {
        Rule::Test(Test { column: column_name(column), operator, operands: operands.to_vec() })
    };
    spec.filter = Some(Filter {
        delete_filtered_out: false,
        group: Group {
            all: true,
            rules: vec![
                test("whole", Operator::Eq, &[Operand::Integer(0)]),
                test("whole", Operator::NotNull, &[]),
                test("text", Operator::NotNull, &[]),
            ],
        },
    });
    let it = compiled(&spec);
    let names: Vec<_> = it.columns().iter().map(|column| column.name.to_string()).collect();
    assert_eq!(names, ["contactid", "guid", "text", "whole"]);
}

#[test]
fn fields_narrower_than_their_column_are_known() {
    let it = compiled(&mapping(vec![field("text", "short"), field("choice", "text")]));
    let narrow: Vec<_> = it
        .narrow_fields()
        .iter()
        .map(|(it, column, limit)| (it.name.to_string(), *column, *limit))
        .collect();
    assert_eq!(narrow, [("short".to_owned(), 100, 5)]);
}
