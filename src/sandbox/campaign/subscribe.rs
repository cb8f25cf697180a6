//! Subscriptions of profiles to services (campaign sheet 2.1).
//!
//! Owns: the collection `subscriptions` of both sides. A subscription has no
//! address but those that the collections give.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::error::{self, Refusal};
use super::pkey::Sealed;
use super::read::{View, visible};
use super::record;
use super::schema::Resource;
use super::store::Db;
use super::write;
use super::{json as reply, scene};
use crate::sandbox::wire::Reply;

/// The resource that holds them; under no root.
pub(crate) const RESOURCE: &str = "subscriptionRcp";

/// The field that points at a side, and the one that points at the other.
fn sides(resource: &str) -> (&'static str, &'static str) {
    if resource == "service" { ("service", "subscriber") } else { ("subscriber", "service") }
}

/// `…/subscriptions[/{key}]` below a profile or a service.
pub(super) fn route(
    db: &mut Db,
    view: &View<'_>,
    def: &Resource,
    owner: u64,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    let place = db.place(RESOURCE).ok_or_else(error::no_resource)?;
    let inside = View { place, ..*view };
    match (rest, &view.call.method) {
        ([], &Method::GET) => {
            let numbers = of(db, &inside, &def.name, owner);
            let content: Vec<Value> =
                numbers.iter().filter_map(|number| shown(db, &inside, *number, false)).collect();
            let base = base(db, view, def, owner);
            Ok(reply(
                StatusCode::OK,
                &json!({"content": content, "serverSidePagination": false,
                    "count": {"href": format!("{base}_count"), "value": numbers.len()}}),
            ))
        }
        (["_count"], &Method::GET) => {
            Ok(reply(StatusCode::OK, &json!({"count": of(db, &inside, &def.name, owner).len()})))
        }
        ([], &Method::POST) => {
            let number = subscribe(db, &inside, def, owner)?;
            let full = shown(db, &inside, number, true).ok_or_else(error::no_resource)?;
            Ok(reply(StatusCode::CREATED, &full))
        }
        ([key], &Method::GET) => {
            let number = find(db, &inside, key)?;
            let full = shown(db, &inside, number, false).ok_or_else(error::no_resource)?;
            Ok(reply(StatusCode::OK, &full))
        }
        ([key], &Method::DELETE) => {
            let number = find(db, &inside, key)?;
            if let Some(data) = db.resources.get_mut(place) {
                data.remove(number);
            }
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (_, method) => Err(error::no_method(method.as_str())),
    }
}

fn base(db: &Db, view: &View<'_>, def: &Resource, owner: u64) -> String {
    let place = db.place(&def.name).and_then(|place| u64::try_from(place).ok()).unwrap_or(0);
    let key = db.sealer.seal(Sealed::Record(place, owner));
    format!("{}/{key}/subscriptions/", view.base(&def.name))
}

/// The subscriptions of one side that have both.
pub(super) fn of(db: &Db, view: &View<'_>, side: &str, owner: u64) -> Vec<u64> {
    let Some(data) = db.resources.get(view.place) else {
        return Vec::new();
    };
    let Some(field) = data.def.field(sides(side).0) else {
        return Vec::new();
    };
    let numbers = data.with(field.number, &owner.to_string()).into_iter();
    let there = |number: &u64| {
        data.rows.get(number).is_some_and(|row| visible(db, &data.def, row, view.variants))
    };
    numbers.filter(there).collect()
}

fn subscribe(db: &mut Db, view: &View<'_>, def: &Resource, owner: u64) -> Result<u64, Refusal> {
    let (own, other) = sides(&def.name);
    let mut body: Map<String, Value> = write::body(&view.call.body)?;
    if body.get(other).and_then(|link| link.get("PKey")).is_none() {
        return Err(error::unknown(other, RESOURCE));
    }
    let place = db.place(&def.name).and_then(|place| u64::try_from(place).ok()).unwrap_or(0);
    let key = db.sealer.seal(Sealed::Record(place, owner));
    body.insert(own.to_owned(), json!({"PKey": key}));
    write::create(db, view.place, &body, scene(view))
}

fn find(db: &Db, view: &View<'_>, key: &str) -> Result<u64, Refusal> {
    let place = u64::try_from(view.place).unwrap_or(u64::MAX);
    let data = db.resources.get(view.place).ok_or_else(error::no_resource)?;
    match db.sealer.open(key) {
        Some(Sealed::Record(of, row)) if of == place => {
            if data.rows.contains_key(&row) {
                Ok(row)
            } else {
                Err(error::not_found(&data.def.label, RESOURCE, key))
            }
        }
        Some(_) | None => Err(error::foreign_key(key, &data.def.label, &data.def.schema, false)),
    }
}

/// A subscription; right after it was made some members are still empty.
fn shown(db: &Db, view: &View<'_>, number: u64, fresh: bool) -> Option<Value> {
    let data = db.resources.get(view.place)?;
    let row = data.rows.get(&number)?;
    let Value::Object(mut out) = record::record(db, view, number, row) else {
        return None;
    };
    let linked = |name: &str| {
        let field = data.def.field(name)?;
        let number = row.get(field.number).and_then(|cell| cell.int())?;
        let place = db.place(if name == "service" { "service" } else { "profile" })?;
        let target = db.resources.get(place)?;
        Some((place, target, u64::try_from(number).ok()?))
    };
    let (place, profiles, profile) = linked("subscriber")?;
    let (_, services, service) = linked("service")?;
    let of_profile = |name: &str| {
        let row = profiles.rows.get(&profile);
        row.map(|row| record::text_of(&profiles.def, row, name)).unwrap_or_default()
    };
    let name = services.rows.get(&service);
    let name = name.map(|row| record::text_of(&services.def, row, "name")).unwrap_or_default();
    let late = |text: String| if fresh { String::new() } else { text };
    if let Some(Value::Object(subscriber)) = out.get_mut("subscriber") {
        for field in ["email", "firstName", "lastName"] {
            subscriber.insert(field.to_owned(), of_profile(field).into());
        }
    }
    let key = db.sealer.seal(Sealed::Record(u64::try_from(view.place).ok()?, number));
    let owner = db.sealer.seal(Sealed::Record(u64::try_from(place).ok()?, profile));
    let href = format!("{}/{owner}/subscriptions/{key}", view.base("profile"));
    for (name, value) in [
        ("PKey", key.into()),
        ("href", href.into()),
        ("metadata", RESOURCE.into()),
        ("email", late(of_profile("email")).into()),
        ("mobilePhone", late(of_profile("mobilePhone")).into()),
        ("serviceName", late(name).into()),
    ] {
        out.insert(name.to_owned(), value);
    }
    Some(Value::Object(out))
}
