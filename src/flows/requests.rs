//! What was asked for beyond the changes: replays and repairs, worked off by
//! the pass, and comparisons of their own.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;

use crate::campaign::Finder;
use crate::model::TableName;
use crate::store::{Purpose, Resync, StoreError};

use super::compare::Comparison;
use super::ingress::{Intake, IntakeError, IntakeReport, Table, note};
use super::replay::Replay;
pub(crate) use super::report::{Drift, DriftField, Ended, Report};
use super::steps::TableRun;

/// What a pass knows of requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    /// Whether the pass is for requests alone, and leaves the cursors where
    /// they are.
    pub(crate) only: bool,
    /// How Campaign is asked for single records, by table.
    pub(crate) finders: Arc<HashMap<TableName, Finder>>,
    /// The slice of the scheduled comparison, where one is due.
    pub(crate) slice: Option<Slice>,
    /// What is told of them.
    pub(crate) report: Report,
    /// Who goes first between two steps of a comparison.
    pub(crate) others: Others,
}

type Turn = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Those who want the systems while a comparison of hours runs: it asks them
/// before each of its steps. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Others {
    turn: Option<Turn>,
    waiting: Arc<AtomicBool>,
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Others")
    }
}

impl Others {
    /// `turn` ends when the next step may begin.
    pub(crate) fn asked(turn: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self { turn: Some(Arc::new(turn)), waiting: Arc::default() }
    }

    /// Waits until the next step may begin.
    pub(crate) async fn go_first(&self) {
        let Some(turn) = &self.turn else { return };
        self.waiting.store(true, Ordering::Relaxed);
        turn().await;
        self.waiting.store(false, Ordering::Relaxed);
    }

    /// Whether it waits for them at present.
    pub(crate) fn are_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// One slice of the scheduled comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    /// Requests to both systems, at most.
    pub(crate) calls: u64,
    /// Whether what differs is mended.
    pub(crate) repair: bool,
}

impl TableRun<'_> {
    /// Works off what was asked for of this table, oldest first.
    pub(super) async fn requests(&self) -> Result<(), IntakeError> {
        let requests = &self.intake.requests;
        let finder = requests.finders.get(&self.table.name);
        loop {
            let name = self.table.name.clone();
            let asked = self
                .intake
                .store
                .call(move |work| work.resyncs(&[Purpose::Replay, Purpose::Repair], Some(&name)))
                .await?;
            // Without a way to look records up only replays can be done.
            let next = asked
                .into_iter()
                .find(|request| request.purpose == Purpose::Replay || finder.is_some());
            let Some(request) = next else { return Ok(()) };
            match (request.purpose, finder) {
                (Purpose::Repair, Some(finder)) => {
                    let context = (self.intake, self.table, finder);
                    Comparison::new(context, request, true).run().await?;
                }
                (Purpose::Replay | Purpose::Verify | Purpose::Repair | Purpose::Reconcile, _) => {
                    Replay::new(self.intake, self.table, request).run().await?;
                }
            }
        }
    }
}

impl Intake {
    /// Compares tables as these requests say, and writes to neither system.
    pub(crate) async fn verify(
        &self,
        tables: &[Table],
        asked: Vec<Resync>,
    ) -> Result<IntakeReport, StoreError> {
        let mut report = IntakeReport::default();
        for request in asked {
            let table = tables.iter().find(|table| table.name == request.table);
            // A table that cannot be prepared has been reported.
            let Some(table) = table else { continue };
            let ended = self.verify_table(table, request).await;
            note(table, ended.map(|()| false), &mut report)?;
        }
        Ok(report)
    }

    async fn verify_table(&self, table: &Table, request: Resync) -> Result<(), IntakeError> {
        self.same_target(table).await?;
        let Some(finder) = self.requests.finders.get(&table.name) else { return Ok(()) };
        Comparison::new((self, table, finder), request, false).run().await.map(drop)
    }
}
