//! `$expand`: related rows inside of rows (Dynamics sheet 2.3; what it leaves
//! open is from Microsoft's page "Join tables using OData").
//!
//! Owns: reading the option, its limits, and writing the members. Where a name
//! leads is in `relation.rs`.

use std::cmp::Ordering;

use uuid::Uuid;

use super::error::{Refusal, no_property, query, refuse};
use super::filter::{self, Expr};
use super::privileges::{self, Verb};
use super::read::{Context, LARGEST, order_by};
use super::relation::{self, Way};
use super::render::{Annotations, Plan, refuse_named};
use super::schema::{Column, Table};
use super::store::{Db, Stored};
use super::token::{Place, Skip};
use super::{api, eval};
use crate::sandbox::wire::{encode, push_json};

/// Expansions of one question.
const MOST: usize = 15;

const NESTED: &str = "Only $select and $filter clause can be provided while doing $expand on many-to-one relationship or nested one-to-many relationship.";

/// One navigation property that is shown in full.
pub(super) struct Expansion {
    name: String,
    way: Way,
    plan: Plan,
    select: Option<String>,
    filter: Option<Expr>,
    order: Vec<(Column, bool)>,
    top: Option<usize>,
    inner: Vec<Expansion>,
    /// Its options as a query, for the link.
    link: String,
}

/// Parts of a list at a sign that stands outside of quotes and brackets.
fn parts(text: &str, sign: char) -> Vec<&str> {
    let (mut out, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_usize, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ if letter == sign && depth == 0 && !quoted => {
                out.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(text.get(start..).unwrap_or_default());
    out.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Reads the `$expand` of a question; none without one.
pub(super) fn read(
    db: &Db,
    table: &Table,
    context: &Context<'_>,
) -> Result<Vec<Expansion>, Refusal> {
    let Some(text) = context.call.param("$expand") else { return Ok(Vec::new()) };
    let mut left = MOST;
    let out = level(db, table, text, context, &mut left)?;
    let nested = out.iter().any(|one| !one.inner.is_empty());
    let shaped = |one: &Expansion| one.top.is_some() || !one.order.is_empty();
    if nested && out.iter().any(shaped) {
        return Err(query(NESTED));
    }
    let pairs = out.iter().filter(|one| matches!(one.way, Way::Pairs { .. })).count();
    if pairs > 0 && (nested || pairs < out.len()) {
        // The page says that it is not supported; the text is not in it.
        return Err(query(
            "Many-to-many relationships cannot be expanded together with others, nor nested.",
        ));
    }
    Ok(out)
}

fn level(
    db: &Db,
    table: &Table,
    text: &str,
    context: &Context<'_>,
    left: &mut usize,
) -> Result<Vec<Expansion>, Refusal> {
    let mut out = Vec::new();
    for part in parts(text, ',') {
        // The number is in the page, the text is not.
        *left = left
            .checked_sub(1)
            .ok_or_else(|| query(format!("A query may have at most {MOST} $expand options.")))?;
        out.push(one(db, table, part, context, left)?);
    }
    Ok(out)
}

fn one(
    db: &Db,
    table: &Table,
    part: &str,
    context: &Context<'_>,
    left: &mut usize,
) -> Result<Expansion, Refusal> {
    let (name, options) = match part.split_once('(') {
        None => (part, ""),
        Some((name, rest)) => (
            name.trim(),
            rest.strip_suffix(')')
                .ok_or_else(|| query(format!("Syntax error in '{part}' of $expand.")))?,
        ),
    };
    let (name, reference) = name.strip_suffix("/$ref").map_or((name, false), |name| (name, true));
    let way = relation::way(db, &table.name, name).ok_or_else(|| no_property(name, &table.name))?;
    let single = matches!(way, Way::One { .. });
    if reference && !single {
        return Err(query(
            "Expand with $ref is only supported on lookup type navigation property.",
        ));
    }
    if reference {
        return Err(refuse(501, "0x80060888", "$ref in $expand is not part of this sandbox."));
    }
    privileges::require(db, way.table(), Verb::Read)?;
    let to = db.table(way.table()).ok_or_else(|| no_property(name, &table.name))?;
    let mut seen = Options::default();
    for option in parts(options, ';') {
        seen.take(option)?;
    }
    if single && (seen.order.is_some() || seen.top.is_some()) {
        return Err(query(NESTED));
    }
    if single && seen.filter.is_some() {
        return Err(refuse(
            501,
            "0x80060888",
            "$filter on a single-valued $expand is not part of this sandbox.",
        ));
    }
    refuse_named(&to.def, [seen.select, seen.filter, seen.order], context.variants)?;
    // The lookup that leads back is shown beside what was asked for.
    let select = seen.select.map(|list| match &way {
        Way::Many { column, .. } => format!("{list},{}", column.wire_name()),
        Way::One { .. } | Way::Pairs { .. } => list.to_owned(),
    });
    let annotations = Annotations::new(&context.prefer.annotations);
    let plan = Plan::new(&to.def, select.as_deref(), &annotations)?.for_caller(context.variants);
    let inner = match seen.expand {
        Some(text) => level(db, &to.def, text, context, left)?,
        None => Vec::new(),
    };
    let top = seen.top.map(|text| {
        text.parse()
            .map_err(|_| query(format!("Invalid value '{text}' for $top query option found.")))
    });
    Ok(Expansion {
        name: name.to_owned(),
        plan,
        select: seen.select.map(str::to_owned),
        filter: seen
            .filter
            .map(|text| filter::parse(text, &to.def, &context.call.query))
            .transpose()?,
        order: order_by(seen.order.unwrap_or_default(), &to.def)?,
        top: top.transpose()?,
        inner,
        link: parts(options, ';')
            .iter()
            .filter_map(|option| option.split_once('='))
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect::<Vec<_>>()
            .join("&"),
        way,
    })
}

/// The options of one expansion, as they stand there.
#[derive(Default)]
struct Options<'a> {
    select: Option<&'a str>,
    filter: Option<&'a str>,
    order: Option<&'a str>,
    top: Option<&'a str>,
    expand: Option<&'a str>,
}

impl<'a> Options<'a> {
    fn take(&mut self, option: &'a str) -> Result<(), Refusal> {
        let (name, value) = option
            .split_once('=')
            .ok_or_else(|| query(format!("Syntax error in '{option}' of $expand.")))?;
        let place = match name.trim() {
            "$select" => &mut self.select,
            "$filter" => &mut self.filter,
            "$orderby" => &mut self.order,
            "$top" => &mut self.top,
            "$expand" => &mut self.expand,
            other => {
                return Err(query(format!(
                    "The query option {other} is not supported inside of $expand."
                )));
            }
        };
        *place = Some(value);
        Ok(())
    }
}

/// What the context says of the members: `(a,b,nav(c))`.
pub(super) fn fragment(select: Option<&str>, expansions: &[Expansion]) -> String {
    let mut members: Vec<String> = select.map(str::to_owned).into_iter().collect();
    members.extend(
        expansions
            .iter()
            .map(|one| format!("{}{}", one.name, inside(one.select.as_deref(), &one.inner))),
    );
    if members.is_empty() { String::new() } else { format!("({})", members.join(",")) }
}

fn inside(select: Option<&str>, inner: &[Expansion]) -> String {
    let text = fragment(select, inner);
    if text.is_empty() { "()".to_owned() } else { text }
}

/// Appends the expanded members of a row, each behind a comma.
pub(super) fn write(
    db: &Db,
    table: &str,
    id: Uuid,
    expansions: &[Expansion],
    context: &Context<'_>,
    out: &mut Vec<u8>,
) {
    let nested = expansions.iter().any(|one| !one.inner.is_empty());
    // Pages of what is expanded exist only where something is nested.
    let size = context.prefer.page_size.filter(|_| nested);
    for one in expansions {
        member(db, (table, id), one, size, context, out);
    }
}

fn member(
    db: &Db,
    (table, id): (&str, Uuid),
    one: &Expansion,
    size: Option<usize>,
    context: &Context<'_>,
    out: &mut Vec<u8>,
) {
    out.push(b',');
    push_json(out, &one.name);
    out.push(b':');
    let rows = chosen(db, (table, id), one);
    if matches!(one.way, Way::One { .. }) {
        match rows.first() {
            Some((id, row)) => object(db, one, *id, row, context, out),
            None => out.extend_from_slice(b"null"),
        }
        return;
    }
    let shown = size.unwrap_or(LARGEST).min(LARGEST);
    out.push(b'[');
    for (at, (id, row)) in rows.iter().take(shown).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        object(db, one, *id, row, context, out);
    }
    out.push(b']');
    let more = (size.is_some() && rows.len() > shown)
        .then(|| rows.get(shown.checked_sub(1)?).map(|(last, _)| *last))
        .flatten();
    if size.is_some() && more.is_none() {
        return;
    }
    let set = db.table(table).map(|data| data.def.set.clone()).unwrap_or_default();
    let mut link = format!("{}/{set}({id})/{}?{}", api(context.call), one.name, one.link);
    if let Some(last) = more {
        let skip = Skip { page: 1, place: Place::Id(last, db.version) };
        link.push_str(&format!("&$skiptoken={}", skip.text(false)));
    }
    out.push(b',');
    push_json(out, &format!("{}@odata.nextLink", one.name));
    out.push(b':');
    push_json(out, link.trim_end_matches(['?', '&']));
}

/// The related rows that the options leave, in their order.
fn chosen<'a>(db: &'a Db, (table, id): (&str, Uuid), one: &Expansion) -> Vec<(Uuid, &'a Stored)> {
    let held = db.table(one.way.table()).map(|data| &data.rows);
    let mut rows: Vec<(Uuid, &Stored)> = relation::reached(db, table, id, &one.way)
        .into_iter()
        .filter_map(|id| Some((id, held?.get(&id)?)))
        .filter(|(id, row)| one.filter.as_ref().is_none_or(|filter| eval::holds(filter, *id, row)))
        .collect();
    rows.sort_by(|(left_id, left), (right_id, right)| {
        for (column, descending) in &one.order {
            let (a, b) =
                (eval::value(column, *left_id, left), eval::value(column, *right_id, right));
            let order = eval::order(&a, &b).unwrap_or(Ordering::Equal);
            let order = if *descending { order.reverse() } else { order };
            if order != Ordering::Equal {
                return order;
            }
        }
        left_id.cmp(right_id)
    });
    rows.truncate(one.top.unwrap_or(usize::MAX));
    rows
}

fn object(
    db: &Db,
    one: &Expansion,
    id: Uuid,
    row: &Stored,
    context: &Context<'_>,
    out: &mut Vec<u8>,
) {
    // Single rows and nested ones come without an etag.
    let tagged = !matches!(one.way, Way::One { .. }) && one.inner.is_empty();
    one.plan.open(db, out, tagged, id, row);
    write(db, one.way.table(), id, &one.inner, context, out);
    out.push(b'}');
}
