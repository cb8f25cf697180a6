//! `/_sandbox/api`: what the pages show and do, as JSON for scripts.
//!
//! Owns: its addresses. Rows look as on the vendors' APIs.

use std::sync::PoisonError;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::calls::Filter;
use super::{contact, forms};
use crate::sandbox::campaign::schema::Api;
use crate::sandbox::campaign::write::{self, Scene};
use crate::sandbox::log::System;
use crate::sandbox::server::Shared;
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{ControlError, DynamicsControl};

/// Rows and requests of an answer that names no number.
const USUAL: usize = 1000;

fn answered(status: StatusCode, body: &Value) -> Reply {
    Reply::new(status, "application/json", body.to_string()).with("cache-control", "no-store")
}

fn ok(body: &Value) -> Reply {
    answered(StatusCode::OK, body)
}

fn wrong(status: StatusCode, error: &str) -> Reply {
    answered(status, &json!({ "error": error }))
}

fn bad(error: &impl ToString) -> Reply {
    wrong(StatusCode::BAD_REQUEST, &error.to_string())
}

fn missing(what: &str) -> Reply {
    wrong(StatusCode::NOT_FOUND, &format!("there is no such {what}"))
}

fn done() -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
}

/// Answers a request below `/_sandbox/api`.
pub(super) fn answer(shared: &Shared, call: &Call, parts: &[&str]) -> Reply {
    match (&call.method, parts) {
        (&Method::GET, []) => summary(shared),
        (&Method::GET, ["log"]) => log(shared, call),
        (&Method::DELETE, ["log"]) => {
            shared.log.clear();
            done()
        }
        (&Method::GET, ["faults"]) => faults(shared),
        (&Method::PUT, ["faults"]) => match forms::plan(&String::from_utf8_lossy(&call.body)) {
            Ok(plan) => {
                shared.set_faults(plan);
                done()
            }
            Err(error) => bad(&error),
        },
        (&Method::DELETE, ["faults"]) => {
            shared.set_faults(crate::sandbox::FaultPlan::default());
            done()
        }
        (&Method::GET, ["variants"]) => ok(&Value::Object(shared.variants().values())),
        (&Method::PATCH, ["variants"]) => variants(shared, call),
        (&Method::POST, ["expire-tokens"]) => expire(shared, call),
        (&Method::GET, ["timeline", id]) => timeline(shared, id),
        (_, ["dynamics", parts @ ..]) => dynamics(shared, call, parts),
        (_, ["campaign", parts @ ..]) => campaign(shared, call, parts),
        _ => missing("address"),
    }
}

/// Rows per table and resource, and requests per system.
pub(super) fn summary(shared: &Shared) -> Reply {
    let tables: Map<String, Value> = {
        let db = shared.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
        db.tables.iter().map(|(name, data)| (name.clone(), data.rows.len().into())).collect()
    };
    let resources = shared.campaign.lock().unwrap_or_else(PoisonError::into_inner).counts();
    let requests: Map<String, Value> = System::ALL
        .into_iter()
        .map(|system| (system.name().to_owned(), shared.log.count(system).into()))
        .collect();
    ok(&json!({"dynamics": tables, "campaign": resources, "requests": requests}))
}

fn number(call: &Call, name: &str, usual: usize) -> usize {
    call.param(name).and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// `?system=&method=&status=&q=&after=&top=`: the latest, oldest first.
fn log(shared: &Shared, call: &Call) -> Reply {
    let filter = Filter::of(call);
    let entries = shared.log.entries();
    let wanted = entries.iter().rev().filter(|entry| filter.takes(entry));
    let mut entries: Vec<Value> =
        wanted.take(number(call, "top", USUAL)).map(crate::sandbox::LogEntry::json).collect();
    entries.reverse();
    ok(&Value::Array(entries))
}

fn faults(shared: &Shared) -> Reply {
    let (plan, counts) = shared.faults.standing();
    let mut shown = serde_json::to_value(&plan).unwrap_or_default();
    let counts: Vec<Value> =
        counts.iter().map(|(seen, played)| json!({"fitted": seen, "played": played})).collect();
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("counts".to_owned(), counts.into());
    }
    ok(&shown)
}

fn variants(shared: &Shared, call: &Call) -> Reply {
    let changes: Map<String, Value> = match serde_json::from_slice(&call.body) {
        Ok(changes) => changes,
        Err(error) => return bad(&error),
    };
    let mut variants = shared.variants();
    for (name, value) in changes {
        if let Err(error) = variants.set_value(&name, &value) {
            return bad(&error);
        }
    }
    shared.set_variants(variants);
    ok(&Value::Object(variants.values()))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expire {
    table: Option<String>,
}

/// `{"table": "contact"}`, or all tables without one.
fn expire(shared: &Shared, call: &Call) -> Reply {
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    let control = shared.dynamics_control();
    match serde_json::from_slice::<Expire>(body).map(|wanted| wanted.table) {
        Ok(Some(table)) if !control.tables().contains(&table) => return missing("table"),
        Ok(Some(table)) => control.expire_tokens_of(&table),
        Ok(None) => control.expire_tokens(),
        Err(error) => return bad(&error),
    }
    done()
}

fn timeline(shared: &Shared, id: &str) -> Reply {
    let Ok(id) = Uuid::try_parse(id) else { return missing("record") };
    let db = shared.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
    let activities = contact::activities(&db, id);
    ok(&activities.iter().map(contact::Activity::json).collect())
}

fn created(id: Result<Value, ControlError>) -> Reply {
    match id {
        Ok(body) => answered(StatusCode::CREATED, &body),
        Err(error) => bad(&error),
    }
}

fn dynamics(shared: &Shared, call: &Call, parts: &[&str]) -> Reply {
    let control = shared.dynamics_control();
    let body = || serde_json::from_slice::<Value>(&call.body);
    let [table, rest @ ..] = parts else { return missing("address") };
    if !control.tables().iter().any(|known| known == table) {
        return missing("table");
    }
    let id = rest.first().and_then(|id| Uuid::try_parse(id).ok());
    if let (&Method::POST, Some(id), [_, "merge"]) = (&call.method, id, rest) {
        return merge(&control, table, id, call);
    }
    match (&call.method, id) {
        (&Method::GET, None) if rest.is_empty() => {
            let ids = control.ids(table);
            let wanted = ids.iter().skip(number(call, "skip", 0)).take(number(call, "top", USUAL));
            // The rows' own text keeps the scale of decimals.
            let rows: Vec<String> = wanted.filter_map(|id| control.get_text(table, *id)).collect();
            let text = format!("{{\"count\":{},\"rows\":[{}]}}", ids.len(), rows.join(","));
            Reply::new(StatusCode::OK, "application/json", text)
        }
        (&Method::POST, None) if rest.is_empty() => match body() {
            Ok(row) => created(control.insert(table, &row).map(|id| json!({ "id": id }))),
            Err(error) => bad(&error),
        },
        (&Method::GET, Some(id)) => match control.get_text(table, id) {
            Some(row) => Reply::new(StatusCode::OK, "application/json", row),
            None => missing("row"),
        },
        (&Method::PATCH, Some(id)) => {
            match body().map(|changes| control.update(table, id, &changes)) {
                Ok(Ok(())) => done(),
                Ok(Err(error)) => bad(&error),
                Err(error) => bad(&error),
            }
        }
        (&Method::DELETE, Some(id)) if control.delete(table, id) => done(),
        _ => missing("row"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    into: Uuid,
}

/// `{"into": "<id>"}`: the row of the address becomes the lost one of a merge.
fn merge(control: &DynamicsControl, table: &str, lost: Uuid, call: &Call) -> Reply {
    let Merge { into } = match serde_json::from_slice(&call.body) {
        Ok(wanted) => wanted,
        Err(error) => return bad(&error),
    };
    if into == lost {
        return bad(&"a row cannot be merged into itself");
    }
    match control.merge(table, into, lost) {
        Ok(()) => done(),
        Err(error) => bad(&error),
    }
}

fn campaign(shared: &Shared, call: &Call, parts: &[&str]) -> Reply {
    let control = shared.campaign_control();
    let [resource, rest @ ..] = parts else { return missing("address") };
    let row = rest.first().and_then(|row| row.parse::<u64>().ok());
    match (&call.method, row) {
        (&Method::GET, None) if rest.is_empty() => {
            let db = control.db.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(data) = db.named(resource) else { return missing("resource") };
            let wanted = data.rows.iter().skip(number(call, "skip", 0));
            let rows: Vec<Value> = wanted
                .take(number(call, "top", USUAL))
                .map(|(row, packed)| with_row(control.show(&db, resource, *row, packed), *row))
                .collect();
            ok(&json!({"count": data.rows.len(), "rows": rows}))
        }
        (&Method::POST, None) if rest.is_empty() => {
            match serde_json::from_slice::<Value>(&call.body) {
                Ok(record) => {
                    created(control.insert(resource, &record).map(|()| json!({"created": 1})))
                }
                Err(error) => bad(&error),
            }
        }
        (&Method::GET, Some(row)) => {
            let db = control.db.lock().unwrap_or_else(PoisonError::into_inner);
            let packed = db.named(resource).and_then(|data| data.rows.get(&row));
            packed.map_or_else(
                || missing("record"),
                |packed| ok(&with_row(control.show(&db, resource, row, packed), row)),
            )
        }
        (&Method::PATCH, Some(row)) => change_record(shared, call, resource, row),
        (&Method::DELETE, Some(row)) if delete_record(shared, resource, &row.to_string()) => done(),
        _ => missing("record"),
    }
}

/// Changes a record as a Campaign user.
fn change_record(shared: &Shared, call: &Call, resource: &str, row: u64) -> Reply {
    let changes: Map<String, Value> = match serde_json::from_slice(&call.body) {
        Ok(changes) => changes,
        Err(error) => return bad(&error),
    };
    let scene = Scene {
        api: Api::Ext,
        variants: shared.variants(),
        now: shared.clocks.of(System::Campaign).now().as_millisecond(),
    };
    let mut db = shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
    let held = db.named(resource).is_some_and(|data| data.rows.contains_key(&row));
    let Some(place) = db.place(resource).filter(|_| held) else { return missing("record") };
    match write::update(&mut db, place, row, None, &changes, scene) {
        Ok(()) => done(),
        Err(refusal) => bad(&refusal.text),
    }
}

/// A record with its number, by which it is addressed here.
fn with_row(mut record: Map<String, Value>, row: u64) -> Value {
    record.insert("_row".to_owned(), row.into());
    Value::Object(record)
}

/// Deletes a row of Dynamics; false where there is none.
pub(super) fn delete_row(shared: &Shared, table: &str, id: &str) -> bool {
    Uuid::try_parse(id).is_ok_and(|id| shared.dynamics_control().delete(table, id))
}

/// Deletes a record of Campaign; false where there is none.
pub(super) fn delete_record(shared: &Shared, resource: &str, row: &str) -> bool {
    let variants = shared.variants();
    let mut db = shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((place, row)) = db.place(resource).zip(row.parse().ok()) else { return false };
    write::delete(&mut db, place, row, variants)
}
