//! What a contact's page shows beside its columns: the timeline, and the
//! profile with the opt-outs of both sides.

use std::sync::PoisonError;

use serde_json::{Value, json};
use uuid::Uuid;

use super::dynamics::{address, name_of, plain};
use super::html::Html;
use super::{campaign, optouts};
use crate::sandbox::campaign::store::Db as Campaign;
use crate::sandbox::dataverse::schema::Table;
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::row::{Cell, Packed};
use crate::sandbox::server::Shared;

/// Activities that a page shows.
const SHOWN: usize = 200;

/// An activity that regards a record.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    pub(super) table: String,
    /// What people call its kind.
    pub(super) kind: String,
    pub(super) id: Uuid,
    /// When it happened, as Dynamics writes it; empty where it says nothing.
    pub(super) time: String,
    pub(super) subject: String,
    /// Texts of the columns that only this table has.
    pub(super) details: Vec<(String, String)>,
}

impl Activity {
    pub(super) fn json(&self) -> Value {
        let details: serde_json::Map<String, Value> =
            self.details.iter().map(|(name, text)| (name.clone(), text.clone().into())).collect();
        json!({"table": self.table, "id": self.id, "time": self.time, "subject": self.subject, "details": details})
    }
}

/// The activities that regard a record, the latest first.
pub(super) fn activities(db: &Db, id: Uuid) -> Vec<Activity> {
    let mut found = Vec::new();
    for (table, column, child) in db.referring(id) {
        let Some(data) = db.table(&table) else { continue };
        let row = data.rows.get(&child).filter(|_| column == "regardingobjectid");
        if let Some(row) = row.filter(|_| data.def.activity) {
            found.push(activity(&data.def, child, &row.data));
        }
    }
    found.sort_by(|one, two| (&two.time, two.id).cmp(&(&one.time, one.id)));
    found
}

fn activity(def: &Table, id: Uuid, row: &Packed) -> Activity {
    let text = |name: &str| {
        let cell = def.column(name).and_then(|column| row.get(column.number));
        cell.map(|cell| plain(&cell)).filter(|text| !text.is_empty())
    };
    // An event knows when it happened, other activities when they ended.
    let own = def.columns.iter().find(|column| column.name.ends_with("_eventdate"));
    let times = [
        own.map_or("actualend", |column| column.name.as_str()),
        "actualend",
        "scheduledend",
        "createdon",
    ];
    let custom = def.columns.iter().filter(|column| {
        column.name.contains('_') && own.is_none_or(|own| own.name != column.name)
    });
    let details = custom.filter_map(|column| Some((column.name.clone(), text(&column.name)?)));
    Activity {
        table: def.name.clone(),
        kind: def.labels.first().map_or_else(|| def.name.clone(), |(_, label)| label.clone()),
        id,
        time: times.iter().find_map(|name| text(name)).unwrap_or_default(),
        subject: text("subject").unwrap_or_default(),
        details: details.collect(),
    }
}

/// The timeline of a record.
pub(super) fn timeline(out: &mut Html, db: &Db, id: Uuid) {
    let activities = activities(db, id);
    out.raw("<section><h2>Timeline <span class=soft>").number(activities.len());
    out.raw(" activities</span></h2>");
    if activities.is_empty() {
        out.raw("<p class=soft>No activity regards this contact.</p>");
    }
    out.raw("<table class=stack>");
    for activity in activities.iter().take(SHOWN) {
        out.raw("<tr><td class=\"tight mono\">").text(&activity.time).raw("</td><td class=tight>");
        out.text(&activity.kind).raw("</td><td>");
        let subject =
            if activity.subject.is_empty() { "(no subject)" } else { activity.subject.as_str() };
        out.link(address(&activity.table, activity.id), subject);
        let names: Vec<&str> = activity
            .details
            .iter()
            .filter(|(name, text)| name.ends_with("name") && !subject.contains(text.as_str()))
            .map(|(_, text)| text.as_str())
            .collect();
        if !names.is_empty() {
            out.raw(" <span class=soft>").text(names.join(" · ")).raw("</span>");
        }
        out.raw("</td></tr>");
    }
    out.raw("</table>");
    if activities.len() > SHOWN {
        out.raw("<p class=soft>and ").number(activities.len() - SHOWN).raw(" more</p>");
    }
    out.raw("</section>");
}

/// The profiles that carry a contact's id.
pub(super) fn profiles(db: &Campaign, id: Uuid) -> Vec<u64> {
    let Some(data) = db.named("profile") else { return Vec::new() };
    let fields = ["externalId", "cusCrmId"].into_iter().filter_map(|name| data.def.field(name));
    let mut rows: Vec<u64> = fields
        .filter(|field| field.indexed)
        .flat_map(|field| data.with(field.number, &id.to_string()))
        .collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// The profile of a contact, and what both say of its opt-outs.
pub(super) fn in_campaign(out: &mut Html, shared: &Shared, dynamics: &Db, id: Uuid) {
    let campaign = shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
    let rows = profiles(&campaign, id);
    out.raw("<section><h2>In Campaign</h2>");
    if rows.is_empty() {
        out.raw("<p class=soft>No profile has this id as externalId or cusCrmId.</p>");
    }
    for row in &rows {
        out.raw("<p>").link(
            campaign::address("profile", *row),
            campaign::name_of(&campaign, "profile", *row),
        );
        out.raw("</p>");
    }
    out.raw("<h2>Opt-outs</h2><div class=two><div><table>");
    for (name, on) in optouts::of_contact(dynamics, id) {
        flag(out, &name, on, "");
    }
    out.raw("</table></div><div><table>");
    for row in rows {
        for flag_ in optouts::of_profile(&campaign, row) {
            flag(out, &flag_.name, flag_.on, &flag_.stamp);
        }
    }
    out.raw("</table></div></div></section>");
}

fn flag(out: &mut Html, name: &str, on: bool, stamp: &str) {
    out.raw("<tr><td>").text(name).raw("</td><td class=tight>");
    if on {
        out.raw("<b class=bad>opted out</b>");
    } else {
        out.raw("no");
    }
    out.raw("</td><td class=\"soft mono\">").text(stamp).raw("</td></tr>");
}

/// Whether a cell is a yes.
pub(super) fn yes(cell: Option<&Cell<'_>>) -> bool {
    matches!(cell, Some(Cell::Bool(true)))
}

/// The name of a contact, for lists.
pub(super) fn name(db: &Db, id: Uuid) -> String {
    db.table("contact").map_or_else(|| id.to_string(), |data| name_of(data, id))
}
