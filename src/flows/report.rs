//! What is told of replays, comparisons and repairs: events, progress, and the
//! records that differ.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Monotonic};
use crate::model::{RecordId, TableName};
use crate::store::{Purpose, Resync, ResyncPosition};
use crate::telemetry::{DriftFound, DriftRecord, ResyncFinished, ResyncProgress, ResyncStarted};

use super::judge::{DriftKind, Verdict};

/// How often progress is logged.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// One record that differs.
#[derive(Clone, Debug)]
pub(crate) struct Drift {
    /// The table.
    pub(crate) table: TableName,
    /// The record.
    pub(crate) id: RecordId,
    /// Its key in Campaign.
    pub(crate) key: String,
    /// In which way.
    pub(crate) kind: DriftKind,
    /// The fields that differ.
    pub(crate) fields: Vec<DriftField>,
    /// Whether it is being mended.
    pub(crate) mended: bool,
}

/// One field that differs. The values are personal data.
#[derive(Clone, Debug)]
pub(crate) struct DriftField {
    /// Campaign's name.
    pub(crate) name: String,
    /// What Campaign holds, as JSON.
    pub(crate) campaign: String,
    /// What Dynamics says, as JSON.
    pub(crate) dynamics: String,
}

/// What a comparison counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// By kind, in the order of [`DriftKind::ALL`].
    pub(crate) drift: [u64; 4],
    /// Of them, those that are being mended.
    pub(crate) mended: u64,
    /// On their way.
    pub(crate) pending: u64,
    /// Kept in Campaign by configuration.
    pub(crate) kept: u64,
    /// Not to be mapped.
    pub(crate) unmappable: u64,
}

impl Found {
    /// Records of all kinds.
    pub(crate) fn all(&self) -> u64 {
        self.drift.iter().sum()
    }

    pub(super) fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::InStep => {}
            Verdict::Drift(kind, _) => {
                for (other, count) in DriftKind::ALL.iter().zip(&mut self.drift) {
                    *count += u64::from(other == kind);
                }
            }
            Verdict::Pending => self.pending += 1,
            Verdict::Kept => self.kept += 1,
            Verdict::Unmappable => self.unmappable += 1,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        for (sum, more) in self.drift.iter_mut().zip(other.drift) {
            *sum += more;
        }
        self.mended += other.mended;
        self.pending += other.pending;
        self.kept += other.kept;
        self.unmappable += other.unmappable;
    }
}

/// How one request ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// The table.
    pub(crate) table: TableName,
    /// What it was for.
    pub(crate) purpose: Purpose,
    /// Rows of Dynamics taken up, also before it was interrupted.
    pub(crate) rows: u64,
    /// Records asked for by id that Dynamics does not have.
    pub(crate) absent: u64,
    /// Records that a comparison was asked for by id and that it found in
    /// neither system nor in the store.
    pub(crate) nowhere: Vec<RecordId>,
    /// What a comparison found; after an interruption only what came then.
    pub(crate) found: Found,
}

/// Where a request is.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// The table.
    pub(crate) table: TableName,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// Whether Campaign is being listed, which counts no rows.
    pub(crate) listing: bool,
    /// Rows of Dynamics taken up.
    pub(crate) rows: u64,
    /// About how many there will be.
    pub(crate) total: Option<u64>,
    /// Rows a second.
    pub(crate) rate: u64,
    /// How long the rest will take.
    pub(crate) left_seconds: Option<u64>,
    began: (Monotonic, u64),
    logged: Monotonic,
}

type Sink = Arc<dyn Fn(Drift) + Send + Sync>;

/// Where requests tell what they do; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Report {
    sink: Option<Sink>,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    stage: Option<Stage>,
    ended: Vec<Ended>,
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Report")
    }
}

impl Report {
    /// A report that hands each drift on.
    pub(crate) fn to(sink: impl Fn(Drift) + Send + Sync + 'static) -> Self {
        Self { sink: Some(Arc::new(sink)), told: Arc::default() }
    }

    /// Where the request is that is being worked on.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.told().stage.clone()
    }

    /// The requests that have ended.
    pub(crate) fn ended(&self) -> Vec<Ended> {
        self.told().ended.clone()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, request: &Resync, clock: &Clock) {
        let (table, purpose) = (request.table.clone(), request.purpose);
        let fresh = matches!(
            request.position,
            ResyncPosition::List { next: None, .. } | ResyncPosition::Read { next: None, .. }
        ) || request.position == ResyncPosition::Records;
        ResyncStarted {
            table: table.clone(),
            purpose: purpose.as_str(),
            resumed: request.done > 0 || !fresh,
            total: request.total,
        }
        .emit();
        let now = clock.monotonic();
        self.told().stage = Some(Stage {
            table,
            purpose,
            listing: matches!(request.position, ResyncPosition::List { .. }),
            rows: request.done,
            total: request.total,
            rate: 0,
            left_seconds: None,
            began: (now, request.done),
            logged: now,
        });
    }

    pub(super) fn progress(&self, request: &Resync, clock: &Clock) {
        let now = clock.monotonic();
        let mut told = self.told();
        let Some(stage) = &mut told.stage else { return };
        stage.listing = matches!(request.position, ResyncPosition::List { .. });
        stage.rows = request.done;
        let elapsed_ms = now.since(stage.began.0).as_millis();
        (stage.rate, stage.left_seconds) =
            pace(stage.rows, stage.rows - stage.began.1.min(stage.rows), elapsed_ms, stage.total);
        if now.since(stage.logged) >= PROGRESS_EVERY {
            stage.logged = now;
            ResyncProgress {
                table: stage.table.clone(),
                purpose: stage.purpose.as_str(),
                rows: stage.rows,
                total: stage.total,
                rate_per_second: stage.rate,
                left_seconds: stage.left_seconds,
            }
            .emit();
        }
    }

    pub(super) fn end(&self, ended: Ended) {
        ResyncFinished {
            table: ended.table.clone(),
            purpose: ended.purpose.as_str(),
            rows: ended.rows,
            absent: ended.absent,
        }
        .emit();
        sum_up(&ended.table, ended.purpose, &ended.found);
        let mut told = self.told();
        told.stage = None;
        told.ended.push(ended);
    }

    pub(super) fn drift(&self, drift: Drift) {
        let names: Vec<&str> = drift.fields.iter().map(|field| field.name.as_str()).collect();
        DriftRecord {
            table: drift.table.clone(),
            id: drift.id,
            kind: drift.kind.as_str(),
            fields: names.join(", "),
        }
        .emit();
        if let Some(sink) = &self.sink {
            sink(drift);
        }
    }
}

/// One line for each kind of drift.
pub(super) fn sum_up(table: &TableName, purpose: Purpose, found: &Found) {
    for (kind, count) in DriftKind::ALL.into_iter().zip(found.drift) {
        if count > 0 {
            let (table, purpose) = (table.clone(), purpose.as_str());
            DriftFound { table, purpose, kind: kind.as_str(), count }.emit();
        }
    }
}

/// Rows a second, and how many seconds the rest will take.
fn pace(rows: u64, lately: u64, elapsed_ms: u128, total: Option<u64>) -> (u64, Option<u64>) {
    let elapsed_ms = u64::try_from(elapsed_ms).unwrap_or(u64::MAX).max(1);
    let left = total.filter(|_| lately > 0).map(|total| {
        // Milliseconds first: a slow resync has less than one row a second.
        total.saturating_sub(rows).saturating_mul(elapsed_ms) / lately / 1000
    });
    (lately.saturating_mul(1000) / elapsed_ms, left)
}

#[cfg(test)]
mod tests {
    use super::pace;

    #[test]
    fn time_left_follows_from_what_was_done_since_it_went_on() {
        let cases = [
            ((0, 0, 1000, Some(10)), (0, None)),
            ((50, 50, 1000, Some(100)), (50, Some(1))),
            // Resumed at 900: the first 900 took no time now.
            ((950, 50, 10_000, Some(1000)), (5, Some(10))),
            ((10, 10, 100_000, Some(20)), (0, Some(100))),
            ((30, 30, 1000, Some(20)), (30, Some(0))),
            ((30, 30, 1000, None), (30, None)),
        ];
        for ((rows, lately, ms, total), expected) in cases {
            assert_eq!(pace(rows, lately, ms, total), expected, "{rows} {lately} {ms} {total:?}");
        }
    }
}
