//! Contacts whose address comes back under another id, and contacts that share
//! one (the edge cases of reliability sheet 2.3).

use serde_json::{Value, json};
use uuid::Uuid;

use crate::optout_rig::{
    BULK, REST, ago, begun, both_ways, decided, email, in_campaign, in_dynamics, number, passed,
    reasons, settle, silent, time_passes,
};
use crate::support::World;

const ADDRESS: &str = "rosa.lind@example.test";

/// A contact with the address says no and is deleted; the number of the contact.
fn gone(world: &World, id: Uuid) {
    world.change(id, &json!({ "emailaddress1": ADDRESS }));
    in_dynamics(world, id, true, ago(300));
    settle(world);
    world.delete(id);
}

/// The same person anew, in another spelling.
fn again(world: &World) -> Uuid {
    let address = format!(" {} ", ADDRESS.to_uppercase());
    world.add(&json!({ "lastname": "Lind", "emailaddress1": address, "donotbulkemail": false }))
}

fn says_no(world: &World, id: Uuid) -> bool {
    world.sandbox.dynamics().get("contact", id).unwrap()["donotbulkemail"] == true
}

fn notes(world: &World) -> i64 {
    number(world, "SELECT count(*) FROM consent_address WHERE gone_us IS NOT NULL")
}

#[test]
fn who_comes_back_under_another_id_is_told_of_once_and_not_changed() {
    let (world, ids) = both_ways(3);
    gone(&world, ids[0]);
    // Deletion and creation in one page, and the address once more.
    let new = again(&world);
    let run = passed(&world).ends(0);
    let told = run.event("optout.recreated");
    assert_eq!((&told["id"], &told["former"]), (&json!(new), &json!(ids[0])), "{told}");
    assert_eq!((&told["flags"], &told["opted_out"]), (&json!("blackListEmail"), &json!(false)));
    run.counts();
    assert!(!says_no(&world, new));
    assert_eq!(reasons(&world, new), ["recreated"], "the ledger keeps it");
    let shown = world.run(&["optouts", "show", &new.to_string()]).ends(0).stdout;
    assert!(shown.contains("a deleted contact with the same address had opted out"), "{shown}");
    world.change(new, &json!({ "lastname": "Edited" }));
    assert!(passed(&world).ends(0).events("optout.recreated").is_empty());
    world.change(new, &json!({ "emailaddress1": "other@example.test" }));
    settle(&world);
    world.change(new, &json!({ "emailaddress1": ADDRESS }));
    assert!(passed(&world).ends(0).events("optout.recreated").is_empty(), "told once");
    silent(&world, "told of");
}

#[test]
fn where_that_is_wanted_who_comes_back_is_opted_out_until_campaign_says_otherwise() {
    let (world, ids) = begun("bidirectional", &format!("{REST}{BULK}\nrecreated = \"opt-out\""), 3);
    gone(&world, ids[0]);
    let new = again(&world);
    let run = passed(&world).ends(0);
    assert_eq!(run.event("optout.recreated")["opted_out"], true);
    run.counts();
    assert!(says_no(&world, new));
    let decision = decided(&world, new).pop().unwrap();
    assert_eq!((decision.reason.as_str(), decision.result), ("recreated", true));
    assert_eq!(decision.told_by, format!("address of {}", ids[0]));
    world.synced();
    settle(&world);
    assert_eq!(email(&world, new), (true, true), "the profile is made with it");
    silent(&world, "opted out again");
    time_passes(&world, 120);
    in_campaign(&world, new, false, Some(ago(-60)));
    settle(&world);
    assert_eq!(email(&world, new), (false, false), "subscribed again, provably later");
    world.change(new, &json!({ "lastname": "Edited" }));
    settle(&world);
    assert_eq!(email(&world, new), (false, false), "it has counted");
}

#[test]
fn who_comes_back_under_its_own_id_is_told_of_and_opted_out_where_wanted_each_time() {
    for opts in [false, true] {
        let answer = if opts { "opt-out" } else { "warn" };
        let more = format!("{REST}{BULK}\nrecreated = \"{answer}\"");
        let (world, ids) = begun("bidirectional", &more, 3);
        gone(&world, ids[0]);
        let id = ids[0].to_string();
        for round in 0..2 {
            settle(&world);
            world.sandbox.campaign().delete("profile", "externalId", &id);
            let again = json!({ "contactid": id, "lastname": "Lind", "emailaddress1": ADDRESS,
                "donotbulkemail": false });
            world.add(&again);
            let run = passed(&world).ends(0);
            let told = run.event("optout.recreated");
            assert_eq!((&told["id"], &told["former"]), (&json!(id), &json!(id)), "{told}");
            assert_eq!(told["opted_out"], opts);
            run.counts();
            assert_eq!(says_no(&world, ids[0]), opts, "round {round}");
            silent(&world, "told of");
            if !opts {
                break;
            }
            world.delete(ids[0]);
        }
    }
}

#[test]
fn towards_campaign_the_no_of_who_comes_back_waits_for_the_profile() {
    let (world, ids) =
        begun("dynamics-to-campaign", &format!("{BULK}\nrecreated = \"opt-out\""), 3);
    gone(&world, ids[0]);
    let new = again(&world);
    assert_eq!(settle(&world).pending, 1);
    world.synced();
    settle(&world);
    assert_eq!(email(&world, new), (false, true), "nothing is written to Dynamics");
    silent(&world, "waited");
}

#[test]
fn a_deletion_that_nobody_told_of_is_noticed_at_the_next_full_read() {
    let (world, ids) = both_ways(3);
    gone(&world, ids[0]);
    world.sandbox.dynamics().expire_tokens();
    let run = passed(&world).ends(0);
    assert_eq!(run.events("cursor.expired").len(), 1);
    assert_eq!(notes(&world), 1);
    let new = again(&world);
    let told = passed(&world).ends(0).event("optout.recreated");
    assert_eq!((&told["id"], &told["former"]), (&json!(new), &json!(ids[0])), "{told}");
}

#[test]
fn only_a_no_outlives_its_contact_and_not_for_good() {
    let (world, ids) =
        begun("bidirectional", &format!("{REST}{BULK}\nrecreated_within = \"0s\""), 3);
    world.change(ids[1], &json!({ "emailaddress1": "yes@example.test" }));
    world.delete(ids[1]);
    gone(&world, ids[0]);
    settle(&world);
    assert_eq!(notes(&world), 1, "of who had said no");
    again(&world);
    assert!(passed(&world).ends(0).events("optout.recreated").is_empty(), "too long ago");
    assert_eq!(notes(&world), 0);
    // Nothing but a fingerprint was ever there.
    for name in ["store.db", "store.db-wal"] {
        let bytes = std::fs::read(world.path(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.contains("rosa.lind"), "{name}");
    }
}

#[test]
fn where_nobody_wants_it_no_fingerprint_is_kept() {
    let (world, ids) = both_ways(3);
    let rows = "SELECT count(*) FROM consent_address";
    assert!(number(&world, rows) > 0);
    let more = format!("{REST}{BULK}\nrecreated = \"off\"");
    world.configure(&crate::optout_rig::sections("bidirectional", &more));
    gone(&world, ids[0]);
    again(&world);
    assert!(passed(&world).ends(0).events("optout.recreated").is_empty());
    assert_eq!(number(&world, rows), 0);
}

#[test]
fn contacts_that_share_an_address_and_differ_are_told_of_and_listed() {
    let (world, ids) = both_ways(3);
    for (place, id) in ids.iter().enumerate() {
        let address = if place < 2 { ADDRESS } else { "other@example.test" };
        world.change(*id, &json!({ "emailaddress1": address }));
    }
    in_dynamics(&world, ids[0], true, ago(300));
    in_dynamics(&world, ids[2], true, ago(300));
    let run = passed(&world).ends(0);
    assert_eq!(run.event("optouts.same_address")["flags"], 1);
    let list = ["optouts", "list", "--same-address", "--json"];
    let shared: Value = serde_json::from_str(&world.run(&list).ends(0).stdout).unwrap();
    let expected =
        json!([{ "flag": "blackListEmail", "opted_out": [ids[0]], "not_opted_out": [ids[1]] }]);
    assert_eq!(shared, expected);
    let table = world.run(&list[..3]).ends(0).stdout;
    assert!(table.contains(&ids[1].to_string()) && !table.contains("example"), "{table}");
    assert!(passed(&world).ends(0).events("optouts.same_address").is_empty(), "told once");
    assert_eq!(email(&world, ids[1]), (false, false), "each by its id");
    in_dynamics(&world, ids[1], true, ago(200));
    assert_eq!(passed(&world).ends(0).event("optouts.same_address")["flags"], 0);
}

#[test]
fn a_column_that_is_named_for_addresses_must_be_readable_text() {
    let (world, _) = both_ways(1);
    let more = format!("{REST}{BULK}\naddress = \"donotphone\"");
    world.configure(&crate::optout_rig::sections("bidirectional", &more));
    let run = passed(&world);
    assert_eq!(run.code, 1);
    let reason = run.event("table.failed")["reason"].to_string();
    assert!(reason.contains("`address` names donotphone"), "{reason}");
    let found = world.run(&["check"]);
    assert!(found.stdout.contains("`address` names donotphone"), "{}", found.stdout);
}
