//! Keys that are not the record id, and the vendors' limits.

use cdsync::sandbox::{System, Variants};
use serde_json::{Map, Value, json};

use crate::support::{FIELDS, Setup, World, by_filter};

/// Contacts known by a number of the customer's own.
fn own_key(lookup: &str, to: &str) -> String {
    format!(
        "[[ingress.table]]\ndynamics = \"contact\"\ncampaign = \"profile\"\nkey = {{ from = \"new_extid\", to = \"{to}\", {lookup} }}\napply_deletes = true\nfields = [ {{ from = \"lastname\", to = \"lastName\" }} ]\n"
    )
}

fn both() -> [(World, &'static str); 2] {
    let filter = "filter = \"byExternalId\", parameter = \"externalId_parameter\"";
    [(filter, "externalId"), ("in_uri = true", "cusCrmId")].map(|(lookup, field)| {
        let tables = own_key(lookup, field);
        (World::new(Setup { contacts: 0, tables, ..Setup::default() }), field)
    })
}

fn named(world: &World, field: &str, key: &str) -> Vec<Map<String, Value>> {
    world.sandbox.campaign().by_key("profile", field, key)
}

#[test]
fn a_record_keeps_its_profile_when_its_key_changes() {
    for (world, field) in both() {
        let id = world.add(&json!({ "lastname": "Lee", "new_extid": "K-1" }));
        world.add(&json!({ "lastname": "Ek", "new_extid": "Käse & Brot+1" }));
        world.synced();
        assert_eq!(named(&world, field, "Käse & Brot+1").len(), 1);
        let own = json!({ "middleName": "Kept" });
        world.sandbox.campaign().update("profile", field, "K-1", &own).unwrap();
        world.change(id, &json!({ "new_extid": "K-2", "lastname": "Lee-Ek" }));
        world.synced();
        assert!(named(&world, field, "K-1").is_empty(), "{field}");
        let moved = named(&world, field, "K-2");
        assert_eq!(
            (&moved[0]["lastName"], &moved[0]["middleName"]),
            (&json!("Lee-Ek"), &json!("Kept"))
        );
        assert_eq!(world.sandbox.campaign().count("profile"), 2);
        world.change(id, &json!({ "lastname": "Again" }));
        world.synced();
        assert_eq!(named(&world, field, "K-2")[0]["lastName"], "Again");
        world.delete(id);
        world.synced();
        assert!(named(&world, field, "K-2").is_empty());
        assert_eq!(world.sandbox.campaign().count("profile"), 1);
    }
}

#[test]
fn a_record_without_a_key_is_a_named_failure() {
    for (world, field) in both() {
        let id = world.add(&json!({ "lastname": "Keyless" }));
        world.add(&json!({ "lastname": "Fine", "new_extid": "K-1" }));
        let counts = world.sync().ends(1).counts();
        assert_eq!((counts.written, counts.dead_lettered), (1, 1));
        let letters = world.dead_letters();
        assert_eq!(letters[0]["record"], id.to_string());
        assert!(letters[0]["reason"].as_str().unwrap().contains(field), "{letters:?}");
        world.change(id, &json!({ "new_extid": "K-2" }));
        world.synced();
        assert_eq!(named(&world, field, "K-2").len(), 1);
        assert!(world.dead_letters().is_empty());
    }
}

fn with_rate(world: &World, per_second: u32) {
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let line = format!("requests_per_second = {per_second}");
    let config = config.replace("requests_per_second = 10000", &line);
    std::fs::write(world.path("config.toml"), config).unwrap();
}

fn limited(rate: u32) -> World {
    let variants =
        Variants { rate_limits: true, campaign_requests_per_second: rate, ..Variants::default() };
    World::new(Setup { contacts: 60, variants, ..Setup::default() })
}

#[test]
fn below_the_configured_rate_campaign_never_has_to_refuse() {
    let world = limited(40);
    with_rate(&world, 40);
    world.equal_after_sync();
    assert!(world.asked(System::Campaign).iter().all(|entry| entry.status != 429));
}

#[test]
fn a_campaign_that_allows_less_than_was_thought_gets_all_records_once() {
    let world = limited(25);
    world.equal_after_sync();
    let created = world.asked(System::Campaign);
    let created = created.iter().filter(|entry| entry.status == 201).count();
    assert_eq!(created, 60);
}

#[test]
fn a_row_outside_the_filter_that_campaign_had_before_is_deleted_where_the_mapping_says_so() {
    let world = World::new(Setup { contacts: 12, ..Setup::default() });
    world.synced();
    let out = world.contacts()[0];
    world.change(out, &json!({ "lastname": "Outsider" }));
    world.lose_store();
    world.configure(&by_filter(
        "filter = { delete_filtered_out = true, rules = [ { column = \"lastname\", is = \"ne\", value = \"Outsider\" } ] }",
        FIELDS,
    ));
    assert_eq!(world.synced().deleted, 1);
    assert_eq!(world.profiles_of(out).len(), 0);
}

#[test]
fn two_records_with_one_key_never_share_a_profile() {
    let lookup = "filter = \"byExternalId\", parameter = \"externalId_parameter\"";
    let world = World::new(Setup {
        contacts: 0,
        tables: own_key(lookup, "externalId").replace("new_extid", "jobtitle"),
        ..Setup::default()
    });
    let first = world.add(&json!({ "lastname": "First", "jobtitle": "K-1" }));
    world.synced();
    let second = world.add(&json!({ "lastname": "Second", "jobtitle": "K-1" }));
    let run = world.sync().ends(1);
    assert_eq!(run.counts().dead_lettered, 1);
    assert!(
        run.event("record.dead_lettered")["reason"].as_str().unwrap().contains(&first.to_string())
    );
    let profiles = world.sandbox.campaign().by_key("profile", "externalId", "K-1");
    assert_eq!((profiles.len(), &profiles[0]["lastName"]), (1, &json!("First")));
    world.delete(first);
    world.synced();
    let id = world.dead_letters()[0]["id"].to_string();
    world.run(&["dead-letters", "retry", &id]).ends(0);
    world.synced();
    let profiles = world.sandbox.campaign().by_key("profile", "externalId", "K-1");
    assert_eq!((profiles.len(), &profiles[0]["lastName"]), (1, &json!("Second")));
    assert!(world.contacts().contains(&second));
}
