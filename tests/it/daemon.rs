//! The daemon as an operator has it: a real process, signals, a socket.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rig::{CONTACTS, Ended, Rig, Running, mode};

const RUN: &[&str] = &["--log-format", "json", "run"];
const VIA: &[&str] = &["--log-format", "json", "sync", "--via-daemon"];

/// The configuration, with passes on request only.
fn on_request(rig: &Rig) {
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "0 0 0 1 1 *");
    fs::write(rig.path("config.toml"), text).unwrap();
}

/// A daemon whose first pass is over.
fn started(rig: &Rig) -> Running {
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"daemon.started\"");
    daemon.wait_for("\"flow.finished\"");
    daemon
}

/// Ends it; each line it still said is one JSON object.
fn ends(daemon: Running) -> Ended {
    daemon.signal("TERM");
    let ended = daemon.end();
    ended.expect(0);
    for line in ended.err.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["event"].is_string(), "{line}");
    }
    ended
}

fn edit(rig: &Rig, to: &str) -> Uuid {
    let id = rig.sandbox.dynamics().ids("contact")[0];
    rig.sandbox.dynamics().update("contact", id, &json!({ "lastname": to })).unwrap();
    id
}

async fn status(rig: &Rig) -> Value {
    rig.run(&["status", "--json"]).await.expect(0).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_runs_at_start_answers_commands_and_ends_with_0() {
    let rig = Rig::usual(8).await;
    on_request(&rig);
    let daemon = started(&rig);
    assert_eq!(mode(&rig.path("store/cdsync.sock")), 0o600);
    edit(&rig, "Later");
    rig.run(VIA).await.expect(0);
    assert!(rig.differences().is_empty());
    let status = status(&rig).await;
    assert_eq!(
        (&status["daemon"], &status["flows"]["ingress"]["state"]),
        (&json!(true), &json!("idle"))
    );
    let id = rig.sandbox.dynamics().ids("contact")[0].to_string();
    assert!(rig.run(&["trace", &id]).await.expect(0).out.contains("contact"));
    assert_eq!(rig.run(&["dead-letters", "list", "--json"]).await.expect(0).json(), json!([]));
    rig.run(&["dead-letters", "show", "7"]).await.expect(2);
    rig.run(&["approve-deletes", "contact"]).await.expect(0);
    let ended = ends(daemon);
    assert_eq!(ended.events("daemon.stopped")[0]["settled"], true);
    assert!(!rig.path("store/cdsync.sock").exists());
    rig.assert_equal("after the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedule_carries_changes_without_being_asked() {
    let rig = Rig::usual(4).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "* * * * * *");
    fs::write(rig.path("config.toml"), text).unwrap();
    let daemon = started(&rig);
    edit(&rig, "Scheduled");
    daemon.wait_for("\"written\":1");
    assert!(rig.differences().is_empty());
    ends(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_comparison_by_schedule_mends_beside_a_flow_that_is_not_due() {
    let rig = Rig::usual(8).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "0 0 0 1 1 *");
    let slices = "[reconcile]\nschedule = \"* * * * * *\"\ncalls_per_run = 1000\nrepair = true\n";
    fs::write(rig.path("config.toml"), format!("{text}{slices}")).unwrap();
    let daemon = started(&rig);
    let id = rig.sandbox.dynamics().ids("contact")[1].to_string();
    let drift = json!({ "lastName": "Edited" });
    rig.sandbox.campaign().update("profile", "externalId", &id, &drift).unwrap();
    daemon.wait_for("\"drift.found\"");
    daemon.wait_for("\"flow.finished\"");
    assert!(rig.differences().is_empty());
    ends(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_has_one_daemon_and_no_pass_beside_it() {
    let rig = Rig::usual(2).await;
    let daemon = started(&rig);
    for arguments in [RUN, &["sync"]] {
        let refused = rig.run(arguments).await;
        assert!(refused.expect(5).err.contains("in use by process"), "{refused:#?}");
    }
    ends(daemon);
    let alone = rig.run(VIA).await;
    assert!(alone.expect(2).err.contains("no daemon answers"), "{alone:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resync_beside_a_daemon_is_handed_over_and_a_comparison_is_waited_for() {
    let rig = Rig::usual(8).await;
    let daemon = started(&rig);
    let id = rig.sandbox.dynamics().ids("contact")[1].to_string();
    let drift = json!({ "lastName": "Edited" });
    rig.sandbox.campaign().update("profile", "externalId", &id, &drift).unwrap();
    let found = rig.run(&["resync", "--table", "contact", "--verify", "--json"]).await;
    let line: Value = serde_json::from_str(found.expect(1).out.trim()).unwrap();
    assert_eq!((&line["id"], &line["kind"]), (&json!(id), &json!("edited")));
    assert_eq!(rig.differences().len(), 1, "a comparison writes nothing");
    rig.run(&["resync", "--table", "contact"]).await.expect(0);
    daemon.wait_for("\"resync.finished\"");
    daemon.wait_for("\"flow.finished\"");
    assert!(rig.differences().is_empty());
    rig.run(&["resync", "--table", "nobody"]).await.expect(2);
    rig.run(&["resync", "--verify"]).await.expect(0);
    ends(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_flow_stays_paused_over_a_restart_until_it_is_resumed() {
    let rig = Rig::usual(4).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "0 0 0 1 1 *");
    fs::write(rig.path("config.toml"), text).unwrap();
    let daemon = started(&rig);
    rig.run(&["pause", "ingress"]).await.expect(0);
    assert_eq!(status(&rig).await["flows"]["ingress"]["state"], "paused");
    ends(daemon);
    // Without a daemon, too.
    assert_eq!(status(&rig).await["flows"]["ingress"]["state"], "paused");
    rig.run(&["resume", "ingress"]).await.expect(0);
    rig.run(&["pause", "ingress"]).await.expect(0);
    edit(&rig, "While paused");
    rig.sandbox.requests().clear();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"daemon.started\"");
    // What is asked for meanwhile waits with it.
    rig.run(&["resync", "--table", "contact"]).await.expect(0);
    assert_eq!(status(&rig).await["flows"]["ingress"]["state"], "paused");
    daemon.signal("KILL");
    daemon.end();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"daemon.started\"");
    assert_eq!(status(&rig).await["resync"][0]["purpose"], "replay");
    assert!(rig.sandbox.requests().entries().is_empty(), "a paused flow asks nobody");
    rig.run(&["resume", "ingress"]).await.expect(0);
    daemon.wait_for("\"resync.finished\"");
    daemon.wait_for("\"flow.finished\"");
    assert!(rig.differences().is_empty());
    ends(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_takes_a_good_configuration_and_refuses_a_bad_one() {
    let rig = Rig::usual(4).await;
    let daemon = started(&rig);
    let good = rig.text(CONTACTS);
    fs::write(rig.path("config.toml"), format!("{good}\n[nonsense]\n")).unwrap();
    daemon.signal("HUP");
    let refused: Value = serde_json::from_str(&daemon.wait_for("\"config.refused\"")).unwrap();
    assert!(refused["reason"].as_str().unwrap().contains("nonsense"), "{refused}");
    let other = good.replace("store/cdsync.db", "store/other.db");
    fs::write(rig.path("config.toml"), other).unwrap();
    daemon.signal("HUP");
    assert!(daemon.wait_for("\"config.refused\"").contains("[store] path"));
    // The old one stays, and works.
    fs::write(rig.path("config.toml"), &good).unwrap();
    edit(&rig, "Old mapping");
    rig.run(VIA).await.expect(0);
    assert!(rig.differences().is_empty());
    let lines = CONTACTS.lines().filter(|line| !line.contains("birthdate"));
    let fewer: Vec<&str> = lines.collect();
    rig.configure(&fewer.join("\n"));
    daemon.signal("HUP");
    daemon.wait_for("\"config.reloaded\"");
    let id = rig.sandbox.dynamics().ids("contact")[0];
    let born = json!({ "birthdate": "1931-01-01" });
    rig.sandbox.dynamics().update("contact", id, &born).unwrap();
    rig.run(VIA).await.expect(0);
    assert_eq!(rig.differences(), [format!("{id}: birthDate differs")]);
    ends(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_loses_nothing_and_its_socket_is_replaced() {
    let rig = Rig::usual(8).await;
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"load.started\"");
    daemon.signal("KILL");
    assert_eq!(daemon.end().signal, Some(9));
    assert!(rig.path("store/cdsync.sock").exists());
    let daemon = started(&rig);
    rig.run(VIA).await.expect(0);
    ends(daemon);
    rig.assert_equal("after kill -9 and a restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_dies_at_any_commit_goes_on_at_its_next_start() {
    for commit in (1..=25).step_by(4) {
        let rig = Rig::usual(8).await;
        let mut command = rig.command(RUN);
        command.env("CDSYNC_CRASH", format!("committed:{commit}"));
        assert_eq!(Running::start(command).end().signal, Some(6), "commit {commit}");
        let daemon = started(&rig);
        rig.run(VIA).await.expect(0);
        ends(daemon);
        rig.assert_equal(&format!("after a crash at commit {commit}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_is_silent_fails_the_pass_and_is_told_once() {
    let rig = Rig::usual(2).await;
    let daemon = started(&rig);
    let silent =
        FaultRule { system: Some(System::Dynamics), ..FaultRule::always(Fault::CutBefore) };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![silent] });
    let patient = [VIA, &["--patience", "2"]].concat();
    for _ in 0..2 {
        let gave_up = rig.run(&patient).await;
        assert!(gave_up.expect(4).err.contains("gave up after 2 s"), "{gave_up:#?}");
    }
    rig.sandbox.set_faults(FaultPlan::default());
    rig.run(VIA).await.expect(0);
    let ended = ends(daemon);
    assert_eq!(ended.events("flow.failing").len(), 1, "{ended:#?}");
    assert_eq!(ended.events("flow.recovered")[0]["failed"], 2, "{ended:#?}");
    assert!(ended.events("sync.gave_up").is_empty(), "{ended:#?}");
}

/// What the daemon says to these bytes.
fn tell(rig: &Rig, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(rig.path("store/cdsync.sock")).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_harms_nobody() {
    let rig = Rig::usual(2).await;
    let daemon = started(&rig);
    for bytes in [&b""[..], b"half a line", b"\xff\xfe\n"] {
        assert_eq!(tell(&rig, bytes), "", "{bytes:?}");
    }
    let many = [b"[".repeat(100_000), b"\n".to_vec()].concat();
    for bytes in [&b"{}\n"[..], b"{\"request\":\"erase\"}\n", &many] {
        let answer: Value = serde_json::from_str(&tell(&rig, bytes)).unwrap();
        assert_eq!(answer["exit"], 2, "{answer}");
    }
    // Who asks and goes leaves the daemon free for the next one.
    let mut gone = UnixStream::connect(rig.path("store/cdsync.sock")).unwrap();
    gone.write_all(b"{\"request\":\"resync\",").unwrap();
    drop(gone);
    rig.run(VIA).await.expect(0);
    ends(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_does_not_end_the_daemon_and_is_told_once() {
    let rig = Rig::usual(4).await;
    on_request(&rig);
    let daemon = started(&rig);
    let token = FaultRule {
        system: Some(System::Dynamics),
        ..FaultRule::always(Fault::Status { code: 403, body: String::new() })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![token] });
    edit(&rig, "Behind a wall");
    for _ in 0..3 {
        rig.run(VIA).await.expect(3);
    }
    assert_eq!(status(&rig).await["flows"]["ingress"]["state"], "failed");
    rig.sandbox.set_faults(FaultPlan::default());
    rig.run(VIA).await.expect(0);
    assert_eq!(status(&rig).await["flows"]["ingress"]["state"], "idle");
    assert!(rig.differences().is_empty());
    let ended = ends(daemon);
    assert_eq!(ended.events("flow.failing").len(), 1, "{ended:#?}");
    assert_eq!(ended.events("flow.recovered").len(), 1, "{ended:#?}");
}

/// Writes to Campaign take this long.
fn slow_writes(rig: &Rig, ms: u64) {
    let rule = FaultRule {
        system: Some(System::Campaign),
        method: Some("POST".to_owned()),
        ..FaultRule::always(Fault::Slow { ms })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_settles_what_is_under_way_and_takes_nothing_more() {
    let rig = Rig::usual(240).await;
    // One request at a time, and 64 records on their way.
    let text = rig.text(CONTACTS).replace("[campaign]\n", "[campaign]\nmax_in_flight = 1\n");
    fs::write(rig.path("config.toml"), text).unwrap();
    slow_writes(&rig, 30);
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.progress\"");
    let ended = ends(daemon);
    assert_eq!(ended.adds_up().events("daemon.stopped")[0]["settled"], true);
    let finished = &ended.events("flow.finished")[0];
    assert!(finished["pending"].as_u64().unwrap() > 0, "it was over before: {finished}");
    assert_eq!(rig.number("SELECT count(*) FROM outbox WHERE leased IS NOT NULL"), 0);
    rig.sandbox.set_faults(FaultPlan::default());
    rig.run(&["sync"]).await.expect(0);
    rig.assert_equal("after the next pass");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_at_once() {
    let rig = Rig::usual(8).await;
    slow_writes(&rig, 30_000);
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.progress\"");
    daemon.signal("TERM");
    daemon.wait_for("\"daemon.stopping\"");
    daemon.signal("INT");
    let ended = daemon.end();
    assert_eq!(ended.expect(0).events("daemon.stopped")[0]["settled"], false);
    rig.sandbox.set_faults(FaultPlan::default());
    rig.run(&["sync"]).await.expect(0);
    rig.assert_equal("after the next pass");
}
