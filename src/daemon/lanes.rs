//! What the loop knows of each flow: when it is due, who waits for it, how it
//! went. Runs nothing.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::app::{App, PassEnd};
use crate::model::Flow;
use crate::scheduler::{Timer, next_due};
use crate::telemetry::{FlowFailing, FlowRecovered};

/// Someone who waits for a pass, and how patient it is to be.
pub(super) type Waiter = (Duration, oneshot::Sender<PassEnd>);

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
    /// Passes that failed in a row.
    failed: u64,
    /// What waited at the end of the last pass.
    pub(super) backlog: u64,
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
            failed: 0,
            backlog: 0,
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
        }
        *self = lanes;
        Ok(())
    }

    /// When the first of them is due that may begin beside what runs.
    pub(super) fn due(&self, now: Timestamp, running: &[Flow]) -> Option<Timestamp> {
        next_due(self.free(running).map(|lane| &lane.timer), now)
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

    pub(super) fn wake(&mut self) {
        self.0.iter_mut().for_each(|lane| lane.woken = true);
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

    /// Since when it has something to do, if it has.
    fn wanted_since(&self, now: Timestamp) -> Option<(Timestamp, Flow)> {
        let due = self.timer.due(now).filter(|due| *due <= now);
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
    pub(super) fn judge(&mut self, end: &PassEnd, outage: Option<String>) -> String {
        let backlog = self.backlog;
        let flow = self.flow;
        if let PassEnd::Spent(failure) = end {
            self.unpaid = true;
            return format!("waits for the budget, {backlog} waiting: {failure}");
        }
        if let Some(reason) = end.failure() {
            self.failed += 1;
            let outage = outage.filter(|_| matches!(end, PassEnd::GaveUp));
            let reason = outage.map_or_else(|| reason.clone(), |met| format!("{reason}: {met}"));
            let said = format!("failed, {backlog} waiting: {reason}");
            if self.failed == 1 {
                FlowFailing { flow, reason }.emit();
            }
            return said;
        }
        if self.failed > 0 && !matches!(end, PassEnd::Stopped) {
            FlowRecovered { flow, failed: self.failed }.emit();
            self.failed = 0;
        }
        format!("idle, {backlog} waiting")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
