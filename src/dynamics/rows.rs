//! From a row's JSON to values, by the types of the table's metadata
//! ("Web API types and operations": types on the wire).

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::http::json::Fields;
use crate::model::{
    Column, ColumnType, DateTimeBehavior, Decimal, RecordId, RowVersion, SourceRow, TableSchema,
    Value,
};

/// The annotation that names the table a lookup points to ("Retrieve data with
/// lookup properties").
pub(super) const LOOKUP_TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

/// One item of a page.
pub(super) type Row<'a> = Fields<'a>;

/// One row of a data query; `names` are the columns' names on the wire. None
/// if it has no readable primary id.
pub(super) fn source_row(
    row: &Row<'_>,
    table: &TableSchema,
    columns: &[Column],
    names: &[String],
) -> Option<SourceRow> {
    let id = RecordId::parse(&text(row.get(table.primary_id.as_str())?)?).ok()?;
    let (mut values, mut points_to) = (BTreeMap::new(), BTreeMap::new());
    for (column, name) in columns.iter().zip(names) {
        let Some(raw) = row.get(name.as_str()) else { continue };
        values.insert(column.name.clone(), value(raw, &column.kind));
        if matches!(column.kind, ColumnType::Lookup { .. })
            && let Some(raw) = row.get(format!("{name}@{LOOKUP_TABLE}").as_str())
            && let Some(table) = text(raw)
        {
            points_to.insert(column.name.clone(), table);
        }
    }
    Some(SourceRow { id, version: version(row), columns: values, points_to })
}

/// The digits of a weak `ETag` are the row version.
fn version(row: &Row<'_>) -> Option<RowVersion> {
    let etag = text(row.get("@odata.etag")?)?;
    let digits = etag.strip_prefix("W/\"")?.strip_suffix('"')?;
    digits.parse().ok().map(RowVersion)
}

/// The id of a deletion, if the item is one: it says so by its context or its
/// reason, never by missing columns.
pub(super) fn deleted(row: &Row<'_>) -> Option<RecordId> {
    let context = row.get("@odata.context").and_then(|raw| text(raw));
    let reason = row.get("reason").and_then(|raw| text(raw));
    let by_context = context.is_some_and(|context| context.ends_with("/$deletedEntity"));
    if !by_context && reason.as_deref() != Some("deleted") {
        return None;
    }
    let id = text(row.get("id")?)?;
    RecordId::parse(bare(&id)).ok()
}

/// Whether the item claims to be a deletion: by its context, or by its reason
/// where it has no row.
pub(super) fn is_deletion(row: &Row<'_>) -> bool {
    let says = |name: &str| row.get(name).and_then(|raw| text(raw));
    says("@odata.context").is_some_and(|context| context.ends_with("/$deletedEntity"))
        || (says("reason").as_deref() == Some("deleted")
            && row.contains_key("id")
            && !row.contains_key("@odata.etag"))
}

/// A bare GUID is documented; a URL `…/contacts(<guid>)` is tolerated.
fn bare(id: &str) -> &str {
    id.rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(id)
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn value(raw: &RawValue, kind: &ColumnType) -> Value {
    if raw.get() == "null" {
        return Value::Null;
    }
    match kind {
        ColumnType::Text { .. } => or(text(raw).map(Value::Text), "a text"),
        ColumnType::Integer => or(integer(raw).map(Value::Integer), "a whole number"),
        ColumnType::Decimal => {
            or(Decimal::parse(raw.get()).ok().map(Value::Decimal), "a decimal number")
        }
        ColumnType::Double => {
            or(read::<f64>(raw).filter(|number| number.is_finite()).map(Value::Double), "a number")
        }
        ColumnType::Boolean(_) => or(read(raw).map(Value::Bool), "true or false"),
        ColumnType::Choice(_) => or(integer(raw).map(Value::Choice), "the number of a choice"),
        ColumnType::MultiChoice(_) => or(multi_choice(raw), "numbers joined by commas"),
        ColumnType::DateTime(behavior) => date_time(raw, *behavior),
        ColumnType::Guid | ColumnType::Lookup { .. } => {
            or(text(raw).and_then(|text| Uuid::try_parse(&text).ok()).map(Value::Guid), "a GUID")
        }
        ColumnType::Other(_) => Value::Unreadable("a type that can be mapped"),
    }
}

fn or(value: Option<Value>, expected: &'static str) -> Value {
    value.unwrap_or(Value::Unreadable(expected))
}

/// A JSON number without a fraction; `20000.0000` counts as one.
fn integer(raw: &RawValue) -> Option<i64> {
    Decimal::parse(raw.get()).ok()?.to_i64()
}

fn multi_choice(raw: &RawValue) -> Option<Value> {
    let joined = text(raw)?;
    let numbers = joined.split(',').map(str::trim).filter(|part| !part.is_empty());
    numbers.map(|part| part.parse().ok()).collect::<Option<Vec<i64>>>().map(Value::MultiChoice)
}

/// Decided by the column's behaviour, not by its display format.
fn date_time(raw: &RawValue, behavior: DateTimeBehavior) -> Value {
    let Some(text) = text(raw) else { return Value::Unreadable("a date") };
    match behavior {
        DateTimeBehavior::UserLocal => {
            or(text.parse::<Timestamp>().ok().map(Value::Instant), "an instant in UTC")
        }
        DateTimeBehavior::DateOnly => or(text.parse::<Date>().ok().map(Value::Date), "a date"),
        DateTimeBehavior::TimeZoneIndependent => {
            let wall = text.trim_end_matches('Z');
            or(wall.parse::<DateTime>().ok().map(Value::Civil), "a date and time")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn a_wire_value_is_read_by_its_columns_type() {
        let date = |behavior| ColumnType::DateTime(behavior);
        let cases: Vec<(&str, ColumnType, Value)> = vec![
            ("null", ColumnType::Integer, Value::Null),
            ("\"\"", ColumnType::Text { max_length: None }, Value::Text(String::new())),
            ("7", ColumnType::Integer, Value::Integer(7)),
            ("7.5", ColumnType::Integer, Value::Unreadable("a whole number")),
            ("20000.0000", ColumnType::Decimal, Value::Decimal(Decimal::parse("20000").unwrap())),
            (
                "0.1234567890123456789",
                ColumnType::Decimal,
                Value::Decimal(Decimal::parse("0.1234567890123456789").unwrap()),
            ),
            ("true", ColumnType::Boolean(crate::model::Choices::default()), Value::Bool(true)),
            (
                "\"1, 9\"",
                ColumnType::MultiChoice(crate::model::Choices::default()),
                Value::MultiChoice(vec![1, 9]),
            ),
            (
                "\"2023-04-07T21:59:01Z\"",
                date(DateTimeBehavior::UserLocal),
                Value::Instant("2023-04-07T21:59:01Z".parse().unwrap()),
            ),
            (
                "\"2023-04-07T21:59:01Z\"",
                date(DateTimeBehavior::TimeZoneIndependent),
                Value::Civil("2023-04-07T21:59:01".parse().unwrap()),
            ),
            (
                "\"1990-04-01\"",
                date(DateTimeBehavior::DateOnly),
                Value::Date("1990-04-01".parse().unwrap()),
            ),
            ("{}", ColumnType::Text { max_length: None }, Value::Unreadable("a text")),
        ];
        for (json, kind, expected) in cases {
            assert_eq!(value(&raw(json), &kind), expected, "{json} as {kind:?}");
        }
    }

    #[test]
    fn a_deletion_is_told_by_its_context_and_its_id_in_any_form() {
        let page = r#"[{"@odata.context":"http://h/api/data/v9.2/$metadata#accounts/$deletedEntity",
            "id":"2E451703-C286-E711-80EF-00155DB19E6D","reason":"deleted"},
            {"contactid":"2e451703-c286-e711-80ef-00155db19e6d","firstname":null}]"#;
        let rows: Vec<Row<'_>> = serde_json::from_str(page).unwrap();
        let id = deleted(&rows[0]).unwrap();
        assert_eq!(id.to_string(), "2e451703-c286-e711-80ef-00155db19e6d");
        assert_eq!(deleted(&rows[1]), None);
        assert!(!is_deletion(&rows[1]));
    }
}
