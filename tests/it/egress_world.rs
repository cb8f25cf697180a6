//! A world for tests of delivery: events of a plain form in the journal, and
//! what stands in the activity tables.

use std::collections::BTreeMap;

use cdsync::sandbox::{Fault, FaultRule, Sandbox, System, Variants};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::ingress_tables::{FIELDS, by_filter};
use crate::support::{Counts, Run, Setup, World};

/// The activity tables by the kind's word.
pub(crate) const TABLES: [(&str, &str); 4] = [
    ("send", "new_campaignemailsend"),
    ("open", "new_campaignemailopen"),
    ("click", "new_campaignemailclick"),
    ("bounce", "new_campaignemailbounce"),
];

/// A world whose journal is a source.
pub(crate) struct Post {
    pub(crate) world: World,
}

/// The configuration of egress with these further lines.
pub(crate) fn egress(world: &World, lines: &str) -> String {
    format!(
        r#"
[egress]
events = ["send", "open", "click", "bounce"]
{lines}
[egress.journal]
url = "{}"
pointers = {{ id = "/id", kind = "/kind", contact = "/contact", time = "/time", campaign = "/campaign", delivery = "/delivery", url = "/url", mirror_page = "/mirror" }}
kinds = {{ send = "send", open = "open", click = "click", bounce = "bounce" }}
"#,
        world.sandbox.journal().url()
    )
}

impl Post {
    pub(crate) fn new(contacts: usize, lines: &str) -> Self {
        Self::with(contacts, lines, Variants::default())
    }

    pub(crate) fn with(contacts: usize, lines: &str, variants: Variants) -> Self {
        let world = World::new(Setup { contacts, variants, ..Setup::default() });
        let post = Self { world };
        post.configure(lines);
        post
    }

    pub(crate) fn configure(&self, lines: &str) {
        let tables = by_filter("apply_deletes = true", FIELDS);
        self.world.configure(&format!("{tables}{}", egress(&self.world, lines)));
    }

    /// Tells of events for these contacts in turn, numbered from `first`, the
    /// kinds in turn.
    pub(crate) fn tell(&self, first: usize, count: usize, contacts: &[Uuid]) {
        let events: Vec<Value> = (first..first + count)
            .map(|at| event(at, &contacts[at % contacts.len()].to_string()))
            .collect();
        self.world.sandbox.journal().add(&events);
    }

    pub(crate) fn sync(&self) -> Run {
        let run = self.world.run(&["sync", "egress", "--patience", "60"]);
        if run.code != 5 && run.code != 2 {
            run.counts();
        }
        run
    }

    #[track_caller]
    pub(crate) fn synced(&self) -> Counts {
        self.sync().ends(0).counts()
    }

    /// The activities of all kinds by event id; fails if an event has two.
    #[track_caller]
    pub(crate) fn activities(&self) -> BTreeMap<String, (&'static str, Map<String, Value>)> {
        activities(&self.world.sandbox)
    }

    /// Fails unless each of the first `count` events is one activity.
    #[track_caller]
    pub(crate) fn has_each_once(&self, count: usize) {
        let found = self.activities();
        let missing: Vec<usize> =
            (0..count).filter(|at| !found.contains_key(&format!("e{at}"))).collect();
        assert!(missing.is_empty(), "without activity: {missing:?}");
        assert_eq!(found.len(), count);
    }

    /// Batches that Dynamics was sent.
    pub(crate) fn batches(&self) -> usize {
        let mut entries = self.world.asked(System::Dynamics);
        entries.retain(|entry| entry.path.contains("$batch"));
        entries.len()
    }
}

/// The activities of all kinds by event id; fails if an event has two.
#[track_caller]
pub(crate) fn activities(
    sandbox: &Sandbox,
) -> BTreeMap<String, (&'static str, Map<String, Value>)> {
    let dynamics = sandbox.dynamics();
    let mut found = BTreeMap::new();
    for (kind, table) in TABLES {
        for id in dynamics.ids(table) {
            let row = dynamics.get(table, id).unwrap();
            let event = row["new_eventid"].as_str().unwrap().to_owned();
            let twice = found.insert(event.clone(), (kind, row));
            assert!(twice.is_none(), "{event} has two activities");
        }
    }
    found
}

/// The `at`-th event.
pub(crate) fn event(at: usize, contact: &str) -> Value {
    json!({
        "id": format!("e{at}"),
        "kind": TABLES[at % TABLES.len()].0,
        "contact": contact,
        "time": format!("2026-03-01T12:00:{:02}.25Z", at % 60),
        "campaign": format!("CMP{}", at % 3),
        "delivery": "DM190",
        "url": "https://example.org/offer",
        "mirror": "https://mirror.example.org/1",
    })
}

/// A fault in the way of batches.
pub(crate) fn on_batches(fault: Fault) -> FaultRule {
    FaultRule {
        system: Some(System::Dynamics),
        path: Some("$batch".to_owned()),
        ..FaultRule::always(fault)
    }
}

/// A fault in the way of single operations of a batch.
pub(crate) fn on_operations(fault: Fault) -> FaultRule {
    FaultRule { system: Some(System::Dynamics), operation: true, ..FaultRule::always(fault) }
}
