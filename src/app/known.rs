//! The tables of `ingress` as a pass prepared them: what the next ones need to
//! see that nothing has changed. Lives as long as its configuration.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::app::App;
use crate::app::pass::PassOptions;
use crate::app::pin::{Pin, pin};
use crate::app::tables::Prepared;
use crate::clock::Monotonic;
use crate::flows::ingress::{Intake, Table};
use crate::flows::requests::Requests;
use crate::model::Tally;
use crate::store::{RunOutcome, Store, StoreError};

/// Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<Mutex<Option<Read>>>);

/// Tables, and when their schemas were asked for.
#[derive(Debug)]
struct Read {
    since: Monotonic,
    tables: Vec<Table>,
}

impl Known {
    fn get(&self, now: Monotonic, longest: Duration) -> Option<Vec<Table>> {
        let known = self.lock();
        let read = known.as_ref()?;
        (now.since(read.since) < longest).then(|| read.tables.clone())
    }

    /// Takes what a pass prepared; `since`: when it began to ask. Where a table
    /// could not be prepared, nothing is known.
    pub(super) fn note(&self, since: Monotonic, prepared: &Prepared) {
        let whole = prepared.failed.is_empty()
            && prepared.refused.is_none()
            && prepared.kept_refusing.is_none()
            && !prepared.tables.is_empty();
        *self.lock() = whole.then(|| Read { since, tables: prepared.tables.clone() });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// The tables by which a pass may look whether there is anything to do. None
    /// where a person waits for it, where the one before it left something, and
    /// where the schemas were read too long ago.
    pub(super) fn tables_to_look_by(&self, options: &PassOptions) -> Option<Vec<Table>> {
        let before = options.before.filter(|came| came.outcome == RunOutcome::Ok);
        if options.asked || options.anew || options.requests.only || before.is_none() {
            return None;
        }
        self.known.get(self.clock.monotonic(), self.config.dynamics.schema_cache)
    }

    /// Whether there is nothing to do; what is found, and what fails, is the pass's.
    pub(super) async fn is_idle(
        &self,
        (store, tally): (&Store, &Tally),
        tables: &[Table],
    ) -> Result<bool, StoreError> {
        if self.slice_due(store).await?.is_some() || !matches!(pin(self, store).await?, Pin::Fits) {
            return Ok(false);
        }
        let intake = Intake {
            dynamics: self.dynamics.clone(),
            campaign: self.campaign.clone(),
            store: store.clone(),
            clock: self.clock.clone(),
            tally: tally.clone(),
            work_ready: Arc::default(),
            settled: None,
            requests: Requests::default(),
        };
        intake.is_idle(tables).await
    }
}
