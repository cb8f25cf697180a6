//! Questions in other tongues than OData: `FetchXML` and SQL (Dynamics sheet 2.7).
//!
//! Owns: turning them into query options, which `read.rs` answers as its own. A
//! part that has no counterpart there is refused.

mod fetch;
mod sql;
mod xml;

use super::error::{Refusal, no_property, query, refuse};
use super::read::{self, Context};
use super::schema::{Column, ColumnType, Table};
use super::store::Db;
use super::{Prefer, api};
use crate::sandbox::wire::{Call, Reply, encode};

/// A question in terms of OData.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    select: Vec<String>,
    filter: Option<String>,
    order: Vec<String>,
    top: Option<usize>,
    /// Rows of one page, and which page; both of `FetchXML` only.
    page: Option<(usize, u64)>,
    /// The paging cookie of the page before.
    cookie: Option<String>,
}

/// Answers `?fetchXml=` and `?sql=`; nothing where neither is there.
pub(super) fn answer(
    db: &mut Db,
    table: &str,
    context: &Context<'_>,
) -> Result<Option<Reply>, Refusal> {
    let Some(def) = db.table(table).map(|data| std::sync::Arc::clone(&data.def)) else {
        return Ok(None);
    };
    if let Some(text) = context.call.param("fetchXml") {
        let asked = fetch::read(text, &def)?;
        return fetched(db, table, context, &asked).map(Some);
    }
    if let Some(text) = context.call.param("sql") {
        let asked = sql::read(text, &def)?;
        let skip = context.call.param("$skiptoken").map(str::to_owned);
        let call = asked.call(context.call, skip);
        return read::collection(db, table, &Context { call: &call, ..*context }).map(Some);
    }
    Ok(None)
}

/// One page of `FetchXML`. A page that is asked for by its number alone is found
/// by walking there.
fn fetched(
    db: &mut Db,
    table: &str,
    context: &Context<'_>,
    asked: &Asked,
) -> Result<Reply, Refusal> {
    let (size, wanted) = asked.page.unwrap_or((read::LARGEST, 1));
    let prefer = Prefer {
        page_size: asked.top.is_none().then_some(size),
        annotations: context.prefer.annotations.clone(),
        ..Prefer::default()
    };
    let skip = |cookie: &str, page: u64| {
        let cookie = encode(&encode(cookie));
        format!("<cookie pagenumber=\"{page}\" pagingcookie=\"{cookie}\" istracking=\"False\" />")
    };
    let cookie = asked.cookie.as_ref().map(|cookie| skip(cookie, wanted));
    let walk = if cookie.is_some() { wanted } else { 1 };
    let mut call = asked.call(context.call, cookie);
    for _ in walk..wanted {
        let inner = Context { call: &call, prefer: &prefer, fetch: true, ..*context };
        let next = read::next_of(db, table, &inner)?;
        let Some(next) = next else {
            return Ok(beyond(db, table, context.call));
        };
        call = asked.call(context.call, Some(next));
    }
    read::collection(db, table, &Context { call: &call, prefer: &prefer, fetch: true, ..*context })
}

/// Behind the last page there is nothing.
fn beyond(db: &Db, table: &str, call: &Call) -> Reply {
    let set = db.table(table).map(|data| data.def.set.clone()).unwrap_or_default();
    let body = serde_json::json!({
        "@odata.context": format!("{}/$metadata#{set}", api(call)),
        "@Microsoft.Dynamics.CRM.morerecords": false, "value": [],
    });
    Reply::new(http::StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string())
}

impl Asked {
    /// The call with this question's options instead of its own.
    fn call(&self, call: &Call, skip: Option<String>) -> Call {
        let mut query = Vec::new();
        if !self.select.is_empty() {
            query.push(("$select".to_owned(), self.select.join(",")));
        }
        if let Some(filter) = &self.filter {
            query.push(("$filter".to_owned(), filter.clone()));
        }
        if !self.order.is_empty() {
            query.push(("$orderby".to_owned(), self.order.join(",")));
        }
        if let Some(top) = self.top {
            query.push(("$top".to_owned(), top.to_string()));
        }
        if let Some(skip) = skip {
            query.push(("$skiptoken".to_owned(), skip));
        }
        Call { query, ..call.clone() }
    }
}

/// A column by logical name, and its name in OData.
fn column<'a>(table: &'a Table, name: &str) -> Result<(&'a Column, String), Refusal> {
    let name = name.to_lowercase();
    let column = table.column(&name).ok_or_else(|| no_property(&name, &table.name))?;
    let lookup = matches!(column.kind, ColumnType::Lookup { .. });
    Ok((column, if lookup { format!("_{name}_value") } else { name }))
}

/// A literal of OData for a column's value.
fn literal(column: &Column, value: &str) -> String {
    let quoted = matches!(
        column.kind,
        ColumnType::Text { .. } | ColumnType::Memo { .. } | ColumnType::EntityName
    );
    if quoted { format!("'{}'", value.replace('\'', "''")) } else { value.to_owned() }
}

/// `LIKE` as the function of OData that it means.
fn like(name: &str, pattern: &str) -> String {
    let bare = pattern.trim_matches('%').replace('\'', "''");
    match (pattern.starts_with('%'), pattern.ends_with('%')) {
        (true, true) => format!("contains({name},'{bare}')"),
        (true, false) => format!("endswith({name},'{bare}')"),
        (false, true) => format!("startswith({name},'{bare}')"),
        (false, false) => format!("{name} eq '{bare}'"),
    }
}

fn unsupported(what: &str) -> Refusal {
    refuse(501, "0x80060888", format!("{what} is not part of this sandbox."))
}

fn malformed(text: impl std::fmt::Display) -> Refusal {
    query(text.to_string())
}
