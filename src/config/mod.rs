//! The configuration file: text → tree with places (`tree`, unknown keys
//! refused) → check (every problem with place and hint) → [`Config`]; and the
//! annotated example. Contacts nothing and reads no secret.
//!
//! May import `schedule`, `mapping`, `model`, `secret` only.

mod check;
mod egress;
mod example;
mod fields;
mod files;
mod filter;
mod ingress;
mod links;
mod log_copy;
mod masks;
mod optout;
mod optout_files;
mod problem;
mod render;
mod runs;
mod sections;
mod settings;
mod sftp;
mod suggest;
mod syntax;
mod templates;
mod tree;
mod values;

pub(crate) use check::{ReadError, load, read};
pub(crate) use example::{Example, annotated, guess_key, table_block};
pub(crate) use log_copy::LogCopySettings;
pub(crate) use problem::Problems;
pub(crate) use runs::next_runs;
pub(crate) use settings::{
    BaseUrl, CampaignSettings, Config, DayBudget, DynamicsCredential, DynamicsSettings,
    EgressSettings, OptoutSettings,
};
pub(crate) use templates::{TEMPLATES, template_blocks};

#[cfg(test)]
mod tests;
