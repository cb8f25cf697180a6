//! When a flow's next pass is due. Pure: takes times, gives times.
//!
//! A plan may spread its runs a little: each
//! begins up to so much after its time, always by the same amount for the same
//! time and seed.
//! Any number of missed runs is one. One pass at a time: whoever asks runs the
//! pass and asks again. A trigger carries no input.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::schedule::Schedule;

/// By how much runs begin after their time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    /// The most.
    pub(crate) limit: Duration,
    /// What tells one schedule, of one installation, from another.
    pub(crate) seed: u64,
}

impl Spread {
    /// For the run of this time.
    fn of(self, time: Timestamp) -> Duration {
        let limit_ms = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
        if limit_ms == 0 {
            return Duration::ZERO;
        }
        let [seed, at] = [self.seed.to_le_bytes(), time.as_second().to_le_bytes()];
        let number = number(&[seed, at].concat());
        Duration::from_millis(number % limit_ms.saturating_add(1))
    }
}

/// A number that is always the same for the same bytes, and like chance for
/// others.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A cron expression in its zone.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The expression.
    pub(crate) schedule: Schedule,
    /// Whose civil times it means.
    pub(crate) zone: TimeZone,
    /// By how much its runs begin later.
    pub(crate) spread: Spread,
}

impl Plan {
    /// When the next run after `now` begins.
    fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let time = self.schedule.next_after(now, &self.zone)?;
        Some(time.checked_add(self.spread.of(time)).unwrap_or(time))
    }
}

#[cfg(test)]
impl Plan {
    /// By an expression that is right, in UTC.
    pub(crate) fn test(expression: &str) -> Self {
        Self {
            schedule: Schedule::parse(expression).unwrap(),
            zone: TimeZone::UTC,
            spread: Spread::default(),
        }
    }
}

/// One thing that has a schedule, and when it was last begun.
#[derive(Clone, Debug)]
pub(crate) struct Timer {
    plan: Plan,
    last: Option<Timestamp>,
    /// When it is due after `last`: asked for every second.
    next: Option<Timestamp>,
}

impl Timer {
    /// A timer that was last begun at `last`; never is due at once.
    pub(crate) fn new(plan: Plan, last: Option<Timestamp>) -> Self {
        let next = last.and_then(|last| plan.next_after(last));
        Self { plan, last, next }
    }

    /// Notes a beginning.
    pub(crate) fn begun(&mut self, now: Timestamp) {
        *self = Self::new(self.plan.clone(), Some(now));
    }

    /// Notes what time it is: a beginning that lies ahead was told by a clock that
    /// has been set back since, and must not stop the schedule for as long.
    pub(crate) fn look(&mut self, now: Timestamp) {
        if self.last.is_some_and(|last| now < last) {
            self.begun(now);
        }
    }

    /// When it is due: `now` or earlier means at once, none never again.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let Some(last) = self.last else { return Some(now) };
        if now < last { self.plan.next_after(now) } else { self.next }
    }

    /// By what it is due.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The same timer by another plan.
    #[must_use]
    pub(crate) fn by(&self, plan: Plan) -> Self {
        Self::new(plan, self.last)
    }
}

/// When the first of these timers is due.
pub(crate) fn next_due<'t>(
    timers: impl IntoIterator<Item = &'t Timer>,
    now: Timestamp,
) -> Option<Timestamp> {
    timers.into_iter().filter_map(|timer| timer.due(now)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn timer(expression: &str, last: Option<&str>) -> Timer {
        Timer::new(Plan::test(expression), last.map(at))
    }

    #[test]
    fn what_never_ran_is_due_at_once_and_what_ran_waits_for_its_time() {
        let now = at("2026-03-01T12:00:20Z");
        let cases = [
            (None, now),
            (Some("2026-03-01T12:00:15Z"), at("2026-03-01T12:00:30Z")),
            // Begun in the moment it was due.
            (Some("2026-03-01T12:00:20Z"), at("2026-03-01T12:00:30Z")),
        ];
        for (last, due) in cases {
            assert_eq!(timer("*/15 * * * * *", last).due(now), Some(due), "{last:?}");
        }
    }

    #[test]
    fn missed_runs_are_one() {
        let now = at("2026-03-01T12:00:20Z");
        let mut timer = timer("*/15 * * * * *", Some("2026-03-01T06:00:00Z"));
        assert!(timer.due(now).unwrap() <= now);
        timer.begun(now);
        assert_eq!(timer.due(now), Some(at("2026-03-01T12:00:30Z")));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_the_schedule() {
        let now = at("2026-03-01T12:00:20Z");
        let mut timer = timer("0 * * * * *", Some("2031-01-01T00:00:00Z"));
        timer.look(now);
        let due = at("2026-03-01T12:01:00Z");
        assert_eq!(timer.due(now), Some(due));
        // It comes nearer while time goes on.
        timer.look(due);
        assert_eq!(timer.due(due), Some(due));
    }

    #[test]
    fn the_first_timer_counts_and_one_that_never_runs_again_does_not() {
        let now = at("2026-03-01T12:00:20Z");
        let last = Some("2026-03-01T12:00:00Z");
        let timers = [
            timer("0 0 * * * *", last),
            timer("0 30 * * * *", last),
            timer("0 0 0 1 1 * 2020", last),
        ];
        assert_eq!(next_due(&timers, now), Some(at("2026-03-01T12:30:00Z")));
        assert_eq!(next_due(&timers[2..], now), None);
    }

    #[test]
    fn a_spread_run_begins_a_little_later_and_always_by_the_same() {
        let schedule = Schedule::parse("0 * * * * *").unwrap();
        let limit = Duration::from_secs(2);
        let later = |seed, minute: i64| {
            let time = at("2026-03-01T12:00:00Z") + jiff::SignedDuration::from_mins(minute);
            let spread = Spread { limit, seed };
            let plan = Plan { schedule: schedule.clone(), zone: TimeZone::UTC, spread };
            let before = time - jiff::SignedDuration::from_secs(1);
            let due = Timer::new(plan, Some(before)).due(before).unwrap();
            due.duration_since(time).as_millis()
        };
        let all: Vec<i128> = (0..200).map(|minute| later(7, minute)).collect();
        assert!(all.iter().all(|ms| (0..=2000).contains(ms)), "{all:?}");
        // They are spread, and not by the same for everybody.
        assert!(all.iter().any(|ms| *ms < 500) && all.iter().any(|ms| *ms > 1500), "{all:?}");
        assert_eq!(all, (0..200).map(|minute| later(7, minute)).collect::<Vec<_>>());
        assert_ne!(all, (0..200).map(|minute| later(8, minute)).collect::<Vec<_>>());
    }

    #[test]
    fn a_run_that_is_spread_beyond_the_next_ones_time_is_both() {
        let schedule = Schedule::parse("*/5 * * * * *").unwrap();
        let spread = Spread { limit: Duration::from_hours(1), seed: 1 };
        let mut timer = Timer::new(
            Plan { schedule, zone: TimeZone::UTC, spread },
            Some(at("2026-03-01T12:00:00Z")),
        );
        let due = timer.due(at("2026-03-01T12:00:01Z")).unwrap();
        assert!(due >= at("2026-03-01T12:00:05Z"));
        timer.begun(due);
        assert!(timer.due(due).unwrap() > due);
    }
}
