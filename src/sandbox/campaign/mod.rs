//! The Campaign look-alike: `/{tenant}/campaign/…`.
//!
//! Owns: the dispatch of a request to its handler. The gateway's checks come
//! first (`gateway.rs`); faults are nothing it knows of.

#[cfg(test)]
mod alike;
pub(crate) mod builtin;
mod consent;
pub(crate) mod control;
mod drift;
pub(crate) mod error;
#[cfg(test)]
mod few;
pub(crate) mod gateway;
mod history;
pub(crate) mod metadata;
pub(crate) mod pkey;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod schema;
pub(crate) mod store;
mod subscribe;
pub(crate) mod value;
mod workflow;
pub(crate) mod write;

use http::{Method, StatusCode};
use serde_json::{Map, Value};

use self::error::Refusal;
use self::pkey::Sealed;
use self::read::View;
use self::schema::{Api, Resource};
use self::store::Db;
use self::write::Scene;
use super::variants::Variants;
use super::wire::{Call, Reply, decode};
use crate::clock::Clock;

/// Answers a request that the gateway let through.
pub(crate) fn answer(
    db: &mut Db,
    call: &Call,
    tenant: &str,
    variants: Variants,
    clock: &Clock,
) -> Reply {
    // Slashes may arrive encoded; doubled ones do no harm.
    let path = decode(&call.path, false);
    let mut segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if segments.first() != Some(&tenant) || segments.get(1) != Some(&"campaign") {
        return gateway::no_route();
    }
    if let Some(last) = segments.last_mut() {
        *last = last.strip_suffix(".json").unwrap_or(last);
    }
    let now = clock.now().as_millisecond();
    if segments.get(2) == Some(&"workflow") {
        let below = segments.get(3..).unwrap_or_default();
        return workflow::route(db, call, tenant, now, below)
            .unwrap_or_else(|refusal| refusal.reply(variants.campaign_errors));
    }
    let Some(api) = segments.get(2).and_then(|segment| Api::of(segment)) else {
        return error::no_resource().reply(variants.campaign_errors);
    };
    let view = View { call, tenant, api, place: usize::MAX, variants, now };
    route(db, view, segments.get(3..).unwrap_or_default())
        .unwrap_or_else(|refusal| refusal.reply(variants.campaign_errors))
}

fn route(db: &mut Db, mut view: View<'_>, segments: &[&str]) -> Result<Reply, Refusal> {
    let (described, segments) = match segments {
        [] => return Ok(metadata::listing(db, &view)),
        ["history", rest @ ..] if view.api != Api::Custom => {
            return history::route(db, &view, rest);
        }
        ["resourceType", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let [name, rest @ ..] = segments else {
        return Err(error::no_resource());
    };
    // Below `resourceType` a description is also named by its own key.
    let described_by_key = || match db.sealer.open(&format!("@{name}")) {
        Some(Sealed::Record(place, metadata::DESCRIPTION)) if described => {
            usize::try_from(place).ok()
        }
        Some(_) | None => None,
    };
    let place = db
        .place(name)
        .or_else(described_by_key)
        .filter(|place| db.resources.get(*place).is_some_and(|data| data.def.reached_by(view.api)));
    view.place = place.ok_or_else(error::no_resource)?;
    match (described, rest) {
        #[cfg(test)]
        (true, []) | (false, ["metadata"]) => return Ok(alike::resource(db, &view)),
        #[cfg(not(test))]
        (true, []) | (false, ["metadata"]) => return Ok(metadata::resource(db, &view)),
        (true, ["filters"]) if db.place(name).is_none() => return Ok(metadata::filters(db, &view)),
        (true, _) => return Err(error::no_resource()),
        (false, _) => {}
    }
    let method = &view.call.method;
    if rest.is_empty() && *method == Method::POST {
        return create(db, &view);
    }
    if rest.is_empty() && *method == Method::PATCH {
        return patch_by_body(db, &view);
    }
    let def =
        db.resources.get(view.place).map(|data| data.def.clone()).ok_or_else(error::no_resource)?;
    let filters: Vec<&str> =
        rest.iter().copied().take_while(|part| def.filter(part, view.api).is_some()).collect();
    match rest.get(filters.len()..).unwrap_or_default() {
        [] | ["_count"] if *method != Method::GET => Err(error::no_method(method.as_str())),
        [] => read::list(db, &view, &filters, None),
        ["_count"] => read::count(db, &view, &filters),
        [field] if projects(&def, field, view.api) && *method == Method::GET => {
            read::list(db, &view, &filters, Some(field))
        }
        [key, more @ ..] if filters.is_empty() => one(db, &view, &def, key, more),
        [other, ..] => Err(error::unknown(other, &def.name)),
    }
}

fn projects(def: &Resource, name: &str, api: Api) -> bool {
    def.field(name).is_some_and(|field| !(field.custom && api == Api::Plain))
}

fn scene(view: &View<'_>) -> Scene {
    Scene { api: view.api, variants: view.variants, now: view.now }
}

fn json(status: StatusCode, value: &Value) -> Reply {
    Reply::new(status, "application/json;charset=utf-8", value.to_string())
}

fn create(db: &mut Db, view: &View<'_>) -> Result<Reply, Refusal> {
    let body = write::body(&view.call.body)?;
    let number = write::create(db, view.place, &body, scene(view))?;
    let row = db
        .resources
        .get(view.place)
        .and_then(|data| data.rows.get(&number))
        .ok_or_else(error::no_resource)?;
    Ok(json(StatusCode::CREATED, &record::record(db, view, number, row)))
}

/// The reply to a change: key and address, no values.
fn changed(db: &Db, view: &View<'_>, def: &Resource, number: u64) -> Reply {
    let key = db.sealer.seal(Sealed::Record(u64::try_from(view.place).unwrap_or(0), number));
    let href = format!("{}/{key}", view.base(&def.name));
    json(StatusCode::OK, &serde_json::json!({"PKey": key, "href": href}))
}

/// A change without a key in the address: the business key is in the body.
fn patch_by_body(db: &mut Db, view: &View<'_>) -> Result<Reply, Refusal> {
    let def =
        db.resources.get(view.place).map(|data| data.def.clone()).ok_or_else(error::no_resource)?;
    let body: Map<String, Value> = write::body(&view.call.body)?;
    let key = def
        .uri_key()
        .and_then(|field| Some((field.number, body.get(&field.name)?.as_str()?.to_owned())));
    let Some((number, key)) = key else {
        return Err(error::no_method("PATCH"));
    };
    let row = find_by(db, view, &def, number, &key)?;
    write::update(db, view.place, row, Some(number), &body, scene(view))?;
    Ok(changed(db, view, &def, row))
}

fn find_by(
    db: &Db,
    view: &View<'_>,
    def: &Resource,
    number: u16,
    key: &str,
) -> Result<u64, Refusal> {
    let data = db.resources.get(view.place).ok_or_else(error::no_resource)?;
    let found = data.with(number, key).into_iter().find(|row| {
        data.rows.get(row).is_some_and(|packed| read::visible(db, def, packed, view.variants))
    });
    found.ok_or_else(|| error::not_found(&def.label, &def.name, key))
}

/// The record that a path segment names, and the field it did so by.
fn find(
    db: &Db,
    view: &View<'_>,
    def: &Resource,
    key: &str,
) -> Result<(u64, Option<u16>), Refusal> {
    if key.starts_with('@') {
        let place = u64::try_from(view.place).unwrap_or(u64::MAX);
        return match db.sealer.open(key) {
            Some(Sealed::Record(of, row)) if of == place => {
                let data = db.resources.get(view.place).ok_or_else(error::no_resource)?;
                let there = data
                    .rows
                    .get(&row)
                    .is_some_and(|packed| read::visible(db, def, packed, view.variants));
                if there {
                    Ok((row, None))
                } else {
                    Err(error::not_found(&def.label, &def.name, key))
                }
            }
            Some(_) | None => {
                Err(error::foreign_key(key, &def.label, &def.schema, def.name.starts_with("cus")))
            }
        };
    }
    match def.uri_key().filter(|field| !(field.custom && view.api == Api::Plain)) {
        Some(field) => Ok((find_by(db, view, def, field.number, key)?, Some(field.number))),
        None => Err(error::not_a_number(key)),
    }
}

fn one(
    db: &mut Db,
    view: &View<'_>,
    def: &Resource,
    key: &str,
    more: &[&str],
) -> Result<Reply, Refusal> {
    let (number, by) = find(db, view, def, key)?;
    if let ["subscriptions", rest @ ..] = more
        && matches!(def.name.as_str(), "profile" | "service")
    {
        return subscribe::route(db, view, def, number, rest);
    }
    if let [collection] = more {
        let known = def
            .field(collection)
            .is_some_and(|field| matches!(field.kind, schema::FieldType::Collection { .. }));
        if !known || view.call.method != Method::GET {
            return Err(error::unknown(collection, &def.name));
        }
        let count = serde_json::json!({"href": format!("{}/{key}/{collection}/_count", view.base(&def.name)), "value": 0});
        return Ok(json(
            StatusCode::OK,
            &serde_json::json!({"content": [], "count": count, "serverSidePagination": false}),
        ));
    }
    if !more.is_empty() {
        return Err(error::no_resource());
    }
    let method = &view.call.method;
    if *method == Method::GET {
        let row = db
            .resources
            .get(view.place)
            .and_then(|data| data.rows.get(&number))
            .ok_or_else(error::no_resource)?;
        return Ok(json(StatusCode::OK, &record::record(db, view, number, row)));
    }
    if *method == Method::PATCH {
        let body = write::body(&view.call.body)?;
        write::update(db, view.place, number, by, &body, scene(view))?;
        return Ok(changed(db, view, def, number));
    }
    if *method == Method::DELETE {
        write::delete(db, view.place, number, view.variants);
        let status = StatusCode::from_u16(view.variants.campaign_delete).unwrap_or(StatusCode::OK);
        return Ok(Reply::empty(status));
    }
    Err(error::no_method(method.as_str()))
}
