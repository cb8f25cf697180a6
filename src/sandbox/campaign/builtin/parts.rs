//! Fields, keys and filters in short.
//!
//! Owns: the shorthand in which the built-in resources are written.

use crate::sandbox::campaign::schema::{
    EnumValue, FieldType, Filter, FilterOperator, Key, Resource,
};

fn values(list: &[(&str, &str, &str)]) -> Vec<EnumValue> {
    let value = |(name, label, value): &(&str, &str, &str)| EnumValue {
        name: (*name).to_owned(),
        label: (*label).to_owned(),
        value: (*value).to_owned(),
    };
    let mut out: Vec<EnumValue> = list.iter().map(value).collect();
    out.push(value(&("__Invalid_value__", "Invalid value", "__Invalid_value__")));
    out
}

pub(super) fn text(max: usize) -> FieldType {
    FieldType::Text { max }
}

pub(super) fn link(target: &str) -> FieldType {
    FieldType::Link { target: target.to_owned() }
}

pub(super) fn enumeration(byte: bool, list: &[(&str, &str, &str)]) -> FieldType {
    FieldType::Enumeration { values: values(list), byte }
}

pub(super) fn filter(
    name: &str,
    parameter: &str,
    field: &str,
    operator: FilterOperator,
    custom: bool,
) -> Filter {
    Filter {
        name: name.to_owned(),
        custom,
        parameter: parameter.to_owned(),
        field: field.to_owned(),
        operator,
    }
}

pub(super) fn key(
    field: &str,
    in_uri: bool,
    optional: bool,
    constraint: &str,
    column: &str,
) -> Key {
    Key {
        field: field.to_owned(),
        in_uri,
        optional,
        constraint: constraint.to_owned(),
        column: column.to_owned(),
    }
}

/// The fields that every resource has, filled in by the server.
pub(crate) fn audit(resource: &mut Resource) {
    for name in ["created", "lastModified"] {
        resource.add(name, FieldType::DateTime).read_only = true;
    }
    for name in ["createdBy", "modifiedBy"] {
        resource.add(name, link("userBase")).read_only = true;
    }
}
