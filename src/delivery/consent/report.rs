//! What the log says of a decision.

use std::sync::atomic::Ordering;

use super::Shared;
use super::contact::Ruled;
use crate::model::RecordId;
use crate::model::consent::Reason;
use crate::telemetry::OptoutResolved;

impl Shared {
    /// Both sides differed, and no longer do, or are left so for a reason.
    pub(super) fn report(
        &self,
        contact: RecordId,
        ruled: &Ruled<'_>,
        wrote: bool,
        request_ids: &[String],
    ) {
        if ruled.case.dynamics.opted_out == ruled.case.campaign.opted_out && !wrote {
            return;
        }
        if ruled.decision.reason == Reason::ClocksUnknown && ruled.decision.documented.is_some() {
            self.unsure.fetch_add(1, Ordering::Relaxed);
        }
        OptoutResolved {
            flow: crate::model::Flow::Optout,
            table: self.target.table().clone(),
            id: contact,
            flag: ruled.pair.pair.flag.to_string(),
            opted_out: ruled.decision.dynamics || ruled.decision.campaign,
            reason: ruled.decision.reason.as_str(),
            lead_ms: ruled.decision.lead.map(|lead| i64::try_from(lead.as_millis()).unwrap_or(0)),
            documented: ruled.decision.documented,
            request_id: request_ids.last().cloned(),
        }
        .emit();
    }
}
