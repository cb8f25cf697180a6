//! Custom activities of the Dataverse look-alike, rule by rule of the fact sheet.

use cdsync::sandbox::{ParentDelete, SandboxOptions, System, Variants};
use serde_json::{Value, json};

use crate::sandbox::{Got, World, send};

const SENDS: &str = "new_campaignemailsends";
const SEND: &str = "new_campaignemailsend";
const REGARDING: &str = "regardingobjectid_contact_new_campaignemailsend@odata.bind";
const ID: &str = "00000000-0000-0000-0000-0000000000b1";

async fn with(variants: Variants) -> World {
    World::start(SandboxOptions { contacts: 1, variants, ..SandboxOptions::default() }).await
}

fn contact(world: &World) -> uuid::Uuid {
    world.sandbox.dynamics().ids("contact")[0]
}

async fn post(world: &World, body: Value) -> Got {
    send(world.dynamics("POST", SENDS).body(body.to_string())).await
}

async fn patch(world: &World, header: (&'static str, &str), body: Value) -> Got {
    let request = world.dynamics("PATCH", &format!("{SENDS}({ID})"));
    send(request.header(header.0, header.1).body(body.to_string())).await
}

#[tokio::test]
async fn an_event_becomes_an_activity_regarding_its_contact() {
    let world = with(Variants::default()).await;
    let id = contact(&world);
    let body = json!({
        "subject": "Campaign Name: Spring; Delivery Name: One", REGARDING: format!("/contacts({id})"),
        "new_eventid": "4711", "new_eventdate": "2026-03-01T10:20:30Z", "new_campaignname": "Spring",
        "new_deliveryname": "One", "new_trackingurl": "https://example.com/a", "new_mirrorpageurl": "https://example.com/m",
    });
    let made = patch(&world, ("if-none-match", "*"), body.clone()).await;
    assert_eq!(made.status, 204, "{}", made.text);
    let again = patch(&world, ("if-none-match", "*"), body).await;
    assert_eq!((again.status, again.code().as_str()), (412, "0x80040237"));
    let annotations = "odata.include-annotations=\"*\"";
    let row = world.get(&format!("{SENDS}({ID})"), annotations).await.json();
    let associated = "_regardingobjectid_value@Microsoft.Dynamics.CRM.associatednavigationproperty";
    for (name, value) in [
        ("activityid", json!(ID)),
        ("_regardingobjectid_value", json!(id.to_string())),
        (associated, json!("regardingobjectid_contact_new_campaignemailsend")),
        ("statecode", json!(0)),
        ("statuscode", json!(1)),
        ("new_eventdate", json!("2026-03-01T10:20:30Z")),
    ] {
        assert_eq!(row[name], value, "{name}");
    }
}

#[tokio::test]
async fn wrong_names_values_and_contacts_are_refused() {
    let world = with(Variants::default()).await;
    let id = contact(&world);
    let user = world.sandbox.dynamics().person();
    for (body, status, code) in [
        (json!({"regardingobjectid@odata.bind": format!("/contacts({id})")}), 400, "0x80048d19"),
        (
            json!({"regardingobjectid_contact@odata.bind": format!("/contacts({id})")}),
            400,
            "0x80048d19",
        ),
        (json!({"ownerid@odata.bind": format!("/systemusers({user})")}), 400, "0x80048d19"),
        (json!({REGARDING: format!("/contacts({ID})")}), 404, "0x80040217"),
        (json!({REGARDING: "/contacts(new_extid='nobody')"}), 404, "0x80060891"),
        (json!({"subject": "x".repeat(201)}), 400, "0x80044331"),
        (json!({"statuscode": 2}), 400, "0x80048408"),
    ] {
        let got = post(&world, body.clone()).await;
        assert_eq!((got.status, got.code().as_str()), (status, code), "{body}: {}", got.text);
    }
    assert_eq!(world.sandbox.dynamics().count(SEND), 0);
    let owned =
        json!({"ownerid_new_campaignemailsend@odata.bind": format!("/systemusers({user})")});
    assert_eq!(post(&world, owned).await.status, 204);
}

#[tokio::test]
async fn an_activity_is_created_open_and_closed_with_a_pair() {
    let world = with(Variants::default()).await;
    let body = json!({"activityid": ID, "subject": "One", "statecode": 1});
    assert_eq!(post(&world, body).await.status, 204);
    let state =
        || world.sandbox.dynamics().get(SEND, ID.parse().unwrap()).unwrap()["statecode"].clone();
    assert_eq!(state(), 0, "statecode does not count on create");
    let any = ("if-match", "*");
    let wrong = patch(&world, any, json!({"statecode": 1, "statuscode": 3})).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "0x80048408"));
    assert_eq!(patch(&world, any, json!({"statecode": 1, "statuscode": 2})).await.status, 204);
    assert_eq!(state(), 1);
    let late = patch(&world, any, json!({"new_campaignname": "late"})).await;
    assert_eq!((late.status, late.code().as_str()), (400, "0x80040230"));
    assert_eq!(patch(&world, any, json!({"statecode": 1, "statuscode": 2})).await.status, 204);
    world.sandbox.set_variants(Variants { closed_is_read_only: false, ..Variants::default() });
    assert_eq!(patch(&world, any, json!({"new_campaignname": "late"})).await.status, 204);
}

#[tokio::test]
async fn activities_go_with_their_contact_or_lose_it_by_variant() {
    for (regarding_delete, left) in [(ParentDelete::Cascade, 0), (ParentDelete::Unlink, 1)] {
        let world = with(Variants { regarding_delete, ..Variants::default() }).await;
        let id = contact(&world);
        let body = json!({"activityid": ID, REGARDING: format!("/contacts({id})")});
        assert_eq!(post(&world, body).await.status, 204);
        world.sandbox.dynamics().delete("contact", id);
        assert_eq!(world.sandbox.dynamics().count(SEND), left);
        if left == 1 {
            let row = world.sandbox.dynamics().get(SEND, ID.parse().unwrap()).unwrap();
            assert_eq!(row["_regardingobjectid_value"], Value::Null);
        }
    }
}

#[tokio::test]
async fn navigation_names_come_from_the_metadata_in_either_casing() {
    for (navigation_by_schema_name, suffix) in
        [(false, "new_campaignemailsend"), (true, "new_CampaignEmailSend")]
    {
        let world = with(Variants { navigation_by_schema_name, ..Variants::default() }).await;
        let path = format!(
            "EntityDefinitions(LogicalName='{SEND}')/ManyToOneRelationships?$select=SchemaName,ReferencedEntity,ReferencingAttribute,ReferencingEntityNavigationPropertyName&$filter=ReferencingAttribute eq 'regardingobjectid'"
        );
        let relations = world.get(&path, "").await.json();
        let relation = relations["value"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["ReferencedEntity"] == "contact");
        let relation = relation.unwrap();
        assert_eq!(relation["SchemaName"], "contact_new_campaignemailsends");
        let name = relation["ReferencingEntityNavigationPropertyName"].as_str().unwrap();
        assert_eq!(name, format!("regardingobjectid_contact_{suffix}"));
        let id = contact(&world);
        let bind = format!("{name}@odata.bind");
        let got = post(&world, json!({bind: format!("/contacts({id})")})).await;
        assert_eq!(got.status, 204, "{}", got.text);
    }
}

#[tokio::test]
async fn many_are_created_and_closed_in_one_request_each() {
    let world = with(Variants::default()).await;
    let kind = "Microsoft.Dynamics.CRM.new_campaignemailsend";
    let id = contact(&world);
    let ids: Vec<String> =
        (1..=3).map(|at| format!("00000000-0000-0000-0000-0000000000c{at}")).collect();
    let targets: Vec<Value> = ids
        .iter()
        .map(|at| json!({"@odata.type": kind, "activityid": at, REGARDING: format!("/contacts({id})")}))
        .collect();
    world.sandbox.requests().clear();
    let path = format!("{SENDS}/Microsoft.Dynamics.CRM.CreateMultiple");
    let body = json!({"Targets": targets}).to_string();
    let got = send(world.dynamics("POST", &path).body(body.clone())).await;
    assert_eq!((got.status, got.json()["Ids"].clone()), (200, json!(ids)), "{}", got.text);
    let again = send(world.dynamics("POST", &path).body(body)).await;
    assert_eq!((again.status, again.code().as_str()), (412, "0x80040237"));
    let closed: Vec<Value> = ids
        .iter()
        .map(|at| json!({"@odata.type": kind, "activityid": at, "statecode": 1, "statuscode": 2}))
        .collect();
    let path = format!("{SENDS}/Microsoft.Dynamics.CRM.UpdateMultiple");
    let body = json!({"Targets": closed}).to_string();
    assert_eq!(send(world.dynamics("POST", &path).body(body)).await.status, 204);
    let log = world.sandbox.requests();
    assert_eq!((log.count(System::Dynamics), log.operations(System::Dynamics)), (3, 7));
    let row = world.sandbox.dynamics().get(SEND, ids[2].parse().unwrap()).unwrap();
    assert_eq!(row["statecode"], 1);
}

#[tokio::test]
async fn single_privileges_can_be_taken_away_and_asked_for() {
    let world = with(Variants::default()).await;
    let dynamics = world.sandbox.dynamics();
    let id = contact(&world);
    let body = json!({REGARDING: format!("/contacts({id})")});
    for name in ["prvCreateActivity", "prvAppendActivity", "prvAppendToContact"] {
        dynamics.set_privilege(name, false);
        let got = post(&world, body.clone()).await;
        assert_eq!((got.status, got.code().as_str()), (403, "0x80040220"), "{name}");
        assert!(got.text.contains(&format!("is missing {name} privilege")), "{}", got.text);
        let path = format!(
            "systemusers({})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()",
            dynamics.application_user()
        );
        let asked = world.get(&path, "").await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        let held = asked.json();
        let held: Vec<&str> = held["RolePrivileges"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["PrivilegeName"].as_str())
            .collect();
        assert!(!held.contains(&name) && held.contains(&"prvReadContact"), "{held:?}");
        dynamics.set_privilege(name, true);
    }
    assert_eq!(post(&world, body).await.status, 204);
    dynamics.set_privilege("prvReadContact", false);
    assert_eq!(world.get("contacts?$top=1", "").await.status, 403);
    let definition = world
        .get(&format!("EntityDefinitions(LogicalName='{SEND}')?$select=Privileges"), "")
        .await
        .json();
    let names: Vec<&str> = definition["Privileges"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["Name"].as_str())
        .collect();
    assert!(
        names.contains(&"prvCreateActivity") && names.contains(&"prvWriteActivity"),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_sandbox_may_begin_without_the_tables() {
    let options = SandboxOptions { activity_tables: false, ..SandboxOptions::default() };
    let world = World::start(options).await;
    assert_eq!(world.get(SENDS, "").await.status, 404);
    let path = format!("EntityDefinitions?$select=LogicalName&$filter=LogicalName eq '{SEND}'");
    assert_eq!(world.get(&path, "").await.json()["value"], json!([]));
}

#[tokio::test]
async fn the_base_table_shows_the_activities_of_all_tables() {
    let world = with(Variants::default()).await;
    let id = contact(&world);
    let dynamics = world.sandbox.dynamics();
    let regarding = |suffix: &str| format!("regardingobjectid_contact_{suffix}@odata.bind");
    let bind = format!("/contacts({id})");
    let task = json!({"subject": "Call", (regarding("task")): bind});
    let task = dynamics.insert("task", &task).unwrap();
    let mail = json!({"subject": "Mail", (regarding(SEND)): bind});
    let mail = dynamics.insert(SEND, &mail).unwrap();
    let path = format!(
        "activitypointers?$select=subject,activitytypecode,_regardingobjectid_value&$filter=_regardingobjectid_value eq {id}&$orderby=subject"
    );
    let associated = "_regardingobjectid_value@Microsoft.Dynamics.CRM.associatednavigationproperty";
    let answer = world.get(&path, "odata.include-annotations=\"*\"").await.json();
    let rows: Vec<Value> = answer["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            json!([row["activityid"], row["subject"], row["activitytypecode"], row[associated]])
        })
        .collect();
    let name = "regardingobjectid_contact";
    assert_eq!(rows, [json!([task, "Call", "task", name]), json!([mail, "Mail", SEND, name])]);
    dynamics.delete("task", task);
    assert_eq!(world.get(&format!("activitypointers({task})"), "").await.status, 404);
    assert_eq!(world.get(&format!("activitypointers({mail})"), "").await.status, 200);
    let made = send(world.dynamics("POST", "activitypointers").body("{}")).await;
    assert_ne!(made.status, 204, "{}", made.text);
}
