//! Children by the name of their relation: `accounts(<id>)/<relation>` and its
//! `$ref` (Dynamics sheet 4.2).
//!
//! Owns: one-to-many relations seen from the parent. The lookup of the child is
//! what is read and written.

use http::{Method, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use super::error::{Refusal, query, refuse};
use super::read::{self, Context};
use super::row_routes::{set_of, single};
use super::store::Db;
use super::write::{self, Actor};
use super::{metadata, path};
use crate::sandbox::wire::{Call, Reply};

/// The lookup behind a relation: child table, its column, its navigation name.
pub(super) struct Child {
    pub(super) table: String,
    pub(super) column: String,
    pub(super) navigation: String,
}

/// What stands behind a row's address, where it names a relation to children.
pub(super) fn answer(
    db: &mut Db,
    table: &str,
    key: &path::Key,
    rest: &[&str],
    context: &Context<'_>,
    actor: Actor,
) -> Option<Result<Reply, Refusal>> {
    let (name, one) = path::segment(rest.first()?)?;
    let child = metadata::child(db, table, &name)?;
    let parent = match path::find(db, table, key) {
        Ok(parent) => parent,
        Err(refusal) => return Some(Err(refusal)),
    };
    Some(match (rest, one, &context.call.method) {
        ([_], None, &Method::GET) => children(db, &child, parent, context),
        ([_, "$ref"], None, &Method::POST) => {
            let address = format!("/{}({parent})", set_of(db, table));
            attach(db, &child, &address, context.call, actor)
        }
        ([_, "$ref"], Some(one), &Method::DELETE) => detach(db, &child, parent, &one, actor),
        _ => Err(refuse(
            405,
            "0x80060888",
            "The requested resource does not support this http method.",
        )),
    })
}

fn children(
    db: &mut Db,
    child: &Child,
    parent: Uuid,
    context: &Context<'_>,
) -> Result<Reply, Refusal> {
    let own = format!("_{}_value eq {parent}", child.column);
    let mut call = context.call.clone();
    match call.query.iter_mut().find(|(name, _)| name == "$filter") {
        Some((_, filter)) => *filter = format!("{own} and ({filter})"),
        None => call.query.push(("$filter".to_owned(), own)),
    }
    read::collection(db, &child.table, &Context { call: &call, ..*context })
}

fn attach(
    db: &mut Db,
    child: &Child,
    parent: &str,
    call: &Call,
    actor: Actor,
) -> Result<Reply, Refusal> {
    let set = set_of(db, &child.table);
    let body = write::body(&set, &call.body)?;
    let target = body.get("@odata.id").ok_or_else(|| query("@odata.id is missing."))?;
    let target: String =
        serde_json::from_str(target.get()).map_err(|_| query("@odata.id is no text."))?;
    let (_, key) = path::reference(&target)
        .filter(|(named, _)| *named == set)
        .ok_or_else(|| query(format!("'{target}' is not a row of {set}.")))?;
    let id = path::find(db, &child.table, &key)?;
    let bind = format!("{}@odata.bind", child.navigation);
    write::update(db, &child.table, id, &single(&bind, &Value::from(parent).to_string())?, actor)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn detach(
    db: &mut Db,
    child: &Child,
    parent: Uuid,
    key: &path::Key,
    actor: Actor,
) -> Result<Reply, Refusal> {
    let id = path::find(db, &child.table, key)?;
    let fields = db.fields(&child.table, id).unwrap_or_default();
    let number = db.table(&child.table).and_then(|data| data.def.column(&child.column));
    let held = number.and_then(|column| fields.get(&column.number).cloned());
    let belongs = matches!(held, Some(crate::sandbox::row::Cell::Ref(of, _)) if of == parent);
    if belongs {
        write::update(db, &child.table, id, &single(&child.navigation, "null")?, actor)?;
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
