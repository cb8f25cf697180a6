//! A failing plan, made shorter as long as it breaks the same promise.

use super::plan::{How, Plan, Round, Settings};
use crate::sandbox::Variants;

/// Most runs that are spent on it.
const MOST: usize = 600;

/// Tries to leave out one thing after the other, again and again.
pub(crate) fn shrink(plan: Plan, breaks: impl Fn(&Plan) -> bool) -> Plan {
    let (mut plan, mut runs) = (plan, 0);
    loop {
        let mut shorter = None;
        for candidate in candidates(&plan) {
            runs += 1;
            if runs > MOST {
                return plan;
            }
            if breaks(&candidate) {
                shorter = Some(candidate);
                break;
            }
        }
        match shorter {
            Some(shorter) => plan = shorter,
            None => return plan,
        }
    }
}

/// The plan with one thing less each, the largest things first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut out = Vec::new();
    let mut with = |change: &dyn Fn(&mut Plan)| {
        let mut candidate = plan.clone();
        change(&mut candidate);
        out.push(candidate);
    };
    for at in 0..plan.rounds.len() {
        with(&|it| {
            it.rounds.remove(at);
        });
    }
    for (at, round) in plan.rounds.iter().enumerate() {
        circumstances(&mut with, at, round);
        people(&mut with, at, round);
    }
    if plan.price {
        with(&|it| it.price = false);
    }
    if plan.gap {
        with(&|it| it.gap = false);
    }
    if plan.contacts > 0 {
        with(&|it| it.contacts -= 1);
    }
    for system in 0..plan.clocks.len() {
        if plan.clocks[system] != 0 {
            with(&|it| it.clocks[system] = 0);
        }
    }
    if plan.variants != Variants::default() {
        with(&|it| it.variants = Variants::default());
    }
    let simplest =
        Settings { filter: false, job: false, reconcile: false, guard: None, ..plan.settings };
    if plan.settings != simplest {
        with(&|it| it.settings = simplest);
    }
    out
}

/// Takes a change of a plan.
type With<'w> = &'w mut dyn FnMut(&dyn Fn(&mut Plan));

/// A round in which less goes wrong.
fn circumstances(with: With<'_>, at: usize, round: &Round) {
    if !round.faults.is_empty() {
        with(&|it| it.rounds[at].faults.clear());
    }
    if round.crash.is_some() {
        with(&|it| it.rounds[at].crash = None);
    }
    if round.latency > 0 {
        with(&|it| it.rounds[at].latency = 0);
    }
    if round.repeats > 0 {
        with(&|it| it.rounds[at].repeats = 0);
    }
    if round.reorders {
        with(&|it| it.rounds[at].reorders = false);
    }
    if round.rest > 0 {
        with(&|it| it.rounds[at].rest = 0);
    }
    if round.restored {
        with(&|it| it.rounds[at].restored = false);
    }
    match round.how {
        How::Passes => {}
        How::Away(_) => with(&|it| it.rounds[at].how = How::Passes),
        How::Daemon(seconds) => {
            with(&|it| it.rounds[at].how = How::Passes);
            if seconds > 5 {
                with(&|it| it.rounds[at].how = How::Daemon(seconds / 2));
            }
        }
    }
    for fault in 0..round.faults.len() {
        with(&|it| {
            it.rounds[at].faults.remove(fault);
        });
    }
}

/// A round in which somebody does less.
fn people(with: With<'_>, at: usize, round: &Round) {
    for act in 0..round.before.len() {
        with(&|it| {
            it.rounds[at].before.remove(act);
        });
    }
    for act in 0..round.during.len() {
        with(&|it| {
            it.rounds[at].during.remove(act);
        });
    }
    for at_request in 0..round.meddling.len() {
        with(&|it| {
            it.rounds[at].meddling.remove(at_request);
        });
    }
    if round.reload.is_some() {
        with(&|it| it.rounds[at].reload = None);
    }
}
