//! Increments: what people do in Dynamics shows in Campaign, once.

use cdsync::sandbox::{Fault, FaultRule};
use serde_json::json;

use crate::support::{Counts, FIELDS, Setup, World, by_filter, on_pages};

fn loaded() -> World {
    let world = World::new(Setup { page_rows: 5, ..Setup::default() });
    world.equal_after_sync();
    world.forget();
    world
}

#[test]
fn nothing_new_costs_no_call_to_campaign_but_metadata() {
    let world = loaded();
    assert_eq!(world.equal_after_sync(), Counts::default());
    assert!(world.writes().is_empty());
    assert_eq!(world.lookups(), 0);
}

#[test]
fn a_row_saved_without_a_change_costs_no_write() {
    let world = loaded();
    let id = world.contacts()[0];
    let row = world.sandbox.dynamics().get("contact", id).unwrap();
    world.change(id, &json!({ "lastname": row["lastname"], "jobtitle": "not mapped" }));
    let counts = world.equal_after_sync();
    assert_eq!(counts, Counts { read: 1, unchanged: 1, ..Counts::default() });
    assert!(world.writes().is_empty());
}

#[test]
fn updates_clearings_and_new_contacts_follow() {
    let world = loaded();
    let ids = world.contacts();
    world.change(ids[0], &json!({ "firstname": "Édith", "new_points": 999, "new_vip": true }));
    let nothing = json!({
        "firstname": null, "emailaddress1": null, "gendercode": null, "birthdate": null,
        "new_points": null, "new_rating": null, "new_score": null, "new_revenue": null,
        "new_interests": null, "new_localtime": null, "new_token": null, "description": null,
    });
    for id in &ids[1..4] {
        world.change(*id, &nothing);
    }
    world.add(&json!({ "lastname": "Only" }));
    world.add(&json!({ "lastname": "Full", "emailaddress1": "full@example.com", "gendercode": 2,
        "new_revenue": 20000.005, "new_interests": "727000000,727000002" }));
    let counts = world.equal_after_sync();
    assert_eq!(counts, Counts { read: 6, written: 6, ..Counts::default() });
}

#[test]
fn deletions_follow_where_they_are_asked_for() {
    let world = loaded();
    let ids = world.contacts();
    world.delete(ids[3]);
    world.delete(ids[7]);
    let counts = world.equal_after_sync();
    assert_eq!(counts, Counts { read: 2, deleted: 2, ..Counts::default() });
    assert_eq!(world.equal_after_sync(), Counts::default());
}

#[test]
fn without_apply_deletes_the_profile_stays_as_it_is() {
    let world = World::new(Setup { tables: by_filter("", FIELDS), ..Setup::default() });
    world.equal_after_sync();
    let id = world.contacts()[3];
    let before = world.profile(id);
    world.delete(id);
    world.forget();
    let counts = world.synced();
    assert_eq!(counts, Counts { read: 1, filtered: 1, ..Counts::default() });
    assert!(world.writes().is_empty());
    assert_eq!(world.profile(id), before);
    assert_eq!(world.synced(), Counts::default());
}

#[test]
fn a_contact_created_again_with_its_id_is_there_once() {
    let world = loaded();
    let id = world.contacts()[3];
    world.delete(id);
    world.add(&json!({ "contactid": id.to_string(), "lastname": "Back at once" }));
    world.synced();
    // To Campaign the profile was there all the time, so it keeps its first date.
    world.equal_but("cusCustomerSince");
    assert_eq!(world.profile(id)["lastName"], "Back at once");
    world.delete(id);
    world.synced();
    assert!(world.profiles_of(id).is_empty());
    world.add(&json!({ "contactid": id.to_string(), "lastname": "Back later" }));
    world.equal_after_sync();
    assert_eq!(world.profile(id)["lastName"], "Back later");
}

#[test]
fn a_contact_created_and_deleted_between_two_passes_leaves_no_trace() {
    let world = loaded();
    let id = world.add(&json!({ "lastname": "Mayfly" }));
    world.delete(id);
    world.equal_after_sync();
    assert!(world.writes().is_empty());
}

#[test]
fn a_merge_updates_two_records_and_loses_none() {
    let world = loaded();
    let ids = world.contacts();
    world.change(ids[0], &json!({ "lastname": "Winner" }));
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    let counts = world.equal_after_sync();
    assert_eq!((counts.read, counts.deleted), (2, 0));
    assert_eq!(world.sandbox.campaign().count("profile"), ids.len());
}

#[test]
fn of_many_changes_of_a_contact_the_last_one_counts() {
    let world = loaded();
    let id = world.contacts()[0];
    for number in 0..40 {
        world.change(id, &json!({ "lastname": format!("Version {number}") }));
    }
    let counts = world.equal_after_sync();
    assert_eq!(counts, Counts { read: 1, written: 1, ..Counts::default() });
    assert_eq!(world.profile(id)["lastName"], "Version 39");
}

#[test]
fn repeated_rows_and_empty_pages_within_a_delta_change_nothing() {
    let world = loaded();
    for (round, fault) in [Fault::DuplicateRows, Fault::EmptyPage].into_iter().enumerate() {
        for id in world.contacts() {
            world.change(id, &json!({ "lastname": format!("Round {round}") }));
        }
        world.delete(world.contacts()[0]);
        world.forget();
        world.play(FaultRule { times: Some(4), ..on_pages(fault) });
        world.equal_after_sync();
        let patches = world.verbs().into_iter().filter(|verb| verb == "PATCH").count();
        assert_eq!(patches, world.contacts().len(), "one update for each");
    }
}

#[test]
fn a_pass_that_goes_on_where_another_ended_sees_what_changed_since() {
    let world = loaded();
    let ids = world.contacts();
    for id in &ids {
        world.change(*id, &json!({ "lastname": "Panza" }));
    }
    let refused = Fault::Status { code: 403, body: String::new() };
    let second = FaultRule { path: Some("skiptoken".to_owned()), ..on_pages(refused) };
    world.play(second);
    world.sync().ends(3);
    world.calm();
    // On a page that was read already.
    for id in &ids {
        world.change(*id, &json!({ "lastname": "Quixote" }));
    }
    world.equal_after_sync();
}
