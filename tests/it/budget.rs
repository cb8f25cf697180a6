//! The budget of a day: never exceeded, whatever happens, told once, and kept
//! in part for opt-outs.
//!
//! A UTC day may end during a test. What a test sees is judged only when it
//! began and ended on one day; otherwise it is played again.

use std::fs;

use cdsync::sandbox::System;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::egress_world::Post;
use crate::optout_rig::{ago, both_ways, email, in_dynamics};
use crate::rig::{CONTACTS, Rig, Running};
use crate::support::{Run, Setup, World};

fn today() -> i64 {
    crate::sandbox_optouts::now().as_second().div_euclid(86_400)
}

/// What is seen within one UTC day.
fn on_one_day<T>(play: impl Fn() -> T) -> T {
    loop {
        let day = today();
        let seen = play();
        if today() == day {
            return seen;
        }
    }
}

/// These lines in `[campaign]`, in place of those of before.
fn allow(world: &World, lines: &str) {
    let path = world.path("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let kept = text
        .lines()
        .filter(|line| !line.starts_with("requests_per_day") && !line.starts_with("optout_share"));
    let text = kept.collect::<Vec<_>>().join("\n");
    fs::write(path, text.replacen("[campaign]\n", &format!("[campaign]\n{lines}\n"), 1)).unwrap();
}

fn calls(world: &World) -> usize {
    world.asked(System::Campaign).len()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or_else(|| panic!("{value}"))).unwrap()
}

struct Short {
    first: Run,
    calls: usize,
    status: Value,
    second: Run,
    calls_again: usize,
    shown: String,
}

#[test]
fn a_pass_without_a_budget_ends_with_4_says_until_when_and_loses_nothing() {
    let (world, seen) = on_one_day(|| {
        let world = World::new(Setup::default());
        allow(&world, "requests_per_day = 20");
        let first = world.sync();
        let calls_first = calls(&world);
        let status = world.status();
        let second = world.sync();
        let shown = world.run(&["status"]).ends(0).stdout;
        let calls_again = calls(&world);
        (world, Short { first, calls: calls_first, status, second, calls_again, shown })
    });
    let first = seen.first.ends(4);
    assert!((1..=20).contains(&seen.calls), "{} requests of 20", seen.calls);
    let told = first.event("budget.exhausted");
    assert_eq!((&told["system"], &told["closed"]), (&json!("campaign"), &json!("all")), "{told}");
    let until: Timestamp = told["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(until.as_second() % 86_400, 0, "{until}");
    let said = first.event("command.failed")["reason"].to_string();
    assert!(said.contains(&until.to_string()) && said.contains("requests_per_day"), "{said}");
    for name in ["table.failed", "flow.stopped", "record.dead_lettered", "remote.unreachable"] {
        assert!(first.events(name).is_empty(), "{name}: {}", first.stderr);
    }
    assert_eq!(first.event("flow.finished")["outcome"], "incomplete");

    let campaign = &seen.status["systems"]["campaign"];
    assert_eq!(count(&campaign["calls_today"]), seen.calls, "{campaign}");
    assert_eq!((&campaign["requests_per_day"], &campaign["closed"]), (&json!(20), &json!("all")));
    let flow = &seen.status["flows"]["ingress"];
    assert_eq!((&flow["state"], &flow["budget_until"]), (&json!("idle"), &told["until"]));
    assert!(seen.shown.contains("waits for the budget of the day until"), "{}", seen.shown);

    // Asked again it asks nobody.
    seen.second.ends(4);
    assert_eq!(seen.calls_again, seen.calls);
    allow(&world, "requests_per_day = 100000");
    world.equal_after_sync();
    assert!(world.dead_letters().is_empty());
}

#[test]
fn what_is_kept_for_opt_outs_carries_them_when_all_else_waits() {
    let (world, id, run, status) = on_one_day(|| {
        let (world, ids) = both_ways(4);
        let used = world.status()["systems"]["campaign"]["calls_today"].as_u64().unwrap();
        // A tenth, which ordinary requests may use, is used already.
        allow(&world, &format!("requests_per_day = {}\noptout_share = 90", used * 10));
        world.change(ids[0], &json!({ "lastname": "Waits" }));
        in_dynamics(&world, ids[0], true, ago(0));
        let run = world.run(&["sync"]);
        let status = world.status();
        (world, ids[0], run, status)
    });
    let run = run.ends(4);
    assert_eq!(email(&world, id), (true, true), "{}", run.stderr);
    assert_ne!(world.profile(id)["lastName"], "Waits");
    assert_eq!(run.event("budget.exhausted")["closed"], "ordinary");
    assert_eq!(status["systems"]["campaign"]["closed"], "ordinary", "{status:#}");
    assert!(status["flows"]["ingress"]["budget_until"].is_string(), "{status:#}");
    assert_eq!(status["flows"]["optout"]["budget_until"], Value::Null, "{status:#}");
    allow(&world, "");
    world.run(&["sync"]).ends(0);
    assert_eq!(world.profile(id)["lastName"], "Waits");
}

#[test]
fn however_often_it_dies_the_budget_is_not_exceeded() {
    let (calls, last) = on_one_day(|| {
        let world = World::new(Setup::default());
        allow(&world, "requests_per_day = 40");
        for request in 5..17 {
            let mut command = world.command(&["sync", "ingress"]);
            command.env("CDSYNC_CRASH", format!("request:{request}"));
            command.output().unwrap();
        }
        let last = world.sync();
        (calls(&world), last)
    });
    last.ends(4);
    assert!(calls <= 40, "{calls} requests of 40");
    // Little was given away to the crashes.
    assert!(calls >= 15, "{calls} requests of 40");
}

#[test]
fn requests_are_counted_without_a_budget_and_those_of_a_batch_one_by_one() {
    let (status, log) = on_one_day(|| {
        let post = Post::new(4, "");
        post.world.synced();
        post.tell(0, 6, &post.world.contacts());
        post.synced();
        let sent = post.world.asked(System::Dynamics).len() - post.batches();
        (post.world.status(), (sent, post.batches()))
    });
    let (single, batches) = log;
    let today = count(&status["systems"]["dynamics"]["calls_today"]);
    assert!(batches > 0 && today >= single + 6, "{today} counted, {single} and {batches} batches");
    assert_eq!(status["systems"]["dynamics"]["requests_per_day"], Value::Null);
    assert_eq!(status["systems"]["dynamics"]["live"], Value::Null, "no daemon runs");
    assert!(count(&status["systems"]["journal"]["calls_today"]) > 0);
}

/// A configuration with a budget, a pass each second, and these contacts.
fn with_budget(rig: &Rig, requests: u32) {
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "* * * * * *");
    let lines = format!("[campaign]\nrequests_per_day = {requests}\n");
    fs::write(rig.path("config.toml"), text.replacen("[campaign]\n", &lines, 1)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_without_a_budget_says_so_once_and_goes_on_with_another_one() {
    loop {
        let day = today();
        let rig = Rig::usual(8).await;
        // Less than the first load takes.
        with_budget(&rig, 8);
        let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
        daemon.wait_for("\"budget.exhausted\"");
        daemon.wait_for("\"flow.finished\"");
        let status = rig.run(&["status", "--json"]).await.expect(0).json();
        let asked = [
            rig.run(&["--log-format", "json", "sync", "--via-daemon"]).await,
            rig.run(&["--log-format", "json", "sync", "--via-daemon"]).await,
        ];
        if today() != day {
            continue;
        }
        for ended in asked {
            assert!(ended.expect(4).err.contains("it goes on at"), "{ended:#?}");
        }
        let campaign = &status["systems"]["campaign"];
        assert_eq!(
            (&campaign["closed"], &campaign["requests_per_day"]),
            (&json!("all"), &json!(8))
        );
        assert!(campaign["live"]["calls"].as_u64().unwrap() <= 8, "{campaign}");
        assert!(status["flows"]["ingress"]["budget_until"].is_string(), "{status:#}");
        with_budget(&rig, 100_000);
        daemon.signal("HUP");
        let told = daemon.wait_for("\"budget.available\"");
        // Twice asked for, and not once by the schedule.
        assert!(told.contains("campaign"), "{told}");
        daemon.wait_for("\"flow.finished\"");
        rig.run(&["--log-format", "json", "sync", "--via-daemon"]).await.expect(0);
        assert!(rig.differences().is_empty());
        daemon.signal("TERM");
        let ended = daemon.end();
        ended.expect(0);
        assert!(ended.events("budget.exhausted").is_empty(), "{ended:#?}");
        assert!(ended.events("flow.failing").is_empty(), "{ended:#?}");
        return;
    }
}

#[test]
fn a_budget_smaller_than_a_batch_is_used_by_smaller_batches() {
    let (made, checked) = on_one_day(|| {
        let post = Post::new(4, "");
        post.world.synced();
        post.tell(0, 60, &post.world.contacts());
        let used = post.world.status()["systems"]["dynamics"]["calls_today"].as_u64().unwrap();
        let path = post.world.path("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        // The metadata of the tables take some, too.
        let budget = format!("[dynamics]\nrequests_per_day = {}\n", used + 40);
        fs::write(&path, text.replacen("[dynamics]\n", &budget, 1)).unwrap();
        let checked = post.world.run(&["check", "--offline", "--json"]);
        post.sync().ends(4);
        (post.activities().len(), checked.ends(0).stdout)
    });
    assert!((1..60).contains(&made), "{made} activities of 60");
    let checked: Value = serde_json::from_str(&checked).unwrap();
    let warnings = checked["warnings"].as_array().unwrap();
    let warns = |it: &Value| it["where"] == "dynamics.requests_per_day";
    assert!(warnings.iter().any(warns), "{checked:#}");
}
