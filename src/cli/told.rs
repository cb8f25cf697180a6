//! What a pass came to, from the daemon that ran it to who asked for it: there it
//! is told in the log, by the same events as that of `sync` itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::{HeldBack, PassReport, finished};
use crate::model::{Flow, RunId, TableName};
use crate::store::{Counts, RunOutcome};
use crate::telemetry::{DeletesHeld, OptoutsHeld};

use super::args::FlowName;

/// On the control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    flow: FlowName,
    run: i64,
    outcome: RunOutcome,
    counts: Counts,
    source_calls: u64,
    held: Vec<Wave>,
}

/// What a guard holds back.
#[derive(Debug, Serialize, Deserialize)]
struct Wave {
    /// The table of deletions; none for opt-outs that would be lifted.
    table: Option<String>,
    held: u64,
    mapped: u64,
    limit: Limit,
}

/// The limit that it passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Limit {
    Rows,
    Percent,
}

impl Limit {
    fn of(word: &str) -> Self {
        if word == Self::Rows.word() { Self::Rows } else { Self::Percent }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Percent => "percent",
        }
    }
}

/// What is sent of a pass.
pub(super) fn told(flow: Flow, report: &PassReport) -> Value {
    let wave = |held: &HeldBack| match held {
        HeldBack::Deletes(DeletesHeld { table, held, mapped, limit, .. }) => {
            let (table, limit) = (Some(table.to_string()), Limit::of(limit));
            Wave { table, held: *held, mapped: *mapped, limit }
        }
        HeldBack::Clearings(OptoutsHeld { clearings, mapped, limit, .. }) => {
            Wave { table: None, held: *clearings, mapped: *mapped, limit: Limit::of(limit) }
        }
    };
    let told = Told {
        flow: flow.into(),
        run: report.run.0,
        outcome: report.came.outcome,
        counts: report.counts,
        source_calls: report.source_calls,
        held: report.held.iter().map(wave).collect(),
    };
    serde_json::to_value(told).unwrap_or_default()
}

impl Told {
    /// Writes it to the log of this process.
    pub(super) fn emit(&self) {
        let flow = Flow::from(self.flow);
        for wave in &self.held {
            let Wave { held, mapped, limit, .. } = *wave;
            let limit = limit.word();
            let held = match wave.table.as_deref().map(TableName::new) {
                Some(Ok(table)) => {
                    HeldBack::Deletes(DeletesHeld { flow, table, held, mapped, limit })
                }
                Some(Err(_)) => continue,
                None => HeldBack::Clearings(OptoutsHeld { flow, clearings: held, mapped, limit }),
            };
            held.emit();
        }
        let of = ((flow, RunId(self.run)), (self.outcome, &self.counts));
        finished(of.0, of.1, self.source_calls).emit(true);
    }
}
