//! What the program can report: one type per event, so that names and fields
//! cannot drift, and `docs/events.md` is tested against the same list.
//!
//! Ids may stand in an event; names, addresses, mapped values, tokens and
//! secrets may not.

mod event;
mod http;
mod ingress;
mod log;

pub(crate) use event::{EventDoc, Loggable};
pub(crate) use http::*;
pub(crate) use ingress::*;
pub(crate) use log::{LogFormat, start};
