//! The real program in a child process, against look-alikes in this one.
//!
//! Owns: a directory with configuration, secrets and store; how a child is
//! started and read; the comparison of both sides. Decides no expectation.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use cdsync::sandbox::{Sandbox, SandboxOptions, Variants};
use rusqlite::Connection;
use serde_json::{Map, Value};
use tempfile::TempDir;

/// The mapping that most tests use.
pub(crate) const CONTACTS: &str = r#"[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }
apply_deletes = true
fields = [
  { from = "firstname", to = "firstName", on_too_long = "cut" },
  { from = "lastname", to = "lastName" },
  { from = "emailaddress1", to = "email" },
  { from = "birthdate", to = "birthDate" },
  { from = "createdon", to = "cusCustomerSince", updates = false },
  { from = "donotbulkemail", to = "blackListEmail" },
]
"#;

/// A place for the program to run in.
pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    directory: TempDir,
}

impl Rig {
    /// Look-alikes with these contacts, and a configuration that maps them.
    pub(crate) async fn start(contacts: usize, variants: Variants) -> Self {
        let options = SandboxOptions { contacts, variants, ..SandboxOptions::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let rig = Self { sandbox, directory };
        let credentials = rig.sandbox.credentials();
        private(&rig.path("dynamics-secret"), &credentials.dynamics_client_secret);
        private(&rig.path("campaign-secret"), &credentials.campaign_client_secret);
        rig.configure(CONTACTS);
        rig
    }

    /// As [`Rig::start`], with the documents' defaults.
    pub(crate) async fn usual(contacts: usize) -> Self {
        Self::start(contacts, Variants::default()).await
    }

    /// A file of this rig.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The database file.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("store/cdsync.db")
    }

    /// The text of a configuration with these tables, pages of three rows.
    pub(crate) fn text(&self, tables: &str) -> String {
        let credentials = self.sandbox.credentials();
        format!(
            r#"[dynamics]
url = "{origin}"
tenant = "{tenant}"
client_id = "{dynamics_id}"
client_secret = {{ file = "{here}/dynamics-secret" }}
authority_url = "{origin}"
requests_per_5_minutes = 100000
page_rows = 3
[campaign]
url = "{campaign}"
client_id = "{campaign_id}"
client_secret = {{ file = "{here}/campaign-secret" }}
organization_id = "{organization}"
ims_url = "{origin}"
requests_per_second = 10000
read_back = "0s"
[store]
path = "{here}/store/cdsync.db"
[ingress]
schedule = "*/15 * * * * *"
{tables}"#,
            origin = self.sandbox.origin(),
            tenant = credentials.tenant,
            dynamics_id = credentials.dynamics_client_id,
            campaign = self.sandbox.campaign_url(),
            campaign_id = credentials.campaign_client_id,
            organization = credentials.organization_id,
            here = self.directory.path().display(),
        )
    }

    /// Writes the configuration anew, with these tables.
    pub(crate) fn configure(&self, tables: &str) {
        fs::write(self.path("config.toml"), self.text(tables)).unwrap();
    }

    /// The program with this rig's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.env("CDSYNC_CONFIG", self.path("config.toml"));
        command.current_dir(self.directory.path());
        command
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        finish(self.command(arguments)).await
    }

    /// Runs it with a planned crash.
    pub(crate) async fn run_crashing(&self, arguments: &[&str], plan: &str) -> Ended {
        let mut command = self.command(arguments);
        command.env("CDSYNC_CRASH", plan);
        finish(command).await
    }

    /// Opens the database file as no part of the program does. Nothing else
    /// may have it open.
    pub(crate) fn raw(&self) -> Connection {
        Connection::open(self.store()).unwrap()
    }

    /// One number out of the database.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.raw().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// What differs between contacts and profiles; the meaning of
    /// [`CONTACTS`], written a second time.
    pub(crate) fn differences(&self) -> Vec<String> {
        let (dynamics, campaign) = (self.sandbox.dynamics(), self.sandbox.campaign());
        let mut found = Vec::new();
        let mut profiles: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for profile in campaign.rows("profile") {
            let key = text(&profile, "externalId").to_owned();
            if profiles.insert(key.clone(), profile).is_some() {
                found.push(format!("{key} is there twice"));
            }
        }
        for id in dynamics.ids("contact") {
            let contact = dynamics.get("contact", id).unwrap();
            let Some(profile) = profiles.remove(&id.to_string()) else {
                found.push(format!("{id} is missing"));
                continue;
            };
            let pairs = [
                ("firstname", "firstName"),
                ("lastname", "lastName"),
                ("emailaddress1", "email"),
                ("birthdate", "birthDate"),
            ];
            for (column, field) in pairs {
                if text(&contact, column) != text(&profile, field) {
                    found.push(format!("{id}: {field} differs"));
                }
            }
            let flag = contact.get("donotbulkemail").and_then(Value::as_bool).unwrap_or(false);
            if profile.get("blackListEmail") != Some(&Value::from(flag)) {
                found.push(format!("{id}: blackListEmail differs"));
            }
        }
        found.extend(profiles.keys().map(|key| format!("{key} is left over")));
        found
    }

    /// Fails unless both sides are equal and nothing waits or was given up.
    #[track_caller]
    pub(crate) fn assert_equal(&self, when: &str) {
        let differences = self.differences();
        assert!(differences.is_empty(), "{when}: {differences:#?}");
        assert_eq!(self.number("SELECT count(*) FROM outbox"), 0, "{when}: outbox");
        assert_eq!(self.number("SELECT count(*) FROM dead_letter"), 0, "{when}: dead letters");
    }
}

fn text<'m>(row: &'m Map<String, Value>, name: &str) -> &'m str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Writes a file that only its owner may read.
pub(crate) fn private(file: &Path, text: &str) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(file).unwrap().write_all(text.as_bytes()).unwrap();
}

/// The permission bits of a file.
pub(crate) fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

/// The program without any configuration, and nothing of ours in its
/// environment.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdsync"));
    command
        .args(arguments)
        .env_remove("CDSYNC_CONFIG")
        .env_remove("CDSYNC_CRASH")
        .env_remove("JOURNAL_STREAM")
        .env_remove("NO_COLOR")
        .env("COLUMNS", "100")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end while the look-alikes go on.
pub(crate) async fn finish(mut command: Command) -> Ended {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Ended::of(&output)
}

/// A child that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Whether a planned crash ended it.
    pub(crate) fn crashed(&self) -> bool {
        const SIGABRT: i32 = 6;
        self.signal == Some(SIGABRT)
    }

    /// Fails unless it ended with this code.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Its output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Fails unless the counts of every pass in the log add up.
    #[track_caller]
    pub(crate) fn adds_up(&self) -> &Self {
        for finished in self.events("flow.finished") {
            let number = |key: &str| finished[key].as_u64().unwrap();
            let parts = ["written", "unchanged", "filtered", "deleted", "pending", "dead_lettered"];
            assert_eq!(number("read"), parts.map(number).iter().sum::<u64>(), "{finished}");
        }
        self
    }

    /// The log lines with this event.
    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        let lines = self.err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == name).collect()
    }
}

/// A child that runs on; ended when dropped.
pub(crate) struct Running {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    seen: std::cell::RefCell<Vec<String>>,
}

impl Running {
    /// Starts a command and reads its stderr.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let reader = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                // Nobody listens once the test is over.
                let _ = sender.send(line);
            }
        });
        Self { child, lines, seen: std::cell::RefCell::default() }
    }

    /// Waits for a line that contains this.
    pub(crate) fn wait_for(&self, part: &str) -> String {
        let begun = crate::sandbox_optouts::now();
        while let Ok(line) = self.lines.recv_timeout(std::time::Duration::from_mins(2)) {
            self.seen.borrow_mut().push(line.clone());
            if line.contains(part) {
                return line;
            }
            // A daemon with a schedule never falls silent.
            if crate::sandbox_optouts::now().duration_since(begun)
                > jiff::SignedDuration::from_mins(10)
            {
                break;
            }
        }
        panic!("no line with {part:?} in {:#?}", self.seen.borrow());
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, as `kill` takes it.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.pid().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(status.success(), "kill -s {name} {id}");
    }

    /// Waits for its end; with all that it has ever said.
    pub(crate) fn finish(self) -> Ended {
        let seen = self.seen.take();
        let mut ended = self.end();
        ended.err = seen
            .into_iter()
            .chain(ended.err.lines().map(str::to_owned))
            .collect::<Vec<_>>()
            .join("\n");
        ended
    }

    /// Waits for its end; with what it said since the last line waited for.
    pub(crate) fn end(mut self) -> Ended {
        let status = self.child.wait().unwrap();
        let err: Vec<String> = self.lines.iter().collect();
        Ended {
            code: status.code(),
            signal: status.signal(),
            out: String::new(),
            err: err.join("\n"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
