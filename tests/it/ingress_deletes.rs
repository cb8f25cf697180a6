//! The delete guard: large waves wait for a person.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Counts, FIELDS, Setup, World, by_filter};

fn guarded(guard: &str) -> World {
    let options = format!("apply_deletes = true\n{guard}");
    let world = World::new(Setup { tables: by_filter(&options, FIELDS), ..Setup::default() });
    world.equal_after_sync();
    world.forget();
    world
}

fn delete_first(world: &World, count: usize) -> Vec<Uuid> {
    let ids: Vec<Uuid> = world.contacts().into_iter().take(count).collect();
    for id in &ids {
        world.delete(*id);
    }
    ids
}

fn contact(status: &Value) -> &Value {
    &status["tables"]["contact"]
}

#[test]
fn more_deletions_than_rows_allow_are_held_until_they_are_approved() {
    let world = guarded("delete_guard = { rows = 3 }");
    delete_first(&world, 4);
    for _ in 0..2 {
        let run = world.sync().ends(1);
        let held = run.event("deletes.held");
        assert_eq!((&held["held"], &held["mapped"]), (&json!(4), &json!(24)));
        assert_eq!((&held["limit"], &held["table"]), (&json!("rows"), &json!("contact")));
        assert_eq!(run.counts().pending, 4);
        assert!(world.writes().is_empty());
    }
    let status = world.status();
    assert_eq!(contact(&status)["deletes_held"], 4);
    assert_eq!(contact(&status)["deletes_approved"], 0);
    let told = world.run(&["status"]).ends(0);
    assert!(told.stdout.contains("approve-deletes contact"), "{}", told.stdout);
    world.run(&["approve-deletes", "contact"]).ends(0);
    assert!(world.writes().is_empty(), "the approval itself deletes nothing");
    assert_eq!(contact(&world.status())["deletes_approved"], 4);
    let run = world.sync().ends(0);
    assert_eq!(run.event("deletes.released")["released"], 4);
    assert_eq!(run.counts(), Counts { read: 4, deleted: 4, ..Counts::default() });
    world.equal();
}

#[test]
fn three_deletions_pass_where_three_are_allowed() {
    let world = guarded("delete_guard = { rows = 3 }");
    delete_first(&world, 3);
    world.equal_after_sync();
}

#[test]
fn a_share_beyond_percent_is_held() {
    let world = guarded("delete_guard = { percent = 10 }");
    delete_first(&world, 3);
    assert_eq!(world.sync().ends(1).event("deletes.held")["limit"], "percent");
    assert_eq!(world.sandbox.campaign().count("profile"), 24);
    let world = guarded("delete_guard = { percent = 10 }");
    delete_first(&world, 2);
    world.equal_after_sync();
}

#[test]
fn the_default_guard_does_not_hold_a_small_table_for_a_few_records() {
    let world = guarded("");
    delete_first(&world, 20);
    world.equal_after_sync();
}

#[test]
fn the_default_guard_holds_a_wave_of_more_than_fifty() {
    let world = World::new(Setup { contacts: 60, ..Setup::default() });
    world.equal_after_sync();
    delete_first(&world, 51);
    assert_eq!(world.sync().ends(1).event("deletes.held")["held"], 51);
    assert_eq!(world.sandbox.campaign().count("profile"), 60);
}

#[test]
fn an_approval_covers_the_wave_that_was_held_and_no_later_one() {
    let world = guarded("delete_guard = { rows = 3 }");
    let first = delete_first(&world, 4);
    world.sync().ends(1);
    world.run(&["approve-deletes", "contact"]).ends(0);
    let second = delete_first(&world, 5);
    let run = world.sync().ends(1);
    assert_eq!(run.event("deletes.held")["held"], 5);
    assert_eq!(run.counts(), Counts { read: 9, deleted: 4, pending: 5, ..Counts::default() });
    assert!(first.iter().all(|id| world.profiles_of(*id).is_empty()));
    assert!(second.iter().all(|id| world.profiles_of(*id).len() == 1));
}

#[test]
fn a_held_deletion_is_taken_back_when_the_contact_is_there_again() {
    let world = guarded("delete_guard = { rows = 1 }");
    let ids = delete_first(&world, 2);
    world.sync().ends(1);
    for id in &ids {
        world.add(&json!({ "contactid": id.to_string(), "lastname": "Restored" }));
    }
    world.synced();
    world.equal_but("cusCustomerSince");
    assert_eq!(contact(&world.status())["deletes_held"], 0);
    assert!(world.verbs().iter().all(|verb| verb == "PATCH"), "{:?}", world.verbs());
}

#[test]
fn other_changes_go_on_while_deletions_are_held() {
    let world = guarded("delete_guard = { rows = 1 }");
    delete_first(&world, 2);
    world.change(world.contacts()[0], &json!({ "lastname": "Goes on" }));
    world.sync().ends(1);
    assert_eq!(world.profile(world.contacts()[0])["lastName"], "Goes on");
}

#[test]
fn the_guard_sees_deletions_that_a_lost_token_brought_to_light() {
    let world = guarded("delete_guard = { rows = 3 }");
    delete_first(&world, 4);
    world.sandbox.dynamics().expire_tokens();
    assert_eq!(world.sync().ends(1).event("deletes.held")["held"], 4);
    assert!(world.writes().is_empty());
}

#[test]
fn an_approval_for_a_table_that_is_not_mapped_is_a_usage_error() {
    let world = guarded("");
    world.run(&["approve-deletes", "account"]).ends(2);
    world.run(&["approve-deletes", "contact"]).ends(0);
}
