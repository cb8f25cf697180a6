//! Opt-outs from one side to the other: how many passes they take, which are
//! periods of the schedule, and how many requests.
//!
//! `cargo bench --bench consent [-- --contacts 2000 --flags 100]`
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    unreachable_pub,
    missing_docs,
    reason = "a program that counts and prints figures"
)]

mod common;

use std::path::Path;
use std::process::{Command, ExitCode};

use cdsync::sandbox::{Sandbox, SandboxOptions, System};
use common::{BY_FILTER, PROGRAM, Result, argument, configure_in_process, count, finish};
use common::{heading, line, tell};
use serde_json::json;

/// Passes after which nobody waits any more.
const MOST: u64 = 5;

const OPTOUT: &str = r#"
[optout]
direction = "bidirectional"
source = "rest"
pairs = [ { dynamics = "donotfax", campaign = "blackListFax" } ]
[optout.rest]
filter = "byModifiedSince"
parameter = "since_parameter"
"#;

/// What it took to bring flags to the other side.
struct Way {
    passes: u64,
    requests: u64,
}

fn main() -> ExitCode {
    finish(measure())
}

fn measure() -> Result<bool> {
    let contacts = argument("contacts", 2_000)?;
    let flags = argument("flags", 100)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let options =
        SandboxOptions { contacts: usize::try_from(contacts)?, ..SandboxOptions::default() };
    let sandbox = runtime.block_on(Sandbox::start(options))?;
    let directory = tempfile::tempdir()?;
    let config = configure_in_process(&sandbox, directory.path(), BY_FILTER)?;
    let text = std::fs::read_to_string(&config)?;
    std::fs::write(&config, format!("{text}{OPTOUT}"))?;
    tell(&format!("{} contacts: first load, first pass of the flow", count(contacts)));
    sync(&config, "ingress")?;
    sync(&config, "optout")?;
    let people: Vec<String> = sandbox
        .dynamics()
        .ids("contact")
        .into_iter()
        .take(usize::try_from(2 * flags)?)
        .map(|id| id.to_string())
        .collect();
    let (here, there) = people.split_at(people.len() / 2);
    for id in here {
        sandbox.dynamics().update("contact", id.parse()?, &json!({ "donotfax": true }))?;
    }
    tell("opted out in Dynamics");
    let to_campaign = until(&sandbox, &config, || {
        let profiles = sandbox.campaign().rows("profile");
        profiles.iter().filter(|row| row["blackListFax"] == true).count() as u64 >= flags
    })?;
    for id in there {
        let fields = json!({ "blackListFax": true });
        sandbox.campaign().update("profile", "externalId", id, &fields)?;
    }
    tell("opted out in Campaign");
    let to_dynamics = until(&sandbox, &config, || {
        let out = |id: &&String| {
            let row = id.parse().ok().and_then(|id| sandbox.dynamics().get("contact", id));
            row.is_some_and(|row| row["donotfax"] == true)
        };
        there.iter().filter(out).count() as u64 == flags
    })?;
    let idle = until(&sandbox, &config, || true)?;
    heading(&format!("{} opt-outs each way, periods of the schedule", count(flags)));
    let mut holds = true;
    for (what, way) in
        [("Dynamics to Campaign", &to_campaign), ("Campaign to Dynamics", &to_dynamics)]
    {
        let fine = way.passes == 1;
        holds &= fine;
        line(&format!("{what}: periods"), &way.passes.to_string(), "1", fine);
        let each = way.requests.saturating_sub(idle.requests) as f64 / flags as f64;
        line(&format!("{what}: requests for a flag"), &format!("{each:.2}"), "-", true);
    }
    line("requests of a pass without news", &idle.requests.to_string(), "-", true);
    runtime.block_on(sandbox.stop());
    Ok(holds)
}

/// Runs passes until the flags have arrived; at least one.
fn until(sandbox: &Sandbox, config: &Path, arrived: impl Fn() -> bool) -> Result<Way> {
    let log = sandbox.requests();
    log.clear();
    for passes in 1..=MOST {
        sync(config, "optout")?;
        if arrived() {
            let requests = log.count(System::Dynamics) + log.count(System::Campaign);
            return Ok(Way { passes, requests });
        }
    }
    Err(format!("not there after {MOST} passes").into())
}

/// Runs a pass to its end.
fn sync(config: &Path, flow: &str) -> Result<()> {
    let ended = Command::new(PROGRAM)
        .args(["--log-format", "json", "--log-level", "error", "--config"])
        .arg(config)
        .args(["sync", flow])
        .output()?;
    if ended.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", ended.status, String::from_utf8_lossy(&ended.stderr)).into())
}
