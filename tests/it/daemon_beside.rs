//! Commands beside a daemon: what a dry run says, and who is not heard.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use cdsync::sandbox::System;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::rig::{CONTACTS, Rig, Running, mode};

const RUN: &[&str] = &["--log-format", "json", "run"];

/// A daemon whose first pass is over, and which does nothing by itself then.
fn started(rig: &Rig) -> Running {
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "0 0 0 1 1 *");
    fs::write(rig.path("config.toml"), text).unwrap();
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    daemon
}

/// What a dry run says, line by line.
async fn plan(rig: &Rig) -> Vec<Value> {
    let ended = rig.run(&["plan", "--json"]).await;
    ended.expect(0).out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_beside_a_daemon_says_the_same_as_without_one_and_changes_nothing() {
    let rig = Rig::usual(6).await;
    let daemon = started(&rig);
    let id = rig.sandbox.dynamics().ids("contact")[2];
    let change = json!({ "lastname": "Planned", "emailaddress1": "planned@example.com" });
    rig.sandbox.dynamics().update("contact", id, &change).unwrap();
    rig.sandbox.requests().clear();
    let secret = rig.path("dynamics-secret");
    let hidden = rig.path("hidden");
    // The daemon has its secrets; who asks need not.
    fs::rename(&secret, &hidden).unwrap();
    let beside = plan(&rig).await;
    let again = plan(&rig).await;
    fs::rename(&hidden, &secret).unwrap();
    assert_eq!(beside, again, "a dry run moves no cursor");
    assert_eq!(beside.len(), 1, "{beside:#?}");
    assert_eq!((&beside[0]["id"], &beside[0]["action"]), (&json!(id), &json!("update")));
    assert_eq!(beside[0]["fields"], json!(["lastName", "email"]));
    let entries = rig.sandbox.requests().entries();
    assert!(entries.iter().all(|it| it.system != System::Campaign || it.method == "GET"));
    assert!(!rig.path("store/cdsync.db.plan").exists(), "the copy is gone");
    let shown = rig.run(&["plan", "ingress"]).await;
    assert!(shown.expect(0).out.contains("lastName (changed)"), "{shown:#?}");
    assert!(shown.err.contains("1 read, 0 unchanged"), "{shown:#?}");
    rig.run(&["plan", "egress"]).await.expect(2);
    daemon.signal("TERM");
    daemon.end().expect(0);
    assert_eq!(plan(&rig).await, beside);
    rig.run(&["sync"]).await.expect(0);
    rig.assert_equal("after the pass");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_of_a_dry_run_is_private_and_what_a_killed_one_left_is_swept() {
    let rig = Rig::usual(6).await;
    let daemon = started(&rig);
    let (here, arrived) = std::sync::mpsc::channel();
    let (answer, go) = std::sync::mpsc::channel::<()>();
    rig.sandbox.before((System::Dynamics, "GET", "/contacts"), 0, move || {
        let _ = here.send(());
        let _ = go.recv_timeout(std::time::Duration::from_mins(1));
    });
    let planning = Running::start(rig.command(&["plan", "--json"]));
    arrived.recv_timeout(std::time::Duration::from_mins(1)).unwrap();
    let copy = rig.path("store/cdsync.db.plan");
    assert_eq!(mode(&copy), 0o700);
    // The daemon works meanwhile, and commands are answered.
    rig.run(&["status"]).await.expect(0);
    daemon.signal("KILL");
    daemon.end();
    drop(answer);
    planning.end().expect(1);
    assert!(copy.exists());
    rig.run(&["sync"]).await.expect(0);
    assert!(!copy.exists());
    rig.assert_equal("after all");
}

/// What another user is told at the daemon's socket.
fn as_nobody(rig: &Rig) -> String {
    // Who is refused may find the socket closed before all is written.
    const ASK: &str = r#"
        $SIG{PIPE} = "IGNORE";
        my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or do { print "no way in"; exit };
        print $socket qq({"request":"status","arguments":{"json":true}}\n);
        $socket->flush();
        print "answered: ", <$socket>;
    "#;
    let socket = rig.path("store/cdsync.sock");
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["perl", "-MIO::Socket::UNIX", "-e", ASK])
        .arg(socket)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_not_heard_whatever_the_socket_lets_in() {
    let rig = Rig::usual(2).await;
    let daemon = started(&rig);
    // Only root can be somebody else here.
    if fs::metadata("/proc/self").map(|it| std::os::unix::fs::MetadataExt::uid(&it)).unwrap() == 0 {
        let open = |name: &str, mode| {
            fs::set_permissions(rig.path(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        open("", 0o755);
        open("store", 0o755);
        assert_eq!(as_nobody(&rig), "no way in");
        open("store/cdsync.sock", 0o666);
        assert_eq!(as_nobody(&rig), "answered: ");
        let refused = daemon.wait_for("\"control.refused\"");
        assert!(refused.contains("another user asked"), "{refused}");
    } else {
        eprintln!("NOT TRIED: only root can ask as somebody else");
    }
    rig.run(&["status"]).await.expect(0);
    daemon.signal("TERM");
    daemon.end().expect(0);
}

/// A command whose output goes into a pipe that nobody reads.
fn unread(rig: &Rig, arguments: &[&str]) -> Child {
    let mut command = rig.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_and_does_not_read_holds_no_pass_up_and_is_let_go() {
    // More lines than all the pipes and queues on the way take.
    const MANY: usize = 3200;
    let rig = Rig::usual(2).await;
    let text = rig.text(CONTACTS).replace("page_rows = 3", "page_rows = 1000");
    let schedule = |when: &str| {
        fs::write(rig.path("config.toml"), text.replace("*/15 * * * * *", when)).unwrap();
    };
    schedule("0 0 0 1 1 *");
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    for _ in 0..MANY {
        let contact = json!({ "firstname": "A".repeat(30), "lastname": "Planned" });
        rig.sandbox.dynamics().insert("contact", &contact).unwrap();
    }
    let (here, arrived) = std::sync::mpsc::channel();
    rig.sandbox.before((System::Dynamics, "GET", "/contacts"), 0, move || {
        let _ = here.send(());
    });
    let mut planning = unread(&rig, &["plan", "--json", "--show-values"]);
    // It has its copy of the store.
    arrived.recv_timeout(std::time::Duration::from_mins(1)).unwrap();
    rig.run(&["sync", "--via-daemon"]).await.expect(0);
    let ids = rig.sandbox.dynamics().ids("contact");
    for lost in &ids[1..] {
        rig.sandbox.campaign().delete("profile", "externalId", &lost.to_string());
    }
    let mut comparing = unread(&rig, &["resync", "--verify", "--json"]);
    schedule("* * * * * *");
    daemon.signal("HUP");
    let change = |name: &str| {
        rig.sandbox.dynamics().update("contact", ids[0], &json!({ "lastname": name })).unwrap();
    };
    change("First");
    let mut passed: Option<Timestamp> = None;
    let mut refused = 0;
    while refused < 2 {
        let line: Value = serde_json::from_str(&daemon.wait_for("\"event\"")).unwrap();
        let at: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
        if line["event"] == "flow.finished" {
            passed = Some(at);
            change(&format!("After {}", line["run"]));
        } else if line["event"] == "control.refused" {
            assert!(line["reason"].as_str().unwrap().starts_with("nobody read"), "{line}");
            refused += 1;
            // It was waited for so long, and passes went on all the time.
            let still = passed.map(|passed| at.duration_since(passed).as_secs());
            assert!(refused < 2 || still.is_some_and(|seconds| seconds < 20), "{still:?}");
        }
    }
    schedule("0 0 0 1 1 *");
    daemon.signal("HUP");
    daemon.wait_for("\"config.reloaded\"");
    rig.run(&["sync", "--via-daemon"]).await.expect(0);
    // What they held is free again.
    assert_eq!(plan(&rig).await, Vec::<Value>::new());
    assert!(!rig.path("store/cdsync.db.plan").exists(), "the copy is gone");
    for child in [&mut planning, &mut comparing] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    daemon.signal("TERM");
    daemon.end().expect(0);
}
