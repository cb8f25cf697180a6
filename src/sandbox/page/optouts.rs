//! The opt-outs of both sides, side by side.
//!
//! Owns: the pairs that the integration's pages name (campaign sheet 4). Which
//! pairs a daemon is told to keep is unknown here.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use uuid::Uuid;

use super::html::{self, Html};
use super::{ROWS, campaign, contact, dynamics, page_number};
use crate::sandbox::campaign::store::Db as Campaign;
use crate::sandbox::dataverse::store::Db as Dynamics;
use crate::sandbox::row::Cell;
use crate::sandbox::server::Shared;
use crate::sandbox::wire::{Call, Reply};

/// A column of contacts, and the end of the flag's name that is meant by it.
const PAIRS: [(&str, &str); 4] = [
    ("donotbulkemail", "Email"),
    ("donotphone", "Phone"),
    ("donotfax", "Fax"),
    ("donotpostalmail", "PostalMail"),
];

/// Records that are looked at; the databases are held as long.
const LOOKED_AT: usize = 200_000;

/// A flag of a profile.
pub(super) struct Flag {
    pub(super) name: String,
    pub(super) on: bool,
    /// When it was last written, as Campaign writes it.
    pub(super) stamp: String,
}

/// The flags of a contact.
pub(super) fn of_contact(db: &Dynamics, id: Uuid) -> Vec<(String, bool)> {
    let found = db.table("contact").and_then(|data| Some((data, data.rows.get(&id)?)));
    let Some((data, row)) = found else { return Vec::new() };
    let flags = data.def.columns.iter().filter(|column| column.name.starts_with("donot"));
    flags
        .map(|column| (column.name.clone(), contact::yes(row.data.get(column.number).as_ref())))
        .collect()
}

/// The flags of a profile.
pub(super) fn of_profile(db: &Campaign, row: u64) -> Vec<Flag> {
    let found = db.named("profile").and_then(|data| Some((data, data.rows.get(&row)?)));
    let Some((data, packed)) = found else { return Vec::new() };
    let flags = data.def.fields.iter().filter(|field| field.is_opt_out());
    flags
        .map(|field| {
            let stamp = data.def.field(&format!("{}LastModified", field.name));
            let stamp = stamp.and_then(|stamp| packed.get(stamp.number));
            Flag {
                name: field.name.clone(),
                on: contact::yes(packed.get(field.number).as_ref()),
                stamp: match stamp {
                    Some(Cell::Time(at)) => crate::sandbox::moment::campaign_text(at),
                    Some(_) | None => String::new(),
                },
            }
        })
        .collect()
}

/// A person as both sides know it.
struct Person {
    contact: Option<Uuid>,
    profile: Option<u64>,
    in_dynamics: Vec<String>,
    in_campaign: Vec<String>,
    /// Columns of the usual pairs in which the sides differ.
    differs: Vec<&'static str>,
}

fn person(
    dynamics: &Dynamics,
    campaign: &Campaign,
    contact: Option<Uuid>,
    profile: Option<u64>,
) -> Person {
    let flags = contact.map(|id| of_contact(dynamics, id)).unwrap_or_default();
    let theirs = profile.map(|row| of_profile(campaign, row)).unwrap_or_default();
    let on = |name: &str| flags.iter().any(|(flag, on)| flag == name && *on);
    let on_there = |end: &str| {
        let is =
            |flag: &&Flag| flag.name.strip_suffix(end).is_some_and(|rest| rest.ends_with("List"));
        theirs.iter().find(is).is_some_and(|flag| flag.on)
    };
    let both = contact.is_some() && profile.is_some();
    let differ = PAIRS.iter().filter(|(column, end)| both && on(column) != on_there(end));
    Person {
        contact,
        profile,
        differs: differ.map(|(column, _)| *column).collect(),
        in_dynamics: flags.iter().filter(|(_, on)| *on).map(|(name, _)| name.clone()).collect(),
        in_campaign: theirs.iter().filter(|flag| flag.on).map(|flag| flag.name.clone()).collect(),
    }
}

/// Who is opted out of anything on either side.
fn people(dynamics: &Dynamics, campaign: &Campaign, first: usize) -> Vec<Person> {
    let ids: Vec<Uuid> = dynamics
        .table("contact")
        .map(|data| data.rows.keys().copied().take(LOOKED_AT).collect())
        .unwrap_or_default();
    let mut known = BTreeSet::new();
    let pairs = ids.into_iter().map(|id| {
        let profile = contact::profiles(campaign, id).first().copied();
        known.extend(profile);
        (Some(id), profile)
    });
    let mut pairs: Vec<(Option<Uuid>, Option<u64>)> = pairs.collect();
    if let Some(data) = campaign.named("profile") {
        let alone = data.rows.keys().take(LOOKED_AT).filter(|row| !known.contains(row));
        pairs.extend(alone.map(|row| (None, Some(*row))));
    }
    pairs
        .into_iter()
        .map(|(contact, profile)| person(dynamics, campaign, contact, profile))
        .filter(|person| !person.in_dynamics.is_empty() || !person.in_campaign.is_empty())
        .skip(first)
        .take(ROWS + 1)
        .collect()
}

/// `GET /_sandbox/optouts?page=`
pub(super) fn page(shared: &Shared, call: &Call) -> Reply {
    let of_dynamics = shared.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
    let of_campaign = shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
    let number = page_number(call);
    let mut people = people(&of_dynamics, &of_campaign, number * ROWS);
    let more = people.len() > ROWS;
    people.truncate(ROWS);
    let mut out = Html::default();
    out.raw("<h1>Opt-outs</h1><p class=soft>Everyone who is opted out of anything on either side. Where both know a person, red says in which usual pair they differ.</p>");
    out.raw("<section><div class=wide><table><tr><th>contact<th>in Dynamics<th>in Campaign<th>profile</tr>");
    for person in &people {
        out.raw("<tr><td>");
        match person.contact {
            Some(id) => {
                out.link(dynamics::address("contact", id), contact::name(&of_dynamics, id));
            }
            None => {
                out.raw("<span class=soft>none</span>");
            }
        }
        out.raw("</td><td>").text(person.in_dynamics.join(", "));
        if !person.differs.is_empty() {
            out.raw("<br><span class=bad>differs: ").text(person.differs.join(", ")).raw("</span>");
        }
        out.raw("</td><td>").text(person.in_campaign.join(", ")).raw("</td><td>");
        match person.profile {
            Some(row) => {
                let name = campaign::name_of(&of_campaign, "profile", row);
                out.link(campaign::address("profile", row), name);
            }
            None => {
                out.raw("<span class=soft>none</span>");
            }
        }
        out.raw("</td></tr>");
    }
    out.raw("</table></div>");
    if people.is_empty() {
        out.raw("<p class=soft>Nobody.</p>");
    }
    dynamics::pager(&mut out, "/_sandbox/optouts", "", number, more);
    out.raw("</section>");
    html::page("Opt-outs", "/_sandbox/optouts", None, &out)
}
