//! Definitions that change or go: columns, keys, tables (Dynamics sheet 7.6, 7.7
//! and 10.2).
//!
//! Owns: `PUT` and `DELETE` below `EntityDefinitions` as far as parts go, and
//! `ReactivateEntityKey`. Tables themselves are changed in `change.rs`.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::change::{labels, read};
use super::create::{invalid, string};
use super::define::referenced;
use super::{address, find_table, no_segment, pairs};
use crate::sandbox::dataverse::error::{Refusal, refuse};
use crate::sandbox::dataverse::privileges::require_named;
use crate::sandbox::dataverse::schema::{Column, ColumnType, Role, Table, name_guid};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply};

pub(super) fn no_column(name: &str) -> Refusal {
    refuse(404, "0x80041103", format!("Could not find an attribute with specified name: {name}"))
}

fn is_custom(name: &str) -> bool {
    name.contains('_')
}

/// The table and the column that two segments name.
fn part<'a>(db: &'a Db, table: &str, column: &str) -> Result<(&'a Table, &'a Column), Refusal> {
    let key = address(table, "EntityDefinitions").ok_or_else(|| no_segment(table))?;
    let table = find_table(db, key)?;
    let name = address(column, "Attributes").ok_or_else(|| no_segment(column))?;
    let id = Uuid::try_parse(name).ok();
    let found = table.columns.iter().find(|known| {
        known.role == Role::Plain && (known.name == name || id == Some(known.metadata_id))
    });
    Ok((table, found.ok_or_else(|| no_column(name))?))
}

/// `PUT EntityDefinitions(…)/Attributes(…)`: the whole definition of a column.
pub(crate) fn put_column(db: &mut Db, call: &Call, segments: &[&str]) -> Result<Reply, Refusal> {
    let ([table, column] | [table, column, _]) = segments else {
        return Err(no_segment(segments.last().unwrap_or(&"")));
    };
    require_named(db, "prvWriteAttribute")?;
    let (table, column) = part(db, table, column)?;
    let (name, mut column) = (table.name.clone(), column.clone());
    let body = read(&call.body)?;
    let stem = format!("Microsoft.Dynamics.CRM.{}AttributeMetadata", column.kind.metadata_stem());
    let given = body.get("@odata.type").and_then(Value::as_str).unwrap_or_default();
    if segments.get(2).is_some_and(|cast| *cast != stem) {
        return Err(no_segment(segments.last().unwrap_or(&"")));
    }
    if given.trim_start_matches('#') != stem {
        return Err(invalid("The type of a column cannot be changed."));
    }
    limits(&mut column.kind, &body)?;
    let merge = call.header("mscrm.mergelabels") == Some("true");
    let given = labels(&body, "DisplayName");
    let data = db.tables.get_mut(&name).ok_or_else(|| no_segment(&name))?;
    let table = Arc::make_mut(&mut data.def);
    let known = table.column_labels.entry(column.name.clone()).or_default();
    known.retain(|(language, _)| merge && !given.iter().any(|(new, _)| new == language));
    known.extend(given);
    if let Some(held) = table.columns.iter_mut().find(|held| held.name == column.name) {
        *held = column;
    }
    db.metadata_version += 1;
    db.unpublished.insert(name);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// The members of a type that may change.
fn limits(kind: &mut ColumnType, body: &Map<String, Value>) -> Result<(), Refusal> {
    let size = |name: &str, most: u64| {
        let given = body.get(name).and_then(Value::as_u64).filter(|given| *given <= most);
        given.and_then(|given| usize::try_from(given).ok())
    };
    let number = |name: &str| body.get(name).and_then(Value::as_i64);
    if let ColumnType::Text { max } = kind {
        *max = size("MaxLength", 4000).ok_or_else(|| invalid("MaxLength is 1 to 4000."))?;
    } else if let ColumnType::Memo { max } = kind {
        *max = size("MaxLength", 1_048_576).ok_or_else(|| invalid("MaxLength is too large."))?;
    } else if let ColumnType::Integer { min, max } = kind {
        *min = number("MinValue").unwrap_or(*min);
        *max = number("MaxValue").unwrap_or(*max);
    } else if let ColumnType::Decimal { precision, .. } = kind {
        *precision = size("Precision", 10).unwrap_or(*precision);
    }
    Ok(())
}

/// `DELETE` of a table, a column or an alternate key.
pub(crate) fn delete(db: &mut Db, segments: &[&str]) -> Result<Reply, Refusal> {
    match segments {
        [table] => {
            let key = address(table, "EntityDefinitions").ok_or_else(|| no_segment(table))?;
            let name = find_table(db, key)?.name.clone();
            delete_table(db, &name)?;
        }
        [table, key] if key.starts_with("Keys(") => delete_key(db, table, key)?,
        [table, column] => {
            require_named(db, "prvDeleteAttribute")?;
            let (table, column) = part(db, table, column)?;
            let (table, column) = (table.name.clone(), column.name.clone());
            if !is_custom(&column) {
                return Err(invalid(format!("The column {column} is not custom.")));
            }
            delete_column(db, &table, &column);
        }
        _ => return Err(no_segment(segments.last().unwrap_or(&""))),
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Takes a column away; the table's tokens expire.
pub(super) fn delete_column(db: &mut Db, table: &str, column: &str) {
    if let Some(data) = db.tables.get_mut(table) {
        Arc::make_mut(&mut data.def).drop_column(column);
        data.rekey();
    }
    db.metadata_changed(table);
}

fn delete_table(db: &mut Db, name: &str) -> Result<(), Refusal> {
    require_named(db, "prvDeleteEntity")?;
    if !is_custom(name) {
        return Err(invalid(format!("The table {name} is not custom.")));
    }
    let points = |table: &Table| {
        table.name != name
            && !table.intersect
            && table
                .columns
                .iter()
                .any(|column| column.kind.targets().iter().any(|target| target.table == name))
    };
    let dependent = db.tables.values().filter(|data| points(&data.def)).count();
    if dependent > 0 {
        return Err(referenced("Entity", name, dependent));
    }
    pairs::forget(db, name);
    db.drop_table(name);
    Ok(())
}

fn delete_key(db: &mut Db, table: &str, key: &str) -> Result<(), Refusal> {
    require_named(db, "prvWriteEntity")?;
    let name = address(table, "EntityDefinitions").ok_or_else(|| no_segment(table))?;
    let name = find_table(db, name)?.name.clone();
    let wanted = address(key, "Keys").ok_or_else(|| no_segment(key))?;
    let id = Uuid::try_parse(wanted).ok();
    let data = db.tables.get_mut(&name).ok_or_else(|| no_segment(&name))?;
    let table = Arc::make_mut(&mut data.def);
    let is = |known: &str| known == wanted || id == Some(name_guid("key", known));
    let at = table.keys.iter().position(|known| is(&known.name));
    // Code and text are not in the sheet.
    let at = at.ok_or_else(|| refuse(404, "0x80040217", format!("No key {wanted} in {name}.")))?;
    table.keys.remove(at);
    data.rekey();
    db.metadata_version += 1;
    Ok(())
}

/// `POST ReactivateEntityKey`: builds the index of a key once more.
pub(crate) fn reactivate(db: &mut Db, call: &Call, variants: Variants) -> Result<Reply, Refusal> {
    require_named(db, "prvWriteEntity")?;
    let body = read(&call.body)?;
    let name = find_table(db, string(&body, "EntityLogicalName")?)?.name.clone();
    let wanted = string(&body, "EntityKeyLogicalName")?;
    let data = db.tables.get_mut(&name).ok_or_else(|| no_segment(&name))?;
    let unique = data.rekey();
    let key = Arc::make_mut(&mut data.def).keys.iter_mut().find(|key| key.name == wanted);
    let key = key.ok_or_else(|| invalid(format!("The table {name} has no key {wanted}.")))?;
    (key.failed, key.pending) = (!unique, variants.key_pending_reads);
    db.metadata_version += 1;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
