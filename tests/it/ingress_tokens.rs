//! Lost delta tokens and reads that come back empty.

use cdsync::sandbox::{Fault, FaultRule, Variants};
use serde_json::json;

use crate::support::{Counts, Setup, World, on_pages};

fn loaded(delta_expired: u16) -> World {
    let variants = Variants { delta_expired, ..Variants::default() };
    let world = World::new(Setup { page_rows: 5, variants, ..Setup::default() });
    world.equal_after_sync();
    world.forget();
    world
}

#[test]
fn a_lost_token_makes_a_full_read_that_writes_differences_only() {
    for status in [400, 410] {
        let world = loaded(status);
        let ids = world.contacts();
        world.change(ids[0], &json!({ "lastname": "Changed meanwhile" }));
        world.add(&json!({ "lastname": "New meanwhile" }));
        world.delete(ids[5]);
        world.sandbox.dynamics().expire_tokens();
        let run = world.sync().ends(0);
        world.equal();
        assert_eq!(run.event("cursor.expired")["table"], "contact");
        assert!(run.event("cursor.expired")["from"].is_string());
        assert_eq!(run.event("load.started")["reason"], "cursor-expired");
        assert_eq!(world.verbs(), ["DELETE", "PATCH", "POST"]);
        assert_eq!((run.counts().written, run.counts().deleted), (2, 1));
        assert_eq!(world.equal_after_sync(), Counts::default(), "at rest again");
    }
}

fn expired(code: u16) -> Fault {
    let body = r#"{"error":{"code":"0x80044352","message":"Version stamp associated with the client has expired. Please perform a full sync."}}"#;
    Fault::Status { code, body: body.to_owned() }
}

#[test]
fn a_token_lost_in_the_middle_of_a_delta_loses_no_change() {
    for code in [400, 410] {
        let world = loaded(code);
        for id in world.contacts() {
            world.change(id, &json!({ "lastname": "All of them" }));
        }
        world.delete(world.contacts()[0]);
        world.play(FaultRule { after: Some(2), times: Some(1), ..on_pages(expired(code)) });
        let run = world.sync().ends(0);
        world.equal();
        run.event("cursor.expired");
    }
}

#[test]
fn a_token_lost_during_a_full_read_begins_it_again() {
    for code in [400, 410] {
        let world = World::new(Setup { page_rows: 5, ..Setup::default() });
        world.play(FaultRule { after: Some(2), times: Some(1), ..on_pages(expired(code)) });
        let run = world.sync().ends(0);
        world.equal();
        run.event("cursor.expired");
        let created = world.verbs();
        assert!(created.iter().all(|verb| verb == "POST") && created.len() == 24, "{created:?}");
    }
}

#[test]
fn a_token_that_is_lost_again_and_again_makes_no_loop_without_end() {
    let world = loaded(400);
    world.play(on_pages(Fault::ExpiredDelta));
    let run = world.sync().ends(1);
    let reason = run.event("table.failed")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("token"), "{reason}");
    assert!(world.pages().len() < 40, "{} pages", world.pages().len());
    assert!(world.writes().is_empty());
    world.calm();
    world.change(world.contacts()[0], &json!({ "lastname": "Afterwards" }));
    world.equal_after_sync();
}

#[test]
fn a_token_that_is_not_understood_makes_a_full_read_too() {
    let world = loaded(400);
    world.change(world.contacts()[0], &json!({ "lastname": "Changed" }));
    world.delete(world.contacts()[1]);
    let body =
        r#"{"error":{"code":"0x80060888","message":"The $deltatoken query option is malformed."}}"#;
    let refused = Fault::Status { code: 400, body: body.to_owned() };
    world.play(FaultRule { times: Some(1), ..on_pages(refused) });
    let run = world.sync().ends(0);
    world.equal();
    assert_eq!(run.event("load.started")["reason"], "cursor-refused");
    assert_eq!(world.verbs(), ["DELETE", "PATCH"]);
}

/// A page that ends the read without one row, as a filter gone wrong makes it.
fn nothing_at_all(world: &World) -> FaultRule {
    let link = format!("{}/api/data/v9.2/contacts?$deltatoken=1", world.sandbox.origin());
    let body = json!({ "value": [], "@odata.deltaLink": link }).to_string();
    let rule = on_pages(Fault::Status { code: 200, body });
    FaultRule { path: Some("/contacts?$select".to_owned()), ..rule }
}

#[test]
fn a_read_of_nothing_where_many_were_is_an_alarm_and_heals_with_the_next_good_read() {
    let world = loaded(400);
    world.sandbox.dynamics().expire_tokens();
    for past in [1, 0] {
        // At first the lost token is told of, then the full read is empty.
        world.play(FaultRule { after: Some(past), ..nothing_at_all(&world) });
        let run = world.sync().ends(1);
        assert_eq!(run.event("read.empty")["mapped"], 24);
        assert!(world.writes().is_empty(), "nothing is deleted");
        assert_eq!(world.status()["tables"]["contact"]["empty_read_held"], true);
    }
    world.calm();
    world.change(world.contacts()[0], &json!({ "lastname": "Healed" }));
    world.delete(world.contacts()[1]);
    world.equal_after_sync();
    assert_eq!(world.status()["tables"]["contact"]["empty_read_held"], false);
    assert_eq!(world.verbs(), ["DELETE", "PATCH"]);
}

#[test]
fn a_table_that_really_is_empty_is_emptied_once_a_person_says_so() {
    let world = loaded(400);
    for id in world.contacts() {
        world.delete(id);
    }
    world.sandbox.dynamics().expire_tokens();
    world.sync().ends(1).event("read.empty");
    assert!(world.writes().is_empty());
    world.run(&["approve-deletes", "contact"]).ends(0);
    world.equal_after_sync();
    assert_eq!(world.sandbox.campaign().count("profile"), 0);
    assert_eq!(world.equal_after_sync(), Counts::default());
}

#[test]
fn a_column_added_to_the_table_costs_a_read_and_no_write() {
    let world = loaded(400);
    let kind = cdsync::sandbox::ColumnType::Text { max: 20 };
    world.sandbox.dynamics().add_column("contact", "new_Later", kind).unwrap();
    world.equal_after_sync();
    assert!(world.writes().is_empty());
}

#[test]
fn an_old_cursor_is_told_of_before_it_is_lost() {
    let world = loaded(400);
    world.sandbox.dynamics().set_retention_days(30).unwrap();
    world.synced();
    assert_eq!(world.status()["tables"]["contact"]["retention_seconds"], 30 * 86_400);
    assert!(world.status()["tables"]["contact"]["cursor_age_seconds"].is_u64());
}

#[test]
fn a_link_refused_with_a_code_that_nobody_listed_leads_to_a_full_read_as_well() {
    for code in ["0x80040203", "0x0", "0x80041129"] {
        let world = loaded(400);
        let body =
            format!(r#"{{"error":{{"code":"{code}","message":"The token is not valid."}}}}"#);
        world.play(FaultRule {
            path: Some("deltatoken".into()),
            times: Some(1),
            ..FaultRule::always(Fault::Status { code: 400, body })
        });
        world.change(world.contacts()[0], &json!({ "lastname": "Later" }));
        let run = world.sync().ends(0);
        assert_eq!(run.event("load.started")["reason"], "cursor-refused", "{code}");
        world.equal();
    }
}

#[test]
fn a_table_that_cannot_be_read_shows_in_the_status_and_in_the_exit_code() {
    let world = loaded(400);
    let rule = on_pages(Fault::Status { code: 500, body: "boom".into() });
    world.play(rule);
    world.sync().ends(4);
    assert_eq!(world.status()["flows"]["ingress"]["state"], "failed");
    world.calm();
    world.sync().ends(0);
    assert_eq!(world.status()["flows"]["ingress"]["state"], "idle");
}

/// A page of all contacts as Dynamics gives it, without the links at its end.
fn without_links(world: &World) -> Fault {
    let dynamics = world.sandbox.dynamics();
    let row = |id: &uuid::Uuid| {
        let mut row = dynamics.get("contact", *id).unwrap();
        row.insert("contactid".to_owned(), json!(id));
        row.insert("@odata.etag".to_owned(), json!(format!("W/\"{}\"", row["versionnumber"])));
        row
    };
    let rows: Vec<_> = world.contacts().iter().map(row).collect();
    let context = format!("{}/api/data/v9.2/$metadata#contacts", world.sandbox.origin());
    let body = json!({ "@odata.context": context, "value": rows }).to_string();
    Fault::Status { code: 200, body }
}

#[test]
fn a_full_read_whose_last_page_has_no_token_is_no_success_and_is_read_again() {
    let world = World::new(Setup::default());
    world.play(FaultRule { times: Some(1), ..on_pages(without_links(&world)) });
    let run = world.sync().ends(1);
    let reason = run.event("table.failed")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("without a delta link"), "{reason}");
    assert!(world.writes().is_empty(), "nothing of a read without an end");
    world.forget();
    world.equal_after_sync();
    assert_eq!(world.sync().ends(0).counts(), Counts::default(), "followed from here on");
}

#[test]
fn changes_without_a_token_behind_them_are_taken_and_asked_for_again() {
    let world = loaded(400);
    world.change(world.contacts()[0], &json!({ "lastname": "Seen without a token" }));
    world.play(FaultRule { times: Some(1), ..on_pages(without_links(&world)) });
    assert_eq!(world.synced().written, 1);
    world.equal();
    world.change(world.contacts()[1], &json!({ "lastname": "Behind it" }));
    world.delete(world.contacts()[2]);
    world.equal_after_sync();
    assert_eq!(world.equal_after_sync(), Counts::default(), "at rest again");
}
