//! All three flows at once, for the stress tests: people who act on both sides,
//! and what must hold once all is quiet.
//!
//! Owns: who does what in which round, and the one comparison of these tests.
//! Knows nothing of what goes wrong.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use cdsync::sandbox::{System, Variants};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::egress_world::{activities, event};
use crate::rig::{CONTACTS, Ended, Rig};

/// One pass of all flows.
pub(crate) const PASS: &[&str] = &["--log-format", "json", "sync", "--patience", "60"];

/// Both sides and all flows between them.
pub(crate) struct Everything {
    pub(crate) rig: Rig,
    /// Contacts of the beginning; nobody deletes them, all mail goes to them.
    people: Vec<Uuid>,
    /// Contacts that came later and may go again.
    guests: RefCell<Vec<Uuid>>,
    /// Who said no and never yes again.
    refused: RefCell<BTreeSet<Uuid>>,
    told: Cell<usize>,
}

impl Everything {
    /// Look-alikes with so many contacts, three flows and nothing done yet.
    pub(crate) async fn start(contacts: usize) -> Self {
        // Nothing in Campaign keeps a repeated POST from doubling a profile.
        Self::with(contacts, false).await
    }

    /// The same; whether Campaign keeps the key of a profile unique is said.
    pub(crate) async fn with(contacts: usize, unique_external_id: bool) -> Self {
        let variants = Variants { unique_external_id, journal_batch: 3, ..Variants::default() };
        let rig = Rig::start(contacts, variants).await;
        let people = rig.sandbox.dynamics().ids("contact");
        let world = Self {
            rig,
            people,
            guests: RefCell::default(),
            refused: RefCell::default(),
            told: Cell::new(0),
        };
        for id in &world.people {
            let off = json!({ "donotbulkemail": false });
            world.rig.sandbox.dynamics().update("contact", *id, &off).unwrap();
        }
        world.configure("*/15 * * * * *");
        world
    }

    /// Writes the configuration; all flows by this schedule.
    pub(crate) fn configure(&self, schedule: &str) {
        // The flag travels with the flow of opt-outs instead.
        let contacts =
            CONTACTS.replace("  { from = \"donotbulkemail\", to = \"blackListEmail\" },\n", "");
        let journal = self.rig.sandbox.journal().url();
        let more = format!(
            r#"
[egress]
schedule = "{schedule}"
events = ["send", "open", "click", "bounce"]
batch = 3
[egress.journal]
url = "{journal}"
pointers = {{ id = "/id", kind = "/kind", contact = "/contact", time = "/time", campaign = "/campaign", delivery = "/delivery", url = "/url", mirror_page = "/mirror" }}
kinds = {{ send = "send", open = "open", click = "click", bounce = "bounce" }}
[optout]
direction = "bidirectional"
schedule = "{schedule}"
source = "rest"
rest = {{ filter = "byModifiedSince", parameter = "since_parameter" }}
pairs = [ {{ dynamics = "donotbulkemail", campaign = "blackListEmail" }} ]
"#
        );
        let text = self.rig.text(&contacts).replace("*/15 * * * * *", schedule);
        fs::write(self.rig.path("config.toml"), format!("{text}{more}")).unwrap();
    }

    /// Where the store is, with nothing else beside it.
    pub(crate) fn directory(&self) -> PathBuf {
        self.rig.path("store")
    }

    /// What people do on both sides in a round; others in the next.
    pub(crate) fn people_act(&self, round: usize) {
        let (dynamics, campaign) = (self.rig.sandbox.dynamics(), self.rig.sandbox.campaign());
        let person = |at: usize| self.people[(round + at) % self.people.len()];
        let name = json!({ "lastname": format!("Edit {round}"), "emailaddress1": null });
        dynamics.update("contact", person(0), &name).unwrap();
        let mut guests = self.guests.borrow_mut();
        if round % 2 == 1 && !guests.is_empty() {
            assert!(dynamics.delete("contact", guests.remove(0)));
        }
        let row = json!({ "firstname": "Guest", "lastname": format!("Nr. {round}") });
        guests.push(dynamics.insert("contact", &row).unwrap());
        let mut refused = self.refused.borrow_mut();
        let who = person(1);
        let said = |id: Uuid, out: bool| {
            let at = self.rig.sandbox.now(System::Campaign);
            campaign.set_flag_at(&id.to_string(), "blackListEmail", out, Some(at)).unwrap() > 0
        };
        match round % 3 {
            0 => {
                dynamics.update("contact", who, &json!({ "donotbulkemail": true })).unwrap();
                refused.insert(who);
            }
            // A profile that is not there yet cannot say anything.
            1 if said(who, true) => drop(refused.insert(who)),
            2 if said(who, false) => drop(refused.remove(&who)),
            _ => {}
        }
        let first = self.told.get();
        let events: Vec<_> = (first..first + 2)
            .map(|at| event(at, &self.people[at % self.people.len()].to_string()))
            .collect();
        self.rig.sandbox.journal().add(&events);
        self.told.set(first + events.len());
    }

    /// One pass of all flows.
    pub(crate) async fn pass(&self) -> Ended {
        self.rig.run(PASS).await
    }

    /// A pass in which all must be done, and then what must hold.
    #[track_caller]
    pub(crate) fn is_whole(&self, when: &str, pass: &Ended) {
        assert_eq!(pass.code, Some(0), "{when}: {pass:#?}");
        pass.adds_up();
        self.rig.assert_equal(when);
        self.tells_all(when);
        let says: String =
            self.rig.raw().query_row("PRAGMA integrity_check", [], |it| it.get(0)).unwrap();
        assert_eq!(says, "ok", "{when}");
    }

    /// Each event is one activity, and who said no is out on both sides.
    #[track_caller]
    pub(crate) fn tells_all(&self, when: &str) {
        let found = activities(&self.rig.sandbox);
        let missing: Vec<usize> =
            (0..self.told.get()).filter(|at| !found.contains_key(&format!("e{at}"))).collect();
        assert!(missing.is_empty(), "{when}: events without activity: {missing:?}");
        assert_eq!(found.len(), self.told.get(), "{when}: activities of nothing");
        for id in self.refused.borrow().iter() {
            let contact = self.rig.sandbox.dynamics().get("contact", *id).unwrap();
            assert_eq!(contact["donotbulkemail"], true, "{when}: {id} said no");
        }
    }

    /// Two further passes write nothing to either side.
    pub(crate) async fn is_silent(&self, when: &str) {
        self.rig.sandbox.requests().clear();
        for _ in 0..2 {
            self.pass().await.expect(0);
        }
        let mut entries = self.rig.sandbox.requests().entries();
        entries.retain(|entry| {
            matches!(entry.system, System::Dynamics | System::Campaign) && entry.method != "GET"
        });
        let written: Vec<_> =
            entries.iter().map(|it| format!("{} {}", it.method, it.path)).collect();
        assert!(written.is_empty(), "{when}: {written:#?}");
    }
}

/// Says how a stress test went to who asked for it.
#[expect(clippy::print_stdout, reason = "shown where output is asked for")]
pub(crate) fn report(text: &str) {
    println!("{text}");
}

/// The time, for seeds and spans of tests that are meant to differ.
#[expect(clippy::disallowed_methods, reason = "a test stands outside the program")]
pub(crate) fn clock() -> Timestamp {
    Timestamp::now()
}

/// A number from the environment: how long a stress test is to run.
pub(crate) fn asked_for(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Random numbers from a seed (splitmix64), so that a run can be repeated.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}
