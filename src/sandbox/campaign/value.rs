//! Values between JSON and cells (campaign sheet 3.2).
//!
//! Owns: the strict type checks on the way in and the spelling on the way out.

use serde_json::Value;

use super::error::{self, Refusal};
use super::schema::{Field, FieldType, Resource};
use crate::sandbox::moment;
use crate::sandbox::row::Cell;
use crate::sandbox::variants::{Clearing, Variants};

/// Reads a scalar for a field; nothing clears it.
pub(crate) fn parse(
    resource: &Resource,
    field: &Field,
    value: &Value,
    variants: Variants,
) -> Result<Option<Cell<'static>>, Refusal> {
    if value.is_null() {
        return match variants.clearing {
            Clearing::Both | Clearing::NullOnly => Ok(None),
            Clearing::EmptyOnly => Err(error::mismatch("null", "string")),
        };
    }
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match &field.kind {
        FieldType::Text { .. } | FieldType::Memo => text(field, value, &shown, variants),
        FieldType::Byte => {
            integer(value, &shown, i64::from(i8::MIN), i64::from(i8::MAX), "integer (8 bit)")
        }
        FieldType::Short => {
            integer(value, &shown, i64::from(i16::MIN), i64::from(i16::MAX), "integer (16 bit)")
        }
        FieldType::Long => {
            integer(value, &shown, i64::from(i32::MIN), i64::from(i32::MAX), "integer (32 bit)")
        }
        FieldType::Int64 => integer(value, &shown, i64::MIN, i64::MAX, "integer (64 bit)"),
        FieldType::Double => match value {
            Value::Number(number) => Ok(number.as_f64().map(Cell::Double)),
            Value::Null
            | Value::Bool(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => Err(error::mismatch(&shown, "double")),
        },
        FieldType::Boolean => value
            .as_bool()
            .map(|value| Some(Cell::Bool(value)))
            .ok_or_else(|| error::mismatch(&shown, "boolean")),
        FieldType::Date | FieldType::DateTime => date(field, value, &shown, variants),
        FieldType::Enumeration { values, .. } => {
            let name = value.as_str().unwrap_or_default();
            let known =
                values.iter().any(|known| known.name == name && known.name != "__Invalid_value__");
            if known {
                return Ok(Some(Cell::Text(name.to_owned().into())));
            }
            Err(error::wrong_enum(&shown, &resource.schema, &field.name))
        }
        FieldType::Link { .. } | FieldType::Collection { .. } => {
            Err(error::mismatch(&shown, "link"))
        }
    }
}

fn integer(
    value: &Value,
    shown: &str,
    min: i64,
    max: i64,
    name: &str,
) -> Result<Option<Cell<'static>>, Refusal> {
    match value.as_i64() {
        Some(number) if (min..=max).contains(&number) => Ok(Some(Cell::Int(number))),
        Some(_) | None => Err(error::mismatch(shown, name)),
    }
}

fn text(
    field: &Field,
    value: &Value,
    shown: &str,
    variants: Variants,
) -> Result<Option<Cell<'static>>, Refusal> {
    let Some(text) = value.as_str() else {
        return Err(error::mismatch(shown, "string"));
    };
    if let FieldType::Text { max } = field.kind
        && text.chars().count() > max
    {
        return Err(error::too_long(&field.name, max));
    }
    if text.is_empty() {
        return Ok(None);
    }
    let text = if variants.data_policies { policy(field.policy, text) } else { text.to_owned() };
    Ok(Some(Cell::Text(text.into())))
}

/// Rewriting rules of `dataPolicy` (campaign sheet 6).
fn policy(policy: &str, text: &str) -> String {
    match policy {
        "email" => text.to_lowercase(),
        "smartCase" => {
            let mut letters = text.chars();
            let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
            first + &letters.as_str().to_lowercase()
        }
        "phone" => text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect(),
        _ => text.to_owned(),
    }
}

fn date(
    field: &Field,
    value: &Value,
    shown: &str,
    variants: Variants,
) -> Result<Option<Cell<'static>>, Refusal> {
    let only_date = field.kind == FieldType::Date;
    let wanted = if only_date { "date" } else { "date and time" };
    let text = value.as_str().ok_or_else(|| error::mismatch(shown, wanted))?;
    if text.is_empty() && variants.clearing != Clearing::NullOnly {
        return Ok(None);
    }
    let cell = if only_date {
        moment::parse_date(text).map(Cell::Date)
    } else {
        moment::parse_moment(text).map(Cell::Time)
    };
    cell.map(Some).ok_or_else(|| error::mismatch(shown, wanted))
}

/// A scalar's JSON; unset has a spelling of its own per type.
pub(crate) fn show(field: &Field, cell: Option<&Cell<'_>>) -> Value {
    match cell {
        Some(Cell::Bool(value)) => (*value).into(),
        Some(Cell::Int(value)) => (*value).into(),
        Some(Cell::Double(value)) => (*value).into(),
        Some(Cell::Text(value) | Cell::Decimal(value)) => {
            if let FieldType::Enumeration { values, .. } = &field.kind
                && !values.iter().any(|known| known.name == *value)
            {
                return "__Invalid_value__".into();
            }
            value.as_ref().into()
        }
        Some(Cell::Guid(value) | Cell::Ref(value, _)) => value.to_string().into(),
        Some(Cell::Time(value)) => moment::campaign_text(*value).into(),
        Some(Cell::Date(value)) => moment::date_text(*value).into(),
        None => match &field.kind {
            FieldType::Text { .. } | FieldType::Memo | FieldType::Date | FieldType::DateTime => {
                "".into()
            }
            FieldType::Byte
            | FieldType::Short
            | FieldType::Long
            | FieldType::Int64
            | FieldType::Double => 0.into(),
            FieldType::Boolean => false.into(),
            FieldType::Enumeration { values, .. } => {
                values.first().map(|first| first.name.clone()).into()
            }
            FieldType::Link { .. } | FieldType::Collection { .. } => Value::Null,
        },
    }
}

/// A scalar as text, without quotes.
pub(crate) fn spelt(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
