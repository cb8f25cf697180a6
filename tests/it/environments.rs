//! A store and the environments it was made with: another Dynamics environment,
//! another Campaign instance, and the same environment put back from a copy.

use std::fs;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, Sandbox, SandboxOptions, System};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rig::{CONTACTS, Ended, Rig, Running};

const SYNC: &[&str] = &["--log-format", "json", "sync"];
const RUN: &[&str] = &["--log-format", "json", "run"];

/// Why the command ended.
fn reason(ended: &Ended) -> String {
    let failed = ended.events("command.failed");
    assert_eq!(failed.len(), 1, "{ended:#?}");
    failed[0]["reason"].as_str().unwrap().to_owned()
}

/// The Dynamics half of the configuration leads to another look-alike.
fn lead_to(rig: &Rig, other: &Sandbox) {
    let text = rig.text(CONTACTS);
    let (dynamics, rest) = text.split_once("[campaign]").unwrap();
    let (ours, theirs) = (rig.sandbox.credentials(), other.credentials());
    let dynamics = dynamics
        .replace(&rig.sandbox.origin(), &other.origin())
        .replace(&ours.tenant, &theirs.tenant)
        .replace(&ours.dynamics_client_id, &theirs.dynamics_client_id);
    crate::rig::private(&rig.path("dynamics-secret"), &theirs.dynamics_client_secret);
    fs::write(rig.path("config.toml"), format!("{dynamics}[campaign]{rest}")).unwrap();
}

fn campaign_writes(rig: &Rig) -> usize {
    let entries = rig.sandbox.requests().entries();
    entries.iter().filter(|it| it.system == System::Campaign && it.method != "GET").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_another_dynamics_environment_is_refused_and_nothing_is_written() {
    let rig = Rig::usual(4).await;
    rig.run(SYNC).await.expect(0);
    let options = SandboxOptions { seed: 99, contacts: 2, ..SandboxOptions::default() };
    let other = Sandbox::start(options).await.unwrap();
    lead_to(&rig, &other);
    rig.sandbox.requests().clear();
    for command in [SYNC, RUN] {
        let ended = rig.run(command).await;
        let said = reason(ended.expect(5));
        assert!(said.contains("belongs to Dynamics organization"), "{said}");
        assert!(said.contains("set [store] path to another file"), "{said}");
    }
    assert_eq!(campaign_writes(&rig), 0);
    // A file of its own for the other one, and the first one back: all is well.
    let secret = rig.sandbox.credentials().dynamics_client_secret;
    crate::rig::private(&rig.path("dynamics-secret"), &secret);
    rig.configure(CONTACTS);
    rig.run(SYNC).await.expect(0);
    rig.assert_equal("with the first environment again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_another_campaign_instance_is_refused_before_anybody_is_asked() {
    let rig = Rig::usual(4).await;
    let stage = format!("/{}\"", rig.sandbox.credentials().campaign_tenant);
    let text = rig.text(CONTACTS);
    assert!(text.contains(&stage), "{text}");
    let elsewhere =
        |to: &str| fs::write(rig.path("config.toml"), text.replace(&stage, to)).unwrap();
    // A mistake of the first day is no decision: nothing was told there.
    elsewhere("/contoso-typo\"");
    assert_ne!(rig.run(SYNC).await.code, Some(0));
    elsewhere(&stage);
    rig.run(SYNC).await.expect(0);
    rig.sandbox.requests().clear();
    elsewhere("/contoso-mkt-prod\"");
    for command in [SYNC, RUN] {
        let ended = rig.run(command).await;
        let said = reason(ended.expect(5));
        assert!(said.contains("the Campaign instance `contoso-mkt-stage1`"), "{said}");
        assert!(said.contains("`contoso-mkt-prod`"), "{said}");
        assert!(said.contains("set [store] path to another file"), "{said}");
    }
    assert_eq!(rig.sandbox.requests().entries().len(), 0);
    // Another spelling, and a slash at the end, are no other instance.
    elsewhere("/Contoso-mkt-stage1/\"");
    let ended = rig.run(SYNC).await;
    assert_ne!(ended.code, Some(5), "{ended:#?}");
    elsewhere(&stage);
    rig.run(SYNC).await.expect(0);
    rig.assert_equal("with the first instance again");
}

/// What Dynamics answers to a question for changes when its database was put
/// back: these rows, at versions of long ago.
fn of_long_ago(rig: &Rig, rows: &[(Uuid, &str)]) -> Fault {
    let row = |(id, name): &(Uuid, &str)| {
        let mut row = rig.sandbox.dynamics().get("contact", *id).unwrap();
        row.insert("contactid".to_owned(), json!(id));
        row.insert("lastname".to_owned(), json!(name));
        row.insert("versionnumber".to_owned(), json!(7));
        row.insert("@odata.etag".to_owned(), json!("W/\"7\""));
        Value::from(row)
    };
    let rows: Vec<Value> = rows.iter().map(row).collect();
    let origin = rig.sandbox.origin();
    let body = json!({
        "@odata.context": format!("{origin}/api/data/v9.2/$metadata#contacts"),
        "value": rows,
        "@odata.deltaLink": format!("{origin}/api/data/v9.2/contacts?$deltatoken=7"),
    });
    Fault::Status { code: 200, body: body.to_string() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_that_was_put_back_is_not_carried_until_somebody_says_so() {
    let rig = Rig::usual(3).await;
    let ids = rig.sandbox.dynamics().ids("contact");
    rig.run(SYNC).await.expect(0);
    let newer = json!({ "lastname": "Newer" });
    rig.sandbox.dynamics().update("contact", ids[0], &newer).unwrap();
    rig.run(SYNC).await.expect(0);
    let fault = of_long_ago(&rig, &[(ids[1], "Older"), (ids[0], "Older")]);
    let rule = FaultRule {
        system: Some(System::Dynamics),
        path: Some("deltatoken".to_owned()),
        ..FaultRule::always(fault)
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    rig.sandbox.requests().clear();
    for _ in 0..2 {
        let ended = rig.run(SYNC).await;
        let failed = ended.expect(1).events("table.failed");
        let said = failed[0]["reason"].as_str().unwrap();
        assert!(said.contains("put back from a copy"), "{said}");
        assert!(said.contains("cdsync resync --verify --table contact"), "{said}");
    }
    assert_eq!(campaign_writes(&rig), 0, "not even rows of the page that look new");
    assert!(rig.differences().is_empty(), "the cursor has not moved, and Campaign is as it was");
    // Somebody looks, and decides that Dynamics is right.
    rig.sandbox.set_faults(FaultPlan::default());
    rig.run(&["resync", "--verify", "--table", "contact"]).await.expect(0);
    rig.run(&["resync", "--table", "contact"]).await.expect(0);
    rig.sandbox.requests().clear();
    rig.run(SYNC).await.expect(0);
    assert!(pages(&rig).iter().any(|path| !path.contains("token")), "the old token is not used");
    rig.assert_equal("after the decision");
    // A table that did not go back keeps its token when it is sent again.
    rig.run(&["resync", "--table", "contact"]).await.expect(0);
    rig.sandbox.requests().clear();
    rig.run(SYNC).await.expect(0);
    assert!(pages(&rig).iter().all(|path| path.contains("deltatoken")), "{:#?}", pages(&rig));
}

/// Pages of contacts that were asked for.
fn pages(rig: &Rig) -> Vec<String> {
    let entries = rig.sandbox.requests().entries();
    let pages = entries.into_iter().filter(|it| it.path.contains("/contacts?"));
    pages.map(|it| it.path).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_whose_environment_is_exchanged_ends_at_its_next_pass() {
    let rig = Rig::usual(3).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "0 0 0 1 1 *");
    fs::write(rig.path("config.toml"), text).unwrap();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    let who = json!({
        "BusinessUnitId": Uuid::from_u128(1),
        "UserId": Uuid::from_u128(2),
        "OrganizationId": Uuid::from_u128(3),
    });
    let rule = FaultRule {
        path: Some("WhoAmI".to_owned()),
        ..FaultRule::always(Fault::Status { code: 200, body: who.to_string() })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    rig.run(&["sync", "--via-daemon"]).await;
    let said = daemon.wait_for("\"command.failed\"");
    daemon.end().expect(5);
    assert!(said.contains("belongs to Dynamics organization"), "{said}");
    assert!(said.contains("00000000-0000-0000-0000-000000000003"), "{said}");
    assert_eq!(rig.sandbox.campaign().rows("profile").len(), 3);
}
