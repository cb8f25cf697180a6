//! Values on Campaign's side: which value empties a field, and the bytes by
//! which two values that mean the same there are equal.
//!
//! Knows nothing of Dynamics and nothing of JSON.

use crate::mapping::dates::cut_to_millis;
use crate::mapping::forms::{usable, written};
use crate::model::{Decimal, EnumValue, FieldType, TargetValue};

/// The value that clears a field of this type.
///
/// [`TargetValue::Empty`] where the wire has `""` for it (text, date,
/// datetime); `false` and `0` where it has no empty form (Campaign sheet 3.2:
/// an unset boolean reads as false, an unset integer as 0); for an enumeration
/// the entry with technical value `0`, else the one named `none`, else `""`.
pub(crate) fn resolve_empty(kind: &FieldType) -> TargetValue {
    match kind {
        FieldType::Boolean => TargetValue::Bool(false),
        FieldType::Integer { .. } | FieldType::Float | FieldType::Double => {
            TargetValue::Number(Decimal::from(0))
        }
        FieldType::Enumeration(values) => unset_entry(values)
            .map_or(TargetValue::Empty, |entry| TargetValue::Text(entry.name.clone())),
        FieldType::Text { .. }
        | FieldType::Date
        | FieldType::DateTime
        | FieldType::Link { .. }
        | FieldType::Collection
        | FieldType::Other(_) => TargetValue::Empty,
    }
}

fn unset_entry(values: &[EnumValue]) -> Option<&EnumValue> {
    let mut entries = values.iter().filter(|entry| usable(entry));
    let zero = entries.clone().find(|entry| entry.value == "0");
    zero.or_else(|| entries.find(|entry| entry.name == "none"))
}

/// Bytes that are equal for two values if and only if a field of this type
/// cannot tell them apart: an unset field equals its empty form, date-times
/// are cut to milliseconds, floats compared at their precision.
///
/// Not framed: who hashes several fields must add lengths or names. A value
/// that a field of this type does not hold compares by its text.
pub(crate) fn canonical(value: &TargetValue, kind: &FieldType) -> Vec<u8> {
    let empty;
    let value = if is_empty(value) {
        empty = resolve_empty(kind);
        &empty
    } else {
        value
    };
    match value {
        TargetValue::Number(number) => canonical_number(number, kind),
        TargetValue::Instant(instant) => cut_to_millis(*instant).to_string().into_bytes(),
        TargetValue::Empty | TargetValue::Bool(_) | TargetValue::Text(_) | TargetValue::Date(_) => {
            written(value).into_bytes()
        }
    }
}

fn is_empty(value: &TargetValue) -> bool {
    match value {
        TargetValue::Empty => true,
        TargetValue::Text(text) => text.is_empty(),
        TargetValue::Bool(_)
        | TargetValue::Number(_)
        | TargetValue::Date(_)
        | TargetValue::Instant(_) => false,
    }
}

/// Shortest text of the number that a float or double field ends up with.
fn canonical_number(number: &Decimal, kind: &FieldType) -> Vec<u8> {
    let text = number.as_str();
    let rounded = match kind {
        FieldType::Float => text.parse::<f32>().ok().map(|it| format!("{:e}", it + 0.0)),
        FieldType::Double => text.parse::<f64>().ok().map(|it| format!("{:e}", it + 0.0)),
        FieldType::Text { .. }
        | FieldType::Integer { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::DateTime
        | FieldType::Enumeration(_)
        | FieldType::Link { .. }
        | FieldType::Collection
        | FieldType::Other(_) => None,
    };
    rounded.unwrap_or_else(|| text.to_owned()).into_bytes()
}
