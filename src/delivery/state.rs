//! What the delivering loop has in hand.

use std::collections::{BTreeSet, HashMap, HashSet};

use tokio::task::{JoinError, JoinSet};

use super::evidence::{Mark, Seen};
use super::parked::Parked;
use super::send::{Delivered, Trouble};
use super::target::DrainReport;
use crate::clock::Monotonic;
use crate::model::TableName;
use crate::store::Leased;

/// A task of the loop that has ended.
pub(super) type Joined = Result<(Leased, Result<Delivered, Trouble>), JoinError>;

/// What the loop remembers between its turns.
pub(super) struct Loop {
    /// Until then rows in doubt rest, where there were any at its beginning: an
    /// earlier pass had sent them, or a process that died, they may be carried out
    /// yet, and when they went out is not known.
    pub(super) rests_until: Option<Monotonic>,
    pub(super) active: JoinSet<(Leased, Result<Delivered, Trouble>)>,
    /// Leased rows that wait for their next attempt.
    pub(super) waiting: BTreeSet<(Monotonic, i64)>,
    pub(super) seen: Seen,
    /// The last failure of each row that may be tried again.
    pub(super) marks: HashMap<i64, Mark>,
    pub(super) stopped_tables: HashSet<TableName>,
    pub(super) parked: Parked,
    pub(super) report: DrainReport,
}

impl Loop {
    pub(super) fn new(rests_until: Option<Monotonic>) -> Self {
        Self {
            rests_until,
            active: JoinSet::new(),
            waiting: BTreeSet::new(),
            seen: Seen::default(),
            marks: HashMap::new(),
            stopped_tables: HashSet::new(),
            parked: Parked::default(),
            report: DrainReport::default(),
        }
    }

    /// Keeps a row of a table that takes nothing for the end of the pass.
    pub(super) fn park(&mut self, leased: Leased) {
        self.parked.add(leased.id);
        if !self.report.failed.contains(&leased.table) {
            self.report.failed.push(leased.table);
        }
    }
}
