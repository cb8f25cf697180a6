//! Replacements: compared with what would be sent, converted to the field.

use super::{apply_one, converts, decimal, field, mapping, number, problems, sent, text};
use crate::mapping::MappedField;
use crate::mapping::spec::{FieldMapping, OnTooLong, Picklists, Replacement};
use crate::model::{TargetValue, Value};

fn replaced(from: &str, to: &str, pairs: &[(&str, &str)]) -> FieldMapping {
    let mut it = field(from, to);
    it.replace = pairs
        .iter()
        .map(|(value, with)| Replacement { value: (*value).to_owned(), with: (*with).to_owned() })
        .collect();
    it
}

fn by_value(field: FieldMapping) -> FieldMapping {
    FieldMapping { picklists: Some(Picklists::Value), ..field }
}

#[test]
fn the_sent_text_is_replaced_and_then_converted() {
    let cases: Vec<(FieldMapping, Value, TargetValue)> = vec![
        (replaced("choice", "enum", &[("Male", "female")]), Value::Choice(1), sent("female")),
        (
            replaced("choice", "bool", &[("Male", "true")]),
            Value::Choice(1),
            TargetValue::Bool(true),
        ),
        (replaced("choice", "int8", &[("Male", "7")]), Value::Choice(1), number("7")),
        (replaced("choice", "int8", &[("Male", "7")]), Value::Choice(2), number("2")),
        (replaced("bool", "text", &[("true", "no")]), Value::Bool(true), sent("no")),
        (
            replaced("bool", "bool", &[("true", "false")]),
            Value::Bool(true),
            TargetValue::Bool(false),
        ),
        (
            replaced("bool", "enum", &[("true", "male"), ("false", "")]),
            Value::Bool(false),
            TargetValue::Empty,
        ),
        (replaced("text", "text", &[("#00FF00", "green")]), text("#00FF00"), sent("green")),
        (replaced("text", "text", &[("#00FF00", "green")]), text("#00ff00"), sent("#00ff00")),
        (replaced("text", "text", &[("", "none given")]), text(""), sent("none given")),
        (
            replaced("decimal", "text", &[("1.50", "x")]),
            Value::Decimal(decimal("1.5000")),
            sent("x"),
        ),
        (replaced("double", "double", &[("0.10", "5")]), Value::Double(0.1), number("5")),
        (
            replaced("date", "date", &[("1900-01-01", "")]),
            Value::Date("1900-01-01".parse().unwrap()),
            TargetValue::Empty,
        ),
        (
            replaced("instant", "text", &[("2024-05-06 07:08:09.000Z", "then")]),
            Value::Instant("2024-05-06T07:08:09Z".parse().unwrap()),
            sent("then"),
        ),
        (
            replaced("instant", "date", &[("2024-05-06", "2000-01-01")]),
            Value::Instant("2024-05-06T07:08:09Z".parse().unwrap()),
            TargetValue::Date("2000-01-01".parse().unwrap()),
        ),
        (
            replaced("multi", "text", &[("Male; Female", "both")]),
            Value::MultiChoice(vec![1, 2]),
            sent("both"),
        ),
    ];
    for (field, value, expected) in cases {
        assert_eq!(converts(field.clone(), value), expected, "{:?}", field.replace);
    }
}

#[test]
fn null_is_not_the_empty_text() {
    let outcome = apply_one(replaced("text", "text", &[("", "x")]), Value::Null);
    assert_eq!(outcome, Ok(MappedField::Send(TargetValue::Empty)));
}

#[test]
fn with_value_lists_numbers_are_compared() {
    let it = by_value(replaced("choice", "text", &[("1", "M")]));
    assert_eq!(converts(it, Value::Choice(1)), sent("M"));
}

#[test]
fn labels_are_compared_where_they_are_sent_and_whole_numbers_as_they_are() {
    let mut it = replaced("bool", "text", &[("Allow", "yes")]);
    it.picklists = Some(Picklists::Label);
    assert_eq!(converts(it, Value::Bool(false)), sent("yes"));
    let it = by_value(replaced("multi", "text", &[("1,2", "both")]));
    assert_eq!(converts(it, Value::MultiChoice(vec![1, 2])), sent("both"));
    let it = replaced("whole", "text", &[("007", "x")]);
    assert_eq!(converts(it, Value::Integer(7)), sent("x"));
    let longest = "a".repeat(100);
    let it = replaced("text", "text", &[(&longest, "long")]);
    assert_eq!(converts(it, text(&longest)), sent("long"));
}

#[test]
fn replacements_that_cannot_work_are_refused() {
    let cases: Vec<(FieldMapping, &str, &str)> = vec![
        (
            replaced("choice", "enum", &[("Mle", "male")]),
            "the column never sends `Mle`",
            "did you mean `Male`? its labels are `Male`, `Female`, `male`",
        ),
        (
            replaced("choice", "text", &[("1", "M")]),
            "the column never sends `1`",
            "its labels are `Male`, `Female`, `male`",
        ),
        (
            replaced("bool", "text", &[("Yes", "x")]),
            "the column never sends `Yes`",
            "it sends `true` and `false`",
        ),
        (
            replaced("choice", "enum", &[("Male", "m")]),
            "the replacement `m` does not fit the field: the text is neither name nor label in the \
             field's enumeration",
            "the field's values are `unknown`, `male`, `female`",
        ),
        (
            replaced("text", "short", &[("a", "abcdef")]),
            "the replacement `abcdef` does not fit the field: the text has 6 characters, the field \
             takes 5",
            "",
        ),
        (
            replaced("decimal", "double", &[("1.0", "2"), ("1", "3")]),
            "`1` is replaced twice",
            "keep one of the two",
        ),
        (
            replaced("whole", "int8", &[("1.5", "2")]),
            "the column never sends `1.5`",
            "it sends whole numbers",
        ),
        (
            replaced("guid", "text", &[("me", "x")]),
            "the column never sends `me`",
            "it sends ids like",
        ),
        (
            replaced("instant", "text", &[("2024-05-06", "x")]),
            "the column never sends `2024-05-06`",
            "it sends times like",
        ),
        (replaced("text", "text", &[("a\u{7}", "x"), ("a", "\u{7}")]), "the replacement", ""),
    ];
    refused(cases);
}

#[test]
fn what_a_column_never_sends_is_not_replaced() {
    refused(vec![
        (
            replaced("text", "text", &[(&"a".repeat(101), "x")]),
            "the column never sends `aaa",
            "its texts have at most 100 characters",
        ),
        (
            by_value(replaced("choice", "text", &[("5", "x")])),
            "the column never sends `5`",
            "with `picklists = \"value\"` it sends `1`, `2`, `9`",
        ),
        (
            by_value(replaced("multi", "text", &[("1,5", "x")])),
            "the column never sends `1,5`",
            "with `picklists = \"value\"` it sends `1`, `2`, `9`",
        ),
    ]);
}

fn refused(cases: Vec<(FieldMapping, &str, &str)>) {
    for (field, text, hint) in cases {
        let found = problems(&mapping(vec![field]));
        let first = found.first().unwrap();
        assert!(first.text.starts_with(text), "{first:?}");
        assert!(first.hint.starts_with(hint), "{first:?}");
        assert_eq!(first.part, Some("replace"));
    }
}

#[test]
fn a_replacement_is_cut_where_the_field_cuts() {
    let mut it = replaced("text", "short", &[("a", "abcdefgh")]);
    it.on_too_long = OnTooLong::Cut;
    assert_eq!(converts(it, text("a")), sent("abcde"));
}
