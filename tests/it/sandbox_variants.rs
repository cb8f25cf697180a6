//! The look-alikes where the sheets leave a choice, and at their edges: counts,
//! aggregates, long filters.

use std::fmt::Write as _;

use cdsync::sandbox::{Clearing, SandboxOptions, Variants};
use serde_json::{Value, json};

use crate::sandbox::World;

const EXT: &str = "profileAndServicesExt";

async fn with(variants: Variants, contacts: usize) -> World {
    World::start(SandboxOptions { variants, contacts, ..SandboxOptions::default() }).await
}

#[tokio::test]
async fn counts_end_at_5000_and_say_when_there_are_more() {
    let shown = async |world: &World| {
        let prefer = "odata.maxpagesize=1,odata.include-annotations=\"Microsoft.Dynamics.CRM.totalrecordcount,Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded\"";
        let got = world.get("contacts?$count=true&$select=contactid", prefer).await.json();
        let part = |name: &str| got[format!("@Microsoft.Dynamics.CRM.{name}")].clone();
        (
            got["@odata.count"].clone(),
            part("totalrecordcount"),
            part("totalrecordcountlimitexceeded"),
        )
    };
    let world = with(Variants::default(), 5000).await;
    assert_eq!(shown(&world).await, (json!(5000), json!(5000), json!(false)));
    world.sandbox.dynamics().insert("contact", &json!({"lastname": "One more"})).unwrap();
    assert_eq!(shown(&world).await, (json!(5000), json!(5000), json!(true)));
    let text = world.get("contacts/$count", "").await.text;
    assert_eq!(text.trim_start_matches('\u{feff}'), "5000");
    let filtered = world.get("contacts/$count?$filter=lastname eq 'One more'", "").await.text;
    assert_eq!(filtered.trim_start_matches('\u{feff}'), "1");
    let total = "RetrieveTotalRecordCount(EntityNames=@p1)?@p1=[\"contact\",\"new_vehicle\"]";
    let total = world.get(total, "").await.json();
    assert_eq!(total["EntityRecordCountCollection"]["Values"], json!([5001, 1250]));
    world.sandbox.dynamics().set_privileged("new_vehicle", false);
    let refused = "RetrieveTotalRecordCount(EntityNames=@p1)?@p1=[\"new_vehicle\"]";
    assert_eq!(world.get(refused, "").await.status, 403);
}

#[tokio::test]
async fn groups_and_aggregates_are_computed_over_the_filtered_rows() {
    let world = World::plain().await;
    for (name, fuel, mileage) in
        [("a", Some(727_000_000), Some(10)), ("b", Some(727_000_000), Some(20)), ("c", None, None)]
    {
        let row = json!({"new_name": name, "new_fuel": fuel, "new_mileage": mileage});
        world.sandbox.dynamics().insert("new_vehicle", &row).unwrap();
    }
    for (apply, wanted) in [
        ("aggregate($count as n)", json!([{"n": 3}])),
        (
            "groupby((new_fuel),aggregate($count as n,new_mileage with sum as km))",
            json!([{"new_fuel": 727_000_000, "n": 2, "km": 30.0}, {"new_fuel": null, "n": 1, "km": 0.0}]),
        ),
        (
            "filter(new_mileage gt 10 or contains(new_name,'c'))/aggregate(new_mileage with max as top,new_fuel with countdistinct as kinds)",
            json!([{"top": 20.0, "kinds": 1}]),
        ),
        ("groupby((statecode))", json!([{"statecode": 0}])),
        (
            "filter(new_name eq 'z')/aggregate($count as n,new_mileage with average as km)",
            json!([{"n": 0, "km": null}]),
        ),
    ] {
        let got = world.get(&format!("new_vehicles?$apply={apply}"), "").await;
        assert_eq!((got.status, &got.json()["value"]), (200, &wanted), "{apply}");
    }
    for apply in
        ["nonsense", "groupby((nothing))", "aggregate(new_name with sum as x)", "aggregate($count)"]
    {
        let got = world.get(&format!("new_vehicles?$apply={apply}"), "").await;
        assert_eq!((got.status, got.code().as_str()), (400, "0x80060888"), "{apply}");
    }
    let tracked =
        world.get("new_vehicles?$apply=aggregate($count as n)", "odata.track-changes").await;
    assert_eq!(tracked.status, 400);
}

#[tokio::test]
async fn an_aggregate_looks_at_50000_rows_at_most() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    for number in 0..50_001 {
        admin.insert("new_store", &json!({"new_name": format!("{number}")})).unwrap();
    }
    let apply = "new_stores?$apply=aggregate($count as n)";
    let got = world.get(apply, "").await;
    assert_eq!((got.status, got.code().as_str()), (400, "0x8004e023"));
    admin.delete("new_store", admin.ids("new_store")[0]);
    assert_eq!(world.get(apply, "").await.json()["value"], json!([{"n": 50_000}]));
}

#[tokio::test]
async fn hundreds_of_ids_fit_into_one_filter_until_the_address_is_too_long() {
    let world = with(Variants::default(), 700).await;
    let ids = world.sandbox.dynamics().ids("contact");
    let target = |count: usize| {
        let mut out = String::from("contacts?$select=contactid&$filter=");
        for (at, id) in ids.iter().rev().take(count).enumerate() {
            let or = if at > 0 { "%20or%20" } else { "" };
            let _ = write!(out, "{or}contactid%20eq%20{id}");
        }
        out
    };
    let got = world.get(&target(500), "odata.maxpagesize=300").await;
    assert_eq!(got.status, 200, "{}", got.text);
    let first = got.json();
    let second =
        world.get(first["@odata.nextLink"].as_str().unwrap(), "odata.maxpagesize=300").await;
    let rows = [first, second.json()].map(|page| page["value"].as_array().unwrap().len());
    assert_eq!(rows, [300, 200]);
    let long = target(600);
    assert!(long.len() > 32_768);
    assert_eq!(world.get(&long, "").await.status, 400);
}

#[tokio::test]
async fn metadata_leads_to_the_filters_by_an_opaque_address() {
    let world = World::plain().await;
    let meta = world.read(&format!("{EXT}/resourceType/cusVehicle")).await.json();
    let href = meta["filters"]["href"].as_str().unwrap();
    assert!(!href.contains("cusVehicle") && href.ends_with("/filters/"), "{href}");
    let filters = world.read(href).await.json();
    assert!(filters["byVehicleId"]["data"].is_string());
    assert_eq!(world.read(&format!("{EXT}/resourceType/cusVehicle/filters/")).await.status, 404);
    let other = href.replace(EXT, "customResources");
    assert_eq!(world.read(&other).await.status, 404, "the root still counts");
}

#[tokio::test]
async fn links_are_cleared_and_shown_by_variant() {
    for (link_clearing, null, empty) in [
        (Clearing::Both, 200, 200),
        (Clearing::NullOnly, 200, 500),
        (Clearing::EmptyOnly, 500, 200),
    ] {
        let variants =
            Variants { link_clearing, lists_leave_out_unset_links: true, ..Variants::default() };
        let world = with(variants, 0).await;
        let path = format!("{EXT}/cusVehicle");
        let made = world.write("POST", &path, &json!({"cusVehicleId": "V"})).await.json();
        let one = format!("{path}/{}", made["PKey"].as_str().unwrap());
        let status = async |value: Value| {
            world.write("PATCH", &one, &json!({"vehicleOwner": value})).await.status
        };
        assert_eq!((status(Value::Null).await, status(json!("")).await), (null, empty));
        assert_eq!(made["vehicleOwner"], Value::Null);
        let row = world.read(&path).await.json()["content"][0].clone();
        assert!(row.get("vehicleOwner").is_none() && row.get("cusName").is_some());
        let single = world.read(&one).await.json();
        assert!(single.get("vehicleOwner").is_some_and(Value::is_null));
    }
}

#[tokio::test]
async fn deleting_a_child_may_take_its_parent_along_by_variant() {
    for (delete_takes_targets, left) in [(false, 1), (true, 0)] {
        let world = with(Variants { delete_takes_targets, ..Variants::default() }, 0).await;
        let profile = json!({"externalId": "P"});
        let owner = world.write("POST", &format!("{EXT}/profile"), &profile).await.json();
        let body = json!({"cusVehicleId": "V", "vehicleOwner": {"PKey": owner["PKey"]}});
        let made = world.write("POST", &format!("{EXT}/cusVehicle"), &body).await.json();
        let href = made["href"].as_str().unwrap();
        assert_eq!(world.write("DELETE", href, &json!({})).await.status, 200);
        let campaign = world.sandbox.campaign();
        assert_eq!((campaign.count("cusVehicle"), campaign.count("profile")), (0, left));
    }
}

#[tokio::test]
async fn a_length_may_be_shown_one_short() {
    let world = with(Variants { length_one_less: true, ..Variants::default() }, 0).await;
    let meta = world.read(&format!("{EXT}/resourceType/profile")).await.json();
    assert_eq!(meta["content"]["email"]["length"], json!("127"));
    let email = "x".repeat(128);
    let got = world.write("POST", &format!("{EXT}/profile"), &json!({"email": email})).await;
    assert_eq!(got.status, 201, "the field itself takes all of them");
}
