//! Arguments of `optouts`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::cli::args::{Json, record_id};
use crate::model::RecordId;

/// `optouts`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Optouts {
    /// What to do.
    #[command(subcommand)]
    pub(crate) action: OptoutAction,
}

impl Optouts {
    /// Whether the answer is for a program.
    pub(crate) fn is_data(&self) -> bool {
        match &self.action {
            OptoutAction::List { json, .. } | OptoutAction::Show { json, .. } => json.json,
            OptoutAction::Export { .. } => true,
        }
    }
}

/// `optouts …`
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OptoutAction {
    /// List every contact and flag of which anything was ever said
    List {
        /// Only flags in this state
        #[arg(long, value_name = "STATE")]
        state: Option<StateName>,
        /// Only flags on which contacts with the same e-mail address differ
        #[arg(long, conflicts_with = "state")]
        same_address: bool,
        /// Print JSON
        #[command(flatten)]
        json: Json,
    },
    /// Tell all that is known of a contact: each flag, and each decision with
    /// its evidence, newest first
    Show {
        /// The contact's id in Dynamics
        #[arg(value_parser = record_id)]
        id: RecordId,
        /// Print JSON
        #[command(flatten)]
        json: Json,
    },
    /// Write the whole ledger, each flag with its last decision
    Export {
        /// CSV for spreadsheets, or JSON
        #[arg(long, default_value = "csv", value_name = "FORMAT")]
        format: ExportForm,
        /// File to write, which must not exist yet [default: stdout]
        #[arg(long, value_name = "FILE")]
        #[serde(skip)]
        output: Option<PathBuf>,
    },
}

/// States of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StateName {
    // Both sides are as decided.
    Settled,
    // To be looked at.
    Due,
    // To be lifted, in a pass under way.
    Clearing,
    // Held by the clearing guard.
    Held,
    // Approved, to be lifted at the next pass.
    Approved,
}

/// Forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExportForm {
    Csv,
    Json,
}
