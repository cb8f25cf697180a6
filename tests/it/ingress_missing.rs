//! Children whose parent Campaign shall not hold: the three choices.

use cdsync::sandbox::Variants;
use serde_json::json;
use uuid::Uuid;

use crate::ingress_links::{
    add_vehicle, change_vehicle, linked_as, owned_by, owner, vehicle, vehicles, vehicles_equal,
    waiting,
};
use crate::support::{Counts, FIELDS, Setup, World, by_filter};
use crate::trace::story;

const LEFT_OUT: &str = "filter = { rules = [ { column = \"jobtitle\", is = \"not-null\" } ], delete_filtered_out = true }";

/// A contact that the filter leaves out, with a vehicle, and one that passes.
fn left_out(choice: &str) -> (World, Uuid, Uuid) {
    // A child without its link could not be seen, nor changed, under strict links.
    let world = linked_as(Variants::default(), 0, LEFT_OUT, choice);
    let inside = world.add(&json!({ "lastname": "In", "jobtitle": "Driver" }));
    let outside = world.add(&json!({ "lastname": "Out" }));
    add_vehicle(&world, Some(inside), "Inside");
    let child = add_vehicle(&world, Some(outside), "Outside");
    (world, outside, child)
}

#[test]
fn a_child_of_a_filtered_out_parent_waits_by_default_and_goes_when_it_passes() {
    let (world, outside, child) = left_out("");
    let counts = world.sync().ends(0).counts();
    assert_eq!((counts.written, counts.filtered, counts.pending), (2, 1, 1));
    assert_eq!(waiting(&world), 1);
    assert_eq!(
        story(&world, child)["state"][0]["waits_for"],
        json!([{ "link": "vehicleOwner", "table": "contact", "id": outside.to_string() }])
    );
    let text = world.run(&["trace", &child.to_string()]).ends(0).stdout;
    assert!(text.contains(&format!("waits for contact {outside}, its vehicleOwner")), "{text}");
    world.change(outside, &json!({ "jobtitle": "Driver" }));
    world.equal_after_sync();
    owned_by(&world, child, outside);
    vehicles_equal(&world);
}

#[test]
fn a_child_is_sent_without_its_link_where_so_configured_and_gets_it_later() {
    let (world, outside, child) = left_out("missing_parent = \"send-without\"");
    let counts = world.synced();
    assert_eq!((counts.written, counts.filtered, counts.pending), (3, 1, 0));
    assert_eq!(owner(&world, child), None);
    world.forget();
    assert_eq!(world.synced(), Counts::default());
    assert!(world.writes().is_empty(), "it is not sent again while nothing changes");
    world.change(outside, &json!({ "jobtitle": "Driver" }));
    world.synced();
    // The parent may have arrived after the vehicles were read.
    world.equal_after_sync();
    owned_by(&world, child, outside);
    vehicles_equal(&world);
    // And the other way: the parent leaves, its child lets go of it first.
    world.change(outside, &json!({ "jobtitle": null }));
    world.forget();
    world.synced();
    assert!(world.profiles_of(outside).is_empty());
    assert_eq!(owner(&world, child), None);
    let order: Vec<String> = world.writes().into_iter().map(|(method, _)| method).collect();
    assert_eq!(order, ["PATCH", "DELETE"]);
}

#[test]
fn a_child_becomes_a_dead_letter_where_so_configured_and_comes_back_by_itself() {
    let (world, outside, child) = left_out("missing_parent = \"dead-letter\"");
    let counts = world.sync().ends(1).counts();
    assert_eq!((counts.written, counts.filtered, counts.dead_lettered), (2, 1, 1));
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["record"], child.to_string());
    let reason = letters[0]["reason"].as_str().unwrap();
    let expected =
        format!("vehicleOwner: its parent, contact {outside}, is left out by its filter");
    assert_eq!(reason, expected);
    world.change(outside, &json!({ "jobtitle": "Driver" }));
    world.sync();
    world.equal_after_sync();
    owned_by(&world, child, outside);
    assert!(world.dead_letters().is_empty());
}

#[test]
fn what_a_record_gets_later_overwrites_no_field_that_is_written_once() {
    let fields = "missing_parent = \"send-without\"";
    let world = linked_as(Variants::default(), 0, LEFT_OUT, fields);
    let table =
        vehicles(fields).replace("to = \"cusPlate\" }", "to = \"cusPlate\", updates = false }");
    let contacts = by_filter(&format!("apply_deletes = true\n{LEFT_OUT}"), FIELDS);
    world.configure(&format!("{table}{contacts}"));
    let outside = world.add(&json!({ "lastname": "Out" }));
    let child = add_vehicle(&world, Some(outside), "Car");
    change_vehicle(&world, child, &json!({ "new_plate": "FIRST" }));
    world.synced();
    change_vehicle(&world, child, &json!({ "new_plate": "SECOND" }));
    world.change(outside, &json!({ "jobtitle": "Driver" }));
    world.synced();
    world.synced();
    owned_by(&world, child, outside);
    assert_eq!(vehicle(&world, child).unwrap()["cusPlate"], "FIRST");
}

#[test]
fn a_parent_that_nobody_maps_is_missing_at_once() {
    let world = World::new(Setup {
        contacts: 1,
        tables: vehicles("missing_parent = \"send-without\""),
        ..Setup::default()
    });
    let child = add_vehicle(&world, Some(world.contacts()[0]), "Alone");
    world.synced();
    assert_eq!(owner(&world, child), None);
    world.configure(&vehicles(""));
    let refused = world.run(&["check", "--offline"]).ends(2);
    assert!(refused.stdout.contains("`contact` is not mapped"), "{}", refused.stdout);
}

#[test]
fn a_parent_that_comes_while_its_childrens_table_cannot_be_read_is_not_forgotten() {
    let (world, outside, child) = left_out("missing_parent = \"send-without\"");
    world.synced();
    assert_eq!(owner(&world, child), None);
    world.sandbox.dynamics().set_privileged("new_vehicle", false);
    world.change(outside, &json!({ "jobtitle": "Driver" }));
    world.sync().ends(3);
    assert_eq!(world.profiles_of(outside).len(), 1);
    world.sandbox.dynamics().set_privileged("new_vehicle", true);
    world.equal_after_sync();
    owned_by(&world, child, outside);
}

#[test]
fn a_link_that_the_configuration_gains_later_is_set_on_records_that_are_there() {
    let world = linked_as(Variants::default(), 2, "", "");
    let contacts = by_filter("apply_deletes = true", FIELDS);
    let line = vehicles("").lines().find(|line| line.starts_with("links")).unwrap().to_owned();
    let child = add_vehicle(&world, Some(world.contacts()[0]), "Car");
    world.configure(&format!("{}{contacts}", vehicles("").replace(&line, "")));
    world.equal_after_sync();
    assert_eq!(owner(&world, child), None);
    world.configure(&format!("{}{contacts}", vehicles("")));
    world.equal_after_sync();
    owned_by(&world, child, world.contacts()[0]);
    world.forget();
    world.synced();
    assert!(world.writes().is_empty());
}

#[test]
fn a_deleted_parent_goes_although_its_child_waits_for_another_that_never_comes() {
    let (world, outside, _) = left_out("");
    let leaving = world.add(&json!({ "lastname": "Leaves", "jobtitle": "Driver" }));
    let child = add_vehicle(&world, Some(leaving), "Moves");
    world.sync();
    owned_by(&world, child, leaving);
    let bound = json!({ "new_ContactId@odata.bind": format!("/contacts({outside})") });
    change_vehicle(&world, child, &bound);
    world.delete(leaving);
    world.sync().ends(0);
    assert!(world.profiles_of(leaving).is_empty(), "nobody waits for a child that cannot move");
    // The child still gets there once its new parent does.
    world.change(outside, &json!({ "jobtitle": "Driver" }));
    world.equal_after_sync();
    owned_by(&world, child, outside);
}

#[test]
fn children_whose_table_is_no_longer_mapped_hold_no_deletion_and_are_told_of() {
    let (world, outside, _) = left_out("");
    let leaving = world.add(&json!({ "lastname": "Leaves", "jobtitle": "Driver" }));
    let child = add_vehicle(&world, Some(leaving), "Held");
    world.sync();
    let contacts = by_filter(&format!("apply_deletes = true\n{LEFT_OUT}"), FIELDS);
    let held = vehicles("delete_guard = { rows = 0 }");
    world.configure(&format!("{held}{contacts}"));
    assert!(world.sandbox.dynamics().delete("new_vehicle", child));
    world.delete(leaving);
    world.sync().ends(1);
    assert_eq!(world.profiles_of(leaving).len(), 1);
    assert_eq!(world.status()["tables"]["contact"]["waiting_for_children"], 1);
    let text = world.run(&["status"]).ends(0).stdout;
    assert!(text.contains("contact: 1 of its deletions wait"), "{text}");
    let story = story(&world, leaving);
    assert_eq!(
        story["state"][0]["waits_for"],
        json!([{ "link": "vehicleOwner", "table": "new_vehicle", "id": child.to_string() }])
    );

    world.configure(&contacts);
    let run = world.sync();
    assert!(world.profiles_of(leaving).is_empty());
    let told = run.event("table.unmapped");
    assert_eq!((&told["table"], &told["waiting"]), (&json!("new_vehicle"), &json!(2)));
    assert_eq!(world.status()["not_mapped"], json!({ "new_vehicle": 2 }));
    let text = world.run(&["status"]).ends(0).stdout;
    assert!(text.contains("new_vehicle is not mapped any more: 2 of"), "{text}");

    world.change(outside, &json!({ "jobtitle": "Driver" }));
    world.configure(&format!("{}{contacts}", vehicles("")));
    world.equal_after_sync();
    world.equal_after_sync();
    vehicles_equal(&world);
    assert_eq!(world.status()["not_mapped"], json!({}));
}

#[test]
fn another_choice_for_missing_parents_looks_only_at_those_that_miss_one() {
    let (world, _, child) = left_out("");
    assert_eq!(world.sync().ends(0).counts().pending, 1);
    let contacts = by_filter(&format!("apply_deletes = true\n{LEFT_OUT}"), FIELDS);
    let given_up = |world: &World| world.status()["flows"]["ingress"]["dead_letters"] == 1;
    for (choice, letter) in [("dead-letter", true), ("wait", false), ("dead-letter", true)] {
        world.configure(&format!(
            "{}{contacts}",
            vehicles(&format!("missing_parent = \"{choice}\""))
        ));
        let plan = world.plan();
        let line = plan.iter().find(|line| line["action"] == "re-evaluate").unwrap();
        assert_eq!((&line["rows"], &line["read"]), (&json!(1), &json!("by-id")), "{choice}");
        assert_eq!(line["reason"], "missing_parent of vehicleOwner");
        world.forget();
        let run = world.sync();
        // What was taken back and what was read in its place.
        assert!(run.counts().read <= 2, "{choice}: {:?}", run.counts());
        assert_eq!(given_up(&world), letter, "{choice}");
        assert!(world.writes().is_empty());
    }
    assert!(world.sandbox.campaign().count("cusVehicle") == 1, "{child} never came");
}

#[test]
fn what_is_left_of_a_table_that_is_no_longer_mapped_is_discarded_when_asked() {
    let (world, outside, _) = left_out("");
    world.sync().ends(0);
    let contacts = by_filter(&format!("apply_deletes = true\n{LEFT_OUT}"), FIELDS);
    world.run(&["discard-table", "new_vehicle", "--yes"]).ends(2);
    world.configure(&contacts);
    let left = |discarded: bool| json!({ "table": "new_vehicle", "waiting": 1, "dead_letters": 0, "records": 1, "discarded": discarded });
    let said = |run: crate::support::Run| -> serde_json::Value {
        serde_json::from_str(&run.stdout).unwrap()
    };
    let ask = ["discard-table", "new_vehicle", "--json"];
    assert_eq!(said(world.run(&ask).ends(2)), left(false));
    let text = world.run(&ask[..2]).ends(2).stdout;
    assert!(text.contains("1 decision waiting, 0 dead letters, 1 record that"), "{text}");
    assert_eq!(world.status()["not_mapped"], json!({ "new_vehicle": 1 }));
    assert_eq!(
        said(world.run(&["discard-table", "new_vehicle", "--json", "--yes"]).ends(0)),
        left(true)
    );
    assert_eq!(world.status()["not_mapped"], json!({}));
    world.run(&ask).ends(1);
    assert!(world.sync().ends(0).events("table.unmapped").is_empty());
    // Mapped again it begins with a first load, and doubles nothing.
    world.change(outside, &json!({ "jobtitle": "Driver" }));
    world.configure(&format!("{}{contacts}", vehicles("")));
    world.equal_after_sync();
    vehicles_equal(&world);
    assert_eq!(world.sandbox.campaign().count("cusVehicle"), 2);
}

#[test]
fn a_deletion_goes_when_the_parent_that_its_child_waits_for_is_gone_too() {
    let (world, _, _) = left_out("");
    let leaving = world.add(&json!({ "lastname": "Leaves", "jobtitle": "Driver" }));
    let child = add_vehicle(&world, Some(leaving), "Moves");
    world.sync();
    // The move's new parent is refused: the child waits, and at first its old
    // parent for it, for the new one might have come.
    let refused = world.add(&json!({ "firstname": "x".repeat(31), "jobtitle": "Driver" }));
    let bound = json!({ "new_ContactId@odata.bind": format!("/contacts({refused})") });
    change_vehicle(&world, child, &bound);
    world.delete(leaving);
    world.sync();
    world.sync();
    assert!(world.profiles_of(leaving).is_empty());
}
