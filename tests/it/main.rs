//! The one integration binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and its helpers are part of it"
)]

mod auth;
mod check_activities;
mod cli;
mod cli_first_steps;
mod cli_guardrails;
mod cli_json;
mod cli_provision;
mod cli_templates;
mod crash;
mod crash_egress;
mod crash_links;
mod daemon;
mod daemon_start;
mod egress_activities;
mod egress_contacts;
mod egress_faults;
mod egress_files;
mod egress_files_hostile;
mod egress_journal;
mod egress_journal_faults;
mod egress_mailings;
mod egress_openssh;
mod egress_world;
mod ingress_calls;
mod ingress_changes;
mod ingress_compare;
mod ingress_deletes;
mod ingress_diff;
mod ingress_families;
mod ingress_faults;
mod ingress_hostile;
mod ingress_keys;
mod ingress_levels;
mod ingress_links;
mod ingress_load;
mod ingress_mapping;
mod ingress_misfits;
mod ingress_missing;
mod ingress_optout_creation;
mod ingress_plan;
mod ingress_privacy;
mod ingress_refilter;
mod ingress_remap;
mod ingress_resources;
mod ingress_schema;
mod ingress_tables;
mod ingress_tokens;
mod manual;
mod optout;
mod optout_clocks;
mod optout_crash;
mod optout_doubt;
mod optout_files;
mod optout_guard;
mod optout_people;
mod optout_privacy;
mod optout_races;
mod optout_rig;
mod optout_table;
mod optouts_cli;
mod provision_mail;
mod reconcile;
mod resync;
mod resync_crash;
mod resync_links;
mod resync_verify;
mod rig;
mod sandbox;
mod sandbox_activities;
mod sandbox_batch;
mod sandbox_campaign;
mod sandbox_client;
mod sandbox_crm;
mod sandbox_drift;
mod sandbox_dynamics;
mod sandbox_faults;
mod sandbox_identity;
mod sandbox_journal;
mod sandbox_linked;
mod sandbox_mail;
mod sandbox_metadata;
mod sandbox_optouts;
mod sandbox_sftp;
mod sandbox_tracking;
mod sandbox_variants;
mod sandbox_writes;
mod sshd;
mod support;
mod trace;
