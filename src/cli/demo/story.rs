//! What happens in the two systems between the passes of the demo.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::model::Flow;
use crate::sandbox::{
    ControlError, EventIds, LogForm, Mailing, Sandbox, Standing, System, Variants,
};

/// The mapping of the demo's contacts: every type that one has.
pub(super) const MAPPING: &str = r#"[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }
apply_deletes = true
fields = [
  { from = "firstname", to = "firstName", on_too_long = "cut" },
  { from = "lastname", to = "lastName" },
  { from = "emailaddress1", to = "email" },
  { from = "gendercode", to = "gender", replace = [{ value = "Male", with = "male" }, { value = "Female", with = "female" }] },
  { from = "birthdate", to = "birthDate" },
  { from = "anniversary", to = "cusAnniversary" },
  { from = "createdon", to = "cusCustomerSince", updates = false },
  { from = "donotbulkemail", to = "blackListEmail" },
  { from = "donotphone", to = "blackListPhone" },
  { from = "new_points", to = "cusPoints" },
  { from = "new_rating", to = "cusRating" },
  { from = "new_score", to = "cusScore" },
  { from = "new_revenue", to = "cusRevenue" },
  { from = "new_interests", to = "cusInterests" },
  { from = "new_localtime", to = "cusLocalTime" },
  { from = "new_token", to = "cusToken" },
  { from = "new_vip", to = "cusVip" },
  { from = "description", to = "cusNote" },
]
"#;

/// One pass of the demo and what precedes it.
pub(super) struct Act {
    /// Its name in the summary.
    pub(super) name: &'static str,
    /// The flow that runs.
    pub(super) flow: Flow,
    /// What happens in the two systems before it.
    pub(super) change: fn(&Sandbox, u64) -> Result<(), ControlError>,
}

/// The passes.
pub(super) const ACTS: &[Act] = &[
    Act { name: "first load", flow: Flow::Ingress, change: |_, _| Ok(()) },
    Act { name: "nothing new", flow: Flow::Ingress, change: |_, _| Ok(()) },
    Act { name: "changes", flow: Flow::Ingress, change: people_work },
    Act { name: "token lost", flow: Flow::Ingress, change: token_is_lost },
    Act { name: "at rest", flow: Flow::Ingress, change: |_, _| Ok(()) },
    Act {
        name: "mail",
        flow: Flow::Egress,
        change: |sandbox, seed| {
            mail_goes_out(sandbox, seed);
            Ok(())
        },
    },
    Act {
        name: "late bounces",
        flow: Flow::Egress,
        change: |sandbox, _| {
            mail_comes_back(sandbox);
            Ok(())
        },
    },
    Act {
        name: "told again",
        flow: Flow::Egress,
        change: |sandbox, _| {
            mail_is_told_again(sandbox);
            Ok(())
        },
    },
    Act { name: "opt-outs", flow: Flow::Optout, change: people_say_no },
    Act { name: "second thoughts", flow: Flow::Optout, change: people_think_again },
    Act { name: "agreed", flow: Flow::Optout, change: |_, _| Ok(()) },
];

/// How the opt-outs of the demo travel.
pub(super) const OPTOUTS: &str = r#"[optout]
direction = "bidirectional"
schedule = "0 */5 * * * *"
source = "rest"
pairs = [ { dynamics = "donotpostalmail", campaign = "blackListPostalMail" }, { dynamics = "donotfax", campaign = "blackListFax" } ]
[optout.rest]
filter = "byModifiedSince"
parameter = "since_parameter"
"#;

/// Contacts whose opt-outs the story tells of; the others say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// Says no in Dynamics.
    InDynamics,
    /// Says no in Campaign.
    InCampaign,
    /// Says no in Dynamics, and Campaign's flag was cleared before that.
    Earlier,
    /// Says no in Dynamics, and subscribes in Campaign later.
    Later,
}

impl Voice {
    /// Whether the person is opted out in the end.
    pub(super) fn out(self) -> bool {
        self != Self::Later
    }
}

/// Who says what.
pub(super) fn voices(sandbox: &Sandbox) -> Vec<(Uuid, Voice)> {
    const VOICES: [Voice; 4] = [Voice::InDynamics, Voice::InCampaign, Voice::Earlier, Voice::Later];
    let contacts = some(sandbox, 0, 6, 100);
    contacts.into_iter().zip(VOICES.into_iter().cycle()).collect()
}

/// People say no: some to the one side, some to the other.
fn people_say_no(sandbox: &Sandbox, _seed: u64) -> Result<(), ControlError> {
    for (id, voice) in voices(sandbox) {
        if voice == Voice::InCampaign {
            let fields = json!({ "blackListPostalMail": true });
            sandbox.campaign().update("profile", "externalId", &id.to_string(), &fields)?;
        } else {
            // Some minutes ago: a later word is one by any clock.
            let at = before(sandbox, System::Dynamics, 10);
            let no = json!({ "donotpostalmail": true });
            sandbox.dynamics().update_at("contact", id, &no, at)?;
        }
    }
    Ok(())
}

/// What both agreed on is contradicted in Campaign: once with a time before the
/// person said no, once with a later one.
fn people_think_again(sandbox: &Sandbox, _seed: u64) -> Result<(), ControlError> {
    for (id, voice) in voices(sandbox) {
        let minutes = match voice {
            Voice::InDynamics | Voice::InCampaign => continue,
            Voice::Earlier => 60,
            Voice::Later => 0,
        };
        let stamp = Some(before(sandbox, System::Campaign, minutes));
        let id = id.to_string();
        sandbox.campaign().set_flag_at(&id, "blackListPostalMail", false, stamp)?;
    }
    Ok(())
}

/// So many minutes ago, by a system's clock.
fn before(sandbox: &Sandbox, system: System, minutes: i64) -> Timestamp {
    let now = sandbox.now(system);
    now.checked_sub(SignedDuration::from_mins(minutes)).unwrap_or(now)
}

/// Every `step`-th contact from `start` on, at most `most`.
fn some(sandbox: &Sandbox, start: usize, step: usize, most: usize) -> Vec<Uuid> {
    some_of("contact", sandbox, start, step, most)
}

fn some_of(table: &str, sandbox: &Sandbox, start: usize, step: usize, most: usize) -> Vec<Uuid> {
    sandbox.dynamics().ids(table).into_iter().skip(start).step_by(step).take(most).collect()
}

/// New contacts, edits, emptied columns, an opt-out, a merge, deletions.
fn people_work(sandbox: &Sandbox, seed: u64) -> Result<(), ControlError> {
    let dynamics = sandbox.dynamics();
    let all = dynamics.count("contact");
    for id in some(sandbox, 1, 20, usize::MAX) {
        dynamics.update(
            "contact",
            id,
            &json!({ "lastname": format!("Newname {}", seed % 100), "new_points": 4711 }),
        )?;
    }
    for id in some(sandbox, 2, 50, usize::MAX) {
        dynamics.update(
            "contact",
            id,
            &json!({ "emailaddress1": null, "birthdate": null, "donotbulkemail": true }),
        )?;
    }
    for id in some(sandbox, 3, 50, 40) {
        dynamics.delete("contact", id);
    }
    for number in 0..=all / 40 {
        let contact = dynamics.insert(
            "contact",
            &json!({
                "firstname": "Nova", "lastname": format!("Nr. {number}"),
                "emailaddress1": format!("nova{number}@example.com"),
                "gendercode": 2, "new_rating": 1.25, "new_vip": number % 2 == 0,
            }),
        )?;
        if number % 3 == 0 {
            drives(sandbox, contact, number)?;
        }
    }
    let pair = some(sandbox, 5, 7, 2);
    if let [winner, loser] = pair[..] {
        dynamics.merge("contact", winner, loser)?;
    }
    vehicles_change(sandbox)
}

/// A new vehicle of a contact, with its first visit.
fn drives(sandbox: &Sandbox, contact: Uuid, number: usize) -> Result<(), ControlError> {
    let dynamics = sandbox.dynamics();
    let vehicle = dynamics.insert(
        "new_vehicle",
        &json!({
            "new_name": format!("Roadster {number}"), "new_mileage": 12,
            "new_ContactId@odata.bind": format!("/contacts({contact})"),
        }),
    )?;
    dynamics.insert(
        "new_servicevisit",
        &json!({
            "new_name": "Handover", "new_warranty": true,
            "new_VehicleId@odata.bind": format!("/new_vehicles({vehicle})"),
        }),
    )?;
    Ok(())
}

/// Vehicles are driven, sold and scrapped together with their visits.
fn vehicles_change(sandbox: &Sandbox) -> Result<(), ControlError> {
    let dynamics = sandbox.dynamics();
    for id in some_of("new_vehicle", sandbox, 1, 10, usize::MAX) {
        dynamics.update("new_vehicle", id, &json!({ "new_mileage": 99_000 }))?;
    }
    let buyers = some(sandbox, 8, 9, usize::MAX);
    let sold = some_of("new_vehicle", sandbox, 2, 25, usize::MAX);
    for (id, buyer) in sold.into_iter().zip(buyers) {
        let bind = json!({ "new_ContactId@odata.bind": format!("/contacts({buyer})") });
        dynamics.update("new_vehicle", id, &bind)?;
    }
    let scrapped = some_of("new_vehicle", sandbox, 3, 30, 20);
    for visit in dynamics.ids("new_servicevisit") {
        let of = dynamics.get("new_servicevisit", visit);
        let of = of.as_ref().and_then(|row| row.get("_new_vehicleid_value")?.as_str());
        if of.and_then(|id| id.parse().ok()).is_some_and(|id| scrapped.contains(&id)) {
            dynamics.delete("new_servicevisit", visit);
        }
    }
    for id in scrapped {
        dynamics.delete("new_vehicle", id);
    }
    Ok(())
}

/// Some deletions and edits, and the delta token is no longer accepted.
fn token_is_lost(sandbox: &Sandbox, _seed: u64) -> Result<(), ControlError> {
    let dynamics = sandbox.dynamics();
    for id in some(sandbox, 4, 60, 30) {
        dynamics.delete("contact", id);
    }
    for id in some(sandbox, 6, 100, usize::MAX) {
        dynamics.update(
            "contact",
            id,
            &json!({ "description": "edited while the token was lost" }),
        )?;
    }
    dynamics.expire_tokens();
    Ok(())
}

/// Campaign sends each contact an e-mail. The journal tells what came of it,
/// some of it twice and out of order; the log files tell the same.
fn mail_goes_out(sandbox: &Sandbox, seed: u64) {
    let mail = sandbox.mail();
    sandbox.set_variants(Variants {
        journal_repeats: 10,
        journal_shuffle: 50,
        ..Variants::default()
    });
    let mut facts = mail.send(&Mailing { seed, ..Mailing::default() });
    // What waits or is put aside would be no end that a demo can show.
    facts.retain(|fact| {
        !fact.late && !matches!(fact.standing, Standing::Stranger | Standing::Strange)
    });
    mail.publish(&facts, EventIds::Logs);
    mail.export("1", &facts, &LogForm::default());
}

/// A day later some of the e-mails turn out to have bounced: the rows of the
/// log change, and only the next export tells of it.
fn mail_comes_back(sandbox: &Sandbox) {
    let mail = sandbox.mail();
    let mut facts = mail.untold();
    facts.retain(|fact| fact.late);
    mail.export("2", &facts, &LogForm::default());
}

/// The journal tells all of it once more.
fn mail_is_told_again(sandbox: &Sandbox) {
    let mail = sandbox.mail();
    mail.publish(&mail.facts(), EventIds::Logs);
}
