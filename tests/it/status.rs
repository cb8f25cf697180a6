//! What `status` tells of what waits, of systems and of cursors, and how
//! `--watch` shows it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use cdsync::sandbox::{Fault, FaultRule, System};
use serde_json::{Value, json};

use crate::optout_rig::{ago, both_ways, in_campaign, in_dynamics, passed};
use crate::rig::{Rig, Running};
use crate::support::{Setup, World, on_writes, status};

/// What waits of a flow's table in a direction.
fn lag(status: &Value, flow: &str, table: &str, direction: &str) -> Value {
    let lags = status["lags"].as_array().unwrap();
    let of = |lag: &&Value| {
        (&lag["flow"], &lag["table"], &lag["direction"])
            == (&json!(flow), &json!(table), &json!(direction))
    };
    lags.iter().find(of).unwrap_or_else(|| panic!("{flow} {table} {direction}: {status:#}")).clone()
}

#[test]
fn what_waits_is_told_by_table_and_direction_with_its_age() {
    let world = World::new(Setup::default());
    let before = world.status();
    let none = lag(&before, "ingress", "contact", "dynamics-to-campaign");
    assert_eq!((&none["lag_seconds"], &none["oldest"]), (&Value::Null, &Value::Null));
    assert_eq!(before["flows"]["ingress"]["lag_seconds"], 0);
    world.play(on_writes("POST", status(503)));
    world.sync_for("2").ends(4);
    let waits = world.status();
    let some = lag(&waits, "ingress", "contact", "dynamics-to-campaign");
    assert_eq!((&some["backlog"], some["lag_seconds"].is_u64()), (&json!(24), true), "{some}");
    some["oldest"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(waits["flows"]["ingress"]["oldest"], some["oldest"]);
    assert_eq!(waits["flows"]["ingress"]["state"], "failed");
    world.calm();
    world.equal_after_sync();
    assert_eq!(lag(&world.status(), "ingress", "contact", "dynamics-to-campaign"), none);
}

#[test]
fn an_opt_out_waits_in_the_direction_in_which_it_is_to_go() {
    let (world, ids) = both_ways(4);
    in_dynamics(&world, ids[0], true, ago(30));
    in_campaign(&world, ids[1], true, Some(ago(30)));
    in_campaign(&world, ids[2], true, Some(ago(30)));
    let broken = |system, method: &str| FaultRule {
        system: Some(system),
        method: Some(method.to_owned()),
        ..FaultRule::always(Fault::Status { code: 403, body: String::new() })
    };
    let rules = vec![broken(System::Campaign, "PATCH"), broken(System::Dynamics, "PATCH")];
    world.sandbox.set_faults(cdsync::sandbox::FaultPlan { seed: 1, rules });
    passed(&world).ends(3);
    let waits = world.status();
    assert_eq!(lag(&waits, "optout", "contact", "dynamics-to-campaign")["backlog"], 1, "{waits:#}");
    assert_eq!(lag(&waits, "optout", "contact", "campaign-to-dynamics")["backlog"], 2, "{waits:#}");
    assert_eq!(waits["flows"]["optout"]["backlog"], 3);
    world.calm();
    passed(&world).ends(0);
    let none = world.status();
    assert_eq!(lag(&none, "optout", "contact", "campaign-to-dynamics")["lag_seconds"], Value::Null);
}

/// A child whose stdout is read line by line.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let reader = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                // Nobody listens once the test is over.
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_mins(1)).unwrap()
    }

    /// Sends a signal, and gives the exit code.
    fn ends(&mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_prints_an_object_a_line_beside_a_daemon_and_without_until_a_signal() {
    let rig = Rig::usual(4).await;
    let mut watching = Watching::start(rig.command(&["status", "--watch", "--json"]));
    for _ in 0..2 {
        let alone: Value = serde_json::from_str(&watching.line()).unwrap();
        assert_eq!(alone["daemon"], false, "{alone}");
    }
    assert_eq!(watching.ends("INT"), Some(0));

    let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
    daemon.wait_for("\"flow.finished\"");
    let mut watching = Watching::start(rig.command(&["status", "--watch", "--json"]));
    for _ in 0..2 {
        let beside: Value = serde_json::from_str(&watching.line()).unwrap();
        assert_eq!(beside["daemon"], true, "{beside}");
        let live = &beside["systems"]["dynamics"]["live"];
        assert!(live["calls"].as_u64().unwrap() > 0, "{beside}");
        assert_eq!(live["window_seconds"], 300);
    }
    assert_eq!(watching.ends("TERM"), Some(0));
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_on_a_pipe_prints_anew_after_an_empty_line_and_no_escapes() {
    let rig = Rig::usual(4).await;
    rig.run(&["sync"]).await.expect(0);
    let once = rig.run(&["status"]).await.expect(0).out.clone();
    let mut watching = Watching::start(rig.command(&["status", "--watch"]));
    let length = once.lines().count();
    let first: Vec<String> = (0..length).map(|_| watching.line()).collect();
    assert_eq!(watching.line(), "");
    assert_eq!(watching.line(), first[0]);
    assert_eq!(watching.ends("INT"), Some(0));
    assert!(first[0].starts_with("flow"), "{first:#?}");
    assert!(!first.concat().contains('\u{1b}'), "{first:#?}");
    assert!(once.lines().all(|line| line.chars().count() <= 80), "{once}");
}
