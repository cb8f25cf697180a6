//! The reference model: what people did, and what must hold at every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::check;
use super::said::{Side, Word, Words};
use crate::clock::{Clock, Monotonic};
use crate::model::consent::Direction;
use crate::sandbox::Sandbox;

/// The pairs of flags, in Dynamics and in Campaign.
pub(crate) const PAIRS: [(&str, &str); 2] =
    [("donotbulkemail", "blackListEmail"), ("donotphone", "blackListPhone")];

/// Something that Campaign tells of a mail: of whose, and when it was.
#[derive(Clone, Copy)]
pub(super) struct Mail {
    pub(super) contact: Uuid,
    pub(super) time: Timestamp,
}

/// What people did so far.
pub(crate) struct Model {
    pub(super) clock: Clock,
    /// The versions of the names of contacts and vehicles.
    pub(super) versions: BTreeMap<Uuid, u64>,
    pub(super) seen: BTreeMap<Uuid, u64>,
    pub(super) words: BTreeMap<(Uuid, usize), Words>,
    pub(super) said: u64,
    /// Which way opt-outs travel.
    direction: Direction,
    /// Flags of which anything was ever said, and where.
    spoken: BTreeSet<(Uuid, usize, Side)>,
    /// Flags that contacts had when they came into being, and ever since.
    pub(super) born_out: BTreeSet<(Uuid, usize)>,
    /// Flags that contacts take over from others, with those whose no it is.
    taken_over: BTreeMap<(Uuid, usize), BTreeSet<Uuid>>,
    /// When the program last asked for a contact's profile, and how much had been
    /// said by then.
    pub(super) looked: BTreeMap<Uuid, (Monotonic, u64)>,
    /// Events by number.
    pub(super) events: Vec<Mail>,
    /// Of how many of them the journal may have told nobody.
    pub(super) lost_events: usize,
    /// What was written on profiles that is not mapped.
    pub(super) notes: BTreeMap<Uuid, String>,
    /// Contacts of which somebody on the way sent a request twice.
    pub(super) written_twice: BTreeSet<Uuid>,
    /// Whether writes may be carried out when nobody looks any more.
    pub(super) is_late: bool,
    /// Whether something was done in Campaign that only a comparison can mend.
    pub(super) mends: bool,
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
            lost_events: 0,
            notes: BTreeMap::new(),
            written_twice: BTreeSet::new(),
            is_late: false,
            mends: false,
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

    /// Somebody set or cleared a flag, which was set there as he cleared it if he
    /// `heard` that.
    pub(super) fn said(&mut self, (id, pair): (Uuid, usize), side: Side, out: bool, heard: bool) {
        self.said += 1;
        let word = Word { at: self.clock.monotonic(), side, number: self.said, heard };
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
        self.said((id, pair), Side::Dynamics, true, false);
        self.born_out.insert((id, pair));
    }

    /// One contact takes another in, and what it said.
    pub(super) fn merged(&mut self, winner: Uuid, loser: Uuid) {
        for pair in 0..PAIRS.len() {
            // With one direction the other side's word goes over it, or is not heard.
            let no = self.words.get(&(loser, pair)).and_then(Words::no_that_stands);
            let own = no.is_some_and(|no| self.is_safe(loser, pair, no.side));
            let others = self.taken_over.get(&(loser, pair)).cloned().unwrap_or_default();
            let whose = others.into_iter().chain(own.then_some(loser));
            self.taken_over.entry((winner, pair)).or_default().extend(whose);
        }
        self.merged.extend([winner, loser]);
        self.masters.insert(loser, winner);
    }

    /// Whether one contact is the other, or was taken in by it.
    pub(super) fn leads_to(&self, from: Uuid, to: Uuid) -> bool {
        std::iter::successors(Some(from), |it| self.masters.get(it).copied()).any(|it| it == to)
    }

    /// What was said by somebody who is no more, nobody can read, nor whom it had
    /// taken in: those lead to it, and no further.
    pub(super) fn deleted(&mut self, id: Uuid) {
        let mut taken_over = std::mem::take(&mut self.taken_over);
        for losers in taken_over.values_mut() {
            losers.retain(|loser| !self.leads_to(*loser, id));
        }
        self.taken_over = taken_over;
    }

    /// Whether a no that stands may not be lifted where it was said: with one
    /// direction the other side's word goes over it.
    pub(super) fn is_safe(&self, id: Uuid, pair: usize, side: Side) -> bool {
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
    /// where nobody ever spoke on the other side, nor took anybody in.
    pub(super) fn has_to_agree(&self, id: Uuid, pair: usize) -> bool {
        let merged = self.merged.contains(&id);
        let spoke = |side| merged || self.spoken.contains(&(id, pair, side));
        match self.direction {
            Direction::Bidirectional => true,
            Direction::DynamicsToCampaign => !spoke(Side::Campaign),
            Direction::CampaignToDynamics => !spoke(Side::Dynamics),
        }
    }

    /// Whether what is said on this side goes to Campaign, or is there.
    pub(super) fn reaches_campaign(&self, side: Side) -> bool {
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

    /// Whether a contact has to be opted out because of those it took in, on the
    /// sides that are written to.
    pub(crate) fn takes_over(&self, id: Uuid, pair: usize) -> bool {
        let losers = self.taken_over.get(&(id, pair));
        losers.is_some_and(|losers| !losers.is_empty()) && !(self.is_loser(id) || self.set_back)
    }

    /// Whether opt-outs travel to this side.
    pub(super) fn writes_to(&self, side: Side) -> bool {
        match self.direction {
            Direction::Bidirectional => true,
            Direction::DynamicsToCampaign => side == Side::Campaign,
            Direction::CampaignToDynamics => side == Side::Dynamics,
        }
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

    /// The program asks for a contact's profile. A deletion that nobody heard of
    /// may have been carried out since it asked before.
    pub(super) fn looks_at(&mut self, id: Uuid, sandbox: &Sandbox) {
        self.forget_what_nobody_could_know(&check::profiles(sandbox).into_keys().collect());
        self.looked.insert(id, (self.clock.monotonic(), self.said));
    }

    /// Where opt-outs may stay that were carried there, and that nobody can take back
    /// because the ledger lacks them: with one direction, the other side.
    pub(super) fn forgotten_in(&self) -> Option<Side> {
        match self.direction {
            Direction::DynamicsToCampaign if self.set_back => Some(Side::Campaign),
            Direction::CampaignToDynamics if self.set_back => Some(Side::Dynamics),
            Direction::DynamicsToCampaign
            | Direction::CampaignToDynamics
            | Direction::Bidirectional => None,
        }
    }

    /// Whether an opt-out may stay in Dynamics that Campaign has lifted: where a write
    /// of ours was sent twice, we take the second refusal for somebody else's write,
    /// and what Campaign says in the same moment is not later for certain.
    pub(super) fn may_stay_in_dynamics(&self, id: Uuid) -> bool {
        self.direction == Direction::CampaignToDynamics && self.written_twice.contains(&id)
    }

    /// An older store takes the place of the one that knew whose profile went with
    /// an opt-out.
    pub(super) fn is_set_back(&mut self, sandbox: &Sandbox) {
        self.set_back = true;
        let there: BTreeSet<Uuid> = check::profiles(sandbox).into_keys().collect();
        self.forget_what_profiles_said(sandbox, |id| !there.contains(id));
    }

    /// Nobody knows any more what was said on these profiles. Dynamics keeps what
    /// was carried there, as if somebody had said it there.
    fn forget_what_profiles_said(&mut self, sandbox: &Sandbox, gone: impl Fn(&Uuid) -> bool) {
        let in_dynamics = |id: &Uuid, pair: &usize| {
            let row = sandbox.dynamics().get("contact", *id).unwrap_or_default();
            row.get(PAIRS[*pair].0) == Some(&Value::Bool(true))
        };
        let (spoken, taken_over) = (&mut self.spoken, &mut self.taken_over);
        self.words.retain(|(id, pair), words| {
            let no = words.no_that_stands().filter(|no| no.side == Side::Campaign);
            let forgotten = no.is_some() && gone(id);
            if forgotten {
                spoken.insert((*id, *pair, Side::Dynamics));
            }
            // Who took it in can still read it where Dynamics has it, too.
            if forgotten && !in_dynamics(id, pair) {
                taken_over.iter_mut().filter(|((_, of), _)| of == pair).for_each(|(_, losers)| {
                    losers.remove(id);
                });
            }
            !forgotten
        });
    }

    /// Somebody has deleted a profile: what was said there alone nobody can know,
    /// and what was taken over there.
    pub(super) fn is_discarded(&mut self, sandbox: &Sandbox, id: Uuid) {
        self.notes.remove(&id);
        self.forget_what_profiles_said(sandbox, |of| *of == id);
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
