//! One transport for both remote systems.
//!
//! Owns: connections, time and size limits, host pinning, tokens, rate and
//! concurrency, and what each answer means ([`classify()`]). It must not know what
//! a table, a record or a flow is, and never touches the store.
//!
//! Promises: a credential goes to the configured origin only; redirects are not
//! followed; proxies named in the environment are not used; nothing secret and
//! no remote personal datum is in a [`Failure`] or an event.

mod assertion;
mod auth;
mod baseline;
mod body;
mod budget;
mod classify;
mod classify_campaign;
mod classify_dynamics;
mod clean;
mod client;
mod credentials;
mod dates;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gate;
mod health;
pub(crate) mod json;
#[cfg(test)]
mod marker_tests;
mod message;
mod origin;
mod pause;
mod progress;
mod retry_after;
#[cfg(test)]
mod test_support;
mod transport;

pub(crate) use auth::{Auth, ClientProof, SecretLoader};
pub(crate) use budget::{
    Book, Class, Closed, DayLimit, Entry, Meter, Used, closed_at, day_of, end_of,
};
pub(crate) use classify::classify;
pub(crate) use client::Client;
pub(crate) use failure::{Failure, Outcome, System};
pub(crate) use gate::Limits;
pub(crate) use message::{Request, Response};
pub(crate) use origin::{Origin, RemoteUrl};
#[cfg(test)]
pub(crate) use test_support::scripted;
pub(crate) use transport::Transport;
#[cfg(test)]
pub(crate) use transport::{Broken, LocalAnswer};
