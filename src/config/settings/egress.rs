//! `[egress]`: e-mail events, from Campaign to the timeline in Dynamics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::BaseUrl;
use crate::mapping::events::{Recognition, UnsureBounces};
use crate::mapping::logs::LogFiles;
use crate::model::{EventKind, TableName};
use crate::schedule::Schedule;

/// The names of the activity tables, whether or not any kind of event is
/// switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActivityTables {
    /// The customization prefix of the columns, without `_`.
    pub(crate) prefix: String,
    /// The table of each kind, of all four.
    pub(crate) tables: BTreeMap<EventKind, TableName>,
}

impl ActivityTables {
    /// As `[egress]` names them; the usual names where it is not there.
    pub(crate) fn of(settings: Option<&EgressSettings>) -> Self {
        if let Some(settings) = settings {
            return Self { prefix: settings.prefix.clone(), tables: settings.tables.clone() };
        }
        let named = |kind: EventKind| {
            Some((kind, TableName::new(&format!("new_campaignemail{kind}")).ok()?))
        };
        Self {
            prefix: "new".to_owned(),
            tables: EventKind::ALL.into_iter().filter_map(named).collect(),
        }
    }
}

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
