//! When the next request may go out: pauses, the rate, and the concurrency.
//!
//! One gate per system, shared by all its workers. Owns the upper bounds that
//! are configured and the adaptive limit below them. Must not know requests.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::pause::Pause;

use crate::clock::{Clock, Monotonic};

/// Concurrency to begin with, in requests.
const START: usize = 4;
/// The window is counted in this many slots.
const SLOTS: u32 = 50;
/// Longest pause where the remote names none.
const MAX_OWN_PAUSE: Duration = Duration::from_mins(5);

/// Upper bounds of one system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most requests at one time; at least 1 is taken.
    pub(crate) max_in_flight: usize,
    /// Most requests (at least 1) in any time of this length.
    pub(crate) window: (u32, Duration),
}

/// Pauses, rate and concurrency of one system.
pub(super) struct Gate {
    clock: Clock,
    permits: Semaphore,
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    /// Present limit of concurrency.
    limit: usize,
    /// Permits still to be taken back from requests in flight.
    debt: usize,
    in_flight: usize,
    /// Successes since the limit last changed.
    streak: usize,
    /// Rises with each reduction: one bad moment reduces once, however many
    /// requests it hits.
    epoch: u64,
    /// Throttled moments since the last success.
    strikes: usize,
    pause: Pause,
    /// Start of each slot of the window and the requests in it.
    sent: VecDeque<(Monotonic, u32)>,
    sent_total: u32,
}

/// A place among the requests in flight; given back when dropped.
pub(super) struct Place<'g> {
    gate: &'g Gate,
    permit: Option<SemaphorePermit<'g>>,
    epoch: u64,
}

impl Gate {
    pub(super) fn new(clock: Clock, limits: Limits) -> Self {
        let limits = Limits {
            max_in_flight: limits.max_in_flight.clamp(1, Semaphore::MAX_PERMITS),
            window: (limits.window.0.max(1), limits.window.1.max(Duration::from_millis(1))),
        };
        let limit = START.min(limits.max_in_flight);
        let state = State {
            limit,
            debt: 0,
            in_flight: 0,
            streak: 0,
            epoch: 0,
            strikes: 0,
            pause: Pause::default(),
            sent: VecDeque::new(),
            sent_total: 0,
        };
        Self { clock, permits: Semaphore::new(limit), limits, state: Mutex::new(state) }
    }

    /// A place among the requests in flight, first come first served, once no
    /// pause holds.
    pub(super) async fn enter(&self) -> Place<'_> {
        // The semaphore is never closed; without a permit the bound is the debt's.
        let permit = self.permits.acquire().await.ok();
        let epoch = {
            let mut state = self.lock();
            state.in_flight += 1;
            state.epoch
        };
        let place = Place { gate: self, permit, epoch };
        while let Some(until) = self.pause() {
            self.clock.sleep_until(until).await;
        }
        place
    }

    fn pause(&self) -> Option<Monotonic> {
        self.lock().pause.until(self.clock.monotonic())
    }

    /// Waits for the pause and the rate, and counts a request as sent. Nothing
    /// may be awaited between this and the sending.
    pub(super) async fn depart(&self, place: &mut Place<'_>) {
        loop {
            let wait = {
                let mut state = self.lock();
                let wait = state.admit(self.clock.monotonic(), self.limits);
                place.epoch = state.epoch;
                wait
            };
            match wait {
                Some(until) => self.clock.sleep_until(until).await,
                None => return,
            }
        }
    }

    /// A request was answered: the limit may rise by one after as many answers
    /// as it allows at a time.
    pub(super) fn succeeded(&self) {
        let mut state = self.lock();
        state.strikes = 0;
        state.streak += 1;
        let used = state.in_flight * 2 > state.limit;
        if used && state.streak >= state.limit && state.limit < self.limits.max_in_flight {
            state.streak = 0;
            state.limit += 1;
            if state.debt > 0 {
                state.debt -= 1;
            } else {
                self.permits.add_permits(1);
            }
        }
    }

    /// The system is in trouble: half the concurrency, once for all requests
    /// that were in flight together.
    pub(super) fn struggled(&self, place: &Place<'_>) {
        let mut state = self.lock();
        self.halve(&mut state, place.epoch);
    }

    /// The system refused for now: a pause for all. Returns its length, and
    /// whether it is a new one (to be logged) rather than part of one that holds.
    pub(super) fn throttled(
        &self,
        place: Option<&Place<'_>>,
        asked: Option<Duration>,
    ) -> (Duration, bool) {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let is_new = state.pause.until(now).is_none();
        let epoch = place.map_or(state.epoch, |place| place.epoch);
        if epoch == state.epoch {
            state.strikes += 1;
        }
        self.halve(&mut state, epoch);
        let wait = asked.unwrap_or_else(|| {
            backoff(state.strikes, Duration::from_secs(1), MAX_OWN_PAUSE, &self.clock)
        });
        let until = state.pause.extend(now.plus(wait));
        (until.since(now), is_new)
    }

    /// Goes on where the gate before it in the way to the same system is: with its
    /// pauses, those to come too, and with what it has sent.
    pub(super) fn follow(&self, before: &Self) {
        let (pause, sent, sent_total) = {
            let before = before.lock();
            (before.pause.clone(), before.sent.clone(), before.sent_total)
        };
        let mut state = self.lock();
        (state.pause, state.sent, state.sent_total) = (pause, sent, sent_total);
    }

    /// Requests in flight and the present limit.
    pub(super) fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (state.in_flight, state.limit)
    }

    /// Requests in the window that ends now, the most that are allowed in one
    /// with its length, and how long a pause still lasts.
    pub(super) fn window(&self) -> (u64, (u64, Duration), Option<Duration>) {
        let now = self.clock.monotonic();
        let (count, length) = self.limits.window;
        let mut state = self.lock();
        state.forget(now, length);
        let pause = state.pause.until(now).map(|until| until.since(now));
        (u64::from(state.sent_total), (u64::from(count), length), pause)
    }

    fn halve(&self, state: &mut State, epoch: u64) {
        if epoch != state.epoch {
            return;
        }
        let less = state.limit / 2;
        state.epoch += 1;
        state.streak = 0;
        state.limit -= less;
        // Idle permits go at once, those in flight when they come back.
        state.debt += less - self.permits.forget_permits(less);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a request, or says when to ask again.
    fn admit(&mut self, now: Monotonic, limits: Limits) -> Option<Monotonic> {
        if let Some(until) = self.pause.until(now) {
            return Some(until);
        }
        let (count, window) = limits.window;
        let slot = window / SLOTS;
        self.forget(now, window);
        if self.sent_total >= count {
            return self.sent.front().map(|(start, _)| start.plus(window + slot));
        }
        self.sent_total += 1;
        match self.sent.back_mut().filter(|(start, _)| now.since(*start) < slot) {
            Some((_, sent)) => *sent += 1,
            None => self.sent.push_back((now, 1)),
        }
        None
    }

    /// A slot's requests are forgotten when the last of them is a window old, so
    /// no span of a window's length ever holds more than the count.
    fn forget(&mut self, now: Monotonic, window: Duration) {
        let slot = window / SLOTS;
        while let Some((start, sent)) = self.sent.front().copied() {
            if now.since(start) < window + slot {
                break;
            }
            self.sent_total -= sent;
            self.sent.pop_front();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        if state.debt > 0
            && let Some(permit) = self.permit.take()
        {
            state.debt -= 1;
            permit.forget();
        }
    }
}

/// The `attempt`-th delay (from 1): doubling from `least` to `most`, half of it
/// left to chance.
pub(super) fn backoff(attempt: usize, least: Duration, most: Duration, clock: &Clock) -> Duration {
    let delays = ExponentialBuilder::new()
        .with_min_delay(least)
        .with_max_delay(most)
        .with_factor(2.0)
        .without_max_times();
    let delay = delays.build().nth(attempt.saturating_sub(1).min(24)).unwrap_or(most);
    delay / 2 + clock.jitter(delay / 2)
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
