//! The Dataverse look-alike: turning change tracking on over the Web API.

use cdsync::sandbox::{SandboxOptions, Variants};
use serde_json::{Value, json};

use crate::sandbox::{Got, World, send};

const TABLE: &str = "EntityDefinitions(LogicalName='new_store')";
const XML: &str =
    "<importexportxml><entities><entity>new_store</entity></entities></importexportxml>";

async fn untracked() -> World {
    let world = World::plain().await;
    world.sandbox.dynamics().set_change_tracking("new_store", false);
    world
}

async fn definition(world: &World) -> Value {
    world.get(TABLE, "").await.json()
}

async fn put(world: &World, path: &str, body: &Value, merge: bool) -> Got {
    let request = world.dynamics("PUT", path).body(body.to_string());
    send(if merge { request.header("MSCRM.MergeLabels", "true") } else { request }).await
}

async fn publish(world: &World, xml: &str) -> Got {
    send(world.dynamics("POST", "PublishXml").body(json!({"ParameterXml": xml}).to_string())).await
}

async fn tracked(world: &World) -> (u16, String) {
    let got = world.get("new_stores", "odata.track-changes").await;
    (got.status, got.code())
}

#[tokio::test]
async fn the_whole_definition_is_put_back_with_the_flag_and_published() {
    let world = untracked().await;
    assert_eq!(tracked(&world).await, (400, "0x80072491".to_owned()));
    let before = definition(&world).await;
    assert_eq!(before["ChangeTrackingEnabled"], json!(false));
    let mut body = before.clone();
    body["ChangeTrackingEnabled"] = json!(true);
    let path = format!("EntityDefinitions({})", before["MetadataId"].as_str().unwrap());
    let got = put(&world, &path, &body, true).await;
    assert_eq!((got.status, got.text.as_str()), (204, ""));
    assert_eq!(tracked(&world).await.0, 400, "not before it is published");
    assert_eq!(definition(&world).await["ChangeTrackingEnabled"], json!(false));
    assert_eq!(publish(&world, XML).await.status, 204);
    assert_eq!(tracked(&world).await.0, 200);
    assert_eq!(definition(&world).await, body, "nothing else has changed");
    assert_eq!(put(&world, &path, &body, true).await.status, 204, "a second time does no harm");
}

#[tokio::test]
async fn publishing_everything_will_do_and_may_not_be_needed_by_variant() {
    let world = untracked().await;
    let mut body = definition(&world).await;
    body["ChangeTrackingEnabled"] = json!(true);
    put(&world, TABLE, &body, true).await;
    assert_eq!(send(world.dynamics("POST", "PublishAllXml")).await.status, 204);
    assert_eq!(tracked(&world).await.0, 200);
    let variants = Variants { tracking_needs_publishing: false, ..Variants::default() };
    let world = World::start(SandboxOptions { variants, ..SandboxOptions::default() }).await;
    world.sandbox.dynamics().set_change_tracking("new_store", false);
    put(&world, TABLE, &body, true).await;
    assert_eq!(tracked(&world).await.0, 200);
}

#[tokio::test]
async fn a_short_definition_resets_what_it_leaves_out() {
    let world = untracked().await;
    let before = definition(&world).await;
    let body = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "MetadataId": before["MetadataId"],
        "LogicalName": "new_store", "ChangeTrackingEnabled": true, "HasChanged": true,
    });
    assert_eq!(put(&world, TABLE, &body, true).await.status, 204);
    let after = definition(&world).await;
    assert_eq!(after["DisplayName"], before["DisplayName"], "labels are merged when asked");
    assert_eq!(
        (&after["EntityColor"], &after["IsAuditEnabled"]["Value"]),
        (&Value::Null, &json!(false))
    );
    assert!(before["EntityColor"].is_string());
    assert_eq!(put(&world, TABLE, &body, false).await.status, 204);
    assert_eq!(definition(&world).await["DisplayName"]["LocalizedLabels"], json!([]));
}

#[tokio::test]
async fn tracking_is_refused_where_it_cannot_be_and_never_turned_off() {
    let world = untracked().await;
    let admin = world.sandbox.dynamics();
    admin.set_trackable("new_store", false);
    let mut body = definition(&world).await;
    assert_eq!(body["CanChangeTrackingBeEnabled"]["Value"], json!(false));
    body["ChangeTrackingEnabled"] = json!(true);
    let got = put(&world, TABLE, &body, true).await;
    assert_eq!((got.status, got.code().as_str()), (400, "0x80040203"));
    publish(&world, XML).await;
    assert_eq!(tracked(&world).await.0, 400);
    admin.set_change_tracking("new_store", true);
    body["ChangeTrackingEnabled"] = json!(false);
    assert_eq!(put(&world, TABLE, &body, true).await.status, 400);
    assert_eq!(tracked(&world).await.0, 200);
    let members = "EntityDefinitions(LogicalName='listmember')";
    for (list_member_tracking, status) in [(false, 400), (true, 204)] {
        world.sandbox.set_variants(Variants { list_member_tracking, ..Variants::default() });
        let mut body = world.get(members, "").await.json();
        assert_eq!(body["CanChangeTrackingBeEnabled"]["Value"], json!(list_member_tracking));
        body["ChangeTrackingEnabled"] = json!(true);
        assert_eq!(put(&world, members, &body, true).await.status, status);
    }
}

#[tokio::test]
async fn a_role_without_customizer_rights_gets_403() {
    let world = untracked().await;
    let mut body = definition(&world).await;
    body["ChangeTrackingEnabled"] = json!(true);
    world.sandbox.dynamics().set_customizer(false);
    for got in [
        put(&world, TABLE, &body, true).await,
        publish(&world, XML).await,
        send(world.dynamics("POST", "PublishAllXml")).await,
    ] {
        assert_eq!((got.status, got.code().as_str()), (403, "0x80040220"));
        assert!(
            got.text.contains("prvWriteEntity") || got.text.contains("prvPublishCustomization")
        );
    }
    assert_eq!(definition(&world).await["ChangeTrackingEnabled"], json!(false), "reading is free");
}

#[tokio::test]
async fn wrong_definitions_and_methods_are_refused() {
    let world = untracked().await;
    let body = definition(&world).await;
    let with = |name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        body
    };
    for (body, code) in [
        (with("Nonsense", json!(1)), "0x80048d19"),
        (with("@odata.type", json!("Microsoft.Dynamics.CRM.contact")), "0x80048d19"),
        (with("LogicalName", json!("contact")), "0x80060888"),
        (json!([]), "0x80048d19"),
    ] {
        let got = put(&world, TABLE, &body, true).await;
        assert_eq!((got.status, got.code().as_str()), (400, code), "{body}");
    }
    let body = body.to_string();
    assert_eq!(send(world.dynamics("PATCH", TABLE).body(body.clone())).await.status, 405);
    let nothing = "EntityDefinitions(LogicalName='nothing')";
    assert_eq!(send(world.dynamics("PUT", nothing).body(body)).await.status, 404);
    assert_eq!(publish(&world, "<nonsense/>").await.status, 400);
    assert_eq!(publish(&world, &XML.replace("new_store", "nothing")).await.status, 404);
}
