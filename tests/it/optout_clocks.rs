//! Clocks that are wrong, clocks of which nothing is known, stamps that lie or
//! are not there.

use cdsync::sandbox::{System, Variants};
use jiff::SignedDuration;
use serde_json::json;

use crate::optout_rig::{
    BULK, REST, ago, begun, both_ways, decided, email, fresh, in_campaign, in_dynamics, passed,
    reasons, settle, silent, with,
};
use crate::support::World;

const HOUR: i64 = 3600;

/// Both systems' clocks, in seconds from the truth.
fn set_clocks(world: &World, dynamics: i64, campaign: i64) {
    world.sandbox.set_clock_offset(System::Dynamics, dynamics * 1000);
    world.sandbox.set_clock_offset(System::Campaign, campaign * 1000);
}

#[test]
fn however_wrong_the_clocks_are_the_truth_decides() {
    for (dynamics, campaign) in
        [(0, HOUR), (0, -HOUR), (HOUR, 0), (-HOUR, HOUR), (HOUR, HOUR), (-8 * HOUR, -8 * HOUR)]
    {
        let (world, ids) = fresh("bidirectional", &format!("{REST}{BULK}"), 3);
        set_clocks(&world, dynamics, campaign);
        settle(&world);
        let now = ago(0);
        let in_d = |seconds| now + SignedDuration::from_secs(dynamics - seconds);
        let in_c = |seconds| now + SignedDuration::from_secs(campaign - seconds);
        // First in Campaign "yes", then in Dynamics "no"; and the other way round.
        in_campaign(&world, ids[0], false, Some(in_c(300)));
        in_dynamics(&world, ids[0], true, in_d(240));
        in_dynamics(&world, ids[1], true, in_d(300));
        in_campaign(&world, ids[1], false, Some(in_c(240)));
        settle(&world);
        let when = format!("Dynamics {dynamics} s, Campaign {campaign} s");
        assert_eq!(email(&world, ids[0]), (true, true), "{when}");
        assert_eq!(email(&world, ids[1]), (false, false), "{when}");
        let lead = decided(&world, ids[1])[0].lead_ms.unwrap();
        // A minute, and what measuring a clock on a busy machine leaves open.
        assert!((40_000..80_000).contains(&lead), "{when}: a lead of {lead} ms");
        silent(&world, &when);
    }
}

#[test]
fn the_literal_rule_is_as_wrong_as_the_clocks_and_says_nothing() {
    let more = format!("{REST}{BULK}\nrule = \"documented\"");
    let (world, ids) = begun("bidirectional", &more, 2);
    set_clocks(&world, 0, HOUR);
    let in_c = |seconds| ago(seconds) + SignedDuration::from_secs(HOUR);
    in_campaign(&world, ids[0], false, Some(in_c(300)));
    in_dynamics(&world, ids[0], true, ago(240));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, false), "the vendor's page, literally");
}

#[test]
fn where_safe_and_documented_differ_the_ledger_says_both() {
    let (world, ids) = both_ways(2);
    set_clocks(&world, 0, HOUR);
    in_campaign(&world, ids[0], false, Some(ago(300) + SignedDuration::from_secs(HOUR)));
    in_dynamics(&world, ids[0], true, ago(240));
    let run = passed(&world).ends(0);
    let decision = &decided(&world, ids[0])[0];
    assert_eq!((decision.result, decision.documented), (true, Some(false)), "{decision:?}");
    let told = run.event("optout.conflict_resolved");
    assert_eq!((&told["opted_out"], &told["documented"]), (&json!(true), &json!(false)), "{told}");
}

#[test]
fn a_lead_within_the_margin_proves_nothing() {
    let more = format!("{REST}{BULK}\nmargin = \"60s\"");
    let (world, ids) = begun("bidirectional", &more, 2);
    let now = ago(0);
    let past = |seconds| now - SignedDuration::from_secs(seconds);
    in_dynamics(&world, ids[0], true, past(300));
    in_campaign(&world, ids[0], false, Some(past(250)));
    in_dynamics(&world, ids[1], true, past(300));
    in_campaign(&world, ids[1], false, Some(past(60)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(reasons(&world, ids[0]), ["lead-too-small"]);
    assert_eq!(email(&world, ids[1]), (false, false));
    silent(&world, "a margin");
}

#[test]
fn a_clock_that_jumps_about_proves_nothing() {
    let (world, ids) = both_ways(2);
    in_dynamics(&world, ids[0], true, ago(300));
    in_campaign(&world, ids[0], false, Some(ago(100)));
    // Five minutes to and fro from one answer to the next.
    let world = std::sync::Arc::new(world);
    for skip in 0..12 {
        let shared = std::sync::Arc::downgrade(&world);
        world.sandbox.before((System::Campaign, "GET", "/campaign/"), skip, move || {
            if let Some(world) = shared.upgrade() {
                let offset = if skip % 2 == 0 { 300_000 } else { -300_000 };
                world.sandbox.set_clock_offset(System::Campaign, offset);
            }
        });
    }
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(reasons(&world, ids[0]), ["clocks-unknown"]);
}

#[test]
fn a_clock_that_was_set_between_the_stamp_and_the_look_lifts_nothing() {
    let (world, ids) = both_ways(1);
    // First in Campaign "yes", then in Dynamics "no"; by the clock as it is set
    // now Dynamics' time would be the earlier one.
    in_campaign(&world, ids[0], false, Some(ago(60)));
    in_dynamics(&world, ids[0], true, ago(30));
    set_clocks(&world, 100, 0);
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(reasons(&world, ids[0]), ["clocks-unknown"]);
}

#[test]
fn a_stamp_in_the_future_hides_no_later_change() {
    let (world, ids) = both_ways(3);
    in_campaign(&world, ids[0], false, Some(ago(-30 * 24 * HOUR)));
    settle(&world);
    in_campaign(&world, ids[1], true, Some(ago(0)));
    settle(&world);
    assert_eq!(email(&world, ids[1]), (true, true));
    assert_eq!(email(&world, ids[0]), (false, false));
    // Neither does a clock that was ahead and has been set right.
    set_clocks(&world, 0, HOUR);
    in_campaign(&world, ids[2], false, Some(ago(-HOUR)));
    settle(&world);
    set_clocks(&world, 0, 0);
    in_campaign(&world, ids[2], true, Some(ago(0)));
    settle(&world);
    assert_eq!(email(&world, ids[2]), (true, true), "told with an older stamp than before");
}

#[test]
fn flags_are_found_under_either_name() {
    let variants = Variants { deny_list_names: true, ..Variants::default() };
    let (world, ids) = with("bidirectional", &format!("{REST}{BULK}"), 3, variants);
    settle(&world);
    world.change(ids[0], &json!({ "donotbulkemail": true }));
    let campaign = world.sandbox.campaign();
    campaign.set_flag_at(&ids[1].to_string(), "denyListEmail", true, Some(ago(60))).unwrap();
    settle(&world);
    assert_eq!(world.profile(ids[0])["denyListEmail"], true);
    assert_eq!(world.sandbox.dynamics().get("contact", ids[1]).unwrap()["donotbulkemail"], true);
    silent(&world, "denyList");
}

#[test]
fn without_stamps_opt_outs_travel_and_none_is_lifted() {
    let pairs =
        r#"pairs = [ { dynamics = "donotbulkemail", campaign = "blackListPushnotification" } ]"#;
    let (world, ids) = begun("bidirectional", &format!("{REST}{pairs}"), 3);
    let flag = |id: uuid::Uuid| {
        let contact = world.sandbox.dynamics().get("contact", id).unwrap();
        let profile = world.profile(id);
        (contact["donotbulkemail"] == true, profile["blackListPushnotification"] == true)
    };
    let set = |id: uuid::Uuid, value: bool| {
        let campaign = world.sandbox.campaign();
        let change = json!({ "blackListPushnotification": value });
        campaign.update("profile", "externalId", &id.to_string(), &change).unwrap();
    };
    in_dynamics(&world, ids[0], true, ago(900));
    set(ids[1], true);
    settle(&world);
    assert_eq!((flag(ids[0]), flag(ids[1])), ((true, true), (true, true)));
    set(ids[0], false);
    settle(&world);
    assert_eq!(flag(ids[0]), (true, true), "the record's own time is no evidence");
    assert_eq!(reasons(&world, ids[0]).last().unwrap(), "no-campaign-stamp");
    silent(&world, "without stamps");
}

#[test]
fn a_stamp_ahead_of_the_dates_of_the_answers_lifts_nothing() {
    // Campaign's clock is fast, and what stands in front of it dates the answers by its own.
    let (world, ids) = both_ways(3);
    in_campaign(&world, ids[0], false, Some(ago(-116)));
    in_dynamics(&world, ids[0], true, ago(0));
    let run = passed(&world).ends(0);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(reasons(&world, ids[0]), ["clocks-unknown"]);
    assert_eq!(run.event("optout.clocks_unknown")["flags"], 1);
    // Nor does a later one, which time has caught up with.
    in_campaign(&world, ids[1], false, Some(ago(10)));
    in_dynamics(&world, ids[1], true, ago(60));
    settle(&world);
    assert_eq!(reasons(&world, ids[1]), ["clocks-unknown"]);
}
