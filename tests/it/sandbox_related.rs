//! Rows and their relations in the Dataverse look-alike: `$expand`, reading along
//! a navigation property, many to many.

use cdsync::sandbox::SandboxOptions;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::{Got, World, send};

const CHILDREN: &str = "account_contacts_parentcustomerid";

async fn world() -> World {
    World::start(SandboxOptions { contacts: 4, ..SandboxOptions::default() }).await
}

async fn post(world: &World, path: &str, body: &Value) -> Got {
    send(world.dynamics("POST", path).body(body.to_string())).await
}

fn label(text: &str) -> Value {
    json!({"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]})
}

/// An account and its three contacts, whose names go down as their ids go up.
fn family(world: &World) -> (Uuid, Vec<Uuid>) {
    let dynamics = world.sandbox.dynamics();
    let account = dynamics.insert("account", &json!({"name": "Contoso"})).unwrap();
    let mut contacts: Vec<Uuid> = dynamics.ids("contact").into_iter().take(3).collect();
    contacts.sort_unstable();
    for (id, name) in contacts.iter().zip(["C", "B", "A"]) {
        let row = json!({"lastname": name, "firstname": "x",
            "parentcustomerid_account@odata.bind": format!("/accounts({account})")});
        dynamics.update("contact", *id, &row).unwrap();
    }
    (account, contacts)
}

fn column(rows: &Value, name: &str) -> Vec<Value> {
    rows.as_array().unwrap().iter().map(|row| row[name].clone()).collect()
}

#[tokio::test]
async fn an_expanded_lookup_is_a_row_without_etag_or_null() {
    let world = world().await;
    let (account, contacts) = family(&world);
    let path = format!(
        "contacts({})?$select=lastname&$expand=parentcustomerid_account($select=name;$expand=createdby($select=fullname))",
        contacts[0]
    );
    let got = world.get(&path, "").await.json();
    let inner = &got["parentcustomerid_account"];
    assert_eq!((&inner["name"], &inner["accountid"]), (&json!("Contoso"), &json!(account)));
    assert_eq!(inner.get("@odata.etag"), None);
    let user = world.sandbox.dynamics().person();
    assert_eq!(inner["createdby"]["systemuserid"], json!(user));
    assert!(
        got["@odata.context"].as_str().unwrap().ends_with(
            "#contacts(lastname,parentcustomerid_account(name,createdby(fullname)))/$entity"
        ),
        "{got}"
    );
    let rows = world.get("contacts?$expand=parentcustomerid_contact&$top=1", "").await.json();
    assert_eq!(rows["value"][0]["parentcustomerid_contact"], Value::Null);
    // With an expansion a conditional read answers in full.
    let tag =
        format!("W/\"{}\"", world.sandbox.dynamics().row_version("contact", contacts[0]).unwrap());
    let again = send(world.dynamics("GET", &path).header("if-none-match", &tag)).await;
    assert_eq!(again.status, 200);
}

#[tokio::test]
async fn an_expanded_collection_is_chosen_sorted_and_linked() {
    let world = world().await;
    let (account, contacts) = family(&world);
    let path = format!(
        "accounts({account})?$select=name&$expand={CHILDREN}($select=lastname;$filter=lastname ne 'B';$orderby=lastname)"
    );
    let got = world.get(&path, "odata.maxpagesize=1").await.json();
    assert_eq!(column(&got[CHILDREN], "lastname"), ["A", "C"]);
    // What leads back comes along, and an etag.
    assert_eq!(column(&got[CHILDREN], "_parentcustomerid_value"), [json!(account), json!(account)]);
    assert!(got[CHILDREN][0]["@odata.etag"].is_string());
    let link = got[format!("{CHILDREN}@odata.nextLink")].as_str().unwrap();
    let local = link.split_once("/api/data/v9.2/").unwrap().1;
    let same = world.get(local, "").await.json();
    assert_eq!(column(&same["value"], "lastname"), ["A", "C"]);

    // Something nested makes the page size count inside, and forbids order and top.
    let nested = format!(
        "accounts?$select=name&$filter=name eq 'Contoso'&$expand={CHILDREN}($select=lastname;$expand=createdby($select=fullname))"
    );
    let page = world.get(&nested, "odata.maxpagesize=2").await.json();
    let inner = &page["value"][0][CHILDREN];
    assert_eq!(column(inner, "contactid"), [json!(contacts[0]), json!(contacts[1])]);
    assert_eq!(inner[0].get("@odata.etag"), None);
    let link = page["value"][0][format!("{CHILDREN}@odata.nextLink")].as_str().unwrap();
    let rest =
        world.get(link.split_once("/api/data/v9.2/").unwrap().1, "odata.maxpagesize=2").await;
    assert_eq!(column(&rest.json()["value"], "contactid"), [json!(contacts[2])]);
    let sorted = nested.replace("$select=lastname;", "$select=lastname;$orderby=lastname;");
    let refused = world.get(&sorted, "").await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!("0x80060888")));
    assert!(refused.text.contains("nested one-to-many"), "{}", refused.text);
    let many = vec!["createdby"; 16].join(",");
    assert_eq!(world.get(&format!("contacts?$expand={many}"), "").await.status, 400);
}

#[tokio::test]
async fn an_expansion_needs_the_privilege_to_read_the_other_table() {
    let world = world().await;
    let (account, _) = family(&world);
    world.sandbox.dynamics().set_privileged("contact", false);
    for path in [
        format!("accounts({account})?$expand={CHILDREN}"),
        format!("accounts({account})/{CHILDREN}"),
    ] {
        let got = world.get(&path, "").await;
        assert!(got.status == 403 && got.text.contains("prvReadContact"), "{path}: {}", got.text);
    }
    assert_eq!(world.get(&format!("accounts({account})"), "").await.status, 200);
}

#[tokio::test]
async fn a_navigation_property_is_read_as_a_row_a_list_or_references() {
    let world = world().await;
    let (account, contacts) = family(&world);
    let one = format!("contacts({})/parentcustomerid_account", contacts[0]);
    let got = world.get(&format!("{one}?$select=name"), "").await.json();
    assert_eq!((&got["name"], &got["accountid"]), (&json!("Contoso"), &json!(account)));
    let reference = world.get(&format!("{one}/$ref"), "").await.json();
    assert!(reference["@odata.id"].as_str().unwrap().ends_with(&format!("/accounts({account})")));
    let none = world.get(&format!("contacts({})/masterid", contacts[0]), "").await;
    assert_eq!(none.status, 204);
    let list = world.get(&format!("accounts({account})/{CHILDREN}?$orderby=lastname"), "").await;
    assert_eq!(column(&list.json()["value"], "lastname"), ["A", "B", "C"]);
    let references = world.get(&format!("accounts({account})/{CHILDREN}/$ref"), "").await.json();
    assert_eq!(references["value"].as_array().unwrap().len(), 3);
    let gone = format!("accounts({account})/{CHILDREN}/$ref?$id=contacts({})", contacts[0]);
    assert_eq!(send(world.dynamics("DELETE", &gone)).await.status, 204);
    let row = world.sandbox.dynamics().get("contact", contacts[0]).unwrap();
    assert_eq!(row["_parentcustomerid_value"], Value::Null);
}

#[tokio::test]
async fn many_to_many_has_a_table_of_its_own_and_ends_with_either_side() {
    let world = world().await;
    let dynamics = world.sandbox.dynamics();
    let relation = json!({"@odata.type": "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata",
        "SchemaName": "new_contact_vehicle", "IntersectEntityName": "new_contact_vehicles",
        "Entity1LogicalName": "contact", "Entity2LogicalName": "new_vehicle"});
    let made = post(&world, "RelationshipDefinitions", &relation).await;
    assert_eq!(made.status, 204, "{}", made.text);
    assert!(dynamics.tables().contains(&"new_contact_vehicles".to_owned()));
    let twice = post(&world, "RelationshipDefinitions", &relation).await;
    assert_eq!(twice.json()["error"]["code"], "0x80044363");
    let contacts = dynamics.ids("contact");
    let vehicle = dynamics.insert("new_vehicle", &json!({"new_name": "Van"})).unwrap();
    let tie = format!("new_vehicles({vehicle})/new_contact_vehicle/$ref");
    for _ in 0..2 {
        // Tied rows stay tied once.
        let body = json!({"@odata.id": format!("{}/api/data/v9.2/contacts({})", world.sandbox.origin(), contacts[0])});
        assert_eq!(post(&world, &tie, &body).await.status, 204);
    }
    post(&world, &tie, &json!({"@odata.id": format!("contacts({})", contacts[1])})).await;
    let rows = dynamics.ids("new_contact_vehicles");
    assert_eq!(rows.len(), 2);
    let held = dynamics.get("new_contact_vehicles", rows[0]).unwrap();
    assert_eq!(held["new_vehicleid"], json!(vehicle));
    assert!([json!(contacts[0]), json!(contacts[1])].contains(&held["contactid"]));

    let path = format!("contacts({})?$expand=new_contact_vehicle($select=new_name)", contacts[0]);
    let got = world.get(&path, "").await.json();
    assert_eq!(column(&got["new_contact_vehicle"], "new_name"), ["Van"]);
    // The table of pairs is read only, and not by id.
    let pairs = world.get("new_contact_vehiclesset?$select=contactid", "").await.json();
    assert_eq!(pairs["value"].as_array().unwrap().len(), 2);
    let one = format!("new_contact_vehiclesset({})", rows[0]);
    assert_eq!(world.get(&one, "").await.status, 400);
    assert_eq!(send(world.dynamics("DELETE", &one)).await.status, 400);
    assert_eq!(post(&world, "new_contact_vehiclesset", &json!({})).await.status, 400);

    assert!(dynamics.delete("contact", contacts[1]));
    assert_eq!(dynamics.count("new_contact_vehicles"), 1);
    let untie = format!("contacts({})/new_contact_vehicle({vehicle})/$ref", contacts[0]);
    assert_eq!(send(world.dynamics("DELETE", &untie)).await.status, 204);
    assert_eq!(dynamics.count("new_contact_vehicles"), 0);
    let definition = "RelationshipDefinitions(SchemaName='new_contact_vehicle')";
    assert_eq!(send(world.dynamics("DELETE", definition)).await.status, 204);
    assert!(!dynamics.tables().contains(&"new_contact_vehicles".to_owned()));
}

#[tokio::test]
async fn relations_that_cannot_be_played_are_refused() {
    let world = world().await;
    let many = |one: &str, two: &str| {
        json!({"@odata.type": "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata",
            "SchemaName": "new_x", "Entity1LogicalName": one, "Entity2LogicalName": two})
    };
    let cascade = json!({"@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
        "SchemaName": "new_y", "ReferencedEntity": "contact", "ReferencingEntity": "new_vehicle",
        "CascadeConfiguration": {"Delete": "Cascade"},
        "Lookup": {"SchemaName": "new_YId", "DisplayName": label("Y")}});
    for (body, status) in [
        (many("contact", "contact"), 501),
        (many("contact", "listmember"), 400),
        (many("contact", "nothing"), 404),
        (cascade, 501),
    ] {
        let got = post(&world, "RelationshipDefinitions", &body).await;
        assert_eq!(got.status, status, "{body}: {}", got.text);
    }
    assert!(!world.sandbox.dynamics().tables().contains(&"new_x".to_owned()));
}

#[tokio::test]
async fn a_global_choice_serves_several_columns_and_stays_while_it_does() {
    let world = world().await;
    let set = json!({"@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata", "Name": "new_Colour",
        "DisplayName": label("Colour"), "OptionSetType": "Picklist", "IsGlobal": true,
        "Options": [{"Value": 727_000_000, "Label": label("Red")}, {"Value": 727_000_001, "Label": label("Blue")}]});
    let made = post(&world, "GlobalOptionSetDefinitions", &set).await;
    assert_eq!(made.status, 204, "{}", made.text);
    let address = made.header("odata-entityid").to_owned();
    let local = address.split_once("/api/data/v9.2/").unwrap().1.to_owned();
    for name in ["new_Paint", "new_Roof"] {
        let column = json!({"@odata.type": "Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
            "SchemaName": name, "DisplayName": label(name),
            "GlobalOptionSet@odata.bind": format!("/{local}")});
        let path = "EntityDefinitions(LogicalName='new_vehicle')/Attributes";
        assert_eq!(post(&world, path, &column).await.status, 204);
    }
    let dynamics = world.sandbox.dynamics();
    dynamics.insert("new_vehicle", &json!({"new_paint": 727_000_001})).unwrap();
    assert!(dynamics.insert("new_vehicle", &json!({"new_paint": 5})).is_err());
    let picks = "EntityDefinitions(LogicalName='new_vehicle')/Attributes(LogicalName='new_roof')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName&$expand=GlobalOptionSet($select=Name,Options)";
    let got = world.get(picks, "").await.json();
    assert_eq!(got["GlobalOptionSet"]["Name"], "new_Colour");
    assert_eq!(got["GlobalOptionSet"]["Options"].as_array().unwrap().len(), 2);
    assert_eq!(send(world.dynamics("DELETE", &local)).await.status, 400);
    let mut shorter = set.clone();
    shorter["Options"].as_array_mut().unwrap().pop();
    let refused = send(world.dynamics("PUT", &local).body(shorter.to_string())).await;
    assert_eq!(refused.status, 501, "{}", refused.text);
    for name in ["new_paint", "new_roof"] {
        let path = format!(
            "EntityDefinitions(LogicalName='new_vehicle')/Attributes(LogicalName='{name}')"
        );
        assert_eq!(send(world.dynamics("DELETE", &path)).await.status, 204);
    }
    assert_eq!(send(world.dynamics("DELETE", &local)).await.status, 204);
    assert_eq!(world.get(&local, "").await.status, 404);
}

#[tokio::test]
async fn the_metadata_document_names_sets_columns_relations_and_tracking() {
    let world = world().await;
    let plain = world.get("$metadata", "").await;
    assert!(plain.header("content-type").starts_with("application/xml"));
    for part in [
        "<EntityType Name=\"contact\"><Key><PropertyRef Name=\"contactid\" /></Key>",
        "<Property Name=\"birthdate\" Type=\"Edm.Date\" />",
        "<NavigationProperty Name=\"parentcustomerid_account\" Type=\"mscrm.account\"><ReferentialConstraint Property=\"_parentcustomerid_value\" ReferencedProperty=\"accountid\" /></NavigationProperty>",
        "<NavigationProperty Name=\"listcontact_association\" Type=\"Collection(mscrm.list)\" />",
        "<EntitySet Name=\"opportunities\" EntityType=\"Microsoft.Dynamics.CRM.opportunity\" />",
    ] {
        assert!(plain.text.contains(part), "{part}");
    }
    assert!(!plain.text.contains("<Annotation"));
    let annotated = world.get("$metadata?annotations=true", "").await.text;
    let of = |set: &str| {
        let (_, rest) = annotated.split_once(&format!("<EntitySet Name=\"{set}\"")).unwrap();
        rest.split("</EntitySet>").next().unwrap().to_owned()
    };
    assert!(of("contacts").contains("Bool=\"true\""));
    assert!(of("organizations").contains("Bool=\"false\""));
    // What lies beside the Web API is told apart from it.
    let search = format!("{}/api/search/v1.0/query", world.sandbox.origin());
    let got = send(world.http.post(search).bearer_auth(&world.dynamics_token).body("{}")).await;
    assert_eq!(got.status, 501, "{}", got.text);
}
