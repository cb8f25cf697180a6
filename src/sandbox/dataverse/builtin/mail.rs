//! Custom activity tables, and the four that the mail events go to.
//!
//! Owns: what every custom activity has (Dynamics sheet 4.6, 4.7 and 7.5), and
//! the columns of the four as data.

use super::parts::{text, time};
use super::system::activity_of;
use crate::sandbox::dataverse::schema::Table;

/// The logical names of the four tables.
pub(crate) const MAIL_TABLES: [&str; 4] = [
    "new_campaignemailsend",
    "new_campaignemailopen",
    "new_campaignemailclick",
    "new_campaignemailbounce",
];

/// A custom activity with the columns and relations that the server makes.
pub(crate) fn custom_activity(schema_name: &str, set: &str, type_code: u32) -> Table {
    let mut table = activity_of(
        schema_name,
        set,
        type_code,
        &[
            (0, "Open", "Offen", 1),
            (1, "Completed", "Abgeschlossen", 2),
            (2, "Canceled", "Abgebrochen", 3),
            (3, "Scheduled", "Geplant", 4),
        ],
        &[
            (1, "Open", "Offen", 0),
            (2, "Completed", "Abgeschlossen", 1),
            (3, "Canceled", "Abgebrochen", 2),
            (4, "Scheduled", "Geplant", 3),
        ],
    );
    table.tracked = false;
    table
}

/// The four tables as a set-up would have made them.
pub(super) fn mail_tables() -> Vec<Table> {
    let names = [
        ("new_CampaignEmailSend", "Campaign Email Send"),
        ("new_CampaignEmailOpen", "Campaign Email Open"),
        ("new_CampaignEmailClick", "Campaign Email Click"),
        ("new_CampaignEmailBounce", "Campaign Email Bounce"),
    ];
    let one = |(at, (schema_name, label)): (u32, (&str, &str))| {
        let set = format!("{}s", schema_name.to_lowercase());
        let mut table = custom_activity(schema_name, &set, 10_050 + at);
        table.labels = vec![(1033, label.to_owned())];
        table.add(text("new_EventId", 255));
        table.add(time("new_EventDate"));
        table.add(text("new_CampaignName", 400));
        table.add(text("new_DeliveryName", 400));
        table.add(text("new_MirrorPageUrl", 4000));
        table.add(text("new_TrackingUrl", 4000));
        table
    };
    (0..).zip(names).map(one).collect()
}
