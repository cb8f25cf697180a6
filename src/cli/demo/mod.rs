//! `demo`: the whole program on the embedded sandbox, over real HTTP and with
//! real tokens, and every record compared on both sides after each pass.

mod compare;
mod story;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{App, PassEnd, PassOptions, Requests, sync};
use crate::clock::Clock;
use crate::config::load;
use crate::model::{Flow, Stop};
use crate::sandbox::{Sandbox, SandboxOptions, System};
use crate::store::{Counts, Mode, Store};

use super::args::{self, Cli, Format, Global};
use super::exit::{End, Exit};
use super::output::{Align, count, many, print, print_json, say, table};
use super::progress::Progress;
use super::sandbox::{LINKED, configuration, egress};
use compare::{Comparison, compare, compare_optouts, compare_timeline};

/// Ends a pass that does not move.
const PATIENCE: Duration = Duration::from_mins(1);

/// What one pass did, for the summary.
struct Pass {
    name: &'static str,
    counts: Counts,
    reads: u64,
    writes: u64,
    source: u64,
    comparison: Comparison,
}

/// A directory that is removed at the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &args::Demo, clock: &Clock) -> Result<Exit, End> {
    let quiet = Global { log_level: quiet_level(cli), ..copy(&cli.global) };
    let progress = Progress::start(&quiet)?.or_plain(clock);
    progress.step("filling the sandbox");
    let sandbox = Sandbox::start(SandboxOptions {
        seed: arguments.seed,
        contacts: arguments.contacts as usize,
        ..SandboxOptions::default()
    })
    .await
    .map_err(|error| End::new(Exit::Usage, format!("the sandbox cannot start: {error}")))?;
    progress.say(&format!(
        "sandbox on {}: {} with {} and {} in Dynamics, none in Campaign",
        sandbox.origin(),
        many(u64::from(arguments.contacts), "contact"),
        many(sandbox.dynamics().count("new_vehicle") as u64, "vehicle"),
        many(sandbox.dynamics().count("new_servicevisit") as u64, "service visit"),
    ));
    let scratch = scratch(clock)?;
    let app = connect(&sandbox, &scratch, clock)?;
    let store = app.open_store(Mode::Durable).await?;
    let mut passes = Vec::new();
    for act in story::ACTS {
        progress.step(act.name);
        (act.change)(&sandbox, arguments.seed)
            .map_err(|error| End::new(Exit::Incomplete, format!("{}: {error}", act.name)))?;
        let pass = one_pass(&app, &store, &sandbox, &progress, act).await?;
        passes.push(pass);
    }
    progress.end();
    store.close().await;
    sandbox.stop().await;
    if arguments.json.json {
        summary_json(&passes)?;
    } else {
        summary(&passes)?;
    }
    verdict(&passes)
}

/// The demo speaks for itself: its log shows what needs a look.
fn quiet_level(cli: &Cli) -> args::Level {
    match cli.global.log_level {
        args::Level::Info => args::Level::Error,
        level @ (args::Level::Error
        | args::Level::Warn
        | args::Level::Debug
        | args::Level::Trace) => level,
    }
}

fn copy(global: &Global) -> Global {
    let log_format = match global.log_format {
        Format::Auto => Format::Pretty,
        format @ (Format::Json | Format::Pretty | Format::Journald) => format,
    };
    Global { config: global.config.clone(), log_format, log_level: global.log_level }
}

fn scratch(clock: &Clock) -> Result<Scratch, End> {
    use std::os::unix::fs::DirBuilderExt;
    let path = std::env::temp_dir().join(format!("cdsync-demo-{}", clock.guid()));
    std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
        End::new(Exit::Usage, format!("{} cannot be made: {error}", path.display()))
    })?;
    Ok(Scratch(path))
}

fn connect(sandbox: &Sandbox, scratch: &Scratch, clock: &Clock) -> Result<App, End> {
    let text = configuration(
        sandbox,
        &scratch.0.join("dynamics-secret"),
        &scratch.0.join("campaign-secret"),
        &scratch.0.join("cdsync.db"),
        vec![story::MAPPING.to_owned(), LINKED.to_owned()],
    )?;
    let egress = egress(sandbox, &scratch.0.join("sftp-key"), &scratch.0.join("known-hosts"))?;
    let mut config = load(&format!("{text}\n{egress}\n{}", story::OPTOUTS))?;
    // The look-alikes have no gateway to respect.
    config.campaign.requests_per_second = 10_000;
    config.dynamics.requests_per_5_minutes = 100_000;
    Ok(App::new(config, clock.clone())?)
}

async fn one_pass(
    app: &App,
    store: &Store,
    sandbox: &Sandbox,
    progress: &Progress,
    act: &story::Act,
) -> Result<Pass, End> {
    let name = act.name;
    let log = sandbox.requests();
    let before = calls(sandbox);
    let drawn = progress.clone();
    let mut watch = move |watch| drawn.show(name, watch);
    let options = PassOptions {
        patience: PATIENCE,
        requests: Requests::default(),
        stop: Stop::default(),
        again: false,
        asked: true,
        anew: true,
        before: None,
    };
    let report = sync(app, store, act.flow, options, &mut watch).await?;
    let after = calls(sandbox);
    match report.end {
        PassEnd::Done | PassEnd::Incomplete | PassEnd::TablesFailed => {}
        PassEnd::Refused(failure) => return Err(End::new(Exit::Refused, failure.to_string())),
        PassEnd::KeptRefusing(failure) | PassEnd::Spent(failure) => {
            return Err(End::new(Exit::Unreachable, failure.to_string()));
        }
        PassEnd::GaveUp | PassEnd::Stopped => {
            return Err(End::new(Exit::Unreachable, format!("{name}: nothing moved")));
        }
    }
    progress.step("comparing both sides");
    let comparison = match act.flow {
        Flow::Ingress => compare(sandbox),
        Flow::Optout => compare_optouts(sandbox, &story::voices(sandbox), act.name != "opt-outs"),
        Flow::Egress => compare_timeline(sandbox),
    };
    log.clear();
    Ok(Pass {
        name,
        counts: report.counts,
        reads: after.0 - before.0,
        writes: after.1 - before.1,
        source: after.2 - before.2,
        comparison,
    })
}

/// Campaign reads and writes, and Dynamics calls, as the servers saw them.
fn calls(sandbox: &Sandbox) -> (u64, u64, u64) {
    let log = sandbox.requests();
    let reads = log.count_of(System::Campaign, "GET");
    let all = log.count(System::Campaign);
    (reads, all - reads, log.count(System::Dynamics))
}

fn summary_json(passes: &[Pass]) -> Result<(), End> {
    let rows: Vec<Value> = passes
        .iter()
        .map(|pass| {
            json!({
                "pass": pass.name, "counts": pass.counts, "campaign_writes": pass.writes,
                "campaign_reads": pass.reads, "dynamics_calls": pass.source,
                "records": pass.comparison.records, "values": pass.comparison.values,
                "differences": pass.comparison.differences,
            })
        })
        .collect();
    Ok(print_json(&json!({ "passes": rows }))?)
}

fn summary(passes: &[Pass]) -> Result<(), End> {
    let columns = [
        ("pass", Align::Left),
        ("read", Align::Right),
        ("written", Align::Right),
        ("deleted", Align::Right),
        ("unchanged", Align::Right),
        ("filtered", Align::Right),
        ("dead", Align::Right),
        ("writes", Align::Right),
        ("look-ups", Align::Right),
        ("source calls", Align::Right),
        ("time", Align::Right),
        ("differ", Align::Right),
    ];
    let rows: Vec<Vec<String>> = passes
        .iter()
        .map(|pass| {
            vec![
                pass.name.to_owned(),
                count(pass.counts.read),
                count(pass.counts.written),
                count(pass.counts.deleted),
                count(pass.counts.unchanged),
                count(pass.counts.filtered),
                count(pass.counts.dead_lettered),
                count(pass.writes),
                count(pass.reads),
                count(pass.source),
                format!(
                    "{}.{:02} s",
                    pass.counts.duration_ms / 1000,
                    pass.counts.duration_ms % 1000 / 10
                ),
                count(pass.comparison.differences.len() as u64),
            ]
        })
        .collect();
    print(&table(&columns, &rows))?;
    let last = |wanted: fn(&Comparison) -> u64| {
        passes.iter().map(|pass| wanted(&pass.comparison)).rfind(|count| *count > 0).unwrap_or(0)
    };
    let records: u64 = passes.iter().map(|pass| pass.comparison.records).sum();
    let values: u64 = passes.iter().map(|pass| pass.comparison.values).sum();
    print(&format!(
        "dead: letters given up; writes and look-ups: calls of Campaign; source calls: of Dynamics and the journal\n\n\
         {} and {} compared over {}\n\
         at the end: {} with {} on each side, {} on the timeline, {} agreed on",
        many(records, "record"),
        many(values, "value"),
        many(passes.len() as u64, "pass"),
        many(last(|it| it.contacts), "contact"),
        many(last(|it| it.others), "linked record"),
        many(last(|it| it.activities), "activity"),
        many(last(|it| it.opt_outs), "opt-out"),
    ))?;
    if differences(passes).next().is_none() {
        print("nothing differs")?;
    }
    Ok(())
}

fn differences(passes: &[Pass]) -> impl Iterator<Item = &String> {
    passes.iter().flat_map(|pass| &pass.comparison.differences)
}

/// Done only when nothing differs, waits or was given up.
fn verdict(passes: &[Pass]) -> Result<Exit, End> {
    for difference in differences(passes).take(10) {
        say(&format!("  {difference}"));
    }
    let found = differences(passes).count() as u64;
    let left: u64 = passes.iter().map(|pass| pass.counts.dead_lettered + pass.counts.pending).sum();
    if found == 0 && left == 0 {
        return Ok(Exit::Done);
    }
    Err(End::new(
        Exit::Incomplete,
        format!("{}, {} not delivered", many(found, "difference"), many(left, "record")),
    ))
}
