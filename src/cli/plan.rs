//! `plan`: what a pass would write.

use serde_json::{Map, Value, json};

use crate::app::{Look, Meaning, Planned, Rehearsal, plan_egress, plan_ingress, plan_optout};
use crate::clock::Clock;
use crate::model::Flow;

use super::args::{Cli, Plan};
use super::config::{app, flows};
use super::exit::{End, Exit};
use super::output::{Align, count, print, print_json_line, say, table};
use super::progress::Progress;

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &Plan, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    let app = app(&cli.global, clock)?;
    let flows = flows(&app.config, &arguments.flows)?;
    let (as_json, values) = (arguments.json.json, arguments.show_values);
    let (rows, mut queue) = std::sync::mpsc::sync_channel(1024);
    let writing = tokio::task::spawn_blocking(move || write_out(&mut queue, as_json, values));
    let visit = move |planned| {
        // The printer ends early only when nobody reads on.
        let _ = rows.send(planned);
    };
    let mut rehearsals = Vec::new();
    for flow in flows {
        progress.step(match flow {
            Flow::Ingress | Flow::Optout => "reading both systems",
            Flow::Egress => "reading the journal",
        });
        rehearsals.push(match flow {
            Flow::Ingress => plan_ingress(&app, visit.clone()).await,
            Flow::Egress => plan_egress(&app, visit.clone()).await,
            Flow::Optout => plan_optout(&app, visit.clone()).await,
        });
    }
    drop(visit);
    let written = writing.await.map_err(|error| End::new(Exit::Incomplete, error.to_string()))?;
    progress.end();
    let rehearsals = rehearsals.into_iter().collect::<Result<Vec<_>, _>>()?;
    written?;
    if !as_json {
        for rehearsal in &rehearsals {
            if !rehearsal.meanings.is_empty() {
                print(&meanings(&rehearsal.meanings))?;
            }
            sum_up(rehearsal);
        }
    }
    if rehearsals.iter().any(|it| it.gave_up) {
        return Err(End::new(
            Exit::Unreachable,
            "gave up: a system does not answer; nothing was written",
        ));
    }
    let incomplete = rehearsals.iter().any(|it| it.incomplete);
    match rehearsals.into_iter().find_map(|it| it.refused) {
        Some(failure) => Err(failure.into()),
        None if incomplete => Ok(Exit::Incomplete),
        None => Ok(Exit::Done),
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

fn sum_up(rehearsal: &Rehearsal) {
    let counts = rehearsal.counts;
    say(&format!(
        "{} read, {} unchanged, {} filtered out, {} cannot be mapped; nothing was written",
        count(counts.read),
        count(counts.unchanged),
        count(counts.filtered),
        count(counts.dead_lettered),
    ));
}

fn write_out(
    planned: &mut std::sync::mpsc::Receiver<Planned>,
    as_json: bool,
    values: bool,
) -> Result<(), std::io::Error> {
    /// Lines that are set in columns together.
    const GROUP: usize = 500;
    let mut group = Vec::new();
    for row in planned.iter() {
        if as_json {
            print_json_line(&as_object(&row, values))?;
            continue;
        }
        if let Some(look) = row.look {
            let (table, reason) = (&row.table, &row.reason);
            print(&format!("mapping of {table} changed: {reason}; {}\n", looked_at(look)))?;
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
            print_group(&group)?;
            group.clear();
        }
    }
    if group.is_empty() { Ok(()) } else { print_group(&group) }
}

/// How many records are looked at again, and why all are, if they are.
fn looked_at(look: Look) -> String {
    let records = count(look.records);
    match (look.rows, look.why) {
        (None, _) => "the rows that this concerns could not be counted".to_owned(),
        // Among them rows that are not in Campaign yet.
        (Some(rows), None) if look.read == "by-filter" => {
            format!("{} rows are looked at again, Campaign holds {records}", count(rows))
        }
        (Some(rows), why) => {
            let of = count(look.records.max(rows));
            let why = why.map(|why| format!(" in a full read: {why}")).unwrap_or_default();
            format!("{} of {of} records are looked at again{why}", count(rows))
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

fn print_group(rows: &[Vec<String>]) -> Result<(), std::io::Error> {
    let columns = [
        ("table", Align::Left),
        ("record", Align::Left),
        ("action", Align::Left),
        ("fields", Align::Left),
        ("why", Align::Left),
    ];
    print(&table(&columns, rows))
}
