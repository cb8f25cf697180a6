//! Workflows over REST: state, commands, signals (campaign sheet 7).
//!
//! Owns: two workflows and what they were told. They do no work: what comes of a
//! signal is for a test to play.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::error::{self, Refusal};
use super::json as reply;
use super::pkey::Sealed;
use super::store::Db;
use super::write;
use crate::sandbox::wire::{Call, Reply};

/// The place under which workflows are sealed; no resource has it.
const PLACE: u64 = u64::MAX - 1;
/// An external signal fires once in ten minutes.
const COOL_DOWN_MS: i64 = 10 * 60 * 1000;
/// A payload is 64 KB at most.
const LARGEST: usize = 64 * 1024;
/// The declared parameters of the one signal, with their types.
const PARAMETERS: [(&str, &str); 4] =
    [("fileName", "string"), ("rows", "long"), ("full", "boolean"), ("since", "datetime")];

/// A workflow.
#[derive(Clone, Debug)]
pub(crate) struct Workflow {
    label: &'static str,
    /// `edition`, `started`, `paused`, `finished`
    state: &'static str,
    /// The signals taken: when, and what they carried.
    pub(crate) signals: Vec<(i64, Value)>,
}

/// All workflows by id.
#[derive(Clone, Debug)]
pub(crate) struct Workflows(BTreeMap<&'static str, Workflow>);

impl Default for Workflows {
    fn default() -> Self {
        let new = |label| Workflow { label, state: "edition", signals: Vec::new() };
        Self(BTreeMap::from([("WKF1", new("Opt-out export")), ("WKF2", new("Log export"))]))
    }
}

impl Workflows {
    /// State and signals of one, for tests.
    pub(crate) fn get(&self, id: &str) -> Option<&Workflow> {
        self.0.get(id)
    }
}

impl Workflow {
    /// The state by name.
    pub(crate) fn state(&self) -> &'static str {
        self.state
    }
}

fn refused(text: &str) -> Refusal {
    Refusal {
        status: 500,
        text: format!(
            "RST-360011 An error has occurred - please contact your administrator.\n{text}"
        ),
    }
}

/// Everything below `/campaign/workflow/`.
pub(super) fn route(
    db: &mut Db,
    call: &Call,
    tenant: &str,
    now: i64,
    segments: &[&str],
) -> Result<Reply, Refusal> {
    let ["execution", key, rest @ ..] = segments else {
        return Err(error::no_resource());
    };
    let id = find(db, key)?;
    match (rest, &call.method) {
        ([], &Method::GET) => Ok(reply(StatusCode::OK, &shown(db, call, tenant, id))),
        (["commands"], &Method::POST) => {
            let body = write::body(&call.body)?;
            let method = body.get("method").and_then(Value::as_str).unwrap_or_default();
            let state = match method {
                "start" | "resume" => "started",
                "pause" => "paused",
                "stop" => "finished",
                other => return Err(refused(&format!("The command '{other}' is unknown."))),
            };
            if let Some(workflow) = db.workflows.0.get_mut(id) {
                workflow.state = state;
            }
            Ok(reply(StatusCode::OK, &shown(db, call, tenant, id)))
        }
        (["activities", "activity", activity, "trigger"], &Method::POST) => {
            if db.sealer.open(activity).is_none() {
                return Err(error::foreign_key(activity, "Workflows", "xtk:workflow", false));
            }
            signal(db, call, id, now)
        }
        (_, method) => Err(error::no_method(method.as_str())),
    }
}

/// A workflow by its id or by its sealed key.
fn find(db: &Db, key: &str) -> Result<&'static str, Refusal> {
    let known = &db.workflows.0;
    let sealed = match db.sealer.open(key) {
        Some(Sealed::Record(PLACE, at)) => usize::try_from(at).ok(),
        Some(_) | None => None,
    };
    let by_key = sealed.and_then(|at| known.keys().nth(at).copied());
    known
        .keys()
        .copied()
        .find(|id| *id == key)
        .or(by_key)
        .ok_or_else(|| error::not_found("Workflows", "workflow", key))
}

fn shown(db: &Db, call: &Call, tenant: &str, id: &str) -> Value {
    let at = db.workflows.0.keys().position(|known| *known == id);
    let at = at.and_then(|at| u64::try_from(at).ok()).unwrap_or(0);
    let seal = || db.sealer.seal(Sealed::Record(PLACE, at));
    let (key, activity) = (seal(), seal());
    let base = format!("{}/{tenant}/campaign/workflow/execution/{key}", call.origin);
    let parameters: Map<String, Value> = PARAMETERS
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), json!({"name": name, "type": kind})))
        .collect();
    let (label, state) =
        db.workflows.0.get(id).map_or(("", ""), |workflow| (workflow.label, workflow.state));
    // The status field's name is not confirmed: both of the likely ones are there.
    json!({"PKey": key, "href": base, "name": id, "label": label, "state": state, "logicalStatus": state,
        "activities": {"activity": {"signal1": {"PKey": activity, "name": "signal1", "label": "External signal",
            "parameters": parameters,
            "trigger": {"href": format!("{base}/activities/activity/{activity}/trigger/")}}}}})
}

fn signal(db: &mut Db, call: &Call, id: &str, now: i64) -> Result<Reply, Refusal> {
    if call.body.len() > LARGEST {
        return Err(refused("The payload is larger than 64 KB."));
    }
    let body = write::body(&call.body)?;
    if body.get("source").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(refused("'source' parameter is mandatory."));
    }
    let parameters = body.get("parameters").and_then(Value::as_object);
    let parameters = parameters.cloned().unwrap_or_default();
    let stranger =
        parameters.keys().find(|name| !PARAMETERS.iter().any(|(known, _)| known == name));
    if let Some(name) = stranger {
        const TEXT: &str = "HandleTrigger(@name, $(source), $({parameters}))";
        return Err(refused(&format!(
            "'{name}' parameter isn't defined in signal activity.\nXTK-170006 Unable to parse expression '{TEXT}'.\nRST-360000 Error while assessing '{TEXT}' expression ('xtk:workflow:execution/activities/signal/trigger' resource)"
        )));
    }
    let workflow = db.workflows.0.get_mut(id).ok_or_else(error::no_resource)?;
    if workflow.state != "started" {
        // Text and status are not confirmed.
        return Err(refused(&format!("The workflow '{id}' is not running.")));
    }
    if workflow.signals.last().is_some_and(|(at, _)| now - at < COOL_DOWN_MS) {
        return Ok(Reply::new(
            StatusCode::OK,
            "text/plain;charset=utf-8",
            "This signal was triggered less than 10 minutes ago.",
        ));
    }
    workflow.signals.push((now, Value::Object(parameters)));
    Ok(reply(StatusCode::OK, &json!({})))
}
