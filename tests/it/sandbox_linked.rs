//! The look-alikes' linked tables: vehicles of contacts, service visits of
//! vehicles.

use std::collections::HashSet;

use cdsync::sandbox::{SandboxOptions, Variants};
use serde_json::{Value, json};

use crate::rig::{CONTACTS, Rig};
use crate::sandbox::{World, send};

const EXT: &str = "profileAndServicesExt";

async fn filled(contacts: usize, seed: u64) -> World {
    World::start(SandboxOptions { contacts, seed, ..SandboxOptions::default() }).await
}

async fn rows(world: &World, set: &str) -> Vec<Value> {
    let got = world.get(set, "").await;
    assert_eq!(got.status, 200, "{}", got.text);
    got.json()["value"].as_array().unwrap().clone()
}

fn pkey(value: &Value) -> String {
    value["PKey"].as_str().unwrap_or_else(|| panic!("no PKey in {value}")).to_owned()
}

#[tokio::test]
async fn vehicles_and_visits_come_with_the_contacts_and_some_have_no_parent() {
    let world = filled(80, 5).await;
    let ids = |rows: &[Value], id: &str| -> HashSet<String> {
        rows.iter().map(|row| row[id].as_str().unwrap().to_owned()).collect()
    };
    let contacts = rows(&world, "contacts?$select=contactid").await;
    let vehicles = rows(&world, "new_vehicles?$select=new_name,_new_contactid_value").await;
    let visits = rows(&world, "new_servicevisits?$select=new_name,_new_vehicleid_value").await;
    assert_eq!((vehicles.len(), visits.len()), (20, 40));
    for (children, lookup, parents) in [
        (&vehicles, "_new_contactid_value", ids(&contacts, "contactid")),
        (&visits, "_new_vehicleid_value", ids(&vehicles, "new_vehicleid")),
    ] {
        let linked: Vec<&str> = children.iter().filter_map(|row| row[lookup].as_str()).collect();
        assert!(linked.len() < children.len() && linked.len() * 2 > children.len(), "{lookup}");
        assert!(linked.iter().all(|parent| parents.contains(*parent)), "{lookup}");
    }
    assert_eq!(rows(&filled(0, 5).await, "new_vehicles").await, Vec::<Value>::new());
}

#[tokio::test]
async fn one_seed_gives_the_same_vehicles_and_visits() {
    let facts = async |seed: u64| {
        let world = filled(12, seed).await;
        let mut out = Vec::new();
        for query in [
            "new_vehicles?$select=new_name,new_plate,new_price,_new_contactid_value",
            "new_servicevisits?$select=new_name,new_cost,new_kind,new_notes,_new_vehicleid_value",
        ] {
            out.extend(rows(&world, query).await);
        }
        out
    };
    let first = facts(3).await;
    assert_eq!(first.len(), 9);
    assert_eq!(first, facts(3).await);
    assert_ne!(first, facts(4).await);
}

#[tokio::test]
async fn a_visit_is_bound_to_its_vehicle_and_told_as_a_change() {
    let world = World::plain().await;
    let delta =
        world.get("new_servicevisits", "odata.track-changes").await.json()["@odata.deltaLink"]
            .as_str()
            .unwrap()
            .to_owned();
    let vehicle =
        world.sandbox.dynamics().insert("new_vehicle", &json!({"new_name": "Van"})).unwrap();
    let body = json!({
        "new_name": "Check", "new_visitedon": "2024-05-06T07:08:09Z", "new_nextvisit": "2025-05-06",
        "new_cost": 12.5, "new_kind": 727_000_001, "new_warranty": true, "new_notes": "a\r\nb",
        "new_VehicleId@odata.bind": format!("/new_vehicles({vehicle})"),
    });
    let got = send(world.dynamics("POST", "new_servicevisits").body(body.to_string())).await;
    assert_eq!(got.status, 204, "{}", got.text);
    let prefer = "odata.include-annotations=\"*\"";
    let row = world.get(&delta, prefer).await.json()["value"][0].clone();
    let formatted = "new_kind@OData.Community.Display.V1.FormattedValue";
    assert_eq!(
        (&row["_new_vehicleid_value"], &row[formatted]),
        (&json!(vehicle.to_string()), &json!("Repair"))
    );
    world.sandbox.dynamics().delete("new_vehicle", vehicle);
    assert_eq!(rows(&world, "new_servicevisits").await[0]["_new_vehicleid_value"], Value::Null);
}

#[tokio::test]
async fn campaign_finds_a_visit_by_its_key_and_links_it_to_its_vehicle() {
    let world = World::plain().await;
    let owner = world.write("POST", &format!("{EXT}/profile"), &json!({"externalId": "P"})).await;
    let vehicle = json!({"cusVehicleId": "V", "vehicleOwner": {"PKey": pkey(&owner.json())}});
    let vehicle = world.write("POST", &format!("{EXT}/cusVehicle"), &vehicle).await.json();
    let visit = json!({
        "cusVisitId": "S", "cusName": "Check", "cusVisited": "2024-05-06 07:08:09.000Z",
        "cusNextVisit": "2025-05-06", "cusCost": 12.5, "cusKind": "Repair", "cusWarranty": true,
        "cusNotes": "a\r\nb", "visitVehicle": {"PKey": pkey(&vehicle)},
    });
    let got = world.write("POST", &format!("{EXT}/cusServiceVisit"), &visit).await;
    assert_eq!(got.status, 201, "{}", got.text);
    let target = format!("{EXT}/cusServiceVisit/byVisitId?visitId_parameter=S");
    let found = world.read(&target).await.json()["content"][0].clone();
    assert_eq!((&found["cusCost"], &found["cusNotes"]), (&json!(12.5), &json!("a\r\nb")));
    let shown = world.read(found["visitVehicle"]["href"].as_str().unwrap()).await.json();
    assert_eq!(shown["cusVehicleId"], json!("V"));
    let again = world.write("POST", &format!("{EXT}/cusServiceVisit"), &visit).await;
    assert!(again.status == 500 && again.text.contains("already exists"), "{}", again.text);
    let meta = world.read(&format!("{EXT}/resourceType/cusServiceVisit")).await.json();
    let link = &meta["content"]["visitVehicle"];
    assert_eq!((&link["type"], &link["resTarget"]), (&json!("link"), &json!("cusVehicle")));
}

#[tokio::test]
async fn one_cardinality_hides_a_child_without_its_parent_on_both_levels() {
    let variants = Variants { one_cardinality_links: true, ..Variants::default() };
    let world = World::start(SandboxOptions { variants, ..SandboxOptions::default() }).await;
    let owner =
        world.write("POST", &format!("{EXT}/profile"), &json!({"externalId": "P"})).await.json();
    let vehicle = json!({"cusVehicleId": "V", "vehicleOwner": {"PKey": pkey(&owner)}});
    let vehicle = world.write("POST", &format!("{EXT}/cusVehicle"), &vehicle).await.json();
    for (resource, key, link, parent) in [
        ("cusVehicle", "cusVehicleId", "vehicleOwner", &owner),
        ("cusServiceVisit", "cusVisitId", "visitVehicle", &vehicle),
    ] {
        let path = format!("{EXT}/{resource}");
        let filter =
            if resource == "cusVehicle" { "byVehicleId?vehicleId" } else { "byVisitId?visitId" };
        let filter = format!("{path}/{filter}_parameter=early");
        let early = world.write("POST", &path, &json!({key: "early"})).await;
        assert_eq!(early.status, 201, "{}", early.text);
        assert_eq!(world.read(&filter).await.json()["content"], json!([]), "{resource}");
        let one = format!("{path}/{}", pkey(&early.json()));
        let named = json!({"cusName": "x"});
        assert_eq!(world.write("PATCH", &one, &named).await.status, 404, "{resource}");
        let linked = json!({key: "late", link: {"PKey": pkey(parent)}});
        let late = world.write("POST", &path, &linked).await.json();
        let one = format!("{path}/{}", pkey(&late));
        assert_eq!(world.write("PATCH", &one, &named).await.status, 200, "{resource}");
        assert_eq!(world.sandbox.campaign().by_key(resource, key, "early").len(), 1);
    }
}

/// Vehicles and visits with every column that a field fits.
const FLEET: &str = r#"
[[ingress.table]]
dynamics = "new_vehicle"
campaign = "cusVehicle"
key = { from = "new_vehicleid", to = "cusVehicleId", filter = "byVehicleId", parameter = "vehicleId_parameter" }
links = [{ from = "new_contactid", to = "vehicleOwner", table = "contact" }]
fields = [
  { from = "new_name", to = "cusName" },
  { from = "new_plate", to = "cusPlate" },
  { from = "new_mileage", to = "cusMileage" },
  { from = "new_price", to = "cusPrice" },
  { from = "new_registered", to = "cusRegistered" },
  { from = "new_fuel", to = "cusFuel" },
]
[[ingress.table]]
dynamics = "new_servicevisit"
campaign = "cusServiceVisit"
key = { from = "new_servicevisitid", to = "cusVisitId", filter = "byVisitId", parameter = "visitId_parameter" }
links = [{ from = "new_vehicleid", to = "visitVehicle", table = "new_vehicle" }]
fields = [
  { from = "new_name", to = "cusName" },
  { from = "new_visitedon", to = "cusVisited" },
  { from = "new_nextvisit", to = "cusNextVisit" },
  { from = "new_cost", to = "cusCost" },
  { from = "new_kind", to = "cusKind" },
  { from = "new_warranty", to = "cusWarranty" },
  { from = "new_notes", to = "cusNotes" },
]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_generated_rows_suit_their_resources_and_arrive_linked() {
    let rig = Rig::usual(120).await;
    rig.configure(&format!("{CONTACTS}{FLEET}"));
    rig.run(&["sync", "ingress"]).await.expect(0);
    let (dynamics, campaign) = (rig.sandbox.dynamics(), rig.sandbox.campaign());
    for (table, lookup, resource, key, link, count) in [
        ("new_vehicle", "_new_contactid_value", "cusVehicle", "cusVehicleId", "vehicleOwner", 30),
        (
            "new_servicevisit",
            "_new_vehicleid_value",
            "cusServiceVisit",
            "cusVisitId",
            "visitVehicle",
            60,
        ),
    ] {
        let ids = dynamics.ids(table);
        assert_eq!((ids.len(), campaign.count(resource)), (count, count));
        for id in ids {
            let row = dynamics.get(table, id).unwrap();
            let found = campaign.by_key(resource, key, &id.to_string());
            let record = found.first().unwrap_or_else(|| panic!("{resource} {id} is missing"));
            assert_eq!(record["cusName"], row["new_name"], "{resource} {id}");
            assert_eq!(record[link]["key"], row[lookup], "{resource} {id}");
        }
    }
}
