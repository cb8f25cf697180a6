//! What a daemon says while nothing changes: of a day without work, and of a
//! day without a remote.

use std::fs;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};
use serde_json::{Value, json};

use crate::rig::{CONTACTS, Rig, Running};

const RUN: &[&str] = &["--log-format", "json", "--log-level", "debug", "run"];

/// A daemon that runs its passes only when it is woken, and says little of those
/// that find nothing to do.
fn started(rig: &Rig) -> Running {
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "0 0 0 1 1 *");
    let text = format!("{text}\n[daemon]\nidle_passes = \"quiet\"\n");
    fs::write(rig.path("config.toml"), text).unwrap();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    daemon
}

/// Passes that nobody waits for, as by the schedule; the level at which each was
/// told of.
async fn passes(rig: &Rig, daemon: &Running, number: usize) -> Vec<String> {
    let mut levels = Vec::new();
    for _ in 0..number {
        rig.run(&["resume", "ingress"]).await.expect(0);
        let line: Value = serde_json::from_str(&daemon.wait_for("\"flow.finished\"")).unwrap();
        levels.push(line["level"].as_str().unwrap().to_owned());
    }
    levels
}

/// The lines that are told without `--log-level debug`, of these events.
fn told(lines: &[Value], event: &str) -> usize {
    lines.iter().filter(|line| line["event"] == event && line["level"] != "DEBUG").count()
}

fn end(daemon: Running) -> Vec<Value> {
    daemon.signal("TERM");
    let ended = daemon.finish();
    ended.expect(0);
    ended.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_pass_is_told_at_debug_and_one_that_does_something_at_info() {
    let rig = Rig::usual(4).await;
    let daemon = started(&rig);
    // The first three show that all has settled.
    let settled = ["INFO", "INFO", "INFO", "DEBUG", "DEBUG"];
    assert_eq!(passes(&rig, &daemon, 5).await, settled);
    let id = rig.sandbox.dynamics().ids("contact")[0];
    rig.sandbox.dynamics().update("contact", id, &json!({ "lastname": "New" })).unwrap();
    assert_eq!(passes(&rig, &daemon, 1).await, ["INFO"]);
    assert_eq!(passes(&rig, &daemon, 5).await, settled);
    // One that was asked for.
    rig.run(&["sync", "--via-daemon"]).await.expect(0);
    let lines = end(daemon);
    assert_eq!(told(&lines, "flow.finished"), 1 + 3 + 1 + 3 + 1);
    assert_eq!(told(&lines, "flow.started"), 2, "the first, and the one that was asked for");
}

/// Passes of a daemon that cannot work, until it can again; what it said.
async fn outage(faults: Vec<FaultRule>, number: usize) -> Vec<Value> {
    let rig = Rig::usual(4).await;
    let daemon = started(&rig);
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: faults });
    let levels = passes(&rig, &daemon, number).await;
    assert_eq!(levels[0], "INFO", "the first that failed");
    assert_eq!(levels[1..], vec!["DEBUG"; number - 1], "the others");
    rig.sandbox.set_faults(FaultPlan::default());
    assert_eq!(passes(&rig, &daemon, 1).await, ["INFO"]);
    let lines = end(daemon);
    assert_eq!(told(&lines, "flow.failing"), 1, "{lines:#?}");
    let recovered: Vec<&Value> =
        lines.iter().filter(|line| line["event"] == "flow.recovered").collect();
    assert_eq!(recovered.len(), 1, "{lines:#?}");
    assert_eq!(recovered[0]["failed"], number);
    assert!(recovered[0]["failing_ms"].is_u64());
    let between = between(&lines);
    assert!(between.is_empty(), "{between:#?}");
    lines
}

/// What is told, without `--log-level debug`, from the line that says that passes
/// fail to the end of the last one that did.
fn between(lines: &[Value]) -> Vec<&Value> {
    let begins = lines.iter().position(|line| line["event"] == "flow.failing").unwrap();
    let quiet = |line: &Value| line["event"] == "flow.finished" && line["level"] == "DEBUG";
    let ends = lines.iter().rposition(quiet).unwrap();
    lines[begins + 1..ends].iter().filter(|line| line["level"] != "DEBUG").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_refusal_is_told_when_it_begins_and_when_it_ends() {
    let refused = Fault::Status { code: 403, body: String::new() };
    let rule = FaultRule { system: Some(System::Dynamics), ..FaultRule::always(refused) };
    outage(vec![rule], 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_that_take_long_to_fail_say_nothing_of_how_far_they_are() {
    // Longer than the time after which a pass tells of itself.
    let slow =
        FaultRule { system: Some(System::Dynamics), ..FaultRule::always(Fault::Slow { ms: 4000 }) };
    let refused = Fault::Status { code: 403, body: String::new() };
    let rule = FaultRule { system: Some(System::Dynamics), ..FaultRule::always(refused) };
    let lines = outage(vec![slow, rule], 3).await;
    assert_eq!(told(&lines, "flow.progress"), 0, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_answers_of_something_else_is_told_as_an_outage() {
    let rule = FaultRule { system: Some(System::Dynamics), ..FaultRule::always(Fault::Foreign) };
    let lines = outage(vec![rule], 3).await;
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let failed = of("flow.finished").into_iter().filter(|line| line["outcome"] == "failed");
    assert_eq!(failed.count(), 3, "{lines:#?}");
    let reason = of("flow.failing")[0]["reason"].as_str().unwrap();
    assert!(reason.contains("every table or source failed"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_cannot_be_read_for_a_day_is_told_of_once() {
    // A server error of this kind is not repeated.
    let gone = Fault::Status { code: 403, body: String::new() };
    let rule = FaultRule { path: Some("EntityDefinitions".to_owned()), ..FaultRule::always(gone) };
    let lines = outage(vec![rule], 12).await;
    assert_eq!(told(&lines, "table.failed"), 1, "{lines:#?}");
    let all = lines.iter().filter(|line| line["event"] == "table.failed").count();
    assert_eq!(all, 12, "each pass says so at debug");
}
