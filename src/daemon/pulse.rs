//! A sign of life: the loop runs, and the store answers it, or is seen to come
//! further with something long.

use std::time::Duration;

use crate::clock::{Clock, Monotonic};
use crate::daemon::passes::{Acts, Answer};
use crate::store::StoreError;

/// Asks the store again and again whether it answers.
pub(super) struct Pulse {
    clock: Clock,
    every: Duration,
    /// Kept between two looks of the loop: a question is asked once, however
    /// long its answer takes.
    beat: Answer<()>,
    /// When it was looked at how far the store has come, and how far.
    looked: (Monotonic, u64),
}

impl Pulse {
    /// Asks so often.
    pub(super) fn new(acts: &Acts, clock: &Clock, every: Duration) -> Self {
        let looked = (clock.monotonic(), (acts.steps)());
        Self { clock: clock.clone(), every, beat: beat(acts, clock, every), looked }
    }

    /// Waits for the next answer, or until the store has come further. May be
    /// dropped and called anew.
    pub(super) async fn felt(&mut self, acts: &Acts) -> Result<(), StoreError> {
        let Self { clock, every, beat: asked, looked } = self;
        let comes_further = async {
            loop {
                clock.sleep_until(looked.0.plus(*every)).await;
                let before = std::mem::replace(looked, (clock.monotonic(), (acts.steps)()));
                if before.1 != looked.1 {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            answer = &mut *asked => {
                *asked = beat(acts, clock, *every);
                answer
            }
            () = comes_further => Ok(()),
        }
    }
}

fn beat(acts: &Acts, clock: &Clock, every: Duration) -> Answer<()> {
    let (answer, clock) = ((acts.lives)(), clock.clone());
    Box::pin(async move {
        clock.sleep(every).await;
        answer.await
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A store that does not answer, and comes as far as the number says.
    fn busy(steps: &Arc<AtomicU64>) -> Acts {
        let steps = Arc::clone(steps);
        Acts {
            run: Box::new(|_, _, _, _| Box::pin(std::future::pending())),
            paused: Box::new(|_| Box::pin(std::future::pending())),
            watch: Box::new(|_| Box::pin(std::future::pending())),
            lives: Box::new(|| Box::pin(std::future::pending())),
            steps: Box::new(move || steps.load(Ordering::Relaxed)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_at_long_work_lives_while_it_comes_further() {
        let (clock, every) = (Clock::seeded(1), Duration::from_secs(1));
        let steps = Arc::new(AtomicU64::new(0));
        let acts = busy(&steps);
        let mut pulse = Pulse::new(&acts, &clock, every);
        let hour = Duration::from_hours(1);
        let felt = tokio::time::timeout(hour, pulse.felt(&acts)).await;
        assert!(felt.is_err(), "it stands still");
        steps.store(1, Ordering::Relaxed);
        assert!(pulse.felt(&acts).await.is_ok());
        let felt = tokio::time::timeout(hour, pulse.felt(&acts)).await;
        assert!(felt.is_err(), "it stands still again");
    }
}
