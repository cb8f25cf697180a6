//! `dynamics-web-api` makes, changes and removes definitions, and follows the
//! relations that it made.

use cdsync::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::conform_rig::{Client, Stage};

fn stage(contacts: usize) -> Stage {
    Stage::new(Client::WebApi, SandboxOptions { contacts, ..SandboxOptions::default() })
}

fn label(text: &str) -> Value {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels":
        [{"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": 1033}]})
}

fn club() -> Value {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "SchemaName": "new_Club",
        "DisplayName": label("Club"), "DisplayCollectionName": label("Clubs"),
        "Attributes": [{"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
            "SchemaName": "new_Name", "IsPrimaryName": true, "MaxLength": 20, "DisplayName": label("Name")}]})
}

fn named<'a>(list: &'a Value, member: &str, name: &str) -> Option<&'a Value> {
    list["value"].as_array().unwrap().iter().find(|row| row[member] == name)
}

#[test]
fn dynamics_web_api_makes_tables_columns_and_choices() {
    let mut stage = stage(0);
    let dynamics = stage.sandbox.dynamics();
    stage.call("createEntity", &json!([{"data": club()}]));
    assert!(dynamics.tables().contains(&"new_club".to_owned()));
    let mut whole = stage.call("retrieveEntity", &json!([{"key": "LogicalName='new_club'"}]));
    whole["DisplayName"] = label("Society");
    stage.call("updateEntity", &json!([{"data": whole, "mergeLabels": true}]));
    let tables =
        stage.call("retrieveEntities", &json!([{"select": ["LogicalName", "DisplayName"]}]));
    let shown = &named(&tables, "LogicalName", "new_club").unwrap()["DisplayName"];
    assert_eq!(shown["UserLocalizedLabel"]["Label"], "Society");
    assert_eq!(tables["value"].as_array().unwrap().len(), dynamics.tables().len());

    let set = json!({"@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata", "Name": "new_Level",
        "DisplayName": label("Level"), "OptionSetType": "Picklist", "IsGlobal": true,
        "Options": [{"Value": 5, "Label": label("High")}]});
    let id = stage.call("createGlobalOptionSet", &json!([{"data": set}]));
    let all = stage.call(
        "retrieveGlobalOptionSets",
        &json!([{"castType": "Microsoft.Dynamics.CRM.OptionSetMetadata"}]),
    );
    assert_eq!(named(&all, "Name", "new_Level").unwrap()["MetadataId"], id);
    let column = json!({"@odata.type": "Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
        "SchemaName": "new_Level", "DisplayName": label("Level"),
        "GlobalOptionSet@odata.bind": format!("/GlobalOptionSetDefinitions({})", id.as_str().unwrap())});
    stage
        .call("createAttribute", &json!([{"entityKey": "LogicalName='new_club'", "data": column}]));
    dynamics.insert("new_club", &json!({"new_level": 5})).unwrap();
    assert!(dynamics.insert("new_club", &json!({"new_level": 6})).is_err());
    let mut one = stage.call("retrieveGlobalOptionSet", &json!([{"key": "Name='new_Level'"}]));
    one["DisplayName"] = label("Rank");
    stage.call("updateGlobalOptionSet", &json!([{"data": one, "mergeLabels": true}]));
    let renamed = stage.call("retrieveGlobalOptionSet", &json!([{"key": id}]));
    assert_eq!(renamed["DisplayName"]["UserLocalizedLabel"]["Label"], "Rank");
    let used = stage.refused("deleteGlobalOptionSet", &json!([{"key": id}]));
    assert_eq!((&used["status"], &used["code"]), (&json!(400), &json!("0x8004f01f")));

    let cast = "Microsoft.Dynamics.CRM.StringAttributeMetadata";
    let texts = stage.call(
        "retrieveAttributes",
        &json!([{"entityKey": "LogicalName='new_club'", "castType": cast}]),
    );
    assert_eq!(named(&texts, "LogicalName", "new_name").unwrap()["MaxLength"], 20);
    let mut text = stage.call(
        "retrieveAttribute",
        &json!([{"entityKey": "LogicalName='new_club'",
        "attributeKey": "LogicalName='new_name'", "castType": cast}]),
    );
    text["MaxLength"] = json!(30);
    text["@odata.type"] = json!(cast);
    stage.call(
        "updateAttribute",
        &json!([{"entityKey": "LogicalName='new_club'", "data": text, "castType": cast}]),
    );
    dynamics.insert("new_club", &json!({"new_name": "x".repeat(30)})).unwrap();
    assert!(dynamics.insert("new_club", &json!({"new_name": "x".repeat(31)})).is_err());
    let document = stage.call("retrieveCsdlMetadata", &json!([{}]));
    let document = document.as_str().unwrap();
    assert!(document.contains("<EntitySet Name=\"new_clubs\""), "{document}");
    assert_eq!(dynamics.count("new_club"), 2);
}

#[test]
fn dynamics_web_api_makes_relations_and_follows_them() {
    let mut stage = stage(3);
    let dynamics = stage.sandbox.dynamics();
    let contacts = dynamics.ids("contact");
    stage.call("createEntity", &json!([{"data": club()}]));
    let many = "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata";
    let pair = json!({"@odata.type": many, "SchemaName": "new_club_contact",
        "IntersectEntityName": "new_club_contact", "Entity1LogicalName": "new_club", "Entity2LogicalName": "contact"});
    let pair = stage.call("createRelationship", &json!([{"data": pair}]));
    let one = json!({"@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
        "SchemaName": "new_head_club", "ReferencedEntity": "contact", "ReferencingEntity": "new_club",
        "CascadeConfiguration": {"Delete": "RemoveLink"},
        "Lookup": {"SchemaName": "new_HeadId", "DisplayName": label("Head")}});
    let head = stage.call("createRelationship", &json!([{"data": one}]));
    let shown = stage.call("retrieveRelationship", &json!([{"key": pair, "castType": many}]));
    assert_eq!(
        (&shown["SchemaName"], &shown["Entity1LogicalName"]),
        (&json!("new_club_contact"), &json!("new_club"))
    );
    let all =
        stage.call("retrieveRelationships", &json!([{"castType": many, "select": ["SchemaName"]}]));
    assert!(named(&all, "SchemaName", "new_club_contact").is_some());
    let mut known = stage.call("retrieveRelationship", &json!([{"key": head}]));
    stage.call("updateRelationship", &json!([{"data": known, "mergeLabels": true}]));
    known["CascadeConfiguration"]["Delete"] = json!("Cascade");
    let refused = stage.refused("updateRelationship", &json!([{"data": known}]));
    assert_eq!(refused["status"], 501);

    let club = stage.call(
        "create",
        &json!([{"collection": "new_clubs", "data": {"new_name": "Rowing",
        "new_HeadId@odata.bind": format!("contacts({})", contacts[0])}}]),
    );
    let tie = |contact: &uuid::Uuid| {
        json!([{"collection": "new_clubs", "primaryKey": club,
        "relationshipName": "new_club_contact", "relatedCollection": "contacts", "relatedKey": contact}])
    };
    for contact in &contacts[..2] {
        stage.call("associate", &tie(contact));
    }
    assert_eq!(dynamics.count("new_club_contact"), 2);
    let read = stage.call("retrieve", &json!([{"collection": "new_clubs", "key": club, "select": ["new_name"],
        "expand": [{"property": "new_club_contact", "select": ["lastname"], "orderBy": ["contactid"]}]}]));
    let members: Vec<&Value> =
        read["new_club_contact"].as_array().unwrap().iter().map(|row| &row["contactid"]).collect();
    assert_eq!(members, [&json!(contacts[0]), &json!(contacts[1])]);
    let clubs = stage.call(
        "retrieveMultiple",
        &json!([{"collection": "new_clubs", "select": ["new_name"],
        "expand": [{"property": "new_HeadId", "select": ["fullname"]}]}]),
    );
    let leader = dynamics.get("contact", contacts[0]).unwrap();
    assert_eq!(clubs["value"][0]["new_HeadId"]["fullname"], leader["fullname"]);
    let person = stage.call(
        "retrieve",
        &json!([{"collection": "new_clubs", "key": club,
        "navigationProperty": "new_HeadId", "select": ["fullname"]}]),
    );
    assert_eq!(person["contactid"], json!(contacts[0]));
    let of_club = stage.call(
        "retrieve",
        &json!([{"collection": "new_clubs", "key": club,
        "navigationProperty": "new_club_contact", "select": ["lastname"]}]),
    );
    assert_eq!(of_club["value"].as_array().unwrap().len(), 2);
    stage.call("disassociate", &tie(&contacts[0]));
    assert_eq!(dynamics.count("new_club_contact"), 1);
    for relation in [&pair, &head] {
        stage.call("deleteRelationship", &json!([{"key": relation}]));
    }
    assert!(!dynamics.tables().contains(&"new_club_contact".to_owned()));
    let row = dynamics.get("new_club", club.as_str().unwrap().parse().unwrap()).unwrap();
    assert!(!row.contains_key("_new_headid_value"));
}

#[test]
fn dynamics_web_api_aggregates_through_fetchxml_and_apply() {
    let mut stage = stage(5);
    let dynamics = stage.sandbox.dynamics();
    let women = dynamics
        .ids("contact")
        .iter()
        .filter(|id| dynamics.get("contact", **id).unwrap()["gendercode"] == 2)
        .count();
    let groups = stage.call(
        "retrieveMultiple",
        &json!([{"collection": "contacts",
        "apply": "groupby((gendercode),aggregate($count as number))"}]),
    );
    let shown = groups["value"].as_array().unwrap().iter().find(|row| row["gendercode"] == 2);
    assert_eq!(shown.map_or(0, |row| row["number"].as_u64().unwrap()), women as u64);
    // Aggregates of FetchXML are refused, not answered with plain rows.
    let fetch = "<fetch aggregate='true'><entity name='contact'><attribute name='contactid' alias='n' aggregate='count'/></entity></fetch>";
    let refused = stage.refused("fetch", &json!([{"collection": "contacts", "fetchXml": fetch}]));
    assert_eq!(refused["status"], 501);
}
