//! What each conversion sends, and what it says where it cannot.

use super::{
    ID, apply_one, converts, decimal, field, mapping, number, problems, resource, row, sent, table,
    text,
};
use crate::mapping::spec::{OnNull, OnTooLong, Picklists};
use crate::mapping::{Applied, MappedField, compile};
use crate::model::{TargetValue, Value};

#[test]
fn values_arrive_as_the_table_says() {
    let cases: Vec<(&str, &str, Value, TargetValue)> = vec![
        ("text", "text", text("Ünïcode\tok\r\n"), sent("Ünïcode\tok\r\n")),
        ("text", "int8", text("-128"), number("-128")),
        ("text", "int16", text("32767"), number("32767")),
        ("text", "int32", text("2147483647"), number("2147483647")),
        ("text", "int64", text("2147483648"), number("2147483648")),
        ("text", "double", text("1.50"), number("1.5")),
        ("text", "double", text("1e3"), number("1000")),
        ("text", "bool", text("TRUE"), TargetValue::Bool(true)),
        ("text", "bool", text("0"), TargetValue::Bool(false)),
        ("text", "enum", text("male"), sent("male")),
        ("text", "enum", text("Male"), sent("male")),
        ("text", "enum", text("Not specified"), sent("unknown")),
        ("whole", "text", Value::Integer(-7), sent("-7")),
        ("whole", "int64", Value::Integer(i64::MIN), number("-9223372036854775808")),
        ("whole", "bool", Value::Integer(1), TargetValue::Bool(true)),
        ("decimal", "text", Value::Decimal(decimal("20000.0500")), sent("20000.05")),
        ("decimal", "int16", Value::Decimal(decimal("7.000")), number("7")),
        (
            "decimal",
            "double",
            Value::Decimal(decimal("922337203685477.5807")),
            number("922337203685477.5807"),
        ),
        ("decimal", "float", Value::Decimal(decimal("0.1")), number("0.1")),
        ("double", "text", Value::Double(0.1), sent("0.1")),
        ("double", "text", Value::Double(-0.0), sent("0")),
        ("double", "text", Value::Double(1e21), sent("1000000000000000000000")),
        ("double", "double", Value::Double(1.0 / 3.0), number("0.3333333333333333")),
        ("double", "int8", Value::Double(5.0), number("5")),
        ("decimal", "double", Value::Integer(3), number("3")),
        ("bool", "text", Value::Bool(true), sent("true")),
        ("bool", "int8", Value::Bool(true), number("1")),
        ("bool", "bool", Value::Bool(false), TargetValue::Bool(false)),
        ("choice", "text", Value::Choice(2), sent("Female")),
        ("choice", "int8", Value::Choice(2), number("2")),
        ("choice", "enum", Value::Choice(2), sent("female")),
        ("choice", "enum", Value::Choice(9), sent("male")),
        ("multi", "text", Value::MultiChoice(vec![2, 1]), sent("Female; Male")),
        ("guid", "text", Value::Guid(ID.to_uppercase().parse().unwrap()), sent(ID)),
        ("lookup", "text", Value::Guid(ID.parse().unwrap()), sent(ID)),
    ];
    for (from, to, value, expected) in cases {
        assert_eq!(converts(field(from, to), value.clone()), expected, "{from} to {to}: {value:?}");
    }
}

const SECRET: &str = "S3cr3t-Name";

fn refused(cases: Vec<(&str, &str, Value, &str)>) {
    for (from, to, value, expected) in cases {
        let reason = apply_one(field(from, to), value).unwrap_err();
        assert_eq!(reason, expected, "{from} to {to}");
        assert!(!reason.contains(SECRET));
    }
}

#[test]
fn texts_that_do_not_fit_are_named_without_the_value() {
    refused(vec![
        ("text", "short", text(SECRET), "the text has 11 characters, the field takes 5"),
        ("text", "text", text("a\u{7}b"), "the text holds the control character U+0007"),
        ("text", "text", text("a\0"), "the text holds the control character U+0000"),
        ("text", "int8", text("128"), "the number is out of range for integer (8 bit)"),
        ("text", "int16", text("32768"), "the number is out of range for integer (16 bit)"),
        ("text", "int32", text("2147483648"), "the number is out of range for integer (32 bit)"),
        ("text", "int32", text("-2147483649"), "the number is out of range for integer (32 bit)"),
        ("text", "int32", text("12 "), "the text is not a number"),
        ("text", "int32", text("+1"), "the text is not a number"),
        ("text", "double", text("1."), "the text is not a number"),
        ("text", "double", text("NaN"), "the text is not a number"),
        ("text", "double", text("1e-2147483648"), "the text is not a number"),
        ("text", "double", text("1e309"), "the number is out of range for double"),
        ("text", "float", text("1e39"), "the number is out of range for float"),
        ("text", "bool", text("yes"), "the text is neither `true` nor `false`"),
        ("text", "date", text("06.05.2024"), "the text is not a date of the form 2024-05-06"),
        ("text", "date", text("2024-02-30"), "the text is not a date of the form 2024-05-06"),
        (
            "text",
            "datetime",
            text("2024-05-06T07:08:60Z"),
            "the text is not a time of the form 2024-05-06T07:08:09Z",
        ),
        (
            "text",
            "enum",
            text(SECRET),
            "the text is neither name nor label in the field's enumeration",
        ),
        (
            "text",
            "enum",
            text("__Invalid_value__"),
            "the text is neither name nor label in the field's enumeration",
        ),
    ]);
}

#[test]
fn other_values_that_do_not_fit_are_named_without_the_value() {
    refused(vec![
        (
            "whole",
            "int16",
            Value::Integer(40000),
            "the number is out of range for integer (16 bit)",
        ),
        ("whole", "bool", Value::Integer(2), "only the numbers 0 and 1 are booleans"),
        (
            "decimal",
            "int64",
            Value::Decimal(decimal("1.5")),
            "the number has a fraction, the field takes whole numbers",
        ),
        ("double", "float", Value::Double(1e300), "the number is out of range for float"),
        (
            "choice",
            "text",
            Value::Choice(77),
            "the choice is not among the options that the metadata lists",
        ),
        ("choice", "bool", Value::Choice(1), "the text is neither `true` nor `false`"),
        (
            "double",
            "double",
            Value::Double(f64::NAN),
            "the value is not of the column's type: the metadata says double",
        ),
        (
            "whole",
            "text",
            text(SECRET),
            "the value is not of the column's type: the metadata says whole number",
        ),
        (
            "text",
            "text",
            Value::Unreadable("a JSON string"),
            "the column `text` could not be read: a JSON string",
        ),
    ]);
}

#[test]
fn lengths_are_counted_in_characters_and_cut_only_where_asked() {
    assert_eq!(converts(field("text", "short"), text("äöüßé")), sent("äöüßé"));
    assert!(apply_one(field("text", "short"), text("äöüßéx")).is_err());
    let mut cut = field("text", "short");
    cut.on_too_long = OnTooLong::Cut;
    assert_eq!(converts(cut.clone(), text("a👍🏽äß€x")), sent("a👍🏽äß"));
    assert_eq!(converts(cut, text("abc")), sent("abc"));
}

#[test]
fn absent_null_and_empty_are_three_states() {
    let keep_null = |keep| {
        let mut it = field("text", "text");
        it.on_null = keep;
        it
    };
    let keep_empty = |keep| {
        let mut it = field("text", "text");
        it.on_empty = keep;
        it
    };
    let cleared = Ok(MappedField::Send(TargetValue::Empty));
    assert_eq!(apply_one(keep_null(OnNull::Clear), Value::Null), cleared);
    assert_eq!(apply_one(keep_null(OnNull::Keep), Value::Null), Ok(MappedField::Keep));
    assert_eq!(apply_one(keep_null(OnNull::Keep), text("")), cleared);
    assert_eq!(apply_one(keep_empty(OnNull::Keep), text("")), Ok(MappedField::Keep));
    assert_eq!(apply_one(keep_empty(OnNull::Keep), Value::Null), cleared);
    assert_eq!(converts(field("text", "text"), text(" ")), sent(" "));
    assert_eq!(apply_one(field("multi", "text"), Value::MultiChoice(vec![])), cleared);

    let compiled = compile(&mapping(vec![field("text", "text")]), &table(), &resource()).unwrap();
    let Applied::Record(record) = compiled.apply(&row(&[])) else { panic!("no record") };
    assert_eq!(record.fields.get(1), Some(&MappedField::Keep));
}

#[test]
fn picklists_of_the_field_override_the_table() {
    let with = |from: &str, to: &str, picklists| {
        let mut it = field(from, to);
        it.picklists = picklists;
        it
    };
    let value = Some(Picklists::Value);
    let label = Some(Picklists::Label);
    assert_eq!(converts(with("choice", "text", value), Value::Choice(2)), sent("2"));
    assert_eq!(converts(with("choice", "text", value), Value::Choice(77)), sent("77"));
    assert_eq!(converts(with("multi", "text", value), Value::MultiChoice(vec![1, 9])), sent("1,9"));
    assert_eq!(converts(with("bool", "text", label), Value::Bool(true)), sent("Do Not Allow"));
    assert_eq!(converts(with("bool", "text", value), Value::Bool(true)), sent("true"));
    assert_eq!(converts(with("choice", "bool", value), Value::Choice(1)), TargetValue::Bool(true));
}

#[test]
fn labels_come_in_the_configured_language() {
    let mut german = mapping(vec![field("choice", "text")]);
    german.language = 1031;
    let compiled = compile(&german, &table(), &resource()).unwrap();
    let Applied::Record(record) = compiled.apply(&row(&[("choice", Value::Choice(1))])) else {
        panic!("no record")
    };
    assert_eq!(record.fields.get(1), Some(&MappedField::Send(sent("Männlich"))));

    let mut french = mapping(vec![field("choice", "text")]);
    french.language = 1036;
    let compiled = compile(&french, &table(), &resource()).unwrap();
    let Applied::Failed(failures) = compiled.apply(&row(&[("choice", Value::Choice(1))])) else {
        panic!("no failure")
    };
    assert_eq!(failures.first().unwrap().reason, "the choice has no label in language 1036");

    let mut labels = field("bool", "text");
    labels.picklists = Some(Picklists::Label);
    french.fields = vec![labels];
    assert_eq!(problems(&french).first().unwrap().part, Some("picklists"));
}
