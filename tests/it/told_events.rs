//! Events that no other test waits for: each can happen, and is told.

use cdsync::sandbox::{FaultRule, System};
use serde_json::json;

use crate::egress_files::{configure, rig, sync};
use crate::rig::Running;
use crate::support::{FIELDS, STORES, Setup, World, by_filter, status};

const RARELY: &str = "schedule = \"0 0 0 1 1 *\"\n";

#[test]
fn what_happens_beside_a_daemon_now_and_then_is_told_by_it() {
    let contacts = by_filter("apply_deletes = true", FIELDS);
    let tables = format!("{RARELY}{contacts}{STORES}");
    let world = World::new(Setup { contacts: 4, tables, ..Setup::default() });
    world.sandbox.dynamics().insert("new_store", &json!({ "new_name": "Oslo" })).unwrap();
    let daemon = Running::start(world.command(&["--log-level", "debug", "run"]));
    daemon.wait_for("\"daemon.started\"");
    world.run(&["sync", "--via-daemon"]).ends(0);
    let id = world.contacts()[0];

    let edited = json!({ "lastName": "Edited" });
    let campaign = world.sandbox.campaign();
    campaign.update("profile", "externalId", &id.to_string(), &edited).unwrap();
    world.run(&["resync", "--table", "contact", "--verify"]).ends(1);

    world.change(id, &json!({ "lastname": "Changed" }));
    let away = FaultRule { system: Some(System::Campaign), ..FaultRule::always(status(503)) };
    world.play(FaultRule { times: Some(3), ..away });
    // Whether the pass itself gets over it does not matter here.
    world.run(&["sync", "--via-daemon"]);
    world.run(&["sync", "--via-daemon"]).ends(0);

    let other = FIELDS.replace("with = \"male\"", "with = \"unknown\"");
    assert_ne!(other, FIELDS);
    world.configure(&format!("{RARELY}{}", by_filter("apply_deletes = true", &other)));
    daemon.signal("HUP");
    daemon.wait_for("\"config.reloaded\"");
    world.run(&["sync", "--via-daemon"]).ends(0);
    world.run(&["discard-table", "new_store", "--yes"]).ends(0);

    daemon.signal("TERM");
    let ended = daemon.finish();
    ended.expect(0);
    for event in [
        "auth.token",
        "control.answered",
        "load.finished",
        "drift.record",
        "remote.unreachable",
        "remote.back",
        "mapping.changed",
        "table.discarded",
    ] {
        assert!(!ended.events(event).is_empty(), "{event} was not told: {}", ended.err);
    }
}

#[tokio::test]
async fn files_that_have_not_come_for_the_time_of_an_alarm_are_told_of() {
    let rig = rig(1).await;
    configure(&rig, "source = \"sftp\"", "file_alarm = \"1s\"\n");
    let mut told = Vec::new();
    // The first pass begins to wait; how many fit into a second nobody knows.
    for _ in 0..200 {
        told = sync(&rig).await.events("file.late");
        if !told.is_empty() {
            break;
        }
    }
    assert_eq!(told.len(), 1, "it was never told");
    assert_eq!(told[0]["directory"], "exports");
    assert!(told[0]["late_seconds"].as_u64() >= Some(1), "{told:?}");
}
