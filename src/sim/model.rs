//! The reference model: what people did, and what must hold at every moment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::Violation;
use crate::clock::{Clock, Monotonic};
use crate::sandbox::Sandbox;

/// The pairs of flags, in Dynamics and in Campaign.
pub(crate) const PAIRS: [(&str, &str); 2] =
    [("donotbulkemail", "blackListEmail"), ("donotphone", "blackListPhone")];

/// On which side somebody did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// In Dynamics.
    Dynamics,
    /// In Campaign.
    Campaign,
}

/// The newest word of each kind about one flag, by true time.
#[derive(Clone, Copy, Debug, Default)]
struct Words {
    no: Option<(Monotonic, Side)>,
    yes: Option<Monotonic>,
}

/// What people did so far.
pub(crate) struct Model {
    clock: Clock,
    /// The versions of the names of contacts and vehicles.
    pub(super) versions: BTreeMap<Uuid, u64>,
    seen: BTreeMap<Uuid, u64>,
    words: BTreeMap<(Uuid, usize), Words>,
    /// Events by number, with their contact.
    pub(crate) events: Vec<Uuid>,
    /// Those that were taken in by another: their flags follow the table of edge
    /// cases, not the newest word.
    pub(super) merged: BTreeSet<Uuid>,
    pub(super) losers: BTreeSet<Uuid>,
    pub(super) added: u64,
    /// Whether the contacts are without a column, and the profiles without a
    /// field.
    pub(super) without: (bool, bool),
    /// Whether anybody ever changed a schema.
    pub(crate) schema_changed: bool,
    /// Whether the store was once set back: what was written since may be
    /// written again, also what is older.
    pub(super) set_back: bool,
    began: Monotonic,
    /// What was done, for people.
    pub(crate) story: Vec<String>,
}

impl Model {
    /// A model of what stands in Dynamics now.
    pub(crate) fn new(sandbox: &Sandbox, clock: &Clock) -> Self {
        let mut model = Self {
            clock: clock.clone(),
            versions: BTreeMap::new(),
            seen: BTreeMap::new(),
            words: BTreeMap::new(),
            events: Vec::new(),
            merged: BTreeSet::new(),
            losers: BTreeSet::new(),
            added: 0,
            without: (false, false),
            schema_changed: false,
            set_back: false,
            began: clock.monotonic(),
            story: Vec::new(),
        };
        for id in sandbox.dynamics().ids("contact") {
            model.begin(sandbox, id);
        }
        // Generated ones; here all are made by people.
        for id in sandbox.dynamics().ids("new_vehicle") {
            sandbox.dynamics().delete("new_vehicle", id);
        }
        model
    }

    fn begin(&mut self, sandbox: &Sandbox, id: Uuid) {
        self.versions.insert(id, 0);
        let first = json!({ "lastname": "v0", "statecode": 0, "statuscode": 1,
            "emailaddress1": format!("p{}@example.com", id.simple()) });
        // A generated contact may be an odd one; here all begin alike.
        let _ = sandbox.dynamics().update("contact", id, &first);
        let row = sandbox.dynamics().get("contact", id).unwrap_or_default();
        for (pair, (column, _)) in PAIRS.into_iter().enumerate() {
            if row.get(column) == Some(&Value::Bool(true)) {
                self.said(id, pair, Side::Dynamics, true);
            }
        }
    }

    pub(super) fn said(&mut self, id: Uuid, pair: usize, side: Side, out: bool) {
        let now = self.clock.monotonic();
        let words = self.words.entry((id, pair)).or_default();
        if out {
            words.no = Some((now, side));
        } else {
            words.yes = Some(now);
        }
    }

    /// Time since the beginning.
    pub(super) fn since_begin(&self) -> std::time::Duration {
        self.clock.monotonic().since(self.began)
    }

    /// The version of the name that a record has now.
    pub(crate) fn version(&self, id: Uuid) -> u64 {
        self.versions.get(&id).copied().unwrap_or_default()
    }

    /// Whether a contact was taken in by another: it is not written any more, and
    /// its profile stays opted out.
    pub(crate) fn is_loser(&self, id: Uuid) -> bool {
        self.losers.contains(&id)
    }

    /// Whether the newest word about a flag was no, and on which side.
    pub(crate) fn said_no(&self, id: Uuid, pair: usize) -> Option<Side> {
        if self.merged.contains(&id) {
            return None;
        }
        let words = self.words.get(&(id, pair))?;
        let (at, side) = words.no?;
        words.yes.is_none_or(|yes| yes < at).then_some(side)
    }

    /// What must hold after every request.
    pub(crate) fn observe(&mut self, sandbox: &Sandbox) -> Result<(), Violation> {
        let mut known = BTreeSet::new();
        for profile in sandbox.campaign().rows("profile") {
            let Some(id) = external_id(&profile) else { continue };
            if !known.insert(id) {
                return Err(Violation::new("I2", format!("two profiles have {id}")));
            }
            self.name_is_not_older(id, &profile, "lastName")?;
            for (pair, (_, flag)) in PAIRS.into_iter().enumerate() {
                if self.said_no(id, pair) == Some(Side::Campaign) && !flag_of(&profile, flag) {
                    return Err(Violation::new(
                        "I8",
                        format!("{flag} of {id} was lifted in Campaign"),
                    ));
                }
            }
        }
        for car in sandbox.campaign().rows("cusVehicle") {
            let Some(id) = id_in(&car, "cusVehicleId") else { continue };
            if !known.insert(id) {
                return Err(Violation::new("I2", format!("two vehicles have {id}")));
            }
            self.name_is_not_older(id, &car, "cusName")?;
        }
        for id in sandbox.dynamics().ids("contact") {
            for (pair, (column, _)) in PAIRS.into_iter().enumerate() {
                if self.said_no(id, pair) != Some(Side::Dynamics) {
                    continue;
                }
                let row = sandbox.dynamics().get("contact", id).unwrap_or_default();
                if row.get(column) != Some(&Value::Bool(true)) {
                    return Err(Violation::new(
                        "I8",
                        format!("{column} of {id} was lifted in Dynamics"),
                    ));
                }
            }
        }
        Ok(())
    }

    fn name_is_not_older(
        &mut self,
        id: Uuid,
        row: &serde_json::Map<String, Value>,
        field: &str,
    ) -> Result<(), Violation> {
        let name = row.get(field).and_then(Value::as_str).unwrap_or_default();
        let Some(version) = name.strip_prefix('v').and_then(|it| it.parse::<u64>().ok()) else {
            return Err(Violation::new(
                "I2",
                format!("{id} has a name that nobody gave: {name:?}"),
            ));
        };
        if version > self.version(id) {
            return Err(Violation::new("I2", format!("{id} has version {version} too early")));
        }
        let newest = self.seen.entry(id).or_default();
        if version < *newest && !self.set_back {
            return Err(Violation::new("I3", format!("{id} went from {newest} back to {version}")));
        }
        *newest = version;
        Ok(())
    }
}

/// The name of a flag as this Campaign has it.
pub(super) fn flag_name<'a>(sandbox: &Sandbox, flag: &'a str) -> &'a str {
    if !sandbox.variants().deny_list_names {
        return flag;
    }
    match flag {
        "blackListEmail" => "denyListEmail",
        "blackListPhone" => "denyListPhone",
        other => other,
    }
}

/// Whether a profile's flag is set, whichever of both names it has.
pub(crate) fn flag_of(profile: &serde_json::Map<String, Value>, flag: &str) -> bool {
    let other = flag.replace("blackList", "denyList");
    [flag, other.as_str()].iter().any(|name| profile.get(*name) == Some(&Value::Bool(true)))
}

/// The contact that a profile belongs to.
pub(crate) fn external_id(profile: &serde_json::Map<String, Value>) -> Option<Uuid> {
    id_in(profile, "externalId")
}

/// The id that a field holds.
pub(crate) fn id_in(row: &serde_json::Map<String, Value>, field: &str) -> Option<Uuid> {
    row.get(field)?.as_str()?.parse().ok()
}
