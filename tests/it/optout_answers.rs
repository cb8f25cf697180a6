//! What an answer may leave out: the row behind a write, the time that has
//! passed while a list was read.

use std::sync::Arc;

use cdsync::sandbox::{FaultRule, System, Variants};
use serde_json::json;

use crate::optout_rig::{
    BULK, REST, ago, both_ways, email, in_campaign, in_dynamics, passed, settle, silent, with,
};
use crate::support::status;

const HOUR_MS: i64 = 3_600_000;

/// A world whose Dynamics answers a change with 204 and no row.
fn terse() -> (crate::support::World, Vec<uuid::Uuid>) {
    let variants = Variants { representation: false, ..Variants::default() };
    let (world, ids) = with("bidirectional", &format!("{REST}{BULK}"), 3, variants);
    settle(&world);
    (world, ids)
}

#[test]
fn a_write_whose_answer_has_no_row_is_known_again_as_our_own() {
    let (world, ids) = terse();
    in_campaign(&world, ids[0], true, Some(ago(300)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    silent(&world, "after a terse answer");
    // Older than our write, newer than anything a person did in Dynamics.
    in_campaign(&world, ids[0], false, Some(ago(100)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, false));
}

#[test]
fn who_writes_right_behind_us_is_not_taken_for_us() {
    let (world, ids) = terse();
    in_campaign(&world, ids[0], true, Some(ago(300)));
    let (world, id) = (Arc::new(world), ids[0]);
    let shared = Arc::downgrade(&world);
    world.sandbox.before((System::Dynamics, "GET", "_modifiedby_value"), 0, move || {
        if let Some(world) = shared.upgrade() {
            world.change(id, &json!({ "lastname": "Faster" }));
        }
    });
    settle(&world);
    let contact = world.sandbox.dynamics().get("contact", id).unwrap();
    assert_eq!(contact["lastname"], "Faster", "the hook was met");
    in_campaign(&world, id, false, Some(ago(100)));
    settle(&world);
    assert_eq!(email(&world, id), (true, true), "the contact was changed later");
}

#[test]
fn what_changes_while_a_long_list_is_read_is_found_by_a_clock_that_is_behind() {
    let (world, ids) = both_ways(2);
    world.sandbox.set_clock_offset(System::Campaign, -HOUR_MS);
    settle(&world);
    for n in 0..1100 {
        let profile = json!({ "externalId": format!("stranger-{n}"), "lastName": "Stranger" });
        world.sandbox.campaign().insert("profile", &profile).unwrap();
    }
    let (world, id) = (Arc::new(world), ids[0]);
    let shared = Arc::downgrade(&world);
    // Half an hour passes in Campaign between the first page and the second:
    // somebody opts out at its beginning, somebody else is added at its end.
    world.sandbox.before((System::Campaign, "GET", "byModifiedSince"), 1, move || {
        if let Some(world) = shared.upgrade() {
            world.sandbox.set_clock_offset(System::Campaign, 60_000 - HOUR_MS);
            let stamp = world.sandbox.now(System::Campaign);
            in_campaign(&world, id, true, Some(stamp));
            world.sandbox.set_clock_offset(System::Campaign, 1_800_000 - HOUR_MS);
            let profile = json!({ "externalId": "stranger-last", "lastName": "Stranger" });
            world.sandbox.campaign().insert("profile", &profile).unwrap();
        }
    });
    settle(&world);
    assert_eq!(email(&world, id), (false, true), "missed so far");
    settle(&world);
    assert_eq!(email(&world, id), (true, true));
}

#[test]
fn what_changes_after_campaigns_clock_was_set_back_is_found() {
    let (world, ids) = both_ways(2);
    in_campaign(&world, ids[1], true, Some(ago(0)));
    settle(&world);
    world.sandbox.set_clock_offset(System::Campaign, -HOUR_MS);
    in_campaign(&world, ids[0], true, Some(world.sandbox.now(System::Campaign)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
}

#[test]
fn a_refused_contact_is_tried_again_a_day_later_by_itself() {
    let (world, ids) = both_ways(3);
    for id in &ids[..2] {
        in_campaign(&world, *id, true, Some(ago(60)));
    }
    world.play(FaultRule {
        system: Some(System::Dynamics),
        method: Some("PATCH".to_owned()),
        path: Some(ids[0].to_string()),
        ..FaultRule::always(status(403))
    });
    assert_eq!(passed(&world).code, 1);
    world.calm();
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, true), "it rests for a day");
    let aged = |world: &crate::support::World| {
        let store = rusqlite::Connection::open(world.path("store.db")).unwrap();
        let sql = "UPDATE dead_letter SET created_us = created_us - 90000000000";
        assert_eq!(store.execute(sql, []).unwrap(), 1);
    };
    aged(&world);
    world.play(FaultRule {
        system: Some(System::Dynamics),
        method: Some("PATCH".to_owned()),
        path: Some(ids[0].to_string()),
        ..FaultRule::always(status(403))
    });
    // Refused again while others are written: it rests again.
    in_dynamics(&world, ids[2], true, ago(5));
    let run = passed(&world);
    assert_eq!((run.code, &run.event("optouts.retried")["dead_letters"]), (1, &json!(1)));
    run.counts();
    world.calm();
    assert!(passed(&world).ends(0).events("optouts.retried").is_empty());
    aged(&world);
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert!(world.dead_letters().is_empty());
}

#[test]
fn a_dry_run_shows_by_example_what_unusual_columns_mean() {
    let pairs = r#"pairs = [
  { dynamics = "followemail", campaign = "blackListEmail", inverted = true },
  { dynamics = "donotphone", campaign = "blackListPhone", null_means_false = true },
  { dynamics = "donotpostalmail", campaign = "blackListPostalMail" },
]"#;
    let more = format!("{REST}{pairs}");
    let (world, ids) = crate::optout_rig::fresh("bidirectional", &more, 30);
    let samples = |text: &str| text.lines().filter(|line| line.contains("blackList")).count();
    let told = world.run(&["plan", "optout"]).ends(0).stdout;
    assert_eq!(samples(&told), 20 * 2, "{told}");
    let (world, few) = crate::optout_rig::fresh("bidirectional", &more, 3);
    world.change(few[0], &json!({ "followemail": false, "donotphone": null }));
    world.change(few[1], &json!({ "followemail": null, "donotphone": true }));
    let mut text = world.run(&["plan", "optout"]).ends(0).stdout;
    for (place, id) in few.iter().enumerate() {
        text = text.replace(&id.to_string(), &format!("{:-<36}", format!("contact-{place}")));
    }
    insta::assert_snapshot!("plan_optout_meanings", text);
    let lines = world.run(&["plan", "optout", "--json"]).ends(0).stdout;
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["action"] == "opt-out", "{line}");
    }
    assert_eq!(ids.len(), 30);
}
