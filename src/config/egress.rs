//! `[egress]` and `[egress.journal]`: from the tree to settings. Log files on
//! SFTP have their own file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::files;
use super::settings::{EgressSettings, JournalSettings};
use super::suggest::listed;
use super::tree::{Keys, Node};
use super::values::{base_url, duration, flag_or, name, number_or, schedule, time_zone};
use crate::mapping::events::{KindWord, Pointer, Pointers, Recognition, UnsureBounces};
use crate::model::{EventKind, TableName};

const EGRESS_KEYS: &[&str] = &[
    "schedule",
    "time_zone",
    "source",
    "events",
    "prefix",
    "tables",
    "complete_activities",
    "contact_wait",
    "name_space",
    "batch",
    "unsure_bounces",
    "journal",
    "sftp",
];

const JOURNAL_KEYS: &[&str] = &["url", "pointers", "kinds"];

const POINTER_KEYS: &[&str] = &[
    "id",
    "kind",
    "contact",
    "time",
    "campaign",
    "delivery",
    "url",
    "mirror_page",
    "reason",
    "quarantine",
];

const ACTIVITY_KEYS: &[&str] = &["send", "open", "click", "bounce"];

const KINDS: &[(&str, EventKind)] = &[
    ("send", EventKind::Send),
    ("open", EventKind::Open),
    ("click", EventKind::Click),
    ("bounce", EventKind::Bounce),
];

const KIND_WORDS: &[(&str, KindWord)] = &[
    ("send", KindWord::Kind(EventKind::Send)),
    ("open", KindWord::Kind(EventKind::Open)),
    ("click", KindWord::Kind(EventKind::Click)),
    ("bounce", KindWord::Kind(EventKind::Bounce)),
    ("ignore", KindWord::Ignore),
];

const SOURCES: &[(&str, Source)] = &[("journal", Source::Journal), ("sftp", Source::Sftp)];

const UNSURE: &[(&str, UnsureBounces)] = &[
    ("quarantined", UnsureBounces::Quarantined),
    ("hard", UnsureBounces::Hard),
    ("soft", UnsureBounces::Soft),
];

/// Where events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Journal,
    Sftp,
}

/// How long an event waits for its contact, unless the file says otherwise.
const CONTACT_WAIT: Duration = Duration::from_hours(24);

/// Longest wait for a contact.
const LONGEST_WAIT: Duration = Duration::from_hours(24 * 90);

/// Activities in one `$batch`, unless the file says otherwise: below the 250
/// that some environments allow.
const BATCH: usize = 200;

/// Names in `kinds`.
const MAX_KINDS: usize = 200;

/// `[egress]`; without events nothing is switched on.
pub(super) fn egress(node: &Node<'_>) -> Option<EgressSettings> {
    let keys = node.keys(EGRESS_KEYS)?;
    let schedule = keys.get("schedule").map(|node| schedule(&node));
    let zone = keys.get("time_zone").map(|node| time_zone(&node));
    let events = match keys.get("events") {
        Some(node) => set(&node, KINDS),
        None => Some(BTreeSet::new()),
    };
    let sources = sources(&keys);
    let prefix = prefix(&keys);
    let tables = tables(&keys, prefix.as_deref());
    let contact_wait = match keys.get("contact_wait") {
        Some(node) => duration(&node, LONGEST_WAIT),
        None => Some(CONTACT_WAIT),
    };
    let complete_activities = flag_or(&keys, "complete_activities", false);
    let batch = number_or(&keys, "batch", 1..=1000, BATCH);
    let name_space = keys.get("name_space").map(|node| name_space(&node));
    let unsure = keys.get("unsure_bounces").map(|node| node.word(UNSURE));
    let journal = keys.get("journal").map(|node| journal(&node));
    let files = keys.get("sftp").map(|node| files::egress_sftp(&node));
    let (events, sources) = (events?, sources?);
    let unsure_bounces = unsure.unwrap_or(Some(UnsureBounces::default()))?;
    let settings = EgressSettings {
        schedule: match schedule {
            Some(schedule) => Some(schedule?),
            None => None,
        },
        time_zone: zone.unwrap_or(Some(TimeZone::UTC))?,
        prefix: prefix?,
        tables: tables?,
        complete_activities,
        contact_wait: contact_wait?,
        name_space: name_space.unwrap_or(Some(String::new()))?,
        batch,
        unsure_bounces,
        journal: match journal {
            Some(journal) => Some(journal?).map(|mut journal| {
                journal.recognition.events.clone_from(&events);
                journal.recognition.unsure_bounces = unsure_bounces;
                journal
            }),
            None => None,
        }
        .filter(|_| sources.contains(&Source::Journal)),
        files: match files {
            Some(files) => Some(files?),
            None => None,
        },
        reads_files: sources.contains(&Source::Sftp),
        events,
    };
    if settings.events.is_empty() {
        // The names of the tables still count: they can be provisioned before.
        return Some(settings);
    }
    required_sources(&keys, &settings, &sources)?;
    Some(settings)
}

/// Each source that is named has its section.
fn required_sources(
    keys: &Keys<'_>,
    settings: &EgressSettings,
    sources: &BTreeSet<Source>,
) -> Option<()> {
    if sources.contains(&Source::Journal) && settings.journal.is_none() {
        keys.required(
            "journal",
            "journal = { url = \"https://events-va6.adobe.io/events/organizations/…/integrations/…/…\" }",
        )?;
    }
    if sources.contains(&Source::Sftp) {
        keys.required("sftp", "[egress.sftp]")?;
    }
    Some(())
}

/// One word or a list of words, each once.
fn set<T: Copy + Ord>(node: &Node<'_>, words: &[(&'static str, T)]) -> Option<BTreeSet<T>> {
    let mut found = BTreeSet::new();
    let mut good = true;
    for item in node.list()? {
        match item.word(words) {
            Some(word) if !found.insert(word) => {
                item.problem("this is listed twice", "remove one of the two");
                good = false;
            }
            Some(_) => {}
            None => good = false,
        }
    }
    good.then_some(found)
}

fn sources(keys: &Keys<'_>) -> Option<BTreeSet<Source>> {
    let Some(node) = keys.get("source") else { return Some(BTreeSet::from([Source::Journal])) };
    if node.value.as_array().is_none() {
        if node.value.as_str().is_none() {
            node.problem(
                "this is neither a source nor a list of them",
                "write `source = \"journal\"`, `source = \"sftp\"` or `source = [\"journal\", \"sftp\"]`",
            );
            return None;
        }
        return node.word(SOURCES).map(|source| BTreeSet::from([source]));
    }
    let found = set(&node, SOURCES)?;
    if found.is_empty() {
        node.problem("no source is listed", "write `source = \"journal\"`, or remove the key");
        return None;
    }
    Some(found)
}

/// The publisher's customization prefix: 2 to 8 letters and digits, the first
/// a letter, not `mscrm` (Microsoft Learn, "Create a solution publisher").
/// Logical names are lower-case.
fn prefix(keys: &Keys<'_>) -> Option<String> {
    let Some(node) = keys.get("prefix") else { return Some("new".to_owned()) };
    let text = node.text()?;
    let valid = (2..=8).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        && !text.starts_with("mscrm");
    if !valid {
        node.problem(
            "this is not a customization prefix",
            "2 to 8 lower-case letters and digits without `_`, as the solution's publisher has it, such as `new`",
        );
        return None;
    }
    Some(text.to_owned())
}

/// All four tables: those that are named, else by the prefix.
fn tables(keys: &Keys<'_>, prefix: Option<&str>) -> Option<BTreeMap<EventKind, TableName>> {
    let named = match keys.get("tables") {
        Some(node) => Some(node.keys(ACTIVITY_KEYS)?),
        None => None,
    };
    let hint = "the table's logical name, such as `new_campaignemailsend`";
    let mut tables = BTreeMap::new();
    let mut good = true;
    for (word, kind) in KINDS {
        let given = named.as_ref().and_then(|named| named.get(word));
        let table = match given {
            Some(node) => name(&node, TableName::new, hint),
            // Without a prefix, that has been reported.
            None => prefix
                .and_then(|prefix| TableName::new(&format!("{prefix}_campaignemail{word}")).ok()),
        };
        match table {
            Some(table) => drop(tables.insert(*kind, table)),
            None => good = false,
        }
    }
    good.then_some(tables)
}

/// Part of each activity's id: what looks the same must be the same.
fn name_space(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let valid = text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !valid {
        node.problem(
            "this is not a name space",
            "at most 64 letters, digits, `-`, `_` and `.`, such as `contoso-mkt-prod`; never change it later: events that are told again would be made twice",
        );
        return None;
    }
    Some(text.to_owned())
}

/// `[egress.journal]`
fn journal(node: &Node<'_>) -> Option<JournalSettings> {
    let keys = node.keys(JOURNAL_KEYS)?;
    let url = keys
        .required(
            "url",
            "url = \"https://events-va6.adobe.io/events/organizations/…/integrations/…/…\"",
        )
        .and_then(|node| base_url(&node, ""));
    let pointers = match keys.get("pointers") {
        Some(node) => pointers(&node),
        None => Some(Pointers::default()),
    };
    let kinds = match keys.get("kinds") {
        Some(node) => kinds(&node),
        None => Some(BTreeMap::new()),
    };
    let recognition = Recognition { pointers: pointers?, kinds: kinds?, ..Recognition::default() };
    Some(JournalSettings { url: url?, recognition })
}

fn pointers(node: &Node<'_>) -> Option<Pointers> {
    let keys = node.keys(POINTER_KEYS)?;
    let mut good = true;
    let mut pointer = |key: &str| {
        let node = keys.get(key)?;
        let found = node.text().and_then(|text| {
            let found = Pointer::new(text);
            if found.is_none() {
                node.problem(
                    "this is not a JSON pointer",
                    "begin with `/` and name each step, as in `/data/contact`; `~` is written `~0` and `/` within a name `~1`",
                );
            }
            found
        });
        good &= found.is_some();
        found
    };
    let pointers = Pointers {
        id: pointer("id"),
        kind: pointer("kind"),
        contact: pointer("contact"),
        time: pointer("time"),
        campaign: pointer("campaign"),
        delivery: pointer("delivery"),
        url: pointer("url"),
        mirror_page: pointer("mirror_page"),
        reason: pointer("reason"),
        quarantine: pointer("quarantine"),
    };
    good.then_some(pointers)
}

fn kinds(node: &Node<'_>) -> Option<BTreeMap<String, KindWord>> {
    let keys = node.any_keys()?;
    let present: Vec<&str> = keys.present().collect();
    if present.is_empty() || present.len() > MAX_KINDS {
        let words = listed(KIND_WORDS.iter().map(|(word, _)| *word));
        node.problem(
            "`kinds` names no kind, or more than 200",
            format!("write `kinds = {{ \"the event's own word\" = \"send\" }}` with one of {words}, or remove the key"),
        );
        return None;
    }
    // Collected before the verdict, so that each is looked at.
    let found: Vec<_> = present
        .into_iter()
        .map(|key| Some((key.to_owned(), keys.get(key)?.word(KIND_WORDS)?)))
        .collect();
    found.into_iter().collect()
}
