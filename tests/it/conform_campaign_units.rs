//! Adobe's Campaign client: organizational units, and the calls that take an
//! address.

use cdsync::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::conform_rig::{Client, Stage};

fn stage() -> Stage {
    Stage::new(Client::Campaign, SandboxOptions { contacts: 0, ..SandboxOptions::default() })
}

fn content(answer: &Value) -> &Vec<Value> {
    answer["body"]["content"].as_array().unwrap_or_else(|| panic!("no content: {answer}"))
}

#[test]
fn adobes_campaign_client_puts_profiles_into_units() {
    let mut stage = stage();
    let campaign = stage.sandbox.campaign();
    let units = stage.call("getAllOrgUnits", &json!([{"_lineCount": 3}]));
    assert_eq!(content(&units).len(), campaign.rows("orgUnitBase").len());
    let unit = content(&units)[0]["PKey"].clone();
    let profile =
        stage.call("createProfile", &json!([{"email": "unit@example.com", "lastName": "Unit"}]));
    let key = profile["body"]["PKey"].clone();
    let before = stage.call("getProfileWithOrgUnit", &json!([key]));
    assert_eq!(before["body"]["orgUnit"], Value::Null);
    let put = stage.call("updateProfileOrgUnit", &json!([key, unit]));
    assert_eq!(put["status"], 200);
    let renamed = stage.call("updateOrgUnit", &json!([unit, {"label": "Everything"}]));
    assert_eq!(renamed["status"], 200);
    assert_eq!(campaign.rows("orgUnitBase")[0]["label"], "Everything");
    let after = stage.call("getProfileWithOrgUnit", &json!([key]));
    assert_eq!(after["body"]["orgUnit"]["title"], "Everything (all)");
    assert_eq!(campaign.rows("profile")[0]["orgUnit"]["key"], "all");
}

#[test]
fn adobes_campaign_client_asks_by_address_and_for_collections() {
    let mut stage = stage();
    let campaign = stage.sandbox.campaign();
    stage.call(
        "createCustomResource",
        &json!(["cusVehicle", {"cusVehicleId": "V9", "cusName": "Van"}]),
    );
    for call in ["getMetadataForResourceExt", "getAllCustomResources"] {
        let got = stage.call(call, &json!(["cusVehicle"]));
        assert_eq!(
            content(&got)[0]["cusName"],
            campaign.rows("cusVehicle")[0]["cusName"],
            "{call}"
        );
        assert_eq!(content(&got).len(), campaign.rows("cusVehicle").len());
    }
    let described = stage.call("getMetadataForResourceExt", &json!(["cusVehicle"]));
    assert_eq!(described["status"], 200);
    let deprecated = stage.call("getAllCustomResources", &json!(["cusVehicle", {}]));
    assert_eq!(content(&deprecated).len(), 1);
    let relative =
        stage.call("getDataFromRelativeUrl", &json!(["profileAndServices/resourceType/profile"]));
    assert_eq!(relative["body"]["content"]["email"]["type"], "string");
    let tenant = stage.sandbox.credentials().campaign_tenant;
    let url =
        format!("{}/{tenant}/campaign/workflow/execution/WKF1/commands", stage.sandbox.origin());
    let started = stage.call("postDataToUrl", &json!([url, {"method": "start"}]));
    assert_eq!(started["status"], 200);
    assert_eq!(campaign.workflow("WKF1").unwrap().0, "started");
}
