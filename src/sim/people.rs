//! What people do in both systems, and that the model remembers it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{Mail, Model, PAIRS, flag_name};
use super::plan::{Act, Change};
use super::said::Side;
use crate::sandbox::{Sandbox, System};

/// What the contacts lose and get back.
const COLUMN: &str = "firstname";
/// What is not mapped of a profile.
pub(super) const NOTED: &str = "salutation";
/// What the profiles lose and get back.
const FIELD: &str = "firstName";

impl Model {
    /// Somebody does something. What the program is asked for is done elsewhere.
    pub(crate) fn act(&mut self, sandbox: &Sandbox, act: &Act) {
        let dynamics = sandbox.dynamics();
        let ids = dynamics.ids("contact");
        let of = |who: &usize| ids.get(who.checked_rem(ids.len())?).copied();
        self.story.push(format!("{:?} {act:?}", self.since_begin()));
        match act {
            Act::Edit(who) => self.next_version(sandbox, ("contact", "lastname"), of(who)),
            Act::Job(who, job) => {
                let Some(id) = of(who) else { return };
                let job = job.map(|job| format!("job {job}"));
                let _ = dynamics.update("contact", id, &json!({ "jobtitle": job }));
            }
            Act::Add(out) => self.add(sandbox, *out),
            Act::Delete(who) => {
                if let Some(id) = of(who) {
                    self.delete(sandbox, id);
                }
            }
            Act::Merge(winner, loser) => {
                if let (Some(winner), Some(loser)) = (of(winner), of(loser)) {
                    self.merge(sandbox, winner, loser);
                }
            }
            Act::Flip(who) => {
                let Some(id) = of(who) else { return };
                let now = dynamics.get("contact", id).unwrap_or_default();
                let was_first = now.get("jobtitle") == Some(&json!("job 0"));
                let job = if was_first { "job 1" } else { "job 0" };
                let _ = dynamics.update("contact", id, &json!({ "jobtitle": job }));
            }
            Act::InDynamics(who, pair, out) => {
                if let Some(id) = of(who) {
                    self.says_in_dynamics(sandbox, id, *pair, *out);
                }
            }
            Act::InCampaign(who, pair, out) => {
                if let Some(id) = of(who) {
                    self.says_in_campaign(sandbox, id, *pair, *out);
                }
            }
            Act::Argue(who, pair, out) => {
                if let Some(id) = of(who) {
                    self.says_in_campaign(sandbox, id, *pair, !out);
                    self.says_in_dynamics(sandbox, id, *pair, *out);
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
            Act::Clock(system, by) => {
                let offset = &mut self.clocks[usize::from(*system == System::Campaign)];
                *offset += by;
                sandbox.set_clock_offset(*system, *offset);
            }
            Act::Schema(change) => self.schema(sandbox, *change),
            Act::AddCar(_) | Act::MoveCar(..) | Act::NameCar(_) | Act::DeleteCar(_) => {
                self.with_cars(sandbox, act, &ids);
            }
            Act::Note(who) => self.notes(sandbox, of(who)),
            Act::Overwrite(who) => self.overwrite(sandbox, of(who)),
            Act::Discard(who) => self.discard(sandbox, of(who)),
            Act::ExpireEvents(count) => self.expire_events(sandbox, *count),
            Act::OwnClock(_) | Act::Ask(_) => {}
        }
    }

    fn merge(&mut self, sandbox: &Sandbox, winner: Uuid, loser: Uuid) {
        // Nobody merges what is merged: it is inactive.
        let merged = self.is_loser(winner) || self.is_loser(loser) || winner == loser;
        if !merged && sandbox.dynamics().merge("contact", winner, loser).is_ok() {
            self.merged(winner, loser);
        }
    }

    /// A contact is deleted.
    pub(super) fn delete(&mut self, sandbox: &Sandbox, id: Uuid) {
        sandbox.dynamics().delete("contact", id);
        self.deleted(id);
    }

    /// Somebody does something with a vehicle; `people` are its possible owners.
    fn with_cars(&mut self, sandbox: &Sandbox, act: &Act, people: &[Uuid]) {
        let dynamics = sandbox.dynamics();
        let cars = dynamics.ids("new_vehicle");
        let car_of = |which: &usize| cars.get(which.checked_rem(cars.len())?).copied();
        let bound = |owner: &Option<usize>| {
            let owner = owner.and_then(|it| people.get(it.checked_rem(people.len())?));
            owner.map(|owner| json!(format!("/contacts({owner})")))
        };
        if let Act::AddCar(owner) = act {
            let mut row = json!({ "new_name": "v0" });
            if let Some(owner) = bound(owner) {
                row["new_ContactId@odata.bind"] = owner;
            }
            if let Ok(id) = dynamics.insert("new_vehicle", &row) {
                self.versions.insert(id, 0);
            }
        }
        if let Act::MoveCar(car, owner) = act
            && let Some(id) = car_of(car)
        {
            let change = match bound(owner) {
                Some(owner) => json!({ "new_ContactId@odata.bind": owner }),
                None => json!({ "new_contactid": null }),
            };
            let _ = dynamics.update("new_vehicle", id, &change);
        }
        if let Act::NameCar(car) = act {
            self.next_version(sandbox, ("new_vehicle", "new_name"), car_of(car));
        }
        if let Act::DeleteCar(car) = act
            && let Some(id) = car_of(car)
        {
            dynamics.delete("new_vehicle", id);
        }
    }

    fn next_version(&mut self, sandbox: &Sandbox, (table, column): (&str, &str), id: Option<Uuid>) {
        let Some(id) = id else { return };
        let version = self.versions.entry(id).or_default();
        let name = json!({ column: format!("v{}", *version + 1) });
        if sandbox.dynamics().update(table, id, &name).is_ok() {
            *version += 1;
        }
    }

    fn add(&mut self, sandbox: &Sandbox, out: bool) {
        self.added += 1;
        let mut row = json!({ "lastname": "v0", "jobtitle": "job 0",
            "emailaddress1": format!("a{}@example.com", self.added), "donotbulkemail": out });
        if !self.without.0 {
            row[COLUMN] = json!(format!("n{}", self.added));
        }
        if let Ok(id) = sandbox.dynamics().insert("contact", &row) {
            self.versions.insert(id, 0);
            if out {
                self.is_born_out(id, 0);
            }
        }
    }

    fn says_in_dynamics(&mut self, sandbox: &Sandbox, id: Uuid, pair: usize, out: bool) {
        let (dynamics, (column, _)) = (sandbox.dynamics(), PAIRS[pair]);
        // A merged contact may differ from its profile for good: nobody takes a no
        // back there, or says it again.
        let now = dynamics.get("contact", id).unwrap_or_default();
        let was_out = now.get(column) == Some(&json!(true));
        if self.is_loser(id) && (!out || was_out) {
            return;
        }
        if dynamics.update("contact", id, &json!({ column: out })).is_ok() {
            self.said((id, pair), Side::Dynamics, out, was_out && !out);
        }
    }

    fn says_in_campaign(&mut self, sandbox: &Sandbox, id: Uuid, pair: usize, out: bool) {
        let flag = flag_name(sandbox, PAIRS[pair].1);
        let now = sandbox.now(System::Campaign);
        let set = sandbox.campaign().set_flag_at(&id.to_string(), flag, out, Some(now));
        if set.is_ok_and(|profiles| profiles > 0) {
            self.said((id, pair), Side::Campaign, out, false);
        }
    }

    /// Somebody writes what is not mapped: it stays as long as the profile.
    fn notes(&mut self, sandbox: &Sandbox, id: Option<Uuid>) {
        let Some(id) = id else { return };
        self.added += 1;
        let note = format!("note {}", self.added);
        if changes(sandbox, id, &json!({ NOTED: note })) {
            self.notes.insert(id, note);
        }
    }

    /// Somebody writes over what is mapped.
    fn overwrite(&mut self, sandbox: &Sandbox, id: Option<Uuid>) {
        let change = json!({ "email": "somebody@example.net" });
        self.mends |= id.is_some_and(|id| changes(sandbox, id, &change));
    }

    fn expire_events(&mut self, sandbox: &Sandbox, count: usize) {
        sandbox.journal().expire_oldest(count);
        self.lost_events = self.events.len();
    }

    /// A profile goes that nobody has deleted in Dynamics, and what was said on it
    /// alone.
    fn discard(&mut self, sandbox: &Sandbox, id: Option<Uuid>) {
        let Some(id) = id else { return };
        if sandbox.campaign().delete("profile", "externalId", &id.to_string()) > 0 {
            self.mends = true;
            self.is_discarded(sandbox, id);
        }
    }

    fn mail(&mut self, sandbox: &Sandbox, id: Uuid) {
        let number = self.events.len();
        let kinds = ["send", "open", "click", "bounce"];
        let time = sandbox.now(System::Journal);
        sandbox.journal().add(&[json!({
            "id": format!("e{number}"),
            "kind": kinds[number % kinds.len()],
            "contact": id.to_string(),
            "time": time.to_string(),
            "campaign": "Spring", "delivery": "First",
            "url": "https://example.com/", "mirror": "https://example.com/m",
        })]);
        self.events.push(Mail { contact: id, time });
    }

    /// An administrator changes a schema.
    pub(super) fn schema(&mut self, sandbox: &Sandbox, change: Change) {
        let (dynamics, campaign) = (sandbox.dynamics(), sandbox.campaign());
        let (column, field) = self.without;
        match change {
            Change::Column(true) if !column => {
                self.without.0 = dynamics.remove_column("contact", COLUMN).is_ok();
            }
            Change::Column(false) if column => {
                self.without.0 = dynamics.restore_column("contact", COLUMN).is_err();
            }
            Change::Field(true) if !field => {
                self.without.1 = campaign.remove_field("profile", FIELD).is_ok();
            }
            Change::Field(false) if field => {
                self.without.1 = campaign.restore_field("profile", FIELD).is_err();
            }
            Change::Column(_) | Change::Field(_) => {}
            Change::Further => {
                self.added += 1;
                let name = format!("new_Further{}", self.added);
                let kind = crate::sandbox::ColumnType::Text { max: 50 };
                let _ = dynamics.add_column("contact", &name, kind);
            }
        }
    }

    /// Gives both systems back what was taken away.
    pub(crate) fn mend_schema(&mut self, sandbox: &Sandbox) {
        if self.without != (false, false) {
            self.schema(sandbox, Change::Column(false));
            self.schema(sandbox, Change::Field(false));
        }
    }
}

/// A user of Campaign changes a profile, if there is one.
fn changes(sandbox: &Sandbox, id: Uuid, change: &Value) -> bool {
    let changed = sandbox.campaign().update("profile", "externalId", &id.to_string(), change);
    changed.is_ok_and(|profiles| profiles > 0)
}

impl Act {
    /// The same act, of another contact.
    pub(super) fn of(&self, who: usize) -> Self {
        match self {
            Self::Edit(_) => Self::Edit(who),
            Self::Job(_, job) => Self::Job(who, *job),
            Self::Flip(_) => Self::Flip(who),
            Self::Delete(_) => Self::Delete(who),
            Self::Note(_) => Self::Note(who),
            Self::Overwrite(_) => Self::Overwrite(who),
            Self::Discard(_) => Self::Discard(who),
            Self::InDynamics(_, pair, out) => Self::InDynamics(who, *pair, *out),
            Self::InCampaign(_, pair, out) => Self::InCampaign(who, *pair, *out),
            Self::Argue(_, pair, out) => Self::Argue(who, *pair, *out),
            Self::Add(_)
            | Self::Merge(..)
            | Self::AddCar(_)
            | Self::MoveCar(..)
            | Self::NameCar(_)
            | Self::DeleteCar(_)
            | Self::Mail(_)
            | Self::ExpireEvents(_)
            | Self::ExpireTokens
            | Self::RevokeAccess
            | Self::Clock(..)
            | Self::OwnClock(_)
            | Self::Schema(_)
            | Self::Ask(_) => self.clone(),
        }
    }
}
