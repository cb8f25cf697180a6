//! Resident memory of a first load: it must not grow with the number of
//! records.
//!
//! `cargo bench --bench memory [-- --contacts 1000000 --fewer 100000]`
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a program that measures time and prints figures"
)]

mod common;

use std::process::ExitCode;

use common::{Result, Sandbox, argument, count, finish, heading, line, peak_kib_of, sync, tell};

/// The most a first load may have resident, in KiB.
const MOST: u64 = 128 * 1024;
/// The most it may have beyond the smaller load, in KiB.
const GROWTH: u64 = 16 * 1024;

fn main() -> ExitCode {
    finish(measure())
}

fn measure() -> Result<bool> {
    let contacts = argument("contacts", 1_000_000)?;
    let fewer = argument("fewer", 100_000)?;
    let small = load(fewer)?;
    let large = load(contacts)?;
    let growth = large.saturating_sub(small);
    let (bounded, flat) = (large <= MOST, growth <= GROWTH);
    heading("largest resident set of a first load");
    line(&format!("{} contacts", count(fewer)), &mib(small), "-", true);
    line(&format!("{} contacts", count(contacts)), &mib(large), "<= 128 MiB", bounded);
    line("growth between them", &mib(growth), "<= 16 MiB", flat);
    Ok(bounded && flat)
}

fn load(contacts: u64) -> Result<u64> {
    tell(&format!("first load of {} contacts", count(contacts)));
    let sandbox = Sandbox::start(contacts)?;
    let config = sandbox.configure(common::BY_FILTER, 8)?;
    let run = sync(&config)?;
    tell(&format!(
        "  {:.1} s, {}; the sandbox itself {}",
        run.wall.as_secs_f64(),
        mib(run.peak_kib),
        mib(peak_kib_of(sandbox.pid()).unwrap_or(0))
    ));
    Ok(run.peak_kib)
}

fn mib(kib: u64) -> String {
    format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024)
}
