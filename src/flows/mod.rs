//! Flows: read one system, decide, and commit decisions and cursor in one
//! transaction. They write to the store only; delivery writes to the systems.

mod affected;
mod commit;
mod compare;
mod decide;
mod diff;
pub(crate) mod egress;
pub(crate) mod egress_files;
mod egress_rows;
pub(crate) mod events;
mod file_look;
mod file_seen;
mod follow;
mod full_read;
mod idle;
pub(crate) mod ingress;
mod inventory;
mod judge;
mod links;
mod log_file;
mod mend;
mod older;
pub(crate) mod optout;
mod page_watch;
mod prepare;
mod presence;
mod reconcile;
mod remap;
mod replay;
mod report;
pub(crate) mod requests;
mod resume;
pub(crate) mod shape;
mod steps;
