//! `$apply`: groups and aggregates (Dynamics sheet 2.3).
//!
//! Owns: its small grammar, `[filter(…)/]groupby((c,…),aggregate(…))` or
//! `aggregate(…)` alone, and the limit of rows.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use uuid::Uuid;

use super::error::{Refusal, no_property, query, refuse};
use super::filter::{self, Literal};
use super::read::Context;
use super::schema::{Column, Role, Table};
use super::store::{Db, Stored};
use super::{api, eval, value};
use crate::sandbox::row::Cell;
use crate::sandbox::wire::{Reply, push_json};

/// Rows that an aggregate looks at, at most.
const MOST: usize = 50_000;

/// How the values of a column become one.
#[derive(Clone, Copy, Debug)]
enum Method {
    Sum,
    Average,
    Min,
    Max,
    CountDistinct,
}

/// One aggregate with the name of its result; without a column it counts rows.
struct Aggregate {
    of: Option<(Column, Method)>,
    name: String,
}

fn syntax(text: &str) -> Refusal {
    query(format!("Syntax error in '{text}' of the $apply query option."))
}

/// The inside of `name(…)` and what comes behind it.
fn call<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let inside = text.strip_prefix(name)?.strip_prefix('(')?;
    let (mut depth, mut quoted) = (1_usize, false);
    for (at, letter) in inside.char_indices() {
        match letter {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inside[..at], &inside[at + 1..]));
        }
    }
    None
}

fn column(table: &Table, name: &str) -> Result<Column, Refusal> {
    table.by_wire(name).cloned().ok_or_else(|| no_property(name, &table.name))
}

fn aggregates(table: &Table, list: &str) -> Result<Vec<Aggregate>, Refusal> {
    let one = |part: &str| {
        let (what, name) = part.trim().rsplit_once(" as ").ok_or_else(|| syntax(part))?;
        let of = if what.trim() == "$count" {
            None
        } else {
            let (name, method) = what.trim().split_once(" with ").ok_or_else(|| syntax(part))?;
            let method = match method.trim() {
                "sum" => Method::Sum,
                "average" => Method::Average,
                "min" => Method::Min,
                "max" => Method::Max,
                "countdistinct" => Method::CountDistinct,
                _ => return Err(syntax(part)),
            };
            Some((column(table, name.trim())?, method))
        };
        Ok(Aggregate { of, name: name.trim().to_owned() })
    };
    list.split(',').map(one).collect()
}

/// `GET set?$apply=…`.
pub(crate) fn answer(
    db: &Db,
    table: &Table,
    text: &str,
    context: &Context<'_>,
) -> Result<Reply, Refusal> {
    let wrong = || syntax(text);
    let (filter, rest) = match call(text, "filter") {
        None => (None, text),
        Some((inner, rest)) => {
            let filter = filter::parse(inner, table, &context.call.query)?;
            (Some(filter), rest.strip_prefix('/').ok_or_else(wrong)?)
        }
    };
    let (keys, list) = match (call(rest, "groupby"), call(rest, "aggregate")) {
        (Some((inner, "")), _) => {
            let (keys, rest) = call(inner, "").ok_or_else(wrong)?;
            let keys: Result<Vec<Column>, Refusal> =
                keys.split(',').map(|name| column(table, name.trim())).collect();
            let list = match rest.trim().strip_prefix(',') {
                None => None,
                Some(rest) => Some(call(rest.trim(), "aggregate").ok_or_else(wrong)?.0),
            };
            (keys?, list)
        }
        (None, Some((list, ""))) => (Vec::new(), Some(list)),
        _ => return Err(wrong()),
    };
    let wanted = list.map(|list| aggregates(table, list)).transpose()?.unwrap_or_default();
    let rows: Vec<(Uuid, &Stored)> = db
        .table(&table.name)
        .into_iter()
        .flat_map(|data| data.rows.iter().map(|(id, row)| (*id, row)))
        .filter(|(id, row)| filter.as_ref().is_none_or(|filter| eval::holds(filter, *id, row)))
        .take(MOST + 1)
        .collect();
    if rows.len() > MOST {
        // Code and text as users report them, UNCONFIRMED.
        return Err(refuse(
            400,
            "0x8004e023",
            "AggregateQueryRecordLimit exceeded. Cannot perform this operation.",
        ));
    }
    write(table, &keys, &wanted, &rows, context)
}

fn write(
    table: &Table,
    keys: &[Column],
    wanted: &[Aggregate],
    rows: &[(Uuid, &Stored)],
    context: &Context<'_>,
) -> Result<Reply, Refusal> {
    let mut groups: BTreeMap<Vec<u8>, Vec<(Uuid, &Stored)>> = BTreeMap::new();
    if keys.is_empty() {
        groups.insert(Vec::new(), Vec::new());
    }
    for (id, row) in rows {
        groups.entry(head(keys, *id, row)).or_default().push((*id, row));
    }
    let mut out = b"{\"@odata.context\":".to_vec();
    push_json(&mut out, &format!("{}/$metadata#{}", api(context.call), table.set));
    out.extend_from_slice(b",\"value\":[");
    for (at, (head, rows)) in groups.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{" } else { b"{" });
        let mut members = head.clone();
        for aggregate in wanted {
            push_json(&mut members, &aggregate.name);
            members.push(b':');
            let result = match &aggregate.of {
                None => rows.len().into(),
                Some((column, method)) => fold(column, *method, rows)?,
            };
            members.extend_from_slice(result.to_string().as_bytes());
            members.push(b',');
        }
        members.pop();
        out.extend_from_slice(&members);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Ok(Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", out))
}

/// The members that name a group, each with a comma behind it.
fn head(keys: &[Column], id: Uuid, row: &Stored) -> Vec<u8> {
    let mut out = Vec::new();
    for column in keys {
        push_json(&mut out, &column.wire_name());
        out.push(b':');
        let cell = match column.role {
            Role::Id => Some(Cell::Guid(id)),
            Role::Version => i64::try_from(row.version).ok().map(Cell::Int),
            Role::Plain => row.data.get(column.number),
        };
        value::write(&mut out, cell.as_ref());
        out.push(b',');
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "at most 50,000 rows")]
fn fold(
    column: &Column,
    method: Method,
    rows: &[(Uuid, &Stored)],
) -> Result<serde_json::Value, Refusal> {
    let values: Vec<Literal> = rows
        .iter()
        .map(|(id, row)| eval::value(column, *id, row))
        .filter(|value| *value != Literal::Null)
        .collect();
    if let Method::CountDistinct = method {
        let distinct: BTreeSet<String> = values.iter().map(|value| format!("{value:?}")).collect();
        return Ok(distinct.len().into());
    }
    let mut numbers = Vec::with_capacity(values.len());
    for value in values {
        let Literal::Number(number) = value else {
            return Err(query(format!("The column {} holds no numbers.", column.name)));
        };
        numbers.push(number);
    }
    let sum: f64 = numbers.iter().sum();
    let result = match method {
        Method::Sum | Method::CountDistinct => Some(sum),
        Method::Average if numbers.is_empty() => None,
        Method::Average => Some(sum / numbers.len() as f64),
        Method::Min => numbers.into_iter().reduce(f64::min),
        Method::Max => numbers.into_iter().reduce(f64::max),
    };
    Ok(result.into())
}
