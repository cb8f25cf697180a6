//! Delivery: drains the outbox and the events, and is the only code that writes to a remote
//! system. Lease → send → settle; one write per record in flight.

mod activities;
mod activity_fate;
mod activity_judge;
mod activity_send;
mod activity_settle;
pub(crate) mod consent;
mod drain;
mod evidence;
mod parents;
mod parked;
mod parting;
mod paths;
mod policy;
mod removal;
mod send;
mod settle;
mod state;
mod target;

pub(crate) use activities::{ActivityDelivery, ActivitySettings};
pub(crate) use activity_send::ActivityTargets;
pub(crate) use drain::Delivery;
pub(crate) use target::{DrainReport, Flags, Target};
