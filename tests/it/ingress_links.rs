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
    let contacts_table = by_filter(&format!("apply_deletes = true\n{contact_options}"), FIELDS);
    World::new(Setup {
        contacts,
        tables: format!("{}{contacts_table}", vehicles(vehicle_options)),
        variants: strict(),
        ..Setup::default()
    })
}

fn of(owner: Uuid) -> Value {
    json!(format!("/contacts({owner})"))
}

fn add_vehicle(world: &World, owner: Option<Uuid>, name: &str) -> Uuid {
    let mut row = json!({ "new_name": name });
    if let Some(owner) = owner {
        row["new_ContactId@odata.bind"] = of(owner);
    }
    world.sandbox.dynamics().insert("new_vehicle", &row).unwrap()
}

fn change_vehicle(world: &World, id: Uuid, changes: &Value) {
    world.sandbox.dynamics().update("new_vehicle", id, changes).unwrap();
}

fn vehicle(world: &World, id: Uuid) -> Option<Map<String, Value>> {
    let mut found = world.sandbox.campaign().by_key("cusVehicle", "cusVehicleId", &id.to_string());
    assert!(found.len() < 2, "{id} is there twice");
    found.pop()
}

/// The key of the profile that a vehicle is linked to.
#[track_caller]
fn owner(world: &World, id: Uuid) -> Option<String> {
    let vehicle = vehicle(world, id).expect("the vehicle is in Campaign");
    vehicle["vehicleOwner"]["key"].as_str().map(str::to_owned)
}

#[track_caller]
fn owned_by(world: &World, id: Uuid, contact: Uuid) {
    assert_eq!(owner(world, id), Some(contact.to_string()));
}

/// Every vehicle in Campaign has the owner that Dynamics says.
#[track_caller]
fn vehicles_equal(world: &World) {
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

fn waiting(world: &World) -> u64 {
    world.status()["tables"]["new_vehicle"]["waiting_for_parent"].as_u64().unwrap()
}

/// Requests that change this resource, in order.
fn changes(world: &World, resource: &str) -> Vec<LogEntry> {
    let mut entries = world.asked(System::Campaign);
    entries.retain(|entry| entry.method != "GET" && entry.path.contains(resource));
    entries
}

fn on_profiles(method: &str, fault: Fault) -> FaultRule {
    FaultRule { path: Some("/profile".to_owned()), ..on_writes(method, fault) }
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
    // What the request log cannot show: one vehicle without an owner is
    // hidden under such links, and is there all the same.
    assert_eq!(owner(&world, lonely), None);
    vehicles_equal(&world);
    let last_profile = changes(&world, "/profile").iter().map(|entry| entry.seq).min().unwrap();
    let first_vehicle = changes(&world, "/cusVehicle").iter().map(|entry| entry.seq).min().unwrap();
    assert!(last_profile < first_vehicle);
    world.forget();
    assert_eq!(world.synced(), Counts::default());
    assert!(world.writes().is_empty());
}
