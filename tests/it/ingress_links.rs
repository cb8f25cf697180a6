//! Links: a parent is in Campaign before its child, whatever happens between.

use cdsync::sandbox::{Fault, FaultRule, LogEntry, System, Variants};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::support::{Counts, FIELDS, Setup, World, by_filter, on_writes, status};

/// Vehicles, linked to the contacts that own them.
pub(crate) fn vehicles(options: &str) -> String {
    format!(
        r#"
[[ingress.table]]
dynamics = "new_vehicle"
campaign = "cusVehicle"
key = {{ from = "new_vehicleid", to = "cusVehicleId", filter = "byVehicleId", parameter = "vehicleId_parameter" }}
apply_deletes = true
links = [ {{ from = "new_contactid", to = "vehicleOwner", table = "contact" }} ]
{options}
fields = [ {{ from = "new_name", to = "cusName" }}, {{ from = "new_plate", to = "cusPlate" }} ]
"#
    )
}

/// A world in which a child without its parent cannot be seen in Campaign.
fn strict() -> Variants {
    Variants { one_cardinality_links: true, ..Variants::default() }
}

/// Children stand first in the configuration: the order is not the file's.
fn linked(contacts: usize, contact_options: &str, vehicle_options: &str) -> World {
    linked_as(strict(), contacts, contact_options, vehicle_options)
}

pub(crate) fn linked_as(
    variants: Variants,
    contacts: usize,
    contact_options: &str,
    vehicle_options: &str,
) -> World {
    let contacts_table = by_filter(&format!("apply_deletes = true\n{contact_options}"), FIELDS);
    let world = World::new(Setup {
        contacts,
        tables: format!("{}{contacts_table}", vehicles(vehicle_options)),
        variants,
        ..Setup::default()
    });
    // These tests count: only their own vehicles are to be there.
    let dynamics = world.sandbox.dynamics();
    for id in dynamics.ids("new_vehicle") {
        dynamics.delete("new_vehicle", id);
    }
    world
}

fn of(owner: Uuid) -> Value {
    json!(format!("/contacts({owner})"))
}

pub(crate) fn add_vehicle(world: &World, owner: Option<Uuid>, name: &str) -> Uuid {
    let mut row = json!({ "new_name": name });
    if let Some(owner) = owner {
        row["new_ContactId@odata.bind"] = of(owner);
    }
    world.sandbox.dynamics().insert("new_vehicle", &row).unwrap()
}

pub(crate) fn change_vehicle(world: &World, id: Uuid, changes: &Value) {
    world.sandbox.dynamics().update("new_vehicle", id, changes).unwrap();
}

pub(crate) fn vehicle(world: &World, id: Uuid) -> Option<Map<String, Value>> {
    let mut found = world.sandbox.campaign().by_key("cusVehicle", "cusVehicleId", &id.to_string());
    assert!(found.len() < 2, "{id} is there twice");
    found.pop()
}

/// The key of the profile that a vehicle is linked to.
#[track_caller]
pub(crate) fn owner(world: &World, id: Uuid) -> Option<String> {
    let vehicle = vehicle(world, id).expect("the vehicle is in Campaign");
    vehicle["vehicleOwner"]["key"].as_str().map(str::to_owned)
}

#[track_caller]
pub(crate) fn owned_by(world: &World, id: Uuid, contact: Uuid) {
    assert_eq!(owner(world, id), Some(contact.to_string()));
}

/// Every vehicle in Campaign has the owner that Dynamics says.
#[track_caller]
pub(crate) fn vehicles_equal(world: &World) {
    let dynamics = world.sandbox.dynamics();
    let ids = dynamics.ids("new_vehicle");
    for id in &ids {
        let row = dynamics.get("new_vehicle", *id).unwrap();
        let wanted = row["_new_contactid_value"].as_str().map(str::to_owned);
        assert_eq!(owner(world, *id), wanted, "owner of {id}");
        assert_eq!(vehicle(world, *id).unwrap()["cusName"], row["new_name"], "name of {id}");
    }
    assert_eq!(world.sandbox.campaign().count("cusVehicle"), ids.len());
}

pub(crate) fn waiting(world: &World) -> u64 {
    world.status()["tables"]["new_vehicle"]["waiting_for_parent"].as_u64().unwrap()
}

/// Requests that change this resource, in order.
fn changes(world: &World, resource: &str) -> Vec<LogEntry> {
    let mut entries = world.asked(System::Campaign);
    entries.retain(|entry| entry.method != "GET" && entry.path.contains(resource));
    entries
}

fn on_profiles(method: &str, fault: Fault) -> FaultRule {
    FaultRule { path: Some("Ext/profile".to_owned()), ..on_writes(method, fault) }
}

#[test]
fn parents_are_written_before_their_children_and_links_lead_to_them() {
    let world = linked(12, "", "");
    let owners = world.contacts();
    for (number, owner) in owners.iter().cycle().take(30).enumerate() {
        add_vehicle(&world, Some(*owner), &format!("Car {number}"));
    }
    let lonely = add_vehicle(&world, None, "Nobody's");
    world.equal_after_sync();
    assert_eq!(owner(&world, lonely), None);
    vehicles_equal(&world);
    // Each was made once and never touched again, so none was made early: a
    // `PKey` is known only from the answer to the parent's creation.
    assert!(world.verbs().iter().all(|verb| verb == "POST"), "{:?}", world.verbs());
    assert_eq!(world.verbs().len(), 12 + world.sandbox.dynamics().count("new_vehicle"));
    world.forget();
    assert_eq!(world.synced(), Counts::default());
    assert!(world.writes().is_empty());
}

/// Campaign takes no profile: each is given up at once.
fn refuse_profiles(world: &World) {
    let body = "\"the value is not valid\"".to_owned();
    world.play(on_profiles("POST", Fault::Status { code: 400, body }));
}

#[test]
fn a_child_waits_for_a_late_parent_and_goes_with_its_newest_version() {
    let world = linked(0, "", "");
    let parent = world.add(&json!({ "lastname": "Late" }));
    let first = add_vehicle(&world, Some(parent), "Old name");
    let second = add_vehicle(&world, Some(parent), "Second");
    let free = add_vehicle(&world, None, "Free");
    refuse_profiles(&world);
    let run = world.sync().ends(1);
    assert_eq!(run.counts().pending, 2);
    let told = run.event("links.waiting");
    assert_eq!((&told["table"], &told["waiting"]), (&json!("new_vehicle"), &json!(2)));
    assert_eq!(waiting(&world), 2);
    let status = world.run(&["status"]).ends(0);
    assert!(status.stdout.contains("new_vehicle: 2 of its records wait"), "{}", status.stdout);
    assert!(vehicle(&world, free).is_some(), "who has no parent does not wait");
    change_vehicle(&world, first, &json!({ "new_name": "New name" }));
    let run = world.sync().ends(0);
    assert_eq!(run.counts(), Counts { read: 3, unchanged: 1, pending: 2, ..Counts::default() });
    world.calm();
    world.forget();
    world.run(&["dead-letters", "retry"]).ends(0);
    assert_eq!(world.synced(), Counts { read: 3, written: 3, ..Counts::default() });
    vehicles_equal(&world);
    owned_by(&world, first, parent);
    owned_by(&world, second, parent);
    assert_eq!(world.verbs(), ["POST", "POST", "POST"], "each was written once, and whole");
    assert_eq!(waiting(&world), 0);
}

#[test]
fn a_child_that_is_deleted_while_it_waits_is_never_written() {
    let world = linked(0, "", "");
    let parent = world.add(&json!({ "lastname": "Late" }));
    let child = add_vehicle(&world, Some(parent), "Gone soon");
    refuse_profiles(&world);
    world.sync().ends(1);
    assert!(world.sandbox.dynamics().delete("new_vehicle", child));
    let counts = world.sync().ends(0).counts();
    assert_eq!((counts.read, counts.unchanged, counts.pending), (2, 2, 0));
    world.calm();
    world.run(&["dead-letters", "retry"]).ends(0);
    world.forget();
    world.equal_after_sync();
    assert!(changes(&world, "/cusVehicle").is_empty());
    assert_eq!(world.sandbox.campaign().count("cusVehicle"), 0);
}

#[test]
fn a_link_that_moves_or_is_cleared_costs_one_call_and_nothing_else() {
    let world = linked(3, "", "");
    let owners = world.contacts();
    let child = add_vehicle(&world, Some(owners[0]), "Sold");
    world.equal_after_sync();
    owned_by(&world, child, owners[0]);
    change_vehicle(&world, child, &json!({ "new_ContactId@odata.bind": of(owners[1]) }));
    world.forget();
    assert_eq!(world.synced(), Counts { read: 1, written: 1, ..Counts::default() });
    assert_eq!(world.verbs(), ["PATCH"]);
    owned_by(&world, child, owners[1]);
    change_vehicle(&world, child, &json!({ "new_plate": "B-1" }));
    world.forget();
    world.synced();
    assert_eq!(world.verbs(), ["PATCH"]);
    let asked = world.asked(System::Campaign);
    assert!(
        !asked.iter().any(|entry| entry.path.contains("/profile/byExternalId")),
        "an unchanged link asks for no parent"
    );
    change_vehicle(&world, child, &json!({ "new_contactid": null }));
    world.synced();
    assert_eq!(owner(&world, child), None);
    vehicles_equal(&world);
}

#[test]
fn children_of_one_parent_share_its_look_up() {
    let world = linked(1, "", "");
    world.equal_after_sync();
    let parent = world.contacts()[0];
    for number in 0..40 {
        add_vehicle(&world, Some(parent), &format!("Fleet {number}"));
    }
    world.forget();
    world.synced();
    vehicles_equal(&world);
    assert_eq!(world.lookups(), 1, "one for the parent, none for the children");
    assert_eq!(world.verbs().len(), 40);
}

#[test]
fn a_parent_deleted_by_hand_in_campaign_is_written_again_before_its_child() {
    let world = linked_as(Variants::default(), 2, "", "");
    let owners = world.contacts();
    let old = add_vehicle(&world, Some(owners[0]), "Old");
    world.equal_after_sync();
    assert_eq!(world.sandbox.campaign().delete("profile", "externalId", &owners[0].to_string()), 1);
    let new = add_vehicle(&world, Some(owners[0]), "New");
    let counts = world.sync().ends(0).counts();
    assert_eq!(counts, Counts { read: 1, pending: 1, ..Counts::default() });
    assert!(vehicle(&world, new).is_none(), "it waits");
    let told = crate::trace::story(&world, new);
    let reason = format!("Campaign does not hold what it links to: contact {}", owners[0]);
    assert_eq!(told["entries"][1]["reason"], reason, "{told}");
    world.equal_after_sync();
    // The link that went with the parent is set again, at the latest now.
    world.synced();
    owned_by(&world, new, owners[0]);
    owned_by(&world, old, owners[0]);
    vehicles_equal(&world);
    world.forget();
    assert_eq!(world.synced(), Counts::default());
    assert!(world.writes().is_empty());
}

#[test]
fn deletions_of_one_wave_go_child_first() {
    let world = linked(6, "", "");
    let owners = world.contacts();
    for owner in &owners {
        for number in 0..3 {
            add_vehicle(&world, Some(*owner), &format!("Car {number}"));
        }
    }
    let children = world.sandbox.dynamics().ids("new_vehicle");
    world.equal_after_sync();
    let cascade = Variants { parent_delete: cdsync::sandbox::ParentDelete::Cascade, ..strict() };
    world.sandbox.set_variants(cascade);
    for child in &children {
        assert!(world.sandbox.dynamics().delete("new_vehicle", *child));
    }
    for owner in &owners {
        world.delete(*owner);
    }
    world.forget();
    // One child is slow to go: its parent waits for it, and only for it.
    let rule = FaultRule { times: Some(4), ..on_writes("DELETE", status(503)) };
    world.play(FaultRule { path: Some("/cusVehicle".to_owned()), ..rule });
    world.equal_after_sync();
    assert_eq!(world.sandbox.campaign().count("cusVehicle"), 0);
    let done = |resource: &str| {
        changes(&world, resource).into_iter().filter(|entry| entry.status == 200).count()
    };
    assert_eq!(done("/cusVehicle"), children.len(), "no child went with its parent");
    assert_eq!(done("Ext/profile"), 6);
}

#[test]
fn held_deletions_of_children_hold_their_parents_too() {
    let world = linked(2, "", "delete_guard = { rows = 1 }");
    let owners = world.contacts();
    let cars: Vec<Uuid> = (0..2).map(|_| add_vehicle(&world, Some(owners[0]), "Held")).collect();
    world.equal_after_sync();
    for car in &cars {
        assert!(world.sandbox.dynamics().delete("new_vehicle", *car));
    }
    world.delete(owners[0]);
    world.delete(owners[1]);
    let run = world.sync().ends(1);
    assert_eq!(run.counts(), Counts { read: 4, deleted: 1, pending: 3, ..Counts::default() });
    assert_eq!(world.profiles_of(owners[0]).len(), 1, "its children are still there");
    // Nor does it overtake them when their table cannot be read.
    world.sandbox.dynamics().set_privileged("new_vehicle", false);
    world.sync().ends(3);
    assert_eq!(world.profiles_of(owners[0]).len(), 1);
    world.sandbox.dynamics().set_privileged("new_vehicle", true);
    world.run(&["approve-deletes", "new_vehicle"]).ends(0);
    world.equal_after_sync();
    assert_eq!(world.sandbox.campaign().count("cusVehicle"), 0);
}

#[test]
fn after_the_loss_of_the_store_a_set_link_is_written_once_and_an_unset_one_not() {
    let world = linked(3, "", "");
    let owners = world.contacts();
    let linked = add_vehicle(&world, Some(owners[0]), "Linked");
    add_vehicle(&world, None, "Lonely");
    world.sandbox.set_variants(Variants::default());
    world.equal_after_sync();
    world.lose_store();
    world.forget();
    world.equal_after_sync();
    assert_eq!(world.verbs(), ["PATCH"], "which profile a listed link leads to is not known");
    owned_by(&world, linked, owners[0]);
    world.forget();
    world.synced();
    assert!(world.writes().is_empty());
}

#[test]
fn a_parents_pkey_that_is_refused_is_looked_up_again_once() {
    let world = linked(0, "", "");
    let parent = world.add(&json!({ "lastname": "Moved" }));
    let child = add_vehicle(&world, Some(parent), "Car");
    let body = "\"RST-360011 An error has occurred\\n'@old' is not a valid constant\"".to_owned();
    let rule = FaultRule {
        path: Some("/cusVehicle".to_owned()),
        times: Some(1),
        ..on_writes("POST", Fault::Status { code: 500, body })
    };
    world.play(rule);
    assert_eq!(world.synced().written, 2);
    owned_by(&world, child, parent);
    assert_eq!(world.lookups(), 1, "the parent's key was asked for anew");
    assert_eq!(world.verbs(), ["POST", "POST", "POST"]);
}
