//! cdsync keeps Microsoft Dynamics 365 (Dataverse) and Adobe Campaign in step.
//!
//! Flows read one system and write only to the store. Delivery reads the store
//! and is the only code that writes to a remote system. The store commits a
//! page's work and the cursor that produced it in one transaction. So a crash
//! at any instruction leaves either "page not taken" or "page taken, writes
//! pending", and every write may be repeated without harm.
//!
//! ```text
//! Dynamics ──read──▶ flows ──decide──▶ store: outbox + mirror + cursor (1 tx) ──▶ delivery ──write──▶ Campaign
//! ```
//!
//! # A changed contact, step by step
//!
//! 1. `dynamics` follows the stored delta link and turns the page's JSON into
//!    values of `model`, by the types of the table's metadata.
//! 2. `flows` applies the compiled mapping (`mapping`) to each row: a
//!    record for Campaign, left out by the filter, or a named failure.
//! 3. One transaction of `store` compares each record with the mirror (what
//!    Campaign was last told, as keyed fingerprints), puts what differs into
//!    the outbox, and saves the new cursor.
//! 4. `delivery` leases the row, finds the record by its key if it must,
//!    and sends the fields that differ through `campaign` and `http`.
//! 5. One transaction takes the row out of the outbox and writes the mirror.
//!
//! A crash before 3 repeats 1 to 3. A crash between 3 and 5 leaves a leased
//! row; it is marked uncertain at the next start, and the key is looked up
//! before anything is sent again.
//!
//! # Who owns what
//!
//! | module | owns | must not know |
//! |---|---|---|
//! | `clock` | time, randomness | the rest |
//! | `secret` | secrets and where they lie | who uses them |
//! | `schedule` | cron expressions | flows |
//! | `model` | the vocabulary | I/O, JSON |
//! | `mapping` | from a row to a record | both systems' JSON, the store |
//! | `config` | the file, its problems | the systems |
//! | `telemetry` | events and their fields | who reports them |
//! | `store` | the database, all SQL | HTTP |
//! | `http` | connections, tokens, limits, what an answer means | tables, records |
//! | `dynamics`, `campaign` | each system's URLs and JSON | each other, the store |
//! | `flows` | reading and deciding | how a record is written |
//! | `delivery` | writing, repeating, giving up | where a decision came from |
//! | `scheduler` | when something is due | what it does |
//! | `app` | building all of it | printing |
//! | `daemon` | being a service: signals, control socket, ready, watchdog | what commands print |
//! | `sandbox` | look-alikes of both systems | our clients |
//! | `cli` | arguments, output, exit codes | records |
//! | `sim` | simulated lives of the whole, in tests only | – |
//! | `fuzz` | what `cargo fuzz` gives its inputs to; for it and for tests only | – |

mod app;
mod campaign;
mod clock;
mod config;
mod daemon;
mod delivery;
mod dynamics;
mod failpoint;
mod flows;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod http;
mod mapping;
mod model;
mod schedule;
mod scheduler;
mod secret;
#[cfg(test)]
mod sim;
mod store;
mod telemetry;

pub mod cli;
pub mod sandbox;
