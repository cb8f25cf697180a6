//! `[optout]`: opt-out flags, in one direction or both.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::mapping::OptoutFiles;
use crate::model::ColumnName;
use crate::model::consent::{ClearingGuard, Direction, FlagPair, Mode};
use crate::schedule::Schedule;

/// `[optout]` with a direction that is not `disabled`.
#[derive(Clone, Debug)]
pub(crate) struct OptoutSettings {
    /// In which direction flags travel.
    pub(crate) direction: Direction,
    /// How strictly a lead is proven; of weight for `bidirectional` only.
    pub(crate) mode: Mode,
    /// When the daemon runs it.
    pub(crate) schedule: Option<Schedule>,
    /// The zone of the schedule.
    pub(crate) time_zone: TimeZone,
    /// The flags. Empty only for `dynamics-to-campaign`, where `ingress` writes
    /// all of them: there is nothing for this flow to do then.
    pub(crate) pairs: Vec<FlagPair>,
    /// When clearings are held.
    pub(crate) guard: ClearingGuard,
    /// Whether a contact that has the address of a deleted one takes over its
    /// opt-outs; otherwise somebody is told. None: no addresses are kept.
    pub(crate) recreated: Option<bool>,
    /// For how long after the deletion.
    pub(crate) recreated_within: Duration,
    /// The contact's column with its address, where one is named.
    pub(crate) address: Option<ColumnName>,
    /// `[optout.rest]`, where `source` names it; none for
    /// `dynamics-to-campaign`, which reads no changes of Campaign.
    pub(crate) rest: Option<OptoutRest>,
    /// `[optout.sftp]`, or its defaults, where `source` names it; none for
    /// `dynamics-to-campaign`.
    pub(crate) files: Option<OptoutFiles>,
}

/// `[optout.rest]`: profiles that changed since a time, through a custom
/// filter of the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OptoutRest {
    /// The path segment, `by…`.
    pub(crate) filter: String,
    /// The query parameter, `…_parameter`.
    pub(crate) parameter: String,
}
