//! A page of a collection as JSON (Dynamics sheet 2.1, 2.5 and 3.2).
//!
//! Owns: links, counts and tombstones around the rows. Chooses no rows.

use http::StatusCode;

use super::expand::{self, Expansion};
use super::read::{Context, LARGEST, Leaf};
use super::render::{Annotations, Plan};
use super::schema::Table;
use super::store::Db;
use super::token::{Skip, delta_text};
use crate::sandbox::wire::{Call, ListMarks, Reply, decode, push_json};

/// The address of this request with another token.
fn link(call: &Call, option: &str, value: &str) -> String {
    let mut out = format!("{}{}?", call.origin, call.path);
    for pair in call.raw_query.split('&').filter(|pair| !pair.is_empty()) {
        let name = decode(pair.split_once('=').map_or(pair, |(name, _)| name), true);
        let old = name == "$skiptoken" || (option == "$deltatoken" && name == "$deltatoken");
        if !old && name != "emptypage" {
            out.push_str(pair);
            out.push('&');
        }
    }
    out.push_str(option);
    out.push('=');
    out.push_str(value);
    out
}

/// Which members a row has.
pub(super) struct Shape<'a> {
    pub(super) plan: &'a Plan,
    pub(super) expansions: &'a [Expansion],
}

/// Writes a page with its links, counts and annotations.
pub(super) fn write(
    db: &Db,
    def: &Table,
    shape: &Shape<'_>,
    annotations: &Annotations,
    context: &Context<'_>,
    page: &Leaf,
) -> Reply {
    let call = context.call;
    let api = super::api(call);
    let selected = expand::fragment(call.param("$select"), shape.expansions);
    let delta_read = call.param("$deltatoken").is_some();
    let suffix = if delta_read { "/$delta" } else { "" };
    let mut out = Vec::with_capacity(256 + page.rows.len() * 400);
    out.extend_from_slice(b"{\"@odata.context\":");
    push_json(&mut out, &format!("{api}/$metadata#{}{selected}{suffix}", def.set));
    let put = |out: &mut Vec<u8>, name: &str, text: &str| {
        out.push(b',');
        push_json(out, name);
        out.push(b':');
        push_json(out, text);
    };
    if let Some(version) = page.delta {
        put(
            &mut out,
            "@odata.deltaLink",
            &link(call, "$deltatoken", &delta_text(version, context.now)),
        );
    }
    if let Some(count) = page.count.map(|count| count.min(LARGEST)) {
        out.extend_from_slice(format!(",\"@odata.count\":{count}").as_bytes());
    }
    if annotations.wants("Microsoft.Dynamics.CRM.totalrecordcount") {
        let shown = page.count.map(|count| count.min(LARGEST));
        let total = shown.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX));
        let limited = page.count.is_some_and(|count| count > LARGEST);
        out.extend_from_slice(format!(",\"@Microsoft.Dynamics.CRM.totalrecordcount\":{total},\"@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded\":{limited}").as_bytes());
    }
    if annotations.all() {
        put(
            &mut out,
            "@Microsoft.Dynamics.CRM.globalmetadataversion",
            &db.metadata_version.to_string(),
        );
    }
    let marks = write_rows(db, def, shape, context, page, &mut out);
    if context.fetch {
        fetch_members(annotations, page, &mut out);
    } else if let Some(place) = &page.next {
        let skip = Skip { page: page.page, place: place.clone() };
        let tracking = delta_read || context.prefer.track_changes;
        put(&mut out, "@odata.nextLink", &link(call, "$skiptoken", &skip.text(tracking)));
    }
    out.push(b'}');
    let mut reply = Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", out);
    reply.rows = Some(page.rows.len() + page.deleted.len());
    reply.marks = marks;
    reply
}

/// What `FetchXML` has instead of a link.
fn fetch_members(annotations: &Annotations, page: &Leaf, out: &mut Vec<u8>) {
    if annotations.wants("Microsoft.Dynamics.CRM.morerecords") {
        let more = page.next.is_some();
        out.extend_from_slice(
            format!(",\"@Microsoft.Dynamics.CRM.morerecords\":{more}").as_bytes(),
        );
    }
    if let Some(place) = &page.next
        && annotations.wants("Microsoft.Dynamics.CRM.fetchxmlpagingcookie")
    {
        let skip = Skip { page: page.page, place: place.clone() };
        out.extend_from_slice(b",\"@Microsoft.Dynamics.CRM.fetchxmlpagingcookie\":");
        push_json(out, &decode(&skip.text(false), false));
    }
}

fn write_rows(
    db: &Db,
    def: &Table,
    shape: &Shape<'_>,
    context: &Context<'_>,
    page: &Leaf,
    out: &mut Vec<u8>,
) -> Option<ListMarks> {
    out.extend_from_slice(b",\"value\":[");
    let start = out.len();
    let mut ranges = Vec::new();
    let rows = db.table(&def.name).map(|data| &data.rows);
    for id in &page.rows {
        let Some(row) = rows.and_then(|rows| rows.get(id)) else {
            continue;
        };
        if out.len() > start {
            out.push(b',');
        }
        let from = out.len();
        shape.plan.headed(db, out, "", *id, row);
        expand::write(db, &def.name, *id, shape.expansions, context, out);
        out.push(b'}');
        ranges.push(from..out.len());
    }
    for id in &page.deleted {
        if out.len() > start {
            out.push(b',');
        }
        let from = out.len();
        out.extend_from_slice(b"{\"@odata.context\":");
        let api = super::api(context.call);
        push_json(out, &format!("{api}/$metadata#{}/$deletedEntity", def.set));
        out.extend_from_slice(format!(",\"id\":\"{id}\",\"reason\":\"deleted\"}}").as_bytes());
        ranges.push(from..out.len());
    }
    out.push(b']');
    Some(ListMarks { start, first: ranges.first()?.clone(), last: ranges.last()?.clone() })
}
