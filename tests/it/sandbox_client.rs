//! Adobe's own client reads the sandbox's journal: `@adobe/aio-lib-events`, at
//! the version of `tests/conformance/package-lock.json`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use cdsync::sandbox::{
    EventIds, Fault, FaultPlan, FaultRule, Mailing, Sandbox, SandboxOptions, System, Variants,
};
use serde_json::{Value, json};

use crate::conform_rig::node_modules;

struct Stage {
    sandbox: Sandbox,
    modules: PathBuf,
    home: tempfile::TempDir,
    // Last: the look-alikes run on it.
    _runtime: tokio::runtime::Runtime,
}

impl Stage {
    fn new(variants: Variants) -> Self {
        let modules = node_modules();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = SandboxOptions { contacts: 8, variants, ..SandboxOptions::default() };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        Self { sandbox, modules, home: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let known = self.sandbox.credentials();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/journal.cjs");
        let mut command = Command::new("node");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("NODE_PATH", &self.modules);
        command.env("HOME", self.home.path()).current_dir(self.home.path());
        command.env("TOKEN_URL", format!("{}/ims/token/v3", self.sandbox.origin()));
        command.env("CLIENT_ID", known.campaign_client_id);
        command.env("CLIENT_SECRET", known.campaign_client_secret);
        command.env("ORGANIZATION", known.organization_id);
        command.arg(script).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// One request by the client.
    fn read(&self, url: &str, options: &Value) -> Value {
        let output = self.command(&["read", url, &options.to_string()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn poll(&self, options: &Value, events: usize) -> Poller {
        let url = self.sandbox.journal().url();
        let arguments = ["poll", &url, &options.to_string(), &events.to_string()];
        let mut child = self.command(&arguments).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Poller { child, lines }
    }

    /// Requests to the journal so far.
    fn asked(&self) -> Vec<String> {
        let entries = self.sandbox.requests().entries();
        let journal = entries.into_iter().filter(|entry| entry.system == System::Journal);
        journal.map(|entry| format!("{} {}", entry.status, entry.path)).collect()
    }
}

struct Poller {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Poller {
    /// The next event.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn numbers(answer: &Value) -> Vec<i64> {
    let events = answer["events"].as_array().unwrap_or_else(|| panic!("no events: {answer}"));
    events.iter().map(|event| event["event"]["n"].as_i64().unwrap()).collect()
}

#[test]
fn adobes_client_reads_pages_and_follows_the_links() {
    let stage = Stage::new(Variants::default());
    let journal = stage.sandbox.journal();
    let events: Vec<Value> = (0..5).map(|n| json!({ "n": n })).collect();
    let positions = journal.add(&events);
    let url = journal.url();

    let first = stage.read(&url, &json!({"limit": 2}));
    assert_eq!(numbers(&first), [0, 1]);
    assert_eq!(first["_page"], json!({"last": positions[1], "count": 2}));
    let next = first["link"]["next"].as_str().unwrap();
    let expected = url.replace("/events/", "/events-fast/");
    assert_eq!(next, format!("{expected}?since={}&limit=2", positions[1]));
    assert_eq!(first["link"]["latest"], format!("{url}?latest=true"));

    assert_eq!(numbers(&stage.read(next, &json!({}))), [2, 3]);
    assert_eq!(numbers(&stage.read(&url, &json!({"since": positions[3]}))), [4]);
    let end = stage.read(&url, &json!({"latest": true}));
    assert_eq!((&end["events"], &end["retryAfter"]), (&Value::Null, &json!(10_000)));
    journal.add(&[json!({"n": 5})]);
    let next = end["link"]["next"].as_str().unwrap();
    assert_eq!(numbers(&stage.read(next, &json!({}))), [5]);
}

#[test]
fn adobes_client_is_told_of_expired_positions_and_of_refusals() {
    let stage = Stage::new(Variants::default());
    let journal = stage.sandbox.journal();
    let positions = journal.add(&[json!({"n": 0}), json!({"n": 1})]);
    journal.expire_oldest(1);
    let error = |answer: Value| answer["error"].as_str().unwrap().to_owned();
    let gone = error(stage.read(&journal.url(), &json!({"since": positions[0]})));
    assert!(gone.contains("get journal events failed with 410 Gone"), "{gone}");
    let rule = FaultRule::always(Fault::Throttle { retry_after: 1 });
    let rule = FaultRule { system: Some(System::Journal), ..rule };
    stage.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    let throttled = error(stage.read(&journal.url(), &json!({})));
    assert!(throttled.contains("429"), "{throttled}");
}

#[test]
fn adobes_poller_waits_after_204_and_goes_on_with_what_is_new() {
    let variants = Variants { journal_batch: 3, journal_retry_after: 1, ..Variants::default() };
    let stage = Stage::new(variants);
    let mail = stage.sandbox.mail();
    let facts = mail.send(&Mailing { odd_ones: false, ..Mailing::default() });
    let (first, rest) = facts.split_at(7);
    mail.publish(first, EventIds::Journal);
    let mut poller = stage.poll(&json!({}), facts.len());
    let id = |event: &Value| event["event"]["eventid"].as_str().unwrap().to_owned();
    for fact in first {
        assert_eq!(id(&poller.next()), fact.event_id.to_string());
    }
    let empty = || stage.asked().iter().filter(|line| line.starts_with("204 ")).count();
    while empty() == 0 {
        std::thread::yield_now();
    }
    mail.publish(rest, EventIds::Journal);
    for fact in rest {
        assert_eq!(id(&poller.next()), fact.event_id.to_string());
    }
    assert!(poller.child.wait().unwrap().success());
    let asked = stage.asked();
    assert!(!asked[0].contains('?'), "{asked:?}");
    assert!(asked[1..].iter().all(|line| line.contains(" /events-fast/")), "{asked:?}");
}
