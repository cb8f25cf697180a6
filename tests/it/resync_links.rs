//! Replays and comparisons of records that link to others.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::ingress_links::{
    add_vehicle, change_vehicle, linked_as, owned_by, owner, vehicle, vehicles_equal,
};
use crate::support::{World, on_writes, status};
use cdsync::sandbox::Variants;

fn world(vehicle_options: &str) -> World {
    let variants = Variants { one_cardinality_links: false, ..Variants::default() };
    linked_as(variants, 6, "", vehicle_options)
}

fn edit(world: &World, id: Uuid, changes: &Value) {
    let campaign = world.sandbox.campaign();
    let found = campaign.update("cusVehicle", "cusVehicleId", &id.to_string(), changes);
    assert_eq!(found.unwrap(), 1);
}

fn kinds(world: &World, arguments: &[&str], code: i32) -> Vec<(String, String, Value)> {
    let run = world.run(arguments).ends(code);
    let line = |line: &str| -> (String, String, Value) {
        let drift: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| drift[name].as_str().unwrap().to_owned();
        (text("id"), text("kind"), drift["fields"].clone())
    };
    let mut found: Vec<_> = run.stdout.lines().map(line).collect();
    found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    found
}

const VERIFY: &[&str] = &["resync", "--verify", "--json"];
const REPAIR: &[&str] = &["resync", "--repair", "--json"];

#[test]
fn a_link_that_one_side_has_and_the_other_lacks_is_drift_and_is_mended() {
    a_lost_link_is_found(&world(""));
}

/// Campaign may say nothing of a link that is unset.
#[test]
fn a_link_that_campaign_says_nothing_of_is_unset() {
    let variants = Variants {
        one_cardinality_links: false,
        lists_leave_out_unset_links: true,
        ..Variants::default()
    };
    a_lost_link_is_found(&linked_as(variants, 6, "", ""));
}

fn a_lost_link_is_found(world: &World) {
    let owners = world.contacts();
    let lost = add_vehicle(world, Some(owners[0]), "Lost");
    let intact = add_vehicle(world, Some(owners[1]), "Intact");
    let lonely = add_vehicle(world, Some(owners[2]), "Lonely");
    world.synced();
    assert!(kinds(world, VERIFY, 0).is_empty());
    edit(world, lost, &json!({ "vehicleOwner": null }));
    change_vehicle(world, lonely, &json!({ "new_ContactId": null }));
    assert!(owner(world, lost).is_none() && owner(world, lonely).is_some());
    let mut expected = vec![
        (lost.to_string(), "edited".to_owned(), json!(["vehicleOwner"])),
        (lonely.to_string(), "edited".to_owned(), json!(["vehicleOwner"])),
    ];
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(kinds(world, VERIFY, 1), expected);
    world.forget();
    assert_eq!(kinds(world, REPAIR, 0), expected);
    assert_eq!(world.verbs(), ["PATCH", "PATCH"]);
    vehicles_equal(world);
    owned_by(world, intact, owners[1]);
    assert!(kinds(world, VERIFY, 0).is_empty());
}

#[test]
fn a_family_that_campaign_lost_comes_back_parents_first() {
    let world = world("");
    let owners = world.contacts();
    let children: Vec<Uuid> =
        owners.iter().map(|owner| add_vehicle(&world, Some(*owner), "Car")).collect();
    world.synced();
    for (way, code) in [(REPAIR, 0), (&["resync", "--since", "2000-01-01"][..], 0)] {
        let campaign = world.sandbox.campaign();
        for (parent, child) in owners.iter().zip(&children).take(3) {
            assert_eq!(campaign.delete("cusVehicle", "cusVehicleId", &child.to_string()), 1);
            assert_eq!(campaign.delete("profile", "externalId", &parent.to_string()), 1);
        }
        world.run(way).ends(code);
        vehicles_equal(&world);
        assert!(kinds(&world, VERIFY, 0).is_empty());
    }
}

/// A child whose parent the filter leaves out, and goes without the link.
fn alone() -> (World, Uuid, Uuid) {
    let without = "links = [ { from = \"new_contactid\", to = \"vehicleOwner\", table = \"contact\", missing_parent = \"send-without\" } ]";
    let world = world("");
    let tables = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let usual =
        "links = [ { from = \"new_contactid\", to = \"vehicleOwner\", table = \"contact\" } ]";
    assert!(tables.contains(usual));
    let filter = "filter = { rules = [{ column = \"lastname\", is = \"ne\", value = \"Out\" }] }\nfields = [\n  { from = \"firstname\"";
    let tables =
        tables.replace(usual, without).replacen("fields = [\n  { from = \"firstname\"", filter, 1);
    std::fs::write(world.path("config.toml"), tables).unwrap();
    let owners = world.contacts();
    world.change(owners[0], &json!({ "lastname": "Out" }));
    let child = add_vehicle(&world, Some(owners[0]), "Alone");
    world.synced();
    assert!(vehicle(&world, child).is_some() && owner(&world, child).is_none());
    (world, owners[0], child)
}

#[test]
fn a_child_goes_without_a_missing_parent_where_the_configuration_says_so() {
    let (world, _, child) = alone();
    assert!(kinds(&world, VERIFY, 0).is_empty());
    change_vehicle(&world, child, &json!({ "new_name": "Renamed" }));
    let expected = vec![(child.to_string(), "edited".to_owned(), json!(["cusName"]))];
    assert_eq!(kinds(&world, VERIFY, 1), expected);
}

#[test]
fn a_replay_of_records_whose_parents_table_stopped_ends_each_time_it_is_asked_for() {
    let world = world("");
    let owners = world.contacts();
    let cars: Vec<Uuid> =
        owners.iter().map(|owner| add_vehicle(&world, Some(*owner), "Car")).collect();
    world.synced();
    let intact = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let broken = intact.replace("from = \"firstname\"", "from = \"nosuchcolumn\"");
    assert_ne!(broken, intact);
    std::fs::write(world.path("config.toml"), broken).unwrap();
    for _ in 0..3 {
        world.run(&["resync", "--table", "new_vehicle", "--patience", "3"]).ends(1);
    }
    std::fs::write(world.path("config.toml"), intact).unwrap();
    change_vehicle(&world, cars[0], &json!({ "new_name": "Renamed" }));
    world.synced();
    vehicles_equal(&world);
    assert_eq!(world.status()["flows"]["ingress"]["backlog"], 0, "{:#}", world.status());
}

#[test]
fn a_replay_of_records_that_are_refused_for_long_runs_out_of_patience() {
    let world = world("");
    let owners = world.contacts();
    add_vehicle(&world, Some(owners[0]), "Car");
    world.synced();
    world.play(on_writes("PATCH", status(503)));
    for arguments in [&["resync", "--table", "new_vehicle"][..], &["sync", "ingress"]] {
        world.run(&[arguments, &["--patience", "2"]].concat()).ends(4);
    }
    world.calm();
    world.synced();
    vehicles_equal(&world);
}

#[test]
fn a_child_that_was_mended_without_its_parent_is_linked_when_the_parent_comes() {
    for reconcile in [false, true] {
        let (world, contact, child) = alone();
        edit(&world, child, &json!({ "cusName": "Edited" }));
        if reconcile {
            let file = world.path("config.toml");
            let text = std::fs::read_to_string(&file).unwrap();
            let section = "\n[reconcile]\nschedule = \"* * * * * *\"\nrepair = true\n";
            std::fs::write(&file, text + section).unwrap();
            // The slice is due in the next second of the clock.
            while world.sync().ends(0).events("reconcile.finished").is_empty() {}
        } else {
            let expected = vec![(child.to_string(), "edited".to_owned(), json!(["cusName"]))];
            assert_eq!(kinds(&world, REPAIR, 0), expected);
        }
        assert!(kinds(&world, VERIFY, 0).is_empty());
        world.change(contact, &json!({ "lastname": "In" }));
        world.synced();
        world.synced();
        owned_by(&world, child, contact);
        assert!(kinds(&world, VERIFY, 0).is_empty());
    }
}
