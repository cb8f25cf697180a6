//! Arguments of every command.

mod letters;
mod sandbox;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub(super) use self::sandbox::Sandbox;
use super::exit::Exit;
use super::optouts::Optouts;
use crate::model::RecordId;

pub(super) use super::flow_name::FlowName;

pub(super) use letters::{DeadLetters, DiscardTable, Forget, LetterAction};

const HELP: &str = "\
First steps: `cdsync demo` shows everything without any configuration. `cdsync init`, `check` and
`plan` lead to a configuration that fits; `sync` runs it once, `run` by its schedule.";

const RESYNC_HELP: &str = "\
Examples:
  cdsync resync --table contact            send all rows of the table again
  cdsync resync --table contact --verify   list what differs; write nothing
  cdsync resync --id GUID --repair         compare one record, and mend it";

const RUN_HELP: &str = "\
The schedules stand in the configuration. SIGHUP reads it again, SIGTERM settles what is under way
and ends. The other commands reach a running daemon by themselves.";

/// Keeps Microsoft Dynamics 365 and Adobe Campaign in step.
#[derive(Debug, Parser)]
#[command(name = "cdsync", version, max_term_width = 100, after_help = format!("{HELP}\n\n{}", Exit::codes()))]
pub(super) struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub(super) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options that stand before or after the command.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// The configuration file
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        env = "CDSYNC_CONFIG",
        hide_env_values = true,
        default_value = "/etc/cdsync/config.toml",
        value_name = "FILE"
    )]
    pub(super) config: PathBuf,
    /// Form of the log on stderr; auto takes the journal under systemd, pretty
    /// on a terminal, json otherwise
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        default_value = "auto",
        value_name = "FORMAT"
    )]
    pub(super) log_format: Format,
    /// Least important events to log
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        default_value = "info",
        value_name = "LEVEL"
    )]
    pub(super) log_level: Level,
}

/// Forms of the log. Without docs on the values, so that the help stays short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Auto,
    Json,
    Pretty,
    Journald,
}

/// Levels of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Try everything without any configuration: runs the flows on the
    /// embedded sandbox and compares every record on both sides
    Demo(Demo),
    /// Run look-alikes of Dynamics and Campaign on this machine
    Sandbox(Sandbox),
    /// Write a commented configuration
    Init(Init),
    /// Look the configuration over, then ask both systems whether it fits
    Check(Check),
    /// Show the tables of Dynamics, or the columns of one
    Tables(Explore),
    /// Show the resources of Campaign, or the fields of one
    Resources(Explore),
    /// Set up Dynamics: make the activity tables, turn change tracking on
    Provision(Provision),
    /// Run the daemon: passes by their schedule, until SIGTERM
    #[command(after_help = RUN_HELP)]
    Run,
    /// Run one pass of the flows until their backlog is empty
    Sync(Sync),
    /// Show what a pass would write, and why; writes nothing
    Plan(Plan),
    /// Send rows again, or compare both systems and mend what differs
    Resync(Resync),
    /// Keep the daemon from running a flow, until it is resumed
    Pause(FlowChoice),
    /// Let the daemon run a paused flow again
    Resume(FlowChoice),
    /// Show flows, tables, systems, backlog and dead letters
    Status(Status),
    /// Tell one record's story: versions read, decisions, requests, waits
    Trace(Trace),
    /// Look at records that were given up, retry or discard them
    DeadLetters(DeadLetters),
    /// Release the deletions of a table that the delete guard holds
    ApproveDeletes(ApproveDeletes),
    /// Discard what is left of a table that is no longer mapped
    DiscardTable(DiscardTable),
    /// Look into the opt-out ledger, or export it: who is opted out, who said
    /// so, why it was decided so
    Optouts(Optouts),
    /// Release the opt-outs that would be lifted and that the clearing guard
    /// holds; they go at the next pass
    ApproveOptouts,
    /// Erase what the store knows of a person, or of any other record
    Forget(Forget),
    /// Write man pages, completions and the example configuration, for packages
    #[command(hide = true)]
    Manual(Manual),
}

/// `--json`
#[derive(Clone, Copy, Debug, Args, Serialize, Deserialize)]
pub(super) struct Json {
    /// Print JSON in place of a table
    #[arg(long)]
    pub(super) json: bool,
}

/// `status`
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Status {
    /// Look again every 2 s until Ctrl-C; with --json one object a line
    #[arg(long)]
    pub(super) watch: bool,
    /// Print JSON
    #[command(flatten)]
    pub(super) json: Json,
}

/// `demo`
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Contacts to begin with
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    pub(super) contacts: u32,
    /// Seed of the data; the same seed gives the same run
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Print JSON
    #[command(flatten)]
    pub(super) json: Json,
}

/// `init`
#[derive(Debug, Args)]
pub(super) struct Init {
    /// File to write; `-` for stdout [default: the file of --config]
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Read the existing configuration's systems and write mappings of what
    /// both of them have
    #[arg(long)]
    pub(super) from_metadata: bool,
    /// Write this ready-made mapping in place of the example; may be given
    /// several times. `list` shows their names
    #[arg(long, value_name = "NAME", conflicts_with = "from_metadata")]
    pub(super) template: Vec<String>,
    /// Overwrite an existing file
    #[arg(long)]
    pub(super) force: bool,
}

/// `check`
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Look at the file and at the secrets that it names; contact nobody
    #[arg(long)]
    pub(super) offline: bool,
    /// Print JSON
    #[command(flatten)]
    pub(super) json: Json,
}

/// `tables`, `resources`
#[derive(Debug, Args)]
pub(super) struct Explore {
    /// Show the columns or fields of this one; without a name, list all
    pub(super) name: Option<String>,
    /// Print JSON
    #[command(flatten)]
    pub(super) json: Json,
}

/// `provision`
#[derive(Debug, Args)]
pub(super) struct Provision {
    /// Turn change tracking of this table on and publish it, instead of making
    /// the activity tables; needs customiser rights, and cannot be undone. May
    /// be given several times
    #[arg(long, value_name = "TABLE")]
    pub(super) change_tracking: Vec<String>,
    /// Make an alternate key of these columns, and wait for its index, instead
    /// of making the activity tables. May be given several times
    #[arg(long, value_name = "TABLE=COLUMN,…")]
    pub(super) alternate_key: Vec<String>,
    /// The solution that the activity tables lie in
    #[arg(long, value_name = "NAME", default_value = "cdsyncMailEvents")]
    pub(super) solution: String,
    /// The solution's publisher, if it is new [default: the one with the
    /// prefix, or else cdsync]
    #[arg(long, value_name = "NAME")]
    pub(super) publisher: Option<String>,
    /// Print the requests that would be sent; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

/// `manual`
#[derive(Debug, Args)]
pub(super) struct Manual {
    /// The directory to write into
    #[arg(value_name = "DIRECTORY")]
    pub(super) directory: PathBuf,
}

/// `sync`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct Sync {
    /// Flows to run; all that are configured, if none is named
    #[arg(value_name = "FLOW")]
    pub(super) flows: Vec<FlowName>,
    /// Give up after this long without progress
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) patience: u64,
    /// Let the running daemon do it now, and wait for the end
    #[arg(long)]
    pub(super) via_daemon: bool,
}

/// `pause`, `resume`
#[derive(Clone, Copy, Debug, Args, Serialize, Deserialize)]
pub(super) struct FlowChoice {
    /// The flow
    #[arg(value_name = "FLOW")]
    pub(super) flow: FlowName,
}

/// `plan`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Flows to plan; all that are configured, if none is named
    #[arg(value_name = "FLOW")]
    pub(super) flows: Vec<FlowName>,
    /// Show the values, too: personal data
    #[arg(long)]
    pub(super) show_values: bool,
    /// Print one JSON object a line
    #[command(flatten)]
    pub(super) json: Json,
}

/// `resync`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
#[command(after_help = RESYNC_HELP)]
pub(super) struct Resync {
    /// A mapped table, all of its rows; may be given several times
    #[arg(long = "table", value_name = "NAME")]
    pub(super) tables: Vec<String>,
    /// Only these records; looked for in every mapped table, if none is named
    #[arg(long = "id", value_name = "GUID", num_args = 1.., value_parser = record_id)]
    pub(super) ids: Vec<RecordId>,
    /// Only rows that Dynamics changed at this time or later, as in
    /// 2026-03-01T06:00:00Z or 2026-03-01
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) since: Option<Timestamp>,
    /// Compare both systems and report what differs; write nothing
    #[arg(long)]
    pub(super) verify: bool,
    /// Compare both systems and mend what differs
    #[arg(long)]
    pub(super) repair: bool,
    /// Show the values that differ; they may be personal data
    #[arg(long)]
    pub(super) show_values: bool,
    /// Give up after this long without progress
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) patience: u64,
    /// Print one JSON object a line
    #[command(flatten)]
    pub(super) json: Json,
}

/// `trace`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct Trace {
    /// The record's id in Dynamics
    pub(super) id: String,
    /// Its table, by its logical name; all tables, if none is named
    #[arg(long, value_name = "NAME")]
    pub(super) table: Option<String>,
    /// Print JSON
    #[command(flatten)]
    pub(super) json: Json,
}

pub(super) fn record_id(text: &str) -> Result<RecordId, String> {
    RecordId::parse(text).map_err(|_| "this is not a GUID".to_owned())
}

/// A time with its zone, or the beginning of a day in UTC.
fn moment(text: &str) -> Result<Timestamp, String> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse::<Timestamp>().ok().or_else(|| day().map(|day| day.timestamp())).ok_or_else(|| {
        "this is neither a time with its zone, as in 2026-03-01T06:00:00Z, nor a date".to_owned()
    })
}

/// `approve-deletes`
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct ApproveDeletes {
    /// The Dynamics table; what is held now goes at the next pass
    pub(super) table: String,
}
