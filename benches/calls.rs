//! Calls per record, counted by the sandbox.
//!
//! `cargo bench --bench calls [-- --contacts 5000]`
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
use common::{BY_FILTER, BY_URI, PROGRAM, Result, argument, count, finish, heading, line, tell};
use serde_json::json;

/// What one pass asked of Campaign and of Dynamics.
#[derive(Clone, Copy, Default)]
struct Asked {
    /// Calls about records.
    records: u64,
    /// Metadata of the resource.
    metadata: u64,
    /// Pages of the listing before a first load.
    listing: u64,
    /// Pages of rows from Dynamics.
    pages: u64,
    /// Everything else asked of Dynamics.
    other: u64,
}

fn main() -> ExitCode {
    finish(measure())
}

fn measure() -> Result<bool> {
    let contacts = argument("contacts", 5000)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut holds = true;
    for (name, key, updated, deleted) in
        [("key in the URI", BY_URI, 1, 1), ("key through a filter", BY_FILTER, 2, 2)]
    {
        holds &= runtime.block_on(one(name, key, contacts, updated, deleted))?;
    }
    Ok(holds)
}

/// All passes with one way to find a record.
async fn one(name: &str, key: &str, contacts: u64, updated: u64, deleted: u64) -> Result<bool> {
    let options = SandboxOptions { contacts: usize::try_from(contacts)?, ..Default::default() };
    let sandbox = Sandbox::start(options).await?;
    sandbox.requests().set_cap(usize::MAX);
    let directory = tempfile::tempdir()?;
    let config = common::configure_in_process(&sandbox, directory.path(), key)?;
    heading(&format!("{name}: Campaign calls per record"));
    let mut holds = true;
    let mut check = |what: &str, asked: Asked, records: u64, promised: u64| {
        let exact = asked.records == records * promised;
        let figure = per(asked.records, records);
        line(
            &format!("{what} ({} records)", count(records)),
            &figure,
            &promised.to_string(),
            exact,
        );
        holds &= exact;
    };
    let dynamics = sandbox.dynamics();
    let ids = dynamics.ids("contact");
    // Rows younger than the catch-up's margin are read twice; see the sum.
    let first = pass(&sandbox, &config).await?;
    check("new", first, contacts, 1);
    for id in ids.iter().take(ids.len() / 2) {
        dynamics.update("contact", *id, &json!({ "jobtitle": "unmapped" }))?;
    }
    let unchanged = pass(&sandbox, &config).await?;
    check("read again, nothing mapped changed", unchanged, contacts / 2, 0);
    for id in ids.iter().take(ids.len() / 4) {
        dynamics.update("contact", *id, &json!({ "lastname": "Changed" }))?;
    }
    let changed = pass(&sandbox, &config).await?;
    check("updated", changed, contacts / 4, updated);
    let gone = ids.len() / 50;
    for id in ids.iter().rev().take(gone) {
        dynamics.delete("contact", *id);
    }
    let removed = pass(&sandbox, &config).await?;
    check("deleted", removed, gone as u64, deleted);
    let rest = pass(&sandbox, &config).await?;
    check("at rest", rest, contacts, 0);
    println!(
        "\n{:<30} {:>9} {:>9} {:>9} {:>9} {:>16}",
        "beside the records' calls", "metadata", "listing", "pages", "other", "Dynamics/1000"
    );
    for (pass, asked, rows) in [
        ("first load", first, contacts),
        ("nothing mapped changed", unchanged, contacts / 2),
        ("updated", changed, contacts / 4),
        ("deleted", removed, gone as u64),
        ("at rest", rest, 0),
    ] {
        let all = asked.pages + asked.other;
        println!(
            "{pass:<30} {:>9} {:>9} {:>9} {:>9} {:>16}",
            asked.metadata,
            asked.listing,
            asked.pages,
            asked.other,
            if rows == 0 { "-".to_owned() } else { per(all * 1000, rows) }
        );
    }
    sandbox.stop().await;
    Ok(holds)
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn per(calls: u64, records: u64) -> String {
    format!("{:.2}", calls as f64 / records.max(1) as f64)
}

/// One run of the program, and what it asked.
async fn pass(sandbox: &Sandbox, config: &Path) -> Result<Asked> {
    sandbox.requests().clear();
    let config = config.to_owned();
    let status = tokio::task::spawn_blocking(move || {
        Command::new(PROGRAM)
            .args(["--log-level", "error", "--config"])
            .arg(config)
            .args(["sync", "ingress"])
            .status()
    })
    .await??;
    if !status.success() {
        return Err(format!("cdsync ended with {status}").into());
    }
    let mut asked = Asked::default();
    for entry in sandbox.requests().entries() {
        let path = entry.path.split('?').next().unwrap_or_default();
        match entry.system {
            System::Campaign if path.ends_with("/resourceType/profile") => asked.metadata += 1,
            System::Campaign if path.contains("/metadata") => asked.metadata += 1,
            System::Campaign if entry.method == "GET" && listing(&entry.path) => asked.listing += 1,
            System::Campaign => asked.records += 1,
            System::Dynamics if path.ends_with("/contacts") => asked.pages += 1,
            System::Dynamics => asked.other += 1,
            System::Entra | System::Ims | System::Journal | System::Sandbox => {}
        }
    }
    tell(&format!("  a pass asked {} calls about records", count(asked.records)));
    Ok(asked)
}

/// Whether a GET is a page of the whole resource and not of one record.
fn listing(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    path.ends_with("/profile") || path.ends_with("/profile/")
}
