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
    /// People stay opted out who may have subscribed again, because it is not known how far the clocks are apart.
    OptoutClocksUnknown = "optout.clocks_unknown" WARN, "`cdsync optouts show ID` has the times of both sides. Three changes carried to each system within a day show the clocks; a person who is to be mailed says so again after that." {
        /// The flow.
        flow: Flow,
        /// Flags that stayed set.
        flags: u64,
    }
    /// A contact has the address of one that was deleted, which had opted out, and has not.
    OptoutRecreated = "optout.recreated" WARN, "Ask the person, or set the flag; with `[optout] recreated = \"opt-out\"` it is set by itself." {
        /// The flow.
        flow: Flow,
        /// The table.
        table: TableName,
        /// The contact.
        id: RecordId,
        /// The deleted contact.
        former: RecordId,
        /// Campaign's names of the flags, with spaces between.
        flags: String,
        /// Whether they are set for the new contact, too.
        opted_out: bool,
    }
    /// Contacts with the same address differ in their opt-outs; told when their number changes.
    OptoutsShareAddress = "optouts.same_address" WARN, "`cdsync optouts list --same-address` names them: the same person may be mailed after all." {
        /// The flow.
        flow: Flow,
        /// Addresses and flags on which contacts differ.
        flags: u64,
    }
    /// Contacts that Dynamics refused a day ago are tried again.
    OptoutsRetried = "optouts.retried" INFO, "Nothing; what is refused again becomes a dead letter again." {
        /// The flow.
        flow: Flow,
        /// Dead letters that were taken up.
        dead_letters: u64,
    }
}
