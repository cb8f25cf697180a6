//! Definitions of new columns, as they are posted (Dynamics sheet 7.5).
//!
//! Owns: the types that can be made here, with their limits.

use serde_json::{Map, Value};

use super::change::labels;
use super::create::{in_base_language, invalid, string, wrong};
use super::option_sets;
use crate::sandbox::dataverse::error::{Refusal, refuse};
use crate::sandbox::dataverse::option_set::OptionSet;
use crate::sandbox::dataverse::schema::{Behavior, Choice, Column, ColumnType, Table};
use crate::sandbox::dataverse::store::Db;

/// Members of a table that may be posted.
pub(super) const TABLE_MEMBERS: [&str; 22] = [
    "SchemaName",
    "LogicalName",
    "DisplayName",
    "DisplayCollectionName",
    "Description",
    "OwnershipType",
    "IsActivity",
    "HasActivities",
    "HasNotes",
    "HasFeedback",
    "IsAvailableOffline",
    "IsMailMergeEnabled",
    "IsAuditEnabled",
    "IsConnectionsEnabled",
    "IsDuplicateDetectionEnabled",
    "IsValidForQueue",
    "ActivityTypeMask",
    "ChangeTrackingEnabled",
    "EntityColor",
    "Attributes",
    "PrimaryNameAttribute",
    "TableType",
];

/// Members that every column may have.
const COLUMN_MEMBERS: [&str; 24] = [
    "SchemaName",
    "LogicalName",
    "DisplayName",
    "Description",
    "RequiredLevel",
    "AttributeType",
    "AttributeTypeName",
    "IsPrimaryName",
    "IsAuditEnabled",
    "IsValidForAdvancedFind",
    "IsSecured",
    "MaxLength",
    "Format",
    "FormatName",
    "ImeMode",
    "MinValue",
    "MaxValue",
    "Precision",
    "PrecisionSource",
    "DateTimeBehavior",
    "DefaultValue",
    "DefaultFormValue",
    "OptionSet",
    "SourceType",
];

/// Refuses a member that the type does not have.
pub(super) fn known_members(body: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    let stranger = body.keys().find(|name| !name.contains('@') && !known.contains(&name.as_str()));
    match stranger {
        None => Ok(()),
        Some(name) => Err(wrong(format!("The property '{name}' does not exist on the type."))),
    }
}

/// The column that a body asks for.
pub(super) fn column(db: &Db, body: &Map<String, Value>) -> Result<Column, Refusal> {
    known_members(body, &COLUMN_MEMBERS)?;
    let kind = body.get("@odata.type").and_then(Value::as_str).unwrap_or_default();
    let stem = kind
        .trim_start_matches('#')
        .strip_prefix("Microsoft.Dynamics.CRM.")
        .and_then(|rest| rest.strip_suffix("AttributeMetadata"))
        .ok_or_else(|| wrong("@odata.type names no attribute type."))?;
    let schema_name = string(body, "SchemaName")?;
    in_base_language(db, body)?;
    Ok(Column::new(schema_name, column_type(db, stem, body)?))
}

fn length(body: &Map<String, Value>, most: u64) -> Result<usize, Refusal> {
    let given = body.get("MaxLength").and_then(Value::as_u64);
    let given = given.filter(|length| (1..=most).contains(length));
    given
        .and_then(|length| usize::try_from(length).ok())
        .ok_or_else(|| invalid(format!("MaxLength is 1 to {most}.")))
}

fn integer(body: &Map<String, Value>, name: &str, default: i32) -> i64 {
    body.get(name).and_then(Value::as_i64).unwrap_or(i64::from(default))
}

fn precision(body: &Map<String, Value>) -> usize {
    let given = body.get("Precision").and_then(Value::as_u64);
    given.and_then(|given| usize::try_from(given).ok()).unwrap_or(2)
}

fn column_type(db: &Db, stem: &str, body: &Map<String, Value>) -> Result<ColumnType, Refusal> {
    Ok(match stem {
        "String" => ColumnType::Text { max: length(body, 4000)? },
        "Memo" => ColumnType::Memo { max: length(body, 1_048_576)? },
        "Integer" => ColumnType::Integer {
            min: integer(body, "MinValue", i32::MIN),
            max: integer(body, "MaxValue", i32::MAX),
        },
        "BigInt" => ColumnType::BigInt,
        "Decimal" => ColumnType::Decimal { precision: precision(body), limit: 100_000_000_000 },
        "Double" => ColumnType::Double,
        "Money" => ColumnType::Money,
        "DateTime" => date_time(body)?,
        "Boolean" => boolean(body),
        "Picklist" => ColumnType::Picklist(choices(db, body)?),
        "MultiSelectPicklist" => ColumnType::MultiSelect(choices(db, body)?),
        _ => {
            return Err(refuse(
                501,
                "0x80060888",
                format!("Columns of type {stem} are not part of this sandbox."),
            ));
        }
    })
}

fn date_time(body: &Map<String, Value>) -> Result<ColumnType, Refusal> {
    let behavior = body.get("DateTimeBehavior").and_then(|value| value.get("Value"));
    let behavior = match behavior.and_then(Value::as_str).unwrap_or("UserLocal") {
        "UserLocal" => Behavior::UserLocal,
        "TimeZoneIndependent" => Behavior::TimeZoneIndependent,
        "DateOnly" => Behavior::DateOnly,
        other => return Err(invalid(format!("DateTimeBehavior {other} is unknown."))),
    };
    let date_format = match body.get("Format").and_then(Value::as_str) {
        Some("DateOnly") => true,
        None | Some("DateAndTime") => behavior == Behavior::DateOnly,
        Some(other) => return Err(invalid(format!("Format {other} is unknown."))),
    };
    Ok(ColumnType::DateTime { behavior, date_format })
}

fn choice(option: &Value, value: i64) -> Choice {
    let texts = option.as_object().map(|option| labels(option, "Label")).unwrap_or_default();
    let of = |language: u64| {
        let own = texts.iter().find(|(given, _)| *given == language);
        own.or(texts.first()).map(|(_, text)| text.clone()).unwrap_or_default()
    };
    Choice { value, english: of(1033), german: of(1031), partner: None }
}

fn boolean(body: &Map<String, Value>) -> ColumnType {
    let set = body.get("OptionSet");
    let label = |name: &str, value: i64| {
        let option = set.and_then(|set| set.get(name)).unwrap_or(&Value::Null);
        choice(option, value)
    };
    ColumnType::Boolean {
        default: body.get("DefaultValue").and_then(Value::as_bool).unwrap_or(false),
        labels: [label("TrueOption", 1), label("FalseOption", 0)],
    }
}

/// The global choice that a column is bound to.
pub(super) fn shared<'a>(
    db: &'a Db,
    body: &Map<String, Value>,
) -> Result<Option<&'a OptionSet>, Refusal> {
    let bound = body.get("GlobalOptionSet@odata.bind").and_then(Value::as_str);
    bound.map(|address| option_sets::named(db, address)).transpose()
}

fn choices(db: &Db, body: &Map<String, Value>) -> Result<Vec<Choice>, Refusal> {
    if let Some(set) = shared(db, body)? {
        return Ok(set.choices.clone());
    }
    Ok(options(body.get("OptionSet").and_then(|set| set.get("Options"))))
}

/// The options of a list as it is posted.
pub(super) fn options(list: Option<&Value>) -> Vec<Choice> {
    let one = |option: &Value| Some(choice(option, option.get("Value")?.as_i64()?));
    list.and_then(Value::as_array).into_iter().flatten().filter_map(one).collect()
}

/// The types that a key may be made of, and how long it may be (sheet 7.6).
pub(super) fn may_be_key(def: &Table, columns: &[String], most: usize) -> Result<(), Refusal> {
    if columns.is_empty() || columns.len() > most {
        return Err(invalid(format!("KeyAttributes names 1 to {most} columns.")));
    }
    let mut characters = 0_usize;
    for name in columns {
        let column = def.column(name).ok_or_else(|| {
            refuse(400, "0x80041103", format!("There is no attribute with the name {name}."))
        })?;
        if let ColumnType::Text { max } = column.kind {
            characters += max;
        }
        let fits = matches!(
            column.kind,
            ColumnType::Text { .. }
                | ColumnType::Integer { .. }
                | ColumnType::Decimal { .. }
                | ColumnType::DateTime { .. }
                | ColumnType::Lookup { .. }
                | ColumnType::Picklist(_)
        );
        if !fits || column.secured {
            return Err(invalid(format!("Column {name} cannot be part of a key.")));
        }
    }
    // 900 bytes, two for each character.
    if characters > 450 {
        return Err(invalid("The key is longer than 900 bytes."));
    }
    Ok(())
}
