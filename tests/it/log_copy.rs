//! The copy of the log on Campaign's SFTP server, over real SSH.

use std::collections::BTreeMap;
use std::fs;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, SftpFault, System};
use serde_json::Value;

use crate::rig::{self, CONTACTS, Rig, Running, mode};

const DIRECTORY: &str = "d365_loads/logs";
const RUN: &[&str] = &["--log-format", "json", "run"];
/// Copies tell of themselves.
const TELLING: &[&str] = &["--log-format", "json", "--log-level", "debug", "run"];
const VIA: &[&str] = &["sync", "--via-daemon"];

/// Contacts to write, and a copy of the log so often.
async fn rig(every: &str) -> Rig {
    let rig = Rig::usual(4).await;
    let sftp = rig.sandbox.sftp();
    sftp.make_directory(DIRECTORY);
    rig::private(&rig.path("sftp-key"), &sftp.client_key());
    fs::write(rig.path("known_hosts"), sftp.known_hosts()).unwrap();
    let (address, user) = (sftp.address(), sftp.user());
    let text = format!(
        "{}\n[campaign.sftp]\nhost = \"{}\"\nport = {}\nuser = \"{user}\"\nprivate_key = {{ file = \"{}\" }}\nknown_hosts = \"{}\"\n\
         [daemon.log_copy]\ndirectory = \"{DIRECTORY}\"\nevery = \"{every}\"\ninstance = \"test-1\"\n",
        rig.text(CONTACTS),
        address.ip(),
        address.port(),
        rig.path("sftp-key").display(),
        rig.path("known_hosts").display(),
    );
    fs::write(rig.path("config.toml"), text).unwrap();
    rig
}

/// The lines in all files on the server, each one JSON object, without their
/// times: the two forms of a line are made one after the other.
fn copied(rig: &Rig) -> Vec<Value> {
    let sftp = rig.sandbox.sftp();
    let mut names = sftp.list(DIRECTORY);
    names.sort();
    let mut lines = Vec::new();
    for name in names {
        let bytes = sftp.read(&format!("{DIRECTORY}/{name}")).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let stem = name.strip_suffix(".log").unwrap_or_else(|| panic!("{name} is not finished"));
        assert!(stem.starts_with("cdsync-test-1-2"), "{name}");
        assert!(text.ends_with('\n'), "{name} is not whole");
        lines.extend(text.lines().map(timeless));
    }
    lines
}

fn timeless(line: &str) -> Value {
    let mut line: Value = serde_json::from_str(line).unwrap();
    assert!(line["event"].is_string(), "{line}");
    line.as_object_mut().unwrap().remove("timestamp").unwrap();
    line
}

fn events(lines: &[Value], name: &str) -> usize {
    lines.iter().filter(|line| line["event"] == name).count()
}

/// How often each line is there: threads may write them in another order.
fn counted(lines: impl Iterator<Item = Value>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(line.to_string()).or_default() += 1;
    }
    counts
}

fn spool(rig: &Rig) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(rig.path("store/cdsync.db-logs")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_copied_line_for_line_and_only_old_files_of_ours_are_deleted() {
    let rig = rig("24h").await;
    let sftp = rig.sandbox.sftp();
    let old = format!("{DIRECTORY}/cdsync-test-1-20200101T000000.000Z-1.log");
    let others = ["cdsync-test-2-20200101T000000.000Z-1.log", "cdsync-notes.log", "x.csv"];
    sftp.put(&old, b"{}\n");
    for name in others {
        sftp.put(&format!("{DIRECTORY}/{name}"), b"theirs");
    }
    let daemon = Running::start(rig.command(RUN));
    let first = daemon.wait_for("");
    rig.run(VIA).await.expect(0);
    assert_eq!(sftp.count("connect"), 0, "nothing is due before a day has passed");
    daemon.signal("TERM");
    let ended = daemon.end();
    ended.expect(0);
    assert!(sftp.read(&old).is_none());
    for name in others {
        assert!(sftp.remove(&format!("{DIRECTORY}/{name}")), "{name} was deleted");
    }
    let said = [first.as_str()].into_iter().chain(ended.err.lines()).map(timeless);
    let there = copied(&rig);
    assert_eq!(counted(there.iter().cloned()), counted(said));
    assert!(events(&there, "flow.finished") >= 1 && events(&there, "daemon.stopped") == 1);
    assert_eq!(spool(&rig), [] as [std::path::PathBuf; 0], "what is there is kept twice");
}

/// What lies beside the store.
fn waiting(rig: &Rig) -> String {
    spool(rig).iter().map(|part| fs::read_to_string(part).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_daemon_forgets_the_lines_that_wait() {
    let rig = rig("24h").await;
    let ids = rig.sandbox.dynamics().ids("contact");
    let (gone, stays) = (ids[0].to_string(), ids[1].to_string());
    let invalid = FaultRule {
        system: Some(System::Campaign),
        method: Some("POST".to_owned()),
        ..FaultRule::always(Fault::Status { code: 500, body: "RST-360012 not valid".to_owned() })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![invalid] });
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    let kept = waiting(&rig);
    assert!(kept.contains(&gone) && kept.contains(&stays), "{kept}");
    rig.run(&["forget", &gone]).await.expect(0);
    let left = waiting(&rig);
    assert!(!left.contains(&gone) && left.contains(&stays), "{left}");
    rig.sandbox.set_faults(FaultPlan::default());
    daemon.signal("TERM");
    daemon.end().expect(0);
    let there = copied(&rig);
    let named = |id: &str| there.iter().any(|line| line.to_string().contains(id));
    assert!(!named(&gone) && named(&stays), "{there:#?}");
    assert_eq!((events(&there, "daemon.started"), events(&there, "daemon.stopped")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_daemon_kept_is_sent_by_the_next_one() {
    let rig = rig("1s").await;
    rig.sandbox.sftp().set_faults(&[SftpFault::Refused]);
    let daemon = Running::start(rig.command(TELLING));
    let started = timeless(&daemon.wait_for("\"daemon.started\""));
    let failing = daemon.wait_for("\"logs.copy_failing\"");
    assert!(failing.contains("WARN") && failing.contains("refuses the user"), "{failing}");
    // The flows do not wait for it.
    rig.run(VIA).await.expect(0);
    daemon.signal("KILL");
    let ended = daemon.end();
    assert!(!ended.err.contains("logs.copy_failing"), "told twice: {}", ended.err);
    assert_eq!(copied(&rig), [] as [Value; 0]);
    assert!(!spool(&rig).is_empty());
    assert_eq!(mode(&rig.path("store/cdsync.db-logs")), 0o700);
    for part in spool(&rig) {
        assert_eq!(mode(&part), 0o600, "{}", part.display());
    }
    rig.sandbox.sftp().set_faults(&[]);
    let daemon = Running::start(rig.command(TELLING));
    daemon.wait_for("\"logs.copied\"");
    daemon.signal("TERM");
    daemon.end().expect(0);
    let there = copied(&rig);
    assert_eq!(there.iter().filter(|line| **line == started).count(), 1);
    assert_eq!(events(&there, "logs.copy_failing"), 1);
    rig.assert_equal("at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_somebody_cleans_away_are_lost_and_nothing_else_is() {
    let rig = rig("24h").await;
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("");
    rig.run(VIA).await.expect(0);
    assert!(waiting(&rig).contains("flow.finished"));
    fs::remove_dir_all(rig.path("store/cdsync.db-logs")).unwrap();
    rig.run(VIA).await.expect(0);
    daemon.signal("TERM");
    let ended = daemon.end();
    ended.expect(0);
    let told = ended.events("logs.dropped");
    assert_eq!(told.len(), 1, "{ended:#?}");
    assert!(told[0]["reason"].as_str().unwrap().contains("somebody removed"), "{told:#?}");
    rig.assert_equal("at the end");
    let there = copied(&rig);
    assert_eq!(events(&there, "daemon.stopped"), 1, "{there:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_server_does_wrong_the_lines_are_there_once_it_works() {
    let rig = rig("1s").await;
    let sftp = rig.sandbox.sftp();
    sftp.set_faults(&[SftpFault::Full]);
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"daemon.started\"");
    for (fault, part) in [
        (SftpFault::Full, "failed at a file that is to be written"),
        (SftpFault::ReadOnly, "does not let the user at a file that is to be renamed"),
        (SftpFault::OtherHostKey, "known_hosts"),
    ] {
        sftp.set_faults(std::slice::from_ref(&fault));
        // So that there is something to copy.
        rig.run(VIA).await.expect(0);
        let line = daemon.wait_for("\"logs.copy_failing\"");
        assert!(line.contains(part), "{fault:?}: {line}");
        sftp.set_faults(&[]);
        daemon.wait_for("\"logs.copy_recovered\"");
    }
    daemon.signal("TERM");
    daemon.end().expect(0);
    let there = copied(&rig);
    assert_eq!(events(&there, "daemon.started"), 1);
    assert_eq!(events(&there, "logs.copy_failing"), 3);
    assert_eq!(events(&there, "logs.copy_recovered"), 3);
    assert_eq!(events(&there, "daemon.stopped"), 1);
}
