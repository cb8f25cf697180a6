//! What the loop knows of each flow: when it is due, who waits for it, how it
//! went. Runs nothing.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::app::{App, Came, PassEnd, PassReport};
use crate::clock::Monotonic;
use crate::model::Flow;
use crate::scheduler::{Timer, next_due};
use crate::store::RunOutcome;
use crate::telemetry::{FlowFailing, FlowQuiet, FlowRecovered, stops_over};

/// Longest wait between two passes that fail.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// How often a flow that finds nothing to do says that it lives.
const QUIET_EVERY: Duration = Duration::from_hours(1);

/// Someone who waits for a pass, and how patient it is to be.
pub(super) type Waiter = (Duration, oneshot::Sender<PassReport>);

/// One flow.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) flow: Flow,
    timer: Timer,
    /// Something to do before the schedule says so.
    pub(super) woken: bool,
    /// It waits for the budget of the day.
    pub(super) unpaid: bool,
    waiters: Vec<Waiter>,
    failing: Option<Failing>,
    /// Passes that told nothing, and since when.
    quiet: (u64, Option<Monotonic>),
    /// What waited at the end of the last pass.
    pub(super) backlog: u64,
    /// What that pass came to.
    pub(super) came: Option<Came>,
}

/// Passes that failed in a row.
#[derive(Clone, Copy, Debug)]
struct Failing {
    passes: u64,
    since: Monotonic,
    /// Whether a system refuses us, and is not silent or in trouble.
    refused: bool,
    /// Until when the schedule is left alone.
    held: Option<Monotonic>,
}

/// All flows that are configured, in the order in which they run.
#[derive(Debug)]
pub(super) struct Lanes(Vec<Lane>);

impl Lanes {
    /// The first pass of each flow is due at once.
    ///
    /// # Errors
    /// Where a flow has no schedule.
    pub(super) fn new(app: &App) -> Result<Self, String> {
        let plans = app.flow_plans()?;
        let lane = |(flow, plan)| Lane {
            flow,
            timer: Timer::new(plan, None),
            woken: false,
            unpaid: false,
            waiters: Vec::new(),
            failing: None,
            quiet: (0, None),
            backlog: 0,
            came: None,
        };
        Ok(Self(plans.into_iter().map(lane).collect()))
    }

    /// The same flows by other schedules; what an earlier configuration knew of
    /// a flow stays.
    pub(super) fn replace(&mut self, app: &App) -> Result<(), String> {
        let mut lanes = Self::new(app)?;
        for lane in &mut lanes.0 {
            let Some(at) = self.0.iter().position(|old| old.flow == lane.flow) else { continue };
            let old = self.0.swap_remove(at);
            *lane = Lane { timer: old.timer.by(lane.timer.plan().clone()), ..old };
            if lane.failing.is_some() {
                // It may have mended what stands in the way.
                lane.woken = true;
                lane.release();
            }
        }
        *self = lanes;
        Ok(())
    }

    /// When the first of them is due that may begin beside what runs.
    pub(super) fn due(&self, now: Timestamp, running: &[Flow]) -> Option<Timestamp> {
        let free = self.free(running).filter(|lane| !lane.is_held());
        next_due(free.map(|lane| &lane.timer), now)
    }

    /// The flow that is to begin now: one that somebody waits for before one
    /// that is due.
    pub(super) fn wanted(&self, now: Timestamp, running: &[Flow]) -> Option<Flow> {
        let asked = self.free(running).find(|lane| lane.is_asked());
        let due = || {
            let free = self.free(running);
            let mut due: Vec<_> = free.filter_map(|lane| lane.wanted_since(now)).collect();
            // Whoever has waited longest: a busy flow must not keep another out.
            due.sort_by_key(|(since, _)| *since);
            due.first().map(|(_, flow)| *flow)
        };
        asked.map(|lane| lane.flow).or_else(due)
    }

    fn free(&self, running: &[Flow]) -> impl Iterator<Item = &Lane> {
        self.0.iter().filter(|lane| running.iter().all(|other| may_overlap(lane.flow, *other)))
    }

    pub(super) fn get(&mut self, flow: Flow) -> Option<&mut Lane> {
        self.0.iter_mut().find(|lane| lane.flow == flow)
    }

    /// Somebody did something that a pass is to see soon, whatever failed before.
    pub(super) fn wake(&mut self) {
        for lane in &mut self.0 {
            lane.woken = true;
            lane.release();
        }
    }

    /// Whether the passes of a flow fail and the next one waits.
    pub(super) fn is_held(&self, flow: Flow) -> bool {
        self.0.iter().any(|lane| lane.flow == flow && lane.is_held())
    }

    /// Notes what the wall clock shows.
    pub(super) fn look(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|lane| lane.timer.look(now));
    }

    /// Lets those go whose wait is over.
    pub(super) fn let_go(&mut self, now: Monotonic) {
        for failing in self.0.iter_mut().filter_map(|lane| lane.failing.as_mut()) {
            failing.held = failing.held.filter(|until| *until > now);
        }
    }

    /// Wakes those that waited for the budget of the day, once they may run.
    pub(super) fn wake_paid(&mut self, waits: impl Fn(Flow) -> bool) {
        for lane in self.0.iter_mut().filter(|lane| lane.unpaid && !waits(lane.flow)) {
            (lane.unpaid, lane.woken) = (false, true);
        }
    }

    /// Notes someone who waits for a pass. One who waits for a flow that is no
    /// longer there is let go.
    pub(super) fn wait_for(&mut self, flow: Flow, waiter: Waiter) {
        if let Some(lane) = self.get(flow) {
            lane.waiters.push(waiter);
        }
    }
}

/// Whether passes of two flows may run at one time. Ingress and opt-outs write
/// to the same profiles, and no two writes to one record may be on their way
/// together.
pub(super) fn may_overlap(one: Flow, other: Flow) -> bool {
    let own = |flow| matches!(flow, Flow::Egress);
    one != other && (own(one) || own(other))
}

impl Lane {
    /// Whether somebody waits for it.
    pub(super) fn is_asked(&self) -> bool {
        !self.waiters.is_empty()
    }

    fn is_held(&self) -> bool {
        self.failing.is_some_and(|failing| failing.held.is_some())
    }

    fn release(&mut self) {
        if let Some(failing) = &mut self.failing {
            failing.held = None;
        }
    }

    /// Since when it has something to do, if it has.
    fn wanted_since(&self, now: Timestamp) -> Option<(Timestamp, Flow)> {
        let due = self.timer.due(now).filter(|due| *due <= now && !self.is_held());
        due.or_else(|| self.woken.then_some(now)).map(|since| (since, self.flow))
    }

    /// A pass begins, or is left out: who waits for it is given back.
    pub(super) fn begun(&mut self, now: Timestamp) -> Vec<Waiter> {
        self.woken = false;
        self.timer.begun(now);
        std::mem::take(&mut self.waiters)
    }

    /// Tells when passes begin to fail, and when they work again. `outage`: what
    /// stands in the way of a pass in which nothing moved. In words for the
    /// service manager.
    pub(super) fn judge(
        &mut self,
        report: &PassReport,
        outage: Option<String>,
        now: Monotonic,
    ) -> String {
        self.backlog = report.counts.pending;
        self.came = Some(report.came);
        let (said, failing) = self.found(report, outage, now);
        if let Some(event) = &failing {
            event.emit();
        }
        stops_over(self.flow, failing.as_ref().map(|event| event.reason.as_str()));
        said
    }

    /// What is said of a pass, and that passes begin to fail, if they do.
    fn found(
        &mut self,
        report: &PassReport,
        outage: Option<String>,
        now: Monotonic,
    ) -> (String, Option<FlowFailing>) {
        let (flow, backlog) = (self.flow, self.backlog);
        if let PassEnd::Spent(failure) = &report.end {
            self.unpaid = true;
            return (format!("waits for the budget, {backlog} waiting: {failure}"), None);
        }
        if let Some(reason) = report.end.failure() {
            let outage = outage.filter(|_| matches!(report.end, PassEnd::GaveUp));
            let reason = outage.map_or_else(|| reason.clone(), |met| format!("{reason}: {met}"));
            let said = format!("failed, {backlog} waiting: {reason}");
            let is_news = self.failed(matches!(report.end, PassEnd::Refused(_)), now);
            return (said, is_news.then_some(FlowFailing { flow, reason }));
        }
        if !matches!(report.end, PassEnd::Stopped)
            && let Some(failing) = self.failing.take()
        {
            let lasted = now.since(failing.since).as_millis();
            let failing_ms = u64::try_from(lasted).unwrap_or(u64::MAX);
            FlowRecovered { flow, failed: failing.passes, failing_ms }.emit();
        }
        if let Some(passes) = self.was_quiet(report.told, now) {
            FlowQuiet { flow, passes }.emit();
        }
        let failed = report.came.outcome == RunOutcome::Failed;
        (format!("{}, {backlog} waiting", if failed { "failed in part" } else { "idle" }), None)
    }

    /// Notes a pass that failed: the next one waits. Whether that is news.
    fn failed(&mut self, refused: bool, now: Monotonic) -> bool {
        let first = Failing { passes: 0, since: now, refused, held: None };
        let was = self.failing.unwrap_or(first);
        let passes = was.passes + 1;
        let held = Some(now.plus(wait_after(passes)));
        self.failing = Some(Failing { passes, refused, held, ..was });
        passes == 1 || was.refused != refused
    }

    /// Counts passes that told nothing; how many, once an hour.
    fn was_quiet(&mut self, told: bool, now: Monotonic) -> Option<u64> {
        let (passes, since) = self.quiet;
        if told {
            self.quiet = (0, Some(now));
            return None;
        }
        let (passes, since) = (passes + 1, since.unwrap_or(now));
        let tell = now.since(since) >= QUIET_EVERY;
        self.quiet = if tell { (0, Some(now)) } else { (passes, Some(since)) };
        tell.then_some(passes)
    }
}

/// How long the schedule is left alone after so many passes that failed in a
/// row: as long as it has lasted, about, and a few minutes at most.
fn wait_after(passes: u64) -> Duration {
    let doubled = u32::try_from(passes).unwrap_or(u32::MAX).min(16);
    Duration::from_secs(1 << doubled).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn only_what_writes_to_other_records_runs_beside_a_flow() {
        let cases = [
            (Flow::Ingress, Flow::Egress, true),
            (Flow::Egress, Flow::Optout, true),
            (Flow::Ingress, Flow::Optout, false),
            (Flow::Ingress, Flow::Ingress, false),
            (Flow::Egress, Flow::Egress, false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(may_overlap(one, other), expected, "{one} {other}");
            assert_eq!(may_overlap(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn the_wait_after_a_failed_pass_grows_to_a_bound() {
        let seconds: Vec<u64> =
            [1, 2, 3, 8, 9, 60, u64::MAX].map(|passes| wait_after(passes).as_secs()).to_vec();
        assert_eq!(seconds, [2, 4, 8, 256, 300, 300, 300]);
    }

    fn lanes() -> Lanes {
        let schedule = crate::scheduler::Plan::test("* * * * * *");
        Lanes(vec![Lane {
            flow: Flow::Ingress,
            timer: Timer::new(schedule, None),
            woken: false,
            unpaid: false,
            waiters: Vec::new(),
            failing: None,
            quiet: (0, None),
            backlog: 0,
            came: None,
        }])
    }

    #[test]
    fn a_day_of_failed_passes_is_told_once_and_a_person_ends_the_wait() {
        let clock = Clock::seeded(1);
        let (wall, mut now) = (clock.now(), clock.monotonic());
        let mut lanes = lanes();
        let (mut told, mut passes) = (0, 0);
        let day = now.plus(Duration::from_hours(24));
        while now < day {
            lanes.let_go(now);
            if lanes.wanted(wall, &[]).is_some() {
                passes += 1;
                told += u64::from(lanes.get(Flow::Ingress).unwrap().failed(false, now));
                assert_eq!(lanes.due(wall, &[]), None, "it waits");
            }
            now = now.plus(Duration::from_secs(1));
        }
        assert_eq!(told, 1);
        assert!((280..=300).contains(&passes), "{passes} passes");
        assert!(lanes.get(Flow::Ingress).unwrap().failed(true, now), "refused: told anew");
        assert!(!lanes.get(Flow::Ingress).unwrap().failed(true, now));
        lanes.let_go(now);
        assert!(lanes.is_held(Flow::Ingress) && lanes.wanted(wall, &[]).is_none());
        lanes.wake();
        assert_eq!(lanes.wanted(wall, &[]), Some(Flow::Ingress));
    }

    #[test]
    fn a_quiet_flow_says_so_once_an_hour() {
        let mut lanes = lanes();
        let lane = lanes.get(Flow::Ingress).unwrap();
        let start = Clock::seeded(1).monotonic();
        let mut told = Vec::new();
        for quarter in 0..5760_u64 {
            let now = start.plus(Duration::from_secs(quarter * 15));
            told.extend(lane.was_quiet(quarter == 0, now));
        }
        assert_eq!(told, [240; 23]);
    }
}
