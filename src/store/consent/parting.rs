//! Profiles come and go: what was said on one that is deleted and nobody has
//! carried yet is kept, and what a new one begins with is known from then on.

use super::taken_over::PROFILE;
use super::{FlagRow, FlagState};
use crate::model::consent::{Agreement, CampaignSide, Direction};
use crate::model::{FieldName, RecordId};
use crate::store::{StoreError, Work};

/// What `told_by` is of a flag with which a profile was made.
const CREATION: &str = "creation";

impl Work<'_> {
    /// The contact's profile says this, and goes. A no that the ledger has not
    /// settled counts from now on for the contact, or for who stands for it after
    /// a merge: the opt-out flow brings it to Dynamics.
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
        if known.as_ref().is_some_and(is_settled) {
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
    /// The contact's profile was made, or found, opted out as Dynamics says: both
    /// sides agree, where nothing was known of the flag so far.
    pub(crate) fn profile_has(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
    ) -> Result<(), StoreError> {
        if self.flag(contact, flag)?.is_some() {
            return Ok(());
        }
        let campaign = CampaignSide { opted_out: true, stamp: None };
        let agreement = Agreement { campaign, dynamics: true, own_campaign: Some(campaign) };
        let row = FlagRow::unknown(contact, flag, CREATION);
        self.set_flag(&FlagRow { dynamics: true, campaign, agreement: Some(agreement), ..row })
    }
}

/// Whether a no of the profile was seen and is settled: both sides say so, or
/// Dynamics has changed its mind since, in a direction in which that stays.
fn is_settled(row: &FlagRow) -> bool {
    let agreed = row.agreement.is_some_and(|agreement| agreement.campaign.opted_out);
    row.state == FlagState::Settled && row.campaign.opted_out && (row.dynamics || agreed)
}

impl FlagRow {
    /// Whether a profile that is made for the contact begins with this flag set,
    /// whatever Dynamics says: where a no is taken over, and where Dynamics has no
    /// say and the profile before had it.
    pub(crate) fn marks_new_profile(&self, direction: Direction) -> bool {
        let without_dynamics = direction == Direction::CampaignToDynamics;
        self.merged || (without_dynamics && self.campaign.opted_out)
    }
}
