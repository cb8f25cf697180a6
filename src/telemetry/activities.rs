//! Events of delivering activities.

use crate::model::{Flow, TableName};
use crate::telemetry::event::events;

events! { ACTIVITY_EVENTS;
    /// E-mail events wait because Dynamics does not have their contacts. Told once per pass and table, at its end.
    ContactsWaiting = "contacts.waiting" INFO once, "Nothing, if the contacts are on their way. After `contact_wait` of [egress] each becomes a dead letter, which `cdsync dead-letters retry` lets wait anew." {
        /// The flow.
        flow: Flow,
        /// The activity table.
        table: TableName,
        /// How many wait.
        waiting: u64,
    }
}
