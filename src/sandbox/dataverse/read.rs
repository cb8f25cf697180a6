//! Reading collections: query options, pages, counts, changes.
//!
//! Owns: "Page results", "Count number of rows" and "Use change tracking"
//! (Dynamics sheet 2 and 3).

use std::ops::Bound;

use http::StatusCode;
use uuid::Uuid;

use super::error::{Refusal, query, refuse};
use super::filter::{self, Expr};
use super::pages::{changes, plain};
use super::render::{Annotations, Plan, refuse_secured};
use super::schema::{Column, Table};
use super::store::Db;
use super::token::{Place, Skip, parse_delta};
use super::{Prefer, apply, eval, expand, members, page, question};
use crate::sandbox::variants::{TokenMoment, Variants};
use crate::sandbox::wire::{Call, Reply, decode};

/// The largest page of a standard table, and the largest count.
pub(crate) const LARGEST: usize = 5000;

/// What surrounds a read.
pub(crate) struct Context<'a> {
    pub(crate) call: &'a Call,
    pub(crate) prefer: &'a Prefer,
    pub(crate) variants: Variants,
    pub(crate) now: i64,
    /// A fault says that delta tokens have expired.
    pub(crate) expired: bool,
    /// The question is `FetchXML`, which has pages of its own.
    pub(crate) fetch: bool,
}

/// One page before it is written.
pub(crate) struct Leaf {
    pub(crate) rows: Vec<Uuid>,
    pub(crate) deleted: Vec<Uuid>,
    pub(crate) next: Option<Place>,
    /// Version for the delta link.
    pub(crate) delta: Option<u64>,
    pub(crate) count: Option<usize>,
    pub(crate) page: u64,
}

/// The query options of a read.
pub(super) struct Options {
    pub(super) filter: Option<Expr>,
    pub(super) order: Vec<(Column, bool)>,
    pub(super) top: Option<usize>,
    pub(super) skip: Option<Skip>,
    pub(super) delta: Option<(u64, i64)>,
    pub(super) count: bool,
}

impl Options {
    fn read(call: &Call, table: &Table) -> Result<Self, Refusal> {
        let known = [
            "$select",
            "$filter",
            "$orderby",
            "$top",
            "$count",
            "$skiptoken",
            "$deltatoken",
            "$expand",
        ];
        for (name, _) in &call.query {
            if name == "$skip" {
                return Err(query("Skip Clause is not supported in CRM"));
            }
            if name.starts_with('$') && !known.contains(&name.as_str()) {
                return Err(query(format!("The query parameter {name} is not supported.")));
            }
        }
        let filter = call
            .param("$filter")
            .map(|text| filter::parse(text, table, &call.query))
            .transpose()?;
        let order = order_by(call.param("$orderby").unwrap_or_default(), table)?;
        let top = call
            .param("$top")
            .map(|text| {
                text.parse().map_err(|_| {
                    query(format!("Invalid value '{text}' for $top query option found."))
                })
            })
            .transpose()?;
        let skip = call.param("$skiptoken").map(Skip::parse).transpose()?;
        let delta = call.param("$deltatoken").map(parse_delta).transpose()?;
        Ok(Self { filter, order, top, skip, delta, count: call.param("$count") == Some("true") })
    }
}

/// Reads `$orderby`: columns, each with whether it descends.
pub(super) fn order_by(text: &str, table: &Table) -> Result<Vec<(Column, bool)>, Refusal> {
    let mut order = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, descending) = match part.split_once(' ') {
            None => (part, false),
            Some((name, "asc")) => (name, false),
            Some((name, "desc")) => (name, true),
            Some(_) => return Err(query(format!("Syntax error at position 0 in '{part}'."))),
        };
        let column =
            table.by_wire(name).ok_or_else(|| super::error::no_property(name, &table.name))?;
        order.push((column.clone(), descending));
    }
    Ok(order)
}

/// The four query options that tracking does not go with (sheet 3.4).
fn refuse_with_tracking(call: &Call) -> Result<(), Refusal> {
    for name in ["$filter", "$orderby", "$expand", "$top"] {
        if call.param(name).is_some() {
            return Err(query(format!(
                "The \"{name}\" query parameter isn't supported when Change Tracking is enabled."
            )));
        }
    }
    Ok(())
}

/// `GET set`.
pub(crate) fn collection(
    db: &mut Db,
    table: &str,
    context: &Context<'_>,
) -> Result<Reply, Refusal> {
    let (call, prefer) = (context.call, context.prefer);
    let data = db.table(table).ok_or_else(|| refuse(404, "0x80060888", "Resource not found."))?;
    let def = std::sync::Arc::clone(&data.def);
    if let Some(reply) = question::answer(db, table, context)? {
        return Ok(reply);
    }
    let tracking = prefer.track_changes || call.param("$deltatoken").is_some();
    if tracking {
        refuse_with_tracking(call)?;
        if let Some(refusal) = members::untracked(db, &def) {
            return Err(refusal);
        }
    }
    if let (Some(text), false) = (call.param("$apply"), tracking) {
        return apply::answer(db, &def, text, context);
    }
    let options = Options::read(call, &def)?;
    let expansions = expand::read(db, &def, context)?;
    let annotations = Annotations::new(&prefer.annotations);
    refuse_secured(&def, call, context.variants)?;
    let plan = Plan::new(&def, call.param("$select"), &annotations)?.for_caller(context.variants);
    let size = prefer.page_size.map_or(LARGEST, |size| size.clamp(1, LARGEST));
    let page = match (&options.delta, &options.skip) {
        (Some(token), skip) => {
            check_token(db, table, *token, context)?;
            changes(db, table, token.0, skip.as_ref(), size)
        }
        (None, skip) => {
            let mut page = plain(db, table, &options, skip.as_ref(), size, prefer)?;
            if tracking && page.next.is_none() {
                let first = match (skip, context.variants.first_token) {
                    (Some(Skip { place: Place::Id(_, first), .. }), TokenMoment::FirstPage) => {
                        *first
                    }
                    _ => db.version,
                };
                page.delta = Some(first);
            }
            page
        }
    };
    let shape = page::Shape { plan: &plan, expansions: &expansions };
    Ok(page::write(db, &def, &shape, &annotations, context, &page))
}

/// The `$skiptoken` of the page behind this one.
pub(super) fn next_of(
    db: &mut Db,
    table: &str,
    context: &Context<'_>,
) -> Result<Option<String>, Refusal> {
    let data = db.table(table).ok_or_else(|| refuse(404, "0x80060888", "Resource not found."))?;
    let def = std::sync::Arc::clone(&data.def);
    let options = Options::read(context.call, &def)?;
    let size = context.prefer.page_size.map_or(LARGEST, |size| size.clamp(1, LARGEST));
    let leaf = plain(db, table, &options, options.skip.as_ref(), size, context.prefer)?;
    let skip = leaf.next.map(|place| Skip { page: leaf.page, place });
    Ok(skip.map(|skip| decode(&skip.text(false), false)))
}

fn expired(context: &Context<'_>) -> Refusal {
    refuse(
        context.variants.delta_expired,
        "0x80044352",
        "Version stamp associated with the client has expired. Please perform a full sync.",
    )
}

fn check_token(
    db: &Db,
    table: &str,
    (version, time): (u64, i64),
    context: &Context<'_>,
) -> Result<(), Refusal> {
    let from = db.table(table).map_or(0, |data| data.tokens_from);
    let oldest = context.now - db.retention_days() * 86_400_000;
    if context.expired || version < from || time < oldest {
        return Err(expired(context));
    }
    if version > db.version {
        return Err(query("The $deltatoken query option is malformed."));
    }
    Ok(())
}

/// Rows that fulfil a filter; one more than the largest count where there are
/// more (sheet 2.4).
pub(crate) fn count(db: &Db, table: &str, filter: Option<&Expr>) -> usize {
    let Some(data) = db.table(table) else {
        return 0;
    };
    match filter {
        None => data.rows.len().min(LARGEST + 1),
        Some(filter) => data
            .rows
            .iter()
            .filter(|(id, row)| eval::holds(filter, **id, row))
            .take(LARGEST + 1)
            .count(),
    }
}

/// `GET set/$count`, of rows or of changes.
pub(crate) fn count_reply(db: &Db, table: &str, context: &Context<'_>) -> Result<Reply, Refusal> {
    let Some(data) = db.table(table) else {
        return Ok(Reply::empty(StatusCode::NOT_FOUND));
    };
    let options = Options::read(context.call, &data.def)?;
    let number = match options.delta {
        None => count(db, table, options.filter.as_ref()).min(LARGEST),
        Some(token) => {
            refuse_with_tracking(context.call)?;
            check_token(db, table, token, context)?;
            let after = (Bound::Excluded(token.0), Bound::Unbounded);
            data.by_version.range(after).count() + data.graves.range(after).count()
        }
    };
    Ok(Reply::new(StatusCode::OK, "text/plain", format!("\u{feff}{number}")))
}
