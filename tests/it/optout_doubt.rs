//! What a system says badly, or not at all, never lifts an opt-out and never
//! keeps one from travelling.

use std::sync::Arc;

use cdsync::sandbox::{FaultRule, System};
use serde_json::json;
use uuid::Uuid;

use crate::optout_rig::{
    BULK, REST, ago, begun, both_ways, email, in_campaign, in_dynamics, passed, settle, silent,
    time_passes,
};
use crate::support::{World, status};

#[test]
fn a_column_that_says_nothing_takes_an_opt_out_from_campaign() {
    let (world, ids) = both_ways(3);
    world.change(ids[0], &json!({ "donotbulkemail": null }));
    in_campaign(&world, ids[0], true, Some(ago(5)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    silent(&world, "after it");
}

#[test]
fn a_column_that_says_nothing_lifts_no_opt_out_in_campaign() {
    let (world, ids) = begun("dynamics-to-campaign", &format!("{REST}{BULK}"), 3);
    in_dynamics(&world, ids[0], true, ago(60));
    settle(&world);
    // Cleared as the pass hears of it, empty when it looks at both sides.
    in_dynamics(&world, ids[0], false, ago(30));
    let (world, id) = (Arc::new(world), ids[0]);
    let shared = Arc::downgrade(&world);
    world.sandbox.before((System::Dynamics, "GET", &format!("({id})")), 0, move || {
        if let Some(world) = shared.upgrade() {
            world.change(id, &json!({ "donotbulkemail": null }));
        }
    });
    settle(&world);
    let contact = world.sandbox.dynamics().get("contact", id).unwrap();
    assert!(
        contact.get("donotbulkemail").is_none_or(serde_json::Value::is_null),
        "the hook was met"
    );
    assert_eq!(email(&world, id), (false, true));
    silent(&world, "after it");
}

#[test]
fn a_pair_more_lifts_nothing_that_was_said_in_dynamics_since() {
    let (world, ids) = begun("campaign-to-dynamics", &format!("{REST}{BULK}"), 3);
    for out in [true, false] {
        in_campaign(&world, ids[0], out, Some(ago(if out { 300 } else { 200 })));
        settle(&world);
    }
    in_dynamics(&world, ids[0], true, ago(100));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, false), "an edit in Dynamics stays");
    let pairs =
        BULK.replace(" ]", ", { dynamics = \"donotphone\", campaign = \"blackListPhone\" } ]");
    world
        .configure(&crate::optout_rig::sections("campaign-to-dynamics", &format!("{REST}{pairs}")));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, false), "and stays with another pair beside it");
}

#[test]
fn a_merge_counts_once_however_often_the_loser_is_read() {
    let (world, ids) = both_ways(3);
    in_dynamics(&world, ids[1], true, ago(600));
    settle(&world);
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    time_passes(&world, 120);
    in_campaign(&world, ids[0], false, Some(ago(-60)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, false), "subscribed again, provably later");
    world.change(ids[1], &json!({ "lastname": "Edited" }));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, false), "the merge has counted");
}

#[test]
fn a_no_that_a_profile_alone_took_over_stays_when_its_contact_is_looked_at_again() {
    let pairs =
        BULK.replace(" ]", ", { dynamics = \"donotphone\", campaign = \"blackListPhone\" } ]");
    let (world, ids) = begun("dynamics-to-campaign", &format!("{REST}{pairs}"), 3);
    in_dynamics(&world, ids[1], true, ago(600));
    settle(&world);
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, true), "the merge keeps the survivor's value");
    world.play(FaultRule {
        system: Some(System::Campaign),
        method: Some("PATCH".to_owned()),
        ..FaultRule::always(status(400))
    });
    world.change(ids[0], &json!({ "donotphone": true }));
    assert_eq!(passed(&world).code, 1);
    world.calm();
    world.run(&["dead-letters", "retry"]).ends(0);
    settle(&world);
    assert!(world.dead_letters().is_empty());
    assert_eq!(world.profile(ids[0])["blackListPhone"], true);
    assert_eq!(email(&world, ids[0]), (false, true), "nobody took it back");
    in_dynamics(&world, ids[0], true, ago(20));
    settle(&world);
    in_dynamics(&world, ids[0], false, ago(10));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, false), "said no and yes in Dynamics");
}

#[test]
fn a_merged_contacts_profile_is_asked_where_campaigns_clock_was_set_back() {
    let (world, ids) = both_ways(3);
    in_campaign(&world, ids[1], true, Some(ago(0)));
    settle(&world);
    world.sandbox.set_clock_offset(System::Campaign, -3_600_000);
    in_campaign(&world, ids[1], false, Some(world.sandbox.now(System::Campaign)));
    in_dynamics(&world, ids[1], true, ago(0));
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true), "the no counts for the survivor");
    assert_eq!(email(&world, ids[1]), (true, true), "and stands for itself");
    silent(&world, "after it");
}

/// An opt-out that Campaign refused to take.
fn given_up(world: &World, id: Uuid) {
    world.play(FaultRule {
        system: Some(System::Campaign),
        method: Some("PATCH".to_owned()),
        ..FaultRule::always(status(400))
    });
    in_dynamics(world, id, true, ago(60));
    assert_eq!(passed(world).code, 1);
    assert_eq!(world.dead_letters().len(), 1);
    world.calm();
}

#[test]
fn what_is_settled_later_takes_its_dead_letter_away() {
    let (world, ids) = both_ways(3);
    given_up(&world, ids[0]);
    in_dynamics(&world, ids[0], false, ago(40));
    settle(&world);
    in_dynamics(&world, ids[0], true, ago(20));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(world.dead_letters().len(), 0);
}

#[test]
fn a_flag_that_was_given_up_is_looked_at_again_with_the_next_one_of_its_contact() {
    let pairs =
        BULK.replace(" ]", ", { dynamics = \"donotphone\", campaign = \"blackListPhone\" } ]");
    let (world, ids) = begun("dynamics-to-campaign", &format!("{REST}{pairs}"), 3);
    given_up(&world, ids[0]);
    // Here nobody lists the profiles. Whoever is told now of the other flag takes the dead letter away.
    world.change(ids[0], &json!({ "donotphone": true }));
    passed(&world);
    assert_eq!(world.dead_letters().len(), 0);
    settle(&world);
    let profile = world.sandbox.campaign().by_key("profile", "externalId", &ids[0].to_string());
    assert_eq!(profile[0]["blackListPhone"], true);
    assert_eq!(email(&world, ids[0]), (true, true), "what had been given up, too");
}

#[test]
fn anothers_no_that_was_given_up_is_looked_at_again_with_the_next_flag_of_the_contact() {
    let pairs =
        BULK.replace(" ]", ", { dynamics = \"donotphone\", campaign = \"blackListPhone\" } ]");
    let (world, ids) = begun("campaign-to-dynamics", &format!("{REST}{pairs}"), 3);
    in_dynamics(&world, ids[1], true, ago(600));
    settle(&world);
    world.play(FaultRule {
        system: Some(System::Dynamics),
        method: Some("PATCH".to_owned()),
        ..FaultRule::always(status(400))
    });
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    assert_eq!(passed(&world).code, 1);
    assert_eq!(world.dead_letters().len(), 1);
    world.calm();
    let (campaign, id) = (world.sandbox.campaign(), ids[0].to_string());
    campaign.set_flag_at(&id, "blackListPhone", true, Some(ago(5))).unwrap();
    settle(&world);
    settle(&world);
    assert!(world.dead_letters().is_empty());
    let there = world.sandbox.dynamics().get("contact", ids[0]).unwrap();
    assert_eq!((&there["donotphone"], &there["donotbulkemail"]), (&json!(true), &json!(true)));
}

#[test]
fn a_merged_no_stays_with_who_is_not_in_campaign_yet() {
    let (world, ids) = both_ways(3);
    in_dynamics(&world, ids[1], true, ago(600));
    settle(&world);
    world.sandbox.campaign().delete("profile", "externalId", &ids[0].to_string());
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    settle(&world);
    let contact = world.sandbox.dynamics().get("contact", ids[0]).unwrap();
    assert_eq!(contact["donotbulkemail"], true);
    silent(&world, "merged without a profile");
}

#[test]
fn a_contact_that_may_not_be_written_holds_up_nobody_else() {
    let (world, ids) = both_ways(4);
    for id in &ids {
        in_campaign(&world, *id, true, Some(ago(60)));
    }
    world.play(FaultRule {
        system: Some(System::Dynamics),
        method: Some("PATCH".to_owned()),
        path: Some(ids[3].to_string()),
        ..FaultRule::always(status(403))
    });
    assert_eq!(passed(&world).code, 1);
    let out = |id: &&Uuid| email(&world, **id) == (true, true);
    assert_eq!(ids.iter().filter(out).count(), 3, "all others");
    assert_eq!(world.dead_letters().len(), 1);
}
