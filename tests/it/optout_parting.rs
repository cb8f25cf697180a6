//! A profile is deleted that holds an opt-out which nobody has carried yet: the
//! opt-out outlives it.

use cdsync::sandbox::{FaultRule, System};
use serde_json::json;
use uuid::Uuid;

use crate::optout_rig::{
    BULK, REST, ago, email, in_campaign, in_dynamics, reasons, sections, settle, silent, writes,
};
use crate::preload::library;
use crate::support::{Setup, World, on_writes, status};

/// A world in which contacts without a job have no profile. All have one.
fn filtered(direction: &str, contacts: usize) -> (World, Vec<Uuid>) {
    by_key(direction, contacts, None)
}

/// The same with another key.
fn by_key(direction: &str, contacts: usize, key: Option<&str>) -> (World, Vec<Uuid>) {
    let filter = "apply_deletes = true\nfilter = { delete_filtered_out = true, rules = [ \
                  { column = \"jobtitle\", is = \"not-null\" } ] }\nfields = [";
    let tables = sections(direction, &format!("{REST}{BULK}")).replacen("fields = [", filter, 1);
    let usual = tables.lines().find(|line| line.starts_with("key = ")).unwrap().to_owned();
    let tables = tables.replace(&usual, key.unwrap_or(&usual));
    let world = World::new(Setup { contacts, tables, ..Setup::default() });
    let ids = world.contacts();
    for id in &ids {
        let off = json!({ "jobtitle": "knight", "donotbulkemail": false });
        world.sandbox.dynamics().update_at("contact", *id, &off, ago(86_400)).unwrap();
    }
    world.synced();
    settle(&world);
    (world, ids)
}

fn leaves(world: &World, id: Uuid) {
    world.change(id, &json!({ "jobtitle": null }));
    world.synced();
    assert!(world.profiles_of(id).is_empty(), "the filter takes the profile away");
}

fn comes_back(world: &World, id: Uuid) {
    world.change(id, &json!({ "jobtitle": "knight" }));
    world.synced();
}

fn in_crm(world: &World, id: Uuid) -> bool {
    world.sandbox.dynamics().get("contact", id).unwrap()["donotbulkemail"] == true
}

#[test]
fn an_opt_out_in_campaign_outlives_a_profile_that_the_filter_takes_away() {
    for direction in ["bidirectional", "campaign-to-dynamics"] {
        let (world, ids) = filtered(direction, 3);
        let id = ids[0];
        in_campaign(&world, id, true, Some(ago(1)));
        leaves(&world, id);
        settle(&world);
        assert!(in_crm(&world, id), "{direction}: Dynamics is told without a profile");
        assert_eq!(reasons(&world, id), ["profile-deleted"], "{direction}");
        comes_back(&world, id);
        assert_eq!(email(&world, id), (true, true), "{direction}: and the next profile");
        settle(&world);
        silent(&world, direction);
        assert!(!in_crm(&world, ids[1]), "{direction}: nobody else");
    }
}

#[test]
fn a_profile_that_comes_back_before_the_opt_outs_flow_is_made_opted_out() {
    let (world, ids) = filtered("bidirectional", 2);
    in_campaign(&world, ids[0], true, Some(ago(1)));
    leaves(&world, ids[0]);
    comes_back(&world, ids[0]);
    assert_eq!(email(&world, ids[0]), (false, true), "from its first moment");
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    silent(&world, "both say so");
}

#[test]
fn a_deletion_that_fails_at_first_keeps_the_opt_out_once() {
    let (world, ids) = filtered("bidirectional", 2);
    in_campaign(&world, ids[0], true, Some(ago(1)));
    world.play(FaultRule { times: Some(1), ..on_writes("DELETE", status(503)) });
    leaves(&world, ids[0]);
    settle(&world);
    assert!(in_crm(&world, ids[0]));
    assert_eq!(reasons(&world, ids[0]), ["profile-deleted"]);
}

#[test]
fn a_profile_whose_opt_out_cannot_be_kept_is_not_deleted() {
    let (world, ids) = filtered("bidirectional", 1);
    in_campaign(&world, ids[0], true, Some(ago(1)));
    world.change(ids[0], &json!({ "jobtitle": null }));
    world.forget();
    // The disk is full from the moment in which the profile is looked at.
    let looked = world.path("looked");
    let mut command = world.command(&["sync", "ingress"]);
    command
        .env("LD_PRELOAD", library("anomaly"))
        .env("ANOMALY_DIR", world.path("store.db"))
        .env("ANOMALY_WHEN", &looked)
        .env("ANOMALY_AT", "1")
        .env("ANOMALY_ERROR", "ENOSPC")
        .env("ANOMALY_LASTING", "1");
    world.sandbox.before((System::Campaign, "GET", "byExternalId"), 0, move || {
        std::fs::write(&looked, "").unwrap();
    });
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(world.verbs(), [""; 0], "nothing is deleted");
    // There is room again.
    world.synced();
    assert!(world.profiles_of(ids[0]).is_empty());
    settle(&world);
    assert!(in_crm(&world, ids[0]));
    assert_eq!(reasons(&world, ids[0]), ["profile-deleted"]);
}

#[test]
fn an_opt_out_that_was_lifted_in_dynamics_since_does_not_come_back() {
    let (world, ids) = filtered("bidirectional", 2);
    in_campaign(&world, ids[0], true, Some(ago(60)));
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    leaves(&world, ids[0]);
    in_dynamics(&world, ids[0], false, ago(0));
    settle(&world);
    comes_back(&world, ids[0]);
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, false), "what was carried does not count again");
}

#[test]
fn where_dynamics_alone_decides_a_profile_is_deleted_without_a_look() {
    let (world, ids) = filtered("dynamics-to-campaign", 2);
    in_campaign(&world, ids[0], true, Some(ago(1)));
    world.forget();
    leaves(&world, ids[0]);
    assert_eq!(writes(&world).len(), 1, "{:?}", writes(&world));
    settle(&world);
    assert!(!in_crm(&world, ids[0]), "nothing travels to Dynamics");
    assert_eq!(reasons(&world, ids[0]), Vec::<String>::new());
}

#[test]
fn the_opt_out_of_a_deleted_contact_is_known_when_its_address_comes_back() {
    let (world, ids) = filtered("bidirectional", 2);
    let file = world.path("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let with = "[optout]\nrecreated = \"opt-out\"";
    std::fs::write(&file, text.replacen("[optout]", with, 1)).unwrap();
    let address = json!({ "emailaddress1": "don@example.com" });
    world.change(ids[0], &address);
    world.synced();
    settle(&world);
    in_campaign(&world, ids[0], true, Some(ago(1)));
    world.sandbox.dynamics().delete("contact", ids[0]);
    world.synced();
    assert!(world.profiles_of(ids[0]).is_empty());
    settle(&world);
    let again = world.add(&json!({ "lastname": "Quixote", "jobtitle": "knight",
        "emailaddress1": "don@example.com", "donotbulkemail": false }));
    world.synced();
    settle(&world);
    settle(&world);
    assert_eq!(email(&world, again), (true, true));
}

#[test]
fn an_opt_out_that_was_carried_before_is_not_decided_again() {
    let (world, ids) = filtered("bidirectional", 2);
    in_campaign(&world, ids[0], true, Some(ago(1)));
    settle(&world);
    world.forget();
    leaves(&world, ids[0]);
    let looks = world.sandbox.requests().entries();
    let looks = looks.iter().filter(|it| it.system == System::Campaign && it.method == "GET");
    assert!(looks.count() > 0, "the profile is looked at before it goes");
    assert!(in_crm(&world, ids[0]));
    settle(&world);
    assert_eq!(reasons(&world, ids[0]), ["campaign-opted-out"], "carried once, not twice");
}

#[test]
fn a_profile_with_its_key_in_the_uri_is_read_and_deleted_in_two_calls() {
    let key = r#"key = { from = "contactid", to = "cusCrmId", in_uri = true }"#;
    let (world, ids) = by_key("bidirectional", 2, Some(key));
    world.forget();
    leaves(&world, ids[0]);
    let asked = world.sandbox.requests().entries().into_iter();
    let about = asked.filter(|it| it.system == System::Campaign && it.path.contains("/profile/"));
    let calls: Vec<_> =
        about.map(|it| (it.method, it.path.contains(&ids[0].to_string()))).collect();
    let (read, deleted) = (("GET".to_owned(), true), ("DELETE".to_owned(), false));
    assert_eq!(calls, [read, deleted], "the read names the key, the deletion the address it gave");
}

#[test]
fn an_opt_out_that_was_seen_counts_although_somebody_deletes_the_profile_before_it_is_carried() {
    for direction in ["bidirectional", "campaign-to-dynamics"] {
        let (world, ids) = filtered(direction, 2);
        let id = ids[0];
        in_campaign(&world, id, true, Some(ago(1)));
        let campaign = world.sandbox.campaign();
        let look = (System::Dynamics, "GET", "/contacts(");
        world.sandbox.before(look, 0, move || {
            assert_eq!(campaign.delete("profile", "externalId", &id.to_string()), 1);
        });
        settle(&world);
        assert!(world.profiles_of(id).is_empty());
        assert!(in_crm(&world, id), "{direction}");
        assert_eq!(reasons(&world, id), ["profile-deleted"], "{direction}");
        if direction == "bidirectional" {
            in_dynamics(&world, id, false, ago(0));
            settle(&world);
            settle(&world);
            assert!(!in_crm(&world, id), "it was carried, and does not count again");
        }
    }
}

#[test]
fn an_opt_out_that_was_said_again_outlives_its_profile_although_dynamics_cleared_the_first() {
    let (world, ids) = filtered("bidirectional", 2);
    let id = ids[0];
    in_campaign(&world, id, true, Some(ago(60)));
    settle(&world);
    assert_eq!(email(&world, id), (true, true));
    in_dynamics(&world, id, false, ago(2));
    in_campaign(&world, id, true, Some(ago(2)));
    leaves(&world, id);
    settle(&world);
    assert!(in_crm(&world, id));
    comes_back(&world, id);
    settle(&world);
    assert_eq!(email(&world, id), (true, true));
    // Both know of it: from now on Dynamics may lift it.
    leaves(&world, id);
    in_dynamics(&world, id, false, ago(0));
    settle(&world);
    comes_back(&world, id);
    settle(&world);
    assert_eq!(email(&world, id), (false, false));
}

#[test]
fn a_no_that_a_profile_alone_took_over_is_on_the_one_that_is_made_in_its_place() {
    let (world, ids) = filtered("dynamics-to-campaign", 3);
    in_dynamics(&world, ids[1], true, ago(600));
    settle(&world);
    world.sandbox.dynamics().merge("contact", ids[0], ids[1]).unwrap();
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, true), "the merge keeps the survivor's value");
    leaves(&world, ids[0]);
    assert!(world.profiles_of(ids[0]).is_empty());
    comes_back(&world, ids[0]);
    assert_eq!(email(&world, ids[0]), (false, true), "it is made with it");
    settle(&world);
    assert_eq!(email(&world, ids[0]), (false, true));
    in_dynamics(&world, ids[0], true, ago(20));
    settle(&world);
    in_dynamics(&world, ids[0], false, ago(10));
    settle(&world);
    leaves(&world, ids[0]);
    comes_back(&world, ids[0]);
    assert_eq!(email(&world, ids[0]), (false, false), "said no and yes in Dynamics");
}
