//! `provision --change-tracking`: what it asks of Dynamics, and how it refuses.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};
use serde_json::{Value, json};

use crate::rig::Rig;

const TRACK: &[&str] = &["provision", "--change-tracking", "contact"];

async fn untracked() -> Rig {
    let rig = Rig::usual(0).await;
    rig.sandbox.dynamics().set_change_tracking("contact", false);
    rig
}

/// Method and path of each request that changes Dynamics.
fn changes(rig: &Rig) -> Vec<(String, String)> {
    let mut entries = rig.sandbox.requests().entries();
    entries.retain(|entry| entry.system == System::Dynamics && entry.method != "GET");
    entries.into_iter().map(|entry| (entry.method, entry.path)).collect()
}

fn play(rig: &Rig, rules: &[(&str, u16, Value)]) {
    let rule = |(path, code, body): &(&str, u16, Value)| FaultRule {
        path: Some((*path).to_owned()),
        ..FaultRule::always(Fault::Status { code: *code, body: body.to_string() })
    };
    let rules = rules.iter().map(rule).collect();
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_the_requests_and_sends_none() {
    let rig = untracked().await;
    let mut arguments = TRACK.to_vec();
    arguments.push("--dry-run");
    let shown = rig.run(&arguments).await;
    let (put, post) = shown.expect(0).out.split_once("\nPOST PublishXml\n").unwrap();
    let (head, body) = put.split_once("\nMSCRM.MergeLabels: true\n").unwrap();
    assert!(head.starts_with("PUT EntityDefinitions("), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["LogicalName"], "contact");
    assert_eq!(body["ChangeTrackingEnabled"], true);
    assert_eq!(body["PrimaryNameAttribute"], "fullname", "the whole definition is sent back");
    assert!(post.contains("<entity>contact</entity>"), "{post}");
    assert_eq!(changes(&rig), []);
    assert!(shown.err.contains("nothing was sent"), "{shown:#?}");
    assert!(!rig.store().exists(), "a store was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_tracked_already_is_left_alone() {
    let rig = Rig::usual(0).await;
    let said = rig.run(TRACK).await;
    assert!(said.expect(0).err.contains("on already"), "{said:#?}");
    assert_eq!(changes(&rig), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_cannot_be_tracked_is_pointed_to_diff() {
    let rig = untracked().await;
    let definition = json!({
        "MetadataId": "70816501-edb9-4740-a16c-6a5efbc05d84", "ChangeTrackingEnabled": false,
        "CanChangeTrackingBeEnabled": { "Value": false, "CanBeChanged": false },
    });
    play(&rig, &[("EntityDefinitions(LogicalName='contact')", 200, definition)]);
    let said = rig.run(TRACK).await;
    for part in ["CanChangeTrackingBeEnabled", "tracking = \"diff\""] {
        assert!(said.expect(1).err.contains(part), "{said:#?}");
    }
    assert_eq!(changes(&rig), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_privilege_is_named_and_ends_with_3() {
    let rig = untracked().await;
    let message = "Principal user (Id=1, type=8) is missing prvWriteEntity privilege (Id=2) on OTC=9800 for entity 'entity'.";
    let refusal = json!({ "error": { "code": "0x80040220", "message": message } });
    let refusal = Fault::Status { code: 403, body: refusal.to_string() };
    let rule = FaultRule { method: Some("PUT".into()), ..FaultRule::always(refusal) };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    let refused = rig.run(TRACK).await;
    assert!(refused.expect(3).err.contains("prvWriteEntity"), "{refused:#?}");
    let changes = changes(&rig);
    assert!(matches!(changes.as_slice(), [(put, _)] if put == "PUT"), "{changes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_names_and_no_name_are_usage_or_unknown() {
    let rig = Rig::usual(0).await;
    let plain = rig.run(&["provision"]).await;
    assert!(plain.expect(2).err.contains("--change-tracking TABLE"), "{plain:#?}");
    rig.run(&["provision", "--change-tracking", "a b"]).await.expect(2);
    assert!(rig.sandbox.requests().entries().is_empty(), "somebody was contacted");
    let missing = rig.run(&["provision", "--change-tracking", "new_nothing"]).await;
    assert!(missing.expect(1).err.contains("new_nothing"), "{missing:#?}");
}
