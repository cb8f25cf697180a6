//! Each call to the operating system that touches the store fails in its turn:
//! the program stops with a clear word, and the next start makes all good.
//!
//! `cargo test` takes some of the calls; `CDSYNC_STRESS_IO=1` takes all, and
//! `=3` each third (docs/reliability.md).

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};

use crate::preload::library;
use crate::rig::Ended;
use crate::stress_world::{Everything, PASS, asked_for, report};

/// Contacts, so that a pass has several pages and batches and is short.
const CONTACTS: usize = 4;

/// Calls that `cargo test` lets fail in each of the ways.
const SOME: u64 = 5;

/// How a call fails.
#[derive(Clone, Copy, Debug)]
struct Way {
    error: &'static str,
    /// All later calls fail too.
    lasting: bool,
}

const WAYS: [Way; 5] = [
    Way { error: "EIO", lasting: false },
    Way { error: "EIO", lasting: true },
    Way { error: "ENOSPC", lasting: false },
    Way { error: "ENOSPC", lasting: true },
    Way { error: "SHORT", lasting: false },
];

/// What a pass met.
struct Met {
    ended: Ended,
    /// Calls that were counted.
    calls: u64,
    /// Which one failed.
    failed: Option<String>,
}

/// One pass whose `at`-th call fails; none where it is 0.
async fn pass(world: &Everything, at: u64, way: Way) -> Met {
    let report = world.rig.path("report");
    let _ = fs::remove_file(&report);
    let mut command = world.rig.command(PASS);
    command
        .env("LD_PRELOAD", library("anomaly"))
        .env("ANOMALY_DIR", world.directory())
        .env("ANOMALY_AT", at.to_string())
        .env("ANOMALY_ERROR", way.error)
        .env("ANOMALY_LASTING", if way.lasting { "1" } else { "0" })
        .env("ANOMALY_REPORT", &report);
    let ended = crate::rig::finish(command).await;
    let mut met = Met { ended, calls: 0, failed: None };
    for line in fs::read_to_string(&report).unwrap_or_default().lines() {
        match line.split_once(' ') {
            Some(("calls", number)) => met.calls = number.parse().unwrap(),
            Some((name, number)) => met.failed = Some(format!("{name}, call {number}")),
            None => panic!("{line}"),
        }
    }
    met
}

/// Fails unless the program ended as the contract says: all done, or 5 with a
/// word about the store.
#[track_caller]
fn in_order(met: &Met, when: &str) {
    let ended = &met.ended;
    assert!(matches!(ended.code, Some(0 | 5)), "{when}: {ended:#?}");
    assert!(!ended.err.contains("panicked"), "{when}: {ended:#?}");
    if ended.code == Some(5) {
        let failed = ended.events("command.failed");
        assert_eq!(failed.len(), 1, "{when}: {ended:#?}");
        let reason = failed[0]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("store"), "{when}: {reason}");
    }
}

/// What came of the whole way through.
#[derive(Default)]
struct Sum {
    passes: u64,
    stops: u64,
    by_call: BTreeMap<String, u64>,
}

/// A first load and a pass with changes, each with its `at`-th call failing.
/// Whether either was long enough for that.
async fn failing_at(at: u64, way: Way, sum: &mut Sum) -> bool {
    let world = Everything::start(CONTACTS).await;
    let mut hit = false;
    for round in 0..2 {
        world.people_act(round);
        let met = pass(&world, at, way).await;
        let when = format!("{way:?}, round {round}, {:?}", met.failed);
        in_order(&met, &when);
        if let Some(failed) = &met.failed {
            hit = true;
            let name = failed.split(',').next().unwrap_or_default().to_owned();
            *sum.by_call.entry(name).or_default() += 1;
        } else {
            assert_eq!(met.ended.code, Some(0), "{at}: {when}: {:#?}", met.ended);
        }
        sum.passes += 1;
        sum.stops += u64::from(met.ended.code == Some(5));
        let plain = world.pass().await;
        world.is_whole(&format!("call {at}: {when}, then: {:#?}", met.ended.err), &plain);
    }
    hit
}

/// How many calls a first load makes that fail this way.
async fn calls(way: Way) -> u64 {
    let world = Everything::start(CONTACTS).await;
    world.people_act(0);
    let met = pass(&world, 0, way).await;
    world.is_whole("nothing fails", &met.ended);
    assert!(met.calls > 50, "{way:?}: {} calls: the library does not work", met.calls);
    met.calls
}

async fn sweep(way: Way) {
    let mut sum = Sum::default();
    if let Some(step) = asked_for("CDSYNC_STRESS_IO") {
        let mut at = 1;
        while failing_at(at, way, &mut sum).await {
            at += step;
        }
        report(&format!(
            "{way:?}: up to call {at}: {} passes, {} stops, {:?}",
            sum.passes, sum.stops, sum.by_call
        ));
        return;
    }
    let all = calls(way).await;
    for part in 0..SOME {
        // The first calls open the store, which is another path each time.
        let at = if part < 2 { part * 4 + 3 } else { all * part / SOME };
        assert!(failing_at(at, way, &mut sum).await, "{way:?}: call {at} of {all}");
    }
    // Of a short write SQLite writes the rest.
    let noticed = sum.stops > 0 || way.error == "SHORT";
    assert!(noticed, "{way:?}: nothing was ever noticed: {:?}", sum.by_call);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_fails_once_stops_the_program_in_order_and_loses_nothing() {
    sweep(WAYS[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_fail_from_then_on_stop_it_in_order_and_lose_nothing() {
    sweep(WAYS[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_for_one_call_loses_nothing() {
    sweep(WAYS[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_from_then_on_loses_nothing() {
    sweep(WAYS[3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_cut_short_loses_nothing() {
    sweep(WAYS[4]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_room_for_the_recovery_from_a_kill_and_refused_tokens_at_once_lose_nothing() {
    let mut stops = 0;
    for part in 0..SOME {
        let world = Everything::start(CONTACTS).await;
        world.people_act(0);
        let killed = world.rig.run_crashing(PASS, &format!("answered:{}", 26 + 3 * part)).await;
        assert!(killed.crashed(), "{part}: {killed:#?}");
        let system = Some(System::Dynamics);
        let refused =
            FaultRule { system, times: Some(1), ..FaultRule::always(Fault::ExpiredToken) };
        world.rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![refused] });
        let met = pass(&world, 20 + 25 * part, WAYS[2]).await;
        let when = format!("{part}: {:?}", met.failed);
        in_order(&met, &when);
        assert!(met.failed.is_some(), "{when}: {:#?}", met.ended);
        stops += u64::from(met.ended.code == Some(5));
        let plain = world.pass().await;
        let faults = world.rig.sandbox.requests().faults();
        assert_eq!(faults.get("expired_token"), Some(&1), "{when}");
        world.is_whole(&when, &plain);
    }
    assert!(stops > 0, "nothing was ever noticed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_slow_at_each_sync_costs_time_and_nothing_else() {
    const SYNC_MS: u64 = 60;
    let world = Everything::start(CONTACTS).await;
    for round in 0..2 {
        world.people_act(round);
        let mut command = slow(&world, SYNC_MS);
        command.args(PASS);
        let ended = crate::rig::finish(command).await;
        world.is_whole(&format!("round {round}, {SYNC_MS} ms"), &ended);
        // A flow's pass has at least three commits, each with a sync.
        let took = ended.events("flow.finished")[0]["duration_ms"].as_u64().unwrap();
        assert!(took >= 2 * SYNC_MS, "{took} ms: the library does not work");
    }
}

/// The program on a disk whose syncs take so much longer.
fn slow(world: &Everything, milliseconds: u64) -> Command {
    let mut command = world.rig.command(&[]);
    command
        .env("LD_PRELOAD", library("anomaly"))
        .env("ANOMALY_DIR", world.directory())
        .env("ANOMALY_SLOW_MS", milliseconds.to_string());
    command
}
