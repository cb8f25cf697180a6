//! `forget`: what the store knows of a person is erased, to the last byte.

use std::io::{self, IsTerminal};

use serde_json::json;

use crate::daemon::Desk;
use crate::model::RecordId;
use crate::store::{Forgotten, Store};
use crate::telemetry::RecordForgotten;

use super::args::Forget;
use super::exit::{End, Exit};
use super::output::{Spoken, many, say};

/// Asks the person at the terminal; a script has decided already.
pub(super) fn confirm(arguments: Forget) -> Result<(), End> {
    if arguments.yes || !io::stdin().is_terminal() {
        return Ok(());
    }
    say(&format!(
        "All that the store knows of record {} will be erased, for good. Type `yes` to do it:",
        arguments.id
    ));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(End::new(Exit::Usage, "nothing was erased"))
}

/// Answers the command, while nothing is under way.
pub(super) async fn answer(arguments: Forget, store: &Store) -> Result<Spoken, End> {
    let record = arguments.id;
    let gone = store.call(move |work| work.forget(record)).await?;
    store.scrub().await.map_err(|error| {
        End::new(
            Exit::Store,
            format!(
                "the rows are erased, but their bytes are not out of the file yet: {error}; make room for as much as the store takes and repeat the command, or restart cdsync"
            ),
        )
    })?;
    RecordForgotten { erased: gone.erased, cleaned: gone.cleaned }.emit();
    told(record, &gone, arguments.json.json)
}

/// The same in the daemon, as soon as no pass runs.
pub(super) async fn beside(arguments: Forget, desk: &Desk) -> Result<Spoken, End> {
    let gone = || End::new(Exit::Incomplete, "the daemon ends; nothing was erased");
    // No dry run has a copy of the store meanwhile.
    let _alone = desk.rehearsal().await;
    let turn = desk.turn().await.ok_or_else(gone)?;
    let said = answer(arguments, desk.store()).await;
    drop(turn);
    said
}

fn told(record: RecordId, gone: &Forgotten, as_json: bool) -> Result<Spoken, End> {
    let known = gone.erased + gone.cleaned > 0;
    if !known && !as_json {
        return Err(End::new(
            Exit::Incomplete,
            format!("the store knows nothing of record {record}; look at the id again"),
        ));
    }
    let spoken = if as_json {
        Spoken::json(&json!({
            "id": record.to_string(),
            "known": known,
            "erased": gone.erased,
            "cleaned": gone.cleaned,
            "deletion_dropped": gone.deletion_waited,
            "in_dynamics": gone.in_dynamics,
            "left": gone.left,
        }))
    } else {
        Spoken::out(format!(
            "record {record}: {} erased; its id was taken out of {} of others",
            many(gone.erased, "row"),
            many(gone.cleaned, "row"),
        ))
    };
    let done = known && gone.left.is_empty();
    let exit = if done { Exit::Done } else { Exit::Incomplete };
    Ok(Spoken { exit, say: remarks(gone).join("\n"), ..spoken })
}

fn remarks(gone: &Forgotten) -> Vec<String> {
    let mut said = Vec::new();
    if !gone.left.is_empty() {
        let places = gone.left.join(", ");
        said.push(format!(
            "a reading under way still names it ({places}); run `cdsync sync`, then this command again"
        ));
    }
    if gone.deletion_waited {
        said.push(
            "its deletion waited and is not sent; delete it in Campaign by hand if it is there"
                .to_owned(),
        );
    } else if gone.in_dynamics {
        said.push(
            "Dynamics had it when it was last read; while it does, it comes again with its next change"
                .to_owned(),
        );
    }
    said
}
