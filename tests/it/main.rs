//! The one integration binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and its helpers are part of it"
)]

mod auth;
mod cli;
mod cli_first_steps;
mod cli_json;
mod crash;
mod ingress_calls;
mod ingress_changes;
mod ingress_compare;
mod ingress_deletes;
mod ingress_faults;
mod ingress_hostile;
mod ingress_keys;
mod ingress_load;
mod ingress_mapping;
mod ingress_misfits;
mod ingress_plan;
mod ingress_privacy;
mod ingress_remap;
mod ingress_schema;
mod ingress_tables;
mod ingress_tokens;
mod rig;
mod sandbox;
mod sandbox_campaign;
mod sandbox_dynamics;
mod sandbox_faults;
mod support;
mod trace;
