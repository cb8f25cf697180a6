//! Facts of the sheets that no other test of the look-alikes meets on its way:
//! headers, limits, dates, defaults, what a token looks like from outside.

use cdsync::sandbox::{SandboxOptions, Variants};
use serde_json::{Value, json};

use crate::sandbox::{World, send};

#[tokio::test]
async fn an_answer_of_dynamics_carries_its_headers_and_who_am_i_three_ids() {
    let world = World::plain().await;
    let asked = world.dynamics("GET", "WhoAmI").header("x-ms-client-request-id", "mine");
    let got = send(asked).await;
    assert_eq!(got.header("content-type"), "application/json; odata.metadata=minimal");
    assert_eq!(got.header("x-ms-client-request-id"), "mine");
    assert!(got.header("x-ms-dop-hint").parse::<u32>().is_ok());
    assert!(got.header("set-cookie").starts_with("ARRAffinity="));
    assert!(got.header("x-ms-ratelimit-burst-remaining-xrm-requests").parse::<u32>().is_ok());
    // A thousands comma is possible: whoever reads it must be lenient.
    assert!(got.header("x-ms-ratelimit-time-remaining-xrm-requests").contains(','));
    for name in ["x-ms-service-request-id", "req_id"] {
        assert!(uuid::Uuid::try_parse(got.header(name)).is_ok(), "{name}");
    }
    for name in ["UserId", "BusinessUnitId", "OrganizationId"] {
        let id = got.json()[name].as_str().map(uuid::Uuid::try_parse);
        assert!(matches!(id, Some(Ok(_))), "{name}");
    }
}

#[tokio::test]
async fn requests_beyond_a_limit_are_429_in_the_words_of_either_system() {
    let variants = Variants {
        rate_limits: true,
        dynamics_requests: 2,
        dynamics_window_seconds: 3600,
        // None at all: how many fit into a second depends on the machine.
        campaign_requests_per_second: 0,
        ..Variants::default()
    };
    let world = World::start(SandboxOptions { variants, ..SandboxOptions::default() }).await;
    for (wanted, left) in [(200, "1"), (200, "0"), (429, "")] {
        let got = world.get("WhoAmI", "").await;
        let remaining = got.header("x-ms-ratelimit-burst-remaining-xrm-requests");
        assert_eq!((got.status, remaining), (wanted, left));
    }
    let got = world.get("contacts", "").await;
    assert_eq!((got.status, got.code().as_str()), (429, "0x80072322"));
    assert!((1..=3601).contains(&got.header("retry-after").parse::<u64>().unwrap()));
    let got = world.read("profileAndServices/profile").await;
    assert_eq!((got.status, &got.json()["error_code"]), (429, &json!("429050")));
    assert!(got.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn a_row_is_back_dated_when_it_is_made_and_not_later() {
    let world = World::plain().await;
    let path = "contacts(00000000-0000-0000-0000-0000000000aa)";
    let change =
        async |body: Value| send(world.dynamics("PATCH", path).body(body.to_string())).await.status;
    let past = json!({"lastname": "Lee", "overriddencreatedon": "2019-04-07T21:59:01Z"});
    assert_eq!(change(past).await, 204);
    let made = world.get(path, "").await.json();
    assert_eq!(made["createdon"], "2019-04-07T21:59:01Z");
    assert_ne!(made["overriddencreatedon"], "2019-04-07T21:59:01Z", "when it was imported");
    assert_ne!(made["modifiedon"], "2019-04-07T21:59:01Z");
    let later = json!({
        "overriddencreatedon": "2018-01-01T00:00:00Z", "createdon": "2018-01-01T00:00:00Z",
        "modifiedon": "2018-01-01T00:00:00Z", "firstname": "Ann",
    });
    assert_eq!(change(later).await, 204);
    let now = world.get(path, "").await.json();
    assert_eq!((&now["createdon"], &now["firstname"]), (&made["createdon"], &json!("Ann")));
    assert_eq!(now["overriddencreatedon"], made["overriddencreatedon"]);
    assert_ne!(now["modifiedon"], "2018-01-01T00:00:00Z");
}

#[tokio::test]
async fn an_update_with_equal_values_moves_version_and_is_told_as_a_change() {
    let world = World::plain().await;
    let people = world.sandbox.dynamics();
    let id = people.insert("contact", &json!({"lastname": "Lee"})).unwrap();
    let first = world.get("contacts?$select=lastname", "odata.track-changes").await.json();
    let path = format!("contacts({id})");
    let before = people.row_version("contact", id).unwrap();
    send(world.dynamics("PATCH", &path).body(r#"{"lastname":"Lee"}"#)).await;
    assert!(people.row_version("contact", id).unwrap() > before);
    let delta = first["@odata.deltaLink"].as_str().unwrap();
    let told = world.get(delta, "").await.json();
    assert_eq!(told["value"][0]["contactid"], json!(id.to_string()));
    let tag = told["value"][0]["@odata.etag"].as_str().unwrap();
    let version = people.row_version("contact", id).unwrap();
    assert_eq!(tag, format!("W/\"{version}\""));
    // 919042!08/22/2017 08:10:44, escaped.
    let (_, token) = delta.split_once("$deltatoken=").unwrap();
    assert_eq!((token.matches("%2f").count(), token.matches("%3a").count()), (2, 2), "{token}");
    let (number, _) = token.split_once("%21").unwrap();
    assert!(number.parse::<u64>().is_ok() && token.contains("%20"), "{token}");
    let garbled = delta.replace("%21", "");
    assert_eq!(world.get(&garbled, "").await.status, 400);
}

#[tokio::test]
async fn an_empty_text_is_null_or_stays_by_variant() {
    for (empty_text_is_null, wanted) in [(true, Value::Null), (false, json!(""))] {
        let variants = Variants { empty_text_is_null, ..Variants::default() };
        let world = World::start(SandboxOptions { variants, ..SandboxOptions::default() }).await;
        let id = world.sandbox.dynamics().insert("contact", &json!({"jobtitle": ""})).unwrap();
        let row = world.get(&format!("contacts({id})?$select=jobtitle"), "").await.json();
        assert_eq!(row["jobtitle"], wanted);
    }
}

#[tokio::test]
async fn a_lookup_is_cleared_by_deleting_its_reference() {
    let world = World::plain().await;
    let people = world.sandbox.dynamics();
    let owner = people.insert("contact", &json!({"lastname": "Lee"})).unwrap();
    let bind = json!({"new_ContactId@odata.bind": format!("/contacts({owner})")});
    let vehicle = people.insert("new_vehicle", &bind).unwrap();
    let owner_of = || people.get("new_vehicle", vehicle).unwrap()["_new_contactid_value"].clone();
    assert_eq!(owner_of(), json!(owner.to_string()));
    let reference = format!("new_vehicles({vehicle})/new_ContactId/$ref");
    assert_eq!(send(world.dynamics("DELETE", &reference)).await.status, 204);
    assert_eq!(owner_of(), Value::Null);
}

#[tokio::test]
async fn the_profile_of_a_technical_account_names_the_tenants_it_may_use() {
    let world = World::plain().await;
    let request = world.http.get(format!("{}/ims/profile/v1", world.sandbox.origin()));
    let got = send(request.bearer_auth(&world.campaign_token)).await.json();
    let context = &got["projectedProductContext"][0]["prodCtx"];
    let known = world.sandbox.credentials();
    assert_eq!(context["organization_id"], json!(known.campaign_tenant));
    assert_eq!(context["owningEntity"], json!(known.organization_id));
}
