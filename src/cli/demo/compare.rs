//! Compares both sides of the demo, value by value.
//!
//! Written a second time from the meaning of the mapping, not with the code
//! that maps: a mistake there must show here.

use std::collections::HashMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::story::Voice;
use crate::sandbox::{EventIds, MailControl, MailKind, Sandbox};

type Row = Map<String, Value>;

/// What a comparison found.
#[derive(Default)]
pub(super) struct Comparison {
    /// Records in Dynamics.
    pub(super) records: u64,
    /// Contacts among them.
    pub(super) contacts: u64,
    /// Vehicles and visits among them.
    pub(super) others: u64,
    /// Activities among them.
    pub(super) activities: u64,
    /// Contacts that are opted out on both sides.
    pub(super) opt_outs: u64,
    /// Values compared.
    pub(super) values: u64,
    /// One text each; ids and field names only.
    pub(super) differences: Vec<String>,
}

/// Campaign's field, Dynamics' column, and what the one must hold when the
/// other holds this.
type Rule = (&'static str, &'static str, fn(&Value) -> Value);

/// A table and the resource that must hold the same.
struct Pair {
    table: &'static str,
    resource: &'static str,
    key: &'static str,
    rules: &'static [Rule],
    /// Campaign's link and the column that says where it must lead.
    link: Option<(&'static str, &'static str)>,
}

const PAIRS: &[Pair] = &[
    Pair { table: "contact", resource: "profile", key: "externalId", rules: CONTACT, link: None },
    Pair {
        table: "new_vehicle",
        resource: "cusVehicle",
        key: "cusVehicleId",
        rules: VEHICLE,
        link: Some(("vehicleOwner", "_new_contactid_value")),
    },
    Pair {
        table: "new_servicevisit",
        resource: "cusServiceVisit",
        key: "cusVisitId",
        rules: VISIT,
        link: Some(("visitVehicle", "_new_vehicleid_value")),
    },
];

const VEHICLE: &[Rule] = &[
    ("cusName", "new_name", |v| text(v, 100)),
    ("cusPlate", "new_plate", |v| text(v, 20)),
    ("cusMileage", "new_mileage", number),
    ("cusPrice", "new_price", number),
    ("cusRegistered", "new_registered", |v| text(v, 10)),
    ("cusFuel", "new_fuel", fuel),
];

const VISIT: &[Rule] = &[
    ("cusName", "new_name", |v| text(v, 100)),
    ("cusVisited", "new_visitedon", moment),
    ("cusNextVisit", "new_nextvisit", |v| text(v, 10)),
    ("cusCost", "new_cost", number),
    ("cusKind", "new_kind", kind),
    ("cusWarranty", "new_warranty", flag),
    ("cusNotes", "new_notes", |v| text(v, usize::MAX)),
];

const CONTACT: &[Rule] = &[
    ("firstName", "firstname", |v| text(v, 30)),
    ("lastName", "lastname", |v| text(v, 50)),
    ("email", "emailaddress1", |v| text(v, 128)),
    ("gender", "gendercode", gender),
    ("birthDate", "birthdate", |v| text(v, 10)),
    ("cusAnniversary", "anniversary", |v| text(v, 10)),
    ("cusCustomerSince", "createdon", moment),
    ("blackListEmail", "donotbulkemail", flag),
    ("blackListPhone", "donotphone", flag),
    ("cusPoints", "new_points", number),
    ("cusRating", "new_rating", number),
    ("cusScore", "new_score", number),
    ("cusRevenue", "new_revenue", number),
    ("cusLocalTime", "new_localtime", moment),
    ("cusToken", "new_token", |v| text(v, 36)),
    ("cusVip", "new_vip", flag),
    ("cusNote", "description", |v| text(v, usize::MAX)),
];

/// Compares all tables with all resources.
pub(super) fn compare(sandbox: &Sandbox) -> Comparison {
    let mut found = Comparison::default();
    for pair in PAIRS {
        let before = found.records;
        compare_pair(sandbox, pair, &mut found);
        if pair.table == "contact" {
            found.contacts = found.records - before;
        } else {
            found.others += found.records - before;
        }
    }
    found
}

/// Compares the activities in Dynamics with those that must come of the mail.
pub(super) fn compare_timeline(sandbox: &Sandbox) -> Comparison {
    let mail = sandbox.mail();
    let activities = mail.expected(EventIds::Logs).len() as u64;
    Comparison {
        records: activities,
        activities,
        values: activities * MailControl::COMPARED,
        differences: mail.differences(EventIds::Logs, &MailKind::ALL, "new"),
        ..Comparison::default()
    }
}

/// Compares the flags of every contact, and those of which the story tells with
/// what must come of them: at first everybody who said no is out; once people
/// have thought again, only who subscribed later is back.
pub(super) fn compare_optouts(
    sandbox: &Sandbox,
    voices: &[(Uuid, Voice)],
    thought_again: bool,
) -> Comparison {
    let (dynamics, campaign) = (sandbox.dynamics(), sandbox.campaign());
    let mut found = Comparison::default();
    let on = |row: Option<&Row>, name: &str| {
        row.and_then(|row| row.get(name)).and_then(Value::as_bool).unwrap_or(false)
    };
    let profiles: HashMap<String, Row> = campaign
        .rows("profile")
        .into_iter()
        .filter_map(|row| Some((row.get("externalId")?.as_str()?.to_owned(), row)))
        .collect();
    for id in dynamics.ids("contact") {
        let (row, profile) = (dynamics.get("contact", id), profiles.get(&id.to_string()));
        found.records += 1;
        found.contacts += 1;
        for (column, field) in
            [("donotpostalmail", "blackListPostalMail"), ("donotfax", "blackListFax")]
        {
            found.values += 1;
            let (out, listed) = (on(row.as_ref(), column), on(profile, field));
            found.opt_outs += u64::from(out && listed);
            if out != listed {
                found.differences.push(format!("{id}: {column} and {field} disagree"));
            }
        }
    }
    for (id, voice) in voices {
        let expected = voice.out() || !thought_again;
        if on(dynamics.get("contact", *id).as_ref(), "donotpostalmail") != expected {
            found.differences.push(format!("{id}: {voice:?} came to the wrong end"));
        }
    }
    found
}

fn compare_pair(sandbox: &Sandbox, pair: &Pair, found: &mut Comparison) {
    let dynamics = sandbox.dynamics();
    let records = sandbox.campaign().rows(pair.resource);
    let mut by_key: HashMap<String, Row> = HashMap::with_capacity(records.len());
    let Comparison { records: compared, values, differences, .. } = found;
    for record in records {
        let key = record.get(pair.key).and_then(Value::as_str).unwrap_or_default().to_owned();
        if by_key.insert(key.clone(), record).is_some() {
            differences.push(format!("{key}: twice in Campaign"));
        }
    }
    for id in dynamics.ids(pair.table) {
        *compared += 1;
        let (Some(row), Some(record)) =
            (dynamics.get(pair.table, id), by_key.remove(&id.to_string()))
        else {
            differences.push(format!("{id}: missing in Campaign"));
            continue;
        };
        for (field, column, expected) in pair.rules {
            *values += 1;
            let expected = expected(row.get(*column).unwrap_or(&Value::Null));
            if !same(record.get(*field).unwrap_or(&Value::Null), &expected) {
                differences.push(format!("{id}: {field} is not {column}"));
            }
        }
        if let Some((field, column)) = pair.link {
            *values += 1;
            let parent = row.get(column).and_then(Value::as_str);
            if record.get(field).and_then(|link| link.get("key")?.as_str()) != parent {
                differences.push(format!("{id}: {field} does not lead where {column} does"));
            }
        }
    }
    differences.extend(by_key.keys().map(|key| format!("{key}: only in Campaign")));
}

fn same(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => found.to_bits() == expected.to_bits(),
        _ => found == expected,
    }
}

fn text(value: &Value, length: usize) -> Value {
    value.as_str().unwrap_or_default().chars().take(length).collect::<String>().into()
}

fn gender(value: &Value) -> Value {
    match value.as_i64() {
        Some(1) => "male".into(),
        Some(2) => "female".into(),
        Some(_) | None => "unknown".into(),
    }
}

fn fuel(value: &Value) -> Value {
    match value.as_i64() {
        Some(727_000_000) => "Petrol".into(),
        Some(727_000_001) => "Electric".into(),
        Some(_) | None => "".into(),
    }
}

fn kind(value: &Value) -> Value {
    match value.as_i64() {
        Some(727_000_000) => "Inspection".into(),
        Some(727_000_001) => "Repair".into(),
        Some(727_000_002) => "Tyres".into(),
        Some(_) | None => "".into(),
    }
}

fn flag(value: &Value) -> Value {
    value.as_bool().unwrap_or(false).into()
}

fn number(value: &Value) -> Value {
    if value.is_null() { 0.into() } else { value.clone() }
}

/// `2024-05-06T07:08:09Z` → `2024-05-06 07:08:09.000Z`
fn moment(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => text.replace('T', " ").replace('Z', ".000Z").into(),
        None => "".into(),
    }
}
