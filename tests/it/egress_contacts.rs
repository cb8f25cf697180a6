//! Whom an event regards: found by id or by key, waited for, given up, revived.

use cdsync::sandbox::System;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::egress_world::{Post, event};
use crate::ingress_tables::FIELDS;
use crate::support::Counts;

/// A contact that Dynamics does not have yet.
fn nobody() -> Uuid {
    Uuid::from_u128(0x4242)
}

fn arrive(post: &Post) {
    let row = json!({ "contactid": nobody().to_string(), "lastname": "Late" });
    post.world.add(&row);
}

#[test]
fn an_event_waits_for_its_contact_and_goes_when_it_is_there() {
    let post = Post::new(2, "");
    let known = post.world.contacts()[0];
    post.tell(0, 8, &[known, nobody()]);
    let run = post.sync().ends(0);
    let pending = Counts { read: 8, written: 4, pending: 4, ..Counts::default() };
    assert_eq!(run.counts(), pending);
    let waiting: u64 =
        run.events("contacts.waiting").iter().filter_map(|it| it["waiting"].as_u64()).sum();
    assert_eq!(waiting, 4);
    assert!(!run.stderr.contains("record.dead_lettered"));
    let still = post.synced();
    assert_eq!(still, Counts { read: 4, pending: 4, ..Counts::default() });
    arrive(&post);
    assert_eq!(post.synced(), Counts { read: 4, written: 4, ..Counts::default() });
    post.has_each_once(8);
}

#[test]
fn an_event_that_waited_too_long_is_a_dead_letter_that_can_be_revived() {
    let post = Post::new(1, "contact_wait = \"1s\"");
    post.tell(0, 1, &[nobody()]);
    assert_eq!(post.synced().pending, 1);
    // Passes follow each other until the second is over: nothing else moves it.
    let ended = (0..100).map(|_| post.sync()).find(|run| run.code == 1).unwrap();
    assert_eq!(ended.counts(), Counts { read: 1, dead_lettered: 1, ..Counts::default() });
    let letter = post.world.dead_letters().remove(0);
    assert_eq!(
        (&letter["table"], &letter["status"], &letter["flow"]),
        (&json!("new_campaignemailsend"), &json!(404), &json!("egress"))
    );
    assert!(letter["reason"].as_str().unwrap().contains("contact_wait"), "{letter}");
    let record = letter["record"].as_str().unwrap().to_owned();
    arrive(&post);
    assert_eq!(post.synced(), Counts::default(), "nobody asked for it");
    post.world.run(&["dead-letters", "retry"]).ends(0);
    assert_eq!(post.synced(), Counts { read: 1, written: 1, ..Counts::default() });
    let (_, row) = &post.activities()["e0"];
    assert_eq!(row["activityid"], Value::from(record));
}

#[test]
fn a_dead_letter_that_was_discarded_does_not_come_back_when_it_is_told_again() {
    let post = Post::new(1, "contact_wait = \"0s\"");
    post.tell(0, 1, &[nobody()]);
    assert_eq!(post.sync().ends(1).counts().dead_lettered, 1);
    let id = post.world.dead_letters()[0]["id"].to_string();
    post.world.run(&["dead-letters", "show", &id]).ends(0);
    post.world.run(&["dead-letters", "discard", &id]).ends(0);
    arrive(&post);
    post.tell(0, 1, &[nobody()]);
    assert_eq!(post.synced(), Counts { read: 1, unchanged: 1, ..Counts::default() });
    assert!(post.activities().is_empty());
}

#[test]
fn a_deleted_contact_is_waited_for_like_one_that_is_not_there_yet() {
    let post = Post::new(3, "");
    let contacts = post.world.contacts();
    post.world.synced();
    post.world.delete(contacts[1]);
    post.tell(0, 3, &contacts);
    assert_eq!(post.synced(), Counts { read: 3, written: 2, pending: 1, ..Counts::default() });
}

#[test]
fn a_contact_is_found_in_any_spelling_of_its_id() {
    let post = Post::new(1, "");
    let id = post.world.contacts()[0].to_string();
    let spellings = [format!("{{{id}}}"), format!("uuid:{id}"), id.to_uppercase()];
    let events: Vec<Value> =
        spellings.iter().enumerate().map(|(at, contact)| event(at, contact)).collect();
    post.world.sandbox.journal().add(&events);
    assert_eq!(post.synced().written, 3);
}

#[test]
fn a_contact_is_found_by_the_key_that_campaign_knows_it_by() {
    let post = Post::new(3, "");
    let key = "[[ingress.table]]\ndynamics = \"contact\"\ncampaign = \"profile\"\nkey = { from = \"emailaddress1\", to = \"externalId\", filter = \"byExternalId\", parameter = \"externalId_parameter\" }\n";
    let fields = FIELDS.replace("  { from = \"emailaddress1\", to = \"email\" },\n", "");
    let egress = crate::egress_world::egress(&post.world, "");
    post.world.configure(&format!("{key}{fields}{egress}"));
    let contacts = post.world.contacts();
    let mail = |at: usize| format!("person{at}@example.org");
    for (at, id) in contacts.iter().enumerate() {
        post.world.change(*id, &json!({ "emailaddress1": mail(at) }));
    }
    let told: Vec<Value> = (0..3).map(|at| event(at, &mail(at))).collect();
    post.world.sandbox.journal().add(&told);
    post.world.forget();
    assert_eq!(post.synced().pending, 3, "ingress has not told of them yet");
    let asked = post.world.asked(System::Dynamics);
    assert!(asked.iter().all(|entry| !entry.path.contains("$batch")), "nothing to ask");
    post.world.sync().ends(0);
    assert_eq!(post.synced().written, 3);
    for (at, id) in contacts.iter().enumerate() {
        let (_, row) = &post.activities()[&format!("e{at}")];
        assert_eq!(row["_regardingobjectid_value"], json!(id.to_string()));
    }
}
