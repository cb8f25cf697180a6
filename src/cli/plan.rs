//! `plan`: what a pass would write.

use std::io;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::app::{App, Look, Meaning, Planned, Rehearsal, plan_egress, plan_ingress, plan_optout};
use crate::clock::Clock;
use crate::daemon::{Desk, Piece};
use crate::model::Flow;

use super::args::{Cli, Plan};
use super::config::{app, config, flows};
use super::desk::Request;
use super::exit::{End, Exit};
use super::output::{Align, Spoken, count, data, many, print, table};
use super::progress::Progress;
use super::remote;
use super::slices::hand_over;

/// Runs the command; where a daemon has the store, in the daemon: it has the
/// secrets, too.
pub(super) async fn run(cli: &Cli, arguments: &Plan, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    let socket = config(&cli.global)?.socket();
    if let Some(exit) = remote::ask(&socket, &Request::Plan(arguments.clone())).await? {
        return Ok(exit);
    }
    let app = app(&cli.global, clock)?;
    let is_data = arguments.json.json;
    let said = rehearse(&app, arguments, &progress, if is_data { data } else { print }).await?;
    said.tell(is_data)
}

/// Answers the command in the daemon, on a copy of its store.
pub(super) async fn beside(
    arguments: &Plan,
    desk: &Desk,
    out: mpsc::Sender<Piece>,
) -> Result<Spoken, End> {
    let _turn = desk.rehearsal().await;
    let copy = desk.store().copy().await?;
    let app = desk.app().on(&copy);
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let write = move |text: &str| out.blocking_send(Piece::Data(text.to_owned())).map_err(gone);
    rehearse(&app, arguments, &Progress::none(), write).await
}

async fn rehearse(
    app: &App,
    arguments: &Plan,
    progress: &Progress,
    write: impl Fn(&str) -> io::Result<()> + Send + 'static,
) -> Result<Spoken, End> {
    let flows = flows(&app.config, &arguments.flows)?;
    let (as_json, values) = (arguments.json.json, arguments.show_values);
    let (rows, mut queue) = std::sync::mpsc::sync_channel(1024);
    let writing =
        tokio::task::spawn_blocking(move || write_out(&mut queue, (as_json, values), &write));
    let visit = move |planned| hand_over(&rows, planned);
    let mut rehearsals = Vec::new();
    for flow in &flows {
        progress.step(match flow {
            Flow::Ingress | Flow::Optout => "reading both systems",
            Flow::Egress => "reading the journal",
        });
        rehearsals.push(match flow {
            Flow::Ingress => plan_ingress(app, visit.clone()).await,
            Flow::Egress => plan_egress(app, visit.clone()).await,
            Flow::Optout => plan_optout(app, visit.clone()).await,
        });
    }
    drop(visit);
    let written = writing.await.map_err(|error| End::new(Exit::Incomplete, error.to_string()))?;
    progress.end();
    let rehearsals = rehearsals.into_iter().collect::<Result<Vec<_>, _>>()?;
    written?;
    let shown = || flows.iter().zip(&rehearsals).filter(|_| !as_json);
    let sums: Vec<String> = shown().map(|(flow, it)| sum_up(*flow, it)).collect();
    let samples = shown().filter(|(_, it)| !it.meanings.is_empty());
    let out: String = samples.map(|(_, it)| meanings(&it.meanings)).collect();
    let spoken = |exit| Spoken { exit, out, say: sums.join("\n") };
    if rehearsals.iter().any(|it| it.gave_up) {
        return Err(End::new(
            Exit::Unreachable,
            "gave up: a system does not answer; nothing was written",
        ));
    }
    let incomplete = rehearsals.iter().any(|it| it.incomplete);
    match rehearsals.into_iter().find_map(|it| it.refused) {
        Some(failure) => Err(failure.into()),
        None if incomplete => Ok(spoken(Exit::Incomplete)),
        None => Ok(spoken(Exit::Done)),
    }
}

/// Samples of what unusual columns mean, for a person to look over.
fn meanings(samples: &[Meaning]) -> String {
    let columns = [
        ("record", Align::Left),
        ("column", Align::Left),
        ("value", Align::Left),
        ("means", Align::Left),
        ("in Campaign", Align::Left),
    ];
    let rows: Vec<Vec<String>> = samples
        .iter()
        .map(|it| {
            let (means, flag) = match it.opted_out {
                Some(true) => ("opted out", format!("{} = true", it.flag)),
                Some(false) => ("not opted out", format!("{} = false", it.flag)),
                None => ("nothing", "as it is".to_owned()),
            };
            let value = it.value.map_or_else(|| "empty".to_owned(), |value| value.to_string());
            vec![it.contact.to_string(), it.column.to_string(), value, means.to_owned(), flag]
        })
        .collect();
    let title = "pairs with `inverted` or `null_means_false`, by example; is this what they mean?";
    format!("\n{title}\n\n{}", table(&columns, &rows))
}

fn sum_up(flow: Flow, rehearsal: &Rehearsal) -> String {
    let counts = rehearsal.counts;
    format!(
        "{flow}: {} read, {} unchanged, {} filtered out, {} cannot be mapped; nothing was written",
        count(counts.read),
        count(counts.unchanged),
        count(counts.filtered),
        count(counts.dead_lettered),
    )
}

fn write_out(
    planned: &mut std::sync::mpsc::Receiver<Planned>,
    (as_json, values): (bool, bool),
    write: &dyn Fn(&str) -> io::Result<()>,
) -> io::Result<()> {
    /// Lines that are set in columns together.
    const GROUP: usize = 500;
    let mut group = Vec::new();
    for row in planned.iter() {
        if as_json {
            write(&as_object(&row, values).to_string())?;
            continue;
        }
        if let Some(look) = row.look {
            let (table, reason) = (&row.table, &row.reason);
            write(&format!("mapping of {table} changed: {reason}; {}\n", looked_at(look)))?;
            continue;
        }
        group.push(vec![
            row.table.to_string(),
            row.id.map_or_else(String::new, |id| id.to_string()),
            row.action.to_owned(),
            fields_text(&row, values),
            row.reason,
        ]);
        if group.len() == GROUP {
            print_group(&group, write)?;
            group.clear();
        }
    }
    if group.is_empty() { Ok(()) } else { print_group(&group, write) }
}

/// How many records are looked at again, and why all are, if they are.
fn looked_at(look: Look) -> String {
    let records = count(look.records);
    match (look.rows, look.why) {
        (None, _) => "the rows that this concerns could not be counted".to_owned(),
        // Among them rows that are not in Campaign yet.
        (Some(rows), None) if look.read == "by-filter" => {
            let is = if rows == 1 { "is" } else { "are" };
            format!("{} {is} looked at again, Campaign holds {records}", many(rows, "row"))
        }
        (Some(rows), why) => {
            let of = many(look.records.max(rows), "record");
            let is = if rows == 1 { "is" } else { "are" };
            let why = why.map(|why| format!(" in a full read: {why}")).unwrap_or_default();
            format!("{} of {of} {is} looked at again{why}", count(rows))
        }
    }
}

fn as_object(row: &Planned, values: bool) -> Value {
    let reasons: Map<String, Value> =
        row.reasons.iter().map(|(field, why)| (field.clone(), Value::from(*why))).collect();
    let mut object = json!({
        "flow": row.flow.as_str(),
        "table": row.table.as_str(),
        "id": row.id.map(|id| id.to_string()),
        "action": row.action,
        "fields": row.fields,
        "reason": row.reason,
        "reasons": reasons,
    });
    if let Some(look) = row.look {
        object["rows"] = Value::from(look.rows);
        object["records"] = Value::from(look.records);
        object["read"] = Value::from(look.read);
        object["why"] = Value::from(look.why);
    }
    if values {
        let values: Map<String, Value> = row
            .values
            .iter()
            .map(|(field, json)| (field.clone(), serde_json::from_str(json).unwrap_or_default()))
            .collect();
        object["values"] = Value::from(values);
    }
    object
}

/// `email (cleared), lastName (changed)`; a new record's fields need no
/// reason each.
fn fields_text(row: &Planned, values: bool) -> String {
    let shown = |field: &str| {
        let value = row.values.iter().find(|(name, _)| values && name == field);
        value.map_or_else(|| field.to_owned(), |(_, json)| format!("{field} = {json}"))
    };
    let all_new = row.reasons.iter().all(|(_, why)| *why == "new");
    let parts: Vec<String> = if all_new {
        row.fields.iter().map(|field| shown(field)).collect()
    } else {
        row.reasons.iter().map(|(field, why)| format!("{} ({why})", shown(field))).collect()
    };
    parts.join(", ")
}

fn print_group(rows: &[Vec<String>], write: &dyn Fn(&str) -> io::Result<()>) -> io::Result<()> {
    let columns = [
        ("table", Align::Left),
        ("record", Align::Left),
        ("action", Align::Left),
        ("fields", Align::Left),
        ("why", Align::Left),
    ];
    write(&table(&columns, rows))
}
