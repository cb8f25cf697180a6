//! `discard-table`: the end of what the store holds of a table that is no
//! longer mapped.

use serde_json::json;

use crate::config::Config;
use crate::model::TableName;
use crate::store::Leftover;
use crate::telemetry::TableDiscarded;

use super::args::DiscardTable;
use super::desk::Place;
use super::exit::{End, Exit};
use super::output::{Spoken, many};

/// The table that the command names; one that is mapped is refused.
pub(super) fn unmapped(arguments: &DiscardTable, config: &Config) -> Result<TableName, End> {
    let wanted = TableName::new(&arguments.table)
        .map_err(|error| End::new(Exit::Usage, error.to_string()))?;
    let mut tables = config.ingress.iter().flat_map(|ingress| &ingress.tables);
    if tables.any(|table| table.dynamics == wanted) {
        return Err(End::new(
            Exit::Usage,
            format!(
                "{wanted} is mapped; take it out of the configuration first, or send it again with `cdsync resync --table {wanted}`"
            ),
        ));
    }
    Ok(wanted)
}

/// Answers the command: says what is left, and with `--yes` discards it.
pub(super) async fn answer(arguments: &DiscardTable, place: &Place<'_>) -> Result<Spoken, End> {
    let wanted = unmapped(arguments, place.config)?;
    let name = wanted.clone();
    let left = place.store.call(move |work| work.leftover(&name)).await?;
    if !left.known {
        return Err(End::new(Exit::Incomplete, format!("the store knows nothing of {wanted}")));
    }
    if left.in_work > 0 {
        return Err(End::new(
            Exit::Incomplete,
            format!(
                "{} about {wanted} on the way to Campaign; try again when the pass is over",
                many(left.in_work, "decision")
            ),
        ));
    }
    if arguments.yes {
        discard(place, &wanted, left).await?;
    }
    let spoken = if arguments.json.json {
        Spoken::json(&json!({
            "table": wanted.as_str(),
            "waiting": left.waiting,
            "dead_letters": left.dead_letters,
            "records": left.records,
            "discarded": arguments.yes,
        }))
    } else {
        Spoken::out(in_words(&wanted, left))
    };
    let (exit, say) = if arguments.yes {
        (Exit::Done, "discarded; Campaign keeps what it holds")
    } else {
        (Exit::Usage, "nothing was discarded; add `--yes` to do it")
    };
    Ok(Spoken { exit, say: say.to_owned(), ..spoken })
}

async fn discard(place: &Place<'_>, table: &TableName, left: Leftover) -> Result<(), End> {
    let name = table.clone();
    place
        .store
        .call(move |work| {
            work.let_go_of(&name)?;
            work.discard_position(&name)
        })
        .await?;
    loop {
        let name = table.clone();
        if !place.store.call(move |work| work.discard_some(&name)).await? {
            break;
        }
    }
    TableDiscarded {
        table: table.clone(),
        waiting: left.waiting,
        dead_letters: left.dead_letters,
        records: left.records,
    }
    .emit();
    Ok(())
}

fn in_words(table: &TableName, left: Leftover) -> String {
    format!(
        "{table}: {} waiting, {}, {} that Campaign was told of",
        many(left.waiting, "decision"),
        many(left.dead_letters, "dead letter"),
        many(left.records, "record"),
    )
}
