//! People and the ledger for the tests of opt-outs.
//!
//! Owns: a world in which both sides agree, acts at chosen times, and what the
//! store's file says of decisions. Decides no expectation.

use cdsync::sandbox::{System, Variants};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Counts, Run, Setup, World};

pub(crate) const BULK: &str =
    r#"pairs = [ { dynamics = "donotbulkemail", campaign = "blackListEmail" } ]"#;

const CONTACT: &str = r#"schedule = "*/15 * * * * *"
[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }
fields = [ { from = "lastname", to = "lastName" } ]
"#;

pub(crate) const REST: &str = r#"source = "rest"
rest = { filter = "byModifiedSince", parameter = "since_parameter" }
"#;

/// The sections behind `[ingress]`; `more` holds the source, the pairs and
/// what else is wanted.
pub(crate) fn sections(direction: &str, more: &str) -> String {
    format!("{CONTACT}\n[optout]\ndirection = \"{direction}\"\n{more}\n")
}

/// A world whose contacts are profiles, with all flags off; the flow has not
/// begun.
pub(crate) fn fresh(direction: &str, more: &str, contacts: usize) -> (World, Vec<Uuid>) {
    with(direction, more, contacts, Variants::default())
}

pub(crate) fn with(
    direction: &str,
    more: &str,
    contacts: usize,
    variants: Variants,
) -> (World, Vec<Uuid>) {
    let tables = sections(direction, more);
    let world = World::new(Setup { contacts, tables, variants, ..Setup::default() });
    let ids = world.contacts();
    for id in &ids {
        let off = json!({ "donotbulkemail": false, "donotphone": false, "followemail": true });
        world.sandbox.dynamics().update_at("contact", *id, &off, ago(86_400)).unwrap();
    }
    world.synced();
    (world, ids)
}

/// The same after the first pass: both sides have agreed.
pub(crate) fn begun(direction: &str, more: &str, contacts: usize) -> (World, Vec<Uuid>) {
    let (world, ids) = fresh(direction, more, contacts);
    settle(&world);
    (world, ids)
}

/// Both ways, with one pair and Campaign's changes by REST.
pub(crate) fn both_ways(contacts: usize) -> (World, Vec<Uuid>) {
    begun("bidirectional", &format!("{REST}{BULK}"), contacts)
}

/// So many seconds ago, whole ones.
pub(crate) fn ago(seconds: i64) -> Timestamp {
    let at = crate::sandbox_optouts::now() - SignedDuration::from_secs(seconds);
    Timestamp::from_second(at.as_second()).unwrap()
}

pub(crate) fn in_dynamics(world: &World, id: Uuid, out: bool, at: Timestamp) {
    let change = json!({ "donotbulkemail": out });
    world.sandbox.dynamics().update_at("contact", id, &change, at).unwrap();
}

pub(crate) fn in_campaign(world: &World, id: Uuid, out: bool, at: Option<Timestamp>) {
    let campaign = world.sandbox.campaign();
    assert_eq!(campaign.set_flag_at(&id.to_string(), "blackListEmail", out, at).unwrap(), 1);
}

/// The flag in Dynamics and in Campaign.
#[track_caller]
pub(crate) fn email(world: &World, id: Uuid) -> (bool, bool) {
    let contact = world.sandbox.dynamics().get("contact", id).unwrap();
    let profile = world.profile(id);
    (contact["donotbulkemail"] == true, profile["blackListEmail"] == true)
}

/// So many seconds pass, by both systems' clocks.
pub(crate) fn time_passes(world: &World, seconds: i64) {
    for system in [System::Dynamics, System::Campaign] {
        world.sandbox.set_clock_offset(system, seconds * 1000);
    }
}

pub(crate) fn passed(world: &World) -> Run {
    world.run(&["sync", "optout", "--patience", "60"])
}

/// One pass in which all must be done.
#[track_caller]
pub(crate) fn settle(world: &World) -> Counts {
    passed(world).ends(0).counts()
}

/// Requests that change one of the two systems.
pub(crate) fn writes(world: &World) -> Vec<String> {
    let mut entries = world.sandbox.requests().entries();
    entries.retain(|entry| {
        matches!(entry.system, System::Dynamics | System::Campaign) && entry.method != "GET"
    });
    entries
        .into_iter()
        .map(|entry| format!("{} {} {}", entry.method, entry.path, entry.status))
        .collect()
}

/// Two further passes change nothing.
#[track_caller]
pub(crate) fn silent(world: &World, when: &str) {
    world.forget();
    settle(world);
    settle(world);
    assert_eq!(writes(world), Vec::<String>::new(), "{when}");
}

/// A decision as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) flag: String,
    pub(crate) result: bool,
    pub(crate) reason: String,
    pub(crate) outcome: String,
    pub(crate) documented: Option<bool>,
    pub(crate) told_by: String,
    pub(crate) requests: String,
    pub(crate) lead_ms: Option<i64>,
}

/// The decisions about a contact, oldest first. Nothing else may have the
/// store open.
pub(crate) fn decided(world: &World, id: Uuid) -> Vec<Decided> {
    let store = rusqlite::Connection::open(world.path("store.db")).unwrap();
    let mut statement = store
        .prepare(
            "SELECT flag, result, reason, outcome, documented, told_by, request_ids, lead_us
             FROM consent_decision WHERE contact = ?1 ORDER BY id",
        )
        .unwrap();
    let rows = statement
        .query_map([id.as_bytes().as_slice()], |row| {
            Ok(Decided {
                flag: row.get(0)?,
                result: row.get(1)?,
                reason: row.get(2)?,
                outcome: row.get(3)?,
                documented: row.get(4)?,
                told_by: row.get(5)?,
                requests: row.get(6)?,
                lead_ms: row.get::<_, Option<i64>>(7)?.map(|us| us / 1000),
            })
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// The reasons of these decisions.
pub(crate) fn reasons(world: &World, id: Uuid) -> Vec<String> {
    decided(world, id).into_iter().map(|it| it.reason).collect()
}

/// One number out of the store.
pub(crate) fn number(world: &World, sql: &str) -> i64 {
    let store = rusqlite::Connection::open(world.path("store.db")).unwrap();
    store.query_row(sql, [], |row| row.get(0)).unwrap()
}
