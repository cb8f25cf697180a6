//! The ledger in words: for the person who answers for it.

use jiff::{SignedDuration, Timestamp};

use crate::model::RecordId;
use crate::model::consent::Reason;
use crate::store::consent::{ConsentDecision, FlagState, Outcome};

use super::facts::{Fact, Said, clocks};

/// Why, in a sentence.
pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Agreed => "both sides say the same",
        Reason::Direction => "the configured direction decides",
        Reason::NothingNew => "nothing changed in Campaign, so Dynamics' value stays",
        Reason::CampaignOptedOut => "Campaign says opted out, and that always stands",
        Reason::DynamicsNewer => {
            "the contact was changed in Dynamics later or in the same second: opted out stays"
        }
        Reason::NoCampaignStamp => {
            "Campaign gives no time for its flag, so it counts as older: opted out stays"
        }
        Reason::NoDynamicsTime => {
            "Dynamics gives no time for the contact, so it counts as newest: opted out stays"
        }
        Reason::NoRowVersion => {
            "Dynamics gives no version of the contact, so a change meanwhile would not show: \
             opted out stays"
        }
        Reason::StampNotNew => {
            "nobody changed Campaign's flag since both sides agreed: opted out stays"
        }
        Reason::ClocksUnknown => {
            "it is not known how far the two clocks are apart: opted out stays"
        }
        Reason::LeadTooSmall => {
            "Campaign is newer by less than the clocks leave open: opted out stays"
        }
        Reason::CampaignNewer => "Campaign's flag was cleared later, provably: it is lifted",
        Reason::Merged => "a contact that was merged into this one had opted out",
        Reason::Recreated => "a deleted contact with the same address had opted out",
        Reason::ProfileDeleted => "the profile said opted out when it was deleted",
    }
}

/// A value of a flag.
pub(super) fn value(opted_out: bool) -> &'static str {
    if opted_out { "opted out" } else { "not opted out" }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.fZ").to_string()
}

/// A difference without a sign, which a spreadsheet would take for a formula.
pub(super) fn apart(by: SignedDuration) -> String {
    let seconds = by.unsigned_abs().as_secs_f64();
    let word = if by.is_negative() { "behind" } else { "ahead" };
    format!("{word} by {seconds:.3} s")
}

/// The contact and its flags.
pub(super) fn contact(contact: RecordId, flags: &[Fact], decided: bool) -> String {
    let mut out = format!("contact {contact}\n");
    for fact in flags {
        let row = &fact.row;
        let changed =
            row.campaign.stamp.map_or_else(String::new, |at| format!(", changed {}", time(at)));
        let agreed = match (fact.agreed(), fact.agreed_by()) {
            (Some(agreed), Some(by)) => format!("{}, {}", value(agreed), said(by)),
            (_, _) => "nothing yet".to_owned(),
        };
        let lines = [
            String::new(),
            row.flag.to_string(),
            format!("  Dynamics    {}", value(row.dynamics)),
            format!("  Campaign    {}{changed}", value(row.campaign.opted_out)),
            format!("  agreed      {agreed}"),
            format!("  state       {}", state(row.state)),
            format!("  last told   {}", row.told_by),
        ];
        out.push_str(&lines.join("\n"));
        out.push('\n');
    }
    out.push_str(if decided {
        "\ndecisions, newest first\n"
    } else {
        "\nno decisions: both systems have said the same of each flag all along\n"
    });
    out
}

fn said(by: Said) -> &'static str {
    match by {
        Said::Dynamics => "as Dynamics said",
        Said::Campaign => "as Campaign said",
        Said::Both => "as both said",
        Said::Merge => "as a merged contact said",
        Said::Former => "as a deleted contact with the same address said",
    }
}

fn state(state: FlagState) -> &'static str {
    match state {
        FlagState::Settled => "settled",
        FlagState::Due => "due: the next pass looks at both sides",
        FlagState::Clearing => "clearing: the pass under way would lift the opt-out",
        FlagState::Held => "held: the clearing guard asks for `cdsync approve-optouts`",
        FlagState::Approved => "approved: the next pass lifts the opt-out if nothing has changed",
    }
}

/// What came of a decision.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Intended => "stored before it was sent; whether it was is not known yet",
        Outcome::Done => "carried out",
        Outcome::Dropped => "dropped: something changed meanwhile, and it was decided anew",
        Outcome::Kept => "nothing was written",
    }
}

/// One decision with its evidence.
pub(super) fn decision(decision: &ConsentDecision) -> String {
    let what = &decision.what;
    let told = |at: Option<Timestamp>| at.map_or_else(|| "at an unknown time".to_owned(), time);
    let version =
        what.dynamics.version.map_or_else(String::new, |it| format!(", version {}", it.0));
    let (offset, spread) = clocks(what.skew);
    let mut lines = vec![
        String::new(),
        format!("{}  {}: {}", time(decision.at), what.flag, value(what.result)),
        format!("  because       {}", reason(what.reason)),
        format!(
            "  Dynamics was  {}, contact changed {}{version}",
            value(what.dynamics.opted_out),
            told(what.dynamics.modified)
        ),
        format!(
            "  Campaign was  {}, flag changed {}",
            value(what.campaign.opted_out),
            told(what.campaign.stamp)
        ),
    ];
    if let Some(lead) = what.lead {
        lines.push(format!("  lead          Campaign {}", apart(lead)));
    }
    if let (Some(offset), Some(spread)) = (offset, spread) {
        let sure = spread.as_secs_f64();
        lines.push(format!(
            "  clocks        Campaign's {}, give or take {sure:.3} s",
            apart(offset)
        ));
    }
    if let Some(documented) = what.documented {
        lines.push(format!(
            "  by the page   the vendor's rule taken literally: {}",
            value(documented)
        ));
    }
    lines.push(format!("  told by       {}", what.told_by));
    if !what.request_ids.is_empty() {
        lines.push(format!("  requests      {}", what.request_ids.join(" ")));
    }
    lines.push(format!("  outcome       {}", outcome(what.outcome)));
    lines.join("\n")
}
