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

/// Whether the metadata says that contacts are tracked.
async fn tracked(rig: &Rig) -> bool {
    let tables = rig.run(&["tables", "--json"]).await.expect(0).json();
    let contact = tables.as_array().unwrap().iter().find(|table| table["name"] == "contact");
    contact.unwrap()["change_tracking"] == true
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
async fn tracking_is_turned_on_once_and_the_flow_runs() {
    let rig = untracked().await;
    rig.run(&["check"]).await.expect(1);
    assert!(!tracked(&rig).await);
    rig.sandbox.requests().clear();
    let said = rig.run(TRACK).await;
    assert!(said.expect(0).err.contains("is on, and the table is published"), "{said:#?}");
    let asked = changes(&rig);
    let [(put, definitions), (post, publish)] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(put == "PUT" && definitions.contains("/EntityDefinitions("), "{asked:?}");
    assert!(post == "POST" && publish.ends_with("/PublishXml"), "{asked:?}");
    assert!(tracked(&rig).await);
    rig.run(&["check"]).await.expect(0);
    rig.run(&["sync"]).await.expect(0);
    rig.run(TRACK).await.expect(0);
    assert_eq!(changes(&rig).len(), 2, "a second time nothing is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_was_not_published_is_made_again() {
    let rig = untracked().await;
    let failing = Fault::Status { code: 500, body: "{}".to_owned() };
    let rule = FaultRule { path: Some("PublishXml".into()), ..FaultRule::always(failing) };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    let failed = rig.run(TRACK).await;
    failed.expect(4);
    rig.sandbox.set_faults(FaultPlan::default());
    rig.run(TRACK).await.expect(0);
    assert!(tracked(&rig).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_change_of_metadata_is_waited_for() {
    let rig = untracked().await;
    let busy = json!({ "error": { "code": "0x80071151", "message": "Another one is running." } });
    let busy = Fault::Status { code: 400, body: busy.to_string() };
    let rule = FaultRule { method: Some("PUT".into()), times: Some(1), ..FaultRule::always(busy) };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    rig.run(TRACK).await.expect(0);
    let verbs: Vec<String> = changes(&rig).into_iter().map(|(verb, _)| verb).collect();
    assert_eq!(verbs, ["PUT", "PUT", "POST"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_cannot_be_tracked_is_pointed_to_diff() {
    let rig = untracked().await;
    rig.sandbox.dynamics().set_trackable("contact", false);
    for arguments in [TRACK, &["check"] as &[&str]] {
        let said = rig.run(arguments).await;
        let text = format!("{}{}", said.expect(1).err, said.out);
        assert!(text.contains("tracking = \"diff\""), "{said:#?}");
    }
    assert_eq!(changes(&rig), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_privilege_is_named_and_ends_with_3() {
    let rig = untracked().await;
    rig.sandbox.dynamics().set_customizer(false);
    let refused = rig.run(TRACK).await;
    assert!(refused.expect(3).err.contains("prvWriteEntity"), "{refused:#?}");
    let changes = changes(&rig);
    assert!(matches!(changes.as_slice(), [(put, _)] if put == "PUT"), "{changes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_names_are_usage_or_unknown() {
    let rig = Rig::usual(0).await;
    rig.run(&["provision", "--solution", "a b"]).await.expect(2);
    rig.run(&["provision", "--change-tracking", "a b"]).await.expect(2);
    assert!(rig.sandbox.requests().entries().is_empty(), "somebody was contacted");
    let missing = rig.run(&["provision", "--change-tracking", "new_nothing"]).await;
    assert!(missing.expect(1).err.contains("new_nothing"), "{missing:#?}");
}

const KEY: &[&str] = &["provision", "--alternate-key", "contact=emailaddress2,emailaddress3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alternate_key_is_made_once_and_waited_for() {
    let rig = Rig::usual(0).await;
    let shown = rig.run(&[KEY, &["--dry-run"]].concat()).await;
    let (head, body) = shown.expect(0).out.split_once('\n').unwrap();
    assert_eq!(head, "POST EntityDefinitions(LogicalName='contact')/Keys");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["KeyAttributes"], json!(["emailaddress2", "emailaddress3"]));
    assert_eq!(changes(&rig), []);
    let made = rig.run(KEY).await;
    assert!(made.expect(0).err.contains("its index is built"), "{made:#?}");
    assert_eq!(changes(&rig).len(), 1);
    let again =
        rig.run(&["provision", "--alternate-key", "contact=emailaddress3,emailaddress2"]).await;
    assert!(again.expect(0).err.contains("nothing to do"), "{again:#?}");
    assert_eq!(changes(&rig).len(), 1, "a second time nothing is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_rows_do_not_allow_is_told() {
    let rig = Rig::usual(0).await;
    let row = json!({ "lastname": "Lee", "emailaddress2": "a", "emailaddress3": "b" });
    for _ in 0..2 {
        rig.sandbox.dynamics().insert("contact", &row).unwrap();
    }
    for _ in 0..2 {
        let said = rig.run(KEY).await;
        assert!(said.expect(1).err.contains("some rows hold the same value"), "{said:#?}");
    }
    assert_eq!(changes(&rig).len(), 1);
    let usage = rig.run(&["provision", "--alternate-key", "contact"]).await;
    assert!(usage.expect(2).err.contains("contact=new_extid"), "{usage:#?}");
}
