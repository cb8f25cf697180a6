//! When a flow's next pass is due. Pure: takes times, gives times.
//!
//! Any number of missed runs is one. One pass at a time: whoever asks runs the
//! pass and asks again. A trigger carries no input.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::schedule::Schedule;

/// A cron expression in its zone.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The expression.
    pub(crate) schedule: Schedule,
    /// Whose civil times it means.
    pub(crate) zone: TimeZone,
}

#[cfg(test)]
impl Plan {
    /// By an expression that is right, in UTC.
    pub(crate) fn test(expression: &str) -> Self {
        Self { schedule: Schedule::parse(expression).unwrap(), zone: TimeZone::UTC }
    }
}

/// One thing that has a schedule, and when it was last begun.
#[derive(Clone, Debug)]
pub(crate) struct Timer {
    plan: Plan,
    last: Option<Timestamp>,
}

impl Timer {
    /// A timer that was last begun at `last`; never is due at once.
    pub(crate) fn new(plan: Plan, last: Option<Timestamp>) -> Self {
        Self { plan, last }
    }

    /// Notes a beginning.
    pub(crate) fn begun(&mut self, now: Timestamp) {
        self.last = Some(now);
    }

    /// Notes what time it is: a beginning that lies ahead was told by a clock that
    /// has been set back since, and must not stop the schedule for as long.
    pub(crate) fn look(&mut self, now: Timestamp) {
        self.last = self.last.map(|last| last.min(now));
    }

    /// When it is due: `now` or earlier means at once, none never again.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let Some(last) = self.last else { return Some(now) };
        self.plan.schedule.next_after(last.min(now), &self.plan.zone)
    }

    /// By what it is due.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The same timer by another plan.
    #[must_use]
    pub(crate) fn by(&self, plan: Plan) -> Self {
        Self { plan, last: self.last }
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
}
