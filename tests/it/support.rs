//! A world for the ingress tests: look-alikes in this process, the real binary
//! beside it, a real store in a directory of its own.
//!
//! Owns: running commands and reading what they say. Must not know one line of
//! the program it runs.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use cdsync::sandbox::{
    Fault, FaultPlan, FaultRule, LogEntry, Sandbox, SandboxOptions, System, Variants,
};
use serde_json::Value;
use tokio::runtime::Runtime;
use uuid::Uuid;

pub(crate) use crate::ingress_tables::{FIELDS, STORES, by_filter, by_uri};

/// What a world begins with.
pub(crate) struct Setup {
    pub(crate) contacts: usize,
    pub(crate) seed: u64,
    pub(crate) page_rows: u32,
    pub(crate) tables: String,
    pub(crate) variants: Variants,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            contacts: 24,
            seed: 7,
            page_rows: 5000,
            tables: by_filter("apply_deletes = true", FIELDS),
            variants: Variants::default(),
        }
    }
}

/// What `flow.finished` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) unchanged: u64,
    pub(crate) filtered: u64,
    pub(crate) deleted: u64,
    pub(crate) pending: u64,
    pub(crate) dead_lettered: u64,
}

/// An ended command.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Every line of stderr, each of which must be one JSON object.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let line = |line: &str| match serde_json::from_str::<Value>(line) {
            Ok(value) if value.is_object() => value,
            Ok(_) | Err(_) => panic!("a line of the log is not a JSON object: {line}"),
        };
        self.stderr.lines().map(line).collect()
    }

    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["event"] == name).collect()
    }

    pub(crate) fn event(&self, name: &str) -> Value {
        let events = self.events(name);
        assert_eq!(events.len(), 1, "one {name} in {}", self.stderr);
        events.into_iter().next().unwrap()
    }

    /// The counts of the pass, which must add up.
    pub(crate) fn counts(&self) -> Counts {
        let event = self.event("flow.finished");
        let number = |name: &str| event[name].as_u64().unwrap_or_else(|| panic!("{name}: {event}"));
        let counts = Counts {
            read: number("read"),
            written: number("written"),
            unchanged: number("unchanged"),
            filtered: number("filtered"),
            deleted: number("deleted"),
            pending: number("pending"),
            dead_lettered: number("dead_lettered"),
        };
        let rest = counts.written + counts.unchanged + counts.filtered + counts.deleted;
        assert_eq!(
            counts.read,
            rest + counts.pending + counts.dead_lettered,
            "counts that do not add up: {}",
            self.stderr
        );
        number("calls");
        number("duration_ms");
        counts
    }

    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; stdout: {} stderr: {}", self.stdout, self.stderr);
        self
    }
}

/// Both look-alikes and a place for the program.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) dir: tempfile::TempDir,
    page_rows: u32,
    // Last: the look-alikes run on it.
    _runtime: Runtime,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let Setup { contacts, seed, page_rows, tables, variants } = setup;
        let options = SandboxOptions { seed, contacts, variants, ..SandboxOptions::default() };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let world = Self { sandbox, dir, page_rows, _runtime: runtime };
        let known = world.sandbox.credentials();
        world.secret("dynamics-secret", &known.dynamics_client_secret);
        world.secret("campaign-secret", &known.campaign_client_secret);
        world.configure(&tables);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a secret so that nobody else can read it.
    pub(crate) fn secret(&self, name: &str, text: &str) {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(self.path(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Writes the configuration with these tables.
    pub(crate) fn configure(&self, tables: &str) {
        let (known, origin) = (self.sandbox.credentials(), self.sandbox.origin());
        let path = |name: &str| self.path(name).display().to_string();
        let text = format!(
            "[dynamics]\nurl = \"{origin}\"\ntenant = \"{}\"\nclient_id = \"{}\"\nclient_secret = {{ file = \"{}\" }}\nauthority_url = \"{origin}\"\nrequests_per_5_minutes = 100000\npage_rows = {}\n\n[campaign]\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = {{ file = \"{}\" }}\norganization_id = \"{}\"\nims_url = \"{origin}\"\nrequests_per_second = 10000\nread_back = \"0s\"\n\n[store]\npath = \"{}\"\n\n[ingress]\n{tables}",
            known.tenant,
            known.dynamics_client_id,
            path("dynamics-secret"),
            self.page_rows,
            self.sandbox.campaign_url(),
            known.campaign_client_id,
            path("campaign-secret"),
            known.organization_id,
            path("store.db"),
        );
        std::fs::write(self.path("config.toml"), text).unwrap();
    }

    /// The program with these arguments, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdsync"));
        command.env_clear().current_dir(self.dir.path()).stdin(Stdio::null());
        command.args(["--config", "config.toml", "--log-format", "json"]).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// One pass; its log and its counts are checked.
    pub(crate) fn sync(&self) -> Run {
        self.sync_for("60")
    }

    /// One pass that gives up after so many seconds without progress.
    pub(crate) fn sync_for(&self, patience: &str) -> Run {
        let run = self.run(&["sync", "ingress", "--patience", patience]);
        if run.code != 5 && run.code != 2 {
            run.counts();
        }
        run
    }

    /// A pass in which all must be done.
    #[track_caller]
    pub(crate) fn synced(&self) -> Counts {
        self.sync().ends(0).counts()
    }

    /// A pass that must leave both sides equal.
    #[track_caller]
    pub(crate) fn equal_after_sync(&self) -> Counts {
        let counts = self.synced();
        self.equal();
        counts
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(arguments).ends(0);
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stdout))
    }

    pub(crate) fn status(&self) -> Value {
        self.json(&["status", "--json"])
    }

    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        self.json(&["dead-letters", "list", "--json"]).as_array().unwrap().clone()
    }

    /// One object per line.
    pub(crate) fn plan(&self) -> Vec<Value> {
        let run = self.run(&["plan", "ingress", "--json"]).ends(0);
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn contacts(&self) -> Vec<Uuid> {
        self.sandbox.dynamics().ids("contact")
    }

    pub(crate) fn change(&self, id: Uuid, changes: &Value) {
        self.sandbox.dynamics().update("contact", id, changes).unwrap();
    }

    pub(crate) fn add(&self, row: &Value) -> Uuid {
        self.sandbox.dynamics().insert("contact", row).unwrap()
    }

    pub(crate) fn delete(&self, id: Uuid) {
        assert!(self.sandbox.dynamics().delete("contact", id));
    }

    /// The one profile of a contact.
    #[track_caller]
    pub(crate) fn profile(&self, id: Uuid) -> serde_json::Map<String, Value> {
        let mut found = self.profiles_of(id);
        assert_eq!(found.len(), 1, "profiles of {id}");
        found.pop().unwrap()
    }

    pub(crate) fn profiles_of(&self, id: Uuid) -> Vec<serde_json::Map<String, Value>> {
        let campaign = self.sandbox.campaign();
        let mut found = campaign.by_key("profile", "externalId", &id.to_string());
        found.extend(campaign.by_key("profile", "cusCrmId", &id.to_string()));
        found
    }

    #[track_caller]
    pub(crate) fn equal(&self) {
        self.equal_but(" is ever left out ");
    }

    /// Equal, but for one field of Campaign.
    #[track_caller]
    pub(crate) fn equal_but(&self, field: &str) {
        let mut differences = crate::ingress_compare::compare(&self.sandbox);
        differences.retain(|difference| !difference.contains(field));
        assert!(differences.is_empty(), "{differences:#?}");
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        self.sandbox.requests().clear();
    }

    /// Requests to one system, in order.
    pub(crate) fn asked(&self, system: System) -> Vec<LogEntry> {
        let mut entries = self.sandbox.requests().entries();
        entries.retain(|entry| entry.system == system);
        entries
    }

    /// Requests for pages of contacts.
    pub(crate) fn pages(&self) -> Vec<LogEntry> {
        let mut entries = self.asked(System::Dynamics);
        entries.retain(|entry| entry.path.contains("/contacts?"));
        entries
    }

    /// Method and path of each request that changes Campaign.
    pub(crate) fn writes(&self) -> Vec<(String, String)> {
        let mut entries = self.asked(System::Campaign);
        entries.retain(|entry| entry.method != "GET");
        entries.into_iter().map(|entry| (entry.method, entry.path)).collect()
    }

    /// Methods of the requests that change Campaign.
    pub(crate) fn verbs(&self) -> Vec<String> {
        let mut verbs: Vec<String> = self.writes().into_iter().map(|(verb, _)| verb).collect();
        verbs.sort();
        verbs
    }

    /// Reads of single records: neither metadata nor the one listing.
    pub(crate) fn lookups(&self) -> usize {
        let mut entries = self.asked(System::Campaign);
        entries.retain(|entry| {
            entry.method == "GET"
                && !entry.path.contains("resourceType")
                && !entry.path.contains("_forcePagination")
        });
        entries.len()
    }

    /// Plays one fault by one rule.
    pub(crate) fn play(&self, rule: FaultRule) {
        self.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    }

    pub(crate) fn calm(&self) {
        self.sandbox.set_faults(FaultPlan::default());
    }

    /// Removes the store, as someone who lost the disk.
    pub(crate) fn lose_store(&self) {
        for name in ["store.db", "store.db-wal", "store.db-shm"] {
            // Only the first is always there.
            let _ = std::fs::remove_file(self.path(name));
        }
    }
}

/// A fault in the way of pages of contacts.
pub(crate) fn on_pages(fault: Fault) -> FaultRule {
    FaultRule {
        system: Some(System::Dynamics),
        path: Some("/contacts?".to_owned()),
        ..FaultRule::always(fault)
    }
}

/// A fault in the way of writes with this method.
pub(crate) fn on_writes(method: &str, fault: Fault) -> FaultRule {
    FaultRule {
        system: Some(System::Campaign),
        method: Some(method.to_owned()),
        ..FaultRule::always(fault)
    }
}

/// This status, without a body.
pub(crate) fn status(code: u16) -> Fault {
    Fault::Status { code, body: String::new() }
}
