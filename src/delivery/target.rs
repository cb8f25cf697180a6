//! Where a table's decisions go, and how its delivery ended.

use std::sync::Arc;

use crate::campaign::{Failure, Writer};
use crate::model::TableName;
use crate::model::consent::{BoundPair, Direction};

/// One table's way into Campaign.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Writes its resource.
    pub(crate) writer: Writer,
    /// Whether its records link to others.
    pub(crate) has_links: bool,
    /// Whether records of other tables link to its records.
    pub(crate) is_parent: bool,
    /// The opt-out flags that its records have.
    pub(crate) flags: Flags,
}

/// The opt-out flags of a table's records; none where no flow carries any.
#[derive(Clone, Debug)]
pub(crate) struct Flags {
    /// Each with both its names.
    pub(crate) pairs: Arc<[BoundPair]>,
    /// Which way they travel.
    pub(crate) direction: Direction,
}

impl Flags {
    /// Whether somebody may say no in Campaign alone, and that is to count.
    pub(super) fn are_said_in_campaign(&self) -> bool {
        !self.pairs.is_empty() && self.direction != Direction::DynamicsToCampaign
    }
}

/// How the work of a pass ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct DrainReport {
    /// Tables whose writes cannot go on.
    pub(crate) failed: Vec<TableName>,
    /// What ended the flow, if something did.
    pub(crate) stopped: Option<Failure>,
}
