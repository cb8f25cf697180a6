//! Carrying decisions out: the evidence first where an opt-out is lifted, then
//! Dynamics, then Campaign, then the ledger.

use jiff::Timestamp;

use super::contact::{Now, Ruled};
use super::{Round, Shared};
use crate::campaign::{Address, Found};
use crate::dynamics::Told;
use crate::http::{Failure, Outcome as Remote, System};
use crate::model::consent::{Agreement, CampaignSide, OwnWrite, Sample, Witness, modified};
use crate::model::{RecordId, TallyDelta};
use crate::store::consent::{
    ClockOf, FlagRow, FlagState, NewConsentDecision, Outcome, StoredSample,
};
use crate::store::{StoreError, Work};

/// What the writes left behind.
#[derive(Default)]
struct Left {
    dynamics: Option<Told>,
    campaign: Option<Box<crate::campaign::Listed>>,
    samples: Vec<StoredSample>,
    request_ids: Vec<String>,
}

impl Shared {
    pub(super) async fn carry_out(
        &self,
        now: Now,
        ruled: Vec<Ruled<'_>>,
        round: Round,
    ) -> Result<Result<(), Failure>, StoreError> {
        let (clearing, mut free): (Vec<_>, Vec<_>) = ruled.into_iter().partition(Ruled::clears);
        if round == Round::Due {
            self.note_clearing(clearing.into_iter().map(|ruled| ruled.row).collect()).await?;
        } else {
            free.extend(clearing);
        }
        if free.is_empty() {
            return Ok(Ok(()));
        }
        let Some(intended) = self.intend(&now, &free).await? else {
            let text = "something was said of the contact meanwhile";
            let system = System::Campaign;
            return Ok(Err(Failure::new(system, Remote::VersionConflict, text)));
        };
        match self.write(&now, &free).await {
            Ok(left) => self.settled(now, free, intended, left).await.map(Ok),
            Err(failure) => {
                // Whether it was applied all the same shows at the next look.
                if !failure.outcome.may_be_applied() {
                    self.drop_intended(intended).await?;
                }
                Ok(Err(failure))
            }
        }
    }

    /// Stores why an opt-out is lifted, before it is. None where something was said
    /// of one meanwhile.
    async fn intend(
        &self,
        now: &Now,
        ruled: &[Ruled<'_>],
    ) -> Result<Option<Vec<Option<i64>>>, StoreError> {
        if !ruled.iter().any(Ruled::clears) {
            return Ok(Some(vec![None; ruled.len()]));
        }
        let decisions: Vec<_> = ruled
            .iter()
            .map(|ruled| {
                let new = decision(now, ruled, Outcome::Intended);
                (ruled.row.clone(), ruled.clears().then_some(new))
            })
            .collect();
        self.store.call(move |work| work.intend(&decisions)).await
    }

    async fn drop_intended(&self, intended: Vec<Option<i64>>) -> Result<(), StoreError> {
        if intended.iter().all(Option::is_none) {
            return Ok(());
        }
        self.store
            .call(move |work| {
                for id in intended.into_iter().flatten() {
                    work.end_decision(id, Outcome::Dropped, &[])?;
                }
                Ok(())
            })
            .await
    }

    async fn write(&self, now: &Now, ruled: &[Ruled<'_>]) -> Result<Left, Failure> {
        let mut left = Left::default();
        let columns: Vec<_> = ruled
            .iter()
            .filter(|it| it.decision.dynamics != it.case.dynamics.opted_out)
            .map(|it| {
                (it.pair.pair.column.clone(), it.pair.pair.column_value(it.decision.dynamics))
            })
            .collect();
        let fields: Vec<&Ruled<'_>> =
            ruled.iter().filter(|it| it.decision.campaign != it.case.campaign.opted_out).collect();
        // What was read a moment ago may have changed since: before an opt-out
        // is lifted Campaign is asked once more, and Dynamics by the version.
        if ruled.iter().any(Ruled::clears) {
            self.still(now, ruled).await?;
        }
        if !columns.is_empty() {
            let version = now.dynamics.row.as_ref().and_then(|row| row.version);
            let sent = self.clock.now();
            let target = &self.target;
            let told = target.writer.set(&target.query, now.contact, version, &columns).await?;
            let received = self.clock.now();
            left.request_ids.extend(told.request_id.clone());
            // A time that did not move is not that of our write.
            let before = now.dynamics.row.as_ref().and_then(modified);
            if let Some(stamp) = told.row.as_ref().and_then(modified)
                && Some(stamp) != before
                && told.ours
            {
                let sample = Sample { stamp, sent, received, witness: Witness::Seconds };
                left.samples.push(StoredSample { of: ClockOf::Dynamics, own: true, sample });
            }
            left.dynamics = Some(told);
        }
        if !fields.is_empty() {
            self.write_profile(now, &fields, &mut left).await?;
        }
        Ok(left)
    }

    /// Whether Campaign still holds what was decided on.
    async fn still(&self, now: &Now, ruled: &[Ruled<'_>]) -> Result<(), Failure> {
        let changed = |text: &str| Failure::new(System::Campaign, Remote::VersionConflict, text);
        let Found::One(profile) = self.target.campaign.find(&now.key).await? else {
            return Err(changed("the profile is not there any more"));
        };
        let same =
            ruled.iter().all(|it| it.pair.campaign_side(&profile.fields) == it.case.campaign);
        if same { Ok(()) } else { Err(changed("the profile has changed meanwhile")) }
    }

    async fn write_profile(
        &self,
        now: &Now,
        fields: &[&Ruled<'_>],
        left: &mut Left,
    ) -> Result<(), Failure> {
        let body: serde_json::Map<String, serde_json::Value> = fields
            .iter()
            .map(|it| (it.pair.wire.to_string(), it.decision.campaign.into()))
            .collect();
        let address = match &now.profile.href {
            Some(path) if !self.target.campaign.by_uri() => Address::Path(path.clone()),
            Some(_) | None => Address::Key(now.key.clone()),
        };
        let sent = self.clock.now();
        let body = serde_json::Value::Object(body).to_string().into_bytes();
        let request_id = self.target.campaign.update(&address, body).await?;
        let received = self.clock.now();
        left.request_ids.extend(request_id);
        // What our write left there, to know it again when it comes back.
        if let Found::One(profile) = self.target.campaign.find(&now.key).await? {
            let stamp = fields.iter().find_map(|it| {
                let side = it.pair.campaign_side(&profile.fields);
                let moved = side.stamp != it.case.campaign.stamp;
                side.stamp.filter(|_| moved && side.opted_out == it.decision.campaign)
            });
            if let Some(stamp) = stamp {
                let sample = Sample { stamp, sent, received, witness: Witness::Millis };
                left.samples.push(StoredSample { of: ClockOf::Campaign, own: true, sample });
            }
            left.campaign = Some(profile);
        }
        Ok(())
    }

    /// The ledger after the writes.
    async fn settled(
        &self,
        now: Now,
        ruled: Vec<Ruled<'_>>,
        intended: Vec<Option<i64>>,
        left: Left,
    ) -> Result<(), StoreError> {
        let wrote = left.dynamics.is_some() || left.campaign.is_some();
        let own = left.dynamics.as_ref().filter(|told| told.ours).and_then(|told| {
            let version = told.row.as_ref()?.version?;
            let user_time = ruled.first()?.decision.user_time;
            Some(OwnWrite { version, user_time })
        });
        let mut ends = Vec::with_capacity(ruled.len());
        for (ruled, intended) in ruled.iter().zip(intended) {
            let row = row_after(ruled, &left);
            let is_news = ruled.case.campaign.opted_out && !ruled.row.campaign.opted_out;
            let same = row.state == FlagState::Settled;
            let wrote_it = ruled.decision.dynamics != ruled.case.dynamics.opted_out
                || ruled.decision.campaign != ruled.case.campaign.opted_out;
            let outcome = if wrote_it { Outcome::Done } else { Outcome::Kept };
            let new = decision(&now, ruled, outcome);
            // That both said the same all along is no decision; that a merge
            // has counted is.
            let told = (wrote_it || ruled.row.merged || !same_sides(ruled)).then_some(new);
            ends.push(((ruled.row.clone(), row), is_news, (intended, told)));
            if same {
                self.report(now.contact, ruled, wrote_it, &left.request_ids);
            }
        }
        let Left { samples, request_ids, .. } = left;
        let (contact, table) = (now.contact, self.target.table().clone());
        let (tally, opened) = (self.tally.clone(), self.opened.clone());
        let settle = move |work: &mut Work<'_>| {
            for ((before, row), is_news, intended) in ends {
                work.set_flag_after(&before, &row)?;
                if is_news && let Some(survivor) = work.survivor_of(contact)? {
                    let read = work.opens(survivor, |work| {
                        work.count_merged(contact, survivor, &row.flag, true).map(drop)
                    })?;
                    tally.add(TallyDelta { read, ..TallyDelta::default() });
                    opened.add(survivor);
                }
                match intended {
                    (Some(id), _) => work.end_decision(id, Outcome::Done, &request_ids)?,
                    (None, Some(mut new)) => {
                        new.request_ids.extend(request_ids.iter().cloned());
                        work.add_decision(&new)?;
                    }
                    (None, None) => {}
                }
            }
            if let Some(own) = own {
                work.set_own_write(contact, &own)?;
            }
            work.contact_could_be_settled(&table, contact)?;
            samples.iter().try_for_each(|sample| work.add_clock_sample(sample))
        };
        self.close(contact, wrote, settle).await
    }

    /// Settles in the ledger, and counts the contact if nothing is open about it any
    /// more: in one transaction, for what another contact said may open it again at
    /// any moment.
    pub(super) async fn close(
        &self,
        contact: RecordId,
        wrote: bool,
        settle: impl FnOnce(&mut Work<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let tally = self.tally.clone();
        self.store
            .call(move |work| {
                settle(work)?;
                if !work.contact_open(contact)? {
                    let written = u64::from(wrote);
                    let unchanged = 1 - written;
                    tally.add(TallyDelta { written, unchanged, ..TallyDelta::default() });
                }
                Ok(())
            })
            .await
    }
}

/// What is known of the flag now.
fn row_after(ruled: &Ruled<'_>, left: &Left) -> FlagRow {
    let dynamics = left
        .dynamics
        .as_ref()
        .and_then(|told| ruled.pair.opted_out(told.row.as_ref()?))
        .unwrap_or(ruled.decision.dynamics);
    let told = left.campaign.as_ref().map(|it| ruled.pair.campaign_side(&it.fields));
    let campaign =
        told.unwrap_or(CampaignSide { opted_out: ruled.decision.campaign, ..ruled.case.campaign });
    let as_decided =
        dynamics == ruled.decision.dynamics && campaign.opted_out == ruled.decision.campaign;
    let wrote_campaign = ruled.decision.campaign != ruled.case.campaign.opted_out;
    let before = ruled.row.agreement.and_then(|agreement| agreement.own_campaign);
    let own_campaign = if wrote_campaign { Some(campaign) } else { before };
    FlagRow {
        dynamics,
        campaign,
        agreement: Some(Agreement { campaign, dynamics, own_campaign }),
        merged: ruled.row.merged && !as_decided,
        // Somebody was faster than the read-back: look again.
        state: if as_decided { FlagState::Settled } else { FlagState::Due },
        attempts: 0,
        updated: Timestamp::UNIX_EPOCH,
        ..ruled.row.clone()
    }
}

fn same_sides(ruled: &Ruled<'_>) -> bool {
    ruled.case.dynamics.opted_out == ruled.case.campaign.opted_out
}

fn decision(now: &Now, ruled: &Ruled<'_>, outcome: Outcome) -> NewConsentDecision {
    NewConsentDecision {
        contact: now.contact,
        flag: ruled.pair.pair.flag.clone(),
        dynamics: ruled.case.dynamics,
        campaign: ruled.case.campaign,
        result: ruled.decision.dynamics || ruled.decision.campaign,
        reason: ruled.decision.reason,
        lead: ruled.decision.lead,
        skew: ruled.case.skew,
        documented: ruled.decision.documented,
        told_by: ruled.row.told_by.clone(),
        request_ids: now.dynamics.request_id.clone().into_iter().collect(),
        outcome,
    }
}
