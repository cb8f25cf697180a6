//! Records as JSON, and lists of them (campaign sheet 3.2, 3.5, 3.6).
//!
//! Owns: projection, filters, order, pages and counts.

use http::StatusCode;
use serde_json::{Map, Value};

use super::error::{self, Refusal};
use super::pkey::Sealed;
use super::record::{list_row, text_of};
use super::schema::{Api, Field, FieldType, FilterOperator, Resource};
use super::store::{Db, ResourceData};
use super::value;
use crate::sandbox::moment;
use crate::sandbox::row::{Cell, Packed};
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, ListMarks, Reply, encode};

/// Where a request stands.
pub(crate) struct View<'a> {
    pub(crate) call: &'a Call,
    pub(crate) tenant: &'a str,
    pub(crate) api: Api,
    pub(crate) place: usize,
    pub(crate) variants: Variants,
    pub(crate) now: i64,
}

impl View<'_> {
    /// `{origin}/{tenant}/campaign/{api}/{resource}`
    pub(crate) fn base(&self, resource: &str) -> String {
        self.base_under(self.api, resource)
    }

    /// The same under another root.
    pub(crate) fn base_under(&self, api: Api, resource: &str) -> String {
        format!("{}/{}/campaign/{}/{resource}", self.call.origin, self.tenant, api.segment())
    }
}

/// A condition of a filter.
struct Condition<'a> {
    field: Option<&'a Field>,
    operator: FilterOperator,
    value: String,
    exact: bool,
}

fn reply(status: StatusCode, value: &Value) -> Reply {
    Reply::new(status, "application/json;charset=utf-8", value.to_string())
}

/// A record under "1 cardinality" without its parent is not there.
pub(crate) fn visible(db: &Db, def: &Resource, row: &Packed, variants: Variants) -> bool {
    if !variants.one_cardinality_links {
        return true;
    }
    let Some(parent) = def.parent.as_ref().and_then(|name| def.field(name)) else {
        return true;
    };
    let linked =
        row.get(parent.number).and_then(|cell| cell.int()).and_then(|row| u64::try_from(row).ok());
    let FieldType::Link { target } = &parent.kind else {
        return true;
    };
    linked.is_some_and(|row| db.named(target).is_some_and(|data| data.rows.contains_key(&row)))
}

/// The conditions of the filters in the path; a missing parameter sets none.
fn conditions<'a>(def: &'a Resource, view: &View<'_>, filters: &[&str]) -> Vec<Condition<'a>> {
    let mut out = Vec::new();
    for name in filters {
        let Some(filter) = def.filter(name, view.api) else {
            continue;
        };
        let Some(value) = view.call.param(&filter.parameter).filter(|value| !value.is_empty())
        else {
            continue;
        };
        let typed = view.call.param("filterType").filter(|_| filter.name == "byText");
        let field = match typed {
            Some(name) => def.field(name).or_else(|| def.field(&format!("cus{name}"))),
            None => def.field(&filter.field),
        };
        out.push(Condition {
            field,
            operator: filter.operator,
            value: value.to_owned(),
            exact: typed.is_some(),
        });
    }
    out
}

fn fulfils(def: &Resource, row: &Packed, condition: &Condition<'_>) -> bool {
    let Some(field) = condition.field else {
        // `byText` without a type looks at names and e-mail.
        let wanted = condition.value.to_lowercase();
        return ["firstName", "lastName", "email", "name", "label"]
            .iter()
            .any(|name| text_of(def, row, name).to_lowercase().starts_with(&wanted));
    };
    let cell = row.get(field.number);
    match condition.operator {
        FilterOperator::Equal => {
            value::spelt(&value::show(field, cell.as_ref())) == condition.value
        }
        FilterOperator::Prefix => {
            let text = cell.as_ref().and_then(Cell::text).unwrap_or_default();
            if condition.exact {
                text.starts_with(&condition.value)
            } else {
                text.to_lowercase().starts_with(&condition.value.to_lowercase())
            }
        }
        FilterOperator::AtLeast => match cell {
            Some(Cell::Time(at)) => {
                moment::parse_moment(&condition.value).is_some_and(|from| at >= from)
            }
            Some(Cell::Date(at)) => {
                moment::parse_date(&condition.value).is_some_and(|from| at >= from)
            }
            Some(Cell::Int(number)) => {
                condition.value.parse().is_ok_and(|from: i64| number >= from)
            }
            Some(Cell::Double(number)) => {
                condition.value.parse().is_ok_and(|from: f64| number >= from)
            }
            Some(Cell::Text(text)) => *text >= *condition.value,
            Some(Cell::Bool(_) | Cell::Decimal(_) | Cell::Guid(_) | Cell::Ref(..)) | None => false,
        },
    }
}

/// The records that an indexed equality leaves, where there is one.
fn narrowed(data: &ResourceData, conditions: &[Condition<'_>]) -> Option<Vec<u64>> {
    conditions.iter().find_map(|condition| {
        let field = condition
            .field
            .filter(|field| field.indexed && condition.operator == FilterOperator::Equal)?;
        Some(data.with(field.number, &condition.value))
    })
}

struct Slice {
    rows: Vec<u64>,
    next: Option<Sealed>,
}

/// The rows of one page.
fn slice(
    db: &mut Db,
    view: &View<'_>,
    conditions: &[Condition<'_>],
    size: usize,
) -> Result<Slice, Refusal> {
    let start = match view.call.param("_lineStart") {
        None => (0, 0),
        Some(token) => match db.sealer.open(token) {
            Some(Sealed::Line(sorted, line)) => (sorted, line),
            Some(Sealed::Record(..)) | None => return Err(error::wrong_line(token)),
        },
    };
    if let Some(order) = view.call.param("_order").filter(|order| !order.is_empty()) {
        return ordered(db, view, conditions, size, start, order);
    }
    let Some(data) = db.resources.get(view.place) else {
        return Err(error::no_resource());
    };
    let keep = |number: &u64, row: &Packed| {
        *number > start.1
            && visible(db, &data.def, row, view.variants)
            && conditions.iter().all(|condition| fulfils(&data.def, row, condition))
    };
    let mut rows: Vec<u64> = match narrowed(data, conditions) {
        Some(rows) => rows
            .into_iter()
            .filter(|number| data.rows.get(number).is_some_and(|row| keep(number, row)))
            .take(size + 1)
            .collect(),
        None => data
            .rows
            .range(start.1 + 1..)
            .filter(|(number, row)| keep(number, row))
            .map(|(number, _)| *number)
            .take(size + 1)
            .collect(),
    };
    let more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| more).map(|last| Sealed::Line(0, *last));
    Ok(Slice { rows, next })
}

fn ordered(
    db: &mut Db,
    view: &View<'_>,
    conditions: &[Condition<'_>],
    size: usize,
    (sorted, line): (u64, u64),
    order: &str,
) -> Result<Slice, Refusal> {
    // One client encodes the blank twice.
    let order = order.replace("%20", " ");
    let (name, descending) = order
        .split_once(' ')
        .map_or((order.as_str(), false), |(name, rest)| (name, rest.trim() == "desc"));
    let kept = db.sorted.iter().any(|(handle, _)| *handle == sorted && sorted > 0);
    let handle = if kept { sorted } else { sort(db, view, conditions, name, descending)? };
    let rows = db
        .sorted
        .iter()
        .find(|(known, _)| *known == handle)
        .map(|(_, rows)| rows.as_slice())
        .unwrap_or_default();
    let offset = usize::try_from(line).unwrap_or(usize::MAX);
    let page: Vec<u64> = rows.iter().skip(offset).take(size).copied().collect();
    let end = offset.saturating_add(page.len());
    let next =
        (end < rows.len()).then(|| Sealed::Line(handle, u64::try_from(end).unwrap_or(u64::MAX)));
    let held = db
        .resources
        .get(view.place)
        .map(|data| page.iter().copied().filter(|row| data.rows.contains_key(row)).collect());
    Ok(Slice { rows: held.unwrap_or_default(), next })
}

fn sort(
    db: &mut Db,
    view: &View<'_>,
    conditions: &[Condition<'_>],
    name: &str,
    descending: bool,
) -> Result<u64, Refusal> {
    let Some(data) = db.resources.get(view.place) else {
        return Err(error::no_resource());
    };
    let field = data.def.field(name).filter(|field| !(field.custom && view.api == Api::Plain));
    let field = field.ok_or_else(|| error::unknown(name, &data.def.name))?;
    if !sortable(field) {
        return Err(error::not_sortable(name));
    }
    let mut keyed: Vec<(Option<Cell<'_>>, u64)> = data
        .rows
        .iter()
        .filter(|(_, row)| visible(db, &data.def, row, view.variants))
        .filter(|(_, row)| conditions.iter().all(|condition| fulfils(&data.def, row, condition)))
        .map(|(number, row)| (row.get(field.number), *number))
        .collect();
    keyed.sort_by(|(left, a), (right, b)| {
        let order = compare(left.as_ref(), right.as_ref()).then(a.cmp(b));
        if descending { order.reverse() } else { order }
    });
    let rows = keyed.into_iter().map(|(_, number)| number).collect();
    db.last_sorted += 1;
    let handle = db.last_sorted;
    if db.sorted.len() >= 8 {
        db.sorted.pop_front();
    }
    db.sorted.push_back((handle, rows));
    Ok(handle)
}

fn compare(left: Option<&Cell<'_>>, right: Option<&Cell<'_>>) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    match (left, right) {
        (Some(Cell::Text(a)), Some(Cell::Text(b))) => a.cmp(b),
        (Some(Cell::Int(a)), Some(Cell::Int(b)))
        | (Some(Cell::Time(a)), Some(Cell::Time(b)))
        | (Some(Cell::Date(a)), Some(Cell::Date(b))) => a.cmp(b),
        (Some(Cell::Bool(a)), Some(Cell::Bool(b))) => a.cmp(b),
        (Some(Cell::Double(a)), Some(Cell::Double(b))) => a.total_cmp(b),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        _ => Ordering::Equal,
    }
}

/// Whether `_order` may name a field.
pub(crate) fn sortable(field: &Field) -> bool {
    !matches!(field.kind, FieldType::Link { .. } | FieldType::Collection { .. } | FieldType::Memo)
}

/// The query without the mark of the page.
fn query_without_line(call: &Call) -> String {
    let kept = call.query.iter().filter(|(name, _)| name != "_lineStart" && name != "emptypage");
    kept.map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

fn page_size(call: &Call) -> Result<usize, Refusal> {
    let Some(text) = call.param("_lineCount") else { return Ok(25) };
    let size = text.parse().ok().filter(|size| *size > 0);
    size.ok_or_else(|| error::mismatch(text, "integer (32 bit)"))
}

/// `GET resource[/filter…][/field]`.
pub(crate) fn list(
    db: &mut Db,
    view: &View<'_>,
    filters: &[&str],
    projection: Option<&str>,
) -> Result<Reply, Refusal> {
    let def =
        db.resources.get(view.place).map(|data| data.def.clone()).ok_or_else(error::no_resource)?;
    let size = page_size(view.call)?;
    let conditions = conditions(&def, view, filters);
    let slice = slice(db, view, &conditions, size)?;
    let mut out = b"{\"content\":[".to_vec();
    let start = out.len();
    let mut ranges = Vec::new();
    let big = {
        let Some(data) = db.resources.get(view.place) else {
            return Err(error::no_resource());
        };
        for number in &slice.rows {
            let Some(row) = data.rows.get(number) else {
                continue;
            };
            if out.len() > start {
                out.push(b',');
            }
            let full = list_row(db, view, *number, row);
            let shown = match projection {
                None => full,
                Some(name) => full.get(name).cloned().unwrap_or(Value::Null),
            };
            let from = out.len();
            out.extend_from_slice(shown.to_string().as_bytes());
            ranges.push(from..out.len());
        }
        data.rows.len() > view.variants.big_table_rows
    };
    out.push(b']');
    let query = query_without_line(view.call);
    let path = filters.iter().fold(view.base(&def.name), |path, filter| format!("{path}/{filter}"));
    let glue = if query.is_empty() { "" } else { "&" };
    let mark = db.sealer.seal(Sealed::Line(0, 0));
    let mut rest = Map::new();
    let mut count =
        serde_json::json!({"href": format!("{path}/_count?{query}{glue}_lineStart={mark}")});
    let whole = slice.next.is_none() && view.call.param("_lineStart").is_none();
    if let (true, Some(count)) = (whole, count.as_object_mut()) {
        count.insert("value".to_owned(), slice.rows.len().into());
    }
    rest.insert("count".to_owned(), count);
    let forced = view.call.param("_forcePagination") == Some("true");
    if let Some(next) = slice.next.filter(|_| forced || !big) {
        let line = db.sealer.seal(next);
        let path = projection.map_or_else(|| path.clone(), |name| format!("{path}/{name}"));
        rest.insert(
            "next".to_owned(),
            serde_json::json!({"href": format!("{path}?{query}{glue}_lineStart={line}")}),
        );
    }
    rest.insert("serverSidePagination".to_owned(), (!whole).into());
    out.push(b',');
    out.extend_from_slice(Value::Object(rest).to_string().get(1..).unwrap_or("}").as_bytes());
    let mut reply = Reply::new(StatusCode::OK, "application/json;charset=utf-8", out);
    reply.rows = Some(ranges.len());
    reply.marks = ranges.first().zip(ranges.last()).map(|(first, last)| ListMarks {
        start,
        first: first.clone(),
        last: last.clone(),
    });
    Ok(reply)
}

/// `GET resource[/filter…]/_count`.
pub(crate) fn count(db: &Db, view: &View<'_>, filters: &[&str]) -> Result<Reply, Refusal> {
    let data = db.resources.get(view.place).ok_or_else(error::no_resource)?;
    let conditions = conditions(&data.def, view, filters);
    let keep = |row: &Packed| {
        visible(db, &data.def, row, view.variants)
            && conditions.iter().all(|condition| fulfils(&data.def, row, condition))
    };
    let count = match narrowed(data, &conditions) {
        Some(rows) => rows.iter().filter(|number| data.rows.get(number).is_some_and(keep)).count(),
        None => data.rows.values().filter(|row| keep(row)).count(),
    };
    Ok(reply(StatusCode::OK, &serde_json::json!({"count": count})))
}
