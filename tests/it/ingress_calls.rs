//! What each change costs, counted at the server, and what is left alone.

use cdsync::sandbox::Variants;
use serde_json::{Value, json};

use crate::support::{Counts, FIELDS, Setup, World, by_filter, by_uri};

fn loaded(tables: String) -> World {
    let world = World::new(Setup { tables, ..Setup::default() });
    world.equal_after_sync();
    world.forget();
    world
}

#[test]
fn through_a_key_in_the_uri_every_change_costs_one_call() {
    let world = loaded(by_uri("apply_deletes = true", FIELDS));
    let ids = world.contacts();
    world.change(ids[0], &json!({ "lastname": "Changed" }));
    world.equal_after_sync();
    let [(verb, path)] = &world.writes()[..] else { panic!("{:?}", world.writes()) };
    assert_eq!(verb, "PATCH");
    assert!(path.ends_with(&format!("/profile/{}", ids[0])), "{path}");
    assert_eq!(world.lookups(), 0);
    world.forget();
    world.delete(ids[1]);
    world.equal_after_sync();
    assert_eq!((world.verbs(), world.lookups()), (vec!["DELETE".to_owned()], 0));
    world.forget();
    world.add(&json!({ "lastname": "New" }));
    world.equal_after_sync();
    assert_eq!((world.verbs(), world.lookups()), (vec!["POST".to_owned()], 0));
}

#[test]
fn through_a_filter_a_change_costs_two_calls_and_a_new_record_one() {
    let world = loaded(by_filter("apply_deletes = true", FIELDS));
    let ids = world.contacts();
    world.change(ids[0], &json!({ "lastname": "Changed" }));
    world.equal_after_sync();
    assert_eq!((world.verbs(), world.lookups()), (vec!["PATCH".to_owned()], 1));
    world.forget();
    world.delete(ids[1]);
    world.equal_after_sync();
    assert_eq!((world.verbs(), world.lookups()), (vec!["DELETE".to_owned()], 1));
    world.forget();
    world.add(&json!({ "lastname": "New" }));
    world.equal_after_sync();
    assert_eq!((world.verbs(), world.lookups()), (vec!["POST".to_owned()], 0));
}

#[test]
fn the_calls_that_are_told_are_those_the_server_saw() {
    let world = loaded(by_filter("", FIELDS));
    world.change(world.contacts()[0], &json!({ "lastname": "Changed" }));
    let run = world.sync().ends(0);
    let seen = world.sandbox.requests().count(cdsync::sandbox::System::Campaign);
    assert_eq!(run.event("flow.finished")["calls"], seen);
}

#[test]
fn fields_that_are_not_mapped_are_never_touched() {
    for tables in [by_uri("", FIELDS), by_filter("", FIELDS)] {
        let world = loaded(tables);
        let id = world.contacts()[0];
        let email = world.profile(id)["email"].clone();
        let own = json!({ "middleName": "Kept", "cusSegment": "gold", "blackListFax": true });
        let campaign = world.sandbox.campaign();
        for field in ["externalId", "cusCrmId"] {
            campaign.update("profile", field, &id.to_string(), &own).unwrap();
        }
        world.change(id, &json!({ "lastname": "Changed" }));
        world.equal_after_sync();
        let profile = world.profile(id);
        assert_eq!(
            (&profile["middleName"], &profile["cusSegment"], &profile["blackListFax"]),
            (&json!("Kept"), &json!("gold"), &json!(true))
        );
        assert_eq!(profile["email"], email);
    }
}

#[test]
fn only_changed_fields_are_sent_so_an_opt_out_keeps_its_time() {
    for tables in [by_uri("", FIELDS), by_filter("", FIELDS)] {
        let world = loaded(tables);
        let id = world.contacts()[0];
        let stamps = |world: &World| {
            let profile = world.profile(id);
            let of = |name: &str| profile.get(name).cloned().unwrap_or(Value::Null);
            (of("blackListEmailLastModified"), of("blackListPhoneLastModified"))
        };
        let before = stamps(&world);
        world.change(id, &json!({ "lastname": "Changed" }));
        world.equal_after_sync();
        assert_eq!(stamps(&world), before, "neither flag was written");
        let now = world.profile(id)["blackListEmail"] == json!(true);
        world.change(id, &json!({ "donotbulkemail": !now }));
        world.equal_after_sync();
        let after = stamps(&world);
        assert!(after.0 != before.0 && after.1 == before.1, "{before:?} {after:?}");
    }
}

#[test]
fn a_fresh_store_doubles_nothing_and_writes_differences_only() {
    for tables in [by_uri("", FIELDS), by_filter("", FIELDS)] {
        for unique_external_id in [true, false] {
            let variants = Variants { unique_external_id, ..Variants::default() };
            let setup = Setup { tables: tables.clone(), variants, ..Setup::default() };
            let world = World::new(setup);
            world.equal_after_sync();
            let ids = world.contacts();
            world.change(ids[0], &json!({ "lastname": "Changed meanwhile" }));
            let drifted = ids[1].to_string();
            let field = if tables.contains("in_uri") { "cusCrmId" } else { "externalId" };
            let edit = json!({ "firstName": "Edited by hand" });
            assert_eq!(
                world.sandbox.campaign().update("profile", field, &drifted, &edit).unwrap(),
                1
            );
            world.lose_store();
            world.forget();
            let counts = world.equal_after_sync();
            assert_eq!(world.verbs(), ["PATCH", "PATCH"]);
            let known = Counts { read: 24, written: 2, unchanged: 22, ..Counts::default() };
            assert_eq!(counts, known);
        }
    }
}

#[test]
fn a_fresh_store_never_deletes_what_it_does_not_know() {
    let world = World::new(Setup::default());
    world.equal_after_sync();
    let gone = world.contacts()[3];
    world.lose_store();
    world.delete(gone);
    world.sandbox.campaign().insert("profile", &json!({ "lastName": "Has no key" })).unwrap();
    world.synced();
    assert_eq!(world.profiles_of(gone).len(), 1);
    assert_eq!(world.sandbox.campaign().count("profile"), 25);
}

#[test]
fn of_two_profiles_with_one_key_none_is_guessed() {
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    let world = World::new(Setup { variants, ..Setup::default() });
    let id = world.contacts()[4];
    for name in ["One", "Two"] {
        let twin = json!({ "externalId": id.to_string(), "lastName": name });
        world.sandbox.campaign().insert("profile", &twin).unwrap();
    }
    let run = world.sync().ends(1);
    assert_eq!((run.counts().written, run.counts().dead_lettered), (23, 1));
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["record"], id.to_string());
    assert!(letters[0]["reason"].as_str().unwrap().contains("2 records"), "{letters:?}");
    let names: Vec<Value> =
        world.profiles_of(id).into_iter().map(|row| row["lastName"].clone()).collect();
    assert_eq!(names, [json!("One"), json!("Two")], "neither was touched");
}

#[test]
fn a_second_profile_that_appears_later_stops_its_record_only() {
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    let world = World::new(Setup { variants, ..Setup::default() });
    world.equal_after_sync();
    let id = world.contacts()[4];
    let twin = json!({ "externalId": id.to_string(), "lastName": "Twin" });
    world.sandbox.campaign().insert("profile", &twin).unwrap();
    world.change(id, &json!({ "lastname": "Changed" }));
    world.change(world.contacts()[5], &json!({ "lastname": "Fine" }));
    let run = world.sync().ends(1);
    assert_eq!((run.counts().written, run.counts().dead_lettered), (1, 1));
    // Someone removes both; the record can be written again.
    world.sandbox.campaign().delete("profile", "externalId", &id.to_string());
    world.run(&["dead-letters", "retry"]).ends(0);
    world.equal_after_sync();
    assert!(world.dead_letters().is_empty());
}

#[test]
fn a_profile_deleted_in_campaign_is_created_anew_with_the_next_change() {
    for tables in [by_uri("", FIELDS), by_filter("", FIELDS)] {
        let world = loaded(tables);
        let id = world.contacts()[0];
        let campaign = world.sandbox.campaign();
        for field in ["externalId", "cusCrmId"] {
            campaign.delete("profile", field, &id.to_string());
        }
        world.change(id, &json!({ "lastname": "Changed" }));
        world.equal_after_sync();
    }
}
