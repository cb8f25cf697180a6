//! Which columns and fields probably belong together: for `init`.

use crate::mapping::compile;
use crate::mapping::spec::{
    FieldMapping, Key, OnNull, OnTooLong, Picklists, TableMapping, Tracking,
};
use crate::model::{ColumnName, FieldName, FieldType, ResourceSchema, TableSchema};

/// Columns and fields that mean the same on both sides, where both have them.
const USUAL: &[(&str, &str)] = &[
    ("salutation", "salutation"),
    ("firstname", "firstName"),
    ("middlename", "middleName"),
    ("lastname", "lastName"),
    ("emailaddress1", "email"),
    ("telephone1", "phone"),
    ("mobilephone", "mobilePhone"),
    ("fax", "fax"),
    ("birthdate", "birthDate"),
    ("donotbulkemail", "blackListEmail"),
    ("donotphone", "blackListPhone"),
    ("donotfax", "blackListFax"),
    ("donotpostalmail", "blackListPostalMail"),
];

/// The usual pairs, and each field that has a column's name; only those that
/// can be mapped without further settings.
pub(crate) fn suggest(
    key: &Key,
    table: &TableSchema,
    resource: &ResourceSchema,
) -> Vec<(ColumnName, FieldName)> {
    let mut found: Vec<(ColumnName, FieldName)> = Vec::new();
    for (column, field) in USUAL {
        if let (Some((column, _)), Some((field, _))) =
            (table.columns.get_key_value(*column), resource.fields.get_key_value(*field))
        {
            found.push((column.clone(), field.clone()));
        }
    }
    for field in resource.fields.keys() {
        let plain = field.as_str().strip_prefix("cus").unwrap_or(field.as_str()).to_lowercase();
        let column = table.columns.keys().find(|column| {
            let name = column.as_str();
            name == plain || name.split_once('_').is_some_and(|(_, rest)| rest == plain)
        });
        let Some(column) = column else { continue };
        if !found.iter().any(|(known, to)| known == column || to == field) {
            found.push((column.clone(), field.clone()));
        }
    }
    // Labels rarely are an enumeration's values: those need a replacement.
    let closed = |field: &FieldName| {
        matches!(
            resource.fields.get(field).map(|field| &field.kind),
            Some(FieldType::Enumeration(_))
        )
    };
    found.retain(|pair| pair.1 != key.to && !closed(&pair.1) && maps(key, pair, table, resource));
    found
}

/// Whether the pair passes every check of a mapping.
fn maps(
    key: &Key,
    pair: &(ColumnName, FieldName),
    table: &TableSchema,
    resource: &ResourceSchema,
) -> bool {
    let field = FieldMapping {
        from: pair.0.clone(),
        to: pair.1.clone(),
        updates: true,
        replace: Vec::new(),
        on_null: OnNull::Clear,
        on_empty: OnNull::Clear,
        on_too_long: OnTooLong::Fail,
        picklists: None,
        time_zone: None,
    };
    let spec = TableMapping {
        dynamics: table.name.clone(),
        campaign: resource.name.clone(),
        key: key.clone(),
        tracking: Tracking::Changes,
        apply_deletes: false,
        picklists: Picklists::Label,
        language: 1033,
        delete_guard: None,
        fields: vec![field],
        links: Vec::new(),
        filter: None,
    };
    match compile(&spec, table, resource) {
        Ok(_) => true,
        // A wrong key is not the pair's fault.
        Err(problems) => {
            problems.iter().all(|problem| !matches!(problem.place, crate::mapping::Place::Field(_)))
        }
    }
}
