//! What must hold once all is quiet: both sides, record by record.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::model::{Model, PAIRS, external_id, flag_of, id_in};
use super::plan::Settings;
use super::said::Side;
use super::{Violation, events};
use crate::sandbox::Sandbox;

/// Compares both sides.
pub(crate) fn quiet(
    sandbox: &Sandbox,
    model: &Model,
    settings: &Settings,
) -> Result<(), Violation> {
    let profiles = profiles(sandbox);
    let ids: BTreeSet<Uuid> = sandbox.dynamics().ids("contact").into_iter().collect();
    for id in &ids {
        let contact = sandbox.dynamics().get("contact", *id).unwrap_or_default();
        let wanted = in_scope(&contact, settings);
        let Some(profile) = profiles.get(id) else {
            if !wanted {
                without_profile(*id, &contact, model)?;
                continue;
            }
            return Err(Violation::new("I1", format!("{id} has no profile")));
        };
        if !wanted && settings.keeps {
            continue;
        }
        if !wanted {
            // A store that was set back may not know that it had made it.
            if model.set_back {
                continue;
            }
            return Err(Violation::new("I12", format!("{id} is left out, and has a profile")));
        }
        fields(*id, &contact, profile, settings)?;
        flags(*id, &contact, profile, model)?;
    }
    // A store that was set back may not know what it had written.
    let mut left = profiles.keys().filter(|_| !(model.set_back || settings.keeps));
    if let Some(left) = left.find(|id| !ids.contains(id)) {
        return Err(Violation::new("I12", format!("{left} is deleted, and its profile is there")));
    }
    vehicles(sandbox, model, settings)?;
    events::told(sandbox, model, &ids)
}

/// The profiles that have a contact's id, by it.
pub(crate) fn profiles(sandbox: &Sandbox) -> BTreeMap<Uuid, Map<String, Value>> {
    let rows = sandbox.campaign().rows("profile").into_iter();
    rows.filter_map(|row| Some((external_id(&row)?, row))).collect()
}

/// Whether a contact belongs to Campaign.
pub(super) fn in_scope(contact: &Map<String, Value>, settings: &Settings) -> bool {
    !settings.filter || contact.get("jobtitle").is_some_and(Value::is_string)
}

fn text(row: &Map<String, Value>, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Each vehicle is there with its owner; one whose owner is left out waits, and
/// Campaign has what it had before, if anything.
fn vehicles(sandbox: &Sandbox, model: &Model, settings: &Settings) -> Result<(), Violation> {
    let rows = sandbox.campaign().rows("cusVehicle").into_iter();
    let mut held: BTreeMap<Uuid, Map<String, Value>> =
        rows.filter_map(|row| Some((id_in(&row, "cusVehicleId")?, row))).collect();
    for id in sandbox.dynamics().ids("new_vehicle") {
        let row = sandbox.dynamics().get("new_vehicle", id).unwrap_or_default();
        let owner = id_in(&row, "_new_contactid_value");
        let person = owner.and_then(|owner| sandbox.dynamics().get("contact", owner));
        let waits = owner.is_some() && !person.is_some_and(|it| in_scope(&it, settings));
        let Some(vehicle) = held.remove(&id) else {
            if waits {
                continue;
            }
            return Err(Violation::new("I1", format!("the vehicle {id} is missing")));
        };
        let linked = vehicle.get("vehicleOwner").and_then(|link| link.get("key"));
        let linked: Option<Uuid> = linked.and_then(Value::as_str).and_then(|it| it.parse().ok());
        if linked != owner && !waits {
            let what = format!("the vehicle {id} belongs to {linked:?}, not {owner:?}");
            return Err(Violation::new("I14", what));
        }
        let (there, here) = (text(&row, "new_name"), text(&vehicle, "cusName"));
        if there != here && !waits {
            return Err(Violation::new("I1", format!("{id} is called {here:?}, not {there:?}")));
        }
    }
    match held.into_keys().next().filter(|_| !model.set_back) {
        Some(id) => Err(Violation::new("I12", format!("the vehicle {id} is deleted, and there"))),
        None => Ok(()),
    }
}

fn fields(
    id: Uuid,
    contact: &Map<String, Value>,
    profile: &Map<String, Value>,
    settings: &Settings,
) -> Result<(), Violation> {
    let job = settings.job.then_some(("jobtitle", "cusToken"));
    let always = [("lastname", "lastName"), ("firstname", "firstName"), ("emailaddress1", "email")];
    for (column, field) in always.into_iter().chain(job) {
        let (there, here) = (text(contact, column), text(profile, field));
        if there != here {
            return Err(Violation::new(
                "I1",
                format!("{field} of {id} is {here:?}, not {there:?}"),
            ));
        }
    }
    Ok(())
}

/// What was said on a profile that is gone stands in Dynamics.
fn without_profile(id: Uuid, contact: &Map<String, Value>, model: &Model) -> Result<(), Violation> {
    for (pair, (column, flag)) in PAIRS.into_iter().enumerate() {
        let is_set = contact.get(column) == Some(&Value::Bool(true));
        if !is_set && model.is_out_in_dynamics(id, pair) {
            let what = format!("{flag} of {id} went with its profile, and {column} is off");
            return Err(Violation::new("I9", what));
        }
    }
    Ok(())
}

fn flags(
    id: Uuid,
    contact: &Map<String, Value>,
    profile: &Map<String, Value>,
    model: &Model,
) -> Result<(), Violation> {
    for (pair, (column, flag)) in PAIRS.into_iter().enumerate() {
        let (there, here) =
            (contact.get(column) == Some(&Value::Bool(true)), flag_of(profile, flag));
        // A merged contact is not written in Dynamics: what its profile says is
        // its own, be it an opt-out or a later change of mind.
        let own = model.is_loser(id) && (here || model.said_yes_in_campaign(id, pair));
        // What a store that was set back has forgotten stays opted out where it was
        // carried to: nobody looks at it where nothing is read of Campaign, and
        // nobody knows that it came from there.
        let forgotten = match model.forgotten_in() {
            Some(Side::Campaign) => here,
            Some(Side::Dynamics) => there,
            None => false,
        };
        let stays = there && model.may_stay_in_dynamics(id);
        if there != here && !own && !forgotten && !stays && model.has_to_agree(id, pair) {
            let what = format!("{column} of {id} is {there}, and {flag} is {here}");
            return Err(Violation::new("I9", what));
        }
        for (side, held, what) in [(Side::Dynamics, there, column), (Side::Campaign, here, flag)] {
            if !held && model.writes_to(side) && model.takes_over(id, pair) {
                let what = format!("{id} took in somebody who said no, and {what} is off");
                return Err(Violation::new("I9", what));
            }
        }
        if !here && model.is_out_in_campaign(id, pair) {
            return Err(Violation::new("I9", format!("{id} said no, and {flag} is off")));
        }
    }
    Ok(())
}
