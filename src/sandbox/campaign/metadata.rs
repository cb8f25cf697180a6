//! `resourceType`: what resources and fields there are (campaign sheet 6).
//!
//! Owns: the shape of the metadata replies.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::pkey::Sealed;
use super::read::{View, sortable};
use super::schema::{Api, Field, FieldType, FilterOperator, Resource};
use super::store::Db;
use crate::sandbox::wire::Reply;

/// The row under which a resource's own description is sealed.
pub(crate) const DESCRIPTION: u64 = u64::MAX;

fn field_value(db: &Db, view: &View<'_>, field: &Field) -> Value {
    let (kind, technical) = field.kind.names();
    let key = db.sealer.seal(Sealed::Line(0, u64::from(field.number)));
    let mut out = json!({
        "PKey": key.trim_start_matches('@'), "apiName": field.name, "category": "01_General", "dataPolicy": field.policy,
        "desc": "", "displayFormat": "", "help": field.name, "label": field.name, "lazyLoaded": false, "mandatory": false,
        "metadata": "attribute", "privacy": "firstParty", "queryable": true, "readOnly": field.read_only,
        "resName": field.name, "resType": technical, "sortable": sortable(field), "type": kind,
    });
    let mut extra = Map::new();
    match &field.kind {
        FieldType::Text { max } => {
            let shown = max - usize::from(view.variants.length_one_less).min(*max);
            extra.insert("length".to_owned(), shown.to_string().into());
        }
        FieldType::Enumeration { values, .. } => {
            let values: Map<String, Value> = values
                .iter()
                .map(|value| {
                    (
                        value.name.clone(),
                        json!({"name": value.name, "label": value.label, "value": value.value}),
                    )
                })
                .collect();
            extra.insert("values".to_owned(), values.into());
        }
        FieldType::Link { target } | FieldType::Collection { target } => {
            extra.insert("resTarget".to_owned(), target.clone().into());
            let collection = matches!(field.kind, FieldType::Collection { .. });
            extra.insert("unbound".to_owned(), collection.into());
            let base = format!(
                "{}/{}/campaign/{}/resourceType/{target}",
                view.call.origin,
                view.tenant,
                view.api.segment()
            );
            extra.insert("href".to_owned(), base.into());
        }
        FieldType::Memo
        | FieldType::Byte
        | FieldType::Short
        | FieldType::Long
        | FieldType::Int64
        | FieldType::Double
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::DateTime => {}
    }
    if let Some(out) = out.as_object_mut() {
        out.extend(extra);
    }
    out
}

fn content(db: &Db, view: &View<'_>, def: &Resource) -> Map<String, Value> {
    let mut out: Map<String, Value> = Map::new();
    for field in def.fields.iter().filter(|field| !(field.custom && view.api == Api::Plain)) {
        let value = field_value(db, view, field);
        match &field.item {
            None => {
                out.insert(field.name.clone(), value);
            }
            Some(item) => {
                let holder = out.entry(item.clone()).or_insert_with(|| {
                    json!({"apiName": item, "type": "item", "resType": "item", "label": item, "readOnly": false, "sortable": false, "content": {}})
                });
                if let Some(inner) = holder.get_mut("content").and_then(Value::as_object_mut) {
                    inner.insert(field.name.clone(), value);
                }
            }
        }
    }
    if def.name == "profile" {
        for (name, kind, technical) in [
            ("age", "number", "long"),
            ("domain", "string", "string"),
            ("title", "string", "string"),
            ("cryptedId", "string", "string"),
        ] {
            out.insert(name.to_owned(), json!({"apiName": name, "dataPolicy": "", "label": name, "metadata": "attribute", "readOnly": true,
                "queryable": true, "sortable": false, "resName": name, "resType": technical, "type": kind, "length": "255"}));
        }
    }
    out
}

/// `GET resourceType/{resource}` and `GET {resource}/metadata`.
pub(crate) fn resource(db: &Db, view: &View<'_>) -> Reply {
    let Some(data) = db.resources.get(view.place) else {
        return Reply::empty(StatusCode::NOT_FOUND);
    };
    let def = &data.def;
    let place = u64::try_from(view.place).unwrap_or(0);
    let key = db.sealer.seal(Sealed::Record(place, DESCRIPTION));
    let key = key.trim_start_matches('@');
    let root = format!("{}/{}/campaign/{}", view.call.origin, view.tenant, view.api.segment());
    let body = json!({
        "PKey": key, "apiName": "resourceType", "compatibleResources": {},
        "content": content(db, view, def),
        "data": format!("/{}/{}/", view.api.segment(), def.name),
        "filters": {"href": format!("{root}/resourceType/{key}/filters/")},
        "help": def.label, "href": format!("{root}/{}/metadata", def.name), "label": def.label, "mandatory": false,
        "name": def.name, "pkgStatus": "never", "readOnly": false, "schema": def.schema, "type": "item",
    });
    Reply::new(StatusCode::OK, "application/json;charset=utf-8", body.to_string())
}

/// `GET resourceType/{resource}/filters/`.
pub(crate) fn filters(db: &Db, view: &View<'_>) -> Reply {
    let Some(data) = db.resources.get(view.place) else {
        return Reply::empty(StatusCode::NOT_FOUND);
    };
    let def = &data.def;
    let mut out = Map::new();
    for filter in def.filters.iter().filter(|filter| def.filter(&filter.name, view.api).is_some()) {
        let operator = match filter.operator {
            FilterOperator::Equal => "=",
            FilterOperator::AtLeast => ">=",
            FilterOperator::Prefix => "LIKE",
        };
        let key = db.sealer.seal(Sealed::Line(0, 0));
        let data = format!(
            "/{}/{}/{}?{}=$value",
            view.api.segment(),
            def.name,
            filter.name,
            filter.parameter
        );
        let condition = json!({"condition": {"expr": format!("@{} {operator} $({})", filter.field, filter.parameter), "enabledIf": format!("$({}) != ''", filter.parameter)}});
        out.insert(filter.name.clone(), json!({"PKey": key.trim_start_matches('@'), "category": "99_none", "condition": condition, "data": data,
            "formType": "none", "fragmentName": "", "label": filter.name, "metadata": "filter"}));
    }
    Reply::new(StatusCode::OK, "application/json;charset=utf-8", Value::Object(out).to_string())
}

/// `GET /{api}/`: the resources under a root.
pub(crate) fn listing(db: &Db, view: &View<'_>) -> Reply {
    let mut out = Map::new();
    out.insert("apiName".to_owned(), "resourceType".into());
    for data in db.resources.iter().filter(|data| data.def.reached_by(view.api)) {
        let def = &data.def;
        out.insert(def.name.clone(), json!({"content": {}, "data": format!("/{}/{}/", view.api.segment(), def.name), "help": def.label,
            "href": format!("{}/metadata", view.base(&def.name)), "label": def.label, "name": def.name, "type": "collection"}));
    }
    Reply::new(StatusCode::OK, "application/json;charset=utf-8", Value::Object(out).to_string())
}
