//! What `status` tells, as one value. Built in `report_read` and nowhere else.

use std::time::Duration;

use jiff::Timestamp;

use crate::app::App;
use crate::http::{Client, Closed};
use crate::model::{Flow, TableName};
use crate::store::{Counts, Gap, HeldWave, Resync};

/// One flow.
#[derive(Clone, Debug)]
pub(crate) struct FlowStatus {
    /// Which.
    pub(crate) flow: Flow,
    /// `running`, `paused`, `failed`, `idle` or `stopped` (not configured).
    pub(crate) state: &'static str,
    /// Decisions that wait.
    pub(crate) backlog: u64,
    /// Records given up.
    pub(crate) dead_letters: u64,
    /// End of the last run in which all was done.
    pub(crate) last_success: Option<Timestamp>,
    /// Age of the oldest decision that waits; 0 where none does.
    pub(crate) lag_seconds: u64,
    /// When the oldest decision that waits was taken; none where none does.
    pub(crate) oldest: Option<Timestamp>,
    /// Until when it waits for the budget of the day; none where it may run.
    pub(crate) budget_until: Option<Timestamp>,
    /// Counts of the last run that ended.
    pub(crate) last_run: Option<Counts>,
}

/// One mapped table.
#[derive(Clone, Debug)]
pub(crate) struct TableStatus {
    /// Which.
    pub(crate) table: TableName,
    /// Where it stands: `new`, `inventory`, `full-read`, `catch-up`, `presence`,
    /// `sweep` or `delta`; without change tracking `diff-read`, `diff-sweep` or
    /// `diff`.
    pub(crate) phase: &'static str,
    /// Decisions that wait.
    pub(crate) backlog: u64,
    /// Records given up.
    pub(crate) dead_letters: u64,
    /// End of the last pass in which all was done, of this table, too. None while it
    /// is read for the first time, or anew.
    pub(crate) last_success: Option<Timestamp>,
    /// Age of the oldest decision that waits; 0 where none does.
    pub(crate) lag_seconds: u64,
    /// Records in Campaign.
    pub(crate) mapped: u64,
    /// Deletions that wait for a person, or for the next pass.
    pub(crate) held: HeldWave,
    /// Age of the delta token.
    pub(crate) cursor_age_seconds: Option<u64>,
    /// How long Dynamics keeps deleted rows, and so how old the token may grow: as
    /// it said at the last pass, 7 days where it does not say.
    pub(crate) retention_seconds: u64,
    /// Whether an empty read waits for a person.
    pub(crate) empty_read: bool,
    /// Records that wait until Campaign holds their parent.
    pub(crate) waiting_for_parent: u64,
    /// Deletions that wait for children of their records.
    pub(crate) waiting_for_children: u64,
}

/// Where changes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From Dynamics to Campaign.
    ToCampaign,
    /// From Campaign to Dynamics.
    ToDynamics,
}

impl Way {
    /// The word in outputs and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ToCampaign => "dynamics-to-campaign",
            Self::ToDynamics => "campaign-to-dynamics",
        }
    }
}

/// What waits of one table, in one direction. A contact whose flags were changed
/// on both sides counts in both.
#[derive(Clone, Debug)]
pub(crate) struct Lag {
    /// Whose work it is.
    pub(crate) flow: Flow,
    /// The Dynamics table: a mapped one, an activity table, or `contact`.
    pub(crate) table: TableName,
    /// Where the changes go.
    pub(crate) way: Way,
    /// Changes that wait: records, events, or contacts.
    pub(crate) backlog: u64,
    /// Since when the oldest waits; none where none does.
    pub(crate) oldest: Option<Timestamp>,
    /// Its age; none where none waits.
    #[expect(clippy::struct_field_names, reason = "its name everywhere")]
    pub(crate) lag_seconds: Option<u64>,
}

/// Where the reading of the journal stands.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "the unit is part of a name")]
pub(crate) struct JournalStatus {
    /// Since the latest event that was read had happened; none where none was.
    pub(crate) last_event_age_seconds: Option<u64>,
    /// Since the journal was read to its end, or its position moved, whichever is
    /// later; none where it never was.
    pub(crate) read_age_seconds: Option<u64>,
    /// How long the journal keeps events.
    pub(crate) retention_seconds: u64,
}

/// One remote system.
#[derive(Clone, Debug)]
pub(crate) struct SystemStatus {
    /// `dynamics`, `campaign` or `journal`.
    pub(crate) system: &'static str,
    /// Requests of this UTC day, tokens not counted, those of a batch one by one.
    pub(crate) calls_today: u64,
    /// The budget of a day, in requests; none where there is none.
    pub(crate) requests_per_day: Option<u64>,
    /// How many of them only opt-outs may use.
    pub(crate) kept_for_optouts: u64,
    /// What of the budget is closed for the rest of the day.
    pub(crate) closed: Closed,
    /// When the day ends.
    pub(crate) day_ends: Timestamp,
    /// What the daemon sees; none without one.
    pub(crate) live: Option<SystemLoad>,
}

/// One remote system as the daemon's client sees it. Counts are since the start
/// of the daemon, or since its last SIGHUP.
#[derive(Clone, Debug)]
pub(crate) struct SystemLoad {
    /// `dynamics`, `campaign` or `journal`.
    pub(crate) system: &'static str,
    /// Requests of this UTC day.
    pub(crate) calls_today: u64,
    /// What of the budget is closed.
    pub(crate) closed: Closed,
    /// Requests.
    pub(crate) calls: u64,
    /// Token requests.
    pub(crate) token_calls: u64,
    /// Answers that asked us to wait.
    pub(crate) throttled: u64,
    /// Requests beyond the first try.
    pub(crate) retries: u64,
    /// Requests on their way.
    pub(crate) in_flight: u64,
    /// Most on their way that are allowed at present.
    pub(crate) in_flight_limit: u64,
    /// Requests in the window of the rate limit that ends now.
    pub(crate) window_calls: u64,
    /// Most that are allowed in it.
    pub(crate) window_limit: u64,
    /// Its length: 300 for Dynamics.
    pub(crate) window_seconds: u64,
    /// How long nothing is sent because the system asked for it; none: it did not.
    pub(crate) pause_seconds: Option<u64>,
    /// Whether the system does not answer.
    pub(crate) silent: bool,
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    /// The three flows.
    pub(crate) flows: Vec<FlowStatus>,
    /// The mapped tables.
    pub(crate) tables: Vec<TableStatus>,
    /// What waits, by table and direction.
    pub(crate) lags: Vec<Lag>,
    /// The journal, where `egress` reads one.
    pub(crate) journal: Option<JournalStatus>,
    /// The systems: Dynamics, Campaign, and the journal where one is read.
    pub(crate) systems: Vec<SystemStatus>,
    /// Tables that are no longer mapped, with their decisions that wait.
    pub(crate) unmapped: Vec<(TableName, u64)>,
    /// Replays, repairs and the comparison by schedule that are not done, and the
    /// comparison that a daemon was asked for and carries out.
    pub(crate) resyncs: Vec<Resync>,
    /// When the last slice of the comparison by schedule ended.
    pub(crate) last_slice: Option<Timestamp>,
    /// Times whose events the journal lost, and no other source brought.
    pub(crate) gaps: Vec<Gap>,
    /// Whether a daemon tells this.
    pub(crate) daemon: bool,
}

/// What a daemon says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    /// The flows whose passes run.
    pub(crate) running: Vec<Flow>,
    /// Whether a comparison that was asked for runs, between the passes.
    pub(crate) compares: bool,
    /// The systems as its clients see them.
    pub(crate) systems: Vec<SystemLoad>,
}

impl Daemon {
    /// As the daemon's clients see it.
    pub(crate) fn of(app: &App, running: Vec<Flow>) -> Self {
        let compares = app.lasting.comparing.try_lock().is_err();
        Self { running, compares, systems: app.clients().map(load).collect() }
    }
}

fn load(client: &Client) -> SystemLoad {
    let stats = client.stats();
    let (meter, limit) = client.budget();
    let used = meter.look(limit);
    let rounded_up = |wait: Duration| wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    SystemLoad {
        system: client.system(),
        calls_today: used.requests,
        closed: used.closed,
        calls: stats.calls,
        token_calls: stats.token_calls,
        throttled: stats.throttled,
        retries: stats.retries,
        in_flight: stats.in_flight,
        in_flight_limit: stats.limit,
        window_calls: stats.window_calls,
        window_limit: stats.window.0,
        window_seconds: stats.window.1.as_secs(),
        pause_seconds: stats.pause.map(rounded_up),
        silent: client.outage().is_some(),
    }
}
