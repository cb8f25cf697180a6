//! Adobe Campaign Standard's REST API and the journal of its events, as far as
//! cdsync needs them.
//!
//! Owns: its URLs, its JSON and the wire form of its values. Gives values of
//! `model`; must not know Dynamics, the store, or what a mapping is.

pub(crate) mod extract;
mod finder;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod journal;
mod listing;
mod metadata;
mod reader;
pub(crate) mod sftp;
mod value;
mod wire;
mod writer;

pub(crate) use finder::Finder;
pub(crate) use journal::{Journal, JournalPage, misled};
pub(crate) use listing::{Listed, ListingPage};
pub(crate) use reader::Reader;
pub(crate) use value::{Clearing, encode};
pub(crate) use writer::{Address, Created, Found, KeyLookup, Writer};

/// What a call can end with; made by the transport, passed on as it is.
pub(crate) use crate::http::{Failure, Outcome};
