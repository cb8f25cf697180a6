//! Clearing values and canonical bytes.

use super::{decimal, gender_entries, number, sent, target_types};
use crate::mapping::{canonical, resolve_empty};
use crate::model::{EnumValue, FieldType, TargetValue};

fn entries(all: &[(&str, &str)]) -> FieldType {
    FieldType::Enumeration(
        all.iter()
            .map(|(name, value)| EnumValue {
                name: (*name).to_owned(),
                label: String::new(),
                value: (*value).to_owned(),
            })
            .collect(),
    )
}

#[test]
fn each_type_is_cleared_by_what_reads_back_as_unset() {
    let cases = [
        (FieldType::Text { max_length: None }, TargetValue::Empty),
        (FieldType::Date, TargetValue::Empty),
        (FieldType::DateTime, TargetValue::Empty),
        (FieldType::Boolean, TargetValue::Bool(false)),
        (FieldType::Integer { bits: 8 }, number("0")),
        (FieldType::Double, number("0")),
        (gender_entries(), sent("unknown")),
        (entries(&[("a", "1"), ("none", "")]), sent("none")),
        (entries(&[("none", "none"), ("zero", "0")]), sent("zero")),
        (entries(&[("a", "1")]), TargetValue::Empty),
        (entries(&[("__Invalid_value__", "0")]), TargetValue::Empty),
    ];
    for (kind, expected) in cases {
        assert_eq!(resolve_empty(&kind), expected, "{kind:?}");
    }
}

#[test]
fn empty_equals_its_concrete_form_for_every_type() {
    for (name, kind) in target_types() {
        let empty = canonical(&TargetValue::Empty, &kind);
        assert_eq!(empty, canonical(&resolve_empty(&kind), &kind), "{name}");
        assert_eq!(empty, canonical(&sent(""), &kind), "{name}");
    }
}

#[test]
fn what_the_field_cannot_tell_apart_has_equal_bytes() {
    let instant = |text: &str| TargetValue::Instant(text.parse().unwrap());
    let same = [
        (
            instant("2024-05-06T07:08:09.1239Z"),
            instant("2024-05-06T07:08:09.123Z"),
            FieldType::DateTime,
        ),
        (
            instant("1960-01-01T00:00:00.0019Z"),
            instant("1960-01-01T00:00:00.001Z"),
            FieldType::DateTime,
        ),
        (number("0.1"), number("0.10000000149011612"), FieldType::Float),
        (number("0.1"), number("0.1000000000000000055"), FieldType::Double),
        (TargetValue::Number(decimal("-0.0")), number("0"), FieldType::Double),
        (number("5.0"), number("5"), FieldType::Integer { bits: 8 }),
    ];
    for (left, right, kind) in same {
        assert_eq!(canonical(&left, &kind), canonical(&right, &kind), "{left:?} {right:?}");
    }
    let differ = [
        (
            instant("2024-05-06T07:08:09.124Z"),
            instant("2024-05-06T07:08:09.123Z"),
            FieldType::DateTime,
        ),
        (number("0.1"), number("0.10000000149011612"), FieldType::Double),
        (number("9007199254740993"), number("9007199254740992"), FieldType::Integer { bits: 64 }),
        (sent("a"), sent("A"), FieldType::Text { max_length: None }),
        (sent(" "), TargetValue::Empty, FieldType::Text { max_length: None }),
        (TargetValue::Bool(true), TargetValue::Empty, FieldType::Boolean),
        (sent("male"), TargetValue::Empty, gender_entries()),
    ];
    for (left, right, kind) in differ {
        assert_ne!(canonical(&left, &kind), canonical(&right, &kind), "{left:?} {right:?}");
    }
}
