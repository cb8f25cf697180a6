//! A sign of life: the loop runs, and the store answers it.

use std::time::Duration;

use crate::clock::Clock;
use crate::daemon::passes::{Acts, Answer};
use crate::store::StoreError;

/// Asks the store again and again whether it answers.
pub(super) struct Pulse {
    clock: Clock,
    every: Duration,
    /// Kept between two looks of the loop: a question is asked once, however
    /// long its answer takes.
    beat: Answer<()>,
}

impl Pulse {
    /// Asks so often.
    pub(super) fn new(acts: &Acts, clock: &Clock, every: Duration) -> Self {
        Self { clock: clock.clone(), every, beat: beat(acts, clock, every) }
    }

    /// Waits for the next answer. May be dropped and called anew.
    pub(super) async fn felt(&mut self, acts: &Acts) -> Result<(), StoreError> {
        let answer = (&mut self.beat).await;
        self.beat = beat(acts, &self.clock, self.every);
        answer
    }
}

fn beat(acts: &Acts, clock: &Clock, every: Duration) -> Answer<()> {
    let (answer, clock) = ((acts.lives)(), clock.clone());
    Box::pin(async move {
        clock.sleep(every).await;
        answer.await
    })
}
