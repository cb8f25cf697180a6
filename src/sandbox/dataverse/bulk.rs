//! `CreateMultiple`, `UpdateMultiple`, `UpsertMultiple` (Dynamics sheet 5.4).
//!
//! Owns: their targets. One that is refused takes all of them back.

use http::StatusCode;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::api;
use super::error::{Refusal, no_segment, payload, refuse};
use super::path::{self, Key};
use super::row_routes::{from_key, set_of, without_key};
use super::store::Db;
use super::write::{self, Actor, Body};
use crate::clock::Clock;
use crate::sandbox::wire::{Call, Reply};

/// `CreateMultiple`, `UpdateMultiple`, `UpsertMultiple`: all or nothing.
pub(crate) fn bulk(
    db: &mut Db,
    table: &str,
    action: &str,
    call: &Call,
    actor: Actor,
    clock: &Clock,
) -> Result<Reply, Refusal> {
    let set = set_of(db, table);
    let action = action.strip_prefix("Microsoft.Dynamics.CRM.").unwrap_or(action);
    if action == "DeleteMultiple" {
        return Err(refuse(501, "0x80040216", "DeleteMultiple has not yet been implemented."));
    }
    if !matches!(action, "CreateMultiple" | "UpdateMultiple" | "UpsertMultiple") {
        return Err(no_segment(action));
    }
    let mut body = write::body(&set, &call.body)?;
    let targets = body.remove("Targets").ok_or_else(|| payload(&set, "Targets is missing."))?;
    let targets: Vec<Body> =
        serde_json::from_str(targets.get()).map_err(|error| payload(&set, &error.to_string()))?;
    let count = targets.len();
    let ids: Vec<String> = db.transaction(|db| {
        targets
            .into_iter()
            .map(|target| bulk_row(db, table, action, target, actor, clock.guid()))
            .map(|id| id.map(|id| id.to_string()))
            .collect::<Result<_, _>>()
    })?;
    if action != "CreateMultiple" {
        return Ok(Reply { operations: count, ..Reply::empty(StatusCode::NO_CONTENT) });
    }
    let context = format!("{}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse", api(call));
    let body = serde_json::json!({"@odata.context": context, "Ids": ids});
    let reply =
        Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string());
    Ok(Reply { operations: count, ..reply })
}

fn bulk_row(
    db: &mut Db,
    table: &str,
    action: &str,
    mut target: Body,
    actor: Actor,
    fresh: Uuid,
) -> Result<Uuid, Refusal> {
    let set = set_of(db, table);
    let text = |raw: Option<Box<RawValue>>| {
        raw.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
    };
    let kind = text(target.remove("@odata.type"));
    if kind.is_none_or(|kind| {
        kind.trim_start_matches('#') != format!("Microsoft.Dynamics.CRM.{table}")
    }) {
        return Err(payload(
            &set,
            "Microsoft.OData.ODataException: @odata.type is missing or names another table.",
        ));
    }
    if action == "CreateMultiple" {
        return write::create(db, table, None, &target, actor, fresh);
    }
    let id_column = db.table(table).map(|data| data.def.id.clone()).unwrap_or_default();
    let key = match text(target.remove("@odata.id")) {
        Some(address) => path::reference(&address).map(|(_, key)| key),
        None => {
            text(target.remove(&id_column)).and_then(|id| Uuid::try_parse(&id).ok()).map(Key::Id)
        }
    };
    let key =
        key.ok_or_else(|| payload(&set, "Microsoft.OData.ODataException: The target has no key."))?;
    match path::find(db, table, &key) {
        Ok(id) => {
            write::update(db, table, id, &without_key(&target, &key), actor)?;
            Ok(id)
        }
        Err(refusal) if refusal.status == 404 && action == "UpsertMultiple" => {
            if let Key::Named(pairs) = &key
                && pairs.iter().any(|(name, _)| target.contains_key(name))
            {
                return Err(refuse(400, "0x80040216", "An unexpected error occurred."));
            }
            let (id, body) = from_key(&key, target)?;
            write::create(db, table, id, &body, actor, fresh)
        }
        Err(refusal) => Err(refusal),
    }
}
