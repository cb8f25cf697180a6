//! Adobe's own Campaign client drives the Campaign look-alike. Its page links and
//! the addresses inside of answers are for the caller to follow.

use cdsync::sandbox::{ErrorStyle, SandboxOptions, System, Variants};
use serde_json::{Value, json};

use crate::conform_rig::{Client, Stage};

fn stage() -> Stage {
    Stage::new(Client::Campaign, SandboxOptions::default())
}

fn content(answer: &Value) -> &Vec<Value> {
    answer["body"]["content"].as_array().unwrap_or_else(|| panic!("no content: {answer}"))
}

fn members(answer: &Value, name: &str) -> Vec<Value> {
    content(answer).iter().map(|row| row[name].clone()).collect()
}

fn follow(stage: &mut Stage, href: &Value) -> Value {
    stage.done(&json!({"follow": href}))
}

fn post(stage: &mut Stage, href: &Value, body: &Value) -> Value {
    stage.done(&json!({"follow": href, "method": "POST", "body": body}))
}

#[test]
fn adobes_campaign_client_creates_reads_and_changes_profiles() {
    let mut stage = stage();
    let campaign = stage.sandbox.campaign();
    let profile = json!({"email": "ann@example.com", "firstName": "Ann", "lastName": "Lee", "birthDate": "1980-10-24"});
    let made = stage.call("createProfile", &json!([profile]));
    assert_eq!((&made["status"], &made["body"]["lastName"]), (&json!(201), &json!("Lee")));
    let key = made["body"]["PKey"].as_str().unwrap().to_owned();
    let held = || campaign.by_key("profile", "email", "ann@example.com").remove(0);
    assert_eq!(
        (&held()["birthDate"], &held()["gender"]),
        (&json!("1980-10-24"), &json!("unknown"))
    );

    let changed =
        stage.call("updateProfile", &json!([key, {"gender": "female", "blackListEmail": true}]));
    assert_eq!(changed["status"], 200);
    let members: Vec<&String> = changed["body"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["PKey", "href"], "a change is answered by key and address alone");
    assert_eq!((&held()["gender"], &held()["blackListEmail"]), (&json!("female"), &json!(true)));
    let read = stage.call("getProfile", &json!([key]));
    assert_eq!(read["body"]["title"], "Ann LEE (ann@example.com)");
    assert_ne!(read["body"]["PKey"], json!(key), "no key comes twice");
    assert_ne!(read["body"]["blackListEmailLastModified"], "");

    for (body, text) in [
        (json!({"gender": "invalid"}), "is not valid for the 'nms:recipient:gender' enumeration"),
        (json!({"age": 5}), "Cannot update the 'age' property that is read-only"),
        (json!({"xyz": 5}), "'xyz' property is not valid for the 'profile' resource."),
        // Custom fields are under the other root.
        (json!({"cusCrmId": "1"}), "'cusCrmId' property is not valid"),
    ] {
        let refused = stage.refused("updateProfile", &json!([key, body]));
        let message = refused["message"].as_str().unwrap();
        assert!(
            message.contains("500 - Internal Server Error") && message.contains(text),
            "{message}"
        );
    }
    // Whether such a text comes as JSON is not confirmed: the client reads both.
    let variants = Variants { campaign_errors: ErrorStyle::PlainText, ..Variants::default() };
    stage.sandbox.set_variants(variants);
    let refused = stage.refused("updateProfile", &json!([key, {"age": 5}]));
    assert!(
        refused["message"].as_str().unwrap().contains("500 - Internal Server Error"),
        "{refused}"
    );
    stage.sandbox.set_variants(Variants::default());
    let foreign = stage.refused("getProfile", &json!(["@gibberish"]));
    assert!(foreign["message"].as_str().unwrap().contains("XTK-170036"), "{foreign}");
    assert_eq!(campaign.rows("profile").len(), 1);

    let units = stage.call("getAllOrgUnits", &json!([{"lineCount": 3}]));
    let unit = content(&units)[0]["PKey"].clone();
    assert_eq!(stage.call("updateProfileOrgUnit", &json!([key, unit]))["status"], 200);
    let with = stage.call("getProfileWithOrgUnit", &json!([key]));
    assert_eq!(with["body"]["orgUnit"]["title"], "All (all)");
    let sent = stage.asked_of(System::Campaign);
    assert!(
        sent[0].starts_with("POST 201 ") && sent[0].ends_with("/profileAndServices/profile/"),
        "{sent:?}"
    );
    assert!(sent[1].contains("/profile/%40"), "{sent:?}");
}

#[test]
fn adobes_campaign_client_filters_orders_and_pages() {
    let mut stage = stage();
    for (first, last) in [("Ann", "Doe"), ("Bo", "Doe"), ("Cy", "Doerr"), ("Di", "Eve")] {
        let body =
            json!({"email": format!("{first}@example.com"), "firstName": first, "lastName": last});
        stage.call("createProfile", &json!([body]));
    }
    let by_text = json!([{"filters": ["byText"], "text": "Doe", "filterType": "lastName", "lineCount": 2,
        "order": "email", "descendingSort": true}]);
    let first = stage.call("getAllProfiles", &by_text);
    assert_eq!(members(&first, "firstName"), ["Cy", "Bo"]);
    let next = follow(&mut stage, &first["body"]["next"]["href"]);
    assert_eq!(members(&next, "firstName"), ["Ann"]);
    assert_eq!(next["body"]["next"], Value::Null);
    let count = follow(&mut stage, &first["body"]["count"]["href"]);
    assert_eq!(count["body"]["count"], 3);
    // The type makes the comparison exact; without one it is not.
    let exact = stage.call(
        "getAllProfiles",
        &json!([{"filters": ["byText"], "text": "doe", "filterType": "lastName"}]),
    );
    assert!(content(&exact).is_empty());
    let loose = stage.call("getAllProfiles", &json!([{"filters": ["byText"], "text": "doe"}]));
    assert_eq!(content(&loose).len(), 3);
    let custom = stage.call(
        "getAllProfiles",
        &json!([{"filters": ["byModifiedSince"], "hasCustomFilter": true,
        "since_parameter": "2000-01-01 00:00:00.000Z", "_forcePagination": true}]),
    );
    let mut shown = members(&custom, "email");
    shown.sort_by_key(ToString::to_string);
    let held = stage.sandbox.campaign().rows("profile");
    let mut held: Vec<Value> = held.iter().map(|row| row["email"].clone()).collect();
    held.sort_by_key(ToString::to_string);
    assert_eq!((shown, held.len()), (held.clone(), 4));
    let plain = stage.refused("getAllProfiles", &json!([{"filters": ["byModifiedSince"]}]));
    assert!(plain["message"].as_str().unwrap().contains("BAS-010040"), "{plain}");
    let asked = stage.asked_of(System::Campaign);
    assert!(asked.iter().any(|line| line.contains("_order=email%2520desc")), "{asked:?}");
}

#[test]
fn adobes_campaign_client_works_with_custom_resources_and_their_metadata() {
    let mut stage = stage();
    let campaign = stage.sandbox.campaign();
    let profile =
        stage.call("createProfile", &json!([{"email": "own@example.com", "lastName": "Own"}]));
    let vehicle = json!({"cusVehicleId": "V1", "cusName": "Car", "cusMileage": 5,
        "vehicleOwner": {"PKey": profile["body"]["PKey"]}});
    let made = stage.call("createCustomResource", &json!(["cusVehicle", vehicle]));
    assert_eq!(made["status"], 201);
    let key = made["body"]["PKey"].as_str().unwrap().to_owned();
    let twin = stage.refused("createCustomResource", &json!(["cusVehicle", vehicle]));
    assert!(
        twin["message"]
            .as_str()
            .unwrap()
            .contains("duplicate key value violates unique constraint"),
        "{twin}"
    );
    stage.call("updateCustomResource", &json!(["cusVehicle", key, {"cusMileage": 6}]));
    assert_eq!(campaign.rows("cusVehicle")[0]["cusMileage"], 6);
    let found = stage.call(
        "getAllProfileAndServicesExt",
        &json!(["cusVehicle", {"filters": ["byVehicleId"], "vehicleId_parameter": "V1"}]),
    );
    assert_eq!(members(&found, "cusName"), ["Car"]);
    assert_eq!(content(&found)[0]["vehicleOwner"]["title"], "OWN (own@example.com)");
    let deleted = stage.call("deleteCustomResource", &json!(["cusVehicle", key]));
    assert!(deleted["status"] == 200 || deleted["status"] == 204, "{deleted}");
    assert!(campaign.rows("cusVehicle").is_empty());

    let stores = stage.call("getAllBasicCustomResources", &json!(["cusStore"]));
    assert!(content(&stores).is_empty());
    let wrong = stage.refused("getAllProfileAndServicesExt", &json!(["cusStore", {}]));
    assert!(wrong["message"].as_str().unwrap().contains("404 - Not Found"), "{wrong}");
    let described = stage.call("getMetadataForResource", &json!(["profile"]));
    assert_eq!(described["body"]["content"]["gender"]["type"], "enumeration");
    assert_eq!(described["body"]["content"].get("cusCrmId"), None);
    let listed = stage.call("getCustomResources", &json!([]));
    assert!(listed["body"].get("cusVehicle").is_some() && listed["body"].get("cusStore").is_none());
}

#[test]
fn adobes_campaign_client_makes_services_and_profiles_subscribe_to_them() {
    let mut stage = stage();
    let campaign = stage.sandbox.campaign();
    let service =
        json!({"label": "News", "messageType": "email", "name": "news", "start": "2026-10-06"});
    let made = stage.call("createService", &json!([service]));
    assert_eq!((&made["status"], &made["body"]["title"]), (&json!(201), &json!("News (news)")));
    let again = stage.refused("createService", &json!([service]));
    assert!(
        again["message"]
            .as_str()
            .unwrap()
            .contains("A 'Service' with the same key 'news' already exists")
    );
    let by_name = stage.call("getService", &json!(["news"]));
    assert_eq!(by_name["body"]["messageType"], "email");
    let held = campaign.rows("service");
    assert_eq!((held.len(), &held[0]["messageType"]), (1, &json!("email")));
    let by_channel = stage.call(
        "getAllServices",
        &json!([{"filters": ["byChannel", "byText"], "channel": "email", "text": "ne"}]),
    );
    assert_eq!(members(&by_channel, "name"), ["news"]);
    let unknown = stage.refused("getService", &json!(["adobe_nl"]));
    assert!(unknown["message"].as_str().unwrap().contains("Unable to find document"), "{unknown}");

    let profile =
        stage.call("createProfile", &json!([{"email": "sub@example.com", "lastName": "Sub"}]));
    let collection = profile["body"]["subscriptions"]["href"].clone();
    let link = json!({"service": {"PKey": made["body"]["PKey"]}});
    let subscribed = post(&mut stage, &collection, &link);
    assert_eq!(
        (&subscribed["status"], &subscribed["body"]["serviceName"]),
        (&json!(201), &json!(""))
    );
    assert_eq!(subscribed["body"]["metadata"], "subscriptionRcp");
    let held = campaign.rows("subscriptionRcp");
    assert_eq!(held.len(), 1);
    assert_eq!(held[0]["service"]["key"], "news", "{:?}", held[0]);
    let listed = follow(&mut stage, &collection);
    assert_eq!(
        (members(&listed, "serviceName"), members(&listed, "email")),
        (vec![json!("news")], vec![json!("sub@example.com")])
    );
    let of_service = follow(&mut stage, &made["body"]["subscriptions"]["href"]);
    assert_eq!(content(&of_service)[0]["subscriber"]["lastName"], "Sub");

    let history = stage.call("getHistoryOfProfile", &json!([profile["body"]["PKey"]]));
    assert_eq!(history["body"]["countSubHistoEvents"], 1);
    let events = follow(&mut stage, &history["body"]["events"]["href"]);
    assert_eq!(members(&events, "label"), ["News (news)"]);

    let href = &content(&listed)[0]["href"];
    let ended = stage.done(&json!({"follow": href, "method": "DELETE"}));
    assert_eq!(ended["status"], 204);
    assert!(campaign.rows("subscriptionRcp").is_empty());
    assert_eq!(campaign.rows("service").len(), 1, "the service stays");
}

#[test]
fn adobes_campaign_client_runs_workflows_and_signals_once_in_ten_minutes() {
    let mut stage = stage();
    let campaign = stage.sandbox.campaign();
    let workflow = stage.call("getWorkflow", &json!(["WKF1"]));
    let href = workflow["body"]["activities"]["activity"]["signal1"]["trigger"]["href"].clone();
    let signal = json!([href, {"source": "API", "parameters": {"fileName": "x.csv", "rows": 5}}]);
    // The client looks at no status here: a refusal is told like a result.
    let early = stage.call("triggerSignalActivity", &signal);
    assert!(early.as_str().unwrap().contains("is not running"), "{early}");
    assert_eq!(stage.call("controlWorkflow", &json!(["WKF1", "Start"]))["status"], 200);
    assert_eq!(stage.call("getWorkflow", &json!(["WKF1"]))["body"]["state"], "started");
    assert_eq!(stage.call("triggerSignalActivity", &signal), json!({}));
    let told = json!({"fileName": "x.csv", "rows": 5});
    assert_eq!(campaign.workflow("WKF1"), Some(("started".to_owned(), vec![told.clone()])));
    // Inside the ten minutes the answer is a text that begins with T.
    let cooling = stage.call("triggerSignalActivity", &signal);
    assert!(cooling["payload"].as_str().unwrap().starts_with('T'), "{cooling}");
    let stranger = json!([href, {"source": "API", "parameters": {"contentURL": "x"}}]);
    let undeclared = stage.call("triggerSignalActivity", &stranger);
    assert!(
        undeclared.as_str().unwrap().contains("'contentURL' parameter isn't defined"),
        "{undeclared}"
    );
    assert_eq!(campaign.workflow("WKF1").unwrap().1, [told]);
    for (command, state) in [("pause", "paused"), ("resume", "started"), ("stop", "finished")] {
        stage.call("controlWorkflow", &json!(["WKF1", command]));
        assert_eq!(campaign.workflow("WKF1").unwrap().0, state);
    }
    let missing = stage.refused("getWorkflow", &json!(["WKF99"]));
    assert!(missing["message"].as_str().unwrap().contains("404 - Not Found"), "{missing}");
}
