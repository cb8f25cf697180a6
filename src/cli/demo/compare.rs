//! Compares both sides of the demo, value by value.
//!
//! Written a second time from the meaning of the mapping, not with the code
//! that maps: a mistake there must show here.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::sandbox::Sandbox;

type Row = Map<String, Value>;

/// What a comparison found.
pub(super) struct Comparison {
    /// Contacts in Dynamics.
    pub(super) records: u64,
    /// Values compared.
    pub(super) values: u64,
    /// One text each; ids and field names only.
    pub(super) differences: Vec<String>,
}

/// Campaign's field, Dynamics' column, and what the one must hold when the
/// other holds this.
type Rule = (&'static str, &'static str, fn(&Value) -> Value);

const RULES: &[Rule] = &[
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

/// Compares all contacts with all profiles.
pub(super) fn compare(sandbox: &Sandbox) -> Comparison {
    let dynamics = sandbox.dynamics();
    let profiles = sandbox.campaign().rows("profile");
    let mut by_key: HashMap<String, Row> = HashMap::with_capacity(profiles.len());
    let mut differences = Vec::new();
    for profile in profiles {
        let key = profile.get("externalId").and_then(Value::as_str).unwrap_or_default().to_owned();
        if by_key.insert(key.clone(), profile).is_some() {
            differences.push(format!("{key}: twice in Campaign"));
        }
    }
    let (mut records, mut values) = (0, 0);
    for id in dynamics.ids("contact") {
        records += 1;
        let (Some(contact), Some(profile)) =
            (dynamics.get("contact", id), by_key.remove(&id.to_string()))
        else {
            differences.push(format!("{id}: missing in Campaign"));
            continue;
        };
        for (field, column, expected) in RULES {
            values += 1;
            let expected = expected(contact.get(*column).unwrap_or(&Value::Null));
            if !same(profile.get(*field).unwrap_or(&Value::Null), &expected) {
                differences.push(format!("{id}: {field} is not {column}"));
            }
        }
    }
    differences.extend(by_key.keys().map(|key| format!("{key}: only in Campaign")));
    Comparison { records, values, differences }
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
