//! A sign of life: the loop runs, and the store answers it.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// Asks the store again and again whether it answers.
pub(super) struct Pulse {
    store: Store,
    clock: Clock,
    every: Option<Duration>,
    /// Kept between two looks of the loop: a question is asked once, however
    /// long its answer takes.
    beat: BoxFuture<'static, Result<(), StoreError>>,
}

impl Pulse {
    /// Asks so often; never, where nobody wants to know.
    pub(super) fn new(store: &Store, clock: &Clock, every: Option<Duration>) -> Self {
        let (store, clock) = (store.clone(), clock.clone());
        let beat = Box::pin(beat(store.clone(), clock.clone(), every));
        Self { store, clock, every, beat }
    }

    /// Waits for the next answer. May be dropped and called anew.
    pub(super) async fn felt(&mut self) -> Result<(), StoreError> {
        let answer = (&mut self.beat).await;
        self.beat = Box::pin(beat(self.store.clone(), self.clock.clone(), self.every));
        answer
    }
}

async fn beat(store: Store, clock: Clock, every: Option<Duration>) -> Result<(), StoreError> {
    match every {
        Some(every) => clock.sleep(every).await,
        None => std::future::pending().await,
    }
    store.call(|_| Ok(())).await
}
