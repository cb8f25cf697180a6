//! `dead-letters` and `approve-deletes`: what waits for a person.

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::model::TableName;
use crate::store::{DeadLetter, Mode, Store, StoreError};

use super::args::{ApproveDeletes, Cli, DeadLetters, LetterAction};
use super::config::config;
use super::exit::{End, Exit};
use super::output::{Align, count, print, print_json, say, table};

/// Runs `dead-letters`.
pub(super) async fn run(cli: &Cli, arguments: &DeadLetters, clock: &Clock) -> Result<Exit, End> {
    let config = config(&cli.global)?;
    let store = Store::open(&config.store.path, Mode::Durable, clock).await?;
    let exit = match &arguments.action {
        LetterAction::List(json) => list(&store, json.json).await,
        LetterAction::Show { id, json } => show(&store, *id, json.json).await,
        LetterAction::Retry { ids } => retry(&store, ids).await,
        LetterAction::Discard { id } => discard(&store, *id).await,
    };
    store.close().await;
    exit
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

async fn list(store: &Store, as_json_list: bool) -> Result<Exit, End> {
    let letters = store.call(|work| work.dead_letters()).await?;
    if as_json_list {
        print_json(&Value::from(letters.iter().map(as_json).collect::<Vec<_>>()))?;
        return Ok(Exit::Done);
    }
    if letters.is_empty() {
        print("no dead letters")?;
        return Ok(Exit::Done);
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
    print(&table(&columns, &rows))?;
    Ok(Exit::Done)
}

fn missing(id: i64) -> End {
    End::new(
        Exit::Usage,
        format!("there is no dead letter {id}; `cdsync dead-letters list` shows those there are"),
    )
}

async fn show(store: &Store, id: i64, as_one_json: bool) -> Result<Exit, End> {
    let letter = store.call(move |work| work.dead_letter(id)).await?.ok_or_else(|| missing(id))?;
    if as_one_json {
        print_json(&as_json(&letter))?;
        return Ok(Exit::Done);
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
    print(&lines.join("\n"))?;
    Ok(Exit::Done)
}

async fn retry(store: &Store, ids: &[i64]) -> Result<Exit, End> {
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
    if done > 0 || unknown.is_none() {
        say(&format!("{} put back to work; the next pass takes them up", count(done)));
    }
    unknown.map_or(Ok(Exit::Done), |id| Err(missing(id)))
}

async fn discard(store: &Store, id: i64) -> Result<Exit, End> {
    if store.call(move |work| work.discard_dead_letter(id)).await? {
        say(&format!("dead letter {id} is gone; the record stays as it is in Campaign"));
        Ok(Exit::Done)
    } else {
        Err(missing(id))
    }
}

/// Runs `approve-deletes`.
pub(super) async fn approve(
    cli: &Cli,
    arguments: &ApproveDeletes,
    clock: &Clock,
) -> Result<Exit, End> {
    let config = config(&cli.global)?;
    let wanted = TableName::new(&arguments.table)
        .map_err(|error| End::new(Exit::Usage, error.to_string()))?;
    let mapped: Vec<TableName> = config
        .ingress
        .iter()
        .flat_map(|ingress| ingress.tables.iter().map(|table| table.dynamics.clone()))
        .collect();
    if !mapped.contains(&wanted) {
        let names: Vec<&str> = mapped.iter().map(TableName::as_str).collect();
        return Err(End::new(
            Exit::Usage,
            format!("{wanted} is not a mapped table; mapped are: {}", names.join(", ")),
        ));
    }
    let store = Store::open(&config.store.path, Mode::Durable, clock).await?;
    let (deletions, empty) = store.call(move |work| work.approve(&wanted)).await?;
    store.close().await;
    if empty {
        say("the table is taken to be empty from the next pass on");
    }
    say(&match deletions {
        0 if empty => "no deletions are held yet".to_owned(),
        0 => "no deletions are held; nothing to approve".to_owned(),
        _ => format!(
            "{} deletions approved; the next pass carries them out",
            count(deletions as u64)
        ),
    });
    Ok(Exit::Done)
}
