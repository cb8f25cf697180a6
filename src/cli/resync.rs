//! `resync`: replay, comparison, repair.

use std::io;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::app::{
    App, Ended, Others, PassEnd, PassOptions, Report, Requests, Wish, ask, forget_comparisons,
    sync, verify,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{Desk, Piece};
use crate::model::{Flow, RecordId, Stop, TableName};
use crate::store::{Mode, Purpose, Store, StoreError};
use crate::telemetry::ResyncJoined;

use super::args::{Cli, Resync};
use super::config::{app, needs_ingress};
use super::desk::Request;
use super::drift::{sum_up, tell_unknown, unknown, write_out};
use super::exit::{End, Exit};
use super::output::{Spoken, age, count, data, print};
use super::progress::Progress;
use super::remote;
use super::slices::{Slices, hand_over};
use super::sync::{end_process, exit_of, interrupted};

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &Resync, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    let app = app(&cli.global, clock)?;
    needs_ingress(&app.config)?;
    let wish = wish(arguments, &app.config)?;
    let store = match app.open_store(Mode::Durable).await {
        Ok(store) => store,
        Err(error @ StoreError::Locked { .. }) => {
            let request = Request::Resync(arguments.clone());
            let exit = remote::ask(&app.config.socket(), &request).await?;
            return exit.ok_or_else(|| error.into());
        }
        Err(error) => return Err(error.into()),
    };
    let (drifts, queue) = sync_channel(1024);
    let shown = (arguments.json.json, arguments.show_values);
    let print = if arguments.json.json { data } else { print };
    let writing =
        tokio::task::spawn_blocking(move || write_out(&queue, shown, &mut |text| print(&text)));
    let report = Report::to(move |drift| hand_over(&drifts, drift));
    let end = tokio::select! {
        end = carry_out(&app, &store, &wish, arguments, &report, &progress) => end,
        () = interrupted() => {
            forget_comparisons(&store).await?;
            progress.end();
            let rest = if wish.purpose == Purpose::Verify {
                "interrupted; nothing was written"
            } else {
                "interrupted; the next `cdsync resync` or `cdsync sync` goes on where this one stopped"
            };
            return Err(End::new(Exit::Incomplete, rest));
        }
    };
    progress.end();
    let end = match end {
        Ok(end) => end,
        Err(error @ StoreError::CommitUnknown(_)) => end_process(&error),
        Err(error) => return Err(error.into()),
    };
    let ended = report.ended();
    drop(report);
    let written = writing.await.map_err(|error| End::new(Exit::Incomplete, error.to_string()))?;
    store.close().await;
    written?;
    let nobody = unknown(&ended, &wish.tables);
    let told = tell_unknown(&nobody, &wish.tables, arguments.json.json);
    if !told.is_empty() {
        print(&told)?;
    }
    let counts = sum_up(&ended, arguments.json.json);
    if !counts.is_empty() {
        print(&counts)?;
    }
    outcome(&ended, end, arguments, &nobody)
}

/// How a resync ends: drift that stays is not all done, nor is a record that
/// nobody knows.
fn outcome(
    ended: &[Ended],
    end: PassEnd,
    arguments: &Resync,
    unknown: &[RecordId],
) -> Result<Exit, End> {
    let exit = exit_of(end, arguments.patience)?;
    let open: u64 = ended.iter().map(|one| one.found.all() - one.found.mended).sum();
    let undone = open > 0 || !unknown.is_empty();
    Ok(if undone { Exit::Incomplete } else { exit })
}

/// Answers the command in the daemon: a replay or a repair is stored and taken
/// up by the next pass, which begins now; a comparison is waited for.
pub(super) async fn beside(
    arguments: &Resync,
    desk: &Desk,
    out: mpsc::Sender<Piece>,
) -> Result<Spoken, End> {
    let app = desk.app();
    let wish = wish(arguments, &app.config)?;
    if wish.purpose != Purpose::Verify {
        ask(desk.store(), &wish).await?;
        desk.wake().await;
        return Ok(Spoken::say(
            "the daemon has it and begins with its next pass; `cdsync status` shows how far it is",
        ));
    }
    let (drifts, queue) = sync_channel(1024);
    let shown = (arguments.json.json, arguments.show_values);
    let writing = tokio::task::spawn_blocking(move || {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        write_out(&queue, shown, &mut |text| out.blocking_send(Piece::Data(text)).map_err(gone))
    });
    let slices = Slices::new(desk, &app.config, drifts);
    let (report, others) = (slices.report(), slices.others());
    let patience = Duration::from_secs(arguments.patience);
    let mut watch = || {};
    let end = tokio::select! {
        end = verify(&app, desk.store(), &wish, (&report, &others), patience, &mut watch) => end,
        () = slices.outdated() => return Err(End::new(
            Exit::Incomplete,
            "the daemon read a configuration with other tables or systems meanwhile; compare again",
        )),
    };
    let ended = report.ended();
    drop((report, others));
    slices.end().await;
    writing.await.map_err(|error| End::new(Exit::Incomplete, error.to_string()))??;
    let nobody = unknown(&ended, &wish.tables);
    let exit = outcome(&ended, end?, arguments, &nobody)?;
    let out = tell_unknown(&nobody, &wish.tables, arguments.json.json)
        + &sum_up(&ended, arguments.json.json);
    Ok(Spoken { exit, out, say: String::new() })
}

/// What the arguments ask for; combinations that make no sense are refused.
fn wish(arguments: &Resync, config: &Config) -> Result<Wish, End> {
    let usage = |text: String| Err(End::new(Exit::Usage, text));
    let compares = arguments.verify || arguments.repair;
    if arguments.since.is_some() && !arguments.ids.is_empty() {
        return usage("`--id` and `--since` exclude each other; leave one of them out".into());
    }
    if arguments.show_values && !compares {
        return usage("`--show-values` goes with `--verify` or `--repair`".into());
    }
    let nothing =
        arguments.tables.is_empty() && arguments.ids.is_empty() && arguments.since.is_none();
    if nothing && !compares {
        return usage(
            "say what to send again: `--table NAME`, `--id GUID` or `--since TIME`; or compare with `--verify`".into(),
        );
    }
    let purpose = match (arguments.repair, arguments.verify) {
        (true, _) => Purpose::Repair,
        (false, true) => Purpose::Verify,
        (false, false) => Purpose::Replay,
    };
    let tables = tables(&arguments.tables, config)?;
    Ok(Wish { purpose, tables, ids: arguments.ids.clone(), since: arguments.since })
}

/// The named tables, each once; all that are mapped, if none is named.
fn tables(names: &[String], config: &Config) -> Result<Vec<TableName>, End> {
    let mapped: Vec<&TableName> = config
        .ingress
        .iter()
        .flat_map(|ingress| ingress.tables.iter().map(|table| &table.dynamics))
        .collect();
    if names.is_empty() {
        return Ok(mapped.into_iter().cloned().collect());
    }
    let mut wanted: Vec<TableName> = Vec::new();
    for name in names {
        let Some(table) = mapped.iter().find(|table| table.as_str() == name) else {
            let known: Vec<&str> = mapped.iter().map(|table| table.as_str()).collect();
            return Err(End::new(
                Exit::Usage,
                format!("{name} is not a mapped table; mapped are: {}", known.join(", ")),
            ));
        };
        if !wanted.contains(table) {
            wanted.push((*table).clone());
        }
    }
    Ok(wanted)
}

async fn carry_out(
    app: &App,
    store: &Store,
    wish: &Wish,
    arguments: &Resync,
    report: &Report,
    progress: &Progress,
) -> Result<PassEnd, StoreError> {
    let patience = Duration::from_secs(arguments.patience);
    let mut draw = || draw(report, progress);
    if wish.purpose == Purpose::Verify {
        return verify(app, store, wish, (report, &Others::default()), patience, &mut draw).await;
    }
    for (table, asked) in ask(store, wish).await? {
        let asked_at = format!("{asked:.0}");
        ResyncJoined { table, purpose: wish.purpose.as_str(), asked_at }.emit();
    }
    let requests = Requests { only: true, report: report.clone(), ..Requests::default() };
    let options = PassOptions {
        patience,
        requests,
        stop: Stop::default(),
        again: false,
        asked: true,
        anew: true,
        before: None,
    };
    let passed = sync(app, store, Flow::Ingress, options, &mut |_| draw()).await?;
    Ok(passed.end)
}

fn draw(report: &Report, progress: &Progress) {
    let Some(stage) = report.stage() else { return };
    if stage.listing {
        progress.step(&format!("{}: listing Campaign", stage.table));
        return;
    }
    let of = stage.total.map(|total| format!(" of about {}", count(total))).unwrap_or_default();
    let left = stage.left_seconds.map(|left| format!(", {} left", age(left))).unwrap_or_default();
    progress.step(&format!(
        "{}: {}{of} rows, {} a second{left}",
        stage.table,
        count(stage.rows),
        count(stage.rate)
    ));
}
