//! Events of reading Dynamics and deciding.

use crate::model::{Flow, RecordId, ResourceName, RunId, TableName};
use crate::telemetry::event::events;

events! { INGRESS_EVENTS;
    /// A pass of a flow begins.
    FlowStarted = "flow.started" INFO maybe, "Nothing." {
        /// The flow.
        flow: Flow,
        /// The run.
        run: RunId,
        /// Records left over from earlier runs.
        backlog: u64,
    }
    /// A pass of a flow is over. The first count equals the sum of the next six.
    FlowFinished = "flow.finished" INFO maybe, "Look at `pending` and `dead_lettered`: `cdsync status` and `cdsync dead-letters list` say more." {
        /// The flow.
        flow: Flow,
        /// The run.
        run: RunId,
        /// `ok`, `incomplete` or `failed`.
        outcome: &'static str,
        /// Records taken up: read, or left over from earlier runs.
        read: u64,
        /// Created or updated in Campaign.
        written: u64,
        /// Nothing to do.
        unchanged: u64,
        /// Left out by filter or by configuration.
        filtered: u64,
        /// Deleted in Campaign.
        deleted: u64,
        /// Left waiting.
        pending: u64,
        /// Given up.
        dead_lettered: u64,
        /// HTTP requests to Campaign.
        calls: u64,
        /// HTTP requests to Dynamics.
        source_calls: u64,
        /// From start to end.
        duration_ms: u64,
    }
    /// Where a pass is, every few seconds while it moves.
    FlowProgress = "flow.progress" INFO maybe, "Nothing." {
        /// The flow.
        flow: Flow,
        /// The run.
        run: RunId,
        /// Records taken up so far.
        read: u64,
        /// Records written so far.
        written: u64,
        /// Decisions that wait.
        backlog: u64,
        /// Records written a second since the last such line.
        rate_per_second: u64,
    }
    /// Records wait because Campaign does not hold the records they link to. Told once per pass and table, at its end.
    LinksWaiting = "links.waiting" INFO once, "Nothing, if their parents are on their way. Else see why the parents are not written: `cdsync dead-letters list`, the filter of their table, or `missing_parent`." {
        /// The flow.
        flow: Flow,
        /// The table of the records that wait.
        table: TableName,
        /// How many wait.
        waiting: u64,
    }
    /// All rows of a table are read: at the first run, or because the cursor was lost.
    LoadStarted = "load.started" INFO, "Nothing. A full read after `cursor.expired` writes only what differs." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// The resource.
        resource: ResourceName,
        /// `first-load`, `mapping-changed`, `cursor-expired`, `cursor-refused` or `no-delta-link`.
        reason: &'static str,
    }
    /// All rows of a table have been read.
    LoadFinished = "load.finished" INFO, "Nothing." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// Rows read.
        rows: u64,
        /// Pages read.
        pages: u64,
    }
    /// The source no longer accepts our position. Dynamics: all rows are read again, and deletions are found by comparison. The journal: events between `from` and `to` are lost to it.
    CursorExpired = "cursor.expired" WARN, "Run the flow more often than the source forgets. With a table nothing is lost; raise the retention of change tracking in Dynamics if it happens often. Without one, events are missing: log files of these days on SFTP can still bring them." {
        /// The flow.
        flow: Flow,
        /// The table; none for the journal.
        table: Option<TableName>,
        /// When the lost token was obtained; of the journal, when the last event that was read had happened.
        from: Option<String>,
        /// Now; of the journal, when the oldest event that it still has happened, if it has one.
        to: String,
    }
    /// The delta token of a table, or the reading of the journal, is older than half of what the source keeps. Told once for each.
    CursorAging = "cursor.aging" WARN, "Find out why the flow has not run: is it paused, does it fail? Past the retention all rows must be read again, or events are lost." {
        /// The flow.
        flow: Flow,
        /// The table; none for the journal.
        table: Option<TableName>,
        /// Age of the token, or since the journal was read.
        age_seconds: u64,
        /// How long Dynamics keeps deleted rows, or the journal events.
        retention_seconds: u64,
    }
    /// A wave of deletions is larger than the delete guard lets pass. Nothing is deleted until a person approves it.
    DeletesHeld = "deletes.held" WARN once, "Find out why so many rows went away. If it is meant, run `cdsync approve-deletes TABLE`; the next pass carries it out." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// Deletions that wait.
        held: u64,
        /// Records of the table in Campaign.
        mapped: u64,
        /// `rows` or `percent`: which limit was passed.
        limit: &'static str,
    }
    /// A person approved a wave of deletions, and it is on its way.
    DeletesReleased = "deletes.released" INFO, "Nothing." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// Deletions set free.
        released: u64,
    }
    /// A full read found no row although Campaign holds many. Taken for a fault: nothing is deleted.
    ReadEmpty = "read.empty" ERROR once, "Check the application user's organisation-wide read privilege on the table. If the table really is empty, run `cdsync approve-deletes TABLE`." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// Records of the table in Campaign.
        mapped: u64,
    }
    /// A table cannot be read or written as it is configured. It stops; the other tables go on.
    TableFailed = "table.failed" ERROR once, "Do what `reason` says; the table resumes by itself at the next pass." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// What is wrong.
        reason: String,
    }
    /// Decisions wait for a table that the configuration no longer maps: nobody delivers them. Told once per pass and table.
    TableUnmapped = "table.unmapped" WARN once, "Put the mapping back, or be rid of them with `cdsync discard-table TABLE`. Until then nothing waits for them." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// How many wait.
        waiting: u64,
    }
    /// Nobody's write would succeed, or a source cannot be read: this part of the flow stops, and what is decided waits. Where a daemon's whole pass fails for the same reason, `flow.failing` tells it and this line is at DEBUG.
    FlowStopped = "flow.stopped" ERROR maybe, "Do what `reason` says; the next pass takes up what waits." {
        /// The flow.
        flow: Flow,
        /// What stands in the way.
        reason: String,
    }
    /// What was left of a table that is no longer mapped was discarded, by a command. Campaign keeps what it holds.
    TableDiscarded = "table.discarded" INFO, "Nothing. A table that is mapped again begins with a first load." {
        /// The table.
        table: TableName,
        /// Decisions that waited.
        waiting: u64,
        /// Records that were given up.
        dead_letters: u64,
        /// Records that Campaign was told of.
        records: u64,
    }
    /// What the store knew of a record was erased with `cdsync forget`. The line does not name it.
    RecordForgotten = "record.forgotten" INFO, "Nothing." {
        /// Rows that were erased.
        erased: u64,
        /// Rows about other records that no longer name it.
        cleaned: u64,
    }
    /// A mapped column or field is gone, hidden, of another type, or shorter than when the table last ran. The table stops, and no empty value is written in its place.
    SchemaDrifted = "schema.drifted" ERROR once, "Bring the column or field back; the table resumes by itself. If the change is meant, change that field's entry in the mapping, or run `cdsync resync --table TABLE`." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// What is wrong, and where.
        reason: String,
    }
    /// The mapping of a table was changed in the configuration, or labels of a choice were. Records that it can concern are looked at again.
    MappingChanged = "mapping.changed" INFO, "Nothing. `cdsync plan` says the same before it happens." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// What changed.
        reason: String,
        /// Records that it can concern; not known before Dynamics has been asked for them (`by-filter`).
        rows: Option<u64>,
        /// Records of the table in Campaign.
        records: u64,
        /// `none`, `by-id`, `by-filter` (Dynamics is asked for just these rows) or `full-read`: how they are read again.
        read: &'static str,
        /// Why all rows are read, where they are.
        why: Option<String>,
    }
    /// A record was given up. It stops nobody else, and a newer version replaces it.
    RecordDeadLettered = "record.dead_lettered" WARN, "`cdsync dead-letters show` tells more; mend the cause, then `cdsync dead-letters retry`." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// The record.
        id: RecordId,
        /// Why; names fields, never values.
        reason: String,
        /// HTTP status of the last answer.
        status: Option<u16>,
        /// The remote's id of the last request.
        request_id: Option<String>,
        /// Attempts that failed.
        attempts: u64,
    }
    /// Records that an ended process was working on; each is looked up before it is written again.
    LeasesRecovered = "delivery.recovered" INFO, "Nothing." {
        /// How many.
        records: u64,
    }
    /// The command could not do its work.
    CommandFailed = "command.failed" ERROR, "Do what `reason` says; the exit code tells scripts the same." {
        /// The exit code.
        exit: u64,
        /// What is wrong, and what to do.
        reason: String,
    }
    /// The command gave up waiting for a remote.
    PatienceEnded = "sync.gave_up" ERROR, "Check whether the systems can be reached; nothing is lost, the next run goes on where this one stopped." {
        /// How long nothing had moved.
        waited_ms: u64,
        /// What stood in the way, where that is known.
        reason: Option<String>,
    }
}
