//! Values of data files in the JSON of each system.
//!
//! Owns: how people write dates, choices and numbers in files. Messages never
//! repeat a value.

use serde_json::Value;

use crate::sandbox::campaign::schema::FieldType;
use crate::sandbox::dataverse::schema::{Behavior, Choice, ColumnType};
use crate::sandbox::moment;

const NO_WHOLE_NUMBER: &str = "this is no whole number";
const NO_NUMBER: &str = "this is no number; write one as 1234.5";
const NO_BOOLEAN: &str = "this is neither true nor false";
const NO_DATE: &str = "this is no date; write one as 2026-03-01";
const NO_TIME: &str = "this is no point in time; write one as 2026-03-01T06:00:00Z";

fn whole_number(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| NO_WHOLE_NUMBER.to_owned())
}

/// A number that is JSON as it stands.
fn number(text: &str) -> Result<String, String> {
    let text = text.trim();
    let number: Result<serde_json::Number, _> = serde_json::from_str(text);
    number.map(|_| text.to_owned()).map_err(|_| NO_NUMBER.to_owned())
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// A date, or the date of a point in time.
fn date(text: &str) -> Result<String, String> {
    let text = text.trim();
    let days = moment::parse_date(text).or_else(|| {
        moment::parse_moment(text)?;
        moment::parse_date(text.get(..10)?)
    });
    days.map(moment::date_text).ok_or_else(|| NO_DATE.to_owned())
}

/// Milliseconds since 1970.
pub(super) fn time(text: &str) -> Result<i64, String> {
    moment::parse_moment(text.trim()).ok_or_else(|| NO_TIME.to_owned())
}

/// A choice by number or by a label in either language.
fn choice(choices: &[Choice], text: &str) -> Result<i64, String> {
    let text = text.trim();
    let same = |label: &str| label.to_lowercase() == text.to_lowercase();
    let found = choices.iter().find(|choice| {
        text.parse() == Ok(choice.value) || same(&choice.english) || same(&choice.german)
    });
    found.map(|choice| choice.value).ok_or_else(|| {
        let known: Vec<String> =
            choices.iter().map(|choice| format!("{} {}", choice.value, choice.english)).collect();
        format!("this is none of {}", known.join(", "))
    })
}

/// A value for a column, as JSON text; lookups are not values.
pub(super) fn for_column(kind: &ColumnType, value: &Value) -> Result<String, String> {
    let Value::String(text) = value else {
        return Ok(value.to_string());
    };
    Ok(match kind {
        ColumnType::Integer { .. } | ColumnType::BigInt => whole_number(text)?.to_string(),
        ColumnType::Decimal { .. } | ColumnType::Money | ColumnType::Double => number(text)?,
        ColumnType::Boolean { labels, .. } => {
            let labelled = || choice(labels, text).ok().map(|value| value == 1);
            boolean(text).or_else(labelled).ok_or(NO_BOOLEAN)?.to_string()
        }
        ColumnType::Picklist(choices)
        | ColumnType::State(choices)
        | ColumnType::Status(choices) => choice(choices, text)?.to_string(),
        ColumnType::MultiSelect(choices) => {
            let parts = text.split([',', ';']).filter(|part| !part.trim().is_empty());
            let numbers: Result<Vec<String>, String> =
                parts.map(|part| Ok(choice(choices, part)?.to_string())).collect();
            Value::from(numbers?.join(",")).to_string()
        }
        ColumnType::DateTime { behavior: Behavior::DateOnly, .. } => {
            Value::from(date(text)?).to_string()
        }
        ColumnType::DateTime { .. } => Value::from(moment::dataverse_text(time(text)?)).to_string(),
        ColumnType::Text { .. }
        | ColumnType::Memo { .. }
        | ColumnType::EntityName
        | ColumnType::Uniqueidentifier
        | ColumnType::Lookup { .. } => value.to_string(),
    })
}

/// A value for a field; links are not values.
pub(super) fn for_field(kind: &FieldType, value: &Value) -> Result<Value, String> {
    let Value::String(text) = value else {
        return Ok(value.clone());
    };
    Ok(match kind {
        FieldType::Byte | FieldType::Short | FieldType::Long | FieldType::Int64 => {
            whole_number(text)?.into()
        }
        FieldType::Double => {
            serde_json::from_str(&number(text)?).map_err(|_| NO_NUMBER.to_owned())?
        }
        FieldType::Boolean => boolean(text).ok_or(NO_BOOLEAN)?.into(),
        FieldType::Date => date(text)?.into(),
        FieldType::DateTime => moment::campaign_text(time(text)?).into(),
        FieldType::Enumeration { values, .. } => {
            let text = text.trim();
            let found = values.iter().find(|known| {
                known.name == text || known.label.eq_ignore_ascii_case(text) || known.value == text
            });
            let known = || {
                let names: Vec<&str> = values.iter().map(|value| value.name.as_str()).collect();
                format!("this is none of {}", names.join(", "))
            };
            found.map(|value| value.name.clone()).ok_or_else(known)?.into()
        }
        FieldType::Text { .. }
        | FieldType::Memo
        | FieldType::Link { .. }
        | FieldType::Collection { .. } => value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices() -> Vec<Choice> {
        let one = |value: i64, english: &str, german: &str| Choice {
            value,
            english: english.to_owned(),
            german: german.to_owned(),
            partner: None,
        };
        vec![one(1, "Dog", "Hund"), one(2, "Cat", "Katze")]
    }

    #[test]
    fn people_may_write_values_in_several_ways() {
        let time = ColumnType::DateTime { behavior: Behavior::UserLocal, date_format: false };
        let day = ColumnType::DateTime { behavior: Behavior::DateOnly, date_format: true };
        let yes = ColumnType::Boolean {
            default: false,
            labels: [
                Choice { value: 1, ..choices().remove(0) },
                Choice { value: 0, ..choices().remove(1) },
            ],
        };
        let integer = ColumnType::Integer { min: 0, max: 9 };
        let cases: [(&ColumnType, &str, Option<&str>); 16] = [
            (&integer, " 7 ", Some("7")),
            (&integer, "7.5", None),
            (&ColumnType::Money, "1234.50", Some("1234.50")),
            (&ColumnType::Money, "1,234.50", None),
            (&ColumnType::Picklist(choices()), "2", Some("2")),
            (&ColumnType::Picklist(choices()), "katze", Some("2")),
            (&ColumnType::Picklist(choices()), "Bird", None),
            (&ColumnType::MultiSelect(choices()), "Cat; Dog", Some("\"2,1\"")),
            (&yes, "Yes", Some("true")),
            (&yes, "cat", Some("false")),
            (&yes, "2", None),
            (&day, "2026-03-01T23:00:00Z", Some("\"2026-03-01\"")),
            (&day, "1.3.2026", None),
            (&time, "2026-03-01 06:00", Some("\"2026-03-01T06:00:00Z\"")),
            (&time, "06:00", None),
            (&ColumnType::Text { max: 9 }, "007", Some("\"007\"")),
        ];
        for (kind, text, expected) in cases {
            let got = for_column(kind, &Value::from(text)).ok();
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn fields_of_campaign_take_names_labels_and_numbers() {
        let values = vec![crate::sandbox::EnumValue {
            name: "male".to_owned(),
            label: "Male".to_owned(),
            value: "1".to_owned(),
        }];
        let gender = FieldType::Enumeration { values, byte: true };
        for text in ["male", "MALE", "1"] {
            assert_eq!(for_field(&gender, &text.into()), Ok("male".into()), "{text}");
        }
        let error = for_field(&gender, &"x".into()).unwrap_err();
        assert_eq!(error, "this is none of male");
        assert_eq!(for_field(&FieldType::Long, &"12".into()), Ok(12.into()));
        assert_eq!(for_field(&FieldType::Boolean, &"0".into()), Ok(false.into()));
        let time = for_field(&FieldType::DateTime, &"2026-03-01".into());
        assert_eq!(time, Ok("2026-03-01 00:00:00.000Z".into()));
    }
}
