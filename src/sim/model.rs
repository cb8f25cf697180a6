//! The reference model: what people did, and what must hold at every moment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::Violation;
use super::plan::Act;
use crate::clock::{Clock, Monotonic};
use crate::sandbox::{Sandbox, System};

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
    versions: BTreeMap<Uuid, u64>,
    seen: BTreeMap<Uuid, u64>,
    words: BTreeMap<(Uuid, usize), Words>,
    /// Events by number, with their contact.
    pub(crate) events: Vec<Uuid>,
    /// Those that were taken in by another: their flags follow the table of edge
    /// cases, not the newest word.
    merged: BTreeSet<Uuid>,
    losers: BTreeSet<Uuid>,
    added: u64,
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
            story: Vec::new(),
        };
        for id in sandbox.dynamics().ids("contact") {
            model.begin(sandbox, id);
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

    fn said(&mut self, id: Uuid, pair: usize, side: Side, out: bool) {
        let now = self.clock.monotonic();
        let words = self.words.entry((id, pair)).or_default();
        if out {
            words.no = Some((now, side));
        } else {
            words.yes = Some(now);
        }
    }

    /// Somebody does something.
    pub(crate) fn act(&mut self, sandbox: &Sandbox, act: &Act) {
        let dynamics = sandbox.dynamics();
        let ids = dynamics.ids("contact");
        let of = |who: &usize| ids.get(who.checked_rem(ids.len())?).copied();
        self.story.push(format!("{act:?}"));
        match act {
            Act::Edit(who) => {
                let Some(id) = of(who) else { return };
                let version = self.versions.entry(id).or_default();
                let name = format!("v{}", *version + 1);
                if dynamics.update("contact", id, &json!({ "lastname": name })).is_ok() {
                    *version += 1;
                }
            }
            Act::Add(out) => {
                self.added += 1;
                let row = json!({ "lastname": "v0", "firstname": format!("n{}", self.added),
                    "emailaddress1": format!("a{}@example.com", self.added),
                    "donotbulkemail": out });
                if let Ok(id) = dynamics.insert("contact", &row) {
                    self.versions.insert(id, 0);
                    if *out {
                        self.said(id, 0, Side::Dynamics, true);
                    }
                }
            }
            Act::Delete(who) => {
                if let Some(id) = of(who) {
                    dynamics.delete("contact", id);
                }
            }
            Act::Merge(winner, loser) => {
                let (Some(winner), Some(loser)) = (of(winner), of(loser)) else { return };
                if winner != loser && dynamics.merge("contact", winner, loser).is_ok() {
                    self.merged.extend([winner, loser]);
                    self.losers.insert(loser);
                }
            }
            Act::InDynamics(who, pair, out) => {
                let (Some(id), (column, _)) = (of(who), PAIRS[*pair]) else { return };
                if dynamics.update("contact", id, &json!({ column: out })).is_ok() {
                    self.said(id, *pair, Side::Dynamics, *out);
                }
            }
            Act::InCampaign(who, pair, out) => {
                let (Some(id), (_, flag)) = (of(who), PAIRS[*pair]) else { return };
                let now = sandbox.now(System::Campaign);
                let key = id.to_string();
                let set =
                    sandbox.campaign().set_flag_at(&key, flag_name(sandbox, flag), *out, Some(now));
                if set.is_ok_and(|profiles| profiles > 0) {
                    self.said(id, *pair, Side::Campaign, *out);
                }
            }
            Act::Mail(who) => {
                if let Some(id) = of(who) {
                    self.mail(sandbox, id);
                }
            }
            Act::ExpireTokens => dynamics.expire_tokens(),
            Act::RevokeAccess => {
                dynamics.revoke_bearer_tokens();
                sandbox.campaign().revoke_bearer_tokens();
            }
            Act::Clock(system, offset) => sandbox.set_clock_offset(*system, *offset),
        }
    }

    fn mail(&mut self, sandbox: &Sandbox, id: Uuid) {
        let number = self.events.len();
        let kinds = ["send", "open", "click", "bounce"];
        sandbox.journal().add(&[json!({
            "id": format!("e{number}"),
            "kind": kinds[number % kinds.len()],
            "contact": id.to_string(),
            "time": sandbox.now(System::Journal).to_string(),
            "campaign": "Spring", "delivery": "First",
            "url": "https://example.com/", "mirror": "https://example.com/m",
        })]);
        self.events.push(id);
    }

    /// The version of the name that a contact has now.
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
            self.name_is_not_older(id, &profile)?;
            for (pair, (_, flag)) in PAIRS.into_iter().enumerate() {
                if self.said_no(id, pair) == Some(Side::Campaign) && !flag_of(&profile, flag) {
                    return Err(Violation::new(
                        "I8",
                        format!("{flag} of {id} was lifted in Campaign"),
                    ));
                }
            }
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
        profile: &serde_json::Map<String, Value>,
    ) -> Result<(), Violation> {
        let name = profile.get("lastName").and_then(Value::as_str).unwrap_or_default();
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
        if version < *newest {
            return Err(Violation::new("I3", format!("{id} went from {newest} back to {version}")));
        }
        *newest = version;
        Ok(())
    }
}

/// The name of a flag as this Campaign has it.
fn flag_name<'a>(sandbox: &Sandbox, flag: &'a str) -> &'a str {
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
    profile.get("externalId")?.as_str()?.parse().ok()
}
