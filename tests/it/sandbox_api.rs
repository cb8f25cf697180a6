//! `/_sandbox/api`: what scripts read and do.

use cdsync::sandbox::{SandboxOptions, Variants};
use serde_json::{Value, json};

use crate::sandbox::{Got, World, send};

async fn ask(world: &World, method: &str, path: &str, body: &Value) -> Got {
    let url = format!("{}/_sandbox/api{path}", world.sandbox.origin());
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let text = if body.is_null() { String::new() } else { body.to_string() };
    send(world.http.request(method, url).body(text)).await
}

async fn get(world: &World, path: &str) -> Value {
    let got = ask(world, "GET", path, &Value::Null).await;
    assert_eq!(got.status, 200, "{path}: {}", got.text);
    got.json()
}

#[tokio::test]
async fn rows_of_both_sides_are_read_and_changed_as_a_person_would() {
    let options = SandboxOptions { contacts: 3, ..SandboxOptions::default() };
    let world = World::start(options).await;
    let summary = get(&world, "").await;
    assert_eq!(summary["dynamics"]["contact"], 3);
    assert_eq!(summary["campaign"]["profile"], 0);
    let plain = send(world.http.get(format!("{}/_sandbox", world.sandbox.origin()))).await;
    assert_eq!(plain.json()["dynamics"]["contact"], 3);

    let page = get(&world, "/dynamics/contact?skip=2&top=5").await;
    assert_eq!((&page["count"], page["rows"].as_array().unwrap().len()), (&json!(3), 1));
    let made = ask(&world, "POST", "/dynamics/contact", &json!({"lastname": "Byron"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/dynamics/contact/{}", made.json()["id"].as_str().unwrap());
    let changed = ask(&world, "PATCH", &path, &json!({"firstname": "Ada"})).await;
    assert_eq!(changed.status, 204, "{}", changed.text);
    assert_eq!(get(&world, &path).await["fullname"], "Ada Byron");
    assert_eq!(ask(&world, "DELETE", &path, &Value::Null).await.status, 204);
    assert_eq!(ask(&world, "DELETE", &path, &Value::Null).await.status, 404);
    let wrong = ask(&world, "POST", "/dynamics/contact", &json!({"nose": 1})).await;
    assert!(wrong.status == 400 && wrong.text.contains("nose"), "{}", wrong.text);

    let record = json!({"externalId": "7", "lastName": "King"});
    let made = ask(&world, "POST", "/campaign/profile", &record).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let rows = get(&world, "/campaign/profile").await;
    assert_eq!((&rows["count"], &rows["rows"][0]["lastName"]), (&json!(1), &json!("King")));
    let path = format!("/campaign/profile/{}", rows["rows"][0]["_row"]);
    let flag = json!({"blackListEmail": true});
    assert_eq!(ask(&world, "PATCH", &path, &flag).await.status, 204);
    let shown = get(&world, &path).await;
    assert_eq!(shown["blackListEmail"], true);
    assert_ne!(shown["blackListEmailLastModified"], "");
    assert_eq!(ask(&world, "DELETE", &path, &Value::Null).await.status, 204);
    assert_eq!(ask(&world, "GET", &path, &Value::Null).await.status, 404);
    for path in ["/dynamics/nothing", "/campaign/nothing", "/nothing"] {
        assert_eq!(ask(&world, "GET", path, &Value::Null).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_log_is_filtered_and_followed_by_number() {
    let world = World::plain().await;
    world.get("WhoAmI", "").await;
    world.get("nothing", "").await;
    world.read("profileAndServices/profile").await;
    let paths = |entries: &Value| -> Vec<String> {
        let entries = entries.as_array().unwrap().iter();
        entries.map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
    };
    let all = get(&world, "/log").await;
    assert_eq!(all.as_array().unwrap().len(), 5, "two tokens, three requests: {all}");
    let refused = get(&world, "/log?system=dynamics&status=4xx").await;
    assert_eq!(paths(&refused), ["/api/data/v9.2/nothing"]);
    assert_eq!(refused[0]["status"], 404);
    let after = get(&world, &format!("/log?after={}", refused[0]["seq"])).await;
    assert_eq!(paths(&after).len(), 1, "{after}");
    assert_eq!(after[0]["system"], "campaign");
    assert_eq!(after[0]["rows"], 0);
    let latest = get(&world, "/log?top=1").await;
    assert_eq!(latest, after);
    let own = get(&world, "/log?system=sandbox").await;
    assert!(paths(&own).len() >= 4, "{own}");
    assert_eq!(ask(&world, "DELETE", "/log", &Value::Null).await.status, 204);
    assert_eq!(get(&world, "/log").await, json!([]));
}

#[tokio::test]
async fn faults_and_variants_are_set_while_it_runs() {
    let world = World::plain().await;
    let plan = json!({"rule": [{"system": "dynamics", "first": 1, "fault": {"kind": "status", "code": 503}}]});
    assert_eq!(ask(&world, "PUT", "/faults", &plan).await.status, 204);
    assert_eq!(world.get("WhoAmI", "").await.status, 503);
    assert_eq!(world.get("WhoAmI", "").await.status, 200);
    let shown = get(&world, "/faults").await;
    assert_eq!(shown["counts"], json!([{"fitted": 2, "played": 1}]));
    assert_eq!(
        shown["rule"][0],
        json!({"system": "dynamics", "first": 1, "fault": {"kind": "status", "code": 503, "body": ""}})
    );
    let wrong = ask(&world, "PUT", "/faults", &json!({"rule": [{"fault": {"kind": "x"}}]})).await;
    assert!(wrong.status == 400 && wrong.text.contains("unknown variant"), "{}", wrong.text);
    assert_eq!(ask(&world, "DELETE", "/faults", &Value::Null).await.status, 204);
    assert_eq!(get(&world, "/faults").await["rule"], json!([]));

    let usual = get(&world, "/variants").await;
    assert_eq!(usual, Value::Object(Variants::default().values()));
    let read = world.get("contacts?$select=fullname", "odata.track-changes").await;
    let link = read.json()["@odata.deltaLink"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&link, "").await.status, 200);
    assert_eq!(ask(&world, "PATCH", "/variants", &json!({"delta-expired": 410})).await.status, 200);
    let wrong = ask(&world, "PATCH", "/variants", &json!({"delta-expired": 404})).await;
    assert!(wrong.status == 400 && wrong.text.contains("takes 400, 410"), "{}", wrong.text);
    assert_eq!(
        ask(&world, "POST", "/expire-tokens", &json!({"table": "account"})).await.status,
        204
    );
    assert_eq!(world.get(&link, "").await.status, 200, "another table's tokens");
    assert_eq!(
        ask(&world, "POST", "/expire-tokens", &json!({"table": "contact"})).await.status,
        204
    );
    assert_eq!(world.get(&link, "").await.status, 410);
    assert_eq!(ask(&world, "POST", "/expire-tokens", &json!({"table": "x"})).await.status, 404);
}

#[tokio::test]
async fn a_merge_of_two_contacts_is_played() {
    let world = World::start(SandboxOptions { contacts: 2, ..SandboxOptions::default() }).await;
    let dynamics = world.sandbox.dynamics();
    let ids = dynamics.ids("contact");
    let before = dynamics.version();
    let path = format!("/dynamics/contact/{}/merge", ids[0]);
    let merged = ask(&world, "POST", &path, &json!({"into": ids[1]})).await;
    assert_eq!(merged.status, 204, "{}", merged.text);
    let lost = dynamics.get("contact", ids[0]).unwrap();
    assert_eq!((&lost["merged"], &lost["statecode"]), (&json!(true), &json!(1)));
    assert_eq!(lost["_masterid_value"], json!(ids[1]));
    // Both are told to readers of changes.
    assert!(ids.iter().all(|id| dynamics.row_version("contact", *id).unwrap() > before));
    let itself = ask(&world, "POST", &path, &json!({"into": ids[0]})).await;
    assert!(itself.status == 400 && itself.text.contains("into itself"), "{}", itself.text);
    for (path, body) in [
        (path.as_str(), json!({})),
        (path.as_str(), json!({"into": uuid::Uuid::from_u128(7)})),
        (&format!("/dynamics/task/{}/merge", ids[0]), json!({"into": ids[1]})),
    ] {
        assert_eq!(ask(&world, "POST", path, &body).await.status, 400, "{path} {body}");
    }
}
