//! What must hold after every request that may change something.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::Violation;
use super::model::{Model, PAIRS, flag_name};
use super::people::NOTED;
use super::said::Side;
use crate::sandbox::Sandbox;

/// As long as a deletion may be on its way after the look that goes before it.
const ON_ITS_WAY: Duration = Duration::from_secs(160);

impl Model {
    /// What must hold in Campaign after every request that may change it.
    pub(crate) fn observe_campaign(&mut self, sandbox: &Sandbox) -> Result<(), Violation> {
        let mut known = BTreeSet::new();
        let flags = PAIRS.map(|(_, flag)| flag_name(sandbox, flag));
        let fields = ["externalId", "lastName", NOTED, flags[0], flags[1]];
        for profile in sandbox.glance_at_resource("profile", &fields) {
            let [key, name, note, shown @ ..] = &profile[..] else { continue };
            let Some(id) = as_id(key) else {
                return Err(Violation::new("I2", "there is a profile of nobody"));
            };
            if !known.insert(id) {
                return Err(Violation::new("I2", format!("two profiles have {id}")));
            }
            let is_new = !self.seen.contains_key(&id);
            self.name_is_not_older(id, name)?;
            if self.is_late && note.is_null() {
                // It may have gone and come back.
                self.notes.remove(&id);
            }
            if self.notes.get(&id).map(String::as_str) != note.as_str() {
                return Err(Violation::new("I11", format!("the note of {id} is {note}")));
            }
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
        self.notes.retain(|id, _| known.contains(id));
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

    /// A profile is looked at before it is deleted: what is said on it while the
    /// deletion is on its way goes with it.
    pub(super) fn forget_what_nobody_could_know(&mut self, there: &BTreeSet<Uuid>) {
        let (now, looked) = (self.clock.monotonic(), &self.looked);
        self.words.retain(|(id, _), words| {
            let no = words.no_that_stands().filter(|no| no.side == Side::Campaign);
            let no = no.filter(|_| !there.contains(id));
            let (Some(no), Some((at, said))) = (no, looked.get(id)) else { return true };
            no.number <= *said || now.since(*at) > ON_ITS_WAY
        });
    }
}

fn as_id(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}
