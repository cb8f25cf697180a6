//! Builds the status from the store, and from what a daemon says.

use std::time::Duration;

use jiff::Timestamp;

use crate::app::budget::{class, day_limit, needed};
use crate::app::egress::journal_source;
use crate::app::report::{
    Daemon, FlowStatus, JournalStatus, Lag, Status, SystemStatus, TableStatus, Way,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{Closed, System, closed_at, day_of, end_of};
use crate::model::consent::Direction;
use crate::model::{Flow, TableName};
use crate::store::{Position, Purpose, RunOutcome, Store, StoreError, Work};

/// How long the journal keeps events (Campaign sheet, 6.3).
const JOURNAL_KEEPS: Duration = Duration::from_hours(7 * 24);

/// How long Dynamics keeps deleted rows where it does not say (Dynamics sheet,
/// 3.6).
const DYNAMICS_KEEPS_DAYS: u32 = 7;

/// Where the reading of a source stands.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    /// Whose.
    pub(super) flow: Flow,
    /// Which table's; none for the journal.
    pub(super) table: Option<TableName>,
    /// Its age.
    pub(super) age_seconds: u64,
    /// How old it may grow.
    pub(super) retention_seconds: u64,
}

impl Cursor {
    /// Tells it from others.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.flow, self.table.as_ref().map_or("", TableName::as_str))
    }
}

/// The cursors of all flows that are configured.
pub(super) fn cursors(
    work: &Work<'_>,
    config: &Config,
    now: Timestamp,
) -> Result<Vec<Cursor>, StoreError> {
    let look = Look { work, config, now, daemon: None };
    let mut found = Vec::new();
    let retention_seconds = look.retention()?;
    for table in config.mapped_tables() {
        let Some(age_seconds) = look.token_age(&table)?.1 else { continue };
        let (flow, table) = (Flow::Ingress, Some(table));
        found.push(Cursor { flow, table, age_seconds, retention_seconds });
    }
    if let Some(journal) = look.journal()?
        && let Some(age_seconds) = journal.read_age_seconds
    {
        let retention_seconds = journal.retention_seconds;
        found.push(Cursor { flow: Flow::Egress, table: None, age_seconds, retention_seconds });
    }
    Ok(found)
}

/// What is looked up, and when.
struct Look<'w, 's> {
    work: &'w Work<'s>,
    config: &'w Config,
    now: Timestamp,
    daemon: Option<&'w Daemon>,
}

/// Reads the status; `daemon` is none without one.
pub(crate) async fn status(
    config: &Config,
    store: &Store,
    clock: &Clock,
    daemon: Option<Daemon>,
) -> Result<Status, StoreError> {
    let (now, config) = (clock.now(), config.clone());
    store
        .call(move |work| {
            let look = Look { work, config: &config, now, daemon: daemon.as_ref() };
            look.status()
        })
        .await
}

impl Look<'_, '_> {
    fn status(&self) -> Result<Status, StoreError> {
        let names = self.config.mapped_tables();
        let systems = self.systems()?;
        let flows = Flow::ALL.into_iter().map(|flow| self.flow(flow, &systems));
        let retention = self.retention()?;
        // Of an interrupted comparison nothing goes on.
        let compares = self.daemon.is_some_and(|daemon| daemon.compares);
        let mut unfinished = vec![Purpose::Replay, Purpose::Repair, Purpose::Reconcile];
        unfinished.extend(compares.then_some(Purpose::Verify));
        Ok(Status {
            flows: flows.collect::<Result<_, _>>()?,
            unmapped: self.work.unmapped(&names)?,
            tables: names
                .into_iter()
                .map(|name| self.table(name, retention))
                .collect::<Result<_, _>>()?,
            lags: self.lags()?,
            journal: self.journal()?,
            systems,
            resyncs: self.work.resyncs(&unfinished, None)?,
            last_slice: self.work.last_slice()?,
            gaps: self.work.open_gaps()?,
            daemon: self.daemon.is_some(),
        })
    }

    fn flow(&self, flow: Flow, systems: &[SystemStatus]) -> Result<FlowStatus, StoreError> {
        let last = self.work.last_run(flow)?;
        let oldest = self.work.oldest_of_flow(flow)?;
        let failed = last
            .is_some_and(|run| run.finished.is_some() && run.outcome == Some(RunOutcome::Failed));
        let running = self.daemon.is_some_and(|daemon| daemon.running.contains(&flow));
        let state = state([
            ("stopped", !self.config.has(flow)),
            ("running", running),
            ("paused", self.work.paused(flow)?),
            ("failed", failed),
        ]);
        let waits = systems.iter().filter(|it| {
            needed(flow).iter().any(|system| system.as_str() == it.system)
                && it.closed.stops(class(flow))
        });
        Ok(FlowStatus {
            flow,
            state,
            backlog: self.work.flow_backlog(flow)?,
            dead_letters: self.work.dead_letter_count(flow, None)?,
            last_success: self.work.last_success(flow)?,
            lag_seconds: age(self.now, oldest),
            oldest: moment(oldest),
            budget_until: waits.map(|it| it.day_ends).max().filter(|_| self.config.has(flow)),
            last_run: last.filter(|run| run.finished.is_some()).map(|run| run.counts),
        })
    }

    fn table(&self, table: TableName, retention_seconds: u64) -> Result<TableStatus, StoreError> {
        let work = self.work;
        let oldest = work.oldest_decision(Flow::Ingress, Some(&table))?;
        let (phase, cursor_age_seconds) = self.token_age(&table)?;
        let is_read = matches!(phase, "delta" | "diff");
        let success = work.last_success(Flow::Ingress)?;
        Ok(TableStatus {
            phase,
            last_success: success.filter(|_| is_read),
            backlog: work.backlog(Flow::Ingress, Some(&table))?,
            dead_letters: work.dead_letter_count(Flow::Ingress, Some(&table))?,
            lag_seconds: age(self.now, oldest),
            mapped: work.mapped_records(&table)?,
            held: work.held_wave(&table)?,
            cursor_age_seconds,
            retention_seconds,
            empty_read: work.empty_read(&table)?.is_some(),
            waiting_for_parent: work.waiting_for_parent(&table)?,
            waiting_for_children: work.waiting_for_children(&table)?,
            table,
        })
    }

    /// How long Dynamics keeps deleted rows, in seconds.
    fn retention(&self) -> Result<u64, StoreError> {
        let days = self.work.retention_days()?.unwrap_or(DYNAMICS_KEEPS_DAYS);
        Ok(u64::from(days) * 86_400)
    }

    /// Where the reading of a table stands, and the age of its token.
    fn token_age(&self, table: &TableName) -> Result<(&'static str, Option<u64>), StoreError> {
        let position = self.work.checkpoint(table)?.map(|checkpoint| checkpoint.position);
        let obtained = position.as_ref().and_then(Position::obtained);
        let phase = position.as_ref().map_or("new", Position::phase);
        Ok((phase, obtained.map(|at| age(self.now, Some(at.as_microsecond())))))
    }

    /// What waits, by table and direction.
    fn lags(&self) -> Result<Vec<Lag>, StoreError> {
        let mut lags = Vec::new();
        let mut add = |flow, table: &TableName, way, (backlog, oldest): (u64, Option<i64>)| {
            let lag_seconds = oldest.map(|_| age(self.now, oldest));
            let (table, oldest) = (table.clone(), moment(oldest));
            lags.push(Lag { flow, table, way, backlog, oldest, lag_seconds });
        };
        for table in self.config.mapped_tables() {
            let backlog = self.work.backlog(Flow::Ingress, Some(&table))?;
            let oldest = self.work.oldest_decision(Flow::Ingress, Some(&table))?;
            add(Flow::Ingress, &table, Way::ToCampaign, (backlog, oldest));
        }
        let events = self.config.egress.iter().flat_map(|it| {
            it.events.iter().filter_map(move |kind| Some((*kind, it.tables.get(kind)?)))
        });
        for (kind, table) in events {
            let waits = self.work.event_backlog_of(kind)?;
            let oldest = waits.oldest.map(Timestamp::as_microsecond);
            add(Flow::Egress, table, Way::ToDynamics, (waits.ready + waits.waiting, oldest));
        }
        let ways: &[Way] = match self.config.optout.as_ref().map(|it| it.direction) {
            None => &[],
            Some(Direction::DynamicsToCampaign) => &[Way::ToCampaign],
            Some(Direction::CampaignToDynamics) => &[Way::ToDynamics],
            Some(Direction::Bidirectional) => &[Way::ToCampaign, Way::ToDynamics],
        };
        for way in ways {
            let waits = self.work.open_contacts_by(*way == Way::ToDynamics)?;
            add(Flow::Optout, &TableName::contact(), *way, waits);
        }
        Ok(lags)
    }

    fn journal(&self) -> Result<Option<JournalStatus>, StoreError> {
        let source = self.config.egress.as_ref().and_then(journal_source);
        let Some(source) = source else { return Ok(None) };
        let told = self.work.journal_position(&source)?.and_then(|position| position.told);
        let moved = self.work.journal_moved(&source)?;
        let read = moved.max(moved.and(self.work.last_success(Flow::Egress)?));
        let since = |at: Timestamp| age(self.now, Some(at.as_microsecond()));
        Ok(Some(JournalStatus {
            last_event_age_seconds: told.map(since),
            read_age_seconds: read.map(since),
            retention_seconds: JOURNAL_KEEPS.as_secs(),
        }))
    }

    fn systems(&self) -> Result<Vec<SystemStatus>, StoreError> {
        let config = self.config;
        let day = day_of(self.now);
        let reads_journal = config.egress.as_ref().is_some_and(|it| it.journal.is_some());
        let mut systems = vec![
            (System::Dynamics, config.dynamics.per_day),
            (System::Campaign, config.campaign.per_day),
        ];
        systems.extend(reads_journal.then_some((System::Journal, None)));
        let status = |(system, budget): (System, _)| {
            let system = system.as_str();
            let limit = day_limit(config, budget);
            let live = self.daemon.and_then(|it| it.systems.iter().find(|it| it.system == system));
            let (calls_today, closed) = match live {
                Some(live) => (live.calls_today, live.closed),
                None => {
                    let calls = self.work.calls_of(system, day)?;
                    (calls, limit.map_or(Closed::Nothing, |limit| closed_at(limit, calls)))
                }
            };
            Ok(SystemStatus {
                system,
                calls_today,
                requests_per_day: limit.map(|limit| limit.per_day),
                kept_for_optouts: limit.map_or(0, |limit| limit.kept),
                closed,
                day_ends: end_of(day),
                live: live.cloned(),
            })
        };
        systems.into_iter().map(status).collect()
    }
}

/// The state of a flow, in one word: of what is true of it, the first.
fn state(truths: [(&'static str, bool); 4]) -> &'static str {
    truths.into_iter().find(|(_, is)| *is).map_or("idle", |(word, _)| word)
}

fn age(now: Timestamp, since_us: Option<i64>) -> u64 {
    let micros = since_us.map_or(0, |since| now.as_microsecond() - since);
    u64::try_from(micros / 1_000_000).unwrap_or(0)
}

fn moment(us: Option<i64>) -> Option<Timestamp> {
    us.and_then(|us| Timestamp::from_microsecond(us).ok())
}
