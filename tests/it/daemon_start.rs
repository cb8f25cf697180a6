//! How a daemon begins: what it refuses, and what systemd is told.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::rig::{CONTACTS, Rig, Running};

const RUN: &[&str] = &["--log-format", "json", "run"];

/// A daemon with this in place of that in its configuration refuses to begin,
/// in one JSON line that says this.
async fn refused(from: &str, to: &str, says: &str) {
    let rig = Rig::usual(1).await;
    let text = rig.text(CONTACTS);
    assert!(text.contains(from), "{from}");
    fs::write(rig.path("config.toml"), text.replacen(from, to, 1)).unwrap();
    fs::write(rig.path("a-file"), "").unwrap();
    let ended = rig.run(RUN).await;
    ended.expect(2);
    let failed = ended.events("command.failed");
    assert_eq!((failed.len(), ended.err.lines().count()), (1, 1), "{ended:#?}");
    assert!(failed[0]["reason"].as_str().unwrap().contains(says), "{ended:#?}");
    assert_eq!(rig.sandbox.requests().entries().len(), 0, "nobody is asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_cannot_begin_says_why() {
    refused("schedule = \"*/15 * * * * *\"\n", "", "has no schedule").await;
    let long = format!("[daemon]\nsocket = \"/tmp/{}\"\n[dynamics]", "x".repeat(120));
    refused("[dynamics]", &long, "[daemon] socket").await;
    refused("[dynamics]", "[daemon]\nsocket = \"a-file\"\n[dynamics]", "is not a socket").await;
    refused("[dynamics]", "[daemon]\nsocket = \"no/where\"\n[dynamics]", "cannot be made").await;
}

/// A service manager, and a daemon that is to talk to it.
fn managed(rig: &Rig) -> (UnixDatagram, Command) {
    let socket = rig.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
    let mut command = rig.command(RUN);
    command.env("NOTIFY_SOCKET", &socket);
    (manager, command)
}

/// What the service manager is told, up to a message that begins with this.
fn heard(manager: &UnixDatagram, until: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = manager.recv(&mut buffer).unwrap_or_else(|error| {
            panic!("no {until}: {error}; heard {seen:#?}");
        });
        seen.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        if seen.last().unwrap().starts_with(until) {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_manager_hears_that_it_is_ready_what_it_does_and_that_it_lives() {
    let rig = Rig::usual(4).await;
    let (manager, mut command) = managed(&rig);
    command.env("WATCHDOG_USEC", "200000");
    let daemon = Running::start(command);
    assert_eq!(heard(&manager, "READY=1").len(), 1, "ready comes first");
    let seen = heard(&manager, "STATUS=ingress idle, 0 waiting");
    assert!(seen.iter().any(|text| text == "WATCHDOG=1"), "{seen:#?}");
    heard(&manager, "WATCHDOG=1");
    heard(&manager, "WATCHDOG=1");
    daemon.signal("TERM");
    heard(&manager, "STOPPING=1");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_although_no_remote_answers() {
    let rig = Rig::usual(1).await;
    let text = rig.text(CONTACTS).replace(&rig.sandbox.origin(), "http://127.0.0.1:9");
    fs::write(rig.path("config.toml"), text).unwrap();
    let (manager, mut command) = managed(&rig);
    command.env("WATCHDOG_USEC", "200000");
    let daemon = Running::start(command);
    heard(&manager, "READY=1");
    daemon.wait_for("\"remote.unreachable\"");
    // It lives although its pass does not get anywhere.
    for _ in 0..20 {
        heard(&manager, "WATCHDOG=1");
    }
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_whose_store_stands_still_does_not_feed_the_watchdog() {
    let rig = Rig::usual(1).await;
    let (manager, mut command) = managed(&rig);
    // Each look would be a sign of life.
    command.env("WATCHDOG_USEC", "2");
    // From the beginning of its first pass on the store does not answer.
    command.env("CDSYNC_CRASH", "run:1:hang");
    let daemon = Running::start(command);
    heard(&manager, "READY=1");
    // The loop itself lives: it does what it is told.
    for _ in 0..5 {
        daemon.signal("HUP");
        daemon.wait_for("\"config.reloaded\"");
    }
    daemon.signal("TERM");
    let seen = heard(&manager, "STOPPING=1");
    assert!(!seen.iter().any(|text| text == "WATCHDOG=1"), "{seen:#?}");
    daemon.wait_for("\"daemon.stopping\"");
    daemon.signal("TERM");
    let ended = daemon.end();
    assert_eq!(ended.expect(0).events("daemon.stopped")[0]["settled"], false);
}
