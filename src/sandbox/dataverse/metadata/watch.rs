//! `RetrieveMetadataChanges` (Dynamics sheet 7.9) and `CreateEntities` (7.5).
//!
//! Owns: the two that go beyond `EntityDefinitions`: what their bodies and
//! parameters mean in terms of it.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::change::read;
use super::create::{self, invalid};
use super::define::{columns, keys, relations, table_value};
use crate::sandbox::dataverse::error::{Refusal, query, refuse};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::dataverse::{Surroundings, api};
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply};

/// `POST CreateEntities`: tables whose type names begin with `Complex`.
pub(crate) fn create_entities(
    db: &mut Db,
    call: &Call,
    around: &Surroundings<'_>,
) -> Result<Reply, Refusal> {
    let mut body = read(&call.body)?;
    let Some(Value::Array(entities)) = body.remove("Entities") else {
        return Err(invalid("Entities is missing."));
    };
    for mut entity in entities {
        plain_types(&mut entity, true)?;
        let Value::Object(entity) = entity else {
            return Err(invalid("Entities holds something that is no table."));
        };
        create::posted_table(db, call, &entity, around)?;
    }
    // The reply's shape is not known; the client that uses it does not look.
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// `ComplexStringAttributeMetadata` and its like as they are called elsewhere. At
/// the two upper levels the prefix is demanded.
fn plain_types(value: &mut Value, demanded: bool) -> Result<(), Refusal> {
    const SPACE: &str = "Microsoft.Dynamics.CRM.";
    match value {
        Value::Object(map) => {
            if let Some(Value::String(name)) = map.get_mut("@odata.type") {
                let local = name.trim_start_matches('#').trim_start_matches(SPACE).to_owned();
                let bare = local.strip_prefix("Complex");
                if demanded && bare.is_none() {
                    return Err(create::wrong(format!(
                        "The type {local} is not one of this action."
                    )));
                }
                *name = format!("{SPACE}{}", bare.unwrap_or(&local));
            }
            for (name, inner) in map.iter_mut() {
                plain_types(inner, demanded && name == "Attributes")?;
            }
        }
        Value::Array(items) => {
            for item in items {
                plain_types(item, demanded)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}

/// `GET RetrieveMetadataChanges(Query=@p1[,ClientVersionStamp=@p2])`.
pub(crate) fn changes(db: &Db, call: &Call, variants: Variants) -> Result<Reply, Refusal> {
    let text = call.param("@p1").ok_or_else(|| query("The parameter Query is missing."))?;
    let wanted: Value =
        serde_json::from_str(text).map_err(|_| query("The parameter Query is not JSON."))?;
    let since = call.param("@p2").map(|stamp| stamp.trim_matches(['\'', '"']));
    let mut tables = Vec::new();
    if since.is_none_or(|since| since != stamp(db)) {
        for data in db.tables.values() {
            let full = table_value(&data.def, variants);
            if !holds(&wanted, &full)? {
                continue;
            }
            let parts = [
                ("Attributes", "AttributeQuery", columns(db, &data.def)),
                ("Keys", "KeyQuery", keys(&data.def)),
                ("ManyToOneRelationships", "RelationshipQuery", relations(db, &data.def, true)),
                ("OneToManyRelationships", "RelationshipQuery", relations(db, &data.def, false)),
            ];
            let mut out = chosen(&wanted, &full);
            for (name, question, rows) in parts {
                if named(&wanted, name) {
                    out.insert(name.to_owned(), inner(wanted.get(question), rows)?);
                }
            }
            tables.push(Value::Object(out));
        }
    }
    let body = json!({
        "@odata.context": format!("{}/$metadata#Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse", api(call)),
        "EntityMetadata": tables, "ServerVersionStamp": stamp(db), "DeletedMetadata": null,
    });
    Ok(Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string()))
}

fn stamp(db: &Db) -> String {
    format!("{}!sandbox", db.metadata_version)
}

fn inner(question: Option<&Value>, rows: Vec<Map<String, Value>>) -> Result<Value, Refusal> {
    let question = question.unwrap_or(&Value::Null);
    let mut out = Vec::new();
    for row in rows {
        if holds(question, &row)? {
            out.push(Value::Object(chosen(question, &row)));
        }
    }
    Ok(Value::Array(out))
}

fn properties(question: &Value) -> Option<Vec<&str>> {
    let properties = question.get("Properties")?;
    if properties.get("AllProperties").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let names = properties.get("PropertyNames")?.as_array()?;
    Some(names.iter().filter_map(Value::as_str).collect())
}

fn named(question: &Value, name: &str) -> bool {
    properties(question).is_none_or(|names| names.contains(&name))
}

/// The members asked for; those that a type does not have are left out.
fn chosen(question: &Value, full: &Map<String, Value>) -> Map<String, Value> {
    let always = ["@odata.type", "MetadataId", "LogicalName"];
    let keep = |name: &String| always.contains(&name.as_str()) || named(question, name);
    full.iter().filter(|(name, _)| keep(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// Whether a definition fulfils `Criteria`, conditions joined by And.
fn holds(question: &Value, full: &Map<String, Value>) -> Result<bool, Refusal> {
    let conditions = question.get("Criteria").and_then(|criteria| criteria.get("Conditions"));
    for condition in conditions.and_then(Value::as_array).into_iter().flatten() {
        let name = condition.get("PropertyName").and_then(Value::as_str).unwrap_or_default();
        let held = full.get(name).ok_or_else(|| {
            refuse(400, "0x80040203", format!("Invalid argument. There is no property {name}."))
        })?;
        let wanted = condition.get("Value").map(|value| value.get("Value").unwrap_or(value));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let equal = wanted.is_some_and(|wanted| text(wanted) == text(held));
        let among = wanted
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|one| text(one) == text(held)));
        let passes = match condition.get("ConditionOperator").and_then(Value::as_str) {
            Some("Equals") => equal,
            Some("NotEquals") => !equal,
            Some("In") => among,
            Some("NotIn") => !among,
            _ => return Err(invalid("ConditionOperator is unknown.")),
        };
        if !passes {
            return Ok(false);
        }
    }
    Ok(true)
}
