//! JSON of Campaign, as it stands on the wire.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::http::{Failure, Response, System};

/// One record; its fields stay as text until their type is known.
pub(super) type Record<'a> = HashMap<&'a str, &'a RawValue>;

/// A list of records.
#[derive(Deserialize)]
pub(super) struct ListReply<'a> {
    #[serde(borrow)]
    pub(super) content: Vec<Record<'a>>,
    pub(super) next: Option<Href>,
}

/// A link.
#[derive(Deserialize)]
pub(super) struct Href {
    pub(super) href: String,
}

/// What a write answers with, at least.
#[derive(Deserialize)]
pub(super) struct Written {
    pub(super) href: Option<String>,
    #[serde(rename = "PKey")]
    pub(super) pkey: Option<String>,
}

/// `resourceType/{resource}`
#[derive(Deserialize)]
pub(super) struct ResourceReply {
    pub(super) content: BTreeMap<String, FieldReply>,
    #[serde(default)]
    pub(super) filters: Option<Href>,
}

/// One field of a resource. What its texts mean is partly unconfirmed, so
/// everything is optional.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldReply {
    #[serde(rename = "type")]
    pub(super) high_type: Option<String>,
    #[serde(default)]
    pub(super) res_type: Option<String>,
    #[serde(default)]
    pub(super) res_target: Option<String>,
    #[serde(default)]
    pub(super) unbound: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) length: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) read_only: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) sortable: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) values: Option<serde_json::Value>,
}

/// One filter of a resource.
#[derive(Deserialize)]
pub(super) struct FilterReply {
    #[serde(default)]
    pub(super) data: Option<String>,
}

/// Reads a whole body; the failure names the place in it, never its content.
pub(super) fn parse<T: DeserializeOwned>(response: &Response) -> Result<T, Failure> {
    if let Ok(parsed) = serde_json::from_slice(&response.body) {
        return Ok(parsed);
    }
    // Once more, to learn the place; that takes several times as long.
    let mut json = serde_json::Deserializer::from_slice(&response.body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let at = error.path().to_string();
        garbled(response, &format!("the answer cannot be read at {at}"))
    })
}

/// A complete answer that is not what the API promises.
pub(super) fn garbled(response: &Response, what: &str) -> Failure {
    Failure::garbled(System::Campaign, what, response.request_id.clone())
}
