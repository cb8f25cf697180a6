//! A first load through the program, against a bare client loop that sends the
//! same requests at the same concurrency to an equal sandbox.
//!
//! `cargo bench --bench push [-- --contacts 100000 --rounds 3 --in-flight 8]`
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
use std::time::Duration;

use common::{RATE, Result, Sandbox, argument, bare, count, finish, heading, line, sync, tell};

/// The most the program may take, in times of the bare loop.
const PROMISE: f64 = 1.3;

/// Fields that differ from one sandbox to the next; `createdon` is counted back
/// from the moment it starts.
const OWN: [&str; 4] = ["PKey", "href", "cryptedId", "cusCustomerSince"];

fn main() -> ExitCode {
    finish(measure())
}

fn measure() -> Result<bool> {
    let contacts = argument("contacts", 100_000)?;
    let rounds = argument("rounds", 3)?;
    let in_flight = argument("in-flight", 8)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (mut ours, mut bares, mut free) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        tell(&format!("round {round} of {rounds}: bare loop, {} contacts", count(contacts)));
        let sandbox = Sandbox::start(contacts)?;
        free.push(run_bare(&runtime, &sandbox, in_flight, None)?.0);
        drop(sandbox);
        tell(&format!("round {round} of {rounds}: bare loop at the program's rate"));
        let other = Sandbox::start(contacts)?;
        let (time, keys) = run_bare(&runtime, &other, in_flight, Some(RATE))?;
        bares.push(time);
        tell(&format!("round {round} of {rounds}: cdsync sync ingress"));
        let sandbox = Sandbox::start(contacts)?;
        let config = sandbox.configure(common::BY_FILTER, in_flight)?;
        let run = sync(&config)?;
        tell(&format!("  {:.2} s", run.wall.as_secs_f64()));
        ours.push(run.wall);
        runtime.block_on(same(&sandbox, &other, &keys))?;
    }
    let (ours, bare, free) = (median(&mut ours), median(&mut bares), median(&mut free));
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    let holds = ratio <= PROMISE;
    heading(&format!("pushing {} contacts, {in_flight} in flight", count(contacts)));
    line("bare loop, median", &format!("{:.2} s", free.as_secs_f64()), "-", true);
    line("bare loop at the same rate, median", &format!("{:.2} s", bare.as_secs_f64()), "-", true);
    line("cdsync sync ingress, median", &format!("{:.2} s", ours.as_secs_f64()), "-", true);
    let unbounded = ours.as_secs_f64() / free.as_secs_f64();
    line("cdsync / bare loop", &format!("{unbounded:.2} x"), "-", true);
    line(
        "cdsync / bare loop at the same rate",
        &format!("{ratio:.2} x"),
        &format!("<= {PROMISE} x"),
        holds,
    );
    Ok(holds)
}

/// The bare client over a fresh sandbox: its time, and some of the keys.
fn run_bare(
    runtime: &tokio::runtime::Runtime,
    sandbox: &Sandbox,
    in_flight: u64,
    rate: Option<u64>,
) -> Result<(Duration, Vec<String>)> {
    let access = runtime.block_on(bare::Access::obtain(sandbox))?;
    let bodies = runtime.block_on(access.bodies())?;
    let keys = bodies.iter().step_by(1 + bodies.len() / 50).map(|body| bare::key(body)).collect();
    let time = runtime.block_on(access.push(bodies, in_flight, rate))?;
    tell(&format!("  {:.2} s", time.as_secs_f64()));
    Ok((time, keys))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Both clients must have written the same.
async fn same(one: &Sandbox, other: &Sandbox, keys: &[String]) -> Result<()> {
    let (one, other) = (bare::Access::obtain(one).await?, bare::Access::obtain(other).await?);
    for key in keys {
        let (left, right) = (one.profile(key).await?, other.profile(key).await?);
        for (field, value) in &left {
            let stamped = field.starts_with("lastModified")
                || field == "created"
                || field.ends_with("LastModified")
                || value.is_object();
            if !stamped && !OWN.contains(&field.as_str()) && right.get(field) != Some(value) {
                return Err(format!("{key}: {field} differs from the bare client's").into());
            }
        }
    }
    Ok(())
}
