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

/// Requests to Campaign, without those for tokens.
fn asked(rig: &Rig) -> usize {
    let entries = rig.sandbox.requests().entries();
    entries.iter().filter(|entry| entry.system == System::Campaign).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_a_system_asked_for_outlives_a_reload_but_not_its_address() {
    let rig = Rig::usual(2).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", NEVER);
    fs::write(rig.path("config.toml"), &text).unwrap();
    let throttled = FaultRule {
        system: Some(System::Campaign),
        ..FaultRule::always(Fault::Throttle { retry_after: 7200 })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![throttled] });
    let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
    daemon.wait_for("\"delivery.throttled\"");
    rig.sandbox.set_faults(FaultPlan::default());
    let before = asked(&rig);
    // Other limits make another client.
    let limits = text.replace("requests_per_second = 10000", "requests_per_second = 9000");
    assert_ne!(limits, text);
    for text in [&text, &limits] {
        fs::write(rig.path("config.toml"), text).unwrap();
        daemon.signal("HUP");
        daemon.wait_for("\"config.reloaded\"");
    }
    let status = rig.run(&["status", "--json"]).await.expect(0).json();
    let pause = status["systems"]["campaign"]["live"]["pause_seconds"].as_u64();
    assert!(pause.is_some_and(|pause| pause > 3600), "{status:#}");
    // The pass under way gives up sooner or later; this one does, too.
    rig.run(&["sync", "--via-daemon", "--patience", "2"]).await.expect(4);
    assert_eq!(asked(&rig), before, "nothing is sent before it asked for it");
    let moved = limits.replace("127.0.0.1", "localhost");
    fs::write(rig.path("config.toml"), moved).unwrap();
    daemon.signal("HUP");
    daemon.wait_for("\"config.reloaded\"");
    rig.run(&["sync", "--via-daemon"]).await.expect(0);
    assert!(asked(&rig) > before && rig.differences().is_empty());
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
