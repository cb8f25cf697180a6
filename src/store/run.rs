//! Runs: when each flow ran, how it ended, and what it counted.

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use crate::failpoint::{self, Point};
use crate::model::{Flow, RunId};
use crate::store::{StoreError, Work};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RunOutcome {
    /// All done.
    Ok,
    /// Ended, but records were dead-lettered or are held.
    Incomplete,
    /// It could not do its work.
    Failed,
}

impl RunOutcome {
    /// The word in the store and in outputs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "ok" => Ok(Self::Ok),
            "incomplete" => Ok(Self::Incomplete),
            "failed" => Ok(Self::Failed),
            _ => Err(StoreError::Corrupt("a run has an unknown outcome".into())),
        }
    }
}

/// What a run counted. The first equals the sum of the next six.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Records taken up: read from the source, or found waiting at the start.
    pub(crate) read: u64,
    /// Created or updated in the target.
    pub(crate) written: u64,
    /// Nothing to do, or overtaken by a newer decision of the same run.
    pub(crate) unchanged: u64,
    /// Outside the filter, or deletions that the mapping does not carry.
    pub(crate) filtered: u64,
    /// Deleted in the target.
    pub(crate) deleted: u64,
    /// Left waiting.
    pub(crate) pending: u64,
    /// Given up.
    pub(crate) dead_lettered: u64,
    /// HTTP requests to the target system, tokens not counted.
    pub(crate) calls: u64,
    /// From start to end, in milliseconds.
    pub(crate) duration_ms: u64,
}

/// A stored run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunRecord {
    /// When it began.
    pub(crate) started: Timestamp,
    /// When it ended; none while it runs, or if its process died.
    pub(crate) finished: Option<Timestamp>,
    /// How it ended.
    pub(crate) outcome: Option<RunOutcome>,
    /// What it counted.
    pub(crate) counts: Counts,
}

impl Work<'_> {
    /// Begins a run.
    pub(crate) fn start_run(&mut self, flow: Flow) -> Result<RunId, StoreError> {
        failpoint::hit(Point::Run);
        self.sql
            .prepare_cached("INSERT INTO run (flow, started_us, counts) VALUES (?1, ?2, '{}')")?
            .execute((flow.as_str(), self.now_us()))?;
        Ok(RunId(self.sql.last_insert_rowid()))
    }

    /// Ends a run, and forgets all but the last thousand of its flow.
    pub(crate) fn finish_run(
        &mut self,
        run: RunId,
        outcome: RunOutcome,
        counts: &Counts,
    ) -> Result<(), StoreError> {
        let counts = serde_json::to_string(counts)
            .map_err(|error| StoreError::Statement(error.to_string()))?;
        self.sql
            .prepare_cached(
                "UPDATE run SET finished_us = ?2, outcome = ?3, counts = ?4 WHERE id = ?1",
            )?
            .execute((run.0, self.now_us(), outcome.as_str(), counts))?;
        self.sql
            .prepare_cached(
                "DELETE FROM run WHERE flow = (SELECT flow FROM run WHERE id = ?1)
               AND id <= (SELECT id FROM run WHERE flow = (SELECT flow FROM run WHERE id = ?1)
                          ORDER BY id DESC LIMIT 1 OFFSET 1000)",
            )?
            .execute([run.0])?;
        Ok(())
    }

    /// The last run of a flow.
    pub(crate) fn last_run(&self, flow: Flow) -> Result<Option<RunRecord>, StoreError> {
        self.run_where(flow, "1")
    }

    /// The last run of a flow that ended with all done.
    pub(crate) fn last_success(&self, flow: Flow) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.run_where(flow, "outcome = 'ok'")?.and_then(|run| run.finished))
    }

    fn run_where(&self, flow: Flow, condition: &str) -> Result<Option<RunRecord>, StoreError> {
        let row = self
            .sql
            .prepare_cached(&format!(
                "SELECT started_us, finished_us, outcome, counts FROM run
                 WHERE flow = ?1 AND {condition} ORDER BY id DESC LIMIT 1"
            ))?
            .query_row([flow.as_str()], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, Option<i64>>(1)?,
                    row.get::<_, Option<String>>(2)?,
                    row.get::<_, String>(3)?,
                ))
            })
            .optional()?;
        let Some((started, finished, outcome, counts)) = row else { return Ok(None) };
        let time = |us| {
            Timestamp::from_microsecond(us)
                .map_err(|_| StoreError::Corrupt("a run has an impossible time".into()))
        };
        Ok(Some(RunRecord {
            started: time(started)?,
            finished: finished.map(time).transpose()?,
            outcome: outcome.as_deref().map(RunOutcome::parse).transpose()?,
            counts: serde_json::from_str(&counts).unwrap_or_default(),
        }))
    }
}
