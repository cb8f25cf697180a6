//! Where a table's decisions go, and how its delivery ended.

use crate::campaign::{Failure, Writer};
use crate::model::TableName;

/// One table's way into Campaign.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Writes its resource.
    pub(crate) writer: Writer,
    /// Whether its records link to others.
    pub(crate) has_links: bool,
    /// Whether records of other tables link to its records.
    pub(crate) is_parent: bool,
}

/// How the work of a pass ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct DrainReport {
    /// Tables whose writes cannot go on.
    pub(crate) failed: Vec<TableName>,
    /// What ended the flow, if something did.
    pub(crate) stopped: Option<Failure>,
}
