//! Which activities must exist.
//!
//! Owns: the meaning of what was told, written down a second time from the
//! documents and not with the code that is judged by it.

use std::collections::{BTreeMap, HashMap};

use super::{MailFact, MailKind, Standing};
use crate::sandbox::dataverse::control::DynamicsControl;
use crate::sandbox::moment;

/// Which id of an event its activity carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventIds {
    /// The `eventid` of the journal.
    Journal,
    /// The number of the row in Campaign's logs.
    Logs,
}

/// An activity that must exist once, no more and no less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedActivity {
    /// Its kind.
    pub kind: MailKind,
    /// The event's id.
    pub id: String,
    /// Whom it is about.
    pub contact: String,
    /// False where Dynamics does not hold the contact: the event waits.
    pub known: bool,
    /// When it happened, as Dynamics shows it.
    pub date: String,
    /// The campaign's name.
    pub campaign: String,
    /// The delivery's name.
    pub delivery: String,
    /// The URL, for clicks.
    pub url: Option<String>,
    /// The mirror page.
    pub mirror_page: String,
}

fn expected(fact: &MailFact, ids: EventIds) -> ExpectedActivity {
    ExpectedActivity {
        kind: fact.kind,
        id: match ids {
            EventIds::Journal => fact.event_id.to_string(),
            EventIds::Logs => fact.log_id.to_string(),
        },
        contact: fact.contact.clone(),
        known: fact.standing == Standing::Due,
        date: moment::dataverse_text(fact.at),
        campaign: fact.campaign.clone(),
        delivery: fact.delivery.clone(),
        url: fact.url.clone(),
        mirror_page: fact.mirror_page.clone(),
    }
}

/// The activities of what was told, each once, by kind and id.
pub(super) fn activities(told: &[MailFact], ids: EventIds) -> Vec<ExpectedActivity> {
    let due =
        told.iter().filter(|fact| matches!(fact.standing, Standing::Due | Standing::Stranger));
    let activities = due.map(|fact| expected(fact, ids));
    let once: BTreeMap<(MailKind, String), ExpectedActivity> =
        activities.map(|it| ((it.kind, it.id.clone()), it)).collect();
    once.into_values().collect()
}

/// What Dynamics holds against what it must hold; ids and column names only.
pub(super) fn differences(
    dynamics: &DynamicsControl,
    expected: &[ExpectedActivity],
    prefix: &str,
) -> Vec<String> {
    let mut found = Vec::new();
    for kind in MailKind::ALL {
        let table = format!("{prefix}_campaignemail{}", kind.name());
        let mut held: HashMap<String, Vec<serde_json::Map<String, serde_json::Value>>> =
            HashMap::new();
        for row in dynamics.ids(&table).into_iter().filter_map(|id| dynamics.get(&table, id)) {
            let id = row.get(&format!("{prefix}_eventid")).and_then(|id| id.as_str());
            held.entry(id.unwrap_or_default().to_owned()).or_default().push(row);
        }
        for wanted in expected.iter().filter(|wanted| wanted.kind == kind && wanted.known) {
            match held.remove(&wanted.id).as_deref() {
                None => found.push(format!("{table}: {} is missing", wanted.id)),
                Some([row]) => compare(row, wanted, prefix, &table, &mut found),
                Some(rows) => {
                    found.push(format!("{table}: {} is there {} times", wanted.id, rows.len()));
                }
            }
        }
        found.extend(held.keys().map(|id| format!("{table}: {id} must not be there")));
    }
    found
}

fn compare(
    row: &serde_json::Map<String, serde_json::Value>,
    wanted: &ExpectedActivity,
    prefix: &str,
    table: &str,
    found: &mut Vec<String>,
) {
    let subject = format!("Campaign Name: {}; Delivery Name: {}", wanted.campaign, wanted.delivery);
    let own = |name: &str| format!("{prefix}_{name}");
    let columns = [
        ("subject".to_owned(), Some(subject.as_str())),
        ("_regardingobjectid_value".to_owned(), Some(wanted.contact.as_str())),
        (own("eventdate"), Some(wanted.date.as_str())),
        (own("campaignname"), Some(wanted.campaign.as_str())),
        (own("deliveryname"), Some(wanted.delivery.as_str())),
        (own("mirrorpageurl"), Some(wanted.mirror_page.as_str())),
        (own("trackingurl"), wanted.url.as_deref()),
    ];
    for (column, value) in columns {
        if row.get(&column).and_then(|value| value.as_str()) != value {
            found.push(format!("{table}: {column} of {} is wrong", wanted.id));
        }
    }
}
