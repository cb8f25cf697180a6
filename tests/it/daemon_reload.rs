//! SIGHUP, and what a daemon makes of a start without a system that answers.

use std::fs;

use serde_json::{Value, json};

use crate::rig::{CONTACTS, Rig, Running, private};

const RUN: &[&str] = &["--log-format", "json", "run"];
const VIA: &[&str] = &["sync", "--via-daemon"];
const NEVER: &str = "0 0 0 1 1 *";

fn scheduled(rig: &Rig, schedule: &str) -> String {
    rig.text(CONTACTS).replace("*/15 * * * * *", schedule)
}

fn reload(rig: &Rig, daemon: &Running, text: &str) {
    fs::write(rig.path("config.toml"), text).unwrap();
    daemon.signal("HUP");
    daemon.wait_for("\"config.reloaded\"");
}

/// The reason of a refusal.
fn refused(rig: &Rig, daemon: &Running, text: &str) -> String {
    fs::write(rig.path("config.toml"), text).unwrap();
    daemon.signal("HUP");
    let line: Value = serde_json::from_str(&daemon.wait_for("\"config.refused\"")).unwrap();
    line["reason"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_schedule_holds_from_the_reload_on() {
    let rig = Rig::usual(4).await;
    fs::write(rig.path("config.toml"), scheduled(&rig, NEVER)).unwrap();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    let id = rig.sandbox.dynamics().ids("contact")[0];
    rig.sandbox.dynamics().update("contact", id, &json!({ "lastname": "Soon" })).unwrap();
    reload(&rig, &daemon, &scheduled(&rig, "* * * * * *"));
    daemon.wait_for("\"written\":1");
    assert!(rig.differences().is_empty());
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_taken_up_is_refused_by_name_and_the_old_one_stays() {
    let rig = Rig::usual(2).await;
    let good = scheduled(&rig, NEVER);
    fs::write(rig.path("config.toml"), &good).unwrap();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    let reason = refused(&rig, &daemon, &good.replace("cdsync.db", "other.db"));
    assert!(reason.contains("[store] path") && reason.contains("restart"), "{reason}");
    let other = format!("[daemon]\nsocket = \"{}\"\n{good}", rig.path("other.sock").display());
    let reason = refused(&rig, &daemon, &other);
    assert!(reason.contains("control socket") && reason.contains("restart"), "{reason}");
    let reason = refused(&rig, &daemon, &good.replace(&format!("schedule = \"{NEVER}\""), ""));
    assert!(reason.contains("schedule"), "{reason}");
    let reason = refused(&rig, &daemon, &good.replace("dynamics-secret", "no-such-secret"));
    assert!(reason.contains("dynamics.client_secret"), "{reason}");
    assert!(!reason.contains(&rig.sandbox.credentials().dynamics_client_secret));
    fs::remove_file(rig.path("config.toml")).unwrap();
    daemon.signal("HUP");
    assert!(daemon.wait_for("\"config.refused\"").contains("config.toml"));
    // It works on by the one it has.
    fs::write(rig.path("config.toml"), &good).unwrap();
    rig.run(VIA).await.expect(0);
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_leaves_the_daemon_ready_and_the_right_one_is_taken_up_at_once() {
    for secret in ["dynamics-secret", "campaign-secret"] {
        let rig = Rig::usual(4).await;
        let right = fs::read_to_string(rig.path(secret)).unwrap();
        private(&rig.path(secret), "not-the-secret");
        let good = scheduled(&rig, NEVER);
        fs::write(rig.path("config.toml"), &good).unwrap();
        let daemon = Running::start(rig.command(RUN));
        daemon.wait_for("\"auth.refused\"");
        let failing = daemon.wait_for("\"flow.failing\"");
        assert!(!failing.contains("not-the-secret") && !failing.contains(&right), "{failing}");
        let status = rig.run(&["status", "--json"]).await.expect(0).json();
        assert_eq!(status["flows"]["ingress"]["state"], "failed", "{secret}");
        rig.run(VIA).await.expect(3);
        private(&rig.path(secret), &right);
        // No schedule would try again this year.
        reload(&rig, &daemon, &good);
        daemon.wait_for("\"flow.recovered\"");
        assert!(rig.differences().is_empty(), "{secret}");
        daemon.signal("TERM");
        daemon.end().expect(0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_without_a_usable_store_ends_with_5_and_asks_nobody() {
    let rig = Rig::usual(1).await;
    rig.run(&["sync"]).await.expect(0);
    let whole = fs::read(rig.store()).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..].fill(0x5a);
    let mut newer = whole.clone();
    // The schema's number in the header (SQLite file format, 1.3.2).
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    let broken: [(&[u8], &str); 3] =
        [(&[0x5a; 8192], "not a database"), (&damaged, "the store"), (&newer, "schema 99")];
    rig.sandbox.requests().clear();
    for (bytes, says) in broken {
        fs::write(rig.store(), bytes).unwrap();
        let ended = Running::start(rig.command(RUN)).end();
        let failed = ended.expect(5).events("command.failed");
        assert_eq!((failed.len(), ended.err.lines().count()), (1, 1), "{ended:#?}");
        assert!(failed[0]["reason"].as_str().unwrap().contains(says), "{ended:#?}");
        assert_eq!(fs::read(rig.store()).unwrap(), bytes, "nothing is repaired: {says}");
        assert!(!rig.path("store/cdsync.sock").exists());
    }
    assert_eq!(rig.sandbox.requests().entries().len(), 0, "nobody is asked");
    fs::remove_file(rig.store()).unwrap();
    fs::create_dir(rig.store()).unwrap();
    let ended = Running::start(rig.command(RUN)).end();
    assert!(ended.expect(5).err.contains("cannot be used"), "{ended:#?}");
}
