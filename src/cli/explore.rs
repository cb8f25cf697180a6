//! `tables` and `resources`: what both systems have.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{Failure, Outcome, column_words, field_words};
use crate::clock::Clock;
use crate::model::{ColumnType, FieldType, ResourceName, TableName};

use super::args::{Cli, Explore};
use super::config::app;
use super::exit::{End, Exit};
use super::output::{Align, print, print_json, table};
use super::progress::Progress;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        let exit = match failure.outcome {
            Outcome::Refused | Outcome::Unauthenticated => Exit::Refused,
            Outcome::Throttled
            | Outcome::NotSent
            | Outcome::Unknown
            | Outcome::Unavailable
            | Outcome::ServerError
            | Outcome::Spent => Exit::Unreachable,
            Outcome::Missing
            | Outcome::DuplicateKey
            | Outcome::VersionConflict
            | Outcome::CursorExpired
            | Outcome::BadRecord
            | Outcome::Setup
            | Outcome::Garbled
            | Outcome::Foreign
            | Outcome::TooLarge => Exit::Incomplete,
        };
        Self::new(exit, failure.to_string())
    }
}

/// Waits for an answer as long as a person would.
pub(super) async fn answer<T>(
    clock: &Clock,
    outage: impl Fn() -> Option<String>,
    asking: impl Future<Output = Result<T, Failure>>,
) -> Result<T, End> {
    tokio::select! {
        answer = asking => Ok(answer?),
        () = clock.sleep(PATIENCE) => {
            let why = outage().map(|text| format!(": {text}")).unwrap_or_default();
            Err(End::new(
                Exit::Unreachable,
                format!("no answer within {} s{why}", PATIENCE.as_secs()),
            ))
        }
    }
}

pub(super) fn named<T, E: std::fmt::Display>(name: Result<T, E>) -> Result<T, End> {
    name.map_err(|error| End::new(Exit::Usage, error.to_string()))
}

/// Runs `tables`.
pub(super) async fn tables(cli: &Cli, arguments: &Explore, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    let app = app(&cli.global, clock)?;
    progress.step("asking Dynamics");
    let outage = || app.dynamics.client().outage();
    let Some(name) = &arguments.name else {
        let tables = answer(clock, outage, app.dynamics.tables()).await?;
        progress.end();
        if arguments.json.json {
            let rows: Vec<Value> = tables
                .iter()
                .map(|table| {
                    json!({
                        "name": table.name, "entity_set": table.entity_set,
                        "primary_id": table.primary_id,
                        "change_tracking": table.change_tracking,
                    })
                })
                .collect();
            print_json(&rows.into())?;
        } else {
            let columns = [
                ("table", Align::Left),
                ("data URL", Align::Left),
                ("primary id", Align::Left),
                ("change tracking", Align::Left),
            ];
            let rows: Vec<Vec<String>> = tables
                .into_iter()
                .map(|one| {
                    let tracking = if one.change_tracking { "on" } else { "off" };
                    vec![one.name, one.entity_set, one.primary_id, tracking.to_owned()]
                })
                .collect();
            print(&table(&columns, &rows))?;
        }
        return Ok(Exit::Done);
    };
    let name = named(TableName::new(name))?;
    let schema = answer(clock, outage, app.dynamics.table_schema(&name, None)).await?;
    progress.end();
    let shown: Vec<(String, String, String)> = schema
        .columns
        .values()
        .map(|column| {
            let words = column_words(&column.kind).to_owned();
            (column.name.to_string(), words, column_detail(&column.kind))
        })
        .collect();
    show(&shown, "column", arguments.json.json)
}

fn column_detail(kind: &ColumnType) -> String {
    match kind {
        ColumnType::Text { max_length } => {
            max_length.map(|length| format!("up to {length} characters")).unwrap_or_default()
        }
        ColumnType::Boolean(choices)
        | ColumnType::Choice(choices)
        | ColumnType::MultiChoice(choices) => {
            let labels: Vec<String> = choices
                .0
                .iter()
                .map(|choice| {
                    let label = choice.user_label.as_deref().unwrap_or_default();
                    format!("{} {label}", choice.value).trim_end().to_owned()
                })
                .collect();
            labels.join(", ")
        }
        ColumnType::Lookup { targets } => targets.join(", "),
        ColumnType::Other(name) => name.clone(),
        ColumnType::Integer
        | ColumnType::Decimal
        | ColumnType::Double
        | ColumnType::DateTime(_)
        | ColumnType::Guid => String::new(),
    }
}

fn show(rows: &[(String, String, String)], what: &str, as_json: bool) -> Result<Exit, End> {
    if as_json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(name, kind, detail)| json!({ "name": name, "type": kind, "detail": detail }))
            .collect();
        print_json(&rows.into())?;
    } else {
        let columns = [(what, Align::Left), ("type", Align::Left), ("detail", Align::Left)];
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|(name, kind, detail)| vec![name.clone(), kind.clone(), detail.clone()])
            .collect();
        print(&table(&columns, &rows))?;
    }
    Ok(Exit::Done)
}

/// Runs `resources`.
pub(super) async fn resources(cli: &Cli, arguments: &Explore, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    let app = app(&cli.global, clock)?;
    progress.step("asking Campaign");
    let outage = || app.campaign.client().outage();
    let Some(name) = &arguments.name else {
        let resources = answer(clock, outage, app.campaign.resources()).await?;
        progress.end();
        if arguments.json.json {
            let rows: Vec<Value> = resources
                .iter()
                .map(
                    |one| json!({ "name": one.name, "api": one.root.as_str(), "label": one.label }),
                )
                .collect();
            print_json(&rows.into())?;
        } else {
            let columns = [("resource", Align::Left), ("API", Align::Left), ("label", Align::Left)];
            let rows: Vec<Vec<String>> = resources
                .into_iter()
                .map(|one| vec![one.name, one.root.as_str().to_owned(), one.label])
                .collect();
            print(&table(&columns, &rows))?;
        }
        return Ok(Exit::Done);
    };
    let name = named(ResourceName::new(name))?;
    let schema = answer(clock, outage, app.campaign.resource_schema(&name)).await?;
    progress.end();
    let shown: Vec<(String, String, String)> = schema
        .fields
        .values()
        .map(|field| {
            let detail = field_detail(&field.kind, field.read_only);
            (field.name.to_string(), field_words(&field.kind), detail)
        })
        .collect();
    show(&shown, "field", arguments.json.json)
}

fn field_detail(kind: &FieldType, read_only: bool) -> String {
    let detail = match kind {
        FieldType::Enumeration(values) => {
            let names: Vec<&str> = values.iter().map(|value| value.name.as_str()).collect();
            names.join(", ")
        }
        FieldType::Link { target } => target.clone().unwrap_or_default(),
        FieldType::Text { .. }
        | FieldType::Integer { .. }
        | FieldType::Float
        | FieldType::Double
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::DateTime
        | FieldType::Collection
        | FieldType::Other(_) => String::new(),
    };
    if read_only { format!("{detail} read-only").trim_start().to_owned() } else { detail }
}
