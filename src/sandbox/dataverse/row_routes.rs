//! Requests that name one row (Dynamics sheet 4).
//!
//! Owns: conditions, statuses and headers. `write.rs` does the writing.

use http::{Method, StatusCode};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::error::{Refusal, no_row, no_segment, query, refuse};
use super::members::{self, no_message};
use super::path::{self, Key};
use super::read::Context;
use super::render::{Annotations, Plan, refuse_secured};
use super::store::Db;
use super::write::{self, Actor, Body};
use super::{api, associate, expand, value};
use crate::sandbox::wire::{Call, Reply, push_json};

fn exists() -> Refusal {
    refuse(412, "0x80040237", "A record with matching key values already exists.")
}

fn moved() -> Refusal {
    refuse(
        412,
        "0x80060882",
        "The version of the existing record doesn't match the RowVersion property provided.",
    )
}

fn etag(db: &Db, table: &str, id: Uuid) -> String {
    let version = db.table(table).and_then(|data| data.rows.get(&id)).map_or(0, |row| row.version);
    format!("W/\"{version}\"")
}

pub(super) fn set_of(db: &Db, table: &str) -> String {
    db.table(table).map(|data| data.def.set.clone()).unwrap_or_default()
}

/// `POST set`.
pub(crate) fn create(
    db: &mut Db,
    table: &str,
    context: &Context<'_>,
    actor: Actor,
    fresh: Uuid,
) -> Result<Reply, Refusal> {
    let intersect = db.table(table).is_some_and(|data| data.def.intersect);
    if intersect && table != members::TABLE {
        return Err(no_message("Create", table));
    }
    let body = write::body(&set_of(db, table), &context.call.body)?;
    let id = write::create(db, table, None, &body, actor, fresh)?;
    written(db, table, id, context, true)
}

/// The reply to a write of one row.
fn written(
    db: &Db,
    table: &str,
    id: Uuid,
    context: &Context<'_>,
    created: bool,
) -> Result<Reply, Refusal> {
    if context.prefer.representation {
        let reply = show(db, table, id, context)?;
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        return Ok(Reply { status, ..reply });
    }
    let address = format!("{}/{}({id})", api(context.call), set_of(db, table));
    let reply = Reply::empty(StatusCode::NO_CONTENT).with("odata-entityid", &address);
    Ok(if created { reply.with("location", &address) } else { reply })
}

/// One row as a reply.
pub(super) fn show(
    db: &Db,
    table: &str,
    id: Uuid,
    context: &Context<'_>,
) -> Result<Reply, Refusal> {
    let data = db.table(table).ok_or_else(|| no_row(table, id))?;
    let row = data.rows.get(&id).ok_or_else(|| no_row(table, id))?;
    let annotations = Annotations::new(&context.prefer.annotations);
    let selected = context.call.param("$select");
    refuse_secured(&data.def, context.call, context.variants)?;
    let plan = Plan::new(&data.def, selected, &annotations)?.for_caller(context.variants);
    let expansions = expand::read(db, &data.def, context)?;
    let list = expand::fragment(selected, &expansions);
    let mut head = b"\"@odata.context\":".to_vec();
    push_json(
        &mut head,
        &format!("{}/$metadata#{}{list}/$entity", api(context.call), data.def.set),
    );
    head.push(b',');
    let mut out = Vec::with_capacity(1024);
    plan.headed(db, &mut out, &String::from_utf8_lossy(&head), id, row);
    expand::write(db, table, id, &expansions, context, &mut out);
    out.push(b'}');
    Ok(Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", out)
        .with("etag", &etag(db, table, id)))
}

/// Everything below `set(key)`.
pub(crate) fn row(
    db: &mut Db,
    table: &str,
    parts: &[&str],
    context: &Context<'_>,
    actor: Actor,
) -> Result<Reply, Refusal> {
    let malformed = || query("The key in the request URI is not valid.");
    let first = parts.first().ok_or_else(malformed)?;
    let (_, key) = path::segment(first).ok_or_else(malformed)?;
    let key = key.ok_or_else(|| no_segment(parts.get(1).unwrap_or(&"")))?;
    let method = &context.call.method;
    let intersect = db.table(table).is_some_and(|data| data.def.intersect);
    if let [_, rest @ ..] = parts
        && !rest.is_empty()
        && let Some(reply) = associate::answer(db, table, &key, rest, context, actor)
    {
        return reply;
    }
    match parts {
        [_] if intersect && *method == Method::GET => Err(no_message("Retrieve", table)),
        [_] if intersect && *method == Method::PATCH => Err(no_message("Update", table)),
        [_, ..] if intersect && *method != Method::DELETE => Err(no_message("Update", table)),
        [_] if intersect && table != members::TABLE => Err(no_message("Delete", table)),
        [_, action] if table == "list" && *method == Method::POST => {
            let list = path::find(db, table, &key)?;
            members::act(db, list, action, context, actor)
        }
        [_] if *method == Method::GET => read(db, table, &key, context),
        [_] if *method == Method::PATCH => patch(db, table, &key, context, actor),
        [_] if *method == Method::DELETE => delete(db, table, &key, context.call),
        [_] => Err(refuse(
            405,
            "0x80060888",
            "The requested resource does not support this http method.",
        )),
        [_, column] => property(db, table, &key, column, context, actor),
        [_, navigation, "$ref"] if *method == Method::DELETE => {
            let id = path::find(db, table, &key)?;
            write::update(db, table, id, &single(navigation, "null")?, actor)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        [_, navigation, "$ref"] if *method == Method::PUT => {
            let id = path::find(db, table, &key)?;
            let body = write::body(&set_of(db, table), &context.call.body)?;
            let target = body.get("@odata.id").ok_or_else(|| query("@odata.id is missing."))?;
            write::update(
                db,
                table,
                id,
                &single(&format!("{navigation}@odata.bind"), target.get())?,
                actor,
            )?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(no_segment(parts.last().unwrap_or(&""))),
    }
}

pub(super) fn single(name: &str, raw: &str) -> Result<Body, Refusal> {
    let raw = RawValue::from_string(raw.to_owned()).map_err(|_| query("The value is not JSON."))?;
    Ok(Body::from([(name.to_owned(), raw)]))
}

fn read(db: &Db, table: &str, key: &Key, context: &Context<'_>) -> Result<Reply, Refusal> {
    let id = path::find(db, table, key)?;
    let tag = etag(db, table, id);
    let plain = context.prefer.annotations.is_empty() && context.call.param("$expand").is_none();
    if plain && context.call.header("if-none-match") == Some(&tag) {
        return Ok(Reply::empty(StatusCode::NOT_MODIFIED).with("etag", &tag));
    }
    show(db, table, id, context)
}

/// The condition table of sheet 4.3.
fn patch(
    db: &mut Db,
    table: &str,
    key: &Key,
    context: &Context<'_>,
    actor: Actor,
) -> Result<Reply, Refusal> {
    let call = context.call;
    let body = write::body(&set_of(db, table), &call.body)?;
    let found = path::find(db, table, key);
    let if_match = call.header("if-match");
    let only_new = call.header("if-none-match") == Some("*");
    match found {
        Ok(_) if only_new => Err(exists()),
        Ok(id) => {
            if if_match.is_some_and(|tag| tag != "*" && tag != etag(db, table, id)) {
                return Err(moved());
            }
            write::update(db, table, id, &without_key(&body, key), actor)?;
            written(db, table, id, context, false)
        }
        Err(refusal) if refusal.status != 404 || if_match.is_some() => Err(refusal),
        Err(_) => {
            let (id, body) = from_key(key, body)?;
            let fresh = super::schema::name_guid(
                "upsert",
                &format!("{table} {} {}", db.version, actor.now),
            );
            let id = write::create(db, table, id, &body, actor, fresh)?;
            let reply = written(db, table, id, context, true)?;
            Ok(reply)
        }
    }
}

/// Key columns in the body of an update by key are dropped (sheet 4.5).
pub(super) fn without_key(body: &Body, key: &Key) -> Body {
    let Key::Named(pairs) = key else {
        return body.clone();
    };
    body.iter()
        .filter(|(name, _)| !pairs.iter().any(|(key, _)| key == *name))
        .map(|(name, raw)| (name.clone(), raw.clone()))
        .collect()
}

/// The key's values become the new row's, unless the body repeats them.
pub(super) fn from_key(key: &Key, mut body: Body) -> Result<(Option<Uuid>, Body), Refusal> {
    let pairs = match key {
        Key::Id(id) => return Ok((Some(*id), body)),
        Key::Named(pairs) => pairs,
    };
    for (name, literal) in pairs {
        if !body.contains_key(name) {
            body.extend(single(name, &path::literal_json(literal))?);
        }
    }
    Ok((None, body))
}

fn delete(db: &mut Db, table: &str, key: &Key, call: &Call) -> Result<Reply, Refusal> {
    let id = path::find(db, table, key)?;
    if call.header("if-match").is_some_and(|tag| tag != "*" && tag != etag(db, table, id)) {
        return Err(moved());
    }
    db.remove(table, id);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// `set(key)/column` (sheet 2.7 and 4.4).
fn property(
    db: &mut Db,
    table: &str,
    key: &Key,
    name: &str,
    context: &Context<'_>,
    actor: Actor,
) -> Result<Reply, Refusal> {
    let id = path::find(db, table, key)?;
    let data = db.table(table).ok_or_else(|| no_segment(name))?;
    let column = data.def.by_wire(name).ok_or_else(|| no_segment(name))?.clone();
    let method = &context.call.method;
    if *method == Method::GET {
        let cell = data.rows.get(&id).and_then(|row| row.data.get(column.number));
        let Some(cell) = cell else {
            return Ok(Reply::empty(StatusCode::NO_CONTENT));
        };
        let mut out = b"{\"@odata.context\":".to_vec();
        push_json(
            &mut out,
            &format!("{}/$metadata#{}({id})/{name}", api(context.call), data.def.set),
        );
        out.extend_from_slice(b",\"value\":");
        value::write(&mut out, Some(&cell));
        out.push(b'}');
        return Ok(Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", out));
    }
    let raw = if *method == Method::DELETE {
        "null".to_owned()
    } else if *method == Method::PUT {
        let body = write::body(&data.def.set, &context.call.body)?;
        body.get("value")
            .map(|raw| raw.get().to_owned())
            .ok_or_else(|| query("The member 'value' is missing."))?
    } else {
        return Err(refuse(
            405,
            "0x80060888",
            "The requested resource does not support this http method.",
        ));
    };
    write::update(db, table, id, &single(name, &raw)?, actor)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
