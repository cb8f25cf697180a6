//! `[egress]`: e-mail events, from Campaign to the timeline in Dynamics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::BaseUrl;
use crate::mapping::events::{Recognition, UnsureBounces};
use crate::mapping::logs::LogFiles;
use crate::model::{EventKind, TableName};
use crate::schedule::Schedule;

/// `[egress]` with at least one kind of event switched on.
#[derive(Clone, Debug)]
pub(crate) struct EgressSettings {
    /// When the daemon runs it.
    pub(crate) schedule: Option<Schedule>,
    /// The zone of the schedule.
    pub(crate) time_zone: TimeZone,
    /// The kinds that are switched on; never empty.
    pub(crate) events: BTreeSet<EventKind>,
    /// The customization prefix of the activity tables' columns, without `_`.
    pub(crate) prefix: String,
    /// The activity table of each kind, of all four.
    pub(crate) tables: BTreeMap<EventKind, TableName>,
    /// Whether a second request closes each activity.
    pub(crate) complete_activities: bool,
    /// How long an event waits for a contact that Dynamics does not have.
    pub(crate) contact_wait: Duration,
    /// Tells Campaign instances apart that write to one environment; empty for
    /// the only one. Part of each activity's id.
    pub(crate) name_space: String,
    /// Most activities in one `$batch`.
    pub(crate) batch: usize,
    /// What becomes of bounces that may be hard or soft.
    pub(crate) unsure_bounces: UnsureBounces,
    /// `[egress.journal]`, where `source` names it.
    pub(crate) journal: Option<JournalSettings>,
    /// `[egress.sftp]`, where it is present.
    pub(crate) files: Option<LogFiles>,
    /// Whether `source` names the files. Where it does not, they only fill what
    /// the journal has lost.
    pub(crate) reads_files: bool,
}

/// `[egress.journal]`
#[derive(Clone, Debug)]
pub(crate) struct JournalSettings {
    /// The journal of the event registration.
    pub(crate) url: BaseUrl,
    /// How its events are recognised, with the kinds of `[egress]`.
    pub(crate) recognition: Recognition,
}
