//! Contacts that are merged, end, come back, are not there or are there twice;
//! columns that say the opposite (the edge cases of reliability sheet 2.3).

use cdsync::sandbox::{Fault, FaultRule, System};
use serde_json::json;

use crate::optout_rig::{
    BULK, REST, ago, begun, both_ways, email, in_campaign, in_dynamics, passed, reasons, settle,
    silent, time_passes,
};

#[test]
fn who_is_merged_into_another_keeps_its_no() {
    // The no is the loser's in both systems, or in Campaign alone and not
    // known yet.
    for known in [true, false] {
        let (world, ids) = both_ways(3);
        if known {
            in_dynamics(&world, ids[1], true, ago(300));
            settle(&world);
        } else {
            in_campaign(&world, ids[1], true, Some(ago(300)));
        }
        world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
        settle(&world);
        settle(&world);
        assert_eq!(email(&world, ids[0]), (true, true), "known before: {known}");
        assert_eq!(world.profile(ids[1])["blackListEmail"], true, "the loser's profile stays so");
        assert!(reasons(&world, ids[0]).contains(&"merged".to_owned()));
        // A later yes in Campaign lifts it as any other.
        silent(&world, "merged");
    }
}

#[test]
fn the_no_of_a_losers_profile_counts_though_dynamics_refuses_to_write_the_loser() {
    // Said before the merge is read, or only later.
    for before in [true, false] {
        let (world, ids) = both_ways(3);
        let body = json!({"error": {"code": "0x80040230", "message": "The contact is inactive."}});
        let refusal = Fault::Status { code: 400, body: body.to_string() };
        world.play(FaultRule {
            system: Some(System::Dynamics),
            method: Some("PATCH".to_owned()),
            path: Some(ids[1].to_string()),
            ..FaultRule::always(refusal)
        });
        let says_no = || in_campaign(&world, ids[1], true, Some(ago(300)));
        if before {
            says_no();
        }
        world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
        if !before {
            settle(&world);
            says_no();
        }
        settle(&world);
        settle(&world);
        assert_eq!(email(&world, ids[0]), (true, true), "said before the merge: {before}");
        assert_eq!(world.profile(ids[1])["blackListEmail"], true, "the loser's profile stays so");
        assert!(reasons(&world, ids[0]).contains(&"merged".to_owned()));
        assert!(world.dead_letters().is_empty());
        silent(&world, "merged");
        time_passes(&world, 120);
        in_campaign(&world, ids[0], false, Some(ago(-60)));
        settle(&world);
        assert_eq!(email(&world, ids[0]), (false, false), "a later yes lifts it as any other");
        silent(&world, "it has counted");
    }
}

#[test]
fn a_no_that_a_loser_says_in_dynamics_reaches_both_profiles() {
    // Said before the merge is read, or only later.
    for before in [true, false] {
        let (world, ids) = both_ways(3);
        if before {
            in_dynamics(&world, ids[1], true, ago(300));
        }
        world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
        if !before {
            settle(&world);
            in_dynamics(&world, ids[1], true, ago(300));
        }
        settle(&world);
        settle(&world);
        assert_eq!(email(&world, ids[0]), (true, true), "said before the merge: {before}");
        assert_eq!(email(&world, ids[1]), (true, true), "the loser: {before}");
        silent(&world, "both have it");
    }
}

#[test]
fn a_merge_is_no_reason_to_lift_an_opt_out() {
    let (world, ids) = both_ways(3);
    in_dynamics(&world, ids[0], true, ago(300));
    settle(&world);
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    silent(&world, "merged");
}

#[test]
fn an_inactive_contact_goes_by_the_rule_as_any_other() {
    let (world, ids) = both_ways(3);
    world.change(ids[0], &json!({ "statecode": 1 }));
    world.change(ids[1], &json!({ "statecode": 1, "donotbulkemail": true }));
    settle(&world);
    in_campaign(&world, ids[0], true, Some(ago(0)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(email(&world, ids[1]), (true, true));
    silent(&world, "inactive");
}

#[test]
fn a_deleted_contact_leaves_its_profile_and_one_that_comes_back_is_opted_out_again() {
    let (world, ids) = both_ways(3);
    in_dynamics(&world, ids[0], true, ago(300));
    settle(&world);
    world.delete(ids[0]);
    settle(&world);
    in_campaign(&world, ids[0], true, Some(ago(5)));
    settle(&world);
    assert_eq!(world.profile(ids[0])["blackListEmail"], true);
    world.add(&json!({ "contactid": ids[0].to_string(), "lastname": "Again" }));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true), "what was said before the end still counts");
    silent(&world, "come back");
}

#[test]
fn an_opt_out_waits_for_its_profile_and_is_there_when_the_profile_is() {
    let (world, ids) = both_ways(2);
    let new = world.add(&json!({ "lastname": "New", "donotbulkemail": true }));
    settle(&world);
    assert_eq!(world.profiles_of(new).len(), 0);
    // Somebody imports the profile with the flag off.
    let profile = json!({ "externalId": new.to_string(), "lastName": "New" });
    world.sandbox.campaign().insert("profile", &profile).unwrap();
    settle(&world);
    assert_eq!(email(&world, new), (true, true));
    // And one that ingress makes.
    let second = world.add(&json!({ "lastname": "Second", "donotbulkemail": true }));
    settle(&world);
    world.synced();
    settle(&world);
    assert_eq!(email(&world, second), (true, true));
    assert_eq!(email(&world, ids[0]), (false, false));
    silent(&world, "late profiles");
}

#[test]
fn two_profiles_of_one_contact_are_told_and_settled_when_one_is_left() {
    let variants = cdsync::sandbox::Variants { unique_external_id: false, ..Default::default() };
    let (world, ids) =
        crate::optout_rig::with("bidirectional", &format!("{REST}{BULK}"), 3, variants);
    settle(&world);
    let twin = json!({ "externalId": ids[0].to_string(), "lastName": "Twin" });
    world.sandbox.campaign().insert("profile", &twin).unwrap();
    in_dynamics(&world, ids[0], true, ago(60));
    in_dynamics(&world, ids[1], true, ago(60));
    let run = passed(&world).ends(1);
    assert_eq!(run.counts().dead_lettered, 1);
    assert_eq!(email(&world, ids[1]), (true, true), "the others go on");
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["record"], ids[0].to_string());
    assert_eq!(world.sandbox.campaign().delete("profile", "lastName", "Twin"), 1);
    world.run(&["dead-letters", "retry"]).ends(0);
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert!(world.dead_letters().is_empty());
    silent(&world, "one is left");
}

#[test]
fn a_column_that_allows_is_the_opposite_of_a_flag_that_forbids() {
    let pairs =
        r#"pairs = [ { dynamics = "followemail", campaign = "blackListEmail", inverted = true } ]"#;
    let (world, ids) = begun("bidirectional", &format!("{REST}{pairs}"), 4);
    let allowed = |id: uuid::Uuid| {
        world.sandbox.dynamics().get("contact", id).unwrap()["followemail"] == true
    };
    assert!(ids.iter().all(|id| allowed(*id)), "nothing was written");
    let dynamics = world.sandbox.dynamics();
    dynamics.update_at("contact", ids[0], &json!({ "followemail": false }), ago(60)).unwrap();
    in_campaign(&world, ids[1], true, Some(ago(60)));
    dynamics.update_at("contact", ids[2], &json!({ "followemail": false }), ago(300)).unwrap();
    in_campaign(&world, ids[2], false, Some(ago(100)));
    settle(&world);
    assert_eq!(world.profile(ids[0])["blackListEmail"], true);
    assert!(!allowed(ids[1]));
    assert!(allowed(ids[2]), "a later yes in Campaign allows again");
    assert!(allowed(ids[3]));
    silent(&world, "inverted");
}

#[test]
fn another_direction_begins_anew_and_lifts_nothing_by_old_agreements() {
    let (world, ids) = begun("dynamics-to-campaign", BULK, 3);
    in_dynamics(&world, ids[0], true, ago(600));
    settle(&world);
    in_campaign(&world, ids[1], true, Some(ago(500)));
    settle(&world);
    assert_eq!(email(&world, ids[1]), (false, true));
    world.configure(&crate::optout_rig::sections("bidirectional", &format!("{REST}{BULK}")));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(email(&world, ids[1]), (true, true), "read anew with the new direction");
    silent(&world, "another direction");
}

#[test]
fn a_loser_who_says_no_to_one_thing_here_and_to_another_there_gets_both() {
    let pairs = "pairs = [ { dynamics = \"donotbulkemail\", campaign = \"blackListEmail\" }, { dynamics = \"donotphone\", campaign = \"blackListPhone\" } ]\n";
    let (world, ids) = begun("bidirectional", &format!("{REST}{pairs}"), 3);
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    settle(&world);
    let change = json!({ "donotphone": true });
    world.sandbox.dynamics().update("contact", ids[1], &change).unwrap();
    in_campaign(&world, ids[1], true, Some(ago(0)));
    settle(&world);
    settle(&world);
    for id in [ids[0], ids[1]] {
        let profile = world.profile(id);
        let flags = (&profile["blackListEmail"], &profile["blackListPhone"]);
        assert_eq!(flags, (&json!(true), &json!(true)), "{id}");
    }
    silent(&world, "both have both");
}

#[test]
fn a_losers_no_that_only_a_look_shows_counts_beside_another_of_its_flags() {
    let pairs = "pairs = [ { dynamics = \"donotbulkemail\", campaign = \"blackListEmail\" }, { dynamics = \"donotphone\", campaign = \"blackListPhone\" } ]\n";
    let (world, ids) = begun("bidirectional", &format!("{REST}{pairs}"), 3);
    let loser = ids[1].to_string();
    let says = |flag, out, at| {
        world.sandbox.campaign().set_flag_at(&loser, flag, out, Some(at)).unwrap();
    };
    says("blackListPhone", false, ago(0));
    settle(&world);
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    settle(&world);
    // By a clock that was set back: older than what is known of one of them.
    says("blackListPhone", true, ago(5_000));
    says("blackListEmail", true, ago(5_000));
    settle(&world);
    // Nobody tells of it again.
    let nothing = Fault::Status { code: 200, body: r#"{"content":[]}"#.to_owned() };
    let told = FaultRule { path: Some("byModifiedSince".to_owned()), ..FaultRule::always(nothing) };
    world.play(told);
    settle(&world);
    world.calm();
    let profile = world.profile(ids[0]);
    let flags = (&profile["blackListEmail"], &profile["blackListPhone"]);
    assert_eq!(flags, (&json!(true), &json!(true)));
    silent(&world, "both count");
}
