//! What came back for a load: judged, settled in one transaction, told, and put
//! where it goes next.

use std::collections::HashSet;
use std::time::Duration;

use crate::dynamics::{ActivityTable, Failure, PartEnd};
use crate::model::EventKind;
use crate::store::{EventStage, StoreError};
use crate::telemetry::{RecordDeadLettered, TableFailed, tell_stop};

use super::activities::{ActivityDelivery, FLOW, Loop, waited};
use super::activity_fate::{Answer, Case, Fate, Whole, fate, whole};
use super::activity_send::{Item, Load, Sent};
use super::activity_settle::{Judged, settle};
use super::evidence::Seen;
use super::policy::is_in_vain;

impl ActivityDelivery {
    pub(super) async fn settle(&self, state: &mut Loop, sent: Sent) -> Result<(), StoreError> {
        let mut answered = sent.answered;
        for (load, failure) in sent.failed {
            self.failed(state, load, &failure, &mut answered);
        }
        let fine: HashSet<EventKind> =
            answered.iter().filter(|(_, it)| is_good(it)).map(|(it, _)| kind(it)).collect();
        let good = answered.iter().filter(|(_, answer)| is_good(answer)).count() as u64;
        state.seen.successes(good);
        let mut after = After::default();
        let mut judged = Vec::with_capacity(answered.len());
        for (item, answer) in answered {
            let Some(table) = self.targets.tables.get(&kind(&item)) else { continue };
            let fate = self.judge(state, &item, table, answer, fine.contains(&kind(&item)));
            match &fate {
                Fate::StopTable(failure) => self.stop_table(state, kind(&item), failure).await,
                Fate::StopFlow(failure) => stop_flow(state, failure),
                Fate::Done { .. }
                | Fate::Made
                | Fate::Waits { .. }
                | Fate::Retry { .. }
                | Fate::GiveUp(_) => {}
            }
            let leased = item.leased.clone();
            after.add(item, &fate, &state.seen);
            judged.push(Judged { leased, table: table.name().clone(), fate });
        }
        let (now, tally) = (self.clock.now(), self.tally.clone());
        let judged = self
            .store
            .call(move |work| {
                let delta = settle(work, &judged, now)?;
                // Counted here: the caller may be gone when this has lasted.
                tally.add(delta);
                Ok(judged)
            })
            .await?;
        tell(&judged);
        self.next_stage(state, after.made);
        self.later(state, Load { items: after.again, tries: 0 }, after.wait);
        self.settled.notify_one();
        Ok(())
    }

    fn judge(
        &self,
        state: &mut Loop,
        item: &Item,
        table: &ActivityTable,
        answer: Answer,
        neighbours_fine: bool,
    ) -> Fate {
        let leased = &item.leased;
        if matches!(answer, Answer::Part(PartEnd::Failed(_))) {
            state.seen.failure(leased.activity);
        }
        let case = Case {
            stage: leased.stage,
            table: table.name(),
            attempts: leased.attempts,
            completes: self.settings.complete,
            waited: waited(leased, self.clock.now(), self.contact_wait_us()),
            neighbours_fine,
            evidence: state.seen.evidence(item.mark),
        };
        let tries = state.seen.mark(item.mark).tries;
        let fate = fate(&case, answer);
        if let Fate::Retry { failure: Some(failure), .. } = &fate
            && case.evidence.outage
            && is_in_vain(failure.outcome, tries)
        {
            return Fate::StopFlow(failure.clone());
        }
        fate
    }

    /// A request that failed as a whole: its events go again, or, where it had
    /// one only, that one is judged with the others.
    fn failed(
        &self,
        state: &mut Loop,
        mut load: Load,
        failure: &Failure,
        answered: &mut Vec<(Item, Answer)>,
    ) {
        let Some(first) = load.items.first() else { return };
        state.seen.failure(first.leased.activity);
        let evidence = state.seen.evidence(first.mark);
        let verdict = whole(failure, load.items.len(), load.tries, evidence);
        load.items.iter_mut().for_each(|item| item.mark = Some(state.seen.mark(item.mark)));
        match verdict {
            Whole::Again(wait) => {
                load.tries += 1;
                self.later(state, load, wait);
            }
            Whole::Split(wait) => {
                let half = load.items.split_off(load.items.len() / 2);
                // What is left of the load fails sooner for good.
                let tries = load.tries.min(1);
                self.later(state, Load { items: load.items, tries }, wait);
                self.later(state, Load { items: half, tries }, wait);
            }
            Whole::Single => {
                let answers = load.items.into_iter();
                answered
                    .extend(answers.map(|it| (it, Answer::Part(PartEnd::Failed(failure.clone())))));
            }
            Whole::StopFlow => {
                stop_flow(state, failure);
                self.later(state, load, Duration::ZERO);
            }
        }
    }

    async fn stop_table(&self, state: &mut Loop, kind: EventKind, failure: &Failure) {
        if !state.stopped.insert(kind) {
            return;
        }
        let Some(table) = self.targets.tables.get(&kind) else { return };
        table.forget_shape().await;
        let name = table.name().clone();
        TableFailed { flow: FLOW, table: name.clone(), reason: failure.to_string() }.emit();
        state.report.failed.push(name);
    }
}

/// Tells of what was given up.
pub(super) fn tell(judged: &[Judged]) {
    for one in judged {
        if let Fate::GiveUp(end) = &one.fate {
            RecordDeadLettered {
                flow: FLOW,
                table: one.table.clone(),
                id: one.leased.activity,
                reason: end.reason.clone(),
                status: end.status,
                request_id: end.request_id.clone(),
                attempts: u64::from(end.attempts),
            }
            .emit();
        }
    }
}

/// Where judged events go next.
#[derive(Default)]
struct After {
    made: Vec<Item>,
    again: Vec<Item>,
    wait: Duration,
}

impl After {
    fn add(&mut self, mut item: Item, fate: &Fate, seen: &Seen) {
        match fate {
            Fate::Made => {
                item.leased.stage = EventStage::Made;
                item.leased.attempts = 0;
                item.mark = None;
                self.made.push(item);
            }
            Fate::Retry { attempts, wait, .. } => {
                item.leased.attempts = *attempts;
                item.mark = Some(seen.mark(item.mark));
                self.again.push(item);
                self.wait = self.wait.max(*wait);
            }
            Fate::Done { .. }
            | Fate::Waits { .. }
            | Fate::GiveUp(_)
            | Fate::StopTable(_)
            | Fate::StopFlow(_) => {}
        }
    }
}

fn kind(item: &Item) -> EventKind {
    item.leased.event.kind
}

fn is_good(answer: &Answer) -> bool {
    matches!(answer, Answer::Part(PartEnd::Done { .. } | PartEnd::AlreadySo { .. }))
}

fn stop_flow(state: &mut Loop, failure: &Failure) {
    if state.report.stopped.is_none() {
        if !failure.is_spent() {
            tell_stop(FLOW, failure.to_string());
        }
        state.report.stopped = Some(failure.clone());
    }
}
