//! The reference model: what people did, and what must hold at every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::said::{Side, Word, Words};
use super::{Violation, check};
use crate::clock::{Clock, Monotonic};
use crate::model::consent::Direction;
use crate::sandbox::Sandbox;

/// The pairs of flags, in Dynamics and in Campaign.
pub(crate) const PAIRS: [(&str, &str); 2] =
    [("donotbulkemail", "blackListEmail"), ("donotphone", "blackListPhone")];

/// As long as a deletion may be on its way after the look that goes before it.
const ON_ITS_WAY: Duration = Duration::from_secs(160);

/// What people did so far.
pub(crate) struct Model {
    clock: Clock,
    /// The versions of the names of contacts and vehicles.
    pub(super) versions: BTreeMap<Uuid, u64>,
    seen: BTreeMap<Uuid, u64>,
    words: BTreeMap<(Uuid, usize), Words>,
    said: u64,
    /// Which way opt-outs travel.
    direction: Direction,
    /// Flags of which anything was ever said, and where.
    spoken: BTreeSet<(Uuid, usize, Side)>,
    /// Flags that contacts had when they came into being, and ever since.
    born_out: BTreeSet<(Uuid, usize)>,
    /// Flags that contacts take over from others, with those whose no it is.
    taken_over: BTreeMap<(Uuid, usize), BTreeSet<Uuid>>,
    /// When the program last asked for a contact's profile, and how much had been
    /// said by then.
    looked: BTreeMap<Uuid, (Monotonic, u64)>,
    /// Events by number, with their contact.
    pub(crate) events: Vec<Uuid>,
    /// Those that were taken in by another: their flags follow the table of edge
    /// cases, not the newest word.
    pub(super) merged: BTreeSet<Uuid>,
    /// Each that was taken in, with the one that took it in.
    masters: BTreeMap<Uuid, Uuid>,
    pub(super) added: u64,
    /// Whether the contacts are without a column, and the profiles without a
    /// field.
    pub(super) without: (bool, bool),
    /// Whether the store was once set back: what was written since may be
    /// written again, also what is older.
    pub(super) set_back: bool,
    /// By how many milliseconds the clocks of Dynamics and Campaign are wrong.
    pub(super) clocks: [i64; 2],
    began: Monotonic,
    /// What was done, for people.
    pub(crate) story: Vec<String>,
}

impl Model {
    /// A model of what stands in Dynamics now.
    pub(crate) fn new(sandbox: &Sandbox, clock: &Clock, direction: Direction) -> Self {
        let mut model = Self {
            clock: clock.clone(),
            versions: BTreeMap::new(),
            seen: BTreeMap::new(),
            words: BTreeMap::new(),
            said: 0,
            direction,
            spoken: BTreeSet::new(),
            born_out: BTreeSet::new(),
            taken_over: BTreeMap::new(),
            looked: BTreeMap::new(),
            events: Vec::new(),
            merged: BTreeSet::new(),
            masters: BTreeMap::new(),
            added: 0,
            without: (false, false),
            set_back: false,
            clocks: [0; 2],
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
                self.is_born_out(id, pair);
            }
        }
    }

    /// Somebody set or cleared a flag.
    pub(super) fn said(&mut self, id: Uuid, pair: usize, side: Side, out: bool) {
        self.said += 1;
        let word = Word { at: self.clock.monotonic(), side, number: self.said };
        self.spoken.insert((id, pair, side));
        let words = self.words.entry((id, pair)).or_default();
        if out {
            words.no[side as usize] = Some(word);
            return;
        }
        words.yes[side as usize] = Some(word);
        self.born_out.remove(&(id, pair));
        self.taken_over.remove(&(id, pair));
        self.taken_over.values_mut().for_each(|losers| {
            losers.remove(&id);
        });
    }

    /// A contact comes into being with a flag set.
    pub(super) fn is_born_out(&mut self, id: Uuid, pair: usize) {
        self.said(id, pair, Side::Dynamics, true);
        self.born_out.insert((id, pair));
    }

    /// One contact takes another in, and what it said.
    pub(super) fn merged(&mut self, winner: Uuid, loser: Uuid) {
        for pair in 0..PAIRS.len() {
            let own =
                self.words.get(&(loser, pair)).is_some_and(|it| it.no_that_stands().is_some());
            let others = self.taken_over.get(&(loser, pair)).cloned().unwrap_or_default();
            let whose = others.into_iter().chain(own.then_some(loser));
            self.taken_over.entry((winner, pair)).or_default().extend(whose);
        }
        self.merged.extend([winner, loser]);
        self.masters.insert(loser, winner);
    }

    /// What was said by somebody who is no more, nobody can read, nor whom it had
    /// taken in: those lead to it, and no further.
    pub(super) fn deleted(&mut self, id: Uuid) {
        let masters = &self.masters;
        let leads_here = |loser: &Uuid| {
            std::iter::successors(Some(*loser), |it| masters.get(it).copied()).any(|it| it == id)
        };
        for losers in self.taken_over.values_mut() {
            losers.retain(|loser| !leads_here(loser));
        }
    }

    /// Whether a no that stands may not be lifted where it was said: with one
    /// direction the other side's word goes over it.
    fn is_safe(&self, id: Uuid, pair: usize, side: Side) -> bool {
        match (self.direction, side) {
            (Direction::Bidirectional, _)
            | (Direction::DynamicsToCampaign, Side::Dynamics)
            | (Direction::CampaignToDynamics, Side::Campaign) => true,
            (Direction::DynamicsToCampaign, Side::Campaign) => false,
            (Direction::CampaignToDynamics, Side::Dynamics) => {
                !self.spoken.contains(&(id, pair, Side::Campaign))
            }
        }
    }

    /// Whether both sides have to say the same in the end: with one direction,
    /// where nobody ever spoke on the other side.
    pub(super) fn has_to_agree(&self, id: Uuid, pair: usize) -> bool {
        let spoke = |side| self.spoken.contains(&(id, pair, side));
        match self.direction {
            Direction::Bidirectional => true,
            Direction::DynamicsToCampaign => !spoke(Side::Campaign),
            Direction::CampaignToDynamics => !spoke(Side::Dynamics),
        }
    }

    /// Whether what is said on this side goes to Campaign, or is there.
    fn reaches_campaign(&self, side: Side) -> bool {
        match self.direction {
            Direction::Bidirectional => true,
            Direction::DynamicsToCampaign => side == Side::Dynamics,
            Direction::CampaignToDynamics => side == Side::Campaign,
        }
    }

    /// Whether a no stands that has to be on the profile in the end. Towards
    /// Campaign alone nobody looks what is said there.
    pub(super) fn is_out_in_campaign(&self, id: Uuid, pair: usize) -> bool {
        let unheard = self.direction == Direction::DynamicsToCampaign
            && self.spoken.contains(&(id, pair, Side::Campaign));
        !unheard && self.said_no(id, pair).is_some_and(|side| self.reaches_campaign(side))
    }

    /// The same of the contact in Dynamics.
    pub(super) fn is_out_in_dynamics(&self, id: Uuid, pair: usize) -> bool {
        self.direction != Direction::DynamicsToCampaign
            && self.said_no(id, pair) == Some(Side::Campaign)
    }

    /// Whether a contact has to be opted out because of those it took in.
    pub(crate) fn takes_over(&self, id: Uuid, pair: usize) -> bool {
        let losers = self.taken_over.get(&(id, pair));
        losers.is_some_and(|losers| !losers.is_empty()) && !(self.is_loser(id) || self.set_back)
    }

    /// Time since the beginning.
    pub(super) fn since_begin(&self) -> Duration {
        self.clock.monotonic().since(self.began)
    }

    /// The version of the name that a record has now.
    pub(crate) fn version(&self, id: Uuid) -> u64 {
        self.versions.get(&id).copied().unwrap_or_default()
    }

    /// Whether a contact was taken in by another: it is not written any more, and
    /// its profile stays opted out.
    pub(crate) fn is_loser(&self, id: Uuid) -> bool {
        self.masters.contains_key(&id)
    }

    /// Whether the newest word about a flag was a yes in Campaign.
    pub(crate) fn said_yes_in_campaign(&self, id: Uuid, pair: usize) -> bool {
        self.words.get(&(id, pair)).is_some_and(|words| {
            words.no_that_stands().is_none()
                && words.newest_yes().is_some_and(|yes| yes.side == Side::Campaign)
        })
    }

    /// Whether the newest word about a flag was no, and on which side.
    pub(crate) fn said_no(&self, id: Uuid, pair: usize) -> Option<Side> {
        if self.merged.contains(&id) {
            return None;
        }
        self.words.get(&(id, pair))?.no_that_stands().map(|no| no.side)
    }

    /// What must hold in Campaign after every request that may change it.
    pub(crate) fn observe_campaign(&mut self, sandbox: &Sandbox) -> Result<(), Violation> {
        let mut known = BTreeSet::new();
        let flags = PAIRS.map(|(_, flag)| flag_name(sandbox, flag));
        let fields = ["externalId", "lastName", flags[0], flags[1]];
        for profile in sandbox.glance_at_resource("profile", &fields) {
            let [key, name, shown @ ..] = &profile[..] else { continue };
            let Some(id) = as_id(key) else { continue };
            if !known.insert(id) {
                return Err(Violation::new("I2", format!("two profiles have {id}")));
            }
            let is_new = !self.seen.contains_key(&id);
            self.name_is_not_older(id, name)?;
            for (pair, flag) in flags.into_iter().enumerate() {
                let is_set = shown.get(pair) == Some(&Value::Bool(true));
                let born_out =
                    self.reaches_campaign(Side::Dynamics) && self.born_out.contains(&(id, pair));
                if is_new && born_out && !is_set {
                    let what = format!("the profile of {id} was made without {flag}");
                    return Err(Violation::new("I8", what));
                }
                let safe = self.is_safe(id, pair, Side::Campaign);
                if safe && self.said_no(id, pair) == Some(Side::Campaign) && !is_set {
                    return Err(Violation::new(
                        "I8",
                        format!("{flag} of {id} was lifted in Campaign"),
                    ));
                }
            }
        }
        self.forget_what_nobody_could_know(&known);
        for car in sandbox.glance_at_resource("cusVehicle", &["cusVehicleId", "cusName"]) {
            let [key, name] = &car[..] else { continue };
            let Some(id) = as_id(key) else { continue };
            if !known.insert(id) {
                return Err(Violation::new("I2", format!("two vehicles have {id}")));
            }
            self.name_is_not_older(id, name)?;
        }
        Ok(())
    }

    /// The program asks for a contact's profile.
    pub(super) fn looks_at(&mut self, id: Uuid) {
        self.looked.insert(id, (self.clock.monotonic(), self.said));
    }

    /// Whether the ledger may lack what was carried to Campaign, where Campaign is not
    /// asked what it holds.
    pub(super) fn is_forgotten_towards_campaign(&self) -> bool {
        self.set_back && self.direction == Direction::DynamicsToCampaign
    }

    /// An older store takes the place of the one that knew whose profile went with
    /// an opt-out.
    pub(super) fn is_set_back(&mut self, sandbox: &Sandbox) {
        self.set_back = true;
        let there: BTreeSet<Uuid> = check::profiles(sandbox).into_keys().collect();
        self.words.retain(|(id, _), words| {
            let no = words.no_that_stands();
            there.contains(id) || no.is_none_or(|no| no.side != Side::Campaign)
        });
    }

    /// A profile is looked at before it is deleted: what is said on it while the
    /// deletion is on its way goes with it.
    fn forget_what_nobody_could_know(&mut self, there: &BTreeSet<Uuid>) {
        let (now, looked) = (self.clock.monotonic(), &self.looked);
        self.words.retain(|(id, _), words| {
            let no = words.no_that_stands().filter(|no| no.side == Side::Campaign);
            let no = no.filter(|_| !there.contains(id));
            let (Some(no), Some((at, said))) = (no, looked.get(id)) else { return true };
            no.number <= *said || now.since(*at) > ON_ITS_WAY
        });
    }

    /// What must hold in Dynamics after every request that may change it.
    pub(crate) fn observe_dynamics(&self, sandbox: &Sandbox) -> Result<(), Violation> {
        let columns = PAIRS.map(|(column, _)| column);
        for (id, shown) in sandbox.glance_at_table("contact", &columns) {
            for (pair, column) in columns.into_iter().enumerate() {
                let is_set = shown.get(pair) == Some(&Value::Bool(true));
                let safe = self.is_safe(id, pair, Side::Dynamics);
                if safe && !is_set && self.said_no(id, pair) == Some(Side::Dynamics) {
                    let what = format!("{column} of {id} was lifted in Dynamics");
                    return Err(Violation::new("I8", what));
                }
            }
        }
        Ok(())
    }

    fn name_is_not_older(&mut self, id: Uuid, name: &Value) -> Result<(), Violation> {
        let name = name.as_str().unwrap_or_default();
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
    as_id(row.get(field)?)
}

fn as_id(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}
