//! The opt-out rule: pure, the only place that decides whether a person is
//! opted out.
//!
//! A wrong "opted out" costs a subscription and heals when the person
//! subscribes again; a wrong "opted in" mails a person who said no. So all
//! doubt ends at "opted out". The one case in which a clock is read is an
//! opt-out that only Dynamics holds: it is lifted only where Campaign's flag
//! changed later, provably.
//!
//! Source: Adobe, "Notices and recommendations" of the Dynamics 365
//! integration (record-level time in Dynamics, attribute-level time in
//! Campaign; Dynamics newer or equal: opted out wins).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::skew::Skew;
use crate::model::RowVersion;

/// In which direction flags travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Direction {
    /// Dynamics' value is Campaign's.
    DynamicsToCampaign,
    /// A change in Campaign overwrites Dynamics' value.
    CampaignToDynamics,
    /// The documented comparison.
    Bidirectional,
}

/// How strictly a lead is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Both clocks corrected, the lead beyond this margin, our own writes no
    /// changes.
    Safe {
        /// Least lead.
        margin: Duration,
    },
    /// The vendor's page literally: stamps as they are.
    Documented,
}

/// What Dynamics holds of one contact's flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DynamicsSide {
    /// The flag, polarity applied: true is "do not contact".
    pub(crate) opted_out: bool,
    /// The record's `modifiedon`, in Dynamics' clock.
    pub(crate) modified: Option<Timestamp>,
    /// The record's version.
    pub(crate) version: Option<RowVersion>,
}

/// What Campaign holds of one profile's flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CampaignSide {
    /// The flag.
    pub(crate) opted_out: bool,
    /// The flag's own stamp, in Campaign's clock; none where it never changed
    /// or has no stamp.
    pub(crate) stamp: Option<Timestamp>,
}

/// What the ledger knows of the contact's flag since the two sides last agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// Campaign's side as it was then.
    pub(crate) campaign: CampaignSide,
    /// Dynamics' value as it was then.
    pub(crate) dynamics: bool,
    /// Campaign's side as our last write left it.
    pub(crate) own_campaign: Option<CampaignSide>,
}

/// What we last wrote to the contact in Dynamics. Of the whole record, because
/// its time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnWrite {
    /// The version it produced.
    pub(crate) version: RowVersion,
    /// The time that counted before it.
    pub(crate) user_time: Option<Timestamp>,
}

/// Why it was decided so. Stable words: they stand in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// Both sides say the same.
    Agreed,
    /// The direction leaves no choice.
    Direction,
    /// Nothing changed in the system whose changes count.
    NothingNew,
    /// Campaign's flag says no: that always stands.
    CampaignOptedOut,
    /// Dynamics is newer or as new.
    DynamicsNewer,
    /// Campaign gives no time for its flag: it counts as older.
    NoCampaignStamp,
    /// Dynamics gives no time: it counts as newest.
    NoDynamicsTime,
    /// Dynamics gives no version: it could not tell whether somebody said no
    /// while an opt-out is lifted.
    NoRowVersion,
    /// Campaign's stamp is that of the agreement, or of our own write.
    StampNotNew,
    /// Nobody knows how far the clocks are apart.
    ClocksUnknown,
    /// The lead is within what the clocks leave open.
    LeadTooSmall,
    /// Campaign's flag was cleared later, provably.
    CampaignNewer,
    /// A contact that was merged into this one had said no.
    Merged,
    /// A deleted contact with the same address had said no.
    Recreated,
    /// The profile was deleted after somebody had said no on it.
    ProfileDeleted,
}

impl Reason {
    /// All, for the store.
    pub(crate) const ALL: [Self; 15] = [
        Self::Agreed,
        Self::Direction,
        Self::NothingNew,
        Self::CampaignOptedOut,
        Self::DynamicsNewer,
        Self::NoCampaignStamp,
        Self::NoDynamicsTime,
        Self::NoRowVersion,
        Self::StampNotNew,
        Self::ClocksUnknown,
        Self::LeadTooSmall,
        Self::CampaignNewer,
        Self::Merged,
        Self::Recreated,
        Self::ProfileDeleted,
    ];

    /// The word in the ledger and in exports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Agreed => "agreed",
            Self::Direction => "direction",
            Self::NothingNew => "nothing-new",
            Self::CampaignOptedOut => "campaign-opted-out",
            Self::DynamicsNewer => "dynamics-newer",
            Self::NoCampaignStamp => "no-campaign-stamp",
            Self::NoDynamicsTime => "no-dynamics-time",
            Self::NoRowVersion => "no-row-version",
            Self::StampNotNew => "stamp-not-new",
            Self::ClocksUnknown => "clocks-unknown",
            Self::LeadTooSmall => "lead-too-small",
            Self::CampaignNewer => "campaign-newer",
            Self::Merged => "merged",
            Self::Recreated => "recreated",
            Self::ProfileDeleted => "profile-deleted",
        }
    }

    /// The reason of this word.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// All that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Dynamics' side.
    pub(crate) dynamics: DynamicsSide,
    /// Campaign's side.
    pub(crate) campaign: CampaignSide,
    /// The ledger's; none at first sight.
    pub(crate) agreement: Option<Agreement>,
    /// Our last write to the contact.
    pub(crate) own_write: Option<OwnWrite>,
    /// How far the clocks are apart.
    pub(crate) skew: Skew,
}

/// What is to be so on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// What Dynamics is to hold.
    pub(crate) dynamics: bool,
    /// What Campaign is to hold.
    pub(crate) campaign: bool,
    /// Why.
    pub(crate) reason: Reason,
    /// Campaign's lead after correction, where both times are known.
    pub(crate) lead: Option<SignedDuration>,
    /// What the vendor's page taken literally would have given, where that
    /// differs.
    pub(crate) documented: Option<bool>,
    /// The time of Dynamics that counted.
    pub(crate) user_time: Option<Timestamp>,
}

impl Case {
    /// Decides. An opt-out in Dynamics is lifted only in the version that was
    /// read; an opt-out may be set in any.
    pub(crate) fn decide(&self, direction: Direction, mode: Mode) -> Decision {
        let decision = self.weighed(direction, mode);
        let lifts = self.dynamics.opted_out && !decision.dynamics;
        if !lifts || self.dynamics.version.is_some() {
            return decision;
        }
        let both_ways = direction == Direction::Bidirectional;
        let literal = both_ways && self.documented().0 == Reason::CampaignNewer;
        Decision {
            campaign: both_ways || self.campaign.opted_out,
            documented: literal.then_some(false),
            ..self.both(true, Reason::NoRowVersion, decision.lead)
        }
    }

    /// The same for a contact that was merged into another: Dynamics takes no
    /// change of it, and no opt-out of it is lifted.
    pub(crate) fn of_loser(&self, decision: Decision) -> Decision {
        Decision {
            dynamics: self.dynamics.opted_out,
            campaign: decision.campaign || self.campaign.opted_out,
            ..decision
        }
    }

    fn weighed(&self, direction: Direction, mode: Mode) -> Decision {
        let (dynamics, campaign) = (self.dynamics.opted_out, self.campaign.opted_out);
        if dynamics == campaign {
            return self.both(dynamics, Reason::Agreed, None);
        }
        match direction {
            // An opt-out of another's, which only Campaign took over.
            Direction::DynamicsToCampaign if campaign && self.may_differ() => {
                Decision { campaign, ..self.both(dynamics, Reason::NothingNew, None) }
            }
            Direction::DynamicsToCampaign => self.both(dynamics, Reason::Direction, None),
            Direction::CampaignToDynamics if self.campaign_changed(mode) => {
                self.both(campaign, Reason::Direction, None)
            }
            // A value that somebody set in Dynamics since stays.
            Direction::CampaignToDynamics => {
                Decision { campaign, ..self.both(dynamics, Reason::NothingNew, None) }
            }
            Direction::Bidirectional => self.compare(mode),
        }
    }

    /// Opted out wherever flags travel to, whatever is held there: another
    /// contact had said no, for this `reason` it counts here, and Dynamics does
    /// not carry it over (a merge keeps the survivor's values).
    pub(crate) fn take_over(&self, direction: Direction, reason: Reason) -> Decision {
        let decision = self.both(true, reason, None);
        match direction {
            Direction::DynamicsToCampaign => {
                Decision { dynamics: self.dynamics.opted_out, ..decision }
            }
            Direction::CampaignToDynamics => {
                Decision { campaign: self.campaign.opted_out, ..decision }
            }
            Direction::Bidirectional => decision,
        }
    }

    /// The two sides differ.
    fn compare(&self, mode: Mode) -> Decision {
        if self.campaign.opted_out {
            return self.both(true, Reason::CampaignOptedOut, None);
        }
        let literal = self.documented();
        let (reason, lead) = match mode {
            Mode::Documented => (literal.0, literal.1),
            Mode::Safe { margin } => self.safe(margin),
        };
        let decision = self.both(reason != Reason::CampaignNewer, reason, lead);
        let would_clear = literal.0 == Reason::CampaignNewer;
        let deviates = would_clear == decision.dynamics;
        Decision { documented: deviates.then_some(!would_clear), ..decision }
    }

    /// The vendor's page: stamps as they are.
    fn documented(&self) -> (Reason, Option<SignedDuration>) {
        let Some(stamp) = self.campaign.stamp else { return (Reason::NoCampaignStamp, None) };
        let Some(modified) = self.dynamics.modified else { return (Reason::NoDynamicsTime, None) };
        let lead = whole(stamp).duration_since(whole(modified));
        let newer = lead > SignedDuration::ZERO;
        (if newer { Reason::CampaignNewer } else { Reason::DynamicsNewer }, Some(lead))
    }

    /// Opted out, unless Campaign's lead is proven.
    fn safe(&self, margin: Duration) -> (Reason, Option<SignedDuration>) {
        let Some(stamp) = self.campaign.stamp else { return (Reason::NoCampaignStamp, None) };
        let Some(counts) = self.user_time() else { return (Reason::NoDynamicsTime, None) };
        if !self.stamp_is_new() {
            return (Reason::StampNotNew, None);
        }
        let Skew::Measured { offset, spread } = self.skew else {
            return (Reason::ClocksUnknown, None);
        };
        // A stamp that no calendar holds after correction proves nothing.
        let Ok(corrected) = stamp.checked_sub(offset) else { return (Reason::ClocksUnknown, None) };
        let lead = whole(corrected).duration_since(whole(counts));
        let needed = SignedDuration::try_from(margin.saturating_add(spread));
        if lead <= SignedDuration::ZERO {
            (Reason::DynamicsNewer, Some(lead))
        } else if needed.is_ok_and(|needed| lead > needed) {
            (Reason::CampaignNewer, Some(lead))
        } else {
            (Reason::LeadTooSmall, Some(lead))
        }
    }

    /// The time of the last change in Dynamics that was not ours.
    pub(crate) fn user_time(&self) -> Option<Timestamp> {
        match self.own_write {
            Some(own) if self.dynamics.version == Some(own.version) => own.user_time,
            Some(_) | None => self.dynamics.modified,
        }
    }

    /// Whether Campaign's flag was touched since the agreement, by others.
    fn stamp_is_new(&self) -> bool {
        let Some(agreement) = self.agreement else { return true };
        self.campaign.stamp != agreement.campaign.stamp
            && agreement.own_campaign != Some(self.campaign)
    }

    /// Whether the sides differ as they did when it was decided that they may.
    fn may_differ(&self) -> bool {
        self.agreement.is_some_and(|agreed| {
            agreed.dynamics == self.dynamics.opted_out
                && agreed.campaign.opted_out == self.campaign.opted_out
        })
    }

    /// As [`Case::stamp_is_new`]; a flag without a stamp has changed if its
    /// value has. At first sight an opt-out is a change, and a cleared flag is
    /// one where it was provably cleared after the contact was changed.
    fn campaign_changed(&self, mode: Mode) -> bool {
        match self.agreement {
            None => {
                let newer = || match mode {
                    Mode::Documented => self.documented().0,
                    Mode::Safe { margin } => self.safe(margin).0,
                };
                self.campaign.opted_out || newer() == Reason::CampaignNewer
            }
            Some(agreement) => {
                // A file may tell a stamp without its fraction.
                let is = |side: CampaignSide| {
                    side.opted_out == self.campaign.opted_out
                        && side.stamp.map(whole) == self.campaign.stamp.map(whole)
                };
                !is(agreement.campaign) && !agreement.own_campaign.is_some_and(is)
            }
        }
    }

    fn both(&self, value: bool, reason: Reason, lead: Option<SignedDuration>) -> Decision {
        let user_time = self.user_time();
        Decision { dynamics: value, campaign: value, reason, lead, documented: None, user_time }
    }
}

impl Decision {
    /// Whether an opt-out is lifted on either side.
    pub(crate) fn clears(&self, case: &Case) -> bool {
        (case.dynamics.opted_out && !self.dynamics) || (case.campaign.opted_out && !self.campaign)
    }
}

/// Dynamics keeps whole seconds: both are compared so.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_nanosecond().div_euclid(1_000_000_000).try_into().unwrap_or(0))
        .unwrap_or(time)
}
