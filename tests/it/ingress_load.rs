//! The first load: page by page, and what happens in its midst.

use cdsync::sandbox::{Fault, FaultRule, System, TokenMoment, Variants};
use serde_json::json;

use crate::support::{Counts, Setup, World, on_pages, status};

fn in_pages(contacts: usize) -> Setup {
    Setup { contacts, page_rows: 5, ..Setup::default() }
}

#[test]
fn all_contacts_arrive_over_many_pages_with_one_call_each() {
    let world = World::new(in_pages(23));
    let counts = world.equal_after_sync();
    assert_eq!((counts.written, counts.dead_lettered, counts.pending), (23, 0, 0));
    assert!(world.pages().len() > 5, "five pages, the catch-up and the first delta");
    assert_eq!(world.verbs(), ["POST"; 23]);
    assert_eq!(world.lookups(), 0);
    let status = world.status();
    assert_eq!(status["tables"]["contact"]["records"], 23);
    assert_eq!(status["flows"]["ingress"]["state"], "idle");
    assert_eq!(status["flows"]["ingress"]["backlog"], 0);
    assert!(status["flows"]["ingress"]["last_success"].is_string());
}

#[test]
fn an_empty_table_is_loaded_without_a_word() {
    let world = World::new(Setup { contacts: 0, ..Setup::default() });
    assert_eq!(world.equal_after_sync(), Counts::default());
    assert_eq!(world.equal_after_sync(), Counts::default());
}

/// Loads until Dynamics falls silent after `pages` pages.
fn stopped_after(world: &World, pages: u64) {
    world.play(FaultRule { after: Some(pages), ..on_pages(status(503)) });
    let run = world.sync_for("1").ends(4);
    assert_eq!(run.event("flow.finished")["outcome"], "failed");
    run.event("sync.gave_up");
    world.calm();
}

#[test]
fn a_load_that_stops_goes_on_at_the_page_it_had_reached() {
    let world = World::new(in_pages(23));
    stopped_after(&world, 2);
    assert_eq!(world.status()["tables"]["contact"]["state"], "full-read");
    let posts = world.verbs().len();
    world.forget();
    world.equal_after_sync();
    let again = world.pages();
    assert!(again[0].path.contains("skiptoken"), "{}", again[0].path);
    assert!(
        again.iter().all(|page| {
            page.path.ends_with("$select=contactid")
                || ["token", "filter"].iter().any(|word| page.path.contains(word))
        }),
        "no page is read from the start: {again:#?}"
    );
    assert_eq!(posts + world.verbs().len(), 23, "each contact is created once");
}

#[test]
fn what_changes_between_the_pages_of_a_load_is_right_at_its_end() {
    for first_token in [TokenMoment::LastPage, TokenMoment::FirstPage] {
        let variants = Variants { first_token, ..Variants::default() };
        let world = World::new(Setup { variants, ..in_pages(23) });
        stopped_after(&world, 2);
        let ids = world.contacts();
        world.change(ids[1], &json!({ "lastname": "Already read", "new_points": 12 }));
        world.change(ids[21], &json!({ "lastname": "Not read yet" }));
        world.delete(ids[20]);
        for number in 0..3 {
            world.add(&json!({ "lastname": format!("New {number}") }));
        }
        world.equal_after_sync();
        world.equal_after_sync();
    }
}

#[test]
fn a_row_changed_after_its_page_arrives_where_the_table_has_no_modifiedon() {
    let world = World::new(in_pages(23));
    world.sandbox.dynamics().remove_column("contact", "modifiedon").unwrap();
    stopped_after(&world, 2);
    let ids = world.contacts();
    world.change(ids[1], &json!({ "lastname": "Already read" }));
    world.delete(ids[2]);
    world.equal_after_sync();
    assert!(world.pages().iter().all(|page| !page.path.contains("modifiedon")));
}

#[test]
fn a_contact_deleted_after_its_page_was_read_is_deleted_at_the_end_of_the_load() {
    for first_token in [TokenMoment::LastPage, TokenMoment::FirstPage] {
        let variants = Variants { first_token, ..Variants::default() };
        let world = World::new(Setup { variants, ..in_pages(23) });
        stopped_after(&world, 2);
        world.delete(world.contacts()[2]);
        world.equal_after_sync();
    }
}

#[test]
fn a_stop_in_the_catch_up_and_in_the_first_delta_loses_nothing() {
    for path in ["modifiedon", "deltatoken"] {
        let world = World::new(in_pages(12));
        world.play(FaultRule { path: Some(path.to_owned()), ..on_pages(status(502)) });
        world.sync_for("1").ends(4);
        world.calm();
        world.change(world.contacts()[0], &json!({ "lastname": "Later" }));
        world.equal_after_sync();
    }
}

#[test]
fn a_stored_page_link_that_is_no_longer_understood_begins_its_read_again() {
    let body = r#"{"error":{"code":"0x80060888","message":"The query option is malformed."}}"#;
    for (path, after) in [("/contacts?", 2), ("modifiedon", 1), ("select=contactid&", 0)] {
        let world = World::new(in_pages(30));
        for id in world.contacts() {
            // Changed just now: all of them are in the catch-up.
            world.change(id, &json!({ "new_points": 1 }));
        }
        // In the second pass the page that the first one stopped before is refused.
        world.play(FaultRule {
            path: Some(path.to_owned()),
            after: Some(after),
            ..on_pages(status(503))
        });
        world.sync_for("1").ends(4);
        let refused = Fault::Status { code: 400, body: body.to_owned() };
        world.play(FaultRule { times: Some(1), ..on_pages(refused) });
        world.equal_after_sync();
    }
}

#[test]
fn a_listing_of_campaign_that_stops_is_taken_up_again() {
    let world = World::new(in_pages(12));
    world.play(FaultRule {
        path: Some("_forcePagination".to_owned()),
        ..FaultRule::always(status(503))
    });
    world.sync_for("1").ends(4);
    assert!(world.verbs().is_empty(), "nothing is written before Campaign is known");
    world.calm();
    world.equal_after_sync();
}

#[test]
fn rows_repeated_over_pages_and_empty_pages_change_nothing() {
    for fault in [Fault::DuplicateRows, Fault::EmptyPage] {
        let world = World::new(in_pages(23));
        world.play(FaultRule { every: Some(2), times: Some(3), ..on_pages(fault) });
        world.equal_after_sync();
        assert_eq!(world.verbs(), ["POST"; 23]);
    }
}

#[test]
fn a_long_first_load_asks_for_no_row_twice_that_it_has_seen() {
    let world = World::new(Setup { contacts: 60, page_rows: 10, ..Setup::default() });
    assert_eq!(world.synced().written, 60);
    let asked = world.asked(System::Dynamics);
    let single = asked.iter().filter(|entry| entry.path.contains("/contacts(")).count();
    let by_id = asked.iter().filter(|entry| entry.path.contains("contactid%20eq")).count();
    assert_eq!((single, by_id), (0, 0), "rows on their way keep the marks of the last read");
}
