//! One contact: both sides as they are now, and what the rule says of each of
//! its flags.

use std::collections::HashMap;

use super::{Round, Shared};
use crate::campaign::{Found, Listed};
use crate::dynamics::Told;
use crate::http::{Failure, Outcome as Remote, System};
use crate::model::consent::{
    BoundPair, CampaignSide, Case, Decision, Direction, DynamicsSide, OwnWrite, Reason, Skew,
};
use crate::model::{ColumnName, FieldName, Flow, RecordId};
use crate::store::consent::FlagRow;
use crate::store::{StoreError, Work};

/// How often both sides are read while their clocks are not known.
const LOOKS: u32 = 4;

/// What the ledger knows of a contact.
pub(super) struct Known {
    pub(super) flags: Vec<FlagRow>,
    own_write: Option<OwnWrite>,
    /// Whether the profile may still be made.
    pub(super) expected: bool,
    /// Whether a lifting was stored whose end is not known.
    intended: bool,
    /// Whether it was merged into another.
    pub(super) loser: bool,
}

/// Both sides of a contact as they are now.
pub(super) struct Now {
    pub(super) contact: RecordId,
    pub(super) dynamics: Told,
    pub(super) key: String,
    pub(super) profile: Box<Listed>,
}

/// One flag with its decision.
pub(super) struct Ruled<'p> {
    pub(super) pair: &'p BoundPair,
    pub(super) row: FlagRow,
    pub(super) case: Case,
    pub(super) decision: Decision,
}

/// What a pass would do about a flag.
#[derive(Clone, Debug)]
pub(crate) struct Foreseen {
    /// Whose.
    pub(crate) contact: RecordId,
    /// The column that would be written, and its value.
    pub(crate) dynamics: Option<(ColumnName, bool)>,
    /// The field that would be written, and its value.
    pub(crate) campaign: Option<(FieldName, bool)>,
    /// Whether an opt-out would be lifted.
    pub(crate) clears: bool,
    /// Why.
    pub(crate) reason: Reason,
}

impl Ruled<'_> {
    fn foreseen(&self, contact: RecordId) -> Foreseen {
        let Decision { dynamics, campaign, reason, .. } = self.decision;
        let pair = self.pair;
        let column = || (pair.pair.column.clone(), pair.pair.column_value(dynamics));
        Foreseen {
            contact,
            dynamics: (dynamics != self.case.dynamics.opted_out).then(column),
            campaign: (campaign != self.case.campaign.opted_out)
                .then(|| (pair.wire.clone(), campaign)),
            clears: self.clears(),
            reason,
        }
    }

    /// Whether it would lift an opt-out.
    pub(super) fn clears(&self) -> bool {
        self.decision.clears(&self.case)
    }
}

impl Shared {
    /// A lifting that an earlier pass had sent, or a process that died, may be
    /// carried out yet: when it went out is not known.
    pub(super) async fn rest_in_doubt(&self, contact: RecordId) -> Result<(), StoreError> {
        let look = self.began.plus(self.target.first_rest);
        if self.clock.monotonic() >= look
            || !self.store.call(move |work| work.has_intended(contact)).await?
        {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = self.stop.requested() => {}
            () = self.clock.sleep_until(look) => {}
        }
        Ok(())
    }

    /// Settles all flags of a contact that are open in this round. The inner
    /// result is the systems', the outer one the store's.
    pub(super) async fn settle(
        &self,
        contact: RecordId,
        round: Round,
    ) -> Result<Result<(), Failure>, StoreError> {
        let known = self.known(contact).await?;
        if !known.flags.iter().any(|row| row.state == round.state()) {
            return self.close(contact, false, |_| Ok(())).await.map(Ok);
        }
        match self.look(contact, &known, round).await? {
            Ok(Ok((now, ruled))) => {
                if known.intended {
                    self.end_intended(contact, &ruled).await?;
                }
                self.carry_out(now, ruled, round).await
            }
            Ok(Err(Absent::Profile)) => self.without_profile(contact, known).await,
            Ok(Err(Absent::Contact)) => {
                let settle = move |work: &mut Work<'_>| work.settle_contact_as_it_is(contact);
                self.close(contact, false, settle).await.map(Ok)
            }
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// What would be decided about a contact whose sides seem to differ, and
    /// written: nothing is.
    pub(super) async fn foresee(
        &self,
        contact: RecordId,
    ) -> Result<Result<Vec<Foreseen>, Failure>, StoreError> {
        let known = self.known(contact).await?;
        Ok(self.look(contact, &known, Round::Due).await?.map(|seen| {
            let ruled = seen.map(|(_, ruled)| ruled).unwrap_or_default();
            ruled.iter().map(|it| it.foreseen(contact)).collect()
        }))
    }

    /// Both sides as they are now, and what the rule says of them.
    async fn look<'p>(
        &'p self,
        contact: RecordId,
        known: &Known,
        round: Round,
    ) -> Result<Result<Result<(Now, Vec<Ruled<'p>>), Absent>, Failure>, StoreError> {
        let mut looks = 0;
        loop {
            looks += 1;
            let now = match self.now(contact).await {
                Ok(Ok(now)) => now,
                Ok(Err(absent)) => return Ok(Ok(Err(absent))),
                Err(failure) => return Ok(Err(failure)),
            };
            let ruled = self.rule_all(known, &now, round).await?;
            // Each look tells both clocks once more; after a few of them they
            // are known, or will not be.
            let unknown = ruled.iter().any(|it| it.decision.reason == Reason::ClocksUnknown);
            if !unknown || looks >= LOOKS {
                return Ok(Ok(Ok((now, ruled))));
            }
        }
    }

    /// What the rule says of the flags that are open in this round.
    async fn rule_all<'p>(
        &'p self,
        known: &Known,
        now: &Now,
        round: Round,
    ) -> Result<Vec<Ruled<'p>>, StoreError> {
        let Some(row) = &now.dynamics.row else { return Ok(Vec::new()) };
        self.compare_stamps(now).await?;
        let skew = self.skew().await?;
        let open = known.flags.iter().filter(|row| row.state == round.state());
        let mut rows: HashMap<_, _> = open.map(|row| (row.flag.clone(), row.clone())).collect();
        let mut ruled = Vec::new();
        for pair in self.target.pairs.iter() {
            let Some(flag) = rows.remove(&pair.pair.flag) else { continue };
            let campaign = pair.campaign_side(&now.profile.fields);
            let dynamics = pair.dynamics_side(row).unwrap_or_else(|| {
                // A column that says nothing takes what Campaign says, and
                // never lifts an opt-out there.
                let one_way = self.target.direction == Direction::DynamicsToCampaign;
                BoundPair::silent(row, one_way && campaign.opted_out)
            });
            ruled.push(self.rule(pair, flag, (dynamics, campaign), known, skew));
        }
        Ok(ruled)
    }

    /// What became of liftings that were sent and not answered shows now.
    async fn end_intended(&self, contact: RecordId, ruled: &[Ruled<'_>]) -> Result<(), StoreError> {
        let now: Vec<_> = ruled
            .iter()
            .map(|it| {
                let (dynamics, campaign) = (it.case.dynamics.opted_out, it.case.campaign.opted_out);
                (it.pair.pair.flag.clone(), (dynamics == campaign).then_some(dynamics))
            })
            .collect();
        self.store
            .call(move |work| {
                now.iter().try_for_each(|(flag, hold)| work.end_intended(contact, flag, *hold))
            })
            .await
    }

    fn rule<'p>(
        &self,
        pair: &'p BoundPair,
        row: FlagRow,
        (dynamics, campaign): (DynamicsSide, CampaignSide),
        known: &Known,
        skew: Skew,
    ) -> Ruled<'p> {
        let case =
            Case { dynamics, campaign, agreement: row.agreement, own_write: known.own_write, skew };
        let decision = match row.taken_over() {
            Some(reason) => case.take_over(self.target.direction, reason),
            None => case.decide(self.target.direction, self.target.mode),
        };
        let decision = if known.loser { case.of_loser(decision) } else { decision };
        Ruled { pair, row, case, decision }
    }

    pub(super) async fn known(&self, contact: RecordId) -> Result<Known, StoreError> {
        let table = self.target.table().clone();
        self.store
            .call(move |work| {
                Ok(Known {
                    flags: work.flags_of(contact)?,
                    own_write: work.own_write(contact)?,
                    intended: work.has_intended(contact)?,
                    loser: work.survivor_of(contact)?.is_some(),
                    expected: work.pending(Flow::Ingress, &table, contact)?.is_some(),
                })
            })
            .await
    }

    /// Reads both sides.
    async fn now(&self, contact: RecordId) -> Result<Result<Now, Absent>, Failure> {
        let dynamics = self.target.writer.fresh_row(&self.target.query, contact).await?;
        let Some(row) = &dynamics.row else { return Ok(Err(Absent::Contact)) };
        let key = self.target.mapping.key(row).map_err(|failure| {
            let text = format!("the key column {}: {}", failure.column, failure.reason);
            Failure::ours(System::Dynamics, Remote::BadRecord, text)
        })?;
        match self.target.campaign.find(&key).await? {
            Found::Nothing => Ok(Err(Absent::Profile)),
            Found::One(profile) => Ok(Ok(Now { contact, dynamics, key, profile })),
            Found::Several(count) => {
                let text = format!(
                    "{count} profiles have this contact's key; remove all but one in Campaign"
                );
                Err(Failure::ours(System::Campaign, Remote::DuplicateKey, text))
            }
        }
    }

    /// Lifts nothing yet: the opt-outs that would be are noted, so that their
    /// number is known before any is.
    pub(super) async fn note_clearing(&self, rows: Vec<FlagRow>) -> Result<(), StoreError> {
        let opened = self.opened.clone();
        self.store
            .call(move |work| {
                for row in rows {
                    if !work.note_clearing(&row)? {
                        opened.add(row.contact);
                    }
                }
                Ok(())
            })
            .await
    }
}

/// Which side is not there.
enum Absent {
    Contact,
    Profile,
}
