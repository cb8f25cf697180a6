//! `dead-letters` and `approve-deletes`: what waits for a person.

use serde_json::{Value, json};

use crate::config::Config;
use crate::model::TableName;
use crate::store::{DeadLetter, Store, StoreError};

use super::args::{ApproveDeletes, DeadLetters, LetterAction};
use super::desk::Place;
use super::exit::{End, Exit};
use super::output::{Align, Spoken, count, many, table};

/// Answers `dead-letters`.
pub(super) async fn answer(arguments: &DeadLetters, place: &Place<'_>) -> Result<Spoken, End> {
    match &arguments.action {
        LetterAction::List(json) => list(place.store, json.json).await,
        LetterAction::Show { id, json } => show(place.store, *id, json.json).await,
        LetterAction::Retry { ids } => retry(place.store, ids).await,
        LetterAction::Discard { id } => discard(place.store, *id).await,
    }
}

fn as_json(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id,
        "flow": letter.flow.as_str(),
        "table": letter.table.as_str(),
        "record": letter.record.to_string(),
        "action": letter.action,
        "reason": letter.reason,
        "status": letter.status,
        "request_id": letter.request_id,
        "attempts": letter.attempts,
        "created": letter.created.to_string(),
        "fields": letter.fields,
    })
}

async fn list(store: &Store, as_json_list: bool) -> Result<Spoken, End> {
    let letters = store.call(|work| work.dead_letters()).await?;
    if as_json_list {
        let letters: Vec<Value> = letters.iter().map(as_json).collect();
        return Ok(Spoken::json(&Value::from(letters)));
    }
    if letters.is_empty() {
        return Ok(Spoken::out("no dead letters"));
    }
    let columns = [
        ("id", Align::Right),
        ("flow", Align::Left),
        ("table", Align::Left),
        ("record", Align::Left),
        ("status", Align::Right),
        ("attempts", Align::Right),
        ("reason", Align::Left),
    ];
    let rows: Vec<Vec<String>> = letters
        .iter()
        .map(|letter| {
            vec![
                letter.id.to_string(),
                letter.flow.to_string(),
                letter.table.to_string(),
                letter.record.to_string(),
                letter.status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
                letter.attempts.to_string(),
                letter.reason.clone(),
            ]
        })
        .collect();
    Ok(Spoken::out(table(&columns, &rows)))
}

fn missing(id: i64) -> End {
    End::new(
        Exit::Usage,
        format!("there is no dead letter {id}; `cdsync dead-letters list` shows those there are"),
    )
}

async fn show(store: &Store, id: i64, as_one_json: bool) -> Result<Spoken, End> {
    let letter = store.call(move |work| work.dead_letter(id)).await?.ok_or_else(|| missing(id))?;
    if as_one_json {
        return Ok(Spoken::json(&as_json(&letter)));
    }
    let rows = [
        ("dead letter", letter.id.to_string()),
        ("flow", letter.flow.to_string()),
        ("table", letter.table.to_string()),
        ("record", letter.record.to_string()),
        ("action", letter.action.clone()),
        ("since", letter.created.strftime("%Y-%m-%d %H:%M:%SZ").to_string()),
        ("attempts", letter.attempts.to_string()),
        ("HTTP status", letter.status.map_or_else(|| "-".to_owned(), |status| status.to_string())),
        ("request id", letter.request_id.clone().unwrap_or_else(|| "-".to_owned())),
        ("fields", letter.fields.join(", ")),
        ("reason", letter.reason.clone()),
    ];
    let lines: Vec<String> = rows
        .iter()
        .map(|(name, value)| format!("{name:<12}  {value}").trim_end().to_owned())
        .collect();
    Ok(Spoken::out(lines.join("\n")))
}

async fn retry(store: &Store, ids: &[i64]) -> Result<Spoken, End> {
    let ids = ids.to_vec();
    let (done, unknown) = store
        .call(move |work| {
            let ids = if ids.is_empty() {
                work.dead_letters()?.iter().map(|letter| letter.id).collect()
            } else {
                ids
            };
            let mut done = 0;
            let mut unknown = None;
            for id in ids {
                if work.retry_dead_letter(id)? {
                    done += 1;
                } else {
                    unknown = Some(id);
                }
            }
            Ok::<_, StoreError>((done, unknown))
        })
        .await?;
    let took = format!("{} put back to work; the next pass takes them up", count(done));
    match unknown {
        None => Ok(Spoken::say(took)),
        Some(id) if done > 0 => Ok(Spoken {
            exit: Exit::Usage,
            out: String::new(),
            say: format!("{took}\ncdsync: {}", missing(id)),
        }),
        Some(id) => Err(missing(id)),
    }
}

async fn discard(store: &Store, id: i64) -> Result<Spoken, End> {
    if store.call(move |work| work.discard_dead_letter(id)).await? {
        let text = format!("dead letter {id} is gone; the record stays as it is in Campaign");
        Ok(Spoken::say(text))
    } else {
        Err(missing(id))
    }
}

/// The mapped table that `approve-deletes` names.
pub(super) fn mapped(arguments: &ApproveDeletes, config: &Config) -> Result<TableName, End> {
    let wanted = TableName::new(&arguments.table)
        .map_err(|error| End::new(Exit::Usage, error.to_string()))?;
    let mapped: Vec<&TableName> = config
        .ingress
        .iter()
        .flat_map(|ingress| ingress.tables.iter().map(|table| &table.dynamics))
        .collect();
    if !mapped.contains(&&wanted) {
        let names: Vec<&str> = mapped.iter().map(|table| table.as_str()).collect();
        return Err(End::new(
            Exit::Usage,
            format!("{wanted} is not a mapped table; mapped are: {}", names.join(", ")),
        ));
    }
    Ok(wanted)
}

/// Answers `approve-deletes`.
pub(super) async fn approve(arguments: &ApproveDeletes, place: &Place<'_>) -> Result<Spoken, End> {
    let wanted = mapped(arguments, place.config)?;
    let (deletions, empty) = place.store.call(move |work| work.approve(&wanted)).await?;
    let mut text = String::new();
    if empty {
        text.push_str("the table is taken to be empty from the next pass on\n");
    }
    text.push_str(&match deletions {
        0 if empty => "no deletions are held yet".to_owned(),
        0 => "no deletions are held; nothing to approve".to_owned(),
        _ => {
            format!("{} approved; carried out by the next pass", many(deletions as u64, "deletion"))
        }
    });
    Ok(Spoken::say(text))
}
