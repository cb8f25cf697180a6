//! What must hold once all is quiet: both sides, record by record.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::Violation;
use super::model::{Model, PAIRS, external_id, flag_of};
use crate::sandbox::Sandbox;

const ACTIVITIES: [&str; 4] = [
    "new_campaignemailsend",
    "new_campaignemailopen",
    "new_campaignemailclick",
    "new_campaignemailbounce",
];

/// Compares both sides.
pub(crate) fn quiet(sandbox: &Sandbox, model: &Model) -> Result<(), Violation> {
    let mut profiles: BTreeMap<Uuid, Map<String, Value>> = BTreeMap::new();
    for profile in sandbox.campaign().rows("profile") {
        if let Some(id) = external_id(&profile) {
            profiles.insert(id, profile);
        }
    }
    let ids: BTreeSet<Uuid> = sandbox.dynamics().ids("contact").into_iter().collect();
    for id in &ids {
        let Some(profile) = profiles.get(id) else {
            return Err(Violation::new("I1", format!("{id} has no profile")));
        };
        let contact = sandbox.dynamics().get("contact", *id).unwrap_or_default();
        fields(*id, &contact, profile)?;
        flags(*id, &contact, profile, model)?;
    }
    if let Some(left) = profiles.keys().find(|id| !ids.contains(id)) {
        return Err(Violation::new("I12", format!("{left} is deleted, and its profile is there")));
    }
    events(sandbox, model, &ids)
}

fn fields(
    id: Uuid,
    contact: &Map<String, Value>,
    profile: &Map<String, Value>,
) -> Result<(), Violation> {
    for (column, field) in
        [("lastname", "lastName"), ("firstname", "firstName"), ("emailaddress1", "email")]
    {
        let text = |row: &Map<String, Value>, name: &str| {
            row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (there, here) = (text(contact, column), text(profile, field));
        if there != here {
            return Err(Violation::new(
                "I1",
                format!("{field} of {id} is {here:?}, not {there:?}"),
            ));
        }
    }
    Ok(())
}

fn flags(
    id: Uuid,
    contact: &Map<String, Value>,
    profile: &Map<String, Value>,
    model: &Model,
) -> Result<(), Violation> {
    for (pair, (column, flag)) in PAIRS.into_iter().enumerate() {
        let (there, here) =
            (contact.get(column) == Some(&Value::Bool(true)), flag_of(profile, flag));
        let stays_out = model.is_loser(id) && here;
        if there != here && !stays_out {
            let what = format!("{column} of {id} is {there}, and {flag} is {here}");
            return Err(Violation::new("I9", what));
        }
        if !here && model.said_no(id, pair).is_some() {
            return Err(Violation::new("I9", format!("{id} said no, and {flag} is off")));
        }
    }
    Ok(())
}

fn events(sandbox: &Sandbox, model: &Model, ids: &BTreeSet<Uuid>) -> Result<(), Violation> {
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for table in ACTIVITIES {
        for id in sandbox.dynamics().ids(table) {
            let row = sandbox.dynamics().get(table, id).unwrap_or_default();
            let event = row.get("new_eventid").and_then(Value::as_str).unwrap_or_default();
            *told.entry(event.to_owned()).or_default() += 1;
        }
    }
    for (number, contact) in model.events.iter().enumerate() {
        let count = told.remove(&format!("e{number}")).unwrap_or_default();
        if count > 1 || (count == 0 && ids.contains(contact)) {
            return Err(Violation::new("I6", format!("event e{number} has {count} activities")));
        }
    }
    match told.into_iter().next() {
        Some((event, _)) => Err(Violation::new("I6", format!("nobody told of event {event:?}"))),
        None => Ok(()),
    }
}
