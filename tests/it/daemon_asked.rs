//! What a person asks for reaches a daemon whose schedule is far away, and
//! outlives it.

use std::fs;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};
use serde_json::{Value, json};

use crate::optout_rig::{BULK, REST, ago, begun, email, in_campaign, in_dynamics};
use crate::rig::{CONTACTS, Rig, Running};

const RUN: &[&str] = &["--log-format", "json", "run"];
const VIA: &[&str] = &["--log-format", "json", "sync", "--via-daemon"];

/// A daemon that does nothing by itself after its first pass.
async fn idle(tables: &str) -> (Rig, Running) {
    let rig = Rig::usual(8).await;
    let text = rig.text(tables).replace("*/15 * * * * *", "0 0 0 1 1 *");
    fs::write(rig.path("config.toml"), text).unwrap();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    (rig, daemon)
}

fn ends(daemon: Running) {
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_a_pass_is_told_what_it_came_to() {
    let guard = "apply_deletes = true\ndelete_guard = { rows = 1 }";
    let (rig, daemon) = idle(&CONTACTS.replace("apply_deletes = true", guard)).await;
    let ids = rig.sandbox.dynamics().ids("contact");
    for id in &ids[..2] {
        assert!(rig.sandbox.dynamics().delete("contact", *id));
    }
    rig.sandbox.dynamics().update("contact", ids[3], &json!({ "lastname": "New" })).unwrap();
    let timeless = |mut line: Value| {
        line.as_object_mut().unwrap().remove("timestamp").unwrap();
        line
    };
    for written in [1, 0] {
        let asked = rig.run(VIA).await;
        let finished = asked.expect(1).events("flow.finished");
        assert_eq!((finished.len(), &finished[0]["written"]), (1, &json!(written)), "{asked:#?}");
        assert_eq!(asked.events("deletes.held")[0]["held"], 2, "each who asks is told");
        let daemons = serde_json::from_str(&daemon.wait_for("\"flow.finished\"")).unwrap();
        assert_eq!(timeless(finished[0].clone()), timeless(daemons), "the line of the pass itself");
    }
    // As `sync` does without a daemon.
    ends(daemon);
    let alone = rig.run(&["--log-format", "json", "sync"]).await;
    let events: Vec<Value> = alone.expect(1).events("deletes.held");
    assert_eq!(events[0]["held"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_begins_at_once_and_outlives_the_daemon() {
    let (rig, daemon) = idle(CONTACTS).await;
    let ids = rig.sandbox.dynamics().ids("contact");
    let name = |at: usize, name: &str| {
        rig.sandbox.dynamics().update("contact", ids[at], &json!({ "lastname": name })).unwrap();
    };
    name(0, "First");
    name(1, "Second");
    let invalid = FaultRule {
        system: Some(System::Campaign),
        method: Some("PATCH".to_owned()),
        ..FaultRule::always(Fault::Status { code: 500, body: "RST-360012 not valid".to_owned() })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![invalid] });
    rig.run(VIA).await.expect(1);
    rig.sandbox.set_faults(FaultPlan::default());
    let letters = rig.run(&["dead-letters", "list", "--json"]).await.expect(0).json();
    assert_eq!(letters.as_array().unwrap().len(), 2, "{letters}");
    let id = |at: usize| {
        let of = |letter: &&Value| letter["record"] == ids[at].to_string();
        letters.as_array().unwrap().iter().find(of).unwrap()["id"].to_string()
    };
    rig.run(&["dead-letters", "retry", &id(0)]).await.expect(0);
    daemon.wait_for("\"flow.finished\"");
    daemon.wait_for("\"flow.finished\"");
    let left = rig.run(&["dead-letters", "list", "--json"]).await.expect(0).json();
    assert_eq!(left.as_array().unwrap().len(), 1, "{left}");

    // Asked for while a pass may not begin, and the daemon dies before it does.
    rig.run(&["pause", "ingress"]).await.expect(0);
    rig.run(&["dead-letters", "retry", &id(1)]).await.expect(0);
    daemon.signal("KILL");
    daemon.end();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"daemon.started\"");
    rig.run(&["resume", "ingress"]).await.expect(0);
    daemon.wait_for("\"flow.finished\"");
    ends(daemon);
    rig.assert_equal("after both retries");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_of_deletions_is_carried_out_at_once_and_outlives_the_daemon() {
    let tables = CONTACTS
        .replace("apply_deletes = true", "apply_deletes = true\ndelete_guard = { rows = 1 }");
    let (rig, daemon) = idle(&tables).await;
    let ids = rig.sandbox.dynamics().ids("contact");
    let gone = |range: std::ops::Range<usize>| {
        ids[range].iter().for_each(|id| assert!(rig.sandbox.dynamics().delete("contact", *id)));
    };
    gone(0..2);
    rig.run(VIA).await.expect(1);
    assert_eq!(rig.differences().len(), 2);
    rig.run(&["approve-deletes", "contact"]).await.expect(0);
    daemon.wait_for("\"deletes.released\"");
    daemon.wait_for("\"flow.finished\"");
    assert!(rig.differences().is_empty());

    gone(2..4);
    rig.run(VIA).await.expect(1);
    rig.run(&["pause", "ingress"]).await.expect(0);
    rig.run(&["approve-deletes", "contact"]).await.expect(0);
    daemon.signal("KILL");
    daemon.end();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"daemon.started\"");
    rig.run(&["resume", "ingress"]).await.expect(0);
    daemon.wait_for("\"deletes.released\"");
    daemon.wait_for("\"flow.finished\"");
    ends(daemon);
    rig.assert_equal("after both approvals");
}

#[test]
fn an_approval_of_liftings_is_carried_out_at_once() {
    let far = "schedule = \"0 0 0 1 1 *\"\nclearing_guard = { rows = 51, percent = 100 }";
    let (world, ids) = begun("bidirectional", &format!("{REST}{BULK}\n{far}"), 53);
    for id in &ids {
        in_dynamics(&world, *id, true, ago(900));
        in_campaign(&world, *id, false, Some(ago(600)));
    }
    let daemon = Running::start(world.command(&["run"]));
    daemon.wait_for("\"optouts.held\"");
    assert!(ids.iter().all(|id| email(&world, *id) == (true, false)), "none is lifted");
    world.run(&["approve-optouts"]).ends(0);
    daemon.wait_for("\"optouts.released\"");
    // The pass in which they are lifted, whatever other flow ends beside it.
    while !daemon.wait_for("\"flow.finished\"").contains("\"flow\":\"optout\"") {}
    assert!(ids.iter().all(|id| email(&world, *id) == (false, false)));
    ends(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_is_running_idle_paused_failed_or_stopped() {
    let (rig, daemon) = idle(CONTACTS).await;
    let state = async || {
        let status = rig.run(&["status", "--json"]).await.expect(0).json();
        assert_eq!(status["flows"]["egress"]["state"], "stopped", "not configured");
        status["flows"]["ingress"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state().await, "idle");
    // A pass that is in the middle of something until it is let go.
    let (reached, is_reached) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    rig.sandbox.before((System::Dynamics, "GET", "WhoAmI"), 0, move || {
        reached.send(()).unwrap();
        // Nobody lets go once the test has failed.
        let _ = may_go.recv();
    });
    let mut asked = rig.command(VIA);
    let asked = std::thread::spawn(move || asked.output().unwrap());
    is_reached.recv().unwrap();
    let running = state().await;
    go.send(()).unwrap();
    assert!(asked.join().unwrap().status.success());
    assert_eq!(running, "running");
    rig.run(&["pause", "ingress"]).await.expect(0);
    assert_eq!(state().await, "paused");
    rig.run(&["resume", "ingress"]).await.expect(0);
    daemon.wait_for("\"flow.finished\"");
    daemon.wait_for("\"flow.finished\"");
    let refused = FaultRule {
        system: Some(System::Dynamics),
        ..FaultRule::always(Fault::Status { code: 403, body: String::new() })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![refused] });
    rig.run(VIA).await.expect(3);
    assert_eq!(state().await, "failed");
    ends(daemon);
}
