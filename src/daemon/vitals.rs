//! What the loop lets others know of it: that it moves, that it is to end, and
//! what its passes came to. Decides nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::app::{PassEnd, PassReport, Watch};
use crate::clock::{Clock, Monotonic};
use crate::model::{Flow, TallyDelta};

/// A loop that has not turned for so long hangs: it turns every second.
const HANGS_AFTER: Duration = Duration::from_mins(1);

/// The ways in which a pass ends, as words.
pub(super) const OUTCOMES: [&str; 4] = ["done", "incomplete", "failed", "stopped"];

/// What the passes of a flow came to since the process was started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Passes, in the order of [`OUTCOMES`].
    pub(super) passes: [u64; 4],
    /// How long they took.
    pub(super) duration: Duration,
    /// Records that all passes came to an end with, that of the one under way
    /// among them.
    pub(super) records: TallyDelta,
    ended: TallyDelta,
}

/// Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Vitals {
    clock: Clock,
    started: Timestamp,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    alive: Monotonic,
    stopping: bool,
    totals: BTreeMap<Flow, Totals>,
}

impl Vitals {
    pub(super) fn new(clock: &Clock) -> Self {
        let state = State { alive: clock.monotonic(), stopping: false, totals: BTreeMap::new() };
        let (clock, started) = (clock.clone(), clock.now());
        Self { clock, started, state: Arc::new(Mutex::new(state)) }
    }

    /// The loop turns, or a pass moves.
    pub(super) fn alive(&self) {
        self.lock().alive = self.clock.monotonic();
    }

    pub(super) fn stopping(&self) {
        self.lock().stopping = true;
    }

    /// A pass has come so far.
    pub(super) fn watched(&self, flow: Flow, watch: Watch) {
        let mut state = self.lock();
        let totals = state.totals.entry(flow).or_default();
        totals.records = sum(totals.ended, watch.counts);
    }

    /// A pass ended.
    pub(super) fn ended(&self, flow: Flow, report: &PassReport) {
        let counts = report.counts;
        let counted = TallyDelta {
            read: counts.read,
            written: counts.written,
            unchanged: counts.unchanged,
            filtered: counts.filtered,
            deleted: counts.deleted,
            dead_lettered: counts.dead_lettered,
        };
        let outcome = match report.end {
            PassEnd::Done => 0,
            // What waits for the next day is no failure.
            PassEnd::Incomplete | PassEnd::Spent(_) => 1,
            PassEnd::Refused(_) | PassEnd::KeptRefusing(_) | PassEnd::GaveUp => 2,
            PassEnd::Stopped => 3,
        };
        let mut state = self.lock();
        let totals = state.totals.entry(flow).or_default();
        totals.ended = sum(totals.ended, counted);
        totals.records = totals.ended;
        totals.duration += Duration::from_millis(counts.duration_ms);
        if let Some(passes) = totals.passes.get_mut(outcome) {
            *passes += 1;
        }
    }

    /// When the process was started.
    pub(super) fn started(&self) -> Timestamp {
        self.started
    }

    /// What the passes of a flow came to.
    pub(super) fn totals(&self, flow: Flow) -> Totals {
        self.lock().totals.get(&flow).copied().unwrap_or_default()
    }

    /// Why the loop cannot work, without details.
    pub(super) fn ailment(&self) -> Option<&'static str> {
        let state = self.lock();
        if state.stopping {
            return Some("the daemon ends");
        }
        let still = self.clock.monotonic().since(state.alive);
        (still >= HANGS_AFTER).then_some("the daemon does not move")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sum(one: TallyDelta, other: TallyDelta) -> TallyDelta {
    TallyDelta {
        read: one.read + other.read,
        written: one.written + other.written,
        unchanged: one.unchanged + other.unchanged,
        filtered: one.filtered + other.filtered,
        deleted: one.deleted + other.deleted,
        dead_lettered: one.dead_lettered + other.dead_lettered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_or_ends_is_ill() {
        let clock = Clock::seeded(1);
        let vitals = Vitals::new(&clock);
        assert_eq!(vitals.ailment(), None);
        clock.sleep(HANGS_AFTER).await;
        assert_eq!(vitals.ailment(), Some("the daemon does not move"));
        vitals.alive();
        assert_eq!(vitals.ailment(), None);
        vitals.stopping();
        assert_eq!(vitals.ailment(), Some("the daemon ends"));
    }

    #[test]
    fn what_a_pass_counts_under_way_is_not_counted_again_at_its_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _inside = runtime.enter();
        let vitals = Vitals::new(&Clock::seeded(1));
        for pass in 1..=2 {
            let counts = TallyDelta { read: 5, written: 3, ..TallyDelta::default() };
            vitals.watched(Flow::Ingress, Watch { counts, backlog: 2 });
            assert_eq!(vitals.totals(Flow::Ingress).records.written, (pass - 1) * 4 + 3);
            let counts = crate::store::Counts { read: 5, written: 4, ..Default::default() };
            vitals.ended(Flow::Ingress, &PassReport::test(PassEnd::Done, counts));
            assert_eq!(vitals.totals(Flow::Ingress).records.written, pass * 4);
            assert_eq!(vitals.totals(Flow::Ingress).passes, [pass, 0, 0, 0]);
        }
        assert_eq!(vitals.totals(Flow::Egress).passes, [0; 4]);
    }
}
