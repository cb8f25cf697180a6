//! `trace` tells a record's story: what was read, decided, sent and answered,
//! and where the record stands.

use cdsync::sandbox::{Fault, FaultRule};
use serde_json::{Value, json};

use crate::support::{Setup, World, on_writes};

pub(crate) fn story(world: &World, id: uuid::Uuid) -> Value {
    let run = world.run(&["trace", &id.to_string(), "--json"]).ends(0);
    serde_json::from_str(&run.stdout).unwrap()
}

fn steps(story: &Value) -> Vec<&str> {
    story["entries"].as_array().unwrap().iter().map(|it| it["step"].as_str().unwrap()).collect()
}

#[test]
fn a_record_is_followed_from_its_first_version_to_its_last() {
    let world = World::new(Setup::default());
    let id = world.contacts()[3];
    world.equal_after_sync();
    world.change(id, &json!({ "lastname": "Quixote", "emailaddress1": null }));
    let busy = Fault::Status { code: 503, body: String::new() };
    world.play(FaultRule { times: Some(1), ..on_writes("PATCH", busy) });
    world.synced();
    world.calm();
    world.delete(id);
    let held = world.run(&["trace", &id.to_string(), "--table", "contact"]).ends(0);
    assert!(held.stdout.contains("now, contact: Campaign holds it"), "{}", held.stdout);
    world.synced();

    let story = story(&world, id);
    assert_eq!(
        steps(&story),
        ["create", "written", "update", "retry", "written", "delete", "deleted"]
    );
    let entries = story["entries"].as_array().unwrap();
    assert_eq!(entries[2]["fields"], json!(["lastName", "email"]), "{}", entries[2]);
    assert!(entries[2]["version"].as_i64() > entries[0]["version"].as_i64());
    assert_eq!(entries[3]["status"], 503);
    assert!(entries[3]["request_id"].is_string() || entries[3]["reason"].is_string());
    assert!(entries[3]["wait_ms"].as_u64().unwrap() > 0);
    assert_eq!(story["state"], json!([]), "gone from both sides");
    let text = world.run(&["trace", &id.to_string()]).ends(0).stdout;
    assert!(!text.contains("Quixote") && text.contains("lastName"), "{text}");
    let elsewhere = world.run(&["trace", &id.to_string(), "--table", "account"]).ends(1);
    assert!(elsewhere.stderr.contains("nothing is known"), "{}", elsewhere.stderr);
}

#[test]
fn unchanged_left_out_and_given_up_are_told_with_their_reasons() {
    let filter = "apply_deletes = true\nfilter = { rules = [ { column = \"new_points\", is = \"lt\", value = 1000 } ] }";
    let world = World::new(Setup {
        contacts: 0,
        tables: crate::support::by_filter(filter, crate::support::FIELDS),
        ..Setup::default()
    });
    let same = world.add(&json!({ "lastname": "A", "new_points": 1 }));
    let out = world.add(&json!({ "lastname": "B", "new_points": 1000 }));
    let wrong = world.add(&json!({ "firstname": "x".repeat(31), "new_points": 1 }));
    world.sync().ends(1);
    world.change(same, &json!({ "jobtitle": "not mapped" }));
    world.sync();
    assert_eq!(steps(&story(&world, same)), ["create", "written", "unchanged"]);
    let left_out = story(&world, out);
    assert_eq!(left_out["entries"][0]["reason"], "the filter leaves it out");
    let given_up = story(&world, wrong);
    assert_eq!(steps(&given_up), ["unmappable"]);
    assert!(given_up["entries"][0]["reason"].as_str().unwrap().contains("firstName"));
    let letter = given_up["dead_letters"][0]["id"].to_string();
    world.run(&["dead-letters", "retry", &letter]).ends(0);
    assert_eq!(steps(&story(&world, wrong)), ["unmappable", "retried-by-hand"]);
    assert_eq!(story(&world, wrong)["state"][0]["to_be_read"], true);
    world.change(wrong, &json!({ "firstname": "Short" }));
    world.synced();
    // Read twice: as a change, and because a person asked.
    assert!(steps(&story(&world, wrong)).contains(&"written"));
}

#[test]
fn nothing_known_and_no_id_are_said_in_words() {
    let world = World::new(Setup { contacts: 1, ..Setup::default() });
    let id = "00000000-0000-0000-0000-000000000001";
    let run = world.run(&["trace", id]).ends(1);
    assert!(run.stderr.contains(id) && run.stderr.contains("trace_days"), "{}", run.stderr);
    assert!(!world.path("store.db").exists(), "it only looks");
    let run = world.run(&["trace", "Jane"]).ends(2);
    assert!(run.stderr.contains("not the id of a record"), "{}", run.stderr);
}

#[test]
fn the_trace_costs_one_row_a_transaction_and_forgets_what_is_old() {
    let world = World::new(Setup { contacts: 300, page_rows: 300, ..Setup::default() });
    world.synced();
    let raw = || rusqlite::Connection::open(world.path("store.db")).unwrap();
    let count = |sql: &str| -> i64 { raw().query_row(sql, [], |row| row.get(0)).unwrap() };
    let decided = "SELECT count(*) FROM trace WHERE length(entries) > 300 * 40";
    assert_eq!(count(decided), 1, "one page, one row");
    raw().execute("UPDATE trace SET at_us = 1", []).unwrap();
    world.synced();
    assert_eq!(count("SELECT count(*) FROM trace"), 0);
}
