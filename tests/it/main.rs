//! The one integration binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and its helpers are part of it"
)]

mod cli;
mod cli_first_steps;
mod cli_json;
mod crash;
mod rig;
mod sandbox;
mod sandbox_campaign;
mod sandbox_dynamics;
mod sandbox_faults;
