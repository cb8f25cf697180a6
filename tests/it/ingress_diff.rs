//! Tables without change tracking: every pass compares all rows.

use cdsync::sandbox::{Fault, FaultRule, System};
use serde_json::json;

use crate::rig::{CONTACTS, Rig};
use crate::support::{Counts, FIELDS, Setup, World, by_filter, on_pages, status};

fn diff(options: &str, fields: &str) -> String {
    by_filter(&format!("tracking = \"diff\"\n{options}"), fields)
}

fn loaded(options: &str) -> World {
    let tables = diff(options, FIELDS);
    let world = World::new(Setup { page_rows: 5, tables, ..Setup::default() });
    world.sandbox.dynamics().set_change_tracking("contact", false);
    world.equal_after_sync();
    world.forget();
    world
}

#[test]
fn new_changed_and_deleted_rows_are_found_and_the_others_cost_no_call() {
    let world = loaded("apply_deletes = true");
    let ids = world.contacts();
    world.change(ids[3], &json!({ "lastname": "Changed" }));
    world.delete(ids[7]);
    world.add(&json!({ "lastname": "New" }));
    let counts = world.equal_after_sync();
    let expected = Counts { read: 25, written: 2, unchanged: 22, deleted: 1, ..Counts::default() };
    assert_eq!(counts, expected);
    assert_eq!(world.verbs(), ["DELETE", "PATCH", "POST"]);
    world.forget();
    let expected = Counts { read: 24, unchanged: 24, ..Counts::default() };
    assert_eq!(world.equal_after_sync(), expected, "at rest");
    assert!(world.writes().is_empty());
    assert_eq!((world.pages().len(), world.lookups()), (5, 0), "one read of all rows");
    assert_eq!(world.status()["tables"]["contact"]["state"], "diff");
    world.run(&["check"]).ends(0);
}

#[test]
fn a_read_that_stops_goes_on_at_the_page_it_had_reached() {
    let world = loaded("apply_deletes = true");
    let ids = world.contacts();
    world.change(ids[0], &json!({ "lastname": "First page" }));
    world.change(ids[20], &json!({ "lastname": "Last page" }));
    world.delete(ids[1]);
    world.play(FaultRule { after: Some(2), ..on_pages(status(503)) });
    world.sync_for("1").ends(4);
    world.calm();
    assert_eq!(world.status()["tables"]["contact"]["state"], "diff-read");
    world.forget();
    world.equal_after_sync();
    let pages = world.pages();
    assert!(pages[0].path.contains("skiptoken"), "{}", pages[0].path);
    assert_eq!(pages.len(), 4, "three pages, and the question for one id: {pages:#?}");
}

#[test]
fn a_stored_page_link_that_is_refused_begins_the_read_again() {
    let world = loaded("apply_deletes = true");
    world.change(world.contacts()[0], &json!({ "lastname": "Changed" }));
    world.play(FaultRule { after: Some(2), ..on_pages(status(503)) });
    world.sync_for("1").ends(4);
    let body = r#"{"error":{"code":"0x80060888","message":"The query option is malformed."}}"#;
    let refused = Fault::Status { code: 400, body: body.to_owned() };
    world.play(FaultRule { times: Some(1), ..on_pages(refused) });
    world.delete(world.contacts()[0]);
    world.equal_after_sync();
}

#[test]
fn deletions_go_only_where_the_mapping_says_so() {
    let world = loaded("");
    let id = world.contacts()[3];
    world.delete(id);
    let expected = Counts { read: 24, unchanged: 23, filtered: 1, ..Counts::default() };
    assert_eq!(world.synced(), expected);
    assert_eq!(world.profiles_of(id).len(), 1);
    assert_eq!(world.synced(), Counts { read: 23, unchanged: 23, ..Counts::default() });
}

#[test]
fn the_delete_guard_holds_a_wave() {
    let world = loaded("apply_deletes = true\ndelete_guard = { rows = 2 }");
    for id in world.contacts().into_iter().take(3) {
        world.delete(id);
    }
    for _ in 0..2 {
        assert_eq!(world.sync().ends(1).event("deletes.held")["held"], 3);
    }
    assert!(world.writes().is_empty());
    world.run(&["approve-deletes", "contact"]).ends(0);
    world.equal_after_sync();
}

#[test]
fn a_read_of_nothing_is_an_alarm() {
    let world = loaded("apply_deletes = true");
    let body = json!({ "value": [] }).to_string();
    world.play(on_pages(Fault::Status { code: 200, body }));
    for _ in 0..2 {
        assert_eq!(world.sync().ends(1).event("read.empty")["mapped"], 24);
    }
    assert!(world.writes().is_empty());
    world.calm();
    world.delete(world.contacts()[0]);
    world.equal_after_sync();
    assert_eq!(world.verbs(), ["DELETE"]);
}

#[test]
fn a_row_that_was_given_up_is_tried_again_when_it_changes_and_not_before() {
    let world = loaded("apply_deletes = true");
    let (bad, misfit) = (world.contacts()[2], world.contacts()[3]);
    world.change(bad, &json!({ "lastname": "Refused by Campaign" }));
    world.change(misfit, &json!({ "firstname": "x".repeat(31) }));
    let refused = Fault::Status { code: 500, body: "RST-360012 not valid".to_owned() };
    world.play(crate::support::on_writes("PATCH", refused));
    let letters = world.sync().ends(1).counts().dead_lettered;
    assert_eq!(letters, 2);
    world.calm();
    world.forget();
    let counts = world.synced();
    assert_eq!((counts.read, counts.unchanged), (24, 24), "the same version is no news");
    assert!(world.writes().is_empty());
    assert_eq!(world.dead_letters().len() as u64, letters);
    world.change(bad, &json!({ "lastname": "Mended" }));
    world.change(misfit, &json!({ "firstname": "Short" }));
    world.equal_after_sync();
    assert!(world.dead_letters().is_empty());
}

#[test]
fn a_row_that_was_given_up_and_then_deleted_is_deleted() {
    let world = loaded("apply_deletes = true");
    let id = world.contacts()[2];
    world.change(id, &json!({ "lastname": "Refused by Campaign" }));
    let refused = Fault::Status { code: 500, body: "RST-360012 not valid".to_owned() };
    world.play(crate::support::on_writes("PATCH", refused));
    world.sync().ends(1);
    world.calm();
    world.synced();
    world.delete(id);
    world.equal_after_sync();
    assert!(world.dead_letters().is_empty());
}

#[test]
fn the_way_changes_are_found_may_be_changed_at_any_time() {
    let world = loaded("apply_deletes = true");
    world.sandbox.dynamics().set_change_tracking("contact", true);
    for options in ["", "tracking = \"diff\"", "tracking = \"changes\""] {
        world.configure(&by_filter(&format!("{options}\napply_deletes = true"), FIELDS));
        world.change(world.contacts()[0], &json!({ "lastname": format!("With {options}.") }));
        world.delete(world.contacts()[1]);
        world.forget();
        world.equal_after_sync();
        assert_eq!(world.verbs(), ["DELETE", "PATCH"], "{options}");
    }
}

#[test]
fn a_mapping_that_changes_decides_every_row_anew() {
    let fields = FIELDS.replace("  { from = \"description\", to = \"cusNote\" },\n", "");
    assert_ne!(fields, FIELDS);
    let tables = diff("apply_deletes = true", &fields);
    let world = World::new(Setup { page_rows: 5, tables, ..Setup::default() });
    let bad = world.contacts()[2];
    world.change(bad, &json!({ "firstname": "x".repeat(31) }));
    world.sync().ends(1);
    let cut = "to = \"firstName\", on_too_long = \"cut\" }";
    let fields = FIELDS.replace("to = \"firstName\" }", cut);
    world.configure(&diff("apply_deletes = true", &fields));
    world.synced();
    world.equal_but("firstName");
    assert_eq!(world.profile(bad)["firstName"], "x".repeat(30), "a given-up row is tried again");
    assert!(world.dead_letters().is_empty());
}

#[test]
fn a_plan_tells_what_a_diff_would_find_and_moves_nothing() {
    let world = loaded("apply_deletes = true");
    let ids = world.contacts();
    world.change(ids[3], &json!({ "lastname": "Changed" }));
    world.delete(ids[7]);
    for _ in 0..2 {
        let mut actions: Vec<(String, String)> = world
            .plan()
            .iter()
            .map(|it| [&it["action"], &it["id"]].map(|text| text.as_str().unwrap().to_owned()))
            .map(|[action, id]| (action, id))
            .collect();
        actions.sort();
        let expected = [("delete", ids[7]), ("update", ids[3])];
        assert_eq!(actions, expected.map(|(action, id)| (action.to_owned(), id.to_string())));
    }
    assert!(world.writes().is_empty());
    world.equal_after_sync();
}

#[test]
fn check_tells_where_a_diff_is_not_needed() {
    let world = loaded("");
    let needless = |world: &World| world.run(&["check"]).ends(0).stdout.contains("costs less");
    assert!(!needless(&world));
    world.sandbox.dynamics().set_change_tracking("contact", true);
    assert!(needless(&world));
}

#[test]
fn a_table_that_is_not_tracked_is_told_how_it_could_be() {
    let world = World::new(Setup::default());
    world.sandbox.dynamics().set_change_tracking("contact", false);
    let run = world.sync().ends(1);
    let reason = run.event("table.failed")["reason"].as_str().unwrap().to_owned();
    let check = world.run(&["check"]).ends(1).stdout;
    for text in [reason, check] {
        for part in [
            "change tracking is off",
            "cdsync provision --change-tracking contact",
            "make.powerapps.com",
            "Track changes",
            "tracking = \"diff\"",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn an_intersect_table_that_dynamics_refuses_to_track_is_pointed_to_diff() {
    for code in ["0x80072491", "0x80072492"] {
        let world = World::new(Setup::default());
        let message = "Changes cannot be retrieved for this entity.";
        let body = json!({ "error": { "code": code, "message": message } }).to_string();
        world.play(on_pages(Fault::Status { code: 400, body }));
        let run = world.sync().ends(1);
        let reason = run.event("table.failed")["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains(code) && reason.contains("tracking = \"diff\""), "{reason}");
        let check = world.run(&["check"]).ends(1).stdout;
        assert!(check.contains("tracking = \"diff\""), "{check}");
        world.calm();
        world.equal_after_sync();
    }
}

#[test]
fn no_request_of_a_diff_asks_for_tracking() {
    let world = loaded("apply_deletes = true");
    world.change(world.contacts()[0], &json!({ "lastname": "Changed" }));
    world.delete(world.contacts()[1]);
    world.equal_after_sync();
    // A tracked read of this table is refused, whatever its path.
    let asked = world.asked(System::Dynamics);
    assert!(asked.iter().all(|entry| entry.status == 200), "{asked:#?}");
    assert!(asked.iter().all(|entry| !entry.path.contains("deltatoken")));
}

const SYNC: &[&str] = &["--log-format", "json", "sync", "ingress"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_commit_of_a_diff_is_made_good() {
    let mut crashes = 0;
    for n in 1.. {
        let rig = Rig::usual(8).await;
        rig.configure(&CONTACTS.replace("apply_deletes", "tracking = \"diff\"\napply_deletes"));
        let dynamics = rig.sandbox.dynamics();
        dynamics.set_change_tracking("contact", false);
        rig.run(SYNC).await.expect(0);
        let ids = dynamics.ids("contact");
        dynamics.update("contact", ids[0], &json!({ "lastname": "Changed" })).unwrap();
        dynamics.delete("contact", ids[1]);
        dynamics.insert("contact", &json!({ "lastname": "New" })).unwrap();
        let aborted = rig.run_crashing(SYNC, &format!("committed:{n}")).await.crashed();
        rig.run(SYNC).await.expect(0).adds_up();
        rig.assert_equal(&format!("committed:{n}"));
        if !aborted {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 8, "{crashes}: the plan does not work");
}
