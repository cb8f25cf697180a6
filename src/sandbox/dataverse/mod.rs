//! The Dataverse look-alike: `/api/data/v9.x/`.
//!
//! Owns: the dispatch of a request to its handler and the headers of every
//! reply. Knows nothing of tokens (`server.rs` has checked them) or faults.

mod apply;
mod associate;
mod batch;
pub(crate) mod builtin;
mod bulk;
mod connection;
pub(crate) mod control;
mod drift;
pub(crate) mod error;
pub(crate) mod eval;
mod expand;
#[cfg(test)]
mod few;
pub(crate) mod filter;
pub(crate) mod generate;
mod jobs;
mod keys;
mod members;
pub(crate) mod metadata;
mod option_set;
pub(crate) mod page;
mod pages;
pub(crate) mod path;
pub(crate) mod pointer;
mod privileges;
mod question;
pub(crate) mod read;
pub(crate) mod relation;
pub(crate) mod render;
pub(crate) mod row_routes;
pub(crate) mod schema;
pub(crate) mod store;
pub(crate) mod token;
pub(crate) mod value;
pub(crate) mod write;

use http::{Method, StatusCode};

use self::error::{Refusal, no_segment, query, refuse};
use self::privileges::Verb;
use self::store::Db;
use self::write::Actor;
use super::faults::FaultEngine;
use super::variants::Variants;
use super::wire::{Call, Reply, decode, push_json};
use crate::clock::Clock;

/// What the `Prefer` header asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prefer {
    pub(crate) page_size: Option<usize>,
    pub(crate) track_changes: bool,
    pub(crate) representation: bool,
    pub(crate) continue_on_error: bool,
    /// The list inside the quotes of `odata.include-annotations`.
    pub(crate) annotations: String,
}

impl Prefer {
    fn read(call: &Call) -> Self {
        let mut prefer = Self::default();
        let header = call.header_list("prefer");
        let mut quoted = false;
        let parts = header.split(|letter| {
            if letter == '"' {
                quoted = !quoted;
            }
            letter == ',' && !quoted
        });
        for part in parts.map(str::trim) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name.to_ascii_lowercase().as_str() {
                "odata.maxpagesize" => {
                    prefer.page_size = value.parse().ok().filter(|size| *size > 0);
                }
                "odata.track-changes" => prefer.track_changes = true,
                "odata.continue-on-error" => prefer.continue_on_error = value != "false",
                "return" => prefer.representation = value == "representation",
                "odata.include-annotations" => {
                    value.trim_matches('"').clone_into(&mut prefer.annotations);
                }
                _ => {}
            }
        }
        prefer
    }

    /// The preferences that were honoured.
    fn applied(&self, read: bool) -> String {
        let mut out = Vec::new();
        if read && self.track_changes {
            out.push("odata.track-changes".to_owned());
        }
        if let Some(size) = self.page_size.filter(|_| read) {
            out.push(format!("odata.maxpagesize={size}"));
        }
        if !self.annotations.is_empty() {
            out.push(format!("odata.include-annotations=\"{}\"", self.annotations));
        }
        if self.continue_on_error && !read {
            out.push("odata.continue-on-error".to_owned());
        }
        if self.representation && !read {
            out.push("return=representation".to_owned());
        }
        out.join(",")
    }
}

/// `{origin}/api/data/v9.2`
pub(crate) fn api(call: &Call) -> String {
    format!("{}/api/data/v9.2", call.origin)
}

/// What a handler needs besides the rows.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) variants: Variants,
    pub(crate) expired_delta: bool,
    pub(crate) faults: &'a FaultEngine,
    /// The request is part of a batch.
    pub(crate) batched: bool,
}

/// Answers a request whose token is good.
pub(crate) fn answer(db: &mut Db, call: &Call, around: &Surroundings<'_>) -> Reply {
    let mut prefer = Prefer::read(call);
    prefer.representation &= around.variants.representation;
    let reply = route(db, call, &prefer, around).unwrap_or_else(|refusal| {
        refusal.reply(prefer.annotations.split(',').any(|name| name.trim() == "*"))
    });
    let guid = around.clock.guid().to_string();
    let mut reply = reply
        .with("odata-version", "4.0")
        .with("x-ms-service-request-id", &around.clock.guid().to_string())
        .with("req_id", &guid)
        .with("set-cookie", "ARRAffinity=5ca1ab1e; path=/; HttpOnly");
    if let Some(id) = call.header("x-ms-client-request-id") {
        reply = reply.with("x-ms-client-request-id", id);
    }
    let applied = prefer.applied(call.is_read());
    if reply.status.is_success() && !applied.is_empty() {
        reply = reply.with("preference-applied", &applied);
    }
    reply
}

/// What stands behind the version in the path.
fn below<'a>(call: &'a Call, around: &Surroundings<'_>) -> Result<&'a str, Refusal> {
    // Sheet 1.8: an address inside a batch may be longer.
    let longest = if around.batched { 65_536 } else { 32_768 };
    if call.path.len() + call.raw_query.len() > longest {
        return Err(query("The request URL is too long."));
    }
    let Some(rest) = call.path.strip_prefix("/api/data/") else {
        // Such as Dataverse search, a service of its own.
        return Err(refuse(501, "0x80060888", "Only /api/data is part of this sandbox."));
    };
    let (version, rest) = rest.split_once('/').unwrap_or((rest, ""));
    if !matches!(version, "v9.0" | "v9.1" | "v9.2") {
        return Err(no_segment(version));
    }
    Ok(rest)
}

fn route(
    db: &mut Db,
    call: &Call,
    prefer: &Prefer,
    around: &Surroundings<'_>,
) -> Result<Reply, Refusal> {
    let rest = below(call, around)?;
    let decoded: Vec<String> =
        rest.split('/').filter(|part| !part.is_empty()).map(|part| decode(part, false)).collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let Some(first) = segments.first() else {
        return Ok(service_document(db, call));
    };
    if let Some(reply) = named(db, call, prefer, around, &segments) {
        return reply;
    }
    let set = first.split_once('(').map_or(*first, |(set, _)| set);
    let table = db.sets.get(set).cloned().ok_or_else(|| no_segment(set))?;
    let verb = match call.method {
        Method::GET | Method::HEAD => Some(Verb::Read),
        Method::DELETE => Some(Verb::Delete),
        // What it does beside creating and writing is checked where it is done.
        _ if db.forbidden.contains(&table) => Some(Verb::Write),
        _ => None,
    };
    if let Some(verb) = verb {
        privileges::require(db, &table, verb)?;
    }
    if table == pointer::TABLE {
        if call.method != Method::GET {
            return Err(members::no_message("Create", &table));
        }
        pointer::refresh(db);
    }
    let actor = actor(db, around);
    let context = read::Context {
        call,
        prefer,
        variants: around.variants,
        now: actor.now,
        expired: around.expired_delta,
        fetch: false,
    };
    match (segments.as_slice(), &call.method) {
        ([only], &Method::GET) if !only.contains('(') => read::collection(db, &table, &context),
        ([only, "$count"], &Method::GET) if !only.contains('(') => {
            read::count_reply(db, &table, &context)
        }
        ([only], &Method::POST) if !only.contains('(') => {
            row_routes::create(db, &table, &context, actor, around.clock.guid())
        }
        ([only], _) if !only.contains('(') => Err(refuse(
            405,
            "0x80060888",
            "The requested resource does not support this http method.",
        )),
        ([user, function], &Method::GET)
            if table == "systemuser" && function.contains("RetrieveUserPrivileges") =>
        {
            let Some((_, Some(path::Key::Id(user)))) = path::segment(user) else {
                return Err(no_segment(function));
            };
            privileges::of_user(db, call, user, around.variants)
        }
        ([only, action], &Method::POST) if !only.contains('(') => {
            bulk::bulk(db, &table, action, call, actor, around.clock)
        }
        (parts, _) => row_routes::row(db, &table, parts, &context, actor),
    }
}

/// The application user, now.
fn actor(db: &Db, around: &Surroundings<'_>) -> Actor {
    Actor {
        user: db.fixed.application,
        now: around.clock.now().as_millisecond(),
        empty_is_null: around.variants.empty_text_is_null,
        closed_is_read_only: around.variants.closed_is_read_only,
        own_solution_ids: around.variants.own_solution_ids,
        person: false,
    }
}

/// Actions, functions and definitions: what is no set of rows.
fn named(
    db: &mut Db,
    call: &Call,
    prefer: &Prefer,
    around: &Surroundings<'_>,
    segments: &[&str],
) -> Option<Result<Reply, Refusal>> {
    let first = segments.first()?;
    let (name, _) = first.split_once('(').unwrap_or((first, ""));
    let name = name.strip_prefix("Microsoft.Dynamics.CRM.").unwrap_or(name);
    let variants = around.variants;
    Some(match (name, &call.method) {
        ("$batch", &Method::POST) => batch::answer(db, call, prefer, around),
        ("WhoAmI", _) => Ok(who_am_i(db, call)),
        ("RetrieveTotalRecordCount", _) => total_count(db, call),
        ("EntityDefinitions", &Method::PUT) if segments.len() > 1 => {
            metadata::alter::put_column(db, call, segments)
        }
        ("EntityDefinitions", &Method::DELETE) => metadata::alter::delete(db, segments),
        ("$metadata", &Method::GET) => Ok(metadata::csdl::document(db, call)),
        ("GlobalOptionSetDefinitions", _) => metadata::option_sets::route(db, call, segments),
        ("RelationshipDefinitions", _) => metadata::relate::route(db, call, segments),
        ("CreateEntities", &Method::POST) => metadata::watch::create_entities(db, call, around),
        ("RetrieveMetadataChanges", &Method::GET) => metadata::watch::changes(db, call, variants),
        ("ReactivateEntityKey", &Method::POST) => metadata::alter::reactivate(db, call, variants),
        ("BulkDelete", &Method::POST) => {
            let actor = actor(db, around);
            jobs::bulk_delete(db, call, around, actor)
        }
        ("EntityDefinitions", &Method::PUT) => metadata::change::put(db, call, segments, variants),
        ("EntityDefinitions", &Method::POST) => metadata::create::post(db, call, segments, around),
        ("EntityDefinitions", _) => metadata::route(db, call, segments, variants),
        ("PublishXml", &Method::POST) => metadata::change::publish_xml(db, call),
        ("PublishAllXml", &Method::POST) => metadata::change::publish_all(db),
        _ => return None,
    })
}

fn service_document(db: &Db, call: &Call) -> Reply {
    let mut out = b"{\"@odata.context\":".to_vec();
    push_json(&mut out, &format!("{}/$metadata", api(call)));
    out.extend_from_slice(b",\"value\":[");
    for (at, data) in db.tables.values().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"name\":");
        push_json(&mut out, &data.def.set);
        out.extend_from_slice(b",\"kind\":\"EntitySet\",\"url\":");
        push_json(&mut out, &data.def.set);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", out)
}

fn who_am_i(db: &Db, call: &Call) -> Reply {
    let context = serde_json::Value::from(format!(
        "{}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
        api(call)
    ));
    let fixed = db.fixed;
    let body = format!(
        "{{\"@odata.context\":{context},\"BusinessUnitId\":\"{}\",\"UserId\":\"{}\",\"OrganizationId\":\"{}\"}}",
        fixed.unit, fixed.application, fixed.organization
    );
    Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body)
        .with("x-ms-dop-hint", "4")
}

fn total_count(db: &Db, call: &Call) -> Result<Reply, Refusal> {
    let names = call
        .param("@p1")
        .map(str::to_owned)
        .or_else(|| {
            let path = decode(&call.path, false);
            let (_, rest) = path.split_once("EntityNames=")?;
            rest.strip_suffix(')').map(str::to_owned)
        })
        .ok_or_else(|| query("The parameter EntityNames is missing."))?;
    let names: Vec<String> =
        serde_json::from_str(&names).map_err(|_| query("EntityNames is not a list of names."))?;
    let mut values = Vec::new();
    for name in &names {
        privileges::require(db, name, Verb::Read)?;
        let data = db.table(name).ok_or_else(|| {
            refuse(
                400,
                "0x80041102",
                format!("The entity with a name = '{name}' was not found in the MetadataCache."),
            )
        })?;
        values.push(data.rows.len());
    }
    let body = serde_json::json!({
        "@odata.context": format!("{}/$metadata#Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse", api(call)),
        "EntityRecordCountCollection": {"Count": names.len(), "IsReadOnly": false, "Keys": names, "Values": values},
    });
    Ok(Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string()))
}
