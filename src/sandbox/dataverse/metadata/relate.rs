//! `RelationshipDefinitions`: the relations of all tables, and new lookups
//! (Dynamics sheet 7.5).
//!
//! Owns: their addresses and one-to-many relations. Those of many to many are in
//! `pairs.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::alter::delete_column;
use super::change::{labels, read};
use super::create::{in_base_language, invalid, prefixed, string, wrong};
use super::define::relations;
use super::{find_table, list, no_segment, pairs, single};
use crate::sandbox::dataverse::api;
use crate::sandbox::dataverse::error::{Refusal, refuse};
use crate::sandbox::dataverse::privileges::require_named;
use crate::sandbox::dataverse::schema::{Column, ColumnType, LookupFlavour, Target, name_guid};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::wire::{Call, Reply};

pub(super) const NAME: &str = "RelationshipDefinitions";
const ONE_TO_MANY: &str = "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata";

fn lookups(db: &Db) -> Vec<Map<String, Value>> {
    db.tables.values().flat_map(|data| relations(db, &data.def, true)).collect()
}

fn all(db: &Db) -> Vec<Map<String, Value>> {
    let mut all = lookups(db);
    all.extend(pairs::definitions(db, None));
    all
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
        ([NAME], &Method::GET) => {
            let named = call.param("$select").is_some() || call.param("$filter").is_some();
            let all = if named { every(all(db)) } else { all(db) };
            list(call, NAME, all, "RelationshipMetadataBase")
        }
        ([NAME, cast], &Method::GET) if *cast == ONE_TO_MANY => {
            list(call, NAME, lookups(db), "OneToManyRelationshipMetadata")
        }
        ([NAME, cast], &Method::GET) if *cast == pairs::TYPE => {
            list(call, NAME, pairs::definitions(db, None), "ManyToManyRelationshipMetadata")
        }
        ([NAME], &Method::POST) => create(db, call),
        ([one], &Method::GET) => single(call, NAME, named(db, one)?, "RelationshipMetadataBase"),
        ([one, cast], &Method::GET) => {
            let found = named(db, one)?;
            if text(&found, "@odata.type").trim_start_matches('#') != *cast {
                return Err(no_segment(cast));
            }
            single(call, NAME, found, cast.trim_start_matches("Microsoft.Dynamics.CRM."))
        }
        ([one] | [one, _], &Method::PUT) => put(db, call, one),
        ([one], &Method::DELETE) => delete(db, one),
        _ => Err(refuse(
            405,
            "0x80060888",
            "The requested resource does not support this http method.",
        )),
    }
}

/// Members of the two kinds beside each other: what one lacks is null, so that a
/// filter or a selection may name it.
fn every(mut relations: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    let names: BTreeSet<String> =
        relations.iter().flat_map(|relation| relation.keys().cloned()).collect();
    for relation in &mut relations {
        for name in &names {
            relation.entry(name.clone()).or_insert(Value::Null);
        }
    }
    relations
}

/// A lookup is emptied when its parent goes; another rule is not played here,
/// and so is refused.
fn deletes_nothing(body: &Map<String, Value>) -> Result<(), Refusal> {
    let rule = body.get("CascadeConfiguration").and_then(|rules| rules.get("Delete")?.as_str());
    if rule.is_none_or(|rule| rule == "RemoveLink") {
        return Ok(());
    }
    Err(refuse(
        501,
        "0x80060888",
        "Relations that delete or protect their rows are not part of this sandbox: CascadeConfiguration.Delete is RemoveLink.",
    ))
}

/// `PUT`: the whole definition. Of what it holds only the rule of deletion means
/// anything here, and that cannot change.
fn put(db: &mut Db, call: &Call, segment: &str) -> Result<Reply, Refusal> {
    require_named(db, "prvWriteRelationship")?;
    let (known, body) = (named(db, segment)?, read(&call.body)?);
    for name in ["SchemaName", "MetadataId", "ReferencingEntity", "ReferencedEntity"] {
        if body.get(name).is_some_and(|given| Some(given) != known.get(name)) {
            return Err(invalid(format!("{name} of a relationship cannot be changed.")));
        }
    }
    if known.get("CascadeConfiguration") != body.get("CascadeConfiguration") {
        deletes_nothing(&body)?;
    }
    db.metadata_version += 1;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn create(db: &mut Db, call: &Call) -> Result<Reply, Refusal> {
    require_named(db, "prvCreateRelationship")?;
    let body = read(&call.body)?;
    let schema_name = string(&body, "SchemaName")?.to_owned();
    if all(db).iter().any(|known| text(known, "SchemaName") == schema_name) {
        // General knowledge, not in the sheet.
        return Err(refuse(
            400,
            "0x80044363",
            format!("A relationship with the name {schema_name} already exists."),
        ));
    }
    match text(&body, "@odata.type").trim_start_matches('#') {
        ONE_TO_MANY => {}
        pairs::TYPE => return pairs::create(db, call, &body),
        _ => return Err(wrong("@odata.type names another type.")),
    }
    deletes_nothing(&body)?;
    let child = find_table(db, string(&body, "ReferencingEntity")?)?.name.clone();
    let parent = find_table(db, string(&body, "ReferencedEntity")?)?.clone();
    if body.get("ReferencedAttribute").is_some_and(|given| given.as_str() != Some(&parent.id)) {
        return Err(invalid(format!("ReferencedAttribute is {}.", parent.id)));
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
    if text(&relation, "@odata.type").trim_start_matches('#') == pairs::TYPE {
        pairs::delete(db, text(&relation, "SchemaName"))?;
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    let (table, column) =
        (text(&relation, "ReferencingEntity"), text(&relation, "ReferencingAttribute"));
    if !column.contains('_') {
        return Err(invalid(format!("The relation of {column} is not custom.")));
    }
    delete_column(db, table, column);
    db.relation_names.remove(&(table.to_owned(), column.to_owned()));
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
