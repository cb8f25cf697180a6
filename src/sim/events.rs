//! Each event is one activity, and says what was told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::Violation;
use super::model::{Mail, Model, id_in};
use crate::sandbox::Sandbox;

/// The tables of activities, in the order of the kinds of events.
const ACTIVITIES: [&str; 4] = [
    "new_campaignemailsend",
    "new_campaignemailopen",
    "new_campaignemailclick",
    "new_campaignemailbounce",
];

/// A row, and its table.
type Activity = (&'static str, Map<String, Value>);

/// Compares the activities with what was told. `ids` are the contacts there are.
pub(super) fn told(
    sandbox: &Sandbox,
    model: &Model,
    ids: &BTreeSet<Uuid>,
) -> Result<(), Violation> {
    let mut told: BTreeMap<String, Vec<Activity>> = BTreeMap::new();
    for table in ACTIVITIES {
        for id in sandbox.dynamics().ids(table) {
            let row = sandbox.dynamics().get(table, id).unwrap_or_default();
            let event = row.get("new_eventid").and_then(Value::as_str).unwrap_or_default();
            told.entry(event.to_owned()).or_default().push((table, row));
        }
    }
    for (number, mail) in model.events.iter().enumerate() {
        let rows = told.remove(&format!("e{number}")).unwrap_or_default();
        let expected = number >= model.lost_events && ids.contains(&mail.contact);
        if rows.len() > 1 || (rows.is_empty() && expected) {
            let what = format!("event e{number} has {} activities", rows.len());
            return Err(Violation::new("I6", what));
        }
        for (table, row) in &rows {
            says(number, *mail, table, row, model)?;
        }
    }
    match told.into_iter().next() {
        Some((event, _)) => Err(Violation::new("I6", format!("nobody told of event {event:?}"))),
        None => Ok(()),
    }
}

/// What an activity says is what the event said.
fn says(
    number: usize,
    mail: Mail,
    table: &str,
    row: &Map<String, Value>,
    model: &Model,
) -> Result<(), Violation> {
    let kind = number % ACTIVITIES.len();
    let time = mail.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let url = (kind == 2).then_some("https://example.com/");
    let expected = [
        ("subject", Some("Campaign Name: Spring; Delivery Name: First")),
        ("new_eventdate", Some(time.as_str())),
        ("new_campaignname", Some("Spring")),
        ("new_deliveryname", Some("First")),
        ("new_mirrorpageurl", Some("https://example.com/m")),
        ("new_trackingurl", url),
    ];
    let wrong = |what: &str| {
        Err(Violation::new("I7", format!("{what} of event e{number} is wrong: {row:?}")))
    };
    if ACTIVITIES.get(kind) != Some(&table) {
        return wrong("the kind");
    }
    for (column, text) in expected {
        if row.get(column).and_then(Value::as_str) != text {
            return wrong(column);
        }
    }
    // A deletion in Dynamics may unlink what it leaves.
    match id_in(row, "_regardingobjectid_value") {
        Some(id) if !model.leads_to(mail.contact, id) => wrong("the contact"),
        Some(_) | None => Ok(()),
    }
}
