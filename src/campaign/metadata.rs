//! Resources, fields and filters from metadata ("Metadata mechanism").

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::campaign::reader::ResourceSummary;
use crate::campaign::wire::{FieldReply, FilterReply, ResourceReply, parse};
use crate::campaign::{Failure, Outcome, Reader};
use crate::http::System;
use crate::model::{
    ApiRoot, EnumValue, Field, FieldName, FieldType, ResourceFilter, ResourceName, ResourceSchema,
};

/// Where a resource is looked for, in this order: custom fields and filters
/// exist under the first only; a resource that nothing links to profile is
/// under the second; a standard one may be published under the last alone
/// (Campaign sheet, 2 and 3.6).
const ROOTS: [ApiRoot; 3] =
    [ApiRoot::ProfileAndServicesExt, ApiRoot::CustomResources, ApiRoot::ProfileAndServices];

impl Reader {
    /// The resources that the published API offers, root by root.
    pub(crate) async fn resources(&self) -> Result<Vec<ResourceSummary>, Failure> {
        let mut resources: Vec<ResourceSummary> = Vec::new();
        for root in ROOTS {
            let response = match self.get(&format!("{}/", root.as_str())).await {
                Ok(response) => response,
                Err(failure) if is_absence(&failure) => continue,
                Err(failure) => return Err(failure),
            };
            let listed: BTreeMap<String, Json> = parse(&response)?;
            for (name, entry) in listed {
                let is_resource = entry.get("data").is_some() || entry.get("href").is_some();
                if is_resource && !resources.iter().any(|known| known.name == name) {
                    let label = entry.get("label").or_else(|| entry.get("help"));
                    resources.push(ResourceSummary {
                        label: label.and_then(Json::as_str).unwrap_or_default().to_owned(),
                        name,
                        root,
                    });
                }
            }
        }
        resources.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(resources)
    }

    /// One resource with its fields, under the root it is published in: the
    /// extended API first, since only there custom fields and filters exist.
    pub(crate) async fn resource_schema(
        &self,
        resource: &ResourceName,
    ) -> Result<ResourceSchema, Failure> {
        let mut refused = Vec::new();
        for root in ROOTS {
            match self.resource_reply(root, resource).await {
                Ok(reply) => return Ok(schema(resource, root, &reply)),
                Err(failure) if is_absence(&failure) => refused.push(failure),
                Err(failure) => return Err(failure),
            }
        }
        // Where no root says "not found", something else is wrong.
        if refused.iter().all(|failure| failure.status != Some(404))
            && let Some(failure) = refused.pop()
        {
            return Err(failure);
        }
        Err(Failure::ours(
            System::Campaign,
            Outcome::Setup,
            format!(
                "there is no resource {resource}; `cdsync resources` lists those there are. A new one must be published with the Profiles & Services Ext API"
            ),
        ))
    }

    async fn resource_reply(
        &self,
        root: ApiRoot,
        resource: &ResourceName,
    ) -> Result<ResourceReply, Failure> {
        parse(&self.get(&format!("{}/resourceType/{resource}", root.as_str())).await?)
    }

    /// The filters of a resource; none if its metadata does not list them.
    pub(crate) async fn filters(
        &self,
        schema: &ResourceSchema,
    ) -> Result<Option<Vec<ResourceFilter>>, Failure> {
        let reply = self.resource_reply(schema.root, &schema.name).await?;
        let Some(href) = reply.filters else { return Ok(None) };
        let list: Json = parse(&self.follow(&href.href).await?)?;
        Ok(Some(filter_list(list)))
    }
}

/// Whether a failure says "not published here". Campaign answers 404 with
/// `rc=-2003`; a look-up under the wrong root can also be a client mistake.
fn is_absence(failure: &Failure) -> bool {
    matches!(failure.outcome, Outcome::Missing | Outcome::Setup) && failure.status.is_some()
}

/// The shape around the filters is not confirmed: a list, or a map by name, of
/// which some members may be no filters; either may stand in `content`.
pub(super) fn filter_list(reply: Json) -> Vec<ResourceFilter> {
    let entries: Vec<Json> = match reply {
        Json::Array(list) => list,
        Json::Object(mut map) => match map.remove("content") {
            Some(content) => return filter_list(content),
            None => map.into_iter().map(|(_, entry)| entry).collect(),
        },
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Vec::new(),
    };
    let replies = entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok());
    replies.filter_map(|reply: FilterReply| filter(&reply)).collect()
}

/// `/profileAndServices/profile/byText?text=$value` → `byText`, `[text]`
fn filter(reply: &FilterReply) -> Option<ResourceFilter> {
    let data = reply.data.as_deref()?;
    let (path, query) = data.split_once('?').unwrap_or((data, ""));
    let name = path.trim_end_matches('/').rsplit('/').next()?.to_owned();
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    let parameters = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Some(ResourceFilter { name, parameters })
}

pub(super) fn schema(name: &ResourceName, root: ApiRoot, reply: &ResourceReply) -> ResourceSchema {
    let fields = reply.content.iter().filter_map(|(name, field)| {
        let name = FieldName::new(name).ok()?;
        let field = Field {
            name: name.clone(),
            kind: field_type(field),
            read_only: is_true(field.read_only.as_ref()),
            sortable: is_true(field.sortable.as_ref()),
        };
        Some((name, field))
    });
    ResourceSchema { name: name.clone(), root, fields: fields.collect() }
}

fn field_type(field: &FieldReply) -> FieldType {
    let high = field.high_type.as_deref().unwrap_or_default();
    let technical = field.res_type.as_deref().unwrap_or_default();
    if high == "collection" || is_true(field.unbound.as_ref()) {
        return FieldType::Collection;
    }
    if high == "link" || technical == "link" {
        return FieldType::Link { target: field.res_target.clone() };
    }
    let values = enum_values(field);
    if !values.is_empty() {
        return FieldType::Enumeration(values);
    }
    if high == "enumeration" {
        // Which values there are is not said: Campaign will judge.
        return FieldType::Text { max_length: None };
    }
    let max_length = field
        .length
        .as_ref()
        .and_then(|length| plain(length).trim().parse::<u32>().ok())
        .filter(|length| *length > 0);
    let by_name = |name: &str| {
        Some(match name {
            "string" => FieldType::Text { max_length },
            "memo" => FieldType::Text { max_length: None },
            "uuid" => FieldType::Text { max_length: Some(36) },
            "byte" => FieldType::Integer { bits: 8 },
            "short" => FieldType::Integer { bits: 16 },
            "long" | "integer" => FieldType::Integer { bits: 32 },
            "int64" => FieldType::Integer { bits: 64 },
            "float" => FieldType::Float,
            "double" | "number" => FieldType::Double,
            "boolean" => FieldType::Boolean,
            "date" => FieldType::Date,
            "datetime" | "timestamp" | "timestamptz" | "datetimetz" => FieldType::DateTime,
            _ => return None,
        })
    };
    // A boolean may be kept as a byte; the high-level type says what it is.
    let high_first = matches!(high, "boolean" | "date" | "datetime");
    let (first, second) = if high_first { (high, technical) } else { (technical, high) };
    by_name(first)
        .or_else(|| by_name(second))
        .unwrap_or_else(|| FieldType::Other(if high.is_empty() { technical } else { high }.into()))
}

/// The values of an enumeration; their shape is not confirmed, so a map and a
/// list are read, of objects or of texts.
fn enum_values(field: &FieldReply) -> Vec<EnumValue> {
    let entries: Vec<(Option<&str>, &Json)> = match &field.values {
        Some(Json::Object(map)) => {
            map.iter().map(|(key, value)| (Some(key.as_str()), value)).collect()
        }
        Some(Json::Array(list)) => list.iter().map(|value| (None, value)).collect(),
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | None => Vec::new(),
    };
    entries
        .into_iter()
        .filter_map(|(key, entry)| {
            let part = |name: &str| entry.get(name).map(plain).filter(|text| !text.is_empty());
            let name = part("name").or(key.map(str::to_owned)).or_else(|| Some(plain(entry)))?;
            let label = part("label").or_else(|| entry.as_str().map(str::to_owned));
            Some(EnumValue {
                label: label.unwrap_or_else(|| name.clone()),
                value: part("value").unwrap_or_default(),
                name,
            })
        })
        .filter(|value| !value.name.is_empty() && value.name != "__Invalid_value__")
        .collect()
}

/// True, also where it stands as text.
fn is_true(value: Option<&Json>) -> bool {
    value.is_some_and(|value| value == &Json::Bool(true) || value.as_str() == Some("true"))
}

/// A text or a number as text.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fields_type_follows_its_metadata() {
        let cases = [
            (
                r#"{"type":"string","resType":"string","length":"128"}"#,
                FieldType::Text { max_length: Some(128) },
            ),
            (r#"{"type":"string","resType":"memo"}"#, FieldType::Text { max_length: None }),
            (r#"{"type":"number","resType":"byte"}"#, FieldType::Integer { bits: 8 }),
            (r#"{"type":"number","resType":"int64"}"#, FieldType::Integer { bits: 64 }),
            (r#"{"type":"number","resType":"double"}"#, FieldType::Double),
            (r#"{"type":"boolean","resType":"byte"}"#, FieldType::Boolean),
            (r#"{"type":"datetime","resType":"timestamp"}"#, FieldType::DateTime),
            (r#"{"type":"date","resType":"date"}"#, FieldType::Date),
            (
                r#"{"type":"link","resType":"link","resTarget":"orgUnitBase","unbound":false}"#,
                FieldType::Link { target: Some("orgUnitBase".into()) },
            ),
            (r#"{"type":"collection","resType":"link","unbound":true}"#, FieldType::Collection),
            (r#"{"type":"item"}"#, FieldType::Other("item".into())),
        ];
        for (json, expected) in cases {
            let reply: FieldReply = serde_json::from_str(json).unwrap();
            assert_eq!(field_type(&reply), expected, "{json}");
        }
    }

    #[test]
    fn an_enumeration_leaves_out_the_technical_value() {
        let json = r#"{"type":"enumeration","resType":"byte","values":{
            "male":{"name":"male","label":"Male","value":"1"},
            "__Invalid_value__":{"name":"__Invalid_value__","label":"","value":"0"}}}"#;
        let reply: FieldReply = serde_json::from_str(json).unwrap();
        let expected = EnumValue { name: "male".into(), label: "Male".into(), value: "1".into() };
        assert_eq!(field_type(&reply), FieldType::Enumeration(vec![expected]));
    }

    #[test]
    fn filters_are_found_in_a_list_and_in_a_map() {
        let one = r#"{"PKey":"@x","data":"/customResources/cusStore/byStoreId?storeId_parameter=$value"}"#;
        let shapes = [
            format!(r#"{{"content":[{one}]}}"#),
            format!(r#"{{"content":{{"byStoreId":{one}}}}}"#),
            format!(r#"{{"apiName":"filters","byStoreId":{one}}}"#),
            format!("[{one}]"),
        ];
        for shape in shapes {
            let found = filter_list(serde_json::from_str(&shape).unwrap());
            assert_eq!(found.len(), 1, "{shape}");
            assert_eq!(found[0].name, "byStoreId");
        }
        assert!(filter_list(Json::Null).is_empty());
    }

    #[test]
    fn a_filter_is_read_from_its_url_template() {
        let reply = FilterReply {
            data: Some(
                "/profileAndServicesExt/profile/byExternalId?externalId_parameter=$value".into(),
            ),
        };
        let filter = filter(&reply).unwrap();
        assert_eq!(filter.name, "byExternalId");
        assert_eq!(filter.parameters, ["externalId_parameter"]);
    }
}
