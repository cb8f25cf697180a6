//! Events become activities: one each, with all columns, in few requests.

use cdsync::sandbox::{System, Variants};
use serde_json::json;

use crate::egress_world::{Post, event};
use crate::support::Counts;

#[test]
fn every_event_becomes_one_activity_with_all_that_is_known_of_it() {
    let post = Post::new(5, "");
    let contacts = post.world.contacts();
    post.tell(0, 40, &contacts);
    let counts = post.synced();
    assert_eq!(counts, Counts { read: 40, written: 40, ..Counts::default() });
    post.has_each_once(40);
    let activities = post.activities();
    for at in 0..4 {
        let (kind, row) = &activities[&format!("e{at}")];
        assert_eq!(*kind, ["send", "open", "click", "bounce"][at]);
        let subject = format!("Campaign Name: CMP{}; Delivery Name: DM190", at % 3);
        let url = if *kind == "click" { json!("https://example.org/offer") } else { json!(null) };
        for (column, value) in [
            ("subject", json!(subject)),
            ("_regardingobjectid_value", json!(contacts[at].to_string())),
            ("new_eventdate", json!(format!("2026-03-01T12:00:0{at}Z"))),
            ("new_campaignname", json!(format!("CMP{}", at % 3))),
            ("new_deliveryname", json!("DM190")),
            ("new_mirrorpageurl", json!("https://mirror.example.org/1")),
            ("new_trackingurl", url),
            ("statecode", json!(0)),
        ] {
            assert_eq!(row.get(column).cloned().unwrap_or_default(), value, "{kind}.{column}");
        }
    }
    assert_eq!(post.synced(), Counts::default(), "nothing is told twice by itself");
}

#[test]
fn an_event_that_is_told_again_costs_no_request_and_does_not_come_back() {
    let post = Post::new(1, "");
    let contacts = post.world.contacts();
    post.tell(0, 8, &contacts);
    post.synced();
    let dynamics = post.world.sandbox.dynamics();
    let first = dynamics.ids("new_campaignemailsend")[0];
    assert!(dynamics.delete("new_campaignemailsend", first));
    post.world.forget();
    post.tell(0, 8, &contacts);
    assert_eq!(post.synced(), Counts { read: 8, unchanged: 8, ..Counts::default() });
    assert_eq!(post.batches(), 0);
    assert_eq!(post.activities().len(), 7, "what a person deleted stays deleted");
}

#[test]
fn a_lost_store_finds_the_activities_there() {
    let post = Post::new(1, "");
    let contacts = post.world.contacts();
    post.tell(0, 8, &contacts);
    post.synced();
    post.world.lose_store();
    post.tell(8, 4, &contacts);
    assert_eq!(post.synced(), Counts { read: 12, written: 12, ..Counts::default() });
    post.has_each_once(12);
}

#[test]
fn thousands_of_events_cost_a_request_for_each_hundred_at_most() {
    const EVENTS: usize = 2000;
    let post = Post::new(20, "");
    let contacts = post.world.contacts();
    post.tell(0, EVENTS, &contacts);
    post.world.forget();
    assert_eq!(post.synced().written, EVENTS as u64);
    let calls = post.world.sandbox.requests().count(System::Dynamics);
    assert!(calls <= EVENTS as u64 / 100, "{calls} requests for {EVENTS} events");
    assert!(post.batches() <= EVENTS / 200 + 2, "{} batches", post.batches());
    post.has_each_once(EVENTS);
}

#[test]
fn names_of_relations_are_read_whatever_their_casing() {
    let variants = Variants { navigation_by_schema_name: true, ..Variants::default() };
    let post = Post::with(2, "", variants);
    post.tell(0, 8, &post.world.contacts());
    assert_eq!(post.synced().written, 8);
    post.has_each_once(8);
}

#[test]
fn activities_are_completed_where_that_is_asked_for() {
    let post = Post::new(2, "complete_activities = true");
    post.tell(0, 12, &post.world.contacts());
    assert_eq!(post.synced(), Counts { read: 12, written: 12, ..Counts::default() });
    post.has_each_once(12);
    for (event, (_, row)) in post.activities() {
        assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(1), &json!(2)), "{event}");
    }
}

#[test]
fn a_server_that_takes_fewer_rows_at_a_time_gets_fewer() {
    let variants = Variants { batch_operations: 7, ..Variants::default() };
    let post = Post::with(2, "", variants);
    post.tell(0, 60, &post.world.contacts());
    post.world.forget();
    assert_eq!(post.synced().written, 60);
    post.has_each_once(60);
    assert!(post.batches() <= 20, "{} batches: it is learned once", post.batches());
}

#[test]
fn a_text_that_is_too_long_is_told_with_its_column_and_stops_nobody() {
    let post = Post::new(1, "");
    let contact = post.world.contacts()[0].to_string();
    let mut long = event(0, &contact);
    long["campaign"] = json!("c".repeat(401));
    let mut hostile = event(2, &contact);
    hostile["url"] = json!("javascript:alert(1)");
    post.world.sandbox.journal().add(&[long, event(1, &contact), hostile]);
    let counts = post.sync().ends(1).counts();
    assert_eq!((counts.written, counts.dead_lettered), (1, 2));
    let letters = post.world.dead_letters();
    let told = |table: &str| {
        let letter = letters.iter().find(|it| it["table"] == table).unwrap();
        assert_eq!(letter["flow"], "egress");
        letter["reason"].as_str().unwrap().to_owned()
    };
    assert!(told("new_campaignemailsend").contains("`new_campaignname`"));
    assert!(told("new_campaignemailclick").contains("`new_trackingurl`"));
}

#[test]
fn a_table_that_is_missing_is_told_and_the_others_go_on() {
    let post = Post::new(1, "");
    post.tell(0, 8, &post.world.contacts());
    let dynamics = post.world.sandbox.dynamics();
    dynamics.remove_table("new_campaignemailopen").unwrap();
    let run = post.sync().ends(1);
    let counts = run.counts();
    assert_eq!((counts.written, counts.pending, counts.dead_lettered), (6, 2, 0));
    let failed = run.event("table.failed");
    assert_eq!(failed["table"], "new_campaignemailopen");
    assert!(failed["reason"].as_str().unwrap().contains("cdsync provision"), "{failed}");
    dynamics.restore_table("new_campaignemailopen").unwrap();
    assert_eq!(post.synced().written, 2);
    post.has_each_once(8);
}

#[test]
fn a_column_that_is_missing_stops_its_table_only() {
    let post = Post::new(1, "");
    let dynamics = post.world.sandbox.dynamics();
    for column in ["new_deliveryname", "new_eventdate"] {
        dynamics.remove_column("new_campaignemailclick", column).unwrap();
        let first = post.activities().len();
        post.tell(if first == 0 { 0 } else { 4 }, 4, &post.world.contacts());
        let run = post.sync().ends(1);
        let failed = run.event("table.failed");
        assert_eq!(failed["table"], "new_campaignemailclick");
        assert!(failed["reason"].as_str().unwrap().contains(column), "{failed}");
        assert_eq!(run.counts().dead_lettered, 0);
        dynamics.restore_column("new_campaignemailclick", column).unwrap();
        post.synced();
    }
    post.has_each_once(8);
}

#[test]
fn a_missing_privilege_ends_with_its_name() {
    let post = Post::new(1, "");
    post.tell(0, 8, &post.world.contacts());
    let dynamics = post.world.sandbox.dynamics();
    dynamics.set_privilege("prvAppendToContact", false);
    let run = post.sync().ends(3);
    assert!(run.stderr.contains("prvAppendToContact"), "{}", run.stderr);
    assert_eq!(run.counts().pending, 8);
    dynamics.set_privilege("prvAppendToContact", true);
    assert_eq!(post.synced().written, 8);
}

#[test]
fn trace_tells_the_story_of_an_activity() {
    let post = Post::new(1, "");
    let known = post.world.contacts()[0];
    post.tell(0, 2, &[known, uuid::Uuid::from_u128(0x77)]);
    post.synced();
    let (_, row) = &post.activities()["e0"];
    let id = row["activityid"].as_str().unwrap();
    let told = post.world.run(&["trace", id]).ends(0).stdout;
    assert!(told.contains("new_campaignemailsend") && told.contains("written"), "{told}");
    let log = post.sync().ends(0);
    assert_eq!(log.counts().pending, 1);
}
