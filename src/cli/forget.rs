//! `forget`: what the store knows of a person is erased, to the last byte.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use serde_json::json;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::daemon::{Desk, Piece};
use crate::model::{Flow, RecordId};
use crate::store::{Forgotten, Names, Store};
use crate::telemetry::{RecordForgotten, Spool};

use super::args::Forget;
use super::exit::{End, Exit};
use super::output::{Spoken, many, say};
use super::words::Words;

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

/// Where a record is erased.
pub(super) struct Erasing<'a> {
    pub(super) store: &'a Store,
    pub(super) clock: &'a Clock,
    /// Lines of the log that wait to be copied, where this process keeps some.
    pub(super) spool: &'a Spool,
    /// Where they lie.
    pub(super) lines: PathBuf,
    pub(super) words: Words,
}

impl Erasing<'_> {
    /// Takes the lines that name a record out of those that wait to be copied. Comes
    /// first: afterwards its keys are not known.
    async fn take_lines(&self, names: Names) -> Result<u64, End> {
        let (spool, place) = (self.spool.clone(), self.lines.clone());
        let taken = tokio::task::spawn_blocking(move || {
            let left = Spool::default();
            // No process keeps lines there now; an ended one may have.
            let spool = if spool.is_open() || !place.is_dir() { &spool } else { &left };
            if !spool.is_open() && place.is_dir() {
                spool.open(&place)?;
            }
            spool.take_out(|line| names.in_line(line))
        });
        let wrong = |error: &dyn std::fmt::Display| {
            let place = self.lines.display();
            End::new(
                Exit::Store,
                format!(
                    "nothing is erased yet: lines of the log in {place}: {error}; mend that, or remove the directory while no daemon runs"
                ),
            )
        };
        taken.await.map_err(|error| wrong(&error))?.map_err(|error| wrong(&error))
    }
}

/// Answers the command, while nothing is under way.
pub(super) async fn answer(arguments: Forget, what: &Erasing<'_>) -> Result<Spoken, End> {
    let erasing = erase(arguments, what);
    let doing = || "the store is searched and written anew without the record".to_owned();
    what.words.while_waiting(erasing, what.clock, doing).await
}

async fn erase(arguments: Forget, what: &Erasing<'_>) -> Result<Spoken, End> {
    let (record, store) = (arguments.id, what.store);
    let names = store.call(move |work| work.names_of(record)).await?;
    let lines = what.take_lines(names).await?;
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
    told(record, (&gone, lines), arguments.json.json)
}

/// The same in the daemon, as soon as no pass runs.
pub(super) async fn beside(
    arguments: Forget,
    desk: &Desk,
    out: mpsc::Sender<Piece>,
) -> Result<Spoken, End> {
    let gone = || End::new(Exit::Incomplete, "the daemon ends; nothing was erased");
    let (app, words) = (desk.app(), Words::Channel(out));
    // No dry run has a copy of the store meanwhile.
    let waits = || "waits for a dry run (`cdsync plan`) to end".to_owned();
    let _alone = words.while_waiting(desk.rehearsal(), &app.clock, waits).await;
    let turn = words.while_waiting(desk.turn(), &app.clock, || waits_for(desk)).await;
    let turn = turn.ok_or_else(gone)?;
    let what = Erasing {
        store: desk.store(),
        clock: &app.clock,
        spool: desk.spool(),
        lines: app.config.log_spool(),
        words,
    };
    let said = answer(arguments, &what).await;
    drop(turn);
    said
}

/// What stands in the way of a moment without a pass.
fn waits_for(desk: &Desk) -> String {
    let flows: Vec<&str> = desk.running().into_iter().map(Flow::as_str).collect();
    if flows.is_empty() {
        return "waits for another command to end that has the systems for itself".to_owned();
    }
    let outage = desk.app().outage().map(|met| format!("; {met}")).unwrap_or_default();
    let flows = flows.join(" and ");
    format!("waits until no pass runs, now of {flows}{outage}; `cdsync pause FLOW` ends one")
}

fn told(record: RecordId, (gone, lines): (&Forgotten, u64), as_json: bool) -> Result<Spoken, End> {
    let known = gone.erased + gone.cleaned + lines > 0;
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
            "log_lines": lines,
            "deletion_dropped": gone.deletion_waited,
            "in_dynamics": gone.in_dynamics,
            "left": gone.left,
        }))
    } else {
        Spoken::out(format!(
            "record {record}: {} erased; its id was taken out of {} of others; {} of the log's copy removed",
            many(gone.erased, "row"),
            many(gone.cleaned, "row"),
            many(lines, "waiting line"),
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
    said.push(
        "the journal, and what was copied to the SFTP server, may still have its id; `journalctl --rotate` and `journalctl --vacuum-time=1s` empty the journal of this machine"
            .to_owned(),
    );
    said
}
