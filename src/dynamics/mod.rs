//! The Dataverse Web API v9.2, as far as cdsync needs it.
//!
//! Owns: its URLs and its JSON (wire types are private to it). Gives values of
//! `model`; must not know Campaign, the store, or what a mapping is.

mod activity;
mod activity_row;
mod batch;
mod batch_reply;
mod blueprint;
mod changes;
mod definition;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod keys;
mod link;
mod metadata;
mod privileges;
mod reader;
mod record;
mod rows;
mod solution;
mod wire;
mod writer;

pub(crate) use activity::{ActivityShape, ActivityTable, Detail};
pub(crate) use activity_row::detail;
pub(crate) use batch::{MOST_BYTES, Part, split};
pub(crate) use blueprint::{Lack, MAIL_COLUMNS, Standing, Style, lacks, named, needed, publish};
pub(crate) use changes::{Page, Query, not_tracked};
pub(crate) use definition::{Definition, MetadataRequest, MetadataWriter};
pub(crate) use keys::{KeyIndex, make_key};
pub(crate) use link::askable;
pub(crate) use privileges::{Held, Reach, TablePrivilege};
pub(crate) use reader::Reader;
pub(crate) use record::{RecordWriter, Told};
pub(crate) use solution::{
    Publisher, finish_new, make_publisher, make_solution, publisher_id, solution_id,
};
pub(crate) use writer::{PartEnd, Writer};

/// What a read can end with; made by the transport, passed on as it is.
pub(crate) use crate::http::{Failure, Outcome};
