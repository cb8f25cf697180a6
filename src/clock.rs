//! Time and randomness, as one value that is handed down.
//!
//! Owns: the only places that ask the machine what time it is or for a random
//! number (`tests/tidy.rs` refuses both elsewhere). Knows nothing of the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A point on the monotonic clock, for deadlines and durations. Wall time is
/// data, never control: a clock step must not end or lengthen a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Monotonic(tokio::time::Instant);

impl Monotonic {
    /// The time from `earlier` to `self`; zero when `earlier` is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// This point moved forward by `by`.
    #[must_use]
    pub(crate) fn plus(self, by: Duration) -> Self {
        Self(self.0 + by)
    }
}

/// By how much a look-alike's wall clock is wrong; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shift(Arc<AtomicI64>);

impl Shift {
    /// Sets it, in milliseconds; positive is ahead.
    pub(crate) fn set_ms(&self, ms: i64) {
        self.0.store(ms, Ordering::Relaxed);
    }

    fn get(&self) -> SignedDuration {
        SignedDuration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Wall time, monotonic time, sleeping and jitter.
///
/// Cheap to clone; clones share one random stream. Under tokio's paused clock
/// the monotonic part and `sleep` follow simulated time.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<Works>);

#[derive(Debug)]
struct Works {
    random: Arc<AtomicU64>,
    shift: Shift,
    /// Wall time that follows the monotonic clock from here on: simulated days.
    began: Option<(Timestamp, Monotonic)>,
}

impl Clock {
    /// The machine's clock, with a jitter stream that differs per process.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub(crate) fn system() -> Self {
        let nanos = Timestamp::now().as_nanosecond();
        let seed = u64::try_from(nanos.rem_euclid(i128::from(u64::MAX))).unwrap_or(1);
        Self::seeded(seed ^ u64::from(std::process::id()).rotate_left(32))
    }

    /// The machine's clock with a repeatable jitter stream.
    pub(crate) fn seeded(seed: u64) -> Self {
        let random = Arc::new(AtomicU64::new(seed));
        Self(Arc::new(Works { random, shift: Shift::default(), began: None }))
    }

    /// A clock whose wall time is `start` now, and follows tokio's paused time.
    #[cfg(test)]
    pub(crate) fn simulated(start: Timestamp) -> Self {
        Self::simulated_by(1, start)
    }

    /// Whether time is simulated, so that nothing may wait for a thread.
    #[cfg(test)]
    pub(crate) fn is_simulated(&self) -> bool {
        self.0.began.is_some()
    }

    /// The same with another stream of random numbers.
    #[cfg(test)]
    pub(crate) fn simulated_by(seed: u64, start: Timestamp) -> Self {
        let seeded = Self::seeded(seed);
        let began = Some((start, seeded.monotonic()));
        let random = Arc::clone(&seeded.0.random);
        Self(Arc::new(Works { random, shift: Shift::default(), began }))
    }

    /// The same clock, its wall time wrong by `shift`.
    pub(crate) fn shifted(&self, shift: &Shift) -> Self {
        let random = Arc::clone(&self.0.random);
        Self(Arc::new(Works { random, shift: shift.clone(), began: self.0.began }))
    }

    /// Wall time. Data only: never decide the order of two things by it.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub(crate) fn now(&self) -> Timestamp {
        let now = match self.0.began {
            Some((start, began)) => {
                start.checked_add(self.monotonic().since(began)).unwrap_or(start)
            }
            None => Timestamp::now(),
        };
        now.checked_add(self.0.shift.get()).unwrap_or(now)
    }

    /// Monotonic time, for deadlines and durations.
    #[expect(
        clippy::disallowed_methods,
        clippy::unused_self,
        reason = "this is the one place that asks, and whoever asks must hold a clock"
    )]
    pub(crate) fn monotonic(&self) -> Monotonic {
        Monotonic(tokio::time::Instant::now())
    }

    /// Waits for `duration`.
    pub(crate) async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Waits until `deadline`; returns at once when it has passed.
    pub(crate) async fn sleep_until(&self, deadline: Monotonic) {
        tokio::time::sleep_until(deadline.0).await;
    }

    /// The next number of the jitter stream (`SplitMix64`). Not for secrets.
    pub(crate) fn random(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.random.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A random GUID (version 4 layout) for ids that must differ per request.
    pub(crate) fn guid(&self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(
            (u128::from(self.random()) << 64 | u128::from(self.random())).to_be_bytes(),
        )
        .into_uuid()
    }

    /// Full jitter: a duration between zero and `limit`.
    pub(crate) fn jitter(&self, limit: Duration) -> Duration {
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.random() % limit_ms.saturating_add(1))
    }
}

/// Thirty-two bytes from the system's cryptographic generator, for a key.
pub(crate) fn random_key() -> Result<[u8; 32], aws_lc_rs::error::Unspecified> {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key)?;
    Ok(key)
}
