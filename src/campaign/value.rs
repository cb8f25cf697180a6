//! The wire form of values ("Data types on the wire", sheet 3.2): what is
//! sent, and what a GET answers.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::value::RawValue;

use crate::model::{Decimal, FieldType, TargetValue};

/// What empties a text, a date or a date-time. Both are plausible, neither is
/// confirmed; so it can be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Clearing {
    /// `""`
    #[default]
    EmptyText,
    /// `null`
    Null,
}

/// The JSON of a value for POST and PATCH.
pub(crate) fn encode(value: &TargetValue, clearing: Clearing) -> Box<RawValue> {
    let json = match value {
        TargetValue::Empty => match clearing {
            Clearing::EmptyText => "\"\"".to_owned(),
            Clearing::Null => "null".to_owned(),
        },
        TargetValue::Bool(value) => value.to_string(),
        TargetValue::Number(number) => number.to_string(),
        TargetValue::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        TargetValue::Date(date) => format!("\"{date}\""),
        TargetValue::Instant(instant) => {
            format!("\"{}\"", instant.strftime("%Y-%m-%d %H:%M:%S.%3fZ"))
        }
    };
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The value of a field in a GET. None if it does not have the form of the
/// field's type.
pub(crate) fn decode(raw: &RawValue, kind: &FieldType) -> Option<TargetValue> {
    if raw.get() == "null" {
        return Some(TargetValue::Empty);
    }
    match kind {
        FieldType::Boolean => Some(boolean(raw)),
        FieldType::Integer { .. } | FieldType::Float | FieldType::Double => number(raw),
        FieldType::Text { .. } | FieldType::Enumeration(_) => {
            let text: String = serde_json::from_str(raw.get()).ok()?;
            Some(if text.is_empty() { TargetValue::Empty } else { TargetValue::Text(text) })
        }
        FieldType::Date => moment(raw, |text| text.parse::<Date>().ok().map(TargetValue::Date)),
        FieldType::DateTime => moment(raw, |text| {
            text.replacen(' ', "T", 1).parse::<Timestamp>().ok().map(TargetValue::Instant)
        }),
        FieldType::Link { .. } | FieldType::Collection | FieldType::Other(_) => None,
    }
}

/// True or false, also as text or number; anything else is kept as it stands,
/// because it is not "false".
fn boolean(raw: &RawValue) -> TargetValue {
    let text = serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => TargetValue::Bool(true),
        "false" | "0" => TargetValue::Bool(false),
        "" => TargetValue::Empty,
        _ => TargetValue::Text(text),
    }
}

/// A number, also where it stands as text; `""` is unset.
fn number(raw: &RawValue) -> Option<TargetValue> {
    if let Ok(text) = serde_json::from_str::<String>(raw.get()) {
        return if text.is_empty() {
            Some(TargetValue::Empty)
        } else {
            Decimal::parse(&text).ok().map(TargetValue::Number)
        };
    }
    Decimal::parse(raw.get()).ok().map(TargetValue::Number)
}

fn moment(raw: &RawValue, read: fn(&str) -> Option<TargetValue>) -> Option<TargetValue> {
    let text: String = serde_json::from_str(raw.get()).ok()?;
    if text.is_empty() { Some(TargetValue::Empty) } else { read(&text) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_reads_back_as_the_same_value() {
        let text = FieldType::Text { max_length: None };
        let cases = [
            (TargetValue::Empty, text.clone(), "\"\""),
            (
                TargetValue::Text("Zoë \"Q\" \u{1F600}\n".into()),
                text,
                "\"Zoë \\\"Q\\\" \u{1F600}\\n\"",
            ),
            (TargetValue::Bool(true), FieldType::Boolean, "true"),
            (
                TargetValue::Number(Decimal::parse("12345678901234567.25").unwrap()),
                FieldType::Double,
                "12345678901234567.25",
            ),
            (TargetValue::Date("1980-10-24".parse().unwrap()), FieldType::Date, "\"1980-10-24\""),
            (
                TargetValue::Instant("2019-04-03T08:17:19.100Z".parse().unwrap()),
                FieldType::DateTime,
                "\"2019-04-03 08:17:19.100Z\"",
            ),
        ];
        for (value, kind, json) in cases {
            let raw = encode(&value, Clearing::EmptyText);
            assert_eq!(raw.get(), json);
            assert_eq!(decode(&raw, &kind), Some(value));
        }
        assert_eq!(encode(&TargetValue::Empty, Clearing::Null).get(), "null");
    }

    #[test]
    fn a_boolean_may_stand_as_text_or_number_and_nothing_else_is_false() {
        for (json, value) in [
            ("true", TargetValue::Bool(true)),
            ("false", TargetValue::Bool(false)),
            ("\"true\"", TargetValue::Bool(true)),
            ("\"0\"", TargetValue::Bool(false)),
            ("1", TargetValue::Bool(true)),
            ("\"\"", TargetValue::Empty),
            ("null", TargetValue::Empty),
            ("\"yes\"", TargetValue::Text("yes".into())),
            ("{}", TargetValue::Text("{}".into())),
        ] {
            let raw = RawValue::from_string(json.into()).unwrap();
            assert_eq!(decode(&raw, &FieldType::Boolean), Some(value), "{json}");
        }
    }

    #[test]
    fn a_field_of_another_form_is_not_guessed_at() {
        let raw = RawValue::from_string("{\"href\":\"x\"}".into()).unwrap();
        assert_eq!(decode(&raw, &FieldType::Text { max_length: None }), None);
        assert_eq!(decode(&raw, &FieldType::DateTime), None);
    }

    /// A field's type with a value that it holds.
    fn any_held() -> impl Strategy<Value = (FieldType, TargetValue)> {
        let text = FieldType::Text { max_length: None };
        // From the year 0 on: those before it have another form.
        let seconds = -62_167_219_200_i64..253_402_200_000;
        prop_oneof![
            (".{1,30}").prop_map(move |it| (text.clone(), TargetValue::Text(it))),
            any::<bool>().prop_map(|it| (FieldType::Boolean, TargetValue::Bool(it))),
            "-?[0-9]{1,25}(\\.[0-9]{1,12})?(e-?[0-9]{1,2})?".prop_map(|it| {
                (FieldType::Double, TargetValue::Number(Decimal::parse(&it).unwrap()))
            }),
            (0_i16..=9999, 1_i8..=12, 1_i8..=28)
                .prop_map(|(y, m, d)| (FieldType::Date, TargetValue::Date(date(y, m, d)))),
            (seconds, 0_i32..1000).prop_map(|(second, milli)| {
                let instant = Timestamp::from_second(second).unwrap();
                let instant = instant + jiff::SignedDuration::from_millis(milli.into());
                (FieldType::DateTime, TargetValue::Instant(instant))
            }),
            prop::sample::select(vec![FieldType::Boolean, FieldType::Double, FieldType::Date])
                .prop_map(|kind| (kind, TargetValue::Empty)),
        ]
    }

    proptest! {
        #[test]
        fn any_value_reads_back_as_it_was_written((kind, value) in any_held()) {
            for clearing in [Clearing::EmptyText, Clearing::Null] {
                let raw = encode(&value, clearing);
                prop_assert_eq!(decode(&raw, &kind), Some(value.clone()), "{}", raw.get());
            }
        }

        #[test]
        fn no_json_makes_reading_a_value_panic(text in "[-0-9eE.\"tfnul{}\\[\\]: Tz]{0,20}") {
            let Ok(raw) = RawValue::from_string(text) else { return Ok(()) };
            for kind in [FieldType::Boolean, FieldType::Double, FieldType::DateTime] {
                let _ = decode(&raw, &kind);
            }
        }
    }
}
