//! The composition root: builds clients, tables and passes from a
//! configuration and a clock. The only place that knows all parts.

mod activities;
mod activity_check;
mod aging;
mod budget;
mod came;
mod check_files;
mod check_journal;
mod check_optout;
mod connect;
mod egress;
mod explore;
mod guardrails;
mod ingress;
mod known;
mod log_copy;
mod optout;
mod optout_keep;
mod pass;
mod pin;
#[cfg(test)]
mod planned;
mod plans;
mod progress;
mod provision;
mod provision_mail;
mod rehearsal;
mod rehearsal_egress;
mod rehearsal_optout;
mod report;
mod report_read;
mod resync;
mod rights;
mod story;
mod suggest;
mod tables;
mod told;

pub(crate) use budget::budget_findings;
pub(crate) use came::Came;
pub(crate) use connect::{App, SetupError, secret_findings};
pub(crate) use explore::{Finding, FindingKind, check};
pub(crate) use guardrails::guardrails;
pub(crate) use pass::{PassEnd, PassOptions, PassReport, Watch, sync};
pub(crate) use provision::{KeyMade, Provisioned};
pub(crate) use provision_mail::{MailPlan, MailWish, OwnIds, Stepped};
pub(crate) use rehearsal::{Look, Meaning, Planned, Rehearsal, plan_ingress};
pub(crate) use rehearsal_egress::plan_egress;
pub(crate) use rehearsal_optout::plan_optout;
#[cfg(test)]
pub(crate) use report::Way;
pub(crate) use report::{
    Daemon, FlowStatus, JournalStatus, Lag, Status, SystemLoad, SystemStatus, TableStatus,
};
pub(crate) use report_read::status;
pub(crate) use resync::{Wish, ask, forget_comparisons, verify};
pub(crate) use story::{Standing, Story, WaitsFor, story};
pub(crate) use suggest::suggest;
pub(crate) use told::{HeldBack, finished};

/// What changes the metadata of Dynamics, for `provision` to show.
pub(crate) use crate::dynamics::MetadataRequest;
/// What was asked for beyond the changes, and what is told of it.
pub(crate) use crate::flows::requests::{Drift, DriftField, Ended, Others, Report, Requests};
/// What a system's failure means, for the commands that end with one.
pub(crate) use crate::http::{Closed, Failure, Outcome};
/// Types in words, for the commands that show them.
pub(crate) use crate::mapping::{column_words, field_words};
