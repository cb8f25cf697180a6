//! The marketing history of a profile (campaign sheet 5.5).
//!
//! Owns: what it adds to a profile, and its list of events: subscriptions only.
//! Sends are told by the log files and the journal here.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::error::{self, Refusal};
use super::pkey::Sealed;
use super::read::View;
use super::store::Db;
use super::{find, json as reply, record, subscribe};
use crate::sandbox::wire::Reply;

/// Everything below `history`.
pub(super) fn route(db: &Db, view: &View<'_>, segments: &[&str]) -> Result<Reply, Refusal> {
    if view.call.method != Method::GET {
        return Err(error::no_method(view.call.method.as_str()));
    }
    let place = db.place("profile").ok_or_else(error::no_resource)?;
    let view = View { place, ..*view };
    let data = db.resources.get(place).ok_or_else(error::no_resource)?;
    match segments {
        ["byEmail"] => {
            let email = view.call.param("email").unwrap_or_default();
            let field = data.def.field("email").ok_or_else(error::no_resource)?;
            let content: Vec<Value> = data
                .with(field.number, email)
                .into_iter()
                .filter_map(|number| shown(db, &view, number))
                .collect();
            let count = json!({"href": format!("{}/byEmail/_count?email={email}", view.base("history")), "value": content.len()});
            Ok(reply(
                StatusCode::OK,
                &json!({"content": content, "count": count, "serverSidePagination": false}),
            ))
        }
        [key] => {
            let number = find(db, &view, &data.def, key)?.0;
            Ok(reply(StatusCode::OK, &shown(db, &view, number).ok_or_else(error::no_resource)?))
        }
        [key, "events"] => {
            let number = find(db, &view, &data.def, key)?.0;
            Ok(reply(StatusCode::OK, &events(db, &view, number)))
        }
        _ => Err(error::no_resource()),
    }
}

fn address(db: &Db, view: &View<'_>, number: u64) -> (String, String) {
    let key = db.sealer.seal(Sealed::Record(u64::try_from(view.place).unwrap_or(0), number));
    let href = format!("{}/{key}", view.base("history"));
    (key, href)
}

fn subscriptions(db: &Db, view: &View<'_>, number: u64) -> Vec<u64> {
    db.place(subscribe::RESOURCE)
        .map(|place| subscribe::of(db, &View { place, ..*view }, "profile", number))
        .unwrap_or_default()
}

fn shown(db: &Db, view: &View<'_>, number: u64) -> Option<Value> {
    let row = db.resources.get(view.place)?.rows.get(&number)?;
    let mut out = record::record(db, view, number, row);
    let (key, href) = address(db, view, number);
    let map = out.as_object_mut()?;
    let events = json!({"href": format!("{href}/events/"), "metadata": "subHisto"});
    for (name, value) in [
        ("PKey", json!(key)),
        ("href", json!(href)),
        ("countBroadLogEvents", json!(0)),
        ("countSubHistoEvents", json!(subscriptions(db, view, number).len())),
        ("minBroadLogEvents", json!("")),
        ("minSubHistoEvents", json!("")),
        ("countryIsoA2", json!("")),
        ("kpisAndChart", json!({})),
        ("events", events),
    ] {
        map.insert(name.to_owned(), value);
    }
    Some(out)
}

fn events(db: &Db, view: &View<'_>, number: u64) -> Value {
    let (_, base) = address(db, view, number);
    let place = db.place(subscribe::RESOURCE).unwrap_or(usize::MAX);
    let inside = View { place, ..*view };
    let one = |subscription: &u64| {
        let row = db.resources.get(place)?.rows.get(subscription)?;
        let full = record::record(db, &inside, *subscription, row);
        let key = full.get("PKey")?.as_str()?.to_owned();
        Some(
            json!({"PKey": key, "category": "service", "date": full.get("created"), "href": format!("{base}/events/{key}"),
            "label": full.get("service").and_then(|service| service.get("title")), "type": "inbound"}),
        )
    };
    let content: Vec<Value> = subscriptions(db, view, number).iter().filter_map(one).collect();
    let count = json!({"href": format!("{base}/events/_count"), "value": content.len()});
    json!({"content": content, "count": count, "serverSidePagination": false})
}
