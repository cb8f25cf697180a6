//! Related rows by the name of their relation: `accounts(<id>)/<relation>` and
//! its `$ref` (Dynamics sheet 4.2).
//!
//! Owns: reading along a relation, and tying and untying its rows. Lookups seen
//! from the child are written in `row_routes.rs`.

use http::{Method, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use super::error::{Refusal, query, refuse};
use super::privileges::{self, Verb};
use super::read::{self, Context};
use super::relation::{self, Way};
use super::row_routes::{set_of, show, single};
use super::schema::name_guid;
use super::store::Db;
use super::write::{self, Actor, Body};
use super::{api, members, path};
use crate::sandbox::wire::Reply;

/// What `metadata` knows of the lookup behind a relation: child table, its
/// column, its navigation name.
pub(super) struct Child {
    pub(super) table: String,
    pub(super) column: String,
    pub(super) navigation: String,
}

/// What stands behind a row's address, where it names a relation.
pub(super) fn answer(
    db: &mut Db,
    table: &str,
    key: &path::Key,
    rest: &[&str],
    context: &Context<'_>,
    actor: Actor,
) -> Option<Result<Reply, Refusal>> {
    let (name, one) = path::segment(rest.first()?)?;
    let way = relation::way(db, table, &name)?;
    let reads = context.call.method == Method::GET;
    if matches!(way, Way::One { .. }) && !reads {
        return None;
    }
    Some(path::find(db, table, key).and_then(|id| {
        privileges::require(db, way.table(), Verb::Read)?;
        let reference = match rest {
            [_] => false,
            [_, "$ref"] => true,
            _ => return Err(not_here()),
        };
        match (&way, one, &context.call.method) {
            (Way::One { .. }, None, _) => {
                let to = relation::reached(db, table, id, &way).first().copied();
                one_row(db, way.table(), to, reference, context)
            }
            (_, None, &Method::GET) if reference => Ok(references(db, table, id, &way, context)),
            (_, None, &Method::GET) => rows(db, table, id, &way, context),
            (_, None, &Method::POST) if reference => {
                let to = named(db, &way, &context.call.body)?;
                attach(db, (table, id), &way, to, actor)
            }
            (_, one, &Method::DELETE) if reference => {
                let to = match one {
                    Some(key) => path::find(db, way.table(), &key)?,
                    None => target(db, &way, context.call.param("$id").unwrap_or_default())?,
                };
                detach(db, id, &way, to, actor)
            }
            _ => Err(not_here()),
        }
    }))
}

fn not_here() -> Refusal {
    refuse(405, "0x80060888", "The requested resource does not support this http method.")
}

fn json(body: &Value) -> Reply {
    Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string())
}

/// The row that a lookup holds, or its reference.
fn one_row(
    db: &Db,
    table: &str,
    to: Option<Uuid>,
    reference: bool,
    context: &Context<'_>,
) -> Result<Reply, Refusal> {
    let Some(to) = to else { return Ok(Reply::empty(StatusCode::NO_CONTENT)) };
    if !reference {
        return show(db, table, to, context);
    }
    let api = api(context.call);
    Ok(json(&serde_json::json!({
        "@odata.context": format!("{api}/$metadata#$ref"),
        "@odata.id": format!("{api}/{}({to})", set_of(db, table)),
    })))
}

fn references(db: &Db, table: &str, id: Uuid, way: &Way, context: &Context<'_>) -> Reply {
    let (api, set) = (api(context.call), set_of(db, way.table()));
    let rows: Vec<Value> = relation::reached(db, table, id, way)
        .iter()
        .take(read::LARGEST)
        .map(|to| serde_json::json!({"@odata.id": format!("{api}/{set}({to})")}))
        .collect();
    let context = format!("{api}/$metadata#Collection($ref)");
    json(&serde_json::json!({"@odata.context": context, "value": rows}))
}

/// The related rows, as a collection with all its options.
fn rows(
    db: &mut Db,
    table: &str,
    id: Uuid,
    way: &Way,
    context: &Context<'_>,
) -> Result<Reply, Refusal> {
    let own = match way {
        Way::Many { column, .. } => format!("{} eq {id}", column.wire_name()),
        Way::One { .. } | Way::Pairs { .. } => {
            let ids = relation::reached(db, table, id, way);
            let ids: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
            let key = db.table(way.table()).map(|data| data.def.id.clone()).unwrap_or_default();
            let ids = ids.join(",");
            format!("Microsoft.Dynamics.CRM.In(PropertyName='{key}',PropertyValues=[{ids}])")
        }
    };
    let mut call = context.call.clone();
    match call.query.iter_mut().find(|(name, _)| name == "$filter") {
        Some((_, filter)) => *filter = format!("{own} and ({filter})"),
        None => call.query.push(("$filter".to_owned(), own)),
    }
    read::collection(db, way.table(), &Context { call: &call, ..*context })
}

/// The row that a body's `@odata.id` names.
fn named(db: &Db, way: &Way, body: &[u8]) -> Result<Uuid, Refusal> {
    let body = write::body(&set_of(db, way.table()), body)?;
    let text = body.get("@odata.id").ok_or_else(|| query("@odata.id is missing."))?;
    let text: String =
        serde_json::from_str(text.get()).map_err(|_| query("@odata.id is no text."))?;
    target(db, way, &text)
}

fn target(db: &Db, way: &Way, text: &str) -> Result<Uuid, Refusal> {
    let set = set_of(db, way.table());
    let (_, key) = path::reference(text)
        .filter(|(named, _)| *named == set)
        .ok_or_else(|| query(format!("'{text}' is not a row of {set}.")))?;
    path::find(db, way.table(), &key)
}

fn bind(body: &mut Body, name: &str, set: &str, id: Uuid) -> Result<(), Refusal> {
    let address = Value::from(format!("/{set}({id})")).to_string();
    body.extend(single(&format!("{name}@odata.bind"), &address)?);
    Ok(())
}

/// Ties two rows; those that are tied already stay so.
fn attach(
    db: &mut Db,
    (from, id): (&str, Uuid),
    way: &Way,
    to: Uuid,
    actor: Actor,
) -> Result<Reply, Refusal> {
    let mut body = Body::new();
    match way {
        Way::One { .. } => return Err(not_here()),
        Way::Many { table, navigation, .. } => {
            bind(&mut body, navigation, &set_of(db, from), id)?;
            write::update(db, table, to, &body, actor)?;
        }
        Way::Pairs { table, through, own, other } => {
            if relation::pair_row(db, through, (own.as_ref(), id), (other.as_ref(), to)).is_none() {
                members::fits(db, through, (from, id), (table, to))?;
                for (column, kind, id) in [(own, from, id), (other, table.as_str(), to)] {
                    let mut targets = column.kind.targets().iter();
                    let target = targets.find(|target| target.table == kind);
                    let name = target.map_or("", |target| target.navigation.as_str());
                    bind(&mut body, name, &set_of(db, kind), id)?;
                }
                let fresh = name_guid(through, &format!("{id} {to}"));
                write::create(db, through, None, &body, actor, fresh)?;
            }
        }
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn detach(db: &mut Db, id: Uuid, way: &Way, to: Uuid, actor: Actor) -> Result<Reply, Refusal> {
    match way {
        Way::One { .. } => return Err(not_here()),
        Way::Many { table, column, navigation } => {
            let held = db.fields(table, to).and_then(|fields| fields.get(&column.number).cloned());
            if matches!(held, Some(crate::sandbox::row::Cell::Ref(of, _)) if of == id) {
                write::update(db, table, to, &single(navigation, "null")?, actor)?;
            }
        }
        Way::Pairs { through, own, other, .. } => {
            if let Some(row) =
                relation::pair_row(db, through, (own.as_ref(), id), (other.as_ref(), to))
            {
                db.remove(through, row);
            }
        }
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
