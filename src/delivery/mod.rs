//! Delivery: drains the outbox, and is the only code that writes to a remote
//! system. Lease → send → settle; one write per record in flight.

pub(crate) mod consent;
mod drain;
mod parents;
mod parked;
mod paths;
mod policy;
mod send;
mod settle;
mod target;

pub(crate) use drain::Delivery;
pub(crate) use target::{DrainReport, Target};
