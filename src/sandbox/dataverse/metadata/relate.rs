//! `RelationshipDefinitions`: the relations of all tables, and new lookups
//! (Dynamics sheet 7.5).
//!
//! Owns: one-to-many relations. Those of many to many are not part of this sandbox.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::alter::delete_column;
use super::change::{labels, read};
use super::create::{in_base_language, invalid, prefixed, string};
use super::define::relations;
use super::{find_table, list, no_segment, single};
use crate::sandbox::dataverse::api;
use crate::sandbox::dataverse::error::{Refusal, refuse};
use crate::sandbox::dataverse::privileges::require_named;
use crate::sandbox::dataverse::schema::{Column, ColumnType, LookupFlavour, Target, name_guid};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::wire::{Call, Reply};

const NAME: &str = "RelationshipDefinitions";
const ONE_TO_MANY: &str = "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata";

fn all(db: &Db) -> Vec<Map<String, Value>> {
    db.tables.values().flat_map(|data| relations(db, &data.def, true)).collect()
}

fn text<'a>(relation: &'a Map<String, Value>, name: &str) -> &'a str {
    relation.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The relation that `(<id>)` or `(SchemaName='…')` names.
fn named(db: &Db, segment: &str) -> Result<Map<String, Value>, Refusal> {
    let inner = segment.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('('));
    let inner = inner.and_then(|rest| rest.strip_suffix(')')).ok_or_else(|| no_segment(segment))?;
    let name = inner.strip_prefix("SchemaName='").and_then(|rest| rest.strip_suffix('\''));
    let is = |relation: &Map<String, Value>| match name {
        Some(name) => text(relation, "SchemaName") == name,
        None => text(relation, "MetadataId").eq_ignore_ascii_case(inner),
    };
    // Code and text are not in the sheet.
    let missing = || refuse(404, "0x80040217", format!("There is no relationship {inner}."));
    all(db).into_iter().find(is).ok_or_else(missing)
}

/// Everything below `RelationshipDefinitions`.
pub(crate) fn route(db: &mut Db, call: &Call, segments: &[&str]) -> Result<Reply, Refusal> {
    match (segments, &call.method) {
        ([NAME], &Method::GET) => list(call, NAME, all(db), "RelationshipMetadataBase"),
        ([NAME, cast], &Method::GET) if *cast == ONE_TO_MANY => {
            list(call, NAME, all(db), "OneToManyRelationshipMetadata")
        }
        ([NAME, cast], &Method::GET) if cast.ends_with("ManyToManyRelationshipMetadata") => {
            list(call, NAME, Vec::new(), "ManyToManyRelationshipMetadata")
        }
        ([NAME], &Method::POST) => create(db, call),
        ([one] | [one, _], &Method::GET) => {
            single(call, NAME, named(db, one)?, "OneToManyRelationshipMetadata")
        }
        ([one], &Method::DELETE) => delete(db, one),
        _ => Err(refuse(
            405,
            "0x80060888",
            "The requested resource does not support this http method.",
        )),
    }
}

fn create(db: &mut Db, call: &Call) -> Result<Reply, Refusal> {
    require_named(db, "prvCreateRelationship")?;
    let body = read(&call.body)?;
    if text(&body, "@odata.type").trim_start_matches('#') != ONE_TO_MANY {
        return Err(refuse(
            501,
            "0x80060888",
            "Relations of many to many are not part of this sandbox.",
        ));
    }
    let schema_name = string(&body, "SchemaName")?.to_owned();
    let child = find_table(db, string(&body, "ReferencingEntity")?)?.name.clone();
    let parent = find_table(db, string(&body, "ReferencedEntity")?)?.clone();
    if body.get("ReferencedAttribute").is_some_and(|given| given.as_str() != Some(&parent.id)) {
        return Err(invalid(format!("ReferencedAttribute is {}.", parent.id)));
    }
    if all(db).iter().any(|known| text(known, "SchemaName") == schema_name) {
        // General knowledge, not in the sheet.
        return Err(refuse(
            400,
            "0x80044363",
            format!("A relationship with the name {schema_name} already exists."),
        ));
    }
    let lookup = body.get("Lookup").and_then(Value::as_object);
    let lookup = lookup.ok_or_else(|| invalid("Lookup is missing."))?;
    let name = string(lookup, "SchemaName")?;
    prefixed(db, name)?;
    in_base_language(db, lookup)?;
    let target = Target { table: parent.name.clone(), navigation: name.to_owned() };
    let kind = ColumnType::Lookup { flavour: LookupFlavour::Lookup, targets: vec![target] };
    let column = Column::new(name, kind);
    let data = db.tables.get_mut(&child).ok_or_else(|| no_segment(&child))?;
    let table = Arc::make_mut(&mut data.def);
    if table.column(&column.name).is_some() {
        return Err(refuse(
            400,
            "0x80047013",
            format!("An attribute with the specified name {} already exists", column.name),
        ));
    }
    table.column_labels.insert(column.name.clone(), labels(lookup, "DisplayName"));
    db.relation_names.insert((child.clone(), column.name.clone()), schema_name.clone());
    table.add(column);
    db.metadata_changed(&child);
    db.unpublished.insert(child);
    let id: Uuid = name_guid("relation", &schema_name);
    let address = format!("{}/{NAME}({id})", api(call));
    Ok(Reply::empty(StatusCode::NO_CONTENT).with("odata-entityid", &address))
}

/// Deleting a relation takes its lookup along.
fn delete(db: &mut Db, segment: &str) -> Result<Reply, Refusal> {
    require_named(db, "prvDeleteRelationship")?;
    let relation = named(db, segment)?;
    let (table, column) =
        (text(&relation, "ReferencingEntity"), text(&relation, "ReferencingAttribute"));
    if !column.contains('_') {
        return Err(invalid(format!("The relation of {column} is not custom.")));
    }
    delete_column(db, table, column);
    db.relation_names.remove(&(table.to_owned(), column.to_owned()));
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
