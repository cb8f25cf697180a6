//! Edge cases of reliability sheet 2.3 that hang on who changed what last.

use cdsync::sandbox::{System, Variants};
use serde_json::json;
use uuid::Uuid;

use crate::optout_rig::{
    BULK, REST, ago, begun, both_ways, decided, email, in_campaign, in_dynamics, passed, reasons,
    sections, settle, silent, with, writes,
};
use crate::rig::Running;
use crate::support::World;

const TWO: &str = r#"pairs = [
  { dynamics = "donotbulkemail", campaign = "blackListEmail" },
  { dynamics = "donotphone", campaign = "blackListPhone" },
]"#;

fn phone(world: &World, id: Uuid) -> (bool, bool) {
    let contact = world.sandbox.dynamics().get("contact", id).unwrap();
    (contact["donotphone"] == true, world.profile(id)["blackListPhone"] == true)
}

#[test]
fn any_later_edit_of_the_contact_keeps_its_opt_out() {
    let (world, ids) = both_ways(2);
    // A person edits another field.
    in_dynamics(&world, ids[0], true, ago(600));
    in_campaign(&world, ids[0], false, Some(ago(300)));
    let title = json!({ "jobtitle": "Captain" });
    world.sandbox.dynamics().update_at("contact", ids[0], &title, ago(200)).unwrap();
    // A flow in Dynamics reacts to our write.
    in_campaign(&world, ids[1], true, Some(ago(600)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(reasons(&world, ids[0]), ["dynamics-newer"]);
    world.change(ids[1], &json!({ "jobtitle": "Told of it" }));
    in_campaign(&world, ids[1], false, Some(ago(300)));
    settle(&world);
    assert_eq!(email(&world, ids[1]), (true, true));
    assert_eq!(reasons(&world, ids[1]).last().unwrap(), "dynamics-newer");
    silent(&world, "edits");
}

#[test]
fn several_flags_go_in_one_write_and_none_makes_another_look_newer() {
    let (world, ids) = begun("bidirectional", &format!("{REST}{TWO}"), 2);
    let campaign = world.sandbox.campaign();
    let set = |flag: &str, out: bool, seconds: i64| {
        campaign.set_flag_at(&ids[0].to_string(), flag, out, Some(ago(seconds))).unwrap();
    };
    set("blackListEmail", true, 900);
    set("blackListPhone", true, 900);
    world.forget();
    settle(&world);
    assert_eq!((email(&world, ids[0]), phone(&world, ids[0])), ((true, true), (true, true)));
    assert_eq!(writes(&world).len(), 1, "{:?}", writes(&world));
    // One is lifted, and its write is no change that would keep the other.
    set("blackListEmail", false, 600);
    settle(&world);
    set("blackListPhone", false, 500);
    settle(&world);
    assert_eq!((email(&world, ids[0]), phone(&world, ids[0])), ((false, false), (false, false)));
    // One is set and the other lifted in the same pass.
    let dynamics = world.sandbox.dynamics();
    dynamics.update_at("contact", ids[1], &json!({ "donotphone": true }), ago(900)).unwrap();
    let other = ids[1].to_string();
    campaign.set_flag_at(&other, "blackListPhone", false, Some(ago(400))).unwrap();
    campaign.set_flag_at(&other, "blackListEmail", true, Some(ago(500))).unwrap();
    settle(&world);
    assert_eq!((email(&world, ids[1]), phone(&world, ids[1])), ((true, true), (false, false)));
    silent(&world, "two flags");
}

#[test]
fn out_and_back_between_two_passes_is_seen_by_the_stamp() {
    let (world, ids) = both_ways(2);
    for (id, said_in_dynamics) in [(ids[0], 450), (ids[1], 300)] {
        in_campaign(&world, id, true, Some(ago(500)));
        in_dynamics(&world, id, true, ago(said_in_dynamics));
        in_campaign(&world, id, false, Some(ago(400)));
    }
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, false), "back after what Dynamics said");
    assert_eq!(email(&world, ids[1]), (true, true), "before it");
    silent(&world, "out and back");
}

#[test]
fn who_says_the_same_on_both_sides_is_left_alone() {
    let (world, ids) = both_ways(2);
    in_dynamics(&world, ids[0], true, ago(300));
    in_campaign(&world, ids[0], true, Some(ago(200)));
    silent(&world, "the same");
    assert!(decided(&world, ids[0]).is_empty());
    // And has agreed on it: a later yes in Campaign is one.
    in_campaign(&world, ids[0], false, Some(ago(100)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, false));
}

#[test]
fn the_stamp_of_all_flags_is_none_of_a_flags_own() {
    let variants = Variants { flags_have_stamps: false, ..Variants::default() };
    let (world, ids) = with("bidirectional", &format!("{REST}{BULK}"), 2, variants);
    settle(&world);
    in_dynamics(&world, ids[0], true, ago(300));
    settle(&world);
    let change = json!({ "blackListEmail": false });
    let campaign = world.sandbox.campaign();
    campaign.update("profile", "externalId", &ids[0].to_string(), &change).unwrap();
    assert_ne!(world.profile(ids[0])["blackListAllLastModified"], "");
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(reasons(&world, ids[0]).last().unwrap(), "no-campaign-stamp");
    silent(&world, "the stamp of all");
}

#[test]
fn who_leaves_the_filter_goes_on_being_heard() {
    let (world, ids) = both_ways(2);
    let filter =
        r#"filter = { match = "all", rules = [ { column = "statecode", is = "eq", value = 0 } ] }"#;
    let tables = sections("bidirectional", &format!("{REST}{BULK}"));
    world.configure(&tables.replace("fields = [", &format!("{filter}\nfields = [")));
    world.synced();
    settle(&world);
    for id in &ids {
        world.change(*id, &json!({ "statecode": 1 }));
    }
    world.synced();
    in_dynamics(&world, ids[0], true, ago(-5));
    in_campaign(&world, ids[1], true, Some(ago(5)));
    settle(&world);
    assert_eq!((email(&world, ids[0]), email(&world, ids[1])), ((true, true), (true, true)));
    silent(&world, "left the filter");
}

#[test]
fn an_older_store_knows_less_and_lifts_less() {
    let (world, ids) = both_ways(2);
    in_campaign(&world, ids[0], true, Some(ago(500)));
    settle(&world);
    std::fs::copy(world.path("store.db"), world.path("backup.db")).unwrap();
    for (out, seconds) in [(false, 400), (true, 300)] {
        in_campaign(&world, ids[0], out, Some(ago(seconds)));
        settle(&world);
    }
    assert_eq!(email(&world, ids[0]), (true, true));
    world.lose_store();
    std::fs::copy(world.path("backup.db"), world.path("store.db")).unwrap();
    // Our last write is not known to be ours any more: it counts as newest.
    in_campaign(&world, ids[0], false, Some(ago(200)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert_eq!(reasons(&world, ids[0]).last().unwrap(), "dynamics-newer");
    silent(&world, "an older store");
}

#[test]
fn a_flag_that_was_cleared_and_set_again_behind_an_older_store_is_set_in_campaign() {
    for expired in [false, true] {
        let (world, ids) = begun("dynamics-to-campaign", &format!("{REST}{BULK}"), 3);
        in_dynamics(&world, ids[0], true, ago(5000));
        in_dynamics(&world, ids[1], true, ago(5000));
        settle(&world);
        std::fs::copy(world.path("store.db"), world.path("backup.db")).unwrap();
        // Dynamics' clock was set back, too.
        in_dynamics(&world, ids[0], false, ago(7000));
        settle(&world);
        assert_eq!(email(&world, ids[0]), (false, false));
        in_dynamics(&world, ids[0], true, ago(6000));
        world.lose_store();
        std::fs::copy(world.path("backup.db"), world.path("store.db")).unwrap();
        if expired {
            world.sandbox.dynamics().expire_tokens();
        }
        world.forget();
        settle(&world);
        assert_eq!(email(&world, ids[0]), (true, true), "expired: {expired}");
        let asked = world.sandbox.requests().entries();
        let looked = |id: &Uuid| asked.iter().any(|it| it.path.contains(&format!("({id})")));
        assert!(looked(&ids[0]) && !looked(&ids[1]), "who did not change is not looked at");
        silent(&world, "an older store");
    }
}

#[test]
fn behind_an_older_store_a_merged_contact_and_one_without_a_profile_are_looked_at_too() {
    let (world, ids) = begun("dynamics-to-campaign", &format!("{REST}{BULK}"), 3);
    let (merged, without) = (ids[1], ids[2]);
    world.sandbox.campaign().delete("profile", "externalId", &without.to_string());
    for id in [merged, without] {
        in_dynamics(&world, id, true, ago(5000));
    }
    settle(&world);
    // What the store has lost: both were cleared in Campaign, and set in Dynamics.
    in_campaign(&world, merged, false, Some(ago(300)));
    let profile = json!({ "externalId": without.to_string(), "lastName": "Made meanwhile" });
    world.sandbox.campaign().insert("profile", &profile).unwrap();
    for id in [merged, without] {
        in_dynamics(&world, id, true, ago(200));
    }
    world.sandbox.dynamics().merge("contact", ids[0], merged).unwrap();
    settle(&world);
    assert_eq!((email(&world, merged), email(&world, without)), ((true, true), (true, true)));
    silent(&world, "an older store");
}

#[test]
fn a_dry_run_beside_a_daemon_does_not_stand_for_the_first_reading_behind_an_older_store() {
    let more = format!("schedule = \"0 0 0 1 1 *\"\n{REST}{BULK}");
    let (world, ids) = begun("dynamics-to-campaign", &more, 3);
    in_dynamics(&world, ids[0], true, ago(5000));
    settle(&world);
    // What the store has lost: it was cleared, which was carried, and set again.
    in_dynamics(&world, ids[0], false, ago(400));
    in_campaign(&world, ids[0], false, Some(ago(300)));
    in_dynamics(&world, ids[0], true, ago(200));
    world.run(&["pause", "optout"]).ends(0);
    let daemon = Running::start(world.command(&["run"]));
    daemon.wait_for("\"flow.finished\"");
    let planned = world.run(&["plan", "optout"]).ends(0).stdout;
    assert!(planned.contains("blackListEmail"), "{planned}");
    world.run(&["resume", "optout"]).ends(0);
    world.run(&["sync", "optout", "--via-daemon"]).ends(0);
    assert_eq!(email(&world, ids[0]), (true, true));
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[test]
fn clocks_far_apart_are_told_of_with_their_distance() {
    let (world, ids) = both_ways(2);
    world.sandbox.set_clock_offset(System::Campaign, 3_600_000);
    in_dynamics(&world, ids[0], true, ago(5));
    let told = passed(&world).ends(0).event("optout.clock_skew");
    assert!(told["offset_ms"].as_i64().unwrap() > 3_000_000, "{told}");
    assert_eq!(email(&world, ids[0]), (true, true));
}
