//! Flows: read one system, decide, and commit decisions and cursor in one
//! transaction. They write to the store only; delivery writes to the systems.

mod commit;
mod decide;
mod follow;
mod full_read;
pub(crate) mod ingress;
mod page_watch;
mod prepare;
mod presence;
mod remap;
mod resume;
pub(crate) mod shape;
mod steps;
