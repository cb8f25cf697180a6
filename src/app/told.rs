//! What is told of a pass that is over, here and to who asked for it.

use crate::model::{Flow, RunId};
use crate::store::{Counts, RunOutcome};
use crate::telemetry::{DeletesHeld, FlowFinished, OptoutsHeld};

/// What a guard holds back.
#[derive(Clone, Debug)]
pub(crate) enum HeldBack {
    /// Deletions of a table.
    Deletes(DeletesHeld),
    /// Opt-outs that would be lifted.
    Clearings(OptoutsHeld),
}

impl HeldBack {
    /// Writes it to the log.
    pub(crate) fn emit(&self) {
        match self {
            Self::Deletes(event) => event.emit(),
            Self::Clearings(event) => event.emit(),
        }
    }
}

/// The line about a pass that is over.
pub(crate) fn finished(
    (flow, run): (Flow, RunId),
    (outcome, counts): (RunOutcome, &Counts),
    source_calls: u64,
) -> FlowFinished {
    FlowFinished {
        flow,
        run,
        outcome: outcome.as_str(),
        read: counts.read,
        written: counts.written,
        unchanged: counts.unchanged,
        filtered: counts.filtered,
        deleted: counts.deleted,
        pending: counts.pending,
        dead_lettered: counts.dead_lettered,
        calls: counts.calls,
        source_calls,
        duration_ms: counts.duration_ms,
    }
}
