//! The delivery of e-mail events: takes those that may go, sends them many at a
//! time, and settles what comes back. An event is in one request at a time.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::clock::{Clock, Monotonic};
use crate::model::{EventKind, Flow, Stop, TableName, Tally};
use crate::store::{EventStage, LeasedEvent, Store, StoreError, Work};
use crate::telemetry::ContactsWaiting;

use super::activity_fate::{Case, no_contact};
use super::activity_judge::tell;
use super::activity_send::{ActivityTargets, Item, Load, Sent, send};
use super::activity_settle::{Judged, settle};
use super::evidence::Seen;
use super::policy::Evidence;
use super::target::DrainReport;

/// How long events wait for others to share their request, while more may come.
const GATHER: Duration = Duration::from_millis(500);

/// Most loads in memory, whatever the number of requests in flight.
const MOST_LOADS: usize = 32;

/// How activities are delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActivitySettings {
    /// How long an event waits for a contact that Dynamics does not have.
    pub(crate) contact_wait: Duration,
    /// Whether each activity is completed by a second write.
    pub(crate) complete: bool,
    /// Most requests at one time.
    pub(crate) max_in_flight: usize,
}

/// Delivers e-mail events.
pub(crate) struct ActivityDelivery {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) tally: Tally,
    pub(super) targets: ActivityTargets,
    pub(super) settings: ActivitySettings,
    work_ready: Arc<Notify>,
    pub(super) settled: Arc<Notify>,
    stop: Stop,
}

/// What the loop remembers between its turns.
#[derive(Default)]
pub(super) struct Loop {
    active: JoinSet<Sent>,
    /// Loads that wait for their next attempt.
    waiting: BTreeMap<(Monotonic, u64), Load>,
    numbered: u64,
    /// Events that wait for others to share their request, and until when.
    open: Vec<Item>,
    open_until: Option<Monotonic>,
    turn: usize,
    pub(super) seen: Seen,
    pub(super) stopped: HashSet<EventKind>,
    pub(super) report: DrainReport,
}

impl ActivityDelivery {
    /// A delivery to these targets.
    pub(crate) fn new(
        store: &Store,
        clock: &Clock,
        tally: &Tally,
        targets: ActivityTargets,
        settings: ActivitySettings,
    ) -> Self {
        Self {
            store: store.clone(),
            clock: clock.clone(),
            tally: tally.clone(),
            targets,
            settings,
            work_ready: Arc::new(Notify::new()),
            settled: Arc::new(Notify::new()),
            stop: Stop::default(),
        }
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
    /// no more will come. Events that wait for a contact get one more try, if
    /// they have waited long enough for one.
    pub(crate) async fn drain(
        &self,
        finished: impl Fn() -> bool,
    ) -> Result<DrainReport, StoreError> {
        let (now, most_us) = (self.clock.now(), self.contact_wait_us());
        self.store
            .call(move |work| {
                // An earlier pass of this process may have been dropped.
                work.recover_events()?;
                work.wake_events(now, most_us)
            })
            .await?;
        let mut state = Loop::default();
        loop {
            // Asked before the store is: what is added later shows as work.
            let last = finished();
            let took = self.fill(&mut state, last).await?;
            let ends = state.report.stopped.is_some() || self.stop.is_requested();
            if ends {
                self.give_back(&mut state).await?;
            }
            if state.is_idle() {
                if ends || (last && took == 0) {
                    self.tell_who_waits().await?;
                    return Ok(state.report);
                }
                if took == 0 {
                    tokio::select! {
                        biased;
                        () = self.work_ready.notified() => {}
                        () = self.stop.requested() => {}
                    }
                }
                continue;
            }
            self.turn(&mut state).await?;
        }
    }

    async fn tell_who_waits(&self) -> Result<(), StoreError> {
        let tables = self.tables();
        let waiting = self
            .store
            .call(move |work| {
                tables
                    .into_iter()
                    .map(|(kind, table)| Ok((table, work.event_backlog_of(kind)?.waiting)))
                    .collect::<Result<Vec<_>, StoreError>>()
            })
            .await?;
        for (table, waiting) in waiting.into_iter().filter(|(_, waiting)| *waiting > 0) {
            ContactsWaiting { flow: FLOW, table, waiting }.emit();
        }
        Ok(())
    }

    /// The tables of the kinds that are switched on, in the order of kinds.
    fn tables(&self) -> Vec<(EventKind, TableName)> {
        let name = |kind| Some((kind, self.targets.tables.get(&kind)?.name().clone()));
        EventKind::ALL.into_iter().filter_map(name).collect()
    }

    /// Takes more events, if there is room, and sends full loads; one that is
    /// not full when nothing more will come, or when it has waited enough.
    async fn fill(&self, state: &mut Loop, last: bool) -> Result<usize, StoreError> {
        let most = self.targets.writer.most_parts();
        let mut took = 0;
        loop {
            let room = self.has_room(state);
            let ends = state.report.stopped.is_some() || self.stop.is_requested();
            if !room || ends {
                return Ok(took);
            }
            let want = most.saturating_sub(state.open.len());
            let leased = if want > 0 { self.lease(state, want).await? } else { 0 };
            took += leased;
            let now = self.clock.monotonic();
            let due = last || state.open_until.is_some_and(|until| until <= now);
            if state.open.len() >= most || (due && leased < want && !state.open.is_empty()) {
                let rest = state.open.split_off(state.open.len().min(most));
                let items = std::mem::replace(&mut state.open, rest);
                state.open_until = None;
                self.begin(state, Load { items, tries: 0 });
            } else if leased == 0 || leased < want {
                if !state.open.is_empty() {
                    state.open_until.get_or_insert(now.plus(GATHER));
                }
                return Ok(took);
            }
        }
    }

    fn has_room(&self, state: &Loop) -> bool {
        state.loads() < self.settings.max_in_flight.clamp(1, MOST_LOADS)
    }

    /// Takes up to `want` events of all kinds, each kind's turn in its turn.
    async fn lease(&self, state: &mut Loop, want: usize) -> Result<usize, StoreError> {
        let mut kinds = self.tables();
        kinds.retain(|(kind, _)| !state.stopped.contains(kind));
        if kinds.is_empty() {
            return Ok(0);
        }
        let first = state.turn % kinds.len();
        kinds.rotate_left(first);
        state.turn += 1;
        let (now, most_us) = (self.clock.now(), self.contact_wait_us());
        let tally = self.tally.clone();
        let leased = self
            .store
            .call(move |work| {
                let leased = lease(work, &kinds, want, (now, most_us))?;
                let delta = settle(work, &leased.settled, now)?;
                tally.add(delta);
                Ok(leased)
            })
            .await?;
        tell(&leased.settled);
        let took = leased.items.len() + leased.settled.len();
        state.open.extend(leased.items);
        Ok(took)
    }

    fn begin(&self, state: &mut Loop, load: Load) {
        let targets = self.targets.clone();
        state.active.spawn(async move { send(&targets, load).await });
    }

    /// One turn: waits for what comes first, and settles what has come.
    async fn turn(&self, state: &mut Loop) -> Result<(), StoreError> {
        let next = state.waiting.keys().next().map(|(due, _)| *due);
        // Without room it would be due for ever.
        let open = state.open_until.filter(|_| self.has_room(state));
        let due = [next, open].into_iter().flatten().min();
        let wait = async {
            match due {
                Some(due) => self.clock.sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(joined) = state.active.join_next() => match joined {
                Ok(sent) => self.settle(state, sent).await?,
                // A panic is a bug and ends the process.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            },
            () = wait => self.resume(state).await?,
            () = self.work_ready.notified() => {}
            () = self.stop.requested(), if !self.stop.is_requested() => {}
        }
        Ok(())
    }

    /// Sends the loads whose wait is over.
    async fn resume(&self, state: &mut Loop) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        while let Some(first) = state.waiting.first_entry() {
            if first.key().0 > now {
                break;
            }
            let mut load = first.remove();
            let stopped = &state.stopped;
            let (go, stay): (Vec<Item>, Vec<Item>) =
                load.items.into_iter().partition(|it| !stopped.contains(&it.leased.event.kind));
            self.unlease(stay).await?;
            load.items = go;
            if !load.items.is_empty() {
                self.begin(state, load);
            }
        }
        Ok(())
    }

    /// Nothing more is sent: what waits in memory may go in the next pass.
    async fn give_back(&self, state: &mut Loop) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut state.waiting).into_values();
        let mut items: Vec<Item> = waiting.flat_map(|load| load.items).collect();
        items.append(&mut state.open);
        state.open_until = None;
        self.unlease(items).await
    }

    async fn unlease(&self, items: Vec<Item>) -> Result<(), StoreError> {
        if items.is_empty() {
            return Ok(());
        }
        self.store
            .call(move |work| items.iter().try_for_each(|item| work.unlease_event(item.leased.id)))
            .await
    }

    /// A load that goes again after a wait, part of it left to chance.
    pub(super) fn later(&self, state: &mut Loop, load: Load, wait: Duration) {
        if load.items.is_empty() {
            return;
        }
        let due = self.clock.monotonic().plus(wait / 2 + self.clock.jitter(wait / 2));
        state.numbered += 1;
        state.waiting.insert((due, state.numbered), load);
    }

    /// Activities that were made and are to be completed: they go with others.
    pub(super) fn next_stage(&self, state: &mut Loop, items: Vec<Item>) {
        if !items.is_empty() {
            state.open.extend(items);
            let until = self.clock.monotonic().plus(GATHER);
            state.open_until.get_or_insert(until);
        }
    }

    pub(super) fn contact_wait_us(&self) -> i64 {
        i64::try_from(self.settings.contact_wait.as_micros()).unwrap_or(i64::MAX)
    }
}

impl Loop {
    fn is_idle(&self) -> bool {
        self.active.is_empty() && self.waiting.is_empty() && self.open.is_empty()
    }

    fn loads(&self) -> usize {
        self.active.len() + self.waiting.len()
    }
}

/// Events taken up: those that can be sent, and those whose fate is known.
struct Leased {
    items: Vec<Item>,
    settled: Vec<Judged>,
}

fn lease(
    work: &mut Work<'_>,
    kinds: &[(EventKind, TableName)],
    want: usize,
    (now, most_us): (Timestamp, i64),
) -> Result<Leased, StoreError> {
    let contacts =
        TableName::new("contact").map_err(|error| StoreError::Statement(error.to_string()))?;
    let mut leased = Leased { items: Vec::new(), settled: Vec::new() };
    for (kind, table) in kinds {
        let room = want - leased.items.len() - leased.settled.len();
        if room == 0 {
            break;
        }
        for event in work.lease_events(*kind, room, now)? {
            // One that is only to be completed regards its contact already.
            let made = (event.stage == EventStage::Made).then_some(event.activity);
            let contact = match made {
                Some(_) => made,
                None => work.contact_of_key(&contacts, &event.event.contact)?,
            };
            match contact {
                Some(contact) => leased.items.push(Item { leased: event, contact, mark: None }),
                None => leased.settled.push(unknown(event, table, (now, most_us))),
            }
        }
    }
    Ok(leased)
}

/// An event whose contact cannot even be named.
fn unknown(leased: LeasedEvent, table: &TableName, (now, most_us): (Timestamp, i64)) -> Judged {
    let case = Case {
        stage: leased.stage,
        table,
        attempts: leased.attempts,
        completes: false,
        waited: waited(&leased, now, most_us),
        neighbours_fine: false,
        evidence: Evidence { outage: false, others_succeed: false },
    };
    Judged { fate: no_contact(&case, None), leased, table: table.clone() }
}

/// Whether an event has been here for as long as it may wait for its contact.
pub(super) fn waited(leased: &LeasedEvent, now: Timestamp, most_us: i64) -> bool {
    now.as_microsecond() - leased.created.as_microsecond() >= most_us
}

/// The flow that all of this belongs to.
pub(super) const FLOW: Flow = Flow::Egress;
