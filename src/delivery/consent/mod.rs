//! Settling opt-out flags: each contact whose sides seem to differ is read on
//! both, decided by the rule, and written where it must be.

mod clocks;
mod contact;
mod gone;
mod report;
mod rounds;
mod write;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

pub(crate) use contact::Foreseen;
pub(crate) use rounds::Round;

use rounds::Opened;

use super::policy::{Evidence, MAX_ATTEMPTS, Verdict, first_rest, is_in_vain, rest, verdict};
use crate::campaign;
use crate::clock::{Clock, Monotonic};
use crate::dynamics::{Query, RecordWriter};
use crate::http::{Failure, Outcome};
use crate::mapping::Compiled;
use crate::model::consent::{BoundPair, Direction, Mode, Skew};
use crate::model::{Flow, RecordId, Stop, TableName, Tally, TallyDelta};
use crate::store::consent::FlagState;
use crate::store::{NewDeadLetter, Store, StoreError};
use crate::telemetry::{RecordDeadLettered, tell_stop};

/// Contacts that are taken from the ledger at one time.
const ROUND: usize = 256;

/// Contacts that are begun and not settled, at most: those whose turn it is, and
/// those that wait to be tried again.
const BEGUN: usize = 256;

/// Different contacts that must fail in a row to make it a system's trouble.
const OUTAGE_CONTACTS: usize = 5;

/// Where flags are written, and by which rule.
#[derive(Clone, Debug)]
pub(crate) struct ConsentTarget {
    /// Reads and writes contacts.
    pub(crate) writer: RecordWriter,
    /// Finds and writes profiles; a look-up brings flags and stamps along.
    pub(crate) campaign: campaign::Writer,
    /// The contacts' columns.
    pub(crate) query: Arc<Query>,
    /// The key of a contact in Campaign.
    pub(crate) mapping: Arc<Compiled>,
    /// The flags.
    pub(crate) pairs: Arc<[BoundPair]>,
    /// Which way they travel.
    pub(crate) direction: Direction,
    /// How strictly a lead is proven.
    pub(crate) mode: Mode,
    /// How long a contact rests whose write may be applied yet.
    pub(crate) read_back: Duration,
    /// The same of a lifting that was sent before the pass began.
    pub(crate) first_rest: Duration,
}

impl ConsentTarget {
    /// What an earlier pass had sent rests for a part of the pass's patience at most.
    pub(crate) fn resting_within(self, patience: Duration) -> Self {
        Self { first_rest: first_rest(self.read_back, patience), ..self }
    }

    fn table(&self) -> &TableName {
        &self.query.table.name
    }
}

/// Settles the flags of one pass.
#[derive(Clone, Debug)]
pub(crate) struct ConsentDelivery(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    clock: Clock,
    tally: Tally,
    target: ConsentTarget,
    began: Monotonic,
    /// Whose turn it is. A contact that waits to be tried again has none.
    turns: Semaphore,
    stop: Stop,
    failing: Mutex<HashSet<RecordId>>,
    successes: AtomicU64,
    stopped: Mutex<Option<Failure>>,
    /// What the first contact met that was let go and is still open.
    kept: Mutex<Option<Failure>>,
    /// Contacts that were opened by what the look at another showed.
    opened: Opened,
    /// Flags that stay opted out because the clocks are not known.
    unsure: AtomicU64,
    /// Contacts that we may not write, as it seems.
    refused: Mutex<Vec<(RecordId, Failure)>>,
}

impl ConsentDelivery {
    /// Flags that stayed opted out, other than the vendor's page has it, because it is
    /// not known how far the clocks are apart.
    pub(crate) fn unsure(&self) -> u64 {
        self.0.unsure.load(Ordering::Relaxed)
    }

    /// Settles flags through `target`, at most `limit` contacts at one time.
    pub(crate) fn new(
        store: &Store,
        clock: &Clock,
        tally: &Tally,
        target: ConsentTarget,
        limit: usize,
        stop: Stop,
    ) -> Self {
        Self(Arc::new(Shared {
            store: store.clone(),
            clock: clock.clone(),
            tally: tally.clone(),
            target,
            began: clock.monotonic(),
            turns: Semaphore::new(limit.clamp(1, BEGUN)),
            stop,
            failing: Mutex::default(),
            successes: AtomicU64::new(0),
            stopped: Mutex::default(),
            kept: Mutex::default(),
            opened: Opened::default(),
            unsure: AtomicU64::new(0),
            refused: Mutex::default(),
        }))
    }

    /// What ended the flow, if something did.
    pub(crate) fn stopped(&self) -> Option<Failure> {
        self.0.stopped()
    }

    /// What kept contacts open that were let go for this pass, if any were.
    pub(crate) fn kept(&self) -> Option<Failure> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what this pass has seen of both clocks so far.
    pub(crate) async fn see_clocks(&self) -> Result<(), StoreError> {
        self.0.see_clocks().await
    }

    /// How far the clocks are apart now, as far as is known.
    pub(crate) async fn skew(&self) -> Result<Skew, StoreError> {
        self.0.skew_now().await
    }

    /// What a pass would do about every flag whose sides seem to differ; of a
    /// contact that cannot be looked at, the failure. For a dry run.
    pub(crate) async fn foresee(
        &self,
        mut visit: impl FnMut(RecordId, Result<Foreseen, Failure>),
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let contacts = self
                .0
                .store
                .call(move |work| work.contacts_with(FlagState::Due, after, ROUND))
                .await?;
            let Some(last) = contacts.last() else { return Ok(()) };
            after = Some(*last);
            for contact in contacts {
                match self.0.foresee(contact).await? {
                    Ok(seen) => seen.into_iter().for_each(|one| visit(contact, Ok(one))),
                    Err(failure) => visit(contact, Err(failure)),
                }
            }
        }
    }
}

/// Whether a contact is tried no more in this pass, though its failures do not
/// count: the system answers, and would answer the same for ever. Where it
/// cannot be reached, patience decides.
fn let_go(outcome: Outcome, tries: u32) -> bool {
    is_in_vain(outcome, tries) || (outcome == Outcome::ServerError && tries >= MAX_ATTEMPTS)
}

impl Shared {
    fn stopped(&self) -> Option<Failure> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ends(&self) -> bool {
        self.stop.is_requested() || self.stopped().is_some()
    }

    /// One contact, until it is settled, given up, or let go for this pass.
    async fn contact(&self, contact: RecordId, round: Round) -> Result<(), StoreError> {
        let (mut attempts, mut tries) = (0, 0);
        self.rest_in_doubt(contact).await?;
        loop {
            // Closed never.
            let turn = self.turns.acquire().await;
            if self.ends() {
                return Ok(());
            }
            let before = self.successes.load(Ordering::Relaxed);
            let failure = match self.settle(contact, round).await? {
                Ok(()) => {
                    self.succeeded();
                    return Ok(());
                }
                Err(failure) => failure,
            };
            drop(turn);
            tries += 1;
            if failure.outcome == Outcome::NotSent && self.stop.is_requested() {
                return Ok(());
            }
            let outage = self.failed(contact);
            let others_succeed = self.successes.load(Ordering::Relaxed) > before;
            let evidence = Evidence { outage, others_succeed };
            // Whether it is this contact that we may not write, or all of them,
            // the others tell: it holds nobody else's opt-out up.
            if failure.status == Some(403) && !outage {
                self.opened.is_over(contact);
                self.refused
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((contact, failure));
                return Ok(());
            }
            match verdict(failure.outcome, attempts, false, evidence) {
                Verdict::Retry { .. } if let_go(failure.outcome, tries) => {
                    self.opened.is_over(contact);
                    self.keep(failure);
                    return Ok(());
                }
                Verdict::Retry { attempts: counted, wait, .. } => {
                    attempts = counted;
                    // Somebody wrote the contact meanwhile: look at once.
                    if failure.outcome != Outcome::VersionConflict {
                        let in_doubt = failure.outcome.may_be_applied();
                        let jitter = |part| self.clock.jitter(part);
                        let rest = rest(wait, in_doubt, self.target.read_back, jitter);
                        tokio::select! {
                            biased;
                            () = self.stop.requested() => {}
                            () = self.clock.sleep(rest) => {}
                        }
                    }
                    if self.stop.is_requested() {
                        return Ok(());
                    }
                }
                Verdict::GiveUp => return self.give_up(contact, failure, attempts + 1).await,
                Verdict::StopTable | Verdict::StopFlow => {
                    self.end(failure);
                    return Ok(());
                }
            }
        }
    }

    /// Where others were written, what was refused is those contacts' trouble.
    async fn judge_refused(&self) -> Result<(), StoreError> {
        let refused =
            std::mem::take(&mut *self.refused.lock().unwrap_or_else(PoisonError::into_inner));
        let others_succeed = self.successes.load(Ordering::Relaxed) > 0;
        for (contact, failure) in refused {
            if others_succeed {
                self.give_up(contact, failure, 1).await?;
            } else {
                self.end(failure);
            }
        }
        Ok(())
    }

    fn succeeded(&self) {
        self.successes.fetch_add(1, Ordering::Relaxed);
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Notes a failure; true if it is the system's trouble.
    fn failed(&self, contact: RecordId) -> bool {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.insert(contact);
        failing.len() >= OUTAGE_CONTACTS
    }

    /// Lets a contact go for this pass: it stays open.
    fn keep(&self, failure: Failure) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }

    fn end(&self, failure: Failure) {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if stopped.is_none() {
            if !failure.is_spent() {
                tell_stop(Flow::Optout, failure.to_string());
            }
            *stopped = Some(failure);
        }
    }

    async fn give_up(
        &self,
        contact: RecordId,
        failure: Failure,
        attempts: u32,
    ) -> Result<(), StoreError> {
        let table = self.target.table().clone();
        let new = NewDeadLetter {
            flow: Flow::Optout,
            table: table.clone(),
            record: contact,
            write: None,
            version: None,
            seen: 0,
            reason: failure.message.clone(),
            status: failure.status,
            request_id: failure.request_id.clone(),
            attempts,
            uncertain: false,
        };
        self.store
            .call(move |work| {
                work.settle_contact_as_it_is(contact)?;
                work.add_dead_letter(&new)
            })
            .await?;
        self.tally.add(TallyDelta { dead_lettered: 1, ..TallyDelta::default() });
        RecordDeadLettered {
            flow: Flow::Optout,
            table,
            id: contact,
            reason: failure.message,
            status: failure.status,
            request_id: failure.request_id,
            attempts: u64::from(attempts),
        }
        .emit();
        Ok(())
    }
}
