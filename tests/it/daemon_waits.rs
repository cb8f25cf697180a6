//! When a daemon waits: after passes that did nothing, and because a system asked
//! for it.

use std::fs;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};
use rusqlite::Connection;

use crate::egress_world::Post;
use crate::optout_rig::both_ways;
use crate::rig::{CONTACTS, Rig, Running};
use crate::support::{World, status};

const NEVER: &str = "0 0 0 1 1 *";

/// The configuration with a schedule of this flow that is due each second, and
/// others that never are.
fn schedule(world: &World, flow: &str) {
    let text = fs::read_to_string(world.path("config.toml")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("schedule"));
    let lines = lines.map(|line| match line {
        "[ingress]" | "[egress]" | "[optout]" => {
            let due = if line.contains(flow) { "* * * * * *" } else { NEVER };
            format!("{line}\nschedule = \"{due}\"")
        }
        other => other.to_owned(),
    });
    fs::write(world.path("config.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
}

/// While requests like this are answered with 404, the passes of the flow count
/// as failed, and are left alone for longer and longer.
#[track_caller]
fn waits(world: &World, flow: &str, system: System, path: &str) {
    schedule(world, flow);
    let daemon = Running::start(world.command(&["run"]));
    daemon.wait_for("\"flow.finished\"");
    world.play(FaultRule {
        system: Some(system),
        method: Some("GET".to_owned()),
        path: Some(path.to_owned()),
        ..FaultRule::always(status(404))
    });
    let failing = daemon.wait_for("\"flow.failing\"");
    assert!(failing.contains(&format!("\"flow\":\"{flow}\"")), "{failing}");
    assert!(failing.contains("every table or source failed"), "{failing}");
    assert_eq!(world.status()["flows"][flow]["state"], "failed");
    world.calm();
    daemon.wait_for("\"flow.recovered\"");
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[test]
fn a_journal_that_is_not_there_makes_egress_wait() {
    let post = Post::new(2, "");
    post.world.run(&["sync"]).ends(0);
    waits(&post.world, "egress", System::Journal, "");
}

#[test]
fn a_filter_that_is_not_there_makes_optout_wait() {
    let (world, _) = both_ways(2);
    waits(&world, "optout", System::Campaign, "byModifiedSince");
}

/// Requests to a system, without those for tokens.
fn asked(rig: &Rig, system: System) -> usize {
    let entries = rig.sandbox.requests().entries();
    entries.iter().filter(|entry| entry.system == system).count()
}

/// From now on, the system asks to be left alone for two hours.
fn throttle(rig: &Rig, system: System) {
    let throttled = FaultRule {
        system: Some(system),
        ..FaultRule::always(Fault::Throttle { retry_after: 7200 })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![throttled] });
}

fn reload(rig: &Rig, daemon: &Running, text: &str) {
    fs::write(rig.path("config.toml"), text).unwrap();
    daemon.signal("HUP");
    daemon.wait_for("\"config.reloaded\"");
}

/// For how long the daemon leaves both systems alone, in seconds.
async fn pauses(rig: &Rig) -> [Option<u64>; 2] {
    let status = rig.run(&["status", "--json"]).await.expect(0).json();
    ["dynamics", "campaign"]
        .map(|system| status["systems"][system]["live"]["pause_seconds"].as_u64())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_a_system_asked_for_outlives_a_reload_but_not_its_address() {
    let rig = Rig::usual(2).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", NEVER);
    fs::write(rig.path("config.toml"), &text).unwrap();
    throttle(&rig, System::Campaign);
    let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
    daemon.wait_for("\"delivery.throttled\"");
    // Ends the pass under way; who asks for one has it all the same.
    rig.run(&["pause", "ingress"]).await.expect(0);
    rig.sandbox.set_faults(FaultPlan::default());
    let before = asked(&rig, System::Campaign);
    // Other limits make another client.
    let limits = text.replace("requests_per_second = 10000", "requests_per_second = 9000");
    assert_ne!(limits, text);
    for text in [&text, &limits] {
        reload(&rig, &daemon, text);
    }
    let [_, pause] = pauses(&rig).await;
    assert!(pause.is_some_and(|pause| pause > 3600), "{pause:?}");
    rig.run(&["sync", "--via-daemon", "--patience", "2"]).await.expect(4);
    let now = asked(&rig, System::Campaign);
    assert_eq!(now, before, "nothing is sent before it asked for it");
    let moved = limits.replace("127.0.0.1", "localhost");
    reload(&rig, &daemon, &moved);
    rig.run(&["sync", "--via-daemon"]).await.expect(0);
    assert!(asked(&rig, System::Campaign) > before && rig.differences().is_empty());
    daemon.signal("TERM");
    daemon.end().expect(0);
}

/// The configuration with one of the systems under another name of the same place.
fn moved(text: &str, system: &str) -> String {
    let (before, section) = text.split_once(&format!("[{system}]\nurl = ")).unwrap();
    format!("{before}[{system}]\nurl = {}", section.replacen("127.0.0.1", "localhost", 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_address_of_one_system_frees_it_alone_and_the_old_one_is_not_forgotten() {
    let rig = Rig::usual(2).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", NEVER);
    fs::write(rig.path("config.toml"), &text).unwrap();
    let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
    daemon.wait_for("\"flow.finished\"");
    rig.run(&["pause", "ingress"]).await.expect(0);
    let id = rig.sandbox.dynamics().ids("contact")[0];
    let change = serde_json::json!({ "lastname": "Waits" });
    rig.sandbox.dynamics().update("contact", id, &change).unwrap();
    let ask = ["sync", "--via-daemon", "--patience", "2"];
    for system in [System::Campaign, System::Dynamics] {
        throttle(&rig, system);
        rig.run(&ask).await.expect(4);
    }
    rig.sandbox.set_faults(FaultPlan::default());
    let counts = || [System::Dynamics, System::Campaign].map(|system| asked(&rig, system));
    let in_the_window = |pause: Option<u64>| pause.is_some_and(|pause| pause > 3600);
    let before = counts();
    let (dynamics, campaign) = (moved(&text, "dynamics"), moved(&text, "campaign"));
    // Which of them is free then, and how a pass ends: nobody in the tenant knows that
    // other address of Dynamics, so its own is put back.
    for (text, free, code) in
        [(&dynamics, [true, false], 3), (&text, [false; 2], 4), (&campaign, [false, true], 4)]
    {
        reload(&rig, &daemon, text);
        assert_eq!(pauses(&rig).await.map(in_the_window), free.map(|free| !free), "{text}");
        rig.run(&ask).await.expect(code);
        assert_eq!(counts(), before, "{text}");
    }
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_program_gets_into_the_store_of_a_daemon() {
    let rig = Rig::usual(2).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", NEVER);
    fs::write(rig.path("config.toml"), &text).unwrap();
    // A store that is new, and one that was there.
    for _ in 0..2 {
        let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
        daemon.wait_for("\"flow.finished\"");
        let other = Connection::open(rig.store()).unwrap();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        let read = other.query_row("SELECT count(*) FROM outbox", [], |row| row.get::<_, i64>(0));
        let error = read.unwrap_err().sqlite_error_code();
        assert_eq!(error, Some(rusqlite::ErrorCode::DatabaseBusy));
        drop(other);
        daemon.signal("TERM");
        daemon.end().expect(0);
    }
}
