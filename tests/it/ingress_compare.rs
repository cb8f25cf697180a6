//! Both sides compared by what the mapping of `support::FIELDS` means, written
//! anew from the vendors' documents: nothing of the program is used.

use std::collections::HashMap;

use cdsync::sandbox::Sandbox;
use serde_json::{Map, Value, json};

/// What a profile must hold for a contact.
fn wanted(contact: &Map<String, Value>) -> Vec<(&'static str, Value)> {
    let get = |column: &str| contact.get(column).cloned().unwrap_or(Value::Null);
    let text = |column: &str| if get(column).is_null() { json!("") } else { get(column) };
    let number = |column: &str| if get(column).is_null() { json!(0) } else { get(column) };
    let flag = |column: &str| json!(get(column) == json!(true));
    let time = |column: &str| match get(column).as_str() {
        // 2024-05-06T07:08:09Z → 2024-05-06 07:08:09.000Z
        Some(text) => json!(format!("{} {}.000Z", &text[..10], &text[11..19])),
        None => json!(""),
    };
    let gender = match get("gendercode").as_i64() {
        Some(1) => "male",
        Some(2) => "female",
        _ => "unknown",
    };
    vec![
        ("firstName", text("firstname")),
        ("lastName", text("lastname")),
        ("email", text("emailaddress1")),
        ("gender", json!(gender)),
        ("birthDate", text("birthdate")),
        ("cusCustomerSince", time("createdon")),
        ("blackListEmail", flag("donotbulkemail")),
        ("blackListPhone", flag("donotphone")),
        ("cusPoints", number("new_points")),
        ("cusRating", number("new_rating")),
        ("cusScore", number("new_score")),
        ("cusRevenue", number("new_revenue")),
        ("cusInterests", json!(interests(&get("new_interests")))),
        ("cusLocalTime", time("new_localtime")),
        ("cusToken", text("new_token")),
        ("cusVip", flag("new_vip")),
        ("cusNote", text("description")),
    ]
}

/// The labels of the options, as Dynamics formats them.
fn interests(chosen: &Value) -> String {
    let label = |option: &str| match option {
        "727000000" => "Sailing",
        "727000001" => "Chess",
        "727000002" => "Music; live",
        "727000003" => "Cooking",
        other => panic!("an option that the sandbox does not have: {other}"),
    };
    let labels: Vec<&str> = chosen
        .as_str()
        .unwrap_or_default()
        .split(',')
        .filter(|it| !it.is_empty())
        .map(label)
        .collect();
    labels.join("; ")
}

fn same(found: &Value, wanted: &Value) -> bool {
    match (found.as_f64(), wanted.as_f64()) {
        (Some(found), Some(wanted)) => {
            (found - wanted).abs() < f64::EPSILON * wanted.abs().max(1.0)
        }
        _ => found == wanted,
    }
}

/// The key of a profile, in whichever of the two fields it stands.
fn key(profile: &Map<String, Value>) -> String {
    let of =
        |field: &str| profile.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let external = of("externalId");
    if external.is_empty() { of("cusCrmId") } else { external }
}

/// Every difference between contacts and profiles, one text each.
pub(crate) fn compare(sandbox: &Sandbox) -> Vec<String> {
    let dynamics = sandbox.dynamics();
    let mut differences = Vec::new();
    let mut profiles: HashMap<String, Map<String, Value>> = HashMap::new();
    for profile in sandbox.campaign().rows("profile") {
        if let Some(twin) = profiles.insert(key(&profile), profile) {
            differences.push(format!("{}: twice in Campaign", key(&twin)));
        }
    }
    for id in dynamics.ids("contact") {
        let contact = dynamics.get("contact", id).unwrap();
        let Some(profile) = profiles.remove(&id.to_string()) else {
            differences.push(format!("{id}: missing in Campaign"));
            continue;
        };
        for (field, wanted) in wanted(&contact) {
            let found = profile.get(field).unwrap_or(&Value::Null);
            if !same(found, &wanted) {
                differences.push(format!("{id}: {field} is {found}, not {wanted}"));
            }
        }
    }
    differences.extend(profiles.keys().map(|key| format!("{key}: only in Campaign")));
    differences
}
