//! `GlobalOptionSetDefinitions`: choices that several columns share (Dynamics
//! sheet 7.3 and 7.5; addresses and limits are from Microsoft's page on querying
//! definitions).
//!
//! Owns: their addresses and bodies. Which columns use one stands in the columns.

use http::{Method, StatusCode};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::change::{labels, read};
use super::create::{in_base_language, invalid, prefixed, string, wrong};
use super::define::{self, global};
use super::{kinds, list, no_segment, single};
use crate::sandbox::dataverse::api;
use crate::sandbox::dataverse::error::{Refusal, query, refuse};
use crate::sandbox::dataverse::option_set::OptionSet;
use crate::sandbox::dataverse::privileges::require_named;
use crate::sandbox::dataverse::schema::{Column, Table};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::wire::{Call, Reply};

const NAME: &str = "GlobalOptionSetDefinitions";
const TYPE: &str = "OptionSetMetadata";
const CAST: &str = "Microsoft.Dynamics.CRM.OptionSetMetadata";

/// The choice that `(<id>)` or `(Name='…')` names.
pub(super) fn named<'a>(db: &'a Db, segment: &str) -> Result<&'a OptionSet, Refusal> {
    let inner = segment.trim_start_matches('/').strip_prefix(NAME);
    let inner = inner.and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
    let inner = inner.ok_or_else(|| no_segment(segment))?;
    let name = inner.strip_prefix("Name='").and_then(|rest| rest.strip_suffix('\''));
    let id = Uuid::try_parse(inner).ok();
    db.option_sets
        .values()
        .find(|set| name == Some(set.name.as_str()) || id == Some(set.id()))
        // Code and text are not in the sheet.
        .ok_or_else(|| refuse(404, "0x80040217", format!("There is no option set {inner}.")))
}

/// Everything below `GlobalOptionSetDefinitions`.
pub(crate) fn route(db: &mut Db, call: &Call, segments: &[&str]) -> Result<Reply, Refusal> {
    match (segments, &call.method) {
        ([NAME] | [NAME, CAST], &Method::GET) => {
            if call.param("$filter").is_some() {
                // The page says so; the text is not in it.
                return Err(query("The query parameter $filter is not supported."));
            }
            list(call, NAME, db.option_sets.values().map(global).collect(), TYPE)
        }
        ([one] | [one, CAST], &Method::GET) => single(call, NAME, global(named(db, one)?), TYPE),
        ([NAME], &Method::POST) => create(db, call),
        ([one], &Method::PUT) => put(db, call, one),
        ([one], &Method::DELETE) => delete(db, one),
        _ => Err(refuse(
            405,
            "0x80060888",
            "The requested resource does not support this http method.",
        )),
    }
}

fn body(call: &Call) -> Result<Map<String, Value>, Refusal> {
    let body = read(&call.body)?;
    let given = body.get("@odata.type").and_then(Value::as_str).unwrap_or_default();
    match given.trim_start_matches('#') {
        CAST => Ok(body),
        "Microsoft.Dynamics.CRM.BooleanOptionSetMetadata" => Err(refuse(
            501,
            "0x80060888",
            "Global choices of two values are not part of this sandbox.",
        )),
        _ => Err(wrong("@odata.type names another type.")),
    }
}

fn create(db: &mut Db, call: &Call) -> Result<Reply, Refusal> {
    require_named(db, "prvCreateOptionSet")?;
    let body = body(call)?;
    let name = string(&body, "Name")?.to_owned();
    prefixed(db, &name)?;
    in_base_language(db, &body)?;
    if db.option_sets.contains_key(&name) {
        // Code and text are not in the sheet.
        return Err(refuse(
            400,
            "0x80048426",
            format!("An OptionSet with the name {name} already exists."),
        ));
    }
    let choices = kinds::options(body.get("Options"));
    let set = OptionSet { labels: labels(&body, "DisplayName"), choices, name: name.clone() };
    let address = format!("{}/{NAME}({})", api(call), set.id());
    db.option_sets.insert(name, set);
    db.metadata_version += 1;
    Ok(Reply::empty(StatusCode::NO_CONTENT).with("odata-entityid", &address))
}

/// The whole definition. Options are changed by actions of their own, which are
/// not here: a body that changes them is refused, not half obeyed.
fn put(db: &mut Db, call: &Call, segment: &str) -> Result<Reply, Refusal> {
    require_named(db, "prvWriteOptionSet")?;
    let body = body(call)?;
    let known = named(db, segment)?.clone();
    if string(&body, "Name")? != known.name {
        return Err(invalid("The name of an option set cannot be changed."));
    }
    let given = body.get("Options").map(|options| kinds::options(Some(options)));
    let same = given.is_none_or(|given| {
        given.len() == known.choices.len()
            && given.iter().zip(&known.choices).all(|(a, b)| a.value == b.value)
    });
    if !same {
        return Err(refuse(
            501,
            "0x80060888",
            "Changing the options of a global choice is not part of this sandbox.",
        ));
    }
    let merge = call.header("mscrm.mergelabels") == Some("true");
    let texts = labels(&body, "DisplayName");
    if let Some(set) = db.option_sets.get_mut(&known.name) {
        set.labels.retain(|(language, _)| merge && !texts.iter().any(|(new, _)| new == language));
        set.labels.extend(texts);
    }
    db.metadata_version += 1;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn delete(db: &mut Db, segment: &str) -> Result<Reply, Refusal> {
    require_named(db, "prvDeleteOptionSet")?;
    let name = named(db, segment)?.name.clone();
    let used = |table: &Table| {
        let uses = |column: &Column| table.globals.get(&column.name) == Some(&name);
        table.columns.iter().filter(|column| uses(column)).count()
    };
    let dependent: usize = db.tables.values().map(|data| used(&data.def)).sum();
    if dependent > 0 {
        return Err(define::referenced("OptionSet", &name, dependent));
    }
    db.option_sets.remove(&name);
    db.metadata_version += 1;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
