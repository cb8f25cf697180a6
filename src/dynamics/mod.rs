//! The Dataverse Web API v9.2, as far as cdsync needs it.
//!
//! Owns: its URLs and its JSON (wire types are private to it). Gives values of
//! `model`; must not know Campaign, the store, or what a mapping is.

mod activity;
mod activity_row;
mod batch;
mod batch_reply;
mod changes;
mod definition;
mod link;
mod metadata;
mod reader;
mod record;
mod rows;
mod wire;
mod writer;

pub(crate) use activity::{ActivityShape, ActivityTable, Misfit};
pub(crate) use batch::{MOST_BYTES, Part, split};
pub(crate) use changes::{Page, Query, not_tracked};
pub(crate) use definition::{Definition, MetadataRequest, MetadataWriter};
pub(crate) use reader::Reader;
pub(crate) use record::{RecordWriter, Told};
pub(crate) use writer::{PartEnd, Writer};

/// What a read can end with; made by the transport, passed on as it is.
pub(crate) use crate::http::{Failure, Outcome};
