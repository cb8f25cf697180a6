//! Opt-out flags, one way or both.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Counts, Run, Setup, World};

pub(crate) const CONTACT: &str = r#"schedule = "*/15 * * * * *"
[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }
fields = [ { from = "lastname", to = "lastName" } ]
"#;

/// A world whose flags travel so.
pub(crate) fn world(direction: &str, more: &str) -> World {
    let tables = format!(
        r#"{CONTACT}
[optout]
direction = "{direction}"
schedule = "*/15 * * * * *"
source = "rest"
{more}
pairs = [
  {{ dynamics = "donotbulkemail", campaign = "blackListEmail" }},
  {{ dynamics = "donotphone", campaign = "denyListPhone" }},
]
[optout.rest]
filter = "byModifiedSince"
parameter = "since_parameter"
"#
    );
    World::new(Setup { contacts: 6, tables, ..Setup::default() })
}

/// One pass of the flow.
#[track_caller]
pub(crate) fn settle(world: &World) -> Counts {
    let run = passed(world);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.counts()
}

pub(crate) fn passed(world: &World) -> Run {
    world.run(&["sync", "optout", "--patience", "60"])
}

/// Both flags of a contact and of its profile: e-mail, phone.
#[track_caller]
pub(crate) fn flags(world: &World, id: Uuid) -> [[bool; 2]; 2] {
    let contact = world.sandbox.dynamics().get("contact", id).unwrap();
    let profile = world.profile(id);
    let flag = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(false);
    [
        [flag(contact.get("donotbulkemail")), flag(contact.get("donotphone"))],
        [flag(profile.get("blackListEmail")), flag(profile.get("blackListPhone"))],
    ]
}

pub(crate) fn set_profile(world: &World, id: Uuid, fields: &Value) {
    let campaign = world.sandbox.campaign();
    campaign.update("profile", "externalId", &id.to_string(), fields).unwrap();
}

/// A world in which all contacts are profiles, and all flags are off.
fn begun(direction: &str) -> (World, Vec<Uuid>) {
    let world = world(direction, "");
    let contacts = world.contacts();
    for id in &contacts {
        world.change(*id, &json!({ "donotbulkemail": false, "donotphone": false }));
    }
    world.synced();
    settle(&world);
    (world, contacts)
}

#[test]
fn an_opt_out_travels_both_ways_and_comes_back_from_campaign_only() {
    let (world, contacts) = begun("bidirectional");
    world.change(contacts[0], &json!({ "donotbulkemail": true }));
    set_profile(&world, contacts[1], &json!({ "blackListPhone": true }));
    settle(&world);
    assert_eq!(flags(&world, contacts[0]), [[true, false], [true, false]]);
    assert_eq!(flags(&world, contacts[1]), [[false, true], [false, true]]);
    assert_eq!(flags(&world, contacts[2]), [[false, false], [false, false]]);
}

#[test]
fn a_flag_that_both_sides_agree_on_costs_no_write_in_two_further_passes() {
    let (world, contacts) = begun("bidirectional");
    world.change(contacts[0], &json!({ "donotbulkemail": true }));
    set_profile(&world, contacts[1], &json!({ "blackListPhone": true }));
    settle(&world);
    world.forget();
    settle(&world);
    settle(&world);
    let mut entries = world.sandbox.requests().entries();
    entries.retain(|entry| entry.method == "PATCH");
    assert!(entries.is_empty(), "{entries:?}");
}

#[test]
fn towards_campaign_a_flag_is_set_and_cleared_as_dynamics_says() {
    let (world, contacts) = begun("dynamics-to-campaign");
    world.change(contacts[0], &json!({ "donotphone": true }));
    settle(&world);
    assert_eq!(flags(&world, contacts[0]), [[false, true], [false, true]]);
    world.change(contacts[0], &json!({ "donotphone": false }));
    settle(&world);
    assert_eq!(flags(&world, contacts[0]), [[false, false], [false, false]]);
    set_profile(&world, contacts[1], &json!({ "blackListEmail": true }));
    settle(&world);
    assert_eq!(flags(&world, contacts[1]), [[false, false], [true, false]], "nobody looks there");
}

#[test]
fn towards_dynamics_a_change_in_campaign_is_taken_and_an_edit_in_dynamics_stays() {
    let (world, contacts) = begun("campaign-to-dynamics");
    set_profile(&world, contacts[0], &json!({ "blackListEmail": true }));
    settle(&world);
    assert_eq!(flags(&world, contacts[0]), [[true, false], [true, false]]);
    set_profile(&world, contacts[0], &json!({ "blackListEmail": false }));
    settle(&world);
    assert_eq!(flags(&world, contacts[0]), [[false, false], [false, false]]);
    world.change(contacts[1], &json!({ "donotphone": true }));
    settle(&world);
    assert_eq!(flags(&world, contacts[1]), [[false, true], [false, false]]);
}

#[test]
fn a_plan_names_what_would_be_written_and_why_and_writes_nothing() {
    let (world, contacts) = begun("bidirectional");
    world.change(contacts[0], &json!({ "donotbulkemail": true }));
    set_profile(&world, contacts[1], &json!({ "blackListPhone": true }));
    world.forget();
    let run = world.run(&["plan", "optout", "--json"]).ends(0);
    let mut lines: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["fields"].to_string());
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["id"].clone(), line["action"].clone(), line["fields"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!(contacts[0]), json!("opt-out"), json!(["blackListEmail"])),
            (json!(contacts[1]), json!("opt-out"), json!(["donotphone"])),
        ]
    );
    let mut entries = world.sandbox.requests().entries();
    entries.retain(|entry| entry.method == "PATCH");
    assert!(entries.is_empty(), "{entries:?}");
    assert_eq!(flags(&world, contacts[0]), [[true, false], [false, false]]);
    assert_eq!(settle(&world).written, 2, "the plan took nothing away");
}
