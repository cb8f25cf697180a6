//! What a pass of a daemon costs in which nothing has changed, and that what it
//! spares loses nothing: no row is decided by a schema of an earlier pass.

use std::fs;

use cdsync::sandbox::FieldType;
use serde_json::{Value, json};

use crate::rig::{CONTACTS, Rig, Running};

/// A daemon with a pass each second, which keeps schemas for so long.
async fn daemon(cache: &str) -> (Rig, Running) {
    let rig = Rig::usual(4).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "* * * * * *");
    let with = text.replace("[dynamics]\n", &format!("[dynamics]\nschema_cache = \"{cache}\"\n"));
    assert_ne!(text, with);
    fs::write(rig.path("config.toml"), with).unwrap();
    let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
    (rig, daemon)
}

fn finished(daemon: &Running) -> Value {
    serde_json::from_str(&daemon.wait_for("\"flow.finished\"")).unwrap()
}

fn ends(daemon: Running) {
    daemon.signal("TERM");
    daemon.end().expect(0);
}

/// Requests for definitions so far, of both systems.
fn definitions(rig: &Rig) -> usize {
    let entries = rig.sandbox.requests().entries();
    let asks = |path: &str| path.contains("EntityDefinitions") || path.contains("resourceType");
    entries.iter().filter(|entry| asks(&entry.path)).count()
}

/// Waits until a pass has looked for changes alone.
fn settled(daemon: &Running) {
    while finished(daemon)["source_calls"] != 2 {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_without_a_change_asks_for_changes_alone() {
    let (rig, daemon) = daemon("24h").await;
    settled(&daemon);
    let before = definitions(&rig);
    assert!(before > 5, "they were read: {before}");
    for _ in 0..3 {
        let pass = finished(&daemon);
        assert_eq!((&pass["source_calls"], &pass["calls"]), (&json!(2), &json!(0)), "{pass}");
        assert_eq!((&pass["outcome"], &pass["read"]), (&json!("ok"), &json!(0)), "{pass}");
    }
    assert_eq!(definitions(&rig), before);
    // A change is taken up as ever, by schemas of that pass.
    let id = rig.sandbox.dynamics().ids("contact")[0];
    rig.sandbox.dynamics().update("contact", id, &json!({ "lastname": "New" })).unwrap();
    while finished(&daemon)["written"] != 1 {}
    assert!(definitions(&rig) > before);
    assert!(rig.differences().is_empty());
    assert!(rig.sandbox.dynamics().delete("contact", id));
    while finished(&daemon)["deleted"] != 1 {}
    settled(&daemon);
    // Whoever asks for a pass gets a whole one.
    let before = definitions(&rig);
    rig.run(&["sync", "--via-daemon"]).await.expect(0);
    assert!(definitions(&rig) > before);
    ends(daemon);
    rig.assert_equal("at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_goes_while_schemas_are_kept_stops_its_table_before_a_row_is_looked_at() {
    let (rig, daemon) = daemon("24h").await;
    settled(&daemon);
    let born = || -> Vec<Value> {
        let rows = rig.sandbox.campaign().rows("profile");
        rows.iter().map(|row| row["birthDate"].clone()).collect()
    };
    let before = born();
    assert!(before.iter().any(Value::is_string), "{before:?}");
    rig.sandbox.dynamics().remove_column("contact", "birthdate").unwrap();
    let id = rig.sandbox.dynamics().ids("contact")[0];
    rig.sandbox.dynamics().update("contact", id, &json!({ "lastname": "New" })).unwrap();
    let drifted = daemon.wait_for("\"schema.drifted\"");
    assert!(drifted.contains("birthdate"), "{drifted}");
    ends(daemon);
    assert_eq!(born(), before, "nothing was emptied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_where_nothing_changes_is_noticed_in_time_and_at_sighup() {
    for (cache, hup) in [("0s", false), ("2s", false), ("24h", true)] {
        let (rig, daemon) = daemon(cache).await;
        finished(&daemon);
        finished(&daemon);
        // No change of a row shows it.
        let shorter = FieldType::Text { max: 8 };
        rig.sandbox.campaign().retype_field("profile", "lastName", shorter).unwrap();
        if hup {
            settled(&daemon);
            daemon.signal("HUP");
        }
        let drifted = daemon.wait_for("\"schema.drifted\"");
        assert!(drifted.contains("lastName"), "{cache}: {drifted}");
        ends(daemon);
    }
}

/// Flags that travel from Campaign, whose word goes over that of Dynamics.
const WITH_FLAGS: &str = r#"
[optout]
schedule = "* * * * * *"
direction = "campaign-to-dynamics"
source = "rest"
rest = { filter = "byModifiedSince", parameter = "since_parameter" }
pairs = [ { dynamics = "donotbulkemail", campaign = "blackListEmail" } ]
"#;

/// The next pass of `optout`.
fn flags_looked_at(daemon: &Running) -> Value {
    loop {
        let pass = finished(daemon);
        if pass["flow"] == "optout" {
            return pass;
        }
    }
}

/// A daemon that moves flags alone, after its first passes.
async fn flag_daemon() -> (Rig, Running) {
    let rig = Rig::usual(4).await;
    let flag = "  { from = \"donotbulkemail\", to = \"blackListEmail\" },\n";
    let tables = format!("{}{WITH_FLAGS}", CONTACTS.replace(flag, ""));
    // Nothing of the mapping is looked at meanwhile.
    let text = rig.text(&tables).replace("*/15 * * * * *", "0 0 3 1 1 *");
    let with = text.replace("[dynamics]\n", "[dynamics]\nschema_cache = \"24h\"\n");
    fs::write(rig.path("config.toml"), with).unwrap();
    rig.run(&["sync", "ingress"]).await.expect(0);
    let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
    while flags_looked_at(&daemon)["outcome"] != "ok" {}
    flags_looked_at(&daemon);
    (rig, daemon)
}

/// Campaign shows no field that is unset, so one that went would look like a yes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flag_whose_field_goes_in_campaign_is_taken_for_no_yes_whatever_is_kept() {
    let (rig, daemon) = flag_daemon().await;
    let id = rig.sandbox.dynamics().ids("contact")[0];
    let key = id.to_string();
    rig.sandbox.campaign().set_flag_at(&key, "blackListEmail", true, None).unwrap();
    while flags_looked_at(&daemon)["written"] != 1 {}
    rig.sandbox.campaign().remove_field("profile", "blackListEmail").unwrap();
    // Each profile seems to have changed.
    rig.sandbox.campaign().set_flag_at(&key, "blackListPhone", true, None).unwrap();
    let told = daemon.wait_for("\"table.failed\"");
    assert!(told.contains("profile has no boolean blackListEmail"), "{told}");
    ends(daemon);
    let contact = rig.sandbox.dynamics().get("contact", id).unwrap();
    assert_eq!(contact["donotbulkemail"], json!(true));
}
