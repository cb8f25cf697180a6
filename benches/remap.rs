//! A changed mapping touches the records that it can concern, and no others.
//!
//! `cargo bench --bench remap [-- --contacts 100000]`
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a program that counts and prints figures"
)]

mod common;

use std::path::Path;
use std::process::{Command, ExitCode};

use cdsync::sandbox::{Sandbox, SandboxOptions, System};
use common::{BY_URI, PROGRAM, Result, argument, count, finish, heading, line, tell};
use serde_json::{Value, json};

/// As the configuration of the measurements has it.
const NOTE: &str = "{ from = \"description\", to = \"cusNote\" }";

/// With a replacement for one in a hundred.
const REPLACED: &str = "{ from = \"description\", to = \"cusNote\", replace = [{ value = \"Chief\", with = \"Boss\" }] }";

fn main() -> ExitCode {
    finish(measure())
}

fn measure() -> Result<bool> {
    let contacts = argument("contacts", 100_000)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(both(contacts))
}

/// What a pass asked for.
struct Asked {
    /// Records written.
    written: u64,
    /// Pages of all rows.
    full: u64,
    /// Requests for rows by their ids.
    by_id: u64,
}

async fn both(contacts: u64) -> Result<bool> {
    let options = SandboxOptions { contacts: usize::try_from(contacts)?, ..Default::default() };
    let sandbox = Sandbox::start(options).await?;
    sandbox.requests().set_cap(usize::MAX);
    let directory = tempfile::tempdir()?;
    let config = common::configure_in_process(&sandbox, directory.path(), BY_URI)?;
    let dynamics = sandbox.dynamics();
    let (mut chiefs, mut men) = (0, 0);
    for (number, id) in dynamics.ids("contact").into_iter().enumerate() {
        if number % 100 == 0 {
            dynamics.update("contact", id, &json!({ "description": "Chief" }))?;
            chiefs += 1;
        }
        let row = dynamics.get("contact", id).ok_or("a contact is gone")?;
        men += u64::from(row.get("gendercode") == Some(&json!(1)));
    }
    tell(&format!("first load of {} contacts", count(contacts)));
    pass(&sandbox, &config).await?;
    heading("records touched by a changed mapping");
    let mut holds = true;
    for (what, from, to, concerned) in [
        ("a replacement in a text", NOTE, REPLACED, chiefs),
        ("a replacement of a choice", "with = \"male\"", "with = \"unknown\"", men),
    ] {
        let text = std::fs::read_to_string(&config)?;
        std::fs::write(&config, text.replacen(from, to, 1))?;
        let planned = planned(&config).await?;
        let asked = pass(&sandbox, &config).await?;
        let exact = asked.written == concerned && planned == concerned;
        line(what, &count(asked.written), &count(concerned), exact);
        let few = concerned * 5 < contacts;
        let read = format!("{} by id, {} pages", asked.by_id, asked.full);
        let as_told = (asked.full == 0) == few;
        line("  read", &read, if few { "by id" } else { "in full" }, as_told);
        holds &= exact && as_told;
    }
    sandbox.stop().await;
    Ok(holds)
}

/// How many records `plan` says the change concerns.
async fn planned(config: &Path) -> Result<u64> {
    let config = config.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(PROGRAM);
        command.args(["--log-level", "error", "--config"]).arg(config);
        command.args(["plan", "ingress", "--json"]).output()
    })
    .await??;
    let text = String::from_utf8(output.stdout)?;
    let first: Value = serde_json::from_str(text.lines().next().unwrap_or("{}"))?;
    Ok(first.get("rows").and_then(Value::as_u64).unwrap_or(0))
}

async fn pass(sandbox: &Sandbox, config: &Path) -> Result<Asked> {
    sandbox.requests().clear();
    let config = config.to_owned();
    let status = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(PROGRAM);
        command.args(["--log-level", "error", "--config"]).arg(config);
        command.args(["sync", "ingress"]).status()
    })
    .await??;
    if !status.success() {
        return Err(format!("cdsync ended with {status}").into());
    }
    let mut asked = Asked { written: 0, full: 0, by_id: 0 };
    for entry in sandbox.requests().entries() {
        let rows = entry.system == System::Dynamics && entry.path.contains("/contacts?");
        if entry.system == System::Campaign && entry.method != "GET" {
            asked.written += 1;
        } else if rows && entry.path.contains("contactid%20eq") {
            asked.by_id += 1;
        } else if rows && !entry.path.contains("deltatoken") {
            asked.full += 1;
        }
    }
    Ok(asked)
}
