//! The forms that values take on either side: numbers, booleans, texts and
//! enumeration entries, each read strictly and checked against its field.
//!
//! Knows types and limits only; no error text holds the value. `convert` puts
//! these together.

use crate::mapping::matrix::field_words;
use crate::mapping::spec::OnTooLong;
use crate::model::{
    Choices, ColumnType, DateTimeBehavior, Decimal, EnumValue, FieldType, TargetValue, Value,
};

/// Whether an entry may be sent: Campaign lists one for its own use in every
/// enumeration (Campaign sheet 3.1).
pub(super) fn usable(entry: &EnumValue) -> bool {
    entry.name != "__Invalid_value__"
}

/// The options of a column type, where it has any.
pub(super) fn choices(kind: &ColumnType) -> Option<&Choices> {
    match kind {
        ColumnType::Boolean(choices)
        | ColumnType::Choice(choices)
        | ColumnType::MultiChoice(choices) => Some(choices),
        ColumnType::Text { .. }
        | ColumnType::Integer
        | ColumnType::Decimal
        | ColumnType::Double
        | ColumnType::DateTime(_)
        | ColumnType::Guid
        | ColumnType::Lookup { .. }
        | ColumnType::Other(_) => None,
    }
}

/// Whether a value has the form that a column of this type holds. Whole
/// numbers are accepted for decimals and doubles. Null fits everywhere.
pub(super) fn holds(kind: &ColumnType, value: &Value) -> bool {
    use DateTimeBehavior::{DateOnly, TimeZoneIndependent, UserLocal};
    match value {
        Value::Null => true,
        Value::Bool(_) => matches!(kind, ColumnType::Boolean(_)),
        Value::Integer(_) => {
            matches!(kind, ColumnType::Integer | ColumnType::Decimal | ColumnType::Double)
        }
        Value::Decimal(_) => matches!(kind, ColumnType::Decimal),
        Value::Double(number) => matches!(kind, ColumnType::Double) && number.is_finite(),
        Value::Text(_) => matches!(kind, ColumnType::Text { .. }),
        Value::Choice(_) => matches!(kind, ColumnType::Choice(_)),
        Value::MultiChoice(_) => matches!(kind, ColumnType::MultiChoice(_)),
        Value::Instant(_) => matches!(kind, ColumnType::DateTime(UserLocal)),
        Value::Civil(_) => matches!(kind, ColumnType::DateTime(TimeZoneIndependent)),
        Value::Date(_) => matches!(kind, ColumnType::DateTime(DateOnly)),
        Value::Guid(_) => matches!(kind, ColumnType::Guid | ColumnType::Lookup { .. }),
        Value::Unreadable(_) => false,
    }
}

/// The text of a target value; ISO 8601 for times. Empty for
/// [`TargetValue::Empty`].
pub(super) fn written(value: &TargetValue) -> String {
    match value {
        TargetValue::Empty => String::new(),
        TargetValue::Bool(flag) => flag.to_string(),
        TargetValue::Number(number) => number.to_string(),
        TargetValue::Text(text) => text.clone(),
        TargetValue::Date(date) => date.to_string(),
        TargetValue::Instant(instant) => instant.to_string(),
    }
}

/// The entry that a text means: its exact name, or else the only entry with
/// exactly this label.
pub(super) fn entry<'e>(values: &'e [EnumValue], text: &str) -> Option<&'e EnumValue> {
    let entries = || values.iter().filter(|entry| usable(entry));
    entries().find(|entry| entry.name == text).or_else(|| {
        let mut labelled = entries().filter(|entry| entry.label == text);
        labelled.next().filter(|_| labelled.next().is_none())
    })
}

/// The names that a field of an enumeration accepts.
pub(super) fn entry_names(values: &[EnumValue]) -> impl Iterator<Item = &str> {
    values.iter().filter(|entry| usable(entry)).map(|entry| entry.name.as_str())
}

/// A text as its field takes it. Length is counted in characters (Unicode
/// scalar values). Control characters other than tab and line ends are
/// refused, as both systems do (`0x80040278`), and never stripped in silence.
pub(super) fn fitted(
    text: &str,
    max_length: Option<u32>,
    too_long: OnTooLong,
) -> Result<String, String> {
    let control = |c: &char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if let Some(found) = text.chars().find(control) {
        return Err(format!("the text holds the control character U+{:04X}", u32::from(found)));
    }
    let Some(limit) = max_length.and_then(|limit| usize::try_from(limit).ok()) else {
        return Ok(text.to_owned());
    };
    let length = text.chars().count();
    match too_long {
        OnTooLong::Cut => Ok(text.chars().take(limit).collect()),
        OnTooLong::Fail if length > limit => {
            Err(format!("the text has {length} characters, the field takes {limit}"))
        }
        OnTooLong::Fail => Ok(text.to_owned()),
    }
}

/// A number as its field takes it: whole and in range for integers, finite at
/// their precision for floats; the digits themselves are never rounded here.
pub(super) fn number_for(number: Decimal, target: &FieldType) -> Result<TargetValue, String> {
    let fits = match target {
        FieldType::Integer { bits } => {
            if number.as_str().contains('.') {
                return Err("the number has a fraction, the field takes whole numbers".to_owned());
            }
            number.to_i64().is_some_and(|whole| in_range(whole, *bits))
        }
        FieldType::Float => number.as_str().parse::<f32>().is_ok_and(f32::is_finite),
        FieldType::Double => number.as_str().parse::<f64>().is_ok_and(f64::is_finite),
        FieldType::Text { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::DateTime
        | FieldType::Enumeration(_)
        | FieldType::Link { .. }
        | FieldType::Collection
        | FieldType::Other(_) => false,
    };
    if fits {
        Ok(TargetValue::Number(number))
    } else {
        Err(format!("the number is out of range for {}", field_words(target)))
    }
}

fn in_range(number: i64, bits: u8) -> bool {
    match bits {
        8 => i8::try_from(number).is_ok(),
        16 => i16::try_from(number).is_ok(),
        32 => i32::try_from(number).is_ok(),
        _ => true,
    }
}

/// Strict: digits with an optional minus, point and exponent; no spaces, no
/// thousands separators, no `+`.
pub(super) fn parse_number(text: &str) -> Result<Decimal, String> {
    let bytes = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    if digit(bytes.first()) && digit(bytes.last()) {
        Decimal::parse(text).map_err(|_| "the text is not a number".to_owned())
    } else {
        Err("the text is not a number".to_owned())
    }
}

/// Strict: `true` and `false` in any case of letters, `1` and `0`.
pub(super) fn parse_boolean(text: &str) -> Result<bool, String> {
    if text.eq_ignore_ascii_case("true") || text == "1" {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") || text == "0" {
        Ok(false)
    } else {
        Err("the text is neither `true` nor `false`".to_owned())
    }
}

/// The shortest decimal that reads back as this double.
pub(super) fn exact(number: f64) -> Result<Decimal, String> {
    Decimal::from_f64(number).ok_or_else(|| "the number is not finite".to_owned())
}
