//! `EntityDefinitions`: tables, columns, choices, keys, relations.
//!
//! Owns: the addresses below it ("Query table definitions using the Web API",
//! Dynamics sheet 7).

#[cfg(test)]
mod alike;
pub(crate) mod alter;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod csdl;
mod define;
mod filter;
mod kinds;
pub(crate) mod option_sets;
mod pairs;
mod query;
pub(crate) mod relate;
pub(crate) mod watch;

#[cfg(test)]
pub(super) use self::alike::Own;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use self::define::{columns, keys, relations, table_value};
use self::filter::passes;
use self::query::{inner, items, shape};
use super::api;
use super::associate::Child;
use super::error::{Refusal, no_segment, query, refuse};
use super::schema::Table;
use super::store::Db;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply};

fn list(
    call: &Call,
    fragment: &str,
    rows: Vec<Map<String, Value>>,
    type_name: &str,
) -> Result<Reply, Refusal> {
    for name in ["$orderby", "$top", "$count", "$skip"] {
        if call.param(name).is_some() {
            return Err(query(format!("The query parameter {name} is not supported.")));
        }
    }
    let mut out = Vec::new();
    for row in rows {
        if call.param("$filter").is_none_or(str::is_empty)
            || passes(&row, call.param("$filter").unwrap_or_default())?
        {
            out.push(shape(
                row,
                call.param("$select"),
                call.param("$expand").unwrap_or_default(),
                type_name,
            )?);
        }
    }
    let body =
        json!({"@odata.context": format!("{}/$metadata#{fragment}", api(call)), "value": out});
    Ok(Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string()))
}

fn single(
    call: &Call,
    fragment: &str,
    row: Map<String, Value>,
    type_name: &str,
) -> Result<Reply, Refusal> {
    let mut row =
        shape(row, call.param("$select"), call.param("$expand").unwrap_or_default(), type_name)?;
    row.insert(
        "@odata.context".to_owned(),
        format!("{}/$metadata#{fragment}/$entity", api(call)).into(),
    );
    Ok(Reply::new(
        StatusCode::OK,
        "application/json; odata.metadata=minimal",
        Value::Object(row).to_string(),
    ))
}

/// The name or id inside the parentheses.
fn address<'a>(segment: &'a str, name: &str) -> Option<&'a str> {
    let inner = segment.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
    Some(
        inner
            .strip_prefix("LogicalName='")
            .and_then(|rest| rest.strip_suffix('\''))
            .unwrap_or(inner),
    )
}

fn find_table<'a>(db: &'a Db, key: &str) -> Result<&'a Table, Refusal> {
    let id = Uuid::try_parse(key).ok();
    db.tables
        .values()
        .map(|data| data.def.as_ref())
        .find(|table| table.name == key || id == Some(table.metadata_id))
        .ok_or_else(|| refuse(404, "0x80041102", format!("The entity with a name = '{key}' with namemapping = 'Logical' was not found in the MetadataCache.")))
}

/// Everything below `EntityDefinitions`.
pub(crate) fn route(
    db: &mut Db,
    call: &Call,
    segments: &[&str],
    variants: Variants,
) -> Result<Reply, Refusal> {
    #[cfg(test)]
    let reply = alike::remembered(db, call, variants, || get(db, call, segments, variants))?;
    #[cfg(not(test))]
    let reply = get(db, call, segments, variants)?;
    if let [first, "Keys"] = segments
        && let Some(key) = address(first, "EntityDefinitions")
    {
        let name = find_table(db, key)?.name.clone();
        create::looked_at(db, &name);
    }
    Ok(reply)
}

fn get(db: &Db, call: &Call, segments: &[&str], variants: Variants) -> Result<Reply, Refusal> {
    if call.method != Method::GET {
        return Err(refuse(405, "0x80060888", "Changing definitions is not part of this sandbox."));
    }
    let first = segments.first().copied().unwrap_or_default();
    if first == "EntityDefinitions" {
        let rows = db.tables.values().map(|data| table_value(&data.def, variants)).collect();
        return list(call, "EntityDefinitions", rows, "EntityMetadata");
    }
    let key = address(first, "EntityDefinitions").ok_or_else(|| no_segment(first))?;
    let table = find_table(db, key)?;
    let fragment = format!("EntityDefinitions('{}')", table.name);
    let rest = segments.get(1..).unwrap_or_default();
    match rest {
        [] => with_parts(db, call, table, variants),
        ["Attributes"] => {
            list(call, &format!("{fragment}/Attributes"), columns(db, table), "AttributeMetadata")
        }
        ["Attributes", cast] if cast.starts_with("Microsoft.Dynamics.CRM.") => {
            let wanted = format!("#{cast}");
            let rows = columns(db, table)
                .into_iter()
                .filter(|row| row.get("@odata.type").and_then(Value::as_str) == Some(&wanted));
            let rows = rows.map(without_type).collect();
            list(
                call,
                &format!("{fragment}/Attributes/{cast}"),
                rows,
                cast.trim_start_matches("Microsoft.Dynamics.CRM."),
            )
        }
        ["Keys"] => list(call, &format!("{fragment}/Keys"), keys(table), "EntityKeyMetadata"),
        ["ManyToOneRelationships"] => list(
            call,
            &format!("{fragment}/ManyToOneRelationships"),
            relations(db, table, true),
            "OneToManyRelationshipMetadata",
        ),
        ["ManyToManyRelationships"] => list(
            call,
            &format!("{fragment}/ManyToManyRelationships"),
            pairs::definitions(db, Some(&table.name)),
            "ManyToManyRelationshipMetadata",
        ),
        ["OneToManyRelationships"] => list(
            call,
            &format!("{fragment}/OneToManyRelationships"),
            relations(db, table, false),
            "OneToManyRelationshipMetadata",
        ),
        [attribute, cast @ ..] => one_column(db, call, table, attribute, cast),
    }
}

fn one_column(
    db: &Db,
    call: &Call,
    table: &Table,
    attribute: &str,
    cast: &[&str],
) -> Result<Reply, Refusal> {
    let name = address(attribute, "Attributes").ok_or_else(|| no_segment(attribute))?;
    let is = |row: &Map<String, Value>, member: &str| {
        row.get(member).and_then(Value::as_str) == Some(name)
    };
    let row =
        columns(db, table).into_iter().find(|row| is(row, "LogicalName") || is(row, "MetadataId"));
    let row = row.ok_or_else(|| alter::no_column(name))?;
    match cast {
        [] => {}
        [cast] if row.get("@odata.type").and_then(Value::as_str) == Some(&format!("#{cast}")) => {}
        [other, ..] => return Err(no_segment(other)),
    }
    let row = if cast.is_empty() { row } else { without_type(row) };
    let fragment = format!("EntityDefinitions('{}')/Attributes", table.name);
    single(call, &fragment, row, "AttributeMetadata")
}

/// The children that a relation of a table leads to.
pub(super) fn child(db: &Db, table: &str, relation: &str) -> Option<Child> {
    let def = &db.table(table)?.def;
    let all = relations(db, def, false);
    let text = |map: &Map<String, Value>, name: &str| {
        map.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let found = all.into_iter().find(|map| text(map, "SchemaName") == relation)?;
    Some(Child {
        table: text(&found, "ReferencingEntity"),
        column: text(&found, "ReferencingAttribute"),
        navigation: text(&found, "ReferencingEntityNavigationPropertyName"),
    })
}

/// Below a cast the type goes without saying.
fn without_type(mut row: Map<String, Value>) -> Map<String, Value> {
    row.remove("@odata.type");
    row
}

/// One table, with `$expand=Attributes(…),Keys,ManyToOneRelationships`.
fn with_parts(db: &Db, call: &Call, table: &Table, variants: Variants) -> Result<Reply, Refusal> {
    let mut row = shape(table_value(table, variants), call.param("$select"), "", "EntityMetadata")?;
    for (name, options) in items(call.param("$expand").unwrap_or_default()) {
        let parts = match name.as_str() {
            "Attributes" => columns(db, table),
            "Keys" => keys(table),
            "ManyToOneRelationships" => relations(db, table, true),
            "OneToManyRelationships" => relations(db, table, false),
            "ManyToManyRelationships" => pairs::definitions(db, Some(&table.name)),
            _ => {
                return Err(query(format!(
                    "Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.EntityMetadata'."
                )));
            }
        };
        let select = inner(options.as_deref(), "$select");
        let parts: Result<Vec<_>, _> = parts
            .into_iter()
            .map(|part| shape(part, select.as_deref(), "", "AttributeMetadata"))
            .collect();
        row.insert(name, json!(parts?));
    }
    row.insert(
        "@odata.context".to_owned(),
        format!("{}/$metadata#EntityDefinitions/$entity", api(call)).into(),
    );
    Ok(Reply::new(
        StatusCode::OK,
        "application/json; odata.metadata=minimal",
        Value::Object(row).to_string(),
    ))
}
