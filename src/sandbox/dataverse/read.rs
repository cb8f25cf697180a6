//! Reading collections: query options, pages, counts, changes.
//!
//! Owns: "Page results", "Count number of rows" and "Use change tracking"
//! (Dynamics sheet 2 and 3).

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Bound;

use http::StatusCode;
use uuid::Uuid;

use super::error::{Refusal, query, refuse};
use super::filter::{self, Expr, Literal};
use super::render::{Annotations, Plan, refuse_secured};
use super::schema::{Column, Table};
use super::store::Db;
use super::token::{Place, Skip, parse_delta};
use super::{Prefer, eval, members, page};
use crate::sandbox::variants::{TokenMoment, Variants};
use crate::sandbox::wire::{Call, Reply};

/// The largest page of a standard table, and the largest count.
pub(crate) const LARGEST: usize = 5000;
/// Sorted results kept for their next pages.
const MOST_SORTED: usize = 8;

/// What surrounds a read.
pub(crate) struct Context<'a> {
    pub(crate) call: &'a Call,
    pub(crate) prefer: &'a Prefer,
    pub(crate) variants: Variants,
    pub(crate) now: i64,
    /// A fault says that delta tokens have expired.
    pub(crate) expired: bool,
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

struct Options {
    filter: Option<Expr>,
    order: Vec<(Column, bool)>,
    top: Option<usize>,
    skip: Option<Skip>,
    delta: Option<(u64, i64)>,
    count: bool,
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
        let mut order = Vec::new();
        for part in call
            .param("$orderby")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|p| !p.is_empty())
        {
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
    let tracking = prefer.track_changes || call.param("$deltatoken").is_some();
    if tracking {
        refuse_with_tracking(call)?;
        if let Some(refusal) = members::untracked(db, &def) {
            return Err(refusal);
        }
    }
    let options = Options::read(call, &def)?;
    if call.param("$expand").is_some() {
        return Err(refuse(501, "0x80060888", "$expand is not part of this sandbox."));
    }
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
    Ok(page::write(db, &def, &plan, &annotations, context, &page))
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

/// Rows that changed, by version; then tombstones (sheet 3.3).
fn changes(db: &Db, table: &str, since: u64, skip: Option<&Skip>, size: usize) -> Leaf {
    let number = skip.map_or(1, |skip| skip.page);
    let mut page = Leaf {
        rows: Vec::new(),
        deleted: Vec::new(),
        next: None,
        delta: None,
        count: None,
        page: number,
    };
    let Some(data) = db.table(table) else {
        return page;
    };
    let (start, graves) = match skip.map(|skip| &skip.place) {
        Some(Place::Deleted(_, upto, at)) => (None, Some((*at, *upto))),
        Some(Place::Changed(_, at)) => (Some(*at), None),
        Some(Place::Id(..) | Place::Sorted(..)) | None => (Some(since), None),
    };
    if let Some(start) = start {
        let mut rows = data.by_version.range((Bound::Excluded(start), Bound::Unbounded));
        let mut last = start;
        for (version, id) in rows.by_ref().take(size) {
            page.rows.push(*id);
            last = *version;
        }
        if rows.next().is_some() {
            page.next = Some(Place::Changed(since, last));
            return page;
        }
    }
    // Deletions are listed up to the moment the last changed row was; what
    // happens later belongs to the next token.
    let (at, upto) = graves.unwrap_or((since, db.version));
    let mut buried = data.graves.range((Bound::Excluded(at), Bound::Included(upto.max(at))));
    let room = size.saturating_sub(page.rows.len());
    let mut last = at;
    for (version, grave) in buried.by_ref().take(room) {
        page.deleted.push(grave.id);
        last = *version;
    }
    if buried.next().is_some() {
        page.next = Some(Place::Deleted(since, upto, last));
    } else {
        page.delta = Some(upto);
    }
    page
}

/// An ordinary page.
fn plain(
    db: &mut Db,
    table: &str,
    options: &Options,
    skip: Option<&Skip>,
    size: usize,
    prefer: &Prefer,
) -> Result<Leaf, Refusal> {
    let count = options.count.then(|| count(db, table, options.filter.as_ref()));
    // `$top` is ignored beside a page size (sheet 2.2).
    let top = options.top.filter(|_| prefer.page_size.is_none());
    let size = top.map_or(size, |top| top.min(size));
    let number = skip.map_or(1, |skip| skip.page);
    let mut page = Leaf {
        rows: Vec::new(),
        deleted: Vec::new(),
        next: None,
        delta: None,
        count,
        page: number,
    };
    if !options.order.is_empty() {
        sorted(db, table, options, skip, size, &mut page)?;
    } else if let Some(ids) = options.filter.as_ref().and_then(eval::candidates) {
        named(db, table, options, skip, (ids, size), &mut page);
    } else {
        by_id(db, table, options, skip, size, &mut page);
    }
    if top.is_some() {
        page.next = None;
    }
    Ok(page)
}

fn start(skip: Option<&Skip>) -> (Bound<Uuid>, Option<u64>) {
    match skip.map(|skip| &skip.place) {
        Some(Place::Id(last, first)) => (Bound::Excluded(*last), Some(*first)),
        Some(Place::Sorted(..) | Place::Changed(..) | Place::Deleted(..)) | None => {
            (Bound::Unbounded, None)
        }
    }
}

fn by_id(
    db: &Db,
    table: &str,
    options: &Options,
    skip: Option<&Skip>,
    size: usize,
    page: &mut Leaf,
) {
    let Some(data) = db.table(table) else { return };
    let (from, first) = start(skip);
    for (id, row) in data.rows.range((from, Bound::Unbounded)) {
        if options.filter.as_ref().is_some_and(|filter| !eval::holds(filter, *id, row)) {
            continue;
        }
        if page.rows.len() == size {
            let last = page.rows.last().copied().unwrap_or_default();
            page.next = Some(Place::Id(last, first.unwrap_or(db.version)));
            return;
        }
        page.rows.push(*id);
    }
}

/// A filter that names its ids needs no walk over the table.
fn named(
    db: &Db,
    table: &str,
    options: &Options,
    skip: Option<&Skip>,
    (mut ids, size): (Vec<Uuid>, usize),
    page: &mut Leaf,
) {
    let Some(data) = db.table(table) else { return };
    ids.sort_unstable();
    ids.dedup();
    let (from, first) = start(skip);
    for id in ids {
        if matches!(from, Bound::Excluded(last) if id <= last) {
            continue;
        }
        let Some(row) = data.rows.get(&id) else {
            continue;
        };
        if options.filter.as_ref().is_some_and(|filter| !eval::holds(filter, id, row)) {
            continue;
        }
        if page.rows.len() == size {
            let last = page.rows.last().copied().unwrap_or_default();
            page.next = Some(Place::Id(last, first.unwrap_or(db.version)));
            return;
        }
        page.rows.push(id);
    }
}

fn sorted(
    db: &mut Db,
    table: &str,
    options: &Options,
    skip: Option<&Skip>,
    size: usize,
    page: &mut Leaf,
) -> Result<(), Refusal> {
    let (handle, offset) = match skip.map(|skip| &skip.place) {
        Some(Place::Sorted(handle, offset)) => (Some(*handle), *offset),
        Some(_) => {
            return Err(query("Malformed paging cookie in the $skiptoken query option."));
        }
        None => (None, 0),
    };
    let kept = handle.filter(|handle| db.sorted.iter().any(|(known, _)| known == handle));
    let handle = match kept {
        Some(handle) => handle,
        None => sort(db, table, options),
    };
    let Some((_, ids)) = db.sorted.iter().find(|(known, _)| *known == handle) else {
        return Ok(());
    };
    page.rows = ids.iter().skip(offset).take(size).copied().collect();
    let end = offset + page.rows.len();
    page.next = (end < ids.len()).then_some(Place::Sorted(handle, end));
    let held: Vec<Uuid> = page.rows.iter().copied().filter(|id| db.holds(table, *id)).collect();
    page.rows = held;
    Ok(())
}

fn sort(db: &mut Db, table: &str, options: &Options) -> u64 {
    let mut keyed: Vec<(Vec<Literal>, Uuid)> = Vec::new();
    if let Some(data) = db.table(table) {
        for (id, row) in &data.rows {
            if options.filter.as_ref().is_none_or(|filter| eval::holds(filter, *id, row)) {
                keyed.push((
                    options.order.iter().map(|(column, _)| eval::value(column, *id, row)).collect(),
                    *id,
                ));
            }
        }
    }
    keyed.sort_by(|(left, left_id), (right, right_id)| {
        for ((a, b), (_, descending)) in left.iter().zip(right).zip(&options.order) {
            let order = eval::order(a, b).unwrap_or(Ordering::Equal);
            let order = if *descending { order.reverse() } else { order };
            if order != Ordering::Equal {
                return order;
            }
        }
        left_id.cmp(right_id)
    });
    let handle = db.sorted.back().map_or(1, |(last, _)| last + 1);
    keep(&mut db.sorted, handle, keyed.into_iter().map(|(_, id)| id).collect());
    handle
}

fn keep(sorted: &mut VecDeque<(u64, Vec<Uuid>)>, handle: u64, ids: Vec<Uuid>) {
    if sorted.len() >= MOST_SORTED {
        sorted.pop_front();
    }
    sorted.push_back((handle, ids));
}

/// Rows that fulfil a filter, up to the largest count there is (sheet 2.4).
pub(crate) fn count(db: &Db, table: &str, filter: Option<&Expr>) -> usize {
    let Some(data) = db.table(table) else {
        return 0;
    };
    match filter {
        None => data.rows.len().min(LARGEST),
        Some(filter) => data
            .rows
            .iter()
            .filter(|(id, row)| eval::holds(filter, **id, row))
            .take(LARGEST)
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
        None => count(db, table, options.filter.as_ref()),
        Some(token) => {
            refuse_with_tracking(context.call)?;
            check_token(db, table, token, context)?;
            let after = (Bound::Excluded(token.0), Bound::Unbounded);
            data.by_version.range(after).count() + data.graves.range(after).count()
        }
    };
    Ok(Reply::new(StatusCode::OK, "text/plain", format!("\u{feff}{number}")))
}
