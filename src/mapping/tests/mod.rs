//! Tests of the mapping: the schemas and shorthands that they share.

mod affected;
mod convert;
mod dates;
mod filter;
mod filter_reference;
mod links;
mod matrix;
mod properties;
mod record;
mod refusals;
mod replace;
mod shape;
mod target;

use std::collections::BTreeMap;

use crate::mapping::spec::{
    FieldMapping, Key, Lookup, OnNull, OnTooLong, Picklists, TableMapping, Tracking,
};
use crate::mapping::{Applied, MappedField, Problem, compile};
use crate::model::{
    ApiRoot, Choice, Choices, Column, ColumnName, ColumnType, DateTimeBehavior, Decimal, EnumValue,
    Field, FieldName, FieldType, Label, RecordId, ResourceName, ResourceSchema, SourceRow,
    TableName, TableSchema, TargetValue, Value,
};

pub(super) const ID: &str = "2e451703-c286-e711-80ef-00155db19e6d";

pub(super) fn column_name(text: &str) -> ColumnName {
    ColumnName::new(text).unwrap()
}

pub(super) fn field_name(text: &str) -> FieldName {
    FieldName::new(text).unwrap()
}

pub(super) fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn sent(text: &str) -> TargetValue {
    TargetValue::Text(text.to_owned())
}

pub(super) fn number(text: &str) -> TargetValue {
    TargetValue::Number(decimal(text))
}

/// Options with an English (1033) and a German (1031) label each.
pub(super) fn options(all: &[(i64, &str, &str)]) -> Choices {
    let label = |language, text: &str| Label { language, text: text.to_owned() };
    Choices(
        all.iter()
            .map(|(value, english, german)| Choice {
                value: *value,
                labels: vec![label(1033, english), label(1031, german)],
                user_label: None,
            })
            .collect(),
    )
}

pub(super) fn genders() -> Choices {
    options(&[(1, "Male", "Männlich"), (2, "Female", "Weiblich"), (9, "male", "Divers")])
}

pub(super) fn yes_no() -> Choices {
    options(&[(0, "Allow", "Erlauben"), (1, "Do Not Allow", "Nicht erlauben")])
}

pub(super) fn gender_entries() -> FieldType {
    let entry = |name: &str, label: &str, value: &str| EnumValue {
        name: name.to_owned(),
        label: label.to_owned(),
        value: value.to_owned(),
    };
    FieldType::Enumeration(vec![
        entry("__Invalid_value__", "Invalid", "0"),
        entry("unknown", "Not specified", "0"),
        entry("male", "Male", "1"),
        entry("female", "Female", "2"),
    ])
}

/// A column of every type, by a short name.
pub(super) fn source_types() -> Vec<(&'static str, ColumnType)> {
    vec![
        ("text", ColumnType::Text { max_length: Some(100) }),
        ("whole", ColumnType::Integer),
        ("decimal", ColumnType::Decimal),
        ("double", ColumnType::Double),
        ("bool", ColumnType::Boolean(yes_no())),
        ("choice", ColumnType::Choice(genders())),
        ("multi", ColumnType::MultiChoice(genders())),
        ("instant", ColumnType::DateTime(DateTimeBehavior::UserLocal)),
        ("date", ColumnType::DateTime(DateTimeBehavior::DateOnly)),
        ("wall", ColumnType::DateTime(DateTimeBehavior::TimeZoneIndependent)),
        ("guid", ColumnType::Guid),
        ("lookup", ColumnType::Lookup { targets: vec!["account".to_owned()] }),
        ("virtual", ColumnType::Other("Virtual".to_owned())),
    ]
}

/// A field of every type, by a short name.
pub(super) fn target_types() -> Vec<(&'static str, FieldType)> {
    vec![
        ("text", FieldType::Text { max_length: Some(50) }),
        ("int8", FieldType::Integer { bits: 8 }),
        ("int16", FieldType::Integer { bits: 16 }),
        ("int32", FieldType::Integer { bits: 32 }),
        ("int64", FieldType::Integer { bits: 64 }),
        ("float", FieldType::Float),
        ("double", FieldType::Double),
        ("bool", FieldType::Boolean),
        ("date", FieldType::Date),
        ("datetime", FieldType::DateTime),
        ("enum", gender_entries()),
        ("link", FieldType::Link { target: None }),
        ("list", FieldType::Collection),
        ("other", FieldType::Other("item".to_owned())),
    ]
}

pub(super) fn table() -> TableSchema {
    let mut columns: BTreeMap<ColumnName, Column> = source_types()
        .into_iter()
        .map(|(name, kind)| (name, kind, true))
        .chain([
            ("contactid", ColumnType::Guid, true),
            ("emailaddress1", ColumnType::Text { max_length: Some(100) }, true),
            ("secret", ColumnType::Text { max_length: None }, false),
        ])
        .map(|(name, kind, readable)| {
            (column_name(name), Column { name: column_name(name), kind, readable })
        })
        .collect();
    columns.remove("none");
    TableSchema {
        name: TableName::new("contact").unwrap(),
        entity_set: "contacts".to_owned(),
        primary_id: column_name("contactid"),
        primary_name: None,
        change_tracking: true,
        change_tracking_possible: true,
        intersect: false,
        columns,
    }
}

pub(super) fn resource() -> ResourceSchema {
    let fields = target_types()
        .into_iter()
        .map(|(name, kind)| (name, kind, false))
        .chain([
            ("externalId", FieldType::Text { max_length: Some(100) }, false),
            ("blackListEmail", FieldType::Boolean, false),
            ("denyListPhone", FieldType::Boolean, false),
            ("short", FieldType::Text { max_length: Some(5) }, false),
            ("age", FieldType::Integer { bits: 32 }, true),
        ])
        .map(|(name, kind, read_only)| {
            (field_name(name), Field { name: field_name(name), kind, read_only, sortable: true })
        })
        .collect();
    ResourceSchema {
        name: ResourceName::new("profile").unwrap(),
        root: ApiRoot::ProfileAndServicesExt,
        fields,
    }
}

/// `{ from, to }` with every default.
pub(super) fn field(from: &str, to: &str) -> FieldMapping {
    FieldMapping {
        from: column_name(from),
        to: field_name(to),
        updates: true,
        replace: Vec::new(),
        on_null: OnNull::Clear,
        on_empty: OnNull::Clear,
        on_too_long: OnTooLong::Fail,
        picklists: None,
        time_zone: None,
    }
}

/// contact → profile by `externalId`, with these fields.
pub(super) fn mapping(fields: Vec<FieldMapping>) -> TableMapping {
    TableMapping {
        dynamics: TableName::new("contact").unwrap(),
        campaign: ResourceName::new("profile").unwrap(),
        key: Key {
            from: Some(column_name("contactid")),
            to: field_name("externalId"),
            lookup: Lookup::InUri,
        },
        tracking: Tracking::Changes,
        apply_deletes: false,
        picklists: Picklists::Label,
        language: 1033,
        delete_guard: None,
        fields,
        links: Vec::new(),
        filter: None,
    }
}

pub(super) fn row(columns: &[(&str, Value)]) -> SourceRow {
    SourceRow {
        id: RecordId::parse(ID).unwrap(),
        version: None,
        columns: columns.iter().map(|(name, value)| (column_name(name), value.clone())).collect(),
        points_to: BTreeMap::new(),
    }
}

/// One field mapped and applied to one value: what is sent, or the reason.
pub(super) fn apply_one(field: FieldMapping, value: Value) -> Result<MappedField, String> {
    let from = field.from.clone();
    let compiled = compile(&mapping(vec![field]), &table(), &resource()).unwrap();
    match compiled.apply(&row(&[(from.as_str(), value)])) {
        Applied::Record(record) => Ok(record.fields.get(1).unwrap().clone()),
        Applied::FilteredOut => Err("filtered out".to_owned()),
        Applied::Failed(failures) => Err(failures.first().unwrap().reason.clone()),
    }
}

/// The same for a value that must convert.
pub(super) fn converts(field: FieldMapping, value: Value) -> TargetValue {
    match apply_one(field, value) {
        Ok(MappedField::Send(value)) => value,
        other => panic!("not sent: {other:?}"),
    }
}

/// The problems of a mapping that must not compile.
pub(super) fn problems(spec: &TableMapping) -> Vec<Problem> {
    compile(spec, &table(), &resource()).unwrap_err()
}
