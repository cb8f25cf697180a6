//! Changing a table's definition, and publishing it (Dynamics sheet 7.7, 7.8).
//!
//! Owns: `PUT EntityDefinitions(…)`, as far as change tracking goes, and what a
//! careless body resets; `PublishXml` and `PublishAllXml`.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value};

use super::define::table_value;
use super::{address, find_table, no_segment, query, refuse};
use crate::sandbox::dataverse::error::{Refusal, payload};
use crate::sandbox::dataverse::privileges::require_named;
use crate::sandbox::dataverse::schema::Table;
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply};

const TYPE: &str = "Microsoft.Dynamics.CRM.EntityMetadata";
/// Parts that a definition may carry along; they are not changed here.
const PARTS: [&str; 6] = [
    "Attributes",
    "Keys",
    "ManyToOneRelationships",
    "OneToManyRelationships",
    "ManyToManyRelationships",
    "Privileges",
];

/// `PUT EntityDefinitions(<id>)`: the whole definition; what is left out is
/// reset.
pub(crate) fn put(
    db: &mut Db,
    call: &Call,
    segments: &[&str],
    variants: Variants,
) -> Result<Reply, Refusal> {
    let [first] = segments else {
        return Err(refuse(405, "0x80060888", "Changing parts is not part of this sandbox."));
    };
    let key = address(first, "EntityDefinitions").ok_or_else(|| no_segment(first))?;
    let (name, known) = {
        let table = find_table(db, key)?;
        (table.name.clone(), table_value(table, variants))
    };
    require_named(db, "prvWriteEntity")?;
    let body = read(&call.body)?;
    check(&body, &known)?;
    let data = db.tables.get_mut(&name).ok_or_else(|| no_segment(&name))?;
    let wanted = body.get("ChangeTrackingEnabled").and_then(Value::as_bool);
    let table = Arc::make_mut(&mut data.def);
    let can = table.trackable || (table.intersect && variants.list_member_tracking);
    match wanted {
        Some(true) if !table.tracked && !can => {
            return Err(refuse(
                400,
                "0x80040203",
                format!("Invalid argument. Change tracking cannot be enabled for entity {name}."),
            ));
        }
        Some(false) if table.tracked => {
            return Err(refuse(
                400,
                "0x80040203",
                format!("Invalid argument. Change tracking of entity {name} cannot be disabled."),
            ));
        }
        Some(on) => table.tracking_unpublished = on && !table.tracked,
        None => {}
    }
    reset(table, &body, call.header("mscrm.mergelabels") == Some("true"));
    db.metadata_version += 1;
    db.unpublished.insert(name.clone());
    if !variants.tracking_needs_publishing {
        publish(db, &name);
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

pub(super) fn read(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        payload(
            "EntityDefinitions",
            &format!("Microsoft.OData.ODataException: The JSON body cannot be read: {error}"),
        )
    })
}

/// Names that are no members, and identities that are not this table's.
fn check(body: &Map<String, Value>, known: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, value) in body {
        if name == "@odata.type" {
            if value.as_str().is_none_or(|given| given.trim_start_matches('#') != TYPE) {
                return Err(payload(
                    "EntityDefinitions",
                    "Microsoft.OData.ODataException: @odata.type names another type.",
                ));
            }
        } else if !name.contains('@')
            && !known.contains_key(name)
            && !PARTS.contains(&name.as_str())
        {
            return Err(payload(
                "EntityDefinitions",
                &format!(
                    "Microsoft.OData.ODataException: The property '{name}' does not exist on type '{TYPE}'."
                ),
            ));
        }
    }
    for name in ["LogicalName", "MetadataId"] {
        if body.get(name).is_some_and(|given| Some(given) != known.get(name)) {
            return Err(query(format!("The {name} in the body is not that of the address.")));
        }
    }
    Ok(())
}

/// The texts of a `Label` by language.
pub(super) fn labels(body: &Map<String, Value>, name: &str) -> Vec<(u64, String)> {
    body.get(name)
        .and_then(|label| label.get("LocalizedLabels")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(|label| {
            Some((label.get("LanguageCode")?.as_u64()?, label.get("Label")?.as_str()?.to_owned()))
        })
        .collect()
}

/// Takes over the members that a definition may change.
fn reset(table: &mut Table, body: &Map<String, Value>, merge: bool) {
    let given = labels(body, "DisplayName");
    if !merge {
        table.labels.clear();
    }
    for (language, label) in given {
        table.labels.retain(|(known, _)| *known != language);
        table.labels.push((language, label));
    }
    // English, 1033, comes first.
    table.labels.sort_by_key(|(language, _)| std::cmp::Reverse(*language));
    table.color = body.get("EntityColor").and_then(Value::as_str).map(str::to_owned);
    let audited = body.get("IsAuditEnabled").and_then(|managed| managed.get("Value"));
    table.audited = audited.and_then(Value::as_bool) == Some(true);
}

/// `POST PublishXml`: the tables that its XML names.
pub(crate) fn publish_xml(db: &mut Db, call: &Call) -> Result<Reply, Refusal> {
    require_named(db, "prvPublishCustomization")?;
    let body = read(&call.body)?;
    let xml = body.get("ParameterXml").and_then(Value::as_str).unwrap_or_default();
    let inner = xml
        .trim()
        .strip_prefix("<importexportxml>")
        .and_then(|rest| rest.strip_suffix("</importexportxml>"))
        .ok_or_else(|| refuse(400, "0x80040203", "Invalid argument. ParameterXml is not valid."))?;
    let names: Vec<String> = inner
        .split("<entity>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</entity>"))
        .map(|(name, _)| name.trim().to_owned())
        .collect();
    for name in &names {
        find_table(db, name)?;
    }
    for name in names {
        publish(db, &name);
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// `POST PublishAllXml`.
pub(crate) fn publish_all(db: &mut Db) -> Result<Reply, Refusal> {
    require_named(db, "prvPublishCustomization")?;
    let names: Vec<String> = db.tables.keys().cloned().collect();
    for name in names {
        publish(db, &name);
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn publish(db: &mut Db, name: &str) {
    db.unpublished.remove(name);
    if let Some(data) = db.tables.get_mut(name)
        && data.def.tracking_unpublished
    {
        let table = Arc::make_mut(&mut data.def);
        (table.tracked, table.tracking_unpublished) = (true, false);
    }
    db.metadata_version += 1;
}
