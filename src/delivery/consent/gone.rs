//! A contact without a profile: nobody can be mailed, but a no that only its
//! profile had, or that another's, still counts.

use jiff::SignedDuration;

use super::Shared;
use super::contact::Known;
use crate::http::Failure;
use crate::model::consent::{BoundPair, Direction, DynamicsSide, Skew};
use crate::model::{RecordId, TallyDelta};
use crate::store::consent::{FlagRow, FlagState, NewConsentDecision, Outcome};
use crate::store::{StoreError, Work};

/// How long the profile of a contact that takes over a no is waited for.
const PROFILE_WAIT: SignedDuration = SignedDuration::from_hours(24);

impl Shared {
    /// The contact has no profile. One that may still be made brings the flags
    /// along.
    pub(super) async fn without_profile(
        &self,
        contact: RecordId,
        known: Known,
    ) -> Result<Result<(), Failure>, StoreError> {
        if known.expected {
            return Ok(Ok(()));
        }
        let known = self.keep_untold(contact, known).await?;
        if !known.loser && known.flags.iter().any(|it| it.merged) {
            self.merged_without_profile(contact, &known).await
        } else {
            let rows = known.flags;
            let settle = move |work: &mut Work<'_>| work.settle_without_profile(rows.iter());
            self.close(contact, false, settle).await.map(Ok)
        }
    }

    /// What was seen of the profile, and Dynamics was not told, before somebody
    /// deleted it: a no among that counts as if it had been read then.
    async fn keep_untold(&self, contact: RecordId, known: Known) -> Result<Known, StoreError> {
        let counts = self.target.direction != Direction::DynamicsToCampaign;
        let untold: Vec<_> = known
            .flags
            .iter()
            .filter(|row| counts && !row.merged && row.is_owed_to_dynamics())
            .map(|row| (row.flag.clone(), row.campaign))
            .collect();
        if untold.is_empty() {
            return Ok(known);
        }
        let (tally, opened) = (self.tally.clone(), self.opened.clone());
        self.store
            .call(move |work| {
                for (flag, side) in &untold {
                    let read =
                        work.opens(contact, |work| work.profile_goes(contact, flag, *side))?;
                    tally.add(TallyDelta { read, ..TallyDelta::default() });
                }
                work.survivor_of(contact)?.into_iter().for_each(|it| opened.add(it));
                Ok(())
            })
            .await?;
        self.known(contact).await
    }

    /// Another's no counts for a contact that is not in Campaign: Dynamics is to
    /// say so, and a profile that is made brings it along. Where nothing is
    /// written to Dynamics the profile is waited for, for a day.
    async fn merged_without_profile(
        &self,
        contact: RecordId,
        known: &Known,
    ) -> Result<Result<(), Failure>, StoreError> {
        let merged = |pair: &&BoundPair| {
            known.flags.iter().any(|row| row.merged && row.flag == pair.pair.flag)
        };
        let written: Vec<_> = self.target.pairs.iter().filter(merged).collect();
        let columns: Vec<_> = written
            .iter()
            .map(|pair| (pair.pair.column.clone(), pair.pair.column_value(true)))
            .collect();
        let one_way = self.target.direction == Direction::DynamicsToCampaign;
        let since = known.flags.iter().filter(|row| row.merged).map(|row| row.updated).max();
        let waits =
            since.is_some_and(|since| self.clock.now().duration_since(since) < PROFILE_WAIT);
        if one_way && waits {
            return Ok(Ok(()));
        }
        let mut request_ids = Vec::new();
        if !one_way {
            match self.target.writer.set(&self.target.query, contact, None, &columns).await {
                Ok(told) => request_ids.extend(told.request_id),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        let outcome = if one_way { Outcome::Kept } else { Outcome::Done };
        let told = known.flags.iter().filter_map(|row| taken_over(row, &request_ids, outcome));
        let decisions: Vec<_> = told.collect();
        let rows = known.flags.clone();
        let settle = move |work: &mut Work<'_>| {
            decisions.iter().try_for_each(|new| work.add_decision(new).map(drop))?;
            for row in rows.iter().filter(|row| row.merged) {
                let dynamics = row.dynamics || !one_way;
                let state = FlagState::Settled;
                let after = FlagRow { dynamics, merged: false, state, ..row.clone() };
                work.set_flag_after(row, &after.with_both())?;
            }
            work.settle_without_profile(rows.iter().filter(|row| !row.merged))
        };
        self.close(contact, !one_way, settle).await.map(Ok)
    }
}

/// The decision about a flag whose no is another's, where there is no profile;
/// none for other flags.
fn taken_over(
    row: &FlagRow,
    request_ids: &[String],
    outcome: Outcome,
) -> Option<NewConsentDecision> {
    Some(NewConsentDecision {
        contact: row.contact,
        flag: row.flag.clone(),
        dynamics: DynamicsSide { opted_out: row.dynamics, modified: None, version: None },
        campaign: row.campaign,
        result: true,
        reason: row.taken_over()?,
        lead: None,
        skew: Skew::Unknown,
        documented: None,
        told_by: row.told_by.clone(),
        request_ids: request_ids.to_vec(),
        outcome,
    })
}
