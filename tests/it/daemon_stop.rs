//! How a daemon ends: what is on its way is settled, what is not stays, and who
//! does not want to wait need not.

use std::fs;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, LogEntry, System};
use serde_json::Value;

use crate::rig::{CONTACTS, Ended, Rig, Running};

const RUN: &[&str] = &["--log-format", "json", "run"];

/// How long an answer waits for the test at most: a test that fails ends, too.
const AT_MOST: Duration = Duration::from_mins(1);

/// A request of the daemon that is on its way, and is answered when the test
/// says so.
struct Held {
    arrived: mpsc::Receiver<()>,
    answer: mpsc::Sender<()>,
}

impl Held {
    fn new(rig: &Rig, request: (System, &str, &str), skip: usize) -> Self {
        let (here, arrived) = mpsc::channel();
        let (answer, go) = mpsc::channel();
        rig.sandbox.before(request, skip, move || {
            let _ = here.send(());
            let _ = go.recv_timeout(AT_MOST);
        });
        Self { arrived, answer }
    }

    fn wait(&self) {
        self.arrived.recv_timeout(AT_MOST).unwrap();
    }
}

fn writes(rig: &Rig) -> usize {
    let entries: Vec<LogEntry> = rig.sandbox.requests().entries();
    entries.iter().filter(|it| it.system == System::Campaign && it.method != "GET").count()
}

/// A daemon with hundreds of writes before it, stopped while one is on its way.
async fn stopped_by(signal: &str) -> (Arc<Rig>, Ended) {
    let rig = Arc::new(Rig::usual(240).await);
    let text = rig.text(CONTACTS).replace("[campaign]\n", "[campaign]\nmax_in_flight = 1\n");
    fs::write(rig.path("config.toml"), text).unwrap();
    let held = Held::new(&rig, (System::Campaign, "POST", "/profile"), 9);
    let daemon = Running::start(rig.command(RUN));
    held.wait();
    daemon.signal(signal);
    daemon.wait_for("\"daemon.stopping\"");
    held.answer.send(()).unwrap();
    (rig, daemon.end())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_daemon_settles_the_request_on_its_way_and_sends_no_other() {
    for signal in ["TERM", "INT"] {
        let (rig, ended) = stopped_by(signal).await;
        assert_eq!(writes(&rig), 10, "{signal}: the one on its way was the last");
        assert_eq!(ended.expect(0).events("daemon.stopped")[0]["settled"], true, "{signal}");
        let finished = &ended.adds_up().events("flow.finished")[0];
        assert_eq!(finished["written"], 10, "{signal}: {finished}");
        let number = |sql: &str| rig.number(sql);
        assert_eq!(number("SELECT count(*) FROM outbox WHERE leased IS NOT NULL"), 0);
        assert_eq!(number("SELECT count(*) FROM outbox WHERE uncertain <> 0"), 0);
        assert_eq!(number("SELECT count(*) FROM outbox WHERE attempts <> 0"), 0);
        rig.run(&["sync"]).await.expect(0);
        rig.assert_equal("after the next pass");
        let posts = rig.sandbox.requests().entries();
        let posts = posts.iter().filter(|it| it.system == System::Campaign && it.method == "POST");
        assert_eq!(posts.count(), 240, "{signal}: each record was made by one call");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_pause_that_a_system_asked_for() {
    let rig = Rig::usual(8).await;
    let rule = FaultRule {
        system: Some(System::Campaign),
        method: Some("POST".to_owned()),
        ..FaultRule::always(Fault::Throttle { retry_after: 3600 })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"delivery.throttled\"");
    daemon.signal("TERM");
    let ended = daemon.end();
    // Not after the 45 s in which it would give up waiting.
    assert_eq!(ended.expect(0).events("daemon.stopped")[0]["settled"], true, "{ended:#?}");
    rig.sandbox.set_faults(FaultPlan::default());
    rig.run(&["sync"]).await.expect(0);
    rig.assert_equal("after the next pass");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_does_not_wait_for_the_answer() {
    for second in ["TERM", "INT"] {
        let rig = Rig::usual(8).await;
        let held = Held::new(&rig, (System::Campaign, "POST", "/profile"), 2);
        let daemon = Running::start(rig.command(RUN));
        held.wait();
        daemon.signal("TERM");
        daemon.wait_for("\"daemon.stopping\"");
        daemon.signal(second);
        let ended = daemon.end();
        assert_eq!(ended.expect(0).events("daemon.stopped")[0]["settled"], false, "{second}");
        held.answer.send(()).unwrap();
        rig.run(&["sync"]).await.expect(0);
        rig.assert_equal("after the next pass");
        assert!(rig.sandbox.campaign().rows("profile").len() == 8, "nothing is there twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bug_in_a_task_ends_the_daemon_and_names_the_place() {
    for point in ["request:4:panic", "commit:9:panic"] {
        let rig = Rig::usual(8).await;
        let mut command = rig.command(RUN);
        command.env("CDSYNC_CRASH", point);
        let ended = Running::start(command).end();
        assert!(ended.crashed(), "{point}: {ended:#?}");
        let bugs = ended.events("program.bug");
        assert_eq!(bugs.len(), 1, "{point}: {ended:#?}");
        assert!(bugs[0]["place"].as_str().unwrap().contains("failpoint.rs:"), "{bugs:?}");
        for line in ended.err.lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()));
        }
        rig.run(&["sync"]).await.expect(0);
        rig.assert_equal(point);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_settles_what_is_on_its_way_and_sends_no_more() {
    let rig = Arc::new(Rig::usual(120).await);
    let text = rig.text(CONTACTS).replace("[campaign]\n", "[campaign]\nmax_in_flight = 1\n");
    fs::write(rig.path("config.toml"), text).unwrap();
    let held = Held::new(&rig, (System::Campaign, "POST", "/profile"), 4);
    let daemon = Running::start(rig.command(RUN));
    held.wait();
    rig.run(&["pause", "ingress"]).await.expect(0);
    daemon.wait_for("\"flow.paused\"");
    // The loop hears of one after the other.
    daemon.signal("HUP");
    daemon.wait_for("\"config.reloaded\"");
    held.answer.send(()).unwrap();
    let finished: Value = serde_json::from_str(&daemon.wait_for("\"flow.finished\"")).unwrap();
    assert_eq!((&finished["written"], writes(&rig)), (&Value::from(5), 5), "{finished}");
    rig.run(&["resume", "ingress"]).await.expect(0);
    daemon.wait_for("\"flow.finished\"");
    daemon.signal("TERM");
    daemon.end().expect(0);
    rig.assert_equal("after the pause");
}
