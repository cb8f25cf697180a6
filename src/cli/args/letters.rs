//! Arguments of `dead-letters` and `discard-table`.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::{Json, record_id};
use crate::model::RecordId;

/// `dead-letters`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct DeadLetters {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) action: LetterAction,
}

/// `dead-letters …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LetterAction {
    /// List all of them
    List(Json),
    /// Show one in full
    Show {
        /// Its number
        id: i64,
        /// Print JSON
        #[command(flatten)]
        json: Json,
    },
    /// Put them back to work, at the next pass
    Retry {
        /// Their numbers; all, if none is named
        #[arg(value_name = "ID")]
        ids: Vec<i64>,
    },
    /// Remove one for good; the record stays as it is in Campaign
    Discard {
        /// Its number
        id: i64,
    },
}

/// `discard-table`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct DiscardTable {
    /// The Dynamics table; says what is left of it
    pub(crate) table: String,
    /// Discard that for good; Campaign keeps what it holds
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print JSON
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `forget`
#[derive(Clone, Copy, Debug, Args, Serialize, Deserialize)]
#[command(after_help = FORGET_HELP)]
pub(crate) struct Forget {
    /// The record's id in Dynamics
    #[arg(value_name = "ID", value_parser = record_id)]
    pub(crate) id: RecordId,
    /// Do not ask first; without a terminal nobody is asked
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print JSON
    #[command(flatten)]
    pub(crate) json: Json,
}

const FORGET_HELP: &str = "\
Goes: what waits to be written, dead letters, e-mail events, the opt-out ledger
and the trace of this record, and its id in the rows of others. The file is then
written anew, so that no byte of it is left in the file or beside it; that needs
free room of the file's size.

Stays: what Dynamics and Campaign hold. Delete the record there first; while
Dynamics has it, it comes again with its next change. What the log said of its
id leaves with the log.";
