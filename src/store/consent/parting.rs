//! Profiles come and go: what was said on one that is deleted and nobody has
//! carried yet is kept, and what a new one begins with is known from then on.

use super::taken_over::PROFILE;
use super::{FlagRow, FlagState};
use crate::model::consent::{Agreement, CampaignSide, Direction};
use crate::model::{FieldName, Flow, RecordId, TableName};
use crate::store::{StoreError, Work};

/// What `told_by` is of a flag with which a profile was made.
const CREATION: &str = "creation";

impl Work<'_> {
    /// The contact's profile says this, and goes. A no that the ledger has not
    /// settled, or that was said again since, as far as is known, counts from now on
    /// for the contact, or for who stands for it after a merge: the opt-out flow
    /// brings it to Dynamics.
    pub(crate) fn profile_goes(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
        side: CampaignSide,
    ) -> Result<(), StoreError> {
        if !side.opted_out {
            return Ok(());
        }
        let known = self.flag(contact, flag)?;
        // Of what our own creation wrote no time is known.
        let unseen = |row: &FlagRow| row.campaign.stamp.is_none() && side.stamp.is_some();
        let told = |row: &FlagRow| !is_newer(side, row.campaign) && !unseen(row);
        if known.as_ref().is_some_and(|row| is_settled(row) && told(row)) {
            return Ok(());
        }
        let anew = known.as_ref().is_none_or(|row| !row.campaign.opted_out);
        let row = known.unwrap_or_else(|| FlagRow::unknown(contact, flag, PROFILE));
        self.set_flag(&FlagRow { campaign: side, ..row })?;
        match self.survivor_of(contact)? {
            Some(survivor) => self.count_merged(contact, survivor, flag, anew).map(drop),
            None => self.take_over(contact, flag, PROFILE.to_owned()),
        }
    }
}

impl Work<'_> {
    /// The contact's profile was made, or found, opted out as Dynamics said: what
    /// both agree on. What the ledger knows of a profile before that one may be older
    /// or newer than this, and is looked at.
    pub(crate) fn profile_has(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
    ) -> Result<(), StoreError> {
        let campaign = CampaignSide { opted_out: true, stamp: None };
        let agreement = Some(Agreement { campaign, dynamics: true, own_campaign: Some(campaign) });
        let Some(known) = self.flag(contact, flag)? else {
            let row = FlagRow::unknown(contact, flag, CREATION);
            return self.set_flag(&FlagRow { dynamics: true, campaign, agreement, ..row });
        };
        if known.merged || known.campaign.opted_out {
            return Ok(());
        }
        let is_older = known.campaign.stamp.is_none();
        let row = if is_older { FlagRow { campaign, agreement, ..known } } else { known };
        let agrees = is_older && row.dynamics;
        let stays = agrees || row.state != FlagState::Settled;
        let state = if stays { row.state } else { FlagState::Due };
        self.set_flag(&FlagRow { state, ..row })
    }
}

impl Work<'_> {
    /// Dynamics has cleared these flags of a contact whose profile is still to be
    /// made, from what was read before maybe: it is remembered for then.
    pub(crate) fn clears_before_creation(
        &mut self,
        table: &TableName,
        contact: RecordId,
        flags: &[&FieldName],
        told_by: &str,
    ) -> Result<(), StoreError> {
        if flags.is_empty() {
            return Ok(());
        }
        let waits: bool = self
            .sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM outbox
                   WHERE flow = ?1 AND table_name = ?2 AND record = ?3)
                 OR EXISTS (SELECT 1 FROM dead_letter
                   WHERE flow = ?1 AND table_name = ?2 AND record = ?3)",
            )?
            .query_row(
                (Flow::Ingress.as_str(), table.as_str(), contact.as_bytes().as_slice()),
                |row| row.get(0),
            )?;
        if !waits || self.mirror(table, contact)?.is_some() {
            return Ok(());
        }
        for flag in flags {
            if self.flag(contact, flag)?.is_none() {
                self.set_flag(&FlagRow::unknown(contact, flag, told_by))?;
            }
        }
        Ok(())
    }

    /// The contact's profile was found with a flag that was Dynamics' word once, and
    /// is no more: both are looked at.
    pub(crate) fn profile_still_has(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
    ) -> Result<(), StoreError> {
        let known = self.flag(contact, flag)?;
        let row = known.unwrap_or_else(|| FlagRow::unknown(contact, flag, CREATION));
        let stamp = row.campaign.stamp.filter(|_| row.campaign.opted_out);
        let campaign = CampaignSide { opted_out: true, stamp };
        self.set_flag(&FlagRow { campaign, state: FlagState::Due, attempts: 0, ..row })
    }
}

/// Whether a no of the profile was seen and is settled: both sides say so, or
/// Dynamics has changed its mind since, in a direction in which that stays. One that
/// was said again since both agreed, and was given up, is not.
fn is_settled(row: &FlagRow) -> bool {
    let agreed = row.agreement.is_some_and(|agreement| {
        agreement.campaign.opted_out && !is_newer(row.campaign, agreement.campaign)
    });
    row.state == FlagState::Settled && row.campaign.opted_out && (row.dynamics || agreed)
}

/// Whether Campaign's flag was set later than the ledger knows of. Of a write of
/// ours it may know no time.
fn is_newer(side: CampaignSide, known: CampaignSide) -> bool {
    known.stamp.is_some() && side.stamp > known.stamp
}

impl FlagRow {
    /// Whether a profile that is made for the contact begins with this flag set,
    /// whatever Dynamics says: where a no is taken over, and where Dynamics has no
    /// say, or did not have it, and the profile before had it.
    pub(crate) fn marks_new_profile(&self, direction: Direction) -> bool {
        let had = match direction {
            Direction::CampaignToDynamics => self.campaign.opted_out,
            Direction::DynamicsToCampaign => self.is_on_profile_alone(),
            Direction::Bidirectional => false,
        };
        self.merged || had
    }

    /// Whether the profile alone took over a no, and Dynamics says nothing new since.
    fn is_on_profile_alone(&self) -> bool {
        let apart = |dynamics: bool, campaign: CampaignSide| !dynamics && campaign.opted_out;
        apart(self.dynamics, self.campaign)
            && self.agreement.is_some_and(|agreed| apart(agreed.dynamics, agreed.campaign))
    }

    /// Whether it begins so because Dynamics has said no, as far as the ledger knows;
    /// where it has said yes since, the opt-out flow is yet to read that.
    pub(crate) fn dynamics_marks_new_profile(&self, direction: Direction) -> bool {
        direction != Direction::CampaignToDynamics && self.dynamics
    }
}
