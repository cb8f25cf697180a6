//! cdsync keeps Microsoft Dynamics 365 (Dataverse) and Adobe Campaign in step.
//!
//! Flows read one system and write only to the store. Delivery reads the store
//! and is the only code that writes to a remote system. The store commits a
//! page's work and the cursor that produced it in one transaction. So a crash
//! at any instruction leaves either "page not taken" or "page taken, writes
//! pending", and every write may be repeated without harm.

mod app;
mod campaign;
mod clock;
mod config;
mod delivery;
mod dynamics;
mod failpoint;
mod flows;
mod http;
mod mapping;
mod model;
mod schedule;
mod secret;
mod store;
mod telemetry;

pub mod cli;
pub mod sandbox;
