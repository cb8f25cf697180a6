//! `trace`: one record's story, from the store.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{Standing, Story, WaitsFor, story};
use crate::model::{RecordId, TableName};
use crate::store::{Action, DeadLetter, TraceEntry};

use super::args::Trace;
use super::desk::Place;
use super::exit::{End, Exit};
use super::output::{Align, Spoken, count, many, say, table};

/// A search that takes longer says how far it is.
const SILENT: Duration = Duration::from_secs(2);

/// The record and the table that are asked for.
pub(super) fn wanted(arguments: &Trace) -> Result<(RecordId, Option<TableName>), End> {
    let record = RecordId::parse(&arguments.id).map_err(|_| {
        let id = "2e451703-c286-e711-80ef-00155db19e6d";
        End::new(Exit::Usage, format!("this is not the id of a record; write it as {id}"))
    })?;
    let name = arguments.table.as_deref().map(TableName::new).transpose().map_err(|_| {
        End::new(Exit::Usage, "--table takes the logical name of a table, such as contact")
    })?;
    Ok((record, name))
}

/// Answers the command.
pub(super) async fn answer(arguments: &Trace, place: &Place<'_>) -> Result<Spoken, End> {
    let (record, name) = wanted(arguments)?;
    let clock = place.clock;
    let mut told = clock.monotonic();
    let found = story(place.config, place.store, record, name, |looked| {
        let now = clock.monotonic();
        // The daemon's stderr is its log.
        if place.daemon.is_none() && now.since(told) >= SILENT {
            told = now;
            say(&format!("looked through {} transactions so far", count(looked)));
        }
    })
    .await?;
    if found.is_empty() {
        return Err(End::new(
            Exit::Incomplete,
            format!(
                "nothing is known of record {record}; it was not read yet, or longer ago than [store] trace_days ({})",
                place.config.store.trace_days
            ),
        ));
    }
    Ok(if arguments.json.json {
        Spoken::json(&as_json(record, &found))
    } else {
        Spoken::out(as_text(record, &found))
    })
}

fn as_json(record: RecordId, story: &Story) -> Value {
    json!({
        "id": record.to_string(),
        "entries": story.entries.iter().map(entry_json).collect::<Vec<_>>(),
        "state": story.standing.iter().map(standing_json).collect::<Vec<_>>(),
        "dead_letters": story.letters.iter().map(letter_json).collect::<Vec<_>>(),
    })
}

fn entry_json(entry: &TraceEntry) -> Value {
    json!({
        "at": entry.at.to_string(),
        "table": entry.table.as_str(),
        "step": entry.step.as_str(),
        "version": entry.version.map(|version| version.0),
        "fields": entry.fields,
        "reason": (!entry.reason.is_empty()).then_some(&entry.reason),
        "status": entry.status,
        "request_id": entry.request_id,
        "attempts": entry.attempts,
        "wait_ms": entry.wait_ms,
    })
}

fn standing_json(standing: &Standing) -> Value {
    json!({
        "table": standing.table.as_str(),
        "in_campaign": standing.told.is_some(),
        "in_dynamics": standing.told.as_ref().map(|told| told.present),
        "version": standing.told.as_ref().and_then(|told| told.version).map(|it| it.0),
        "fields": standing.told.as_ref().map(|told| &told.fields),
        "waits": standing.waits.map(|(action, _)| action.as_str()),
        "waits_for": standing.waits_for.iter().map(waits_for_json).collect::<Vec<_>>(),
        "on_its_way": standing.waits.is_some_and(|(_, touched)| touched),
        "to_be_read": standing.reread,
    })
}

fn waits_for_json(other: &WaitsFor) -> Value {
    json!({
        "link": other.link,
        "table": other.table.as_str(),
        "id": other.record.to_string(),
    })
}

fn letter_json(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id,
        "table": letter.table.as_str(),
        "reason": letter.reason,
        "status": letter.status,
        "request_id": letter.request_id,
    })
}

fn as_text(record: RecordId, story: &Story) -> String {
    let mut out = format!("record {record}\n\n");
    if story.entries.is_empty() {
        out.push_str("no entries\n");
    } else {
        let columns = [
            ("when", Align::Left),
            ("table", Align::Left),
            ("version", Align::Right),
            ("what", Align::Left),
            ("details", Align::Left),
        ];
        let rows: Vec<Vec<String>> = story.entries.iter().map(entry_row).collect();
        out.push_str(&table(&columns, &rows));
        out.push('\n');
    }
    for standing in &story.standing {
        out.push_str(&format!("\nnow, {}: {}", standing.table, standing_text(standing)));
    }
    for letter in &story.letters {
        let (id, table, reason) = (letter.id, &letter.table, &letter.reason);
        out.push_str(&format!("\nnow, {table}: dead letter {id}: {reason}"));
    }
    out
}

fn entry_row(entry: &TraceEntry) -> Vec<String> {
    let mut details = Vec::new();
    if !entry.fields.is_empty() {
        details.push(entry.fields.join(", "));
    }
    if !entry.reason.is_empty() {
        details.push(entry.reason.clone());
    }
    details.extend(entry.status.map(|status| format!("HTTP {status}")));
    details.extend(entry.request_id.as_ref().map(|id| format!("request {id}")));
    if entry.attempts > 0 {
        details.push(format!("attempts {}", entry.attempts));
    }
    if entry.wait_ms > 0 {
        details.push(format!("next in about {} ms", entry.wait_ms));
    }
    vec![
        entry.at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string(),
        entry.table.to_string(),
        entry.version.map_or_else(|| "-".to_owned(), |version| version.0.to_string()),
        entry.step.as_str().to_owned(),
        details.join("; "),
    ]
}

fn standing_text(standing: &Standing) -> String {
    let mut parts = Vec::new();
    parts.push(match &standing.told {
        None => "Campaign was not told of it".to_owned(),
        Some(told) => {
            let version =
                told.version.map_or_else(String::new, |version| format!(", version {}", version.0));
            let gone = if told.present { "" } else { "; Dynamics no longer has it" };
            let fields = many(told.fields.len() as u64, "field");
            format!("Campaign holds it ({fields}{version}){gone}")
        }
    });
    match standing.waits {
        Some((action, true)) => parts.push(format!("a {} is on its way", action.as_str())),
        Some((action, false)) => parts.push(format!("a {} waits", action.as_str())),
        None => parts.push("nothing waits".to_owned()),
    }
    for other in &standing.waits_for {
        let WaitsFor { link, table, record } = other;
        parts.push(match standing.waits {
            Some((Action::Delete, _)) => {
                format!("waits for {table} {record}, whose {link} links to it")
            }
            Some((Action::Write, _)) | None => format!("waits for {table} {record}, its {link}"),
        });
    }
    if standing.reread {
        parts.push("the next pass reads it again".to_owned());
    }
    parts.join("; ")
}
