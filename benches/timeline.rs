//! E-mail events from the journal to the timeline in Dynamics, against a bare
//! client loop that reads the same pages and sends batches of the same size.
//!
//! `cargo bench --bench timeline [-- --contacts 25000 --rounds 3]`
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    unreachable_pub,
    missing_docs,
    reason = "a program that measures time and prints figures"
)]

mod common;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use common::{PROGRAM, Result, Sandbox, argument, bare, count, finish, heading, line, tell};

/// Requests to Dynamics for each event, at most.
const PROMISE: f64 = 0.01;

/// Rows of a batch, as the program sends them unless told otherwise.
const BATCH: usize = 200;

/// What one client took.
struct Taken {
    events: u64,
    requests: u64,
    wall: Duration,
    /// Processor time in hundredths of a second.
    ticks: u64,
}

impl Taken {
    fn micros_per_event(&self) -> f64 {
        self.ticks as f64 * 10_000.0 / self.events.max(1) as f64
    }

    fn events_per_second(&self) -> f64 {
        self.events as f64 / self.wall.as_secs_f64()
    }
}

fn main() -> ExitCode {
    finish(measure())
}

fn measure() -> Result<bool> {
    let contacts = argument("contacts", 25_000)?;
    let rounds = argument("rounds", 3)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (mut ours, mut bares) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        tell(&format!(
            "round {round} of {rounds}: bare loop, mail to {} contacts",
            count(contacts)
        ));
        let sandbox = Sandbox::start(contacts)?;
        let before = ticks(std::process::id()).unwrap_or(0);
        let told = runtime
            .block_on(async { bare::Access::obtain(&sandbox).await?.timeline(BATCH, 8).await })?;
        let ticks = ticks(std::process::id()).unwrap_or(0) - before;
        let (events, requests) = (told.activities, told.requests);
        bares.push(Taken { events, requests, wall: told.wall, ticks });
        drop(sandbox);
        tell(&format!("round {round} of {rounds}: cdsync sync egress"));
        let sandbox = Sandbox::start(contacts)?;
        ours.push(sync(&sandbox.journal_alone()?)?);
    }
    let (ours, bare) = (median(&mut ours)?, median(&mut bares)?);
    let per_event = ours.requests as f64 / ours.events as f64;
    let holds = per_event <= PROMISE;
    heading(&format!("{} events onto the timeline", count(ours.events)));
    let told = |what: &str, taken: &Taken| {
        let rate = format!("{:.0} /s", taken.events_per_second());
        line(&format!("{what}: events"), &rate, "-", true);
        let cost = format!("{:.0} µs", taken.micros_per_event());
        line(&format!("{what}: processor time of an event"), &cost, "-", true);
    };
    told("bare loop", &bare);
    told("cdsync sync egress", &ours);
    let ratio = ours.micros_per_event() / bare.micros_per_event().max(1.0);
    line("processor time, cdsync / bare loop", &format!("{ratio:.2} x"), "-", true);
    let text = format!("{per_event:.4}");
    line("requests to Dynamics for an event", &text, &format!("<= {PROMISE}"), holds);
    Ok(holds)
}

/// Runs `cdsync sync egress` to its end.
fn sync(config: &Path) -> Result<Taken> {
    let log = std::fs::File::create(config.with_extension("log"))?;
    let began = Instant::now();
    let mut child = Command::new(PROGRAM)
        .args(["--log-format", "json", "--log-level", "info", "--config"])
        .arg(config)
        .args(["sync", "egress"])
        .stderr(log)
        .spawn()?;
    let mut used = 0;
    let status = loop {
        used = ticks(child.id()).unwrap_or(0).max(used);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let wall = began.elapsed();
    let log = std::fs::read_to_string(config.with_extension("log"))?;
    let finished = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find(|line| line["event"] == "flow.finished")
        .ok_or_else(|| format!("cdsync ended with {status} and no flow.finished"))?;
    let number = |name: &str| finished[name].as_u64().unwrap_or(0);
    tell(&format!("  {:.2} s, {} written", wall.as_secs_f64(), count(number("written"))));
    Ok(Taken { events: number("written"), requests: number("calls"), wall, ticks: used })
}

/// A process's processor time so far, in hundredths of a second.
fn ticks(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

fn median(taken: &mut Vec<Taken>) -> Result<Taken> {
    taken.sort_by_key(|one| one.wall);
    let middle = taken.len() / 2;
    if middle < taken.len() { Ok(taken.swap_remove(middle)) } else { Err("no rounds".into()) }
}
