//! The loop: takes waiting decisions, keeps a bounded number of them on the
//! way, and settles what comes back in groups.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::campaign::{Failure, Outcome};
use crate::clock::{Clock, Monotonic};
use crate::model::{Flow, Stop, TableName, Tally, TallyDelta};
use crate::store::{Leased, Store, StoreError};
use crate::telemetry::{RecordDeadLettered, TableFailed, tell_stop};

use super::parents::Turns;
use super::parting::Parting;
use super::paths::Paths;
use super::policy::{Verdict, first_rest, is_in_vain, rest, verdict};
use super::send::{Delivered, Destination, Routes, Trouble};
use super::settle::{Attempt, End, Kinship, settle};
use super::state::{Joined, Loop};
use super::target::{DrainReport, Target};

/// Attempts that are settled in one transaction, at most.
const GROUP: usize = 256;

/// How long the first finished attempt waits for others to share its commit.
/// The loop sleeps meanwhile: to be woken for each of them would cost more
/// than the commit.
const GATHER: Duration = Duration::from_millis(10);

/// Delivers the decisions of one flow.
pub(crate) struct Delivery {
    flow: Flow,
    store: Store,
    clock: Clock,
    routes: Routes,
    kinship: Kinship,
    tally: Tally,
    window: usize,
    read_back: Duration,
    /// How long rows rest that may have been carried out before it began.
    first_rest: Duration,
    work_ready: Arc<Notify>,
    settled: Arc<Notify>,
    stop: Stop,
}

impl Delivery {
    /// A delivery of `flow` into these targets, with at most `max_in_flight`
    /// requests at one time below it.
    pub(crate) fn new(
        flow: Flow,
        store: &Store,
        clock: &Clock,
        tally: &Tally,
        targets: HashMap<TableName, Target>,
        max_in_flight: usize,
    ) -> Self {
        let key = store.key().clone();
        let those = |is: fn(&Target) -> bool| {
            targets.iter().filter(|(_, it)| is(it)).map(|(table, _)| table.clone()).collect()
        };
        let kinship =
            Kinship { parents: those(|it| it.is_parent), children: those(|it| it.has_links) };
        let destinations = targets.into_iter().map(|(table, target)| {
            let (paths, turns) = (Arc::new(Paths::default()), Arc::new(Turns::default()));
            let parting = Parting::of(target.flags, store);
            (table, Destination { writer: target.writer, paths, turns, key: key.clone(), parting })
        });
        Self {
            flow,
            store: store.clone(),
            clock: clock.clone(),
            routes: Routes(Arc::new(destinations.collect())),
            kinship,
            tally: tally.clone(),
            window: (max_in_flight * 64).clamp(64, 1024),
            read_back: Duration::ZERO,
            first_rest: Duration::ZERO,
            work_ready: Arc::new(Notify::new()),
            settled: Arc::new(Notify::new()),
            stop: Stop::default(),
        }
    }

    /// Looks up what became of a write without an answer after `read_back` only.
    pub(crate) fn reading_back_after(self, read_back: Duration) -> Self {
        Self { read_back, first_rest: read_back, ..self }
    }

    /// What an earlier pass had sent rests for a part of the pass's patience at most:
    /// it would never be taken up otherwise.
    pub(crate) fn resting_within(self, patience: Duration) -> Self {
        Self { first_rest: first_rest(self.read_back, patience), ..self }
    }

    /// Takes nothing more once this is asked for, and settles what is on its
    /// way.
    pub(crate) fn until(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// Tell it when there may be new work.
    pub(crate) fn work_ready(&self) -> Arc<Notify> {
        self.work_ready.clone()
    }

    /// It tells when it has settled something.
    pub(crate) fn settled(&self) -> Arc<Notify> {
        self.settled.clone()
    }

    /// Delivers until nothing is left that may go now and `finished` says that
    /// no more will come.
    pub(crate) async fn drain(
        &self,
        finished: impl Fn() -> bool,
    ) -> Result<DrainReport, StoreError> {
        // An earlier pass of this process may have been dropped.
        let flow = self.flow;
        let call = self.store.call(move |work| {
            work.recover_writes()?;
            work.has_doubtful(flow)
        });
        let rests_until = call.await?.then(|| self.clock.monotonic().plus(self.first_rest));
        let mut state = Loop::new(rests_until);
        loop {
            // Asked before the store is: what is added later shows as work.
            let last = finished();
            let took = self.fill(&mut state).await?;
            let ends = state.report.stopped.is_some() || self.stop.is_requested();
            if ends {
                for (_, id) in std::mem::take(&mut state.waiting) {
                    state.parked.add(id);
                }
            }
            if state.active.is_empty() && state.waiting.is_empty() {
                if ends || (last && took == 0 && !self.rests(&state).await?) {
                    state.parked.give_back(&self.store, &self.tally).await?;
                    return Ok(state.report);
                }
                if took == 0 {
                    tokio::select! {
                        biased;
                        () = self.work_ready.notified() => {}
                        () = self.stop.requested() => {}
                        () = self.comes(state.rests_until) => {}
                    }
                }
                continue;
            }
            self.turn(&mut state).await?;
        }
    }

    /// Takes more work, if there is room.
    async fn fill(&self, state: &mut Loop) -> Result<usize, StoreError> {
        state.rests_until = state.rests_until.filter(|until| self.clock.monotonic() < *until);
        let room = self.window.saturating_sub(state.active.len() + state.waiting.len());
        let ends = state.report.stopped.is_some() || self.stop.is_requested();
        if ends || room < self.window / 4 {
            return Ok(0);
        }
        let flow = self.flow;
        let rested = state.rests_until.is_none();
        let leased = self.store.call(move |work| work.lease(flow, room, rested)).await?;
        let took = leased.len();
        for leased in leased {
            if state.stopped_tables.contains(&leased.table) || !self.routes.lead_from(&leased.table)
            {
                state.park(leased);
            } else {
                self.begin(state, leased);
            }
        }
        if state.parked.settle(&self.store, &self.tally).await? {
            self.settled.notify_one();
        }
        Ok(took)
    }

    fn begin(&self, state: &mut Loop, leased: Leased) {
        let routes = self.routes.clone();
        let mut leased = leased;
        state.active.spawn(async move {
            let (result, learned) = routes.deliver(&leased).await;
            leased.answered = learned.request_id;
            (leased.opted_out, leased.outdated) = (learned.opted_out, learned.outdated);
            (leased, result)
        });
    }

    /// Whether rows rest that may be taken later.
    async fn rests(&self, state: &Loop) -> Result<bool, StoreError> {
        let flow = self.flow;
        match state.rests_until {
            Some(_) => self.store.call(move |work| work.has_doubtful(flow)).await,
            None => Ok(false),
        }
    }

    /// This moment; never, where there is none.
    async fn comes(&self, moment: Option<Monotonic>) {
        match moment {
            Some(moment) => self.clock.sleep_until(moment).await,
            None => std::future::pending().await,
        }
    }

    /// One turn: waits for what comes first, and settles what has come.
    async fn turn(&self, state: &mut Loop) -> Result<(), StoreError> {
        let next_due = state.waiting.first().map(|(due, _)| *due);
        let due = self.comes(next_due.into_iter().chain(state.rests_until).min());
        let room = state.active.len() + state.waiting.len() <= self.window * 3 / 4;
        tokio::select! {
            biased;
            Some(first) = state.active.join_next() => {
                let group = self.gather(state, first).await;
                self.settle_group(state, group).await?;
            }
            () = due => self.resume(state).await?,
            () = self.work_ready.notified(), if room => {}
            () = self.stop.requested(), if !self.stop.is_requested() => {}
        }
        Ok(())
    }

    /// What has come back since, and what comes back in a moment: others are
    /// on their way meanwhile, and they share the commit.
    async fn gather(&self, state: &mut Loop, first: Joined) -> Vec<Joined> {
        let mut group = vec![first];
        if !state.active.is_empty() {
            self.clock.sleep(GATHER).await;
        }
        while group.len() < GROUP
            && let Some(more) = state.active.try_join_next()
        {
            group.push(more);
        }
        group
    }

    async fn settle_group(&self, state: &mut Loop, group: Vec<Joined>) -> Result<(), StoreError> {
        let mut attempts = Vec::with_capacity(group.len());
        for joined in group {
            match joined {
                Ok((leased, result)) => attempts.extend(self.judge(state, leased, result)),
                // A panic is a bug and ends the process.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        let (flow, tally, kinship) = (self.flow, self.tally.clone(), self.kinship.clone());
        let (settled, attempts) = self
            .store
            .call(move |work| {
                let settled = settle(work, flow, &kinship, &attempts)?;
                // Counted here: the caller may be gone when this has lasted.
                tally.add(settled.tally);
                Ok((settled, attempts))
            })
            .await?;
        for record in settled.given_up {
            RecordDeadLettered {
                flow,
                table: record.table,
                id: record.record,
                reason: record.reason,
                status: record.status,
                request_id: record.request_id,
                attempts: u64::from(record.attempts),
            }
            .emit();
        }
        let now = self.clock.monotonic();
        for attempt in attempts {
            let id = attempt.leased.id;
            if let End::Retry { wait, uncertain, .. } = attempt.end {
                let jitter = |part| self.clock.jitter(part);
                let due = now.plus(rest(wait, uncertain, self.read_back, jitter));
                state.waiting.insert((due, id));
            } else {
                state.marks.remove(&id);
            }
        }
        state.parked.settle(&self.store, &self.tally).await?;
        self.settled.notify_one();
        Ok(())
    }

    /// How an attempt ended; none if it is not to be repeated in this pass and
    /// nothing is to be noted.
    fn judge(
        &self,
        state: &mut Loop,
        leased: Leased,
        result: Result<Delivered, Trouble>,
    ) -> Option<Attempt> {
        let failure = match result {
            Ok(delivered) => {
                state.seen.successes(1);
                return Some(Attempt { leased, end: End::Done(delivered), failure: None });
            }
            // It has not gone out, and is not to.
            Err(Trouble::Failed(failure))
                if failure.outcome == Outcome::NotSent && self.stop.is_requested() =>
            {
                state.parked.add(leased.id);
                return None;
            }
            Err(Trouble::Failed(failure)) => failure,
            Err(Trouble::Orphaned(lost)) => {
                return Some(Attempt { leased, end: End::Orphaned { lost }, failure: None });
            }
            // A store that is closed says so at its next call.
            Err(Trouble::Unreachable | Trouble::Unkept) => {
                state.parked.add(leased.id);
                return None;
            }
        };
        state.seen.failure(leased.record);
        let before = state.marks.get(&leased.id).copied();
        let (evidence, mark) = (state.seen.evidence(before), state.seen.mark(before));
        state.marks.insert(leased.id, mark);
        let told = Some(failure.clone());
        let verdict = if evidence.outage && is_in_vain(failure.outcome, mark.tries) {
            Verdict::StopFlow
        } else {
            verdict(failure.outcome, leased.attempts, leased.uncertain, evidence)
        };
        let end = match verdict {
            Verdict::Retry { attempts, uncertain, wait } => {
                End::Retry { attempts, uncertain, wait }
            }
            Verdict::GiveUp => End::GiveUp {
                reason: failure.message,
                status: failure.status,
                request_id: failure.request_id,
            },
            Verdict::StopTable => {
                self.stop_table(state, &leased.table, &failure);
                End::Stopped { uncertain: leased.uncertain }
            }
            Verdict::StopFlow => {
                let uncertain = leased.uncertain || failure.outcome.may_be_applied();
                if state.report.stopped.is_none() {
                    if !failure.is_spent() {
                        tell_stop(self.flow, failure.to_string());
                    }
                    state.report.stopped = Some(failure);
                }
                End::Stopped { uncertain }
            }
        };
        Some(Attempt { leased, end, failure: told })
    }

    fn stop_table(&self, state: &mut Loop, table: &TableName, failure: &Failure) {
        if state.stopped_tables.insert(table.clone()) {
            let reason = failure.to_string();
            TableFailed { flow: self.flow, table: table.clone(), reason }.emit();
            state.report.failed.push(table.clone());
        }
    }

    /// Takes up the rows whose wait is over, with the newest decision.
    async fn resume(&self, state: &mut Loop) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        while let Some(&(due, id)) = state.waiting.first() {
            if due > now {
                break;
            }
            state.waiting.pop_first();
            let flow = self.flow;
            let (leased, overtaken) =
                self.store.call(move |work| work.release_again(flow, id)).await?;
            let unchanged = u64::from(overtaken);
            self.tally.add(TallyDelta { unchanged, ..TallyDelta::default() });
            match leased {
                Some(leased)
                    if state.report.stopped.is_some()
                        || state.stopped_tables.contains(&leased.table) =>
                {
                    self.store.call(move |work| work.unlease(leased.id).map(drop)).await?;
                }
                Some(leased) => self.begin(state, leased),
                None => {}
            }
        }
        Ok(())
    }
}
