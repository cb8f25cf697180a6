//! What a request of the program writes, and that it may: no field that is not
//! mapped, and never two writes of one record at a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::Violation;
use super::model::{PAIRS, flag_name};
use crate::sandbox::Sandbox;

/// What the mapping and the pairs of flags let the program write of a profile.
const OF_PROFILES: [&str; 5] = ["externalId", "lastName", "firstName", "email", "cusToken"];
/// The same of a vehicle.
const OF_VEHICLES: [&str; 3] = ["cusVehicleId", "cusName", "vehicleOwner"];

/// Records that are being written, each with the request that does it.
#[derive(Default)]
pub(super) struct Writing {
    now: BTreeMap<String, u64>,
    requests: u64,
}

impl Writing {
    /// A request leaves that writes these.
    pub(super) fn begin(&mut self, records: &[String]) -> Result<u64, Violation> {
        self.requests += 1;
        for record in records {
            if self.now.insert(record.clone(), self.requests).is_some() {
                let what = format!("{record} is written twice at a time");
                return Err(Violation::new("I3", what));
            }
        }
        Ok(self.requests)
    }

    /// It is over, or nobody waits for it any more.
    pub(super) fn end(&mut self, records: &[String], request: u64) {
        for record in records {
            if self.now.get(record) == Some(&request) {
                self.now.remove(record);
            }
        }
    }

    /// The program that wrote is no more.
    pub(super) fn forget(&mut self) {
        self.now.clear();
    }
}

/// The records that a request writes, unless it may not.
pub(super) fn of(
    request: &http::Request<Bytes>,
    sandbox: &Sandbox,
) -> Result<Vec<String>, Violation> {
    let path = request.uri().path();
    if request.method() == http::Method::GET {
        return Ok(Vec::new());
    }
    let (above, last) = path.rsplit_once('/').unwrap_or_default();
    if path.starts_with("/api/data/") {
        return in_dynamics(request, last);
    }
    if !path.contains("/campaign/") {
        // A token is asked for.
        return Ok(Vec::new());
    }
    let made = last == "profile" || last == "cusVehicle";
    let resource = if made { last } else { above.rsplit('/').next().unwrap_or_default() };
    let (key, allowed) = match resource {
        "profile" => ("externalId", &OF_PROFILES[..]),
        "cusVehicle" => ("cusVehicleId", &OF_VEHICLES[..]),
        _ => return Err(foreign(request, "a resource that is not mapped")),
    };
    let flags = PAIRS.map(|(_, flag)| flag_name(sandbox, flag));
    let body = body(request);
    for field in body.keys() {
        let is_flag = resource == "profile" && flags.contains(&field.as_str());
        if !is_flag && !allowed.contains(&field.as_str()) {
            return Err(foreign(request, field));
        }
    }
    let named = if made {
        body.get(key).and_then(Value::as_str).map(str::to_owned)
    } else {
        sandbox.key_behind(last, key)
    };
    // Without a key it is nobody's: the record is gone.
    Ok(named.into_iter().map(|it| format!("{resource} {it}")).collect())
}

fn in_dynamics(request: &http::Request<Bytes>, last: &str) -> Result<Vec<String>, Violation> {
    if last == "$batch" {
        let text = String::from_utf8_lossy(request.body());
        let parts = text.split("\"new_eventid\":\"").skip(1);
        let events = parts.filter_map(|part| part.split('"').next());
        return Ok(events.map(|event| format!("event {event}")).collect());
    }
    let id = last.strip_prefix("contacts(").and_then(|it| it.strip_suffix(')'));
    let Some(id) = id.filter(|_| request.method() == http::Method::PATCH) else {
        return Err(foreign(request, "a row that is not mapped"));
    };
    let columns = PAIRS.map(|(column, _)| column);
    match body(request).keys().find(|name| !columns.contains(&name.as_str())) {
        Some(column) => Err(foreign(request, column)),
        None => Ok(vec![format!("contact {id}")]),
    }
}

fn body(request: &http::Request<Bytes>) -> Map<String, Value> {
    serde_json::from_slice(request.body()).unwrap_or_default()
}

fn foreign(request: &http::Request<Bytes>, what: &str) -> Violation {
    let (method, path) = (request.method(), request.uri().path());
    Violation::new("I11", format!("{method} {path} writes {what}"))
}
