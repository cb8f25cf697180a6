//! `provision`: what Dynamics needs before the flows can run.

mod mail;

use serde_json::{Value, json};

use crate::app::{KeyMade, MetadataRequest, Provisioned};
use crate::clock::Clock;
use crate::model::{ColumnName, TableName};

use super::args::{Cli, Provision};
use super::config::app;
use super::exit::{End, Exit};
use super::explore::{answer, named};
use super::output::{data, print_json, say};
use super::progress::Progress;

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &Provision, clock: &Clock) -> Result<Exit, End> {
    if arguments.change_tracking.is_empty() && arguments.alternate_key.is_empty() {
        return mail::run(cli, arguments, clock).await;
    }
    let keys: Vec<(TableName, Vec<ColumnName>)> =
        arguments.alternate_key.iter().map(|text| key(text)).collect::<Result<_, _>>()?;
    let mut tables = Vec::new();
    for name in &arguments.change_tracking {
        tables.push(named(TableName::new(name))?);
    }
    let progress = Progress::start(&cli.global)?;
    let app = app(&cli.global, clock)?;
    let outage = || app.dynamics.client().outage();
    let mut exit = Exit::Done;
    for table in &tables {
        progress.step(&format!("change tracking of {table}"));
        let definition = answer(clock, outage, app.definition(table)).await?;
        let came = app.track_changes(table, &definition, arguments.dry_run).await;
        progress.end();
        match came? {
            Provisioned::Already => {
                say(&format!("change tracking of {table} is on already; nothing to do"));
            }
            Provisioned::Impossible => {
                say(&format!(
                    "change tracking of {table} cannot be turned on (CanChangeTrackingBeEnabled is false); set `tracking = \"diff\"` in its mapping, which reads all rows in each pass"
                ));
                exit = Exit::Incomplete;
            }
            Provisioned::Planned(requests) => {
                if arguments.json.json {
                    print_json(&requests.iter().map(as_json).collect())?;
                } else {
                    for request in &requests {
                        data(&shown(request))?;
                    }
                }
                say("nothing was sent; change tracking cannot be turned off again");
            }
            Provisioned::Done => {
                say(&format!("change tracking of {table} is on, and the table is published"));
            }
            Provisioned::Unconfirmed => {
                say(&format!(
                    "change tracking of {table} was turned on and published, but its metadata does not say so yet; look again with `cdsync check`"
                ));
                exit = Exit::Incomplete;
            }
        }
    }
    for (table, columns) in &keys {
        progress.step(&format!("alternate key of {table}"));
        let made = app.make_key(table, columns, arguments.dry_run).await;
        progress.end();
        if made_key(table, columns, &made?, arguments.json.json)? != Exit::Done {
            exit = Exit::Incomplete;
        }
    }
    Ok(exit)
}

/// `TABLE=COLUMN,COLUMN`
fn key(text: &str) -> Result<(TableName, Vec<ColumnName>), End> {
    let Some((table, columns)) = text.split_once('=') else {
        return Err(End::new(
            Exit::Usage,
            "--alternate-key is TABLE=COLUMN or TABLE=COLUMN,COLUMN, such as contact=new_extid",
        ));
    };
    let columns = columns.split(',').map(|column| named(ColumnName::new(column.trim())));
    Ok((named(TableName::new(table.trim()))?, columns.collect::<Result<_, _>>()?))
}

/// Says what came of it.
fn made_key(
    table: &TableName,
    columns: &[ColumnName],
    made: &KeyMade,
    json: bool,
) -> Result<Exit, End> {
    let columns: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
    let columns = columns.join(", ");
    Ok(match made {
        KeyMade::Already => {
            say(&format!("{table} has a key of {columns} already; nothing to do"));
            Exit::Done
        }
        KeyMade::Planned(request) => {
            if json {
                print_json(&as_json(request))?;
            } else {
                data(&shown(request))?;
            }
            say("nothing was sent");
            Exit::Done
        }
        KeyMade::Done => {
            say(&format!("{table} has a key of {columns}, and its index is built"));
            Exit::Done
        }
        KeyMade::Building => {
            say(&format!(
                "the key of {columns} on {table} is made, and its index is still being built; run this again later"
            ));
            Exit::Incomplete
        }
        KeyMade::Failed => {
            say(&format!(
                "the index of the key of {columns} on {table} cannot be built: some rows hold the same value; make the values unique, then delete the key at make.powerapps.com and run this again"
            ));
            Exit::Incomplete
        }
    })
}

/// A request as it would go over the wire.
fn shown(request: &MetadataRequest) -> String {
    let header = request.header.as_ref().map(|(name, value)| format!("{name}: {value}\n"));
    format!(
        "{} {}\n{}{:#}\n",
        request.method,
        request.path,
        header.unwrap_or_default(),
        request.body
    )
}

fn as_json(request: &MetadataRequest) -> Value {
    let headers: serde_json::Map<String, Value> = request
        .header
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    json!({
        "method": request.method, "path": request.path, "headers": headers, "body": request.body,
    })
}
