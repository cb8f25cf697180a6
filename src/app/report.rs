//! What `status` tells: read from the store alone.

use jiff::Timestamp;

use crate::clock::Clock;
use crate::config::Config;
use crate::model::{Flow, TableName};
use crate::store::{Counts, Gap, HeldWave, Purpose, Resync, RunOutcome, Store, StoreError};

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
    /// Age of the oldest decision that waits.
    pub(crate) lag_seconds: u64,
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
    /// Age of the oldest decision that waits.
    pub(crate) lag_seconds: u64,
    /// Records in Campaign.
    pub(crate) mapped: u64,
    /// Deletions that wait for a person, or for the next pass.
    pub(crate) held: HeldWave,
    /// Age of the delta token.
    pub(crate) cursor_age_seconds: Option<u64>,
    /// How long Dynamics keeps deleted rows, as it said at the last `check` or
    /// `sync`.
    pub(crate) retention_seconds: Option<u64>,
    /// Whether an empty read waits for a person.
    pub(crate) empty_read: bool,
    /// Records that wait until Campaign holds their parent.
    pub(crate) waiting_for_parent: u64,
    /// Deletions that wait for children of their records.
    pub(crate) waiting_for_children: u64,
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    /// The three flows.
    pub(crate) flows: Vec<FlowStatus>,
    /// The mapped tables.
    pub(crate) tables: Vec<TableStatus>,
    /// Tables that are no longer mapped, with their decisions that wait.
    pub(crate) unmapped: Vec<(TableName, u64)>,
    /// Replays, repairs and the comparison by schedule that are not done.
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
}

/// Reads the status; `daemon` is none without one.
pub(crate) async fn status(
    config: &Config,
    store: &Store,
    clock: &Clock,
    daemon: Option<Daemon>,
) -> Result<Status, StoreError> {
    let now = clock.now();
    let on = config.flows();
    let names = config.mapped_tables();
    store
        .call(move |work| {
            let mut flows = Vec::new();
            for flow in Flow::ALL {
                let last = work.last_run(flow)?;
                let backlog = work.flow_backlog(flow)?;
                let oldest = work.oldest_of_flow(flow)?;
                let failed = last.is_some_and(|run| {
                    run.finished.is_some() && run.outcome == Some(RunOutcome::Failed)
                });
                let running = daemon.as_ref().is_some_and(|daemon| daemon.running.contains(&flow));
                let state = state([
                    ("stopped", !on.contains(&flow)),
                    ("running", running),
                    ("paused", work.paused(flow)?),
                    ("failed", failed),
                ]);
                flows.push(FlowStatus {
                    flow,
                    state,
                    backlog,
                    dead_letters: work.dead_letter_count(flow, None)?,
                    last_success: work.last_success(flow)?,
                    lag_seconds: age(now, oldest),
                    last_run: last.filter(|run| run.finished.is_some()).map(|run| run.counts),
                });
            }
            let retention_seconds = work.retention_days()?.map(|days| u64::from(days) * 86_400);
            let unmapped = work.unmapped(&names)?;
            let mut tables = Vec::new();
            for table in names {
                let backlog = work.backlog(Flow::Ingress, Some(&table))?;
                let oldest = work.oldest_decision(Flow::Ingress, Some(&table))?;
                let position = work.checkpoint(&table)?.map(|checkpoint| checkpoint.position);
                let obtained = position.as_ref().and_then(crate::store::Position::obtained);
                tables.push(TableStatus {
                    phase: position.as_ref().map_or("new", crate::store::Position::phase),
                    backlog,
                    dead_letters: work.dead_letter_count(Flow::Ingress, Some(&table))?,
                    lag_seconds: age(now, oldest),
                    mapped: work.mapped_records(&table)?,
                    held: work.held_wave(&table)?,
                    cursor_age_seconds: obtained.map(|at| age(now, Some(at.as_microsecond()))),
                    retention_seconds,
                    empty_read: work.empty_read(&table)?.is_some(),
                    waiting_for_parent: work.waiting_for_parent(&table)?,
                    waiting_for_children: work.waiting_for_children(&table)?,
                    table,
                });
            }
            let unfinished = [Purpose::Replay, Purpose::Repair, Purpose::Reconcile];
            let resyncs = work.resyncs(&unfinished, None)?;
            let (last_slice, daemon) = (work.last_slice()?, daemon.is_some());
            let gaps = work.open_gaps()?;
            Ok(Status { flows, tables, unmapped, resyncs, last_slice, gaps, daemon })
        })
        .await
}

/// The state of a flow, in one word: of what is true of it, the first.
fn state(truths: [(&'static str, bool); 4]) -> &'static str {
    truths.into_iter().find(|(_, is)| *is).map_or("idle", |(word, _)| word)
}

fn age(now: Timestamp, since_us: Option<i64>) -> u64 {
    let micros = since_us.map_or(0, |since| now.as_microsecond() - since);
    u64::try_from(micros / 1_000_000).unwrap_or(0)
}
