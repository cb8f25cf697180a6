//! The rounds of a pass: every contact that is open, and those that it opens.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use super::{BEGUN, ConsentDelivery, ROUND, Shared};
use crate::model::RecordId;
use crate::store::StoreError;
use crate::store::consent::FlagState;

/// Which contacts are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// All whose sides seem to differ. Opt-outs that would be lifted are only
    /// noted.
    Due,
    /// Those whose opt-outs may be lifted.
    Clearing,
    /// Those that a person let go.
    Approved,
}

impl Round {
    pub(super) fn state(self) -> FlagState {
        match self {
            Self::Due => FlagState::Due,
            Self::Clearing => FlagState::Clearing,
            Self::Approved => FlagState::Approved,
        }
    }
}

impl ConsentDelivery {
    /// Settles every contact of the round once.
    pub(crate) async fn run(&self, round: Round) -> Result<(), StoreError> {
        let mut after = None;
        let mut settling = Settling { shared: &self.0, round, active: JoinSet::new() };
        loop {
            let state = round.state();
            let contacts =
                self.0.store.call(move |work| work.contacts_with(state, after, ROUND)).await?;
            let Some(last) = contacts.last() else { break };
            after = Some(*last);
            settling.begin(contacts).await?;
            if self.0.ends() {
                break;
            }
        }
        settling.end().await?;
        // Whom another's look has opened may have had its turn before.
        while !self.0.ends() {
            let opened = self.0.take_opened(round).await?;
            if opened.is_empty() {
                break;
            }
            settling.begin(opened).await?;
            settling.end().await?;
        }
        self.0.judge_refused().await
    }
}

/// Contacts that were opened during their turn, or after it: mostly by what the look
/// at another showed, which was merged into them.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened(Arc<Mutex<Turns>>);

#[derive(Debug, Default)]
struct Turns {
    again: BTreeSet<RecordId>,
    /// Those that are tried no more in this pass: they count once.
    over: BTreeSet<RecordId>,
}

impl Opened {
    /// The contact is to have another turn.
    pub(super) fn add(&self, contact: RecordId) {
        self.turns().again.insert(contact);
    }

    /// The contact is tried no more in this pass, whatever opens it.
    pub(super) fn is_over(&self, contact: RecordId) {
        self.turns().over.insert(contact);
    }

    fn take(&self) -> BTreeSet<RecordId> {
        let mut turns = self.turns();
        let again = std::mem::take(&mut turns.again);
        again.into_iter().filter(|contact| !turns.over.contains(contact)).collect()
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Contacts that are being settled.
struct Settling<'d> {
    shared: &'d Arc<Shared>,
    round: Round,
    active: JoinSet<Result<(), StoreError>>,
}

impl Settling<'_> {
    /// Begins with these, as others end.
    async fn begin(&mut self, contacts: Vec<RecordId>) -> Result<(), StoreError> {
        for contact in contacts {
            if self.shared.ends() {
                break;
            }
            if self.active.len() >= BEGUN {
                joined(self.active.join_next().await)?;
            }
            let (shared, round) = (Arc::clone(self.shared), self.round);
            self.active.spawn(async move { shared.contact(contact, round).await });
        }
        Ok(())
    }

    /// Waits for all.
    async fn end(&mut self) -> Result<(), StoreError> {
        while let Some(result) = self.active.join_next().await {
            joined(Some(result))?;
        }
        Ok(())
    }
}

impl Shared {
    /// Those that were opened so and still are.
    async fn take_opened(&self, round: Round) -> Result<Vec<RecordId>, StoreError> {
        let (opened, state) = (self.opened.take(), round.state());
        self.store
            .call(move |work| {
                let mut open = Vec::new();
                for contact in opened {
                    if work.flags_of(contact)?.iter().any(|row| row.state == state) {
                        open.push(contact);
                    }
                }
                Ok(open)
            })
            .await
    }
}

/// A panic is a bug and ends the process.
fn joined(
    result: Option<Result<Result<(), StoreError>, tokio::task::JoinError>>,
) -> Result<(), StoreError> {
    match result {
        Some(Ok(ended)) => ended,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Some(Err(_)) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_tried_no_more_has_no_other_turn_whatever_opens_it() {
        let (opened, contact) = (Opened::default(), |n| RecordId::from(uuid::Uuid::from_u128(n)));
        opened.add(contact(1));
        opened.add(contact(2));
        opened.is_over(contact(2));
        opened.add(contact(2));
        assert_eq!(opened.take().into_iter().collect::<Vec<_>>(), [contact(1)]);
        assert!(opened.take().is_empty());
        opened.add(contact(1));
        assert_eq!(opened.take().len(), 1);
    }
}
