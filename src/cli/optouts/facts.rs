//! What the ledger knows of a flag: its row and its last decision.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::model::consent::{Reason, Skew};
use crate::model::{FieldName, RecordId};
use crate::store::consent::{ConsentDecision, FlagRow, FlagState};
use crate::store::{StoreError, Work};

use super::words;

/// One flag of a contact.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) row: FlagRow,
    pub(super) last: Option<ConsentDecision>,
}

/// A page of the ledger.
pub(super) struct Page {
    pub(super) facts: Vec<Fact>,
    /// Where the next one begins; none behind the last row.
    pub(super) next: Option<(RecordId, FieldName)>,
}

/// The page after a row; of the flags in a state, if one is given, then whole
/// contacts at a time.
pub(super) fn page(
    work: &Work<'_>,
    state: Option<FlagState>,
    after: Option<&(RecordId, FieldName)>,
    limit: usize,
) -> Result<Page, StoreError> {
    let rows = match state {
        None => work.flags_after(after.map(|(contact, flag)| (*contact, flag)), limit)?,
        Some(state) => {
            let mut rows = Vec::new();
            for contact in work.contacts_with(state, after.map(|(contact, _)| *contact), limit)? {
                rows.extend(work.flags_of(contact)?.into_iter().filter(|row| row.state == state));
            }
            rows
        }
    };
    let next = rows.last().map(|row| (row.contact, row.flag.clone()));
    Ok(Page { facts: with_decisions(work, rows)?, next })
}

/// The flags of a contact.
pub(super) fn of_contact(work: &Work<'_>, contact: RecordId) -> Result<Vec<Fact>, StoreError> {
    let rows = work.flags_of(contact)?;
    with_decisions(work, rows)
}

fn with_decisions(work: &Work<'_>, rows: Vec<FlagRow>) -> Result<Vec<Fact>, StoreError> {
    let fact = |row: FlagRow| {
        let last = work.decisions_of(row.contact, Some(&row.flag), 1)?.pop();
        Ok(Fact { row, last })
    };
    rows.into_iter().map(fact).collect()
}

/// Who said what both sides hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Dynamics,
    Campaign,
    Both,
    Merge,
    Former,
}

impl Said {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Dynamics => "dynamics",
            Self::Campaign => "campaign",
            Self::Both => "both",
            Self::Merge => "merge",
            Self::Former => "former",
        }
    }
}

impl Fact {
    /// The value that both sides agreed on.
    pub(super) fn agreed(&self) -> Option<bool> {
        let agreement = self.row.agreement?;
        let same = agreement.dynamics == agreement.campaign.opted_out;
        same.then_some(agreement.dynamics)
    }

    /// Who said it: the side whose value the last decision took. Both, where
    /// they came to the same of themselves.
    pub(super) fn agreed_by(&self) -> Option<Said> {
        let agreed = self.agreed()?;
        let Some(last) = self.last.as_ref().filter(|last| last.what.result == agreed) else {
            return Some(Said::Both);
        };
        if last.what.reason == Reason::Merged {
            return Some(Said::Merge);
        }
        if last.what.reason == Reason::Recreated && agreed {
            return Some(Said::Former);
        }
        let (dynamics, campaign) = (last.what.dynamics.opted_out, last.what.campaign.opted_out);
        Some(match (dynamics == agreed, campaign == agreed) {
            (true, false) => Said::Dynamics,
            (false, true) => Said::Campaign,
            (true, true) | (false, false) => Said::Both,
        })
    }

    /// All of it; true is "opted out".
    pub(super) fn as_json(&self) -> Value {
        let row = &self.row;
        let stamp = row.agreement.and_then(|agreement| agreement.campaign.stamp);
        json!({
            "contact": row.contact.to_string(),
            "flag": row.flag.as_str(),
            "dynamics": row.dynamics,
            "dynamics_changed": self.dynamics_changed().map(|at| at.to_string()),
            "campaign": row.campaign.opted_out,
            "campaign_changed": row.campaign.stamp.map(|at| at.to_string()),
            "told_by": row.told_by,
            "agreed": self.agreed(),
            "agreed_by": self.agreed_by().map(Said::as_str),
            "agreed_campaign_changed": stamp.map(|at| at.to_string()),
            "state": row.state.as_str(),
            "attempts": row.attempts,
            "updated": row.updated.to_string(),
            "decision": self.last.as_ref().map(decision_json),
        })
    }

    /// The record's time in Dynamics, as the last decision saw it: a flag has
    /// none of its own there.
    pub(super) fn dynamics_changed(&self) -> Option<Timestamp> {
        self.last.as_ref().and_then(|last| last.what.dynamics.modified)
    }
}

/// A decision with all it rested on.
pub(super) fn decision_json(decision: &ConsentDecision) -> Value {
    let what = &decision.what;
    let (offset, spread) = clocks(what.skew);
    json!({
        "at": decision.at.to_string(),
        "flag": what.flag.as_str(),
        "result": what.result,
        "reason": what.reason.as_str(),
        "reason_text": words::reason(what.reason),
        "dynamics": what.dynamics.opted_out,
        "dynamics_changed": what.dynamics.modified.map(|at| at.to_string()),
        "dynamics_version": what.dynamics.version.map(|version| version.0),
        "campaign": what.campaign.opted_out,
        "campaign_changed": what.campaign.stamp.map(|at| at.to_string()),
        "lead_seconds": what.lead.map(|lead| lead.as_secs_f64()),
        "clock_offset_seconds": offset.map(|offset| offset.as_secs_f64()),
        "clock_spread_seconds": spread.map(|spread| spread.as_secs_f64()),
        "documented": what.documented,
        "told_by": what.told_by,
        "request_ids": what.request_ids,
        "outcome": what.outcome.as_str(),
    })
}

/// How far Campaign's clock was ahead, and how sure that is.
pub(super) fn clocks(skew: Skew) -> (Option<SignedDuration>, Option<std::time::Duration>) {
    match skew {
        Skew::Unknown => (None, None),
        Skew::Measured { offset, spread } => (Some(offset), Some(spread)),
    }
}
