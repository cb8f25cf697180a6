//! Events of replays, comparisons and repairs.

use crate::model::{RecordId, TableName};
use crate::telemetry::event::events;

events! { RESYNC_EVENTS;
    /// A resync of a table begins, or goes on where it was interrupted.
    ResyncStarted = "resync.started" INFO, "Nothing." {
        /// The table.
        table: TableName,
        /// `replay`, `verify` or `repair`.
        purpose: &'static str,
        /// Whether it was begun earlier.
        resumed: bool,
        /// About how many rows there will be, where that is known.
        total: Option<u64>,
    }
    /// A resync goes on with one like it that was asked for earlier and is not done.
    ResyncJoined = "resync.joined" INFO, "Nothing." {
        /// The table.
        table: TableName,
        /// `replay` or `repair`.
        purpose: &'static str,
        /// When that one was asked for, in UTC.
        asked_at: String,
    }
    /// Where a resync is, every few seconds.
    ResyncProgress = "resync.progress" INFO, "Nothing." {
        /// The table.
        table: TableName,
        /// `replay`, `verify` or `repair`.
        purpose: &'static str,
        /// Rows of Dynamics taken up so far.
        rows: u64,
        /// About how many there will be, where that is known.
        total: Option<u64>,
        /// Rows taken up a second since the resync began or went on.
        rate_per_second: u64,
        /// How long the rest will take at this rate, where that is known.
        left_seconds: Option<u64>,
    }
    /// Campaign no longer understands a page of its listing that a comparison goes on with; the listing begins again.
    ListingRestarted = "listing.restarted" WARN, "Nothing, if it is rare. If it happens in each slice of `[reconcile]`, raise `calls_per_run`, so that the listing of the table fits into one slice." {
        /// The table.
        table: TableName,
        /// `verify`, `repair` or `reconcile`.
        purpose: &'static str,
        /// How often in this comparison, slices before this one included.
        restarts: u64,
    }
    /// A resync of a table has taken up all its rows. What it decided may still be on its way.
    ResyncFinished = "resync.finished" INFO, "Nothing." {
        /// The table.
        table: TableName,
        /// `replay`, `verify` or `repair`.
        purpose: &'static str,
        /// Rows of Dynamics taken up.
        rows: u64,
        /// Records that were asked for by id and are not in Dynamics.
        absent: u64,
    }
    /// Campaign does not hold what Dynamics says. One line per table and kind, at the end of a comparison or of a slice of it.
    DriftFound = "drift.found" WARN, "`cdsync resync --table TABLE --verify` lists the records, `--repair` mends them; records that share a key need a person." {
        /// The table.
        table: TableName,
        /// `verify`, `repair` or `reconcile`.
        purpose: &'static str,
        /// `edited`, `missing`, `orphaned` or `duplicated`.
        kind: &'static str,
        /// Records.
        count: u64,
    }
    /// One record that differs.
    DriftRecord = "drift.record" DEBUG, "Nothing; `drift.found` sums them up." {
        /// The table.
        table: TableName,
        /// The record.
        id: RecordId,
        /// `edited`, `missing`, `orphaned` or `duplicated`.
        kind: &'static str,
        /// The fields that differ, by name.
        fields: String,
    }
    /// A slice of the scheduled comparison is over; the next one goes on where it stopped.
    ReconcileFinished = "reconcile.finished" INFO, "Look at the counts: each kind above zero has a `drift.found` of its own." {
        /// Rows of Dynamics compared.
        rows: u64,
        /// Records whose fields differ.
        edited: u64,
        /// Records that Campaign lacks.
        missing: u64,
        /// Records that Dynamics does not have.
        orphaned: u64,
        /// Records whose key Campaign holds more than once.
        duplicated: u64,
        /// Records that are being mended (`repair = true`).
        mended: u64,
        /// Requests to both systems.
        calls: u64,
        /// Tables whose comparison was completed by this slice.
        tables_completed: u64,
    }
}
