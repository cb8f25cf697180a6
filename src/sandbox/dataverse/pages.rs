//! Choosing the rows of one page: by id, by named ids, sorted, or by version.
//!
//! Owns: where a page ends and the next one begins (Dynamics sheet 2.2 and 3.3).

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Bound;

use uuid::Uuid;

use super::error::{Refusal, query};
use super::filter::Literal;
use super::read::{Leaf, Options, count};
use super::store::Db;
use super::token::{Place, Skip};
use super::{Prefer, eval};

/// Sorted results kept for their next pages.
const MOST_SORTED: usize = 8;

/// Rows that changed, by version; then tombstones (sheet 3.3).
pub(super) fn changes(db: &Db, table: &str, since: u64, skip: Option<&Skip>, size: usize) -> Leaf {
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
pub(super) fn plain(
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
