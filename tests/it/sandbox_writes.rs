//! The Dataverse look-alike's writes, rule by rule of the fact sheet.

use serde_json::{Value, json};

use crate::sandbox::{World, send};

#[tokio::test]
async fn values_leave_with_their_scale_and_null_columns_are_shown() {
    let world = World::plain().await;
    let body = r#"{"lastname":"Lee","new_revenue":20000,"new_rating":12.5,"new_points":7,"new_score":0.25,
        "new_interests":"727000001, 727000000","birthdate":"1990-04-01","new_lastvisit":"2023-04-07T21:59:01",
        "new_localtime":"2023-04-07T23:59:01+02:00","new_vip":true,"gendercode":2,"emailaddress1":""}"#;
    let got = send(
        world.dynamics("POST", "contacts").header("prefer", "return=representation").body(body),
    )
    .await;
    assert_eq!((got.status, got.header("preference-applied")), (201, "return=representation"));
    for part in [
        "\"new_revenue\":20000.0000,",
        "\"new_rating\":12.50,",
        "\"new_points\":7,",
        "\"new_score\":0.25,",
        "\"new_interests\":\"727000000,727000001\"",
        "\"birthdate\":\"1990-04-01\"",
        "\"new_lastvisit\":\"2023-04-07T21:59:01Z\"",
        "\"new_localtime\":\"2023-04-07T21:59:01Z\"",
        "\"emailaddress1\":null",
        "\"fullname\":\"Lee\"",
        "\"donotphone\":false",
    ] {
        assert!(got.text.contains(part), "{part} in {}", got.text);
    }
    let row = world.get("contacts?$select=new_revenue", "").await.json()["value"][0].clone();
    assert!(
        row["_transactioncurrencyid_value"].is_string()
            && row["contactid"].is_string()
            && row["lastname"].is_null()
    );
}

#[tokio::test]
async fn wrong_values_are_refused_with_their_code() {
    let world = World::plain().await;
    let long = "x".repeat(51);
    for (body, code) in [
        (json!({"firstname": long}), "0x80044331"),
        (json!({"firstname": "a\u{1}b"}), "0x80040278"),
        (json!({"gendercode": 9}), "0x8004431a"),
        (json!({"gendercode": "Male"}), "0x80048d19"),
        (json!({"new_points": -1}), "0x8004432f"),
        (json!({"birthdate": "1990-04-01T00:00:00Z"}), "0x80048d19"),
        (json!({"new_lastvisit": "1700-01-01T00:00:00Z"}), "0x80040239"),
        (json!({"nonsense": 1}), "0x80048d19"),
        (json!({"statuscode": 2}), "0x80048408"),
        (
            json!({"Parentcustomerid_account@odata.bind": "/accounts(00000000-0000-0000-0000-000000000001)"}),
            "0x80048d19",
        ),
        (json!({"parentcustomerid_account@odata.bind": null}), "0x80048d19"),
        (
            json!({"parentcustomerid_account@odata.bind": "/accounts(00000000-0000-0000-0000-000000000001)"}),
            "0x80040217",
        ),
    ] {
        let got = send(world.dynamics("POST", "contacts").body(body.to_string())).await;
        assert_eq!(got.code(), code, "{body}");
    }
    assert_eq!(world.sandbox.dynamics().count("contact"), 0);
}

#[tokio::test]
async fn patch_follows_the_condition_table() {
    let world = World::plain().await;
    let id = "00000000-0000-0000-0000-0000000000aa";
    let path = format!("contacts({id})");
    let change = |header: Option<(&'static str, String)>| {
        let request = world.dynamics("PATCH", &path).body(r#"{"lastname":"Lee"}"#);
        send(match header {
            Some((name, value)) => request.header(name, value),
            None => request,
        })
    };
    let got = change(Some(("if-match", "*".to_owned()))).await;
    assert_eq!((got.status, got.code().as_str()), (404, "0x80040217"));
    let got = change(None).await;
    assert_eq!(
        (got.status, got.header("odata-entityid").contains(id)),
        (204, true),
        "an upsert creates"
    );
    let got = change(Some(("if-none-match", "*".to_owned()))).await;
    assert_eq!((got.status, got.code().as_str()), (412, "0x80040237"));
    let tag = world.get(&path, "").await.json()["@odata.etag"].as_str().unwrap().to_owned();
    assert_eq!(change(Some(("if-match", tag.clone()))).await.status, 204);
    let got = change(Some(("if-match", tag.clone()))).await;
    assert_eq!((got.status, got.code().as_str()), (412, "0x80060882"));
    let tag = world.get(&path, "").await.json()["@odata.etag"].as_str().unwrap().to_owned();
    assert_eq!(send(world.dynamics("GET", &path).header("if-none-match", &tag)).await.status, 304);
    assert_eq!(
        send(world.dynamics("GET", &path).header("if-none-match", "null")).await.status,
        200
    );
    assert_eq!(send(world.dynamics("PATCH", "contacts").body("{}")).await.status, 405);
    assert_eq!(send(world.dynamics("DELETE", &path)).await.status, 204);
    assert_eq!(send(world.dynamics("DELETE", &path)).await.status, 404);
    let again = json!({"contactid": id, "lastname": "Lee"});
    assert_eq!(send(world.dynamics("POST", "contacts").body(again.to_string())).await.status, 204);
    let got = send(world.dynamics("POST", "contacts").body(again.to_string())).await;
    assert_eq!((got.status, got.code().as_str()), (412, "0x80040237"));
}

#[tokio::test]
async fn alternate_keys_address_upsert_and_stay_unique() {
    let world = World::plain().await;
    let upsert = async |name: &str| {
        send(
            world
                .dynamics("PATCH", "contacts(new_extid='A-17')")
                .body(json!({"lastname": name}).to_string()),
        )
        .await
    };
    assert_eq!(upsert("Lee").await.status, 204);
    assert_eq!(upsert("Ek").await.status, 204);
    assert_eq!(world.sandbox.dynamics().count("contact"), 1);
    assert_eq!(world.get("contacts(new_extid='a-17')", "").await.json()["lastname"], json!("Ek"));
    let got = world.get("contacts(new_extid='none')", "").await;
    assert_eq!((got.status, got.code().as_str()), (404, "0x80060891"));
    assert_eq!(world.get("contacts(lastname='Ek')", "").await.code(), "0x80060890");
    let got =
        send(world.dynamics("POST", "contacts").body(r#"{"lastname":"X","new_extid":"A-17"}"#))
            .await;
    assert_eq!((got.status, got.code().as_str()), (412, "0x80060892"));
}

#[tokio::test]
async fn lookups_bind_read_clear_and_empty_when_the_parent_goes() {
    let world = World::plain().await;
    let people = world.sandbox.dynamics();
    let contact = people.insert("contact", &json!({"lastname": "Lee"})).unwrap();
    let bind =
        json!({"new_name": "Van", "new_ContactId@odata.bind": format!("/contacts({contact})")});
    let vehicle = people.insert("new_vehicle", &bind).unwrap();
    let path = format!("new_vehicles({vehicle})?$select=_new_contactid_value");
    let got = world.get(&path, "odata.include-annotations=\"*\"").await.json();
    assert_eq!(got["_new_contactid_value"], json!(contact.to_string()));
    assert_eq!(
        got["_new_contactid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"],
        json!("new_ContactId")
    );
    assert_eq!(
        got["_new_contactid_value@Microsoft.Dynamics.CRM.lookuplogicalname"],
        json!("contact")
    );
    let filtered = world
        .get(&format!("new_vehicles?$filter=_new_contactid_value eq {contact}"), "")
        .await
        .json();
    assert_eq!(filtered["value"].as_array().unwrap().len(), 1);
    people.delete("contact", contact);
    assert_eq!(world.get(&path, "").await.json()["_new_contactid_value"], Value::Null);
}

#[tokio::test]
async fn bulk_actions_are_all_or_nothing() {
    let world = World::plain().await;
    let kind = "Microsoft.Dynamics.CRM.contact";
    let call = async |action: &str, targets: Value| {
        send(
            world
                .dynamics("POST", &format!("contacts/Microsoft.Dynamics.CRM.{action}"))
                .body(json!({"Targets": targets}).to_string()),
        )
        .await
    };
    let got = call(
        "CreateMultiple",
        json!([{"@odata.type": kind, "lastname": "A"}, {"@odata.type": kind, "lastname": "B"}]),
    )
    .await;
    assert_eq!(got.json()["Ids"].as_array().unwrap().len(), 2);
    let got = call(
        "CreateMultiple",
        json!([{"@odata.type": kind, "lastname": "C"}, {"@odata.type": kind, "gendercode": 7}]),
    )
    .await;
    assert_eq!((got.status, world.sandbox.dynamics().count("contact")), (400, 2));
    let got = call(
        "UpsertMultiple",
        json!([{"@odata.type": kind, "@odata.id": "contacts(new_extid='U')", "lastname": "U"}]),
    )
    .await;
    assert_eq!((got.status, world.sandbox.dynamics().count("contact")), (204, 3));
}
