//! What a machine does to a daemon: kills, a full disk, a store that goes away,
//! a clock that jumps.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use cdsync::sandbox::System;
use serde_json::json;

use crate::rig::{CONTACTS, Rig, Running};

const RUN: &[&str] = &["--log-format", "json", "run"];
const VIA: &[&str] = &["sync", "--via-daemon"];

fn new_contact(rig: &Rig, number: usize) {
    let row = json!({
        "firstname": format!("First {number}"),
        "lastname": format!("Last {number}"),
        "emailaddress1": format!("new{number}@example.com"),
    });
    rig.sandbox.dynamics().insert("contact", &row).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_at_twenty_requests_lose_nothing_and_double_nothing() {
    let points = [
        (System::Campaign, "POST", "/profile"),
        (System::Campaign, "PATCH", "/"),
        (System::Dynamics, "GET", "/contacts"),
        (System::Campaign, "GET", "/campaign/"),
        (System::Dynamics, "GET", "WhoAmI"),
    ];
    let rig = Rig::usual(12).await;
    rig.run(&["sync"]).await.expect(0);
    let known: Vec<_> = rig.sandbox.dynamics().ids("contact").into_iter().take(4).collect();
    for kill in 0..20 {
        // Fresh work for each kind of request: each of them will come.
        for number in 0..3 {
            new_contact(&rig, kill * 3 + number);
        }
        for id in &known {
            let change = json!({ "lastname": format!("Edit {kill}") });
            rig.sandbox.dynamics().update("contact", *id, &change).unwrap();
        }
        let point = points[kill % points.len()];
        // One page, one look at who we are, a few of the others.
        let skip = if matches!(point.1, "POST" | "PATCH") { kill / points.len() % 3 } else { 0 };
        let (here, arrived) = mpsc::channel();
        let (answer, go) = mpsc::channel::<()>();
        rig.sandbox.before(point, skip, move || {
            let _ = here.send(());
            let _ = go.recv_timeout(Duration::from_mins(1));
        });
        let daemon = Running::start(rig.command(RUN));
        arrived.recv_timeout(Duration::from_mins(1)).unwrap_or_else(|_| panic!("{point:?}"));
        daemon.signal("KILL");
        // Answered, and carried out, when nobody waits any more.
        assert_eq!(daemon.end().signal, Some(9));
        drop(answer);
    }
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"daemon.started\"");
    rig.run(VIA).await.expect(0);
    daemon.signal("TERM");
    daemon.end().expect(0);
    rig.assert_equal("after twenty kills");
    assert_eq!(rig.sandbox.campaign().rows("profile").len(), 12 + 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_daemon_with_5_and_nothing_is_lost() {
    // A file can grow to so many blocks of 512 bytes and no further, which a
    // write cannot tell from a full disk.
    for blocks in ["200", "700", "1400"] {
        let rig = Rig::usual(150).await;
        let run = rig.command(RUN);
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", blocks]);
        command.arg(run.get_program()).args(run.get_args()).env_remove("CDSYNC_CRASH");
        command.env("CDSYNC_CONFIG", rig.path("config.toml")).arg0("sh");
        let ended = Running::start(command).end();
        assert_eq!(ended.code, Some(5), "{blocks}: {ended:#?}");
        let failed = ended.events("command.failed");
        assert_eq!(failed.len(), 1, "{blocks}: {ended:#?}");
        assert!(failed[0]["reason"].as_str().unwrap().contains("store"), "{failed:?}");
        rig.run(&["sync"]).await.expect(0);
        rig.assert_equal(blocks);
        assert_eq!(rig.sandbox.campaign().rows("profile").len(), 150, "{blocks}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_removed_or_replaced_ends_the_daemon_at_its_next_pass() {
    for replaced in [false, true] {
        let rig = Rig::usual(3).await;
        let daemon = Running::start(rig.command(RUN));
        daemon.wait_for("\"flow.finished\"");
        let kept = fs::read(rig.store()).unwrap();
        fs::remove_file(rig.store()).unwrap();
        if replaced {
            fs::write(rig.store(), &kept).unwrap();
        }
        // The next pass may have begun by itself: it is never over well.
        let asked = rig.run(VIA).await;
        assert_ne!(asked.code, Some(0), "{asked:#?}");
        let ended = daemon.end();
        let failed = ended.expect(5).events("command.failed");
        let says = if replaced { "taken its place" } else { "went away" };
        assert!(failed[0]["reason"].as_str().unwrap().contains(says), "{ended:#?}");
        for name in ["store/cdsync.db", "store/cdsync.db-wal", "store/cdsync.db-shm"] {
            let _ = fs::remove_file(rig.path(name));
        }
        rig.run(&["sync"]).await.expect(0);
        rig.assert_equal("with a new store");
        assert_eq!(rig.sandbox.campaign().rows("profile").len(), 3);
    }
}

/// The library that makes a process believe in another wall clock.
pub(crate) fn faketime() -> PathBuf {
    let homes = fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok);
    let found = homes
        .map(|home| home.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists());
    found.expect("libfaketime is there; `.ci/setup` installs it")
}

/// Sets the clock, in one step: who read half of it would be elsewhere for a moment.
fn set(clock: &Path, jump: &str) {
    let new = clock.with_extension("new");
    fs::write(&new, jump).unwrap();
    fs::rename(&new, clock).unwrap();
}

/// A daemon whose wall clock is this machine's and what the file `clock` says.
fn with_a_clock(rig: &Rig, schedule: &str) -> Running {
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", schedule);
    fs::write(rig.path("config.toml"), text).unwrap();
    fs::write(rig.path("clock"), "+0").unwrap();
    let mut command = rig.command(RUN);
    command
        .env("LD_PRELOAD", faketime())
        .env("FAKETIME_TIMESTAMP_FILE", rig.path("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        // As a clock that is set: durations do not jump with it.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    let daemon = Running::start(command);
    daemon.wait_for("\"flow.finished\"");
    daemon
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_stops_neither_the_schedule_nor_a_flow() {
    let rig = Rig::usual(3).await;
    let daemon = with_a_clock(&rig, "* * * * * *");
    let id = rig.sandbox.dynamics().ids("contact")[0];
    for jump in ["+40d", "-400d", "+2y", "+0"] {
        set(&rig.path("clock"), jump);
        rig.sandbox
            .dynamics()
            .update("contact", id, &json!({ "lastname": format!("At {jump}") }))
            .unwrap();
        daemon.wait_for("\"written\":1");
        assert!(rig.differences().is_empty(), "{jump}");
    }
    daemon.signal("TERM");
    daemon.end().expect(0);
    rig.assert_equal("after all jumps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_a_jump_of_the_clock_left_out_are_one_and_the_store_stays_locked() {
    let rig = Rig::usual(3).await;
    // Half an hour away from its next time, wherever the hour is.
    let minute = (rig.sandbox.now(System::Dynamics).as_second() / 60 + 30) % 60;
    let daemon = with_a_clock(&rig, &format!("0 {minute} * * * *"));
    // Where the clock goes, and whether a run was left out on its way: back by a
    // day, to before the last run and the daemon's own start, and on from there.
    let jumps = [
        ("+1d", true),
        ("+0", false),
        ("+2h", true),
        ("-1d", false),
        ("-400d", false),
        ("-399d", true),
        ("+0", true),
    ];
    let mut expected = 1;
    for (contact, (jump, missed)) in jumps.into_iter().enumerate() {
        if missed {
            new_contact(&rig, contact);
        }
        set(&rig.path("clock"), jump);
        if missed {
            daemon.wait_for("\"written\":1");
            expected += 1;
        }
        // Meanwhile others would come behind that one, if each were made up for.
        for _ in 0..3 {
            rig.run(VIA).await.expect(0);
            expected += 1;
        }
        let mut second = rig.command(RUN);
        second.env("FAKETIME", jump).env("LD_PRELOAD", faketime());
        let second = Running::start(second).end();
        let failed = second.expect(5).events("command.failed");
        assert!(failed[0]["reason"].as_str().unwrap().contains("in use by"), "{second:#?}");
    }
    daemon.signal("TERM");
    let ended = daemon.finish();
    let last = ended.expect(0).events("flow.finished").pop().unwrap();
    assert_eq!(last["run"], expected, "{ended:#?}");
    rig.assert_equal("after all jumps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_while_a_write_is_on_its_way_repeats_nothing() {
    for jump in ["+1d", "-1d"] {
        let rig = Rig::usual(2).await;
        let daemon = with_a_clock(&rig, "* * * * * *");
        let clock = rig.path("clock");
        rig.sandbox.before((System::Campaign, "POST", "/profile"), 0, move || {
            set(&clock, jump);
        });
        new_contact(&rig, 1);
        daemon.wait_for("\"written\":1");
        assert_eq!(rig.sandbox.still_before(), 0, "{jump}");
        // Whoever had forgotten that it waits for nothing would do it again.
        for _ in 0..2 {
            rig.run(VIA).await.expect(0);
        }
        daemon.signal("TERM");
        daemon.end().expect(0);
        let entries = rig.sandbox.requests().entries();
        let posts =
            entries.iter().filter(|it| it.system == System::Campaign && it.method == "POST");
        assert_eq!(posts.count(), 3, "{jump}");
        rig.assert_equal(jump);
    }
}
