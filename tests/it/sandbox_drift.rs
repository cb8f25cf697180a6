//! Schemas that change under a client: what the look-alikes' administrators
//! can do, and what requests get to see of it.

use cdsync::sandbox::{Choice, ColumnType, EnumValue, FieldType, SecuredRead, Variants};
use serde_json::{Value, json};

use crate::sandbox::{World, send};

const TRACK: &str = "odata.track-changes";
const EXT: &str = "profileAndServicesExt";

async fn attribute(world: &World, table: &str, column: &str) -> Value {
    let path = format!(
        "EntityDefinitions(LogicalName='{table}')/Attributes?$filter=LogicalName eq '{column}'"
    );
    world.get(&path, "").await.json()["value"][0].clone()
}

async fn row(world: &World, query: &str) -> Value {
    let got = world.get(query, "").await;
    assert_eq!(got.status, 200, "{}", got.text);
    got.json()["value"][0].clone()
}

#[tokio::test]
async fn a_dropped_column_is_refused_everywhere_and_comes_back_with_its_values() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    let id = admin.insert("new_vehicle", &json!({"new_name": "Van", "new_plate": "B-1"})).unwrap();
    let delta = world.get("new_vehicles?$select=new_plate", TRACK).await.json();
    let delta = delta["@odata.deltaLink"].as_str().unwrap().to_owned();
    admin.remove_column("new_vehicle", "new_plate").unwrap();
    let one = format!("new_vehicles({id})?$select=new_plate");
    let text =
        "Could not find a property named 'new_plate' on type 'Microsoft.Dynamics.CRM.new_vehicle'.";
    for query in [
        "new_vehicles?$select=new_plate",
        "new_vehicles?$filter=new_plate eq 'x'",
        "new_vehicles?$orderby=new_plate",
        &one,
        &delta,
    ] {
        let got = world.get(query, "").await;
        assert_eq!((got.status, got.code().as_str()), (400, "0x80060888"), "{query}");
        assert_eq!(got.json()["error"]["message"], json!(text));
    }
    let body = json!({"new_plate": "B-2"}).to_string();
    let got = send(world.dynamics("PATCH", &format!("new_vehicles({id})")).body(body)).await;
    assert_eq!((got.status, got.code().as_str()), (400, "0x80048d19"));
    assert_eq!(attribute(&world, "new_vehicle", "new_plate").await, Value::Null);
    assert!(row(&world, "new_vehicles").await.get("new_plate").is_none());

    admin.update("new_vehicle", id, &json!({"new_name": "Bus"})).unwrap();
    admin.restore_column("new_vehicle", "new_plate").unwrap();
    assert_eq!(row(&world, "new_vehicles?$select=new_plate").await["new_plate"], json!("B-1"));
    let got = world.get(&delta, "").await;
    assert_eq!((got.status, got.code().as_str()), (400, "0x80044352"), "a token from before");
    assert!(admin.restore_column("new_vehicle", "new_plate").is_err());
}

#[tokio::test]
async fn a_column_of_another_type_is_empty_until_it_is_as_it_was() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    admin.insert("new_vehicle", &json!({"new_name": "Van", "new_mileage": 7})).unwrap();
    admin.retype_column("new_vehicle", "new_Mileage", ColumnType::Text { max: 9 }).unwrap();
    let seen = attribute(&world, "new_vehicle", "new_mileage").await;
    assert_eq!((&seen["AttributeType"], &seen["MaxLength"]), (&json!("String"), &json!(9)));
    assert_eq!(row(&world, "new_vehicles?$select=new_mileage").await["new_mileage"], Value::Null);
    admin.restore_column("new_vehicle", "new_mileage").unwrap();
    assert_eq!(
        attribute(&world, "new_vehicle", "new_mileage").await["AttributeType"],
        json!("Integer")
    );
    assert_eq!(row(&world, "new_vehicles?$select=new_mileage").await["new_mileage"], json!(7));
}

#[tokio::test]
async fn a_shorter_column_keeps_what_it_holds_and_lengths_and_choices_expire_no_token() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    let row_of = json!({"new_name": "Van", "new_fuel": 727_000_001});
    let id = admin.insert("new_vehicle", &row_of).unwrap();
    let delta = world.get("new_vehicles?$select=new_name", TRACK).await.json();
    admin.set_max_length("new_vehicle", "new_name", 2).unwrap();
    assert_eq!(attribute(&world, "new_vehicle", "new_name").await["MaxLength"], json!(2));
    assert_eq!(row(&world, "new_vehicles").await["new_name"], json!("Van"));
    let longer = json!({"new_name": "Bus"}).to_string();
    let got = send(world.dynamics("PATCH", &format!("new_vehicles({id})")).body(longer)).await;
    assert_eq!(got.code(), "0x80044331");

    let choice = |value: i64, label: &str| Choice {
        value,
        english: label.to_owned(),
        german: label.to_owned(),
        partner: None,
    };
    admin.put_choice("new_vehicle", "new_fuel", choice(727_000_009, "Hydrogen")).unwrap();
    admin.put_choice("new_vehicle", "new_fuel", choice(727_000_001, "Battery")).unwrap();
    admin.remove_choice("new_vehicle", "new_fuel", 727_000_000).unwrap();
    let path = "EntityDefinitions(LogicalName='new_vehicle')/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options)";
    let options = world.get(path, "").await.json()["value"][0]["OptionSet"]["Options"].clone();
    let labels: Vec<&str> = options
        .as_array()
        .unwrap()
        .iter()
        .map(|option| option["Label"]["UserLocalizedLabel"]["Label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, ["Battery", "Hydrogen"]);
    assert_eq!(world.get(delta["@odata.deltaLink"].as_str().unwrap(), "").await.status, 200);
    assert!(admin.put_choice("new_vehicle", "new_name", choice(1, "x")).is_err());
    assert!(admin.set_max_length("new_vehicle", "new_fuel", 1).is_err());
}

#[tokio::test]
async fn a_key_follows_its_column() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    let row = |name: &str| json!({"lastname": name, "new_extid": "A"});
    let id = admin.insert("contact", &row("Lee")).unwrap();
    let by_key = async || world.get("contacts(new_extid='A')?$select=lastname", "").await;
    assert_eq!(by_key().await.json()["lastname"], json!("Lee"));
    admin.remove_column("contact", "new_extid").unwrap();
    assert_eq!(by_key().await.status, 400);
    admin.delete("contact", id);
    admin.restore_column("contact", "new_extid").unwrap();
    assert_eq!(by_key().await.status, 404);
    admin.insert("contact", &row("Ek")).unwrap();
    assert_eq!(by_key().await.json()["lastname"], json!("Ek"));
    assert!(admin.insert("contact", &row("Ko")).is_err());
}

#[tokio::test]
async fn a_hidden_column_is_refused_or_null_by_variant() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    let id = admin.insert("new_vehicle", &json!({"new_name": "Van", "new_plate": "B-1"})).unwrap();
    admin.set_column_readable("new_vehicle", "new_plate", false).unwrap();
    assert_eq!(attribute(&world, "new_vehicle", "new_plate").await["IsSecured"], json!(true));
    for query in [
        "new_vehicles?$select=new_name,new_plate".to_owned(),
        "new_vehicles?$filter=contains(new_plate,'B')".to_owned(),
        format!("new_vehicles({id})?$select=new_plate"),
    ] {
        let got = world.get(&query, "").await;
        assert_eq!((got.status, got.code().as_str()), (403, "0x8004f504"), "{query}");
        assert!(got.text.contains("secured field") && got.text.contains("new_plate"));
    }
    assert!(row(&world, "new_vehicles").await.get("new_plate").is_none());
    world.sandbox.set_variants(Variants { secured_read: SecuredRead::Null, ..Variants::default() });
    assert_eq!(row(&world, "new_vehicles?$select=new_plate").await["new_plate"], Value::Null);
    assert_eq!(
        admin.get("new_vehicle", id).unwrap()["new_plate"],
        json!("B-1"),
        "a person sees it"
    );
    admin.set_column_readable("new_vehicle", "new_plate", true).unwrap();
    assert_eq!(row(&world, "new_vehicles?$select=new_plate").await["new_plate"], json!("B-1"));
}

#[tokio::test]
async fn a_removed_table_is_unknown_until_it_is_back_with_its_rows() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    admin.insert("new_vehicle", &json!({"new_name": "Van"})).unwrap();
    admin.remove_table("new_vehicle").unwrap();
    assert_eq!(world.get("new_vehicles", "").await.status, 404);
    assert_eq!(world.get("EntityDefinitions(LogicalName='new_vehicle')", "").await.status, 404);
    let found = world.get("EntityDefinitions?$filter=LogicalName eq 'new_vehicle'", "").await;
    assert_eq!(found.json()["value"], json!([]));
    assert_eq!(world.get("new_servicevisits", "").await.status, 200);
    admin.restore_table("new_vehicle").unwrap();
    assert_eq!(row(&world, "new_vehicles").await["new_name"], json!("Van"));
}

#[tokio::test]
async fn a_dropped_field_is_refused_and_comes_back_with_keys_filters_and_values() {
    let world = World::plain().await;
    let admin = world.sandbox.campaign();
    let path = format!("{EXT}/cusVehicle");
    let by_id = |id: &str| format!("{path}/byVehicleId?vehicleId_parameter={id}");
    let made = world.write("POST", &path, &json!({"cusVehicleId": "V", "cusName": "Van"})).await;
    let one = format!("{path}/{}", made.json()["PKey"].as_str().unwrap());
    let gone = world.write("POST", &path, &json!({"cusVehicleId": "W"})).await.json();
    for field in ["cusName", "cusVehicleId"] {
        admin.remove_field("cusVehicle", field).unwrap();
        let got = world.write("PATCH", &one, &json!({field: "x"})).await;
        let text = format!("'{field}' property is not valid for the 'cusVehicle' resource.");
        assert!(got.status == 500 && got.text.contains(&text), "{}", got.text);
        assert!(world.read(&one).await.json().get(field).is_none());
        let meta = world.read(&format!("{EXT}/resourceType/cusVehicle")).await.json();
        assert!(meta["content"].get(field).is_none());
    }
    assert_eq!(world.read(&by_id("V")).await.status, 500, "its filter is gone");
    assert_eq!(world.write("POST", &path, &json!({"cusPlate": "B-1"})).await.status, 201);
    send(world.campaign("DELETE", gone["href"].as_str().unwrap())).await;
    for field in ["cusName", "cusVehicleId"] {
        admin.restore_field("cusVehicle", field).unwrap();
    }
    let found = world.read(&by_id("V")).await.json();
    assert_eq!(found["content"][0]["cusName"], json!("Van"));
    assert_eq!(world.write("POST", &path, &json!({"cusVehicleId": "V"})).await.status, 500);
    let again = world.write("POST", &path, &json!({"cusVehicleId": "W"})).await;
    assert_eq!(again.status, 201, "the deleted one's key is free: {}", again.text);
    assert!(admin.restore_field("cusVehicle", "cusName").is_err());
}

#[tokio::test]
async fn a_field_changes_type_and_length_and_keeps_its_filter() {
    let world = World::plain().await;
    let admin = world.sandbox.campaign();
    let path = format!("{EXT}/cusVehicle");
    let made = world.write("POST", &path, &json!({"cusVehicleId": "V", "cusName": "Van"})).await;
    let one = format!("{path}/{}", made.json()["PKey"].as_str().unwrap());
    let meta = async |field: &str| {
        let meta = world.read(&format!("{EXT}/resourceType/cusVehicle")).await.json();
        meta["content"][field].clone()
    };
    admin.retype_field("cusVehicle", "cusName", FieldType::Long).unwrap();
    assert_eq!(meta("cusName").await["resType"], json!("long"));
    let got = world.write("PATCH", &one, &json!({"cusName": "Bus"})).await;
    assert!(got.status == 500 && got.text.contains("Cannot convert"), "{}", got.text);
    assert_eq!(world.read(&one).await.json()["cusName"], json!(0));
    admin.restore_field("cusVehicle", "cusName").unwrap();
    assert_eq!(world.read(&one).await.json()["cusName"], json!("Van"));
    admin.set_field_length("cusVehicle", "cusName", 2).unwrap();
    assert_eq!(meta("cusName").await["length"], json!("2"));
    assert_eq!(world.write("PATCH", &one, &json!({"cusName": "Bus"})).await.status, 500);
    assert_eq!(world.read(&one).await.json()["cusName"], json!("Van"));
    admin.retype_field("cusVehicle", "cusVehicleId", FieldType::Text { max: 99 }).unwrap();
    let none = world.read(&format!("{path}/byVehicleId?vehicleId_parameter=V")).await;
    assert_eq!((none.status, &none.json()["content"]), (200, &json!([])));
}

#[tokio::test]
async fn enumeration_values_come_and_go() {
    let world = World::plain().await;
    let admin = world.sandbox.campaign();
    let path = format!("{EXT}/profile");
    let made = world.write("POST", &path, &json!({"cusSegment": "gold"})).await.json();
    let platinum = json!({"cusSegment": "platinum"});
    assert_eq!(world.write("POST", &path, &platinum).await.status, 500);
    let value = EnumValue {
        name: "platinum".to_owned(),
        label: "Platinum".to_owned(),
        value: "platinum".to_owned(),
    };
    admin.add_enum_value("profile", "cusSegment", value).unwrap();
    assert_eq!(world.write("POST", &path, &platinum).await.status, 201);
    let meta = world.read(&format!("{EXT}/resourceType/profile")).await.json();
    assert_eq!(meta["content"]["cusSegment"]["values"]["platinum"]["label"], json!("Platinum"));
    admin.remove_enum_value("profile", "cusSegment", "gold").unwrap();
    let got = world.write("POST", &path, &json!({"cusSegment": "gold"})).await;
    assert!(got.status == 500 && got.text.contains("enumeration"), "{}", got.text);
    let shown = world.read(made["href"].as_str().unwrap()).await.json();
    assert_eq!(shown["cusSegment"], json!("__Invalid_value__"));
}

#[tokio::test]
async fn an_unpublished_resource_is_404_until_it_is_published_again() {
    let world = World::plain().await;
    let admin = world.sandbox.campaign();
    let path = format!("{EXT}/cusVehicle");
    world.write("POST", &path, &json!({"cusVehicleId": "V"})).await;
    admin.set_published("cusVehicle", false).unwrap();
    for target in [path.clone(), format!("{EXT}/resourceType/cusVehicle")] {
        let got = world.read(&target).await;
        assert!(got.status == 404 && got.text.contains("rc=-2003"), "{}", got.text);
    }
    assert!(world.read(&format!("{EXT}/")).await.json().get("cusVehicle").is_none());
    admin.set_published("cusVehicle", true).unwrap();
    assert_eq!(world.read(&path).await.json()["content"][0]["cusVehicleId"], json!("V"));
}
