//! `optouts` and `approve-optouts`: the opt-out ledger, page by page.

mod arguments;
mod cells;
mod facts;
mod shared;
#[cfg(test)]
mod tests;
mod words;

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::model::{FieldName, RecordId};
use crate::store::consent::{ConsentDecision, FlagState};
use crate::store::{Mode, Store, StoreError};

use super::args::Cli;
use super::config::config;
use super::desk::{Place, Request};
use super::exit::{End, Exit};
use super::output::{Spoken, count};
use super::remote;
use super::sink::Sink;
use arguments::{ExportForm, OptoutAction, StateName};
use facts::Fact;

pub(super) use arguments::Optouts;

/// Rows of the ledger that are in memory at one time, and set in columns
/// together.
const PAGE: usize = 500;

/// Runs the command on the store; where a daemon has that, through the daemon.
pub(super) async fn run(cli: &Cli, arguments: &Optouts, clock: &Clock) -> Result<Exit, End> {
    let config = config(&cli.global)?;
    let store = match Store::open(&config.store.path, Mode::Rehearsal, clock).await {
        Ok(store) => Ok(store),
        Err(error @ StoreError::Locked { .. }) => Err(error),
        Err(error) => return Err(error.into()),
    };
    let mut sink = match &arguments.action {
        OptoutAction::Export { output: Some(file), .. } => Sink::file(file)?,
        OptoutAction::Export { output: None, .. }
        | OptoutAction::List { .. }
        | OptoutAction::Show { .. } => Sink::printed(arguments.is_data()),
    };
    let exit = match store {
        Ok(store) => {
            let said = tell(arguments, &store, &mut sink).await;
            store.close().await;
            said?.tell(arguments.is_data())?
        }
        Err(locked) => {
            let request = Request::Optouts(arguments.clone());
            let answered = remote::ask_into(&config.socket(), &request, &mut sink).await?;
            answered.ok_or(locked)?
        }
    };
    if exit == Exit::Done {
        sink.finish()?;
    }
    Ok(exit)
}

/// Writes the answer into `sink`, piece by piece.
pub(super) async fn tell(
    arguments: &Optouts,
    store: &Store,
    sink: &mut Sink,
) -> Result<Spoken, End> {
    match &arguments.action {
        OptoutAction::List { same_address: true, json, .. } => {
            shared::tell(store, json.json, sink).await
        }
        OptoutAction::List { state, json, .. } => {
            let form = if json.json { Form::Json } else { Form::Table };
            all(store, state.map(state_of), form, sink).await
        }
        OptoutAction::Export { format, .. } => {
            let form = match format {
                ExportForm::Csv => Form::Csv,
                ExportForm::Json => Form::Json,
            };
            all(store, None, form, sink).await
        }
        OptoutAction::Show { id, json } => show(store, *id, json.json, sink).await,
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Table,
    Json,
    Csv,
}

fn state_of(name: StateName) -> FlagState {
    match name {
        StateName::Settled => FlagState::Settled,
        StateName::Due => FlagState::Due,
        StateName::Clearing => FlagState::Clearing,
        StateName::Held => FlagState::Held,
        StateName::Approved => FlagState::Approved,
    }
}

/// The ledger, or the part of it that is in a state.
async fn all(
    store: &Store,
    state: Option<FlagState>,
    form: Form,
    sink: &mut Sink,
) -> Result<Spoken, End> {
    let mut after: Option<(RecordId, FieldName)> = None;
    let mut told = 0;
    loop {
        let from = after.clone();
        let page = store.call(move |work| facts::page(work, state, from.as_ref(), PAGE)).await?;
        let Some(next) = page.next else { break };
        after = Some(next);
        if page.facts.is_empty() {
            continue;
        }
        let first = told == 0;
        told += page.facts.len();
        sink.write(match form {
            Form::Table => cells::table_of(&page.facts),
            Form::Json => json_lines(&page.facts, first),
            Form::Csv => cells::csv_of(&page.facts, first),
        })
        .await?;
    }
    match (form, told) {
        (Form::Table, 0) => Ok(Spoken::out("the opt-out ledger has nothing of this kind")),
        (Form::Json, 0) => write(sink, "[]".to_owned()).await,
        (Form::Json, _) => write(sink, "]".to_owned()).await,
        (Form::Csv, 0) => write(sink, cells::csv_of(&[], true)).await,
        (Form::Table | Form::Csv, _) => Ok(Spoken::out("")),
    }
}

async fn write(sink: &mut Sink, text: String) -> Result<Spoken, End> {
    sink.write(text).await?;
    Ok(Spoken::out(""))
}

/// One object a line, in one array.
fn json_lines(facts: &[Fact], first: bool) -> String {
    let mut out = String::new();
    for (place, fact) in facts.iter().enumerate() {
        out.push_str(if first && place == 0 { "[" } else { "," });
        out.push_str(&fact.as_json().to_string());
        out.push('\n');
    }
    out
}

/// All of one contact.
async fn show(
    store: &Store,
    contact: RecordId,
    as_json: bool,
    sink: &mut Sink,
) -> Result<Spoken, End> {
    let flags = store.call(move |work| facts::of_contact(work, contact)).await?;
    let mut decisions = decisions(store, contact, i64::MAX).await?;
    if flags.is_empty() && decisions.is_empty() {
        return Err(End::new(
            Exit::Incomplete,
            format!(
                "the opt-out ledger has nothing of {contact}: neither system ever told of an opt-out"
            ),
        ));
    }
    if as_json {
        let flags: Vec<Value> = flags.iter().map(Fact::as_json).collect();
        let head = json!({ "contact": contact.to_string(), "flags": flags }).to_string();
        let open = head.strip_suffix('}').unwrap_or(&head);
        sink.write(format!("{open},\"decisions\":[")).await?;
    } else {
        sink.write(words::contact(contact, &flags, !decisions.is_empty())).await?;
    }
    let mut first = true;
    while let Some(last) = decisions.last() {
        let before = last.id;
        let text = if as_json {
            let lines = decisions.iter().enumerate().map(|(place, decision)| {
                let comma = if first && place == 0 { "" } else { "," };
                format!("{comma}{}\n", facts::decision_json(decision))
            });
            lines.collect()
        } else {
            decisions.iter().map(words::decision).collect::<Vec<_>>().join("\n")
        };
        first = false;
        sink.write(text).await?;
        decisions = self::decisions(store, contact, before).await?;
    }
    if as_json { write(sink, "]}".to_owned()).await } else { Ok(Spoken::out("")) }
}

async fn decisions(
    store: &Store,
    contact: RecordId,
    before: i64,
) -> Result<Vec<ConsentDecision>, StoreError> {
    store.call(move |work| work.decisions_before(contact, None, before, PAGE)).await
}

/// Answers `approve-optouts`.
pub(super) async fn approve(place: &Place<'_>) -> Result<Spoken, End> {
    let released =
        place.store.call(|work| work.move_flags(FlagState::Held, FlagState::Approved)).await?;
    Ok(Spoken::say(match released {
        0 => "no opt-outs are held; nothing to approve".to_owned(),
        1 => "1 held opt-out is approved; the next pass looks at it once more and lifts it".into(),
        _ => format!(
            "{} held opt-outs are approved; the next pass looks at each once more and lifts it",
            count(released)
        ),
    }))
}
