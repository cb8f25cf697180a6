//! `resync`: replay, comparison, repair.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{
    App, Drift, DriftField, Ended, PassEnd, PassOptions, Report, Requests, Wish, ask,
    forget_comparisons, sync_ingress, verify,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::TableName;
use crate::store::{Mode, Purpose, Store, StoreError};
use crate::telemetry::ResyncJoined;

use super::args::{Cli, Resync};
use super::config::{app, needs_ingress};
use super::exit::{End, Exit};
use super::output::{Align, age, count, print, print_json_line, table};
use super::progress::Progress;
use super::sync::{end_process, exit_of, interrupted};

/// Lines that are set in columns together.
const GROUP: usize = 500;

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &Resync, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    let app = app(&cli.global, clock)?;
    needs_ingress(&app.config)?;
    let wish = wish(arguments, &app.config)?;
    let store = app.open_store(Mode::Durable).await?;
    let (drifts, mut queue) = sync_channel(1024);
    let shown = (arguments.json.json, arguments.show_values);
    let writing = tokio::task::spawn_blocking(move || write_out(&mut queue, shown));
    let report = Report::to(printer(drifts));
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
    sum_up(&ended, arguments.json.json)?;
    let exit = exit_of(end, arguments.patience)?;
    let open: u64 = ended.iter().map(|one| one.found.all() - one.found.mended).sum();
    Ok(if open > 0 { Exit::Incomplete } else { exit })
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
        return verify(app, store, wish, report, patience, &mut draw).await;
    }
    for (table, asked) in ask(store, wish).await? {
        let asked_at = format!("{asked:.0}");
        ResyncJoined { table, purpose: wish.purpose.as_str(), asked_at }.emit();
    }
    let requests = Requests { only: true, report: report.clone(), ..Requests::default() };
    let options = PassOptions { patience, requests };
    let passed = sync_ingress(app, store, options, &mut |_| draw()).await?;
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

fn printer(drifts: SyncSender<Drift>) -> impl Fn(Drift) + Send + Sync + 'static {
    move |drift| {
        // The printer ends early only when nobody reads on.
        let _ = drifts.send(drift);
    }
}

fn write_out(
    drifts: &mut Receiver<Drift>,
    (as_json, values): (bool, bool),
) -> Result<(), std::io::Error> {
    let mut group = Vec::new();
    for drift in drifts.iter() {
        if as_json {
            print_json_line(&in_json(&drift, values))?;
            continue;
        }
        group.push(in_words(&drift, values));
        if group.len() == GROUP {
            print_group(&mut group)?;
        }
    }
    print_group(&mut group)
}

/// Ids only, unless values are asked for: a key that is not the id may be an
/// address.
fn in_json(drift: &Drift, values: bool) -> Value {
    let names: Vec<&str> = drift.fields.iter().map(|field| field.name.as_str()).collect();
    let mut line = json!({
        "table": drift.table.as_str(),
        "id": drift.id.to_string(),
        "kind": drift.kind.as_str(),
        "fields": names,
        "mended": drift.mended,
    });
    if values {
        let parsed = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        let pairs: serde_json::Map<String, Value> = drift
            .fields
            .iter()
            .map(|field| {
                let pair = json!({
                    "campaign": parsed(&field.campaign),
                    "dynamics": parsed(&field.dynamics),
                });
                (field.name.clone(), pair)
            })
            .collect();
        line["key"] = Value::from(drift.key.as_str());
        line["values"] = Value::from(pairs);
    }
    line
}

fn in_words(drift: &Drift, values: bool) -> Vec<String> {
    let field = |field: &DriftField| {
        if values {
            format!("{}: {} → {}", field.name, field.campaign, field.dynamics)
        } else {
            field.name.clone()
        }
    };
    let fields: Vec<String> = drift.fields.iter().map(field).collect();
    vec![
        drift.table.to_string(),
        drift.id.to_string(),
        drift.kind.as_str().to_owned(),
        if drift.mended { "yes" } else { "no" }.to_owned(),
        fields.join(", "),
    ]
}

fn print_group(group: &mut Vec<Vec<String>>) -> Result<(), std::io::Error> {
    if group.is_empty() {
        return Ok(());
    }
    let columns = [
        ("table", Align::Left),
        ("id", Align::Left),
        ("drift", Align::Left),
        ("mended", Align::Left),
        ("fields", Align::Left),
    ];
    print(&table(&columns, group))?;
    group.clear();
    Ok(())
}

/// The counts of each table. In JSON only a replay has a line for it: a
/// comparison prints one object per record that differs, and nothing else.
fn sum_up(ended: &[Ended], as_json: bool) -> Result<(), std::io::Error> {
    let replays = ended.iter().filter(|one| one.purpose == Purpose::Replay);
    if as_json {
        for one in replays {
            let (table, rows, absent) = (one.table.as_str(), one.rows, one.absent);
            print_json_line(&json!({ "table": table, "rows": rows, "absent": absent }))?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = replays
        .map(|one| vec![one.table.to_string(), count(one.rows), count(one.absent)])
        .collect();
    if !rows.is_empty() {
        let columns =
            [("table", Align::Left), ("rows", Align::Right), ("not in Dynamics", Align::Right)];
        print(&table(&columns, &rows))?;
    }
    let compared = ended.iter().filter(|one| one.purpose != Purpose::Replay);
    let rows: Vec<Vec<String>> = compared
        .map(|one| {
            let found = &one.found;
            let [edited, missing, orphaned, duplicated] = found.drift;
            let numbers = [
                one.rows,
                edited,
                missing,
                orphaned,
                duplicated,
                found.pending,
                found.kept,
                found.unmappable,
            ];
            std::iter::once(one.table.to_string()).chain(numbers.map(count)).collect()
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let headings =
        ["rows", "edited", "missing", "orphaned", "duplicated", "pending", "kept", "unmappable"];
    let mut columns = vec![("table", Align::Left)];
    columns.extend(headings.map(|heading| (heading, Align::Right)));
    print(&table(&columns, &rows))
}
