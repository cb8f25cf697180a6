//! Events of the opt-out flow.

use crate::model::{Flow, RecordId, TableName};
use crate::telemetry::event::events;

events! { OPTOUT_EVENTS;
    /// The two sides of a flag differed, and the rule has decided.
    OptoutResolved = "optout.conflict_resolved" INFO, "Nothing; `cdsync optouts show ID` has the evidence." {
        /// The flow.
        flow: Flow,
        /// The table of the contact.
        table: TableName,
        /// The contact.
        id: RecordId,
        /// Campaign's name of the flag.
        flag: String,
        /// What both sides hold now; with one direction only, what either does.
        opted_out: bool,
        /// Why, in a word (docs/optout.md).
        reason: &'static str,
        /// How much later Campaign's flag was changed than the contact, after correction of the clocks.
        lead_ms: Option<i64>,
        /// What the vendor's page taken literally would have given, where that differs.
        documented: Option<bool>,
        /// The remote's id of the last request.
        request_id: Option<String>,
    }
    /// More opt-outs would be lifted than the clearing guard lets pass: none of them is, everything else went.
    OptoutsHeld = "optouts.held" WARN once, "Find out who cleared so many flags; `cdsync optouts list --state held` names the contacts. If it is right, `cdsync approve-optouts`." {
        /// The flow.
        flow: Flow,
        /// Opt-outs that would be lifted.
        clearings: u64,
        /// Mapped contacts.
        mapped: u64,
        /// The limit that is passed: `rows` or `percent`.
        limit: &'static str,
    }
    /// A person let the held opt-outs be lifted.
    OptoutsReleased = "optouts.released" INFO, "Nothing." {
        /// The flow.
        flow: Flow,
        /// Opt-outs that are looked at once more and lifted.
        clearings: u64,
    }
    /// The clocks of the two systems are far apart.
    OptoutClockSkew = "optout.clock_skew" WARN once, "Nothing is lost: leads are corrected by it. Tell the vendor whose clock is wrong." {
        /// The flow.
        flow: Flow,
        /// Campaign's clock minus Dynamics'.
        offset_ms: i64,
        /// How uncertain that is.
        spread_ms: u64,
    }
}
