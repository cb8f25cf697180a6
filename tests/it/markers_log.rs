//! The marker in the other forms of the log: entries of the journal, the copy on
//! Campaign's server with what waits beside the store, and the last words of a
//! program with a bug.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::thread::JoinHandle;

use cdsync::sandbox::{SftpFault, Variants};
use serde_json::json;

use crate::markers::{MARK, Said, command, configure, contact, export, holds, tell};
use crate::metrics::{ask, served};
use crate::rig::Running;
use crate::support::{Setup, World, on_writes, status};

/// Something for each flow, a part of which fails.
pub(crate) fn world() -> World {
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    let world = World::new(Setup { contacts: 0, variants, ..Setup::default() });
    configure(&world);
    let ids: Vec<_> = (0..6).map(|number| world.add(&contact(number))).collect();
    world.add(&json!({ "firstname": MARK.repeat(4), "lastname": MARK }));
    tell(&world, &ids, 0);
    export(&world, &ids);
    world
}

/// A journal of this test's own.
struct Journal {
    path: std::path::PathBuf,
    reader: JoinHandle<Vec<String>>,
}

impl Journal {
    fn start(world: &World, name: &str) -> Self {
        let path = world.path(name);
        let socket = UnixDatagram::bind(&path).unwrap();
        let reader = std::thread::spawn(move || {
            let mut entries = Vec::new();
            let mut buffer = vec![0; 1 << 20];
            // An empty one ends it.
            while let Ok(length @ 1..) = socket.recv(&mut buffer) {
                entries.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
            entries
        });
        Self { path, reader }
    }

    /// The program as a service of the journal.
    fn command(&self, world: &World, arguments: &[&str]) -> Command {
        let mut command = command(world, "auto", arguments);
        command.env("CDSYNC_JOURNAL", &self.path).env("JOURNAL_STREAM", "8:1");
        command
    }

    /// All that it was told.
    fn entries(self) -> Vec<String> {
        UnixDatagram::unbound().unwrap().send_to(&[], &self.path).unwrap();
        self.reader.join().unwrap()
    }
}

/// The entries of an event.
fn of<'e>(entries: &'e [String], event: &str) -> Vec<&'e String> {
    let field = format!("CDSYNC_EVENT={event}");
    entries.iter().filter(|entry| entry.lines().any(|line| line == field)).collect()
}

#[test]
fn a_marker_is_in_no_entry_of_the_journal() {
    let world = world();
    let journal = Journal::start(&world, "journal");
    let mut said = Said::default();
    world.play(on_writes("PATCH", status(503)));
    for arguments in [
        &["sync", "--patience", "3"][..],
        &["check"],
        &["resync", "--table", "contact", "--verify"],
        &["dead-letters", "list"],
    ] {
        let output = journal.command(&world, arguments).output().unwrap();
        said.add("stdout", String::from_utf8(output.stdout).unwrap());
        said.add("stderr", String::from_utf8(output.stderr).unwrap());
    }
    world.calm();
    let entries = journal.entries();
    for event in ["flow.finished", "record.dead_lettered", "file.refused"] {
        assert!(!of(&entries, event).is_empty(), "{event} is not in the journal: {entries:#?}");
    }
    for entry in &entries {
        assert!(entry.starts_with("MESSAGE="), "{entry}");
        said.add("journal", entry.clone());
    }
    said.is_clean(&world);
}

#[test]
fn what_ends_the_program_is_an_entry_of_the_journal_with_its_fields() {
    let world = world();
    let journal = Journal::start(&world, "journal");
    let bug = journal
        .command(&world, &["sync", "--patience", "60"])
        .env("CDSYNC_CRASH", "commit:3:panic")
        .output()
        .unwrap();
    assert_eq!(bug.status.code(), None, "{bug:?}");
    std::fs::remove_file(world.path("campaign-secret")).unwrap();
    let failed = journal.command(&world, &["run"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(2), "{failed:?}");
    let entries = journal.entries();
    let bugs = of(&entries, "program.bug");
    assert_eq!(bugs.len(), 1, "{entries:#?}");
    assert!(bugs[0].contains("PRIORITY=3\n") && bugs[0].contains("CDSYNC_PLACE=src/failpoint.rs:"));
    let ends = of(&entries, "command.failed");
    assert_eq!(ends.len(), 1, "{entries:#?}");
    assert!(ends[0].contains("CDSYNC_EXIT=2\n"), "{}", ends[0]);
    let mut said = Said::default();
    said.add("bug", String::from_utf8(bug.stderr).unwrap());
    said.add("failed", String::from_utf8(failed.stderr).unwrap());
    said.add("journal", entries.concat());
    said.is_clean(&world);
}

#[test]
fn a_marker_is_in_no_line_that_is_copied_and_in_none_that_waits() {
    const DIRECTORY: &str = "d365_loads/logs";
    let world = world();
    let path = world.path("config.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("*/15 * * * * *", "0 0 0 1 1 *");
    let copy = format!("[daemon.log_copy]\ndirectory = \"{DIRECTORY}\"\nevery = \"1s\"\n");
    std::fs::write(&path, format!("{text}\n{copy}instance = \"m\"\n")).unwrap();
    let sftp = world.sandbox.sftp();
    sftp.make_directory(DIRECTORY);
    let mut said = Said::default();
    sftp.set_faults(&[SftpFault::Refused]);
    let daemon = Running::start(command(&world, "json", &["run"]));
    let address = served(&daemon);
    said.run(&world, &["sync", "ingress", "egress", "--via-daemon", "--patience", "60"]);
    daemon.wait_for("\"record.dead_lettered\"");
    for path in ["/metrics", "/healthz"] {
        let answer = ask(&address, &format!("GET {path} HTTP/1.1\r\n\r\n"));
        said.add(path, answer.head + &answer.body);
    }
    daemon.signal("KILL");
    said.add("killed", daemon.end().err);
    let mut waiting = String::new();
    for entry in std::fs::read_dir(world.path("store.db-logs")).unwrap() {
        let part = std::fs::read(entry.unwrap().path()).unwrap();
        waiting.push_str(&String::from_utf8(part).unwrap());
    }
    assert!(holds(&waiting, "record.dead_lettered"), "nothing of it waits: {waiting}");
    sftp.set_faults(&[]);
    let daemon = Running::start(command(&world, "json", &["run"]));
    daemon.wait_for("\"daemon.started\"");
    said.run(&world, &["sync", "--via-daemon", "--patience", "60"]);
    daemon.wait_for("\"logs.copied\"");
    daemon.signal("TERM");
    said.add("ended", daemon.finish().err);
    let mut copied = String::new();
    for name in sftp.list(DIRECTORY) {
        let bytes = sftp.read(&format!("{DIRECTORY}/{name}")).unwrap();
        copied.push_str(&String::from_utf8(bytes).unwrap());
    }
    for event in ["record.dead_lettered", "file.refused", "daemon.stopped"] {
        assert!(holds(&copied, event), "{event} was not copied: {copied}");
    }
    said.add("waiting", waiting);
    said.add("copied", copied);
    said.is_clean(&world);
}
