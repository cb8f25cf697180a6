//! Definitions that change and go in the Dataverse look-alike, and questions in
//! other tongues: what the vendors' clients do not ask for.

use cdsync::sandbox::{SandboxOptions, Variants};
use serde_json::{Value, json};

use crate::sandbox::{Got, World, send};

async fn world() -> World {
    World::start(SandboxOptions { contacts: 9, ..SandboxOptions::default() }).await
}

async fn post(world: &World, path: &str, body: Value) -> Got {
    send(world.dynamics("POST", path).body(body.to_string())).await
}

fn label(text: &str) -> Value {
    json!({"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]})
}

#[tokio::test]
async fn a_key_over_doubled_values_fails_and_is_built_again_when_they_are_gone() {
    let world = world().await;
    let dynamics = world.sandbox.dynamics();
    let column = json!({"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "SchemaName": "new_Code", "MaxLength": 40, "DisplayName": label("Code")});
    let contact = "EntityDefinitions(LogicalName='contact')";
    assert_eq!(post(&world, &format!("{contact}/Attributes"), column).await.status, 204);
    let ids = dynamics.ids("contact");
    for id in &ids[..2] {
        dynamics.update("contact", *id, &json!({"new_code": "twin"})).unwrap();
    }
    let key = json!({"SchemaName": "new_CodeKey", "DisplayName": label("Code"), "KeyAttributes": ["new_code"]});
    assert_eq!(post(&world, &format!("{contact}/Keys"), key).await.status, 204);
    let keys = format!("{contact}/Keys?$select=LogicalName,EntityKeyIndexStatus");
    let status = async || {
        let got = world.get(&keys, "").await.json();
        let rows = got["value"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["LogicalName"] == "new_codekey").unwrap()
    };
    assert_eq!(status().await["EntityKeyIndexStatus"], "Failed");
    let again = json!({"EntityLogicalName": "contact", "EntityKeyLogicalName": "new_codekey"});
    assert_eq!(post(&world, "ReactivateEntityKey", again.clone()).await.status, 204);
    assert_eq!(status().await["EntityKeyIndexStatus"], "Failed");
    dynamics.update("contact", ids[0], &json!({"new_code": "one"})).unwrap();
    assert_eq!(post(&world, "ReactivateEntityKey", again).await.status, 204);
    let variants = Variants::default();
    for _ in 0..variants.key_pending_reads {
        status().await;
    }
    assert_eq!(status().await["EntityKeyIndexStatus"], "Active");
    let read = world.get("contacts(new_code='one')?$select=contactid", "").await;
    assert_eq!(read.json()["contactid"], json!(ids[0]));
}

#[tokio::test]
async fn tables_of_the_system_and_tables_that_others_point_at_stay() {
    let world = world().await;
    for table in ["contact", "new_vehicle"] {
        let path = format!("EntityDefinitions(LogicalName='{table}')");
        let got = send(world.dynamics("DELETE", &path)).await;
        assert_eq!(got.status, 400, "{table}: {}", got.text);
        assert!(world.sandbox.dynamics().tables().contains(&table.to_owned()));
    }
    let column = "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='lastname')";
    assert_eq!(send(world.dynamics("DELETE", column)).await.status, 400);
    world.sandbox.dynamics().set_customizer(false);
    let visits = "EntityDefinitions(LogicalName='new_servicevisit')";
    assert_eq!(send(world.dynamics("DELETE", visits)).await.status, 403);
}

#[tokio::test]
async fn a_page_of_fetchxml_is_found_by_its_number_too() {
    let world = world().await;
    let mut seen = Vec::new();
    for (page, rows, more) in [(1, 4, true), (2, 4, true), (3, 1, false), (4, 0, false)] {
        let fetch = format!(
            "<fetch count='4' page='{page}'><entity name='contact'><attribute name='contactid'/></entity></fetch>"
        );
        let query: String = url::form_urlencoded::byte_serialize(fetch.as_bytes()).collect();
        let got = world
            .get(&format!("contacts?fetchXml={query}"), "odata.include-annotations=\"*\"")
            .await;
        let answer = got.json();
        let list = answer["value"].as_array().unwrap_or_else(|| panic!("{}", got.text));
        assert_eq!(
            (list.len(), &answer["@Microsoft.Dynamics.CRM.morerecords"]),
            (rows, &json!(more))
        );
        seen.extend(list.iter().map(|row| row["contactid"].as_str().unwrap().to_owned()));
    }
    let ids: Vec<String> =
        world.sandbox.dynamics().ids("contact").iter().map(ToString::to_string).collect();
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn what_is_not_understood_is_refused_and_never_ignored() {
    let world = world().await;
    for (path, status) in [
        ("contacts?fetchXml=<fetch><entity name='account'/></fetch>", 400),
        (
            "contacts?fetchXml=<fetch><entity name='contact'><link-entity name='account'/></entity></fetch>",
            501,
        ),
        ("contacts?fetchXml=<fetch", 400),
        ("contacts?sql=DELETE%20FROM%20contact", 400),
        ("contacts?sql=SELECT%20nothing%20FROM%20contact", 400),
        ("contacts?sql=SELECT%20fullname%20FROM%20contact%20GROUP%20BY%20fullname", 501),
        ("contacts?$expand=parentcustomerid_account/$ref", 501),
        ("accounts?$expand=account_contacts_parentcustomerid/$ref", 400),
        ("contacts?$expand=parentcustomerid_account($filter=name eq 'x')", 501),
        ("contacts?$expand=parentcustomerid_account($top=1)", 400),
        ("contacts?$expand=parentcustomerid_account($levels=2)", 400),
        ("contacts?$expand=nothing", 400),
        ("contacts?$expand=parentcustomerid_account($select=nothing)", 400),
        ("lists?$expand=listcontact_association,createdby", 400),
        ("contacts?$filter=parentcustomerid_account/name eq 'x'", 501),
        ("GlobalOptionSetDefinitions?$filter=Name eq 'x'", 400),
        ("GlobalOptionSetDefinitions(Name='x')", 404),
        ("EntityDefinitions?$filter=LogicalName gt 'a'", 501),
        ("EntityDefinitions?$filter=LogicalName eq 'a' or", 400),
        ("RetrieveMetadataChanges(Query=@p1)?@p1=nothing", 400),
        ("RelationshipDefinitions(00000000-0000-0000-0000-000000000001)", 404),
    ] {
        let got = world.get(path, "").await;
        assert_eq!(got.status, status, "{path}: {}", got.text);
    }
    let got = post(&world, "BulkDelete", json!({"QuerySet": []})).await;
    assert_eq!(got.status, 400, "{}", got.text);
    let plain = json!({"Entities": [{"@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata"}]});
    assert_eq!(post(&world, "CreateEntities", plain).await.status, 400);
    assert_eq!(world.sandbox.dynamics().count("contact"), 9);
}
