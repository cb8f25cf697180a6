//! Arguments of `dead-letters` and `discard-table`.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::Json;

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
