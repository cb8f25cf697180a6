//! JSON of Campaign, as it stands on the wire.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::json::{self, Fields, Rows};
use crate::http::{Failure, Response, System};

/// One record.
pub(super) type Record<'a> = Fields<'a>;

/// A list of records.
#[derive(Deserialize)]
pub(super) struct ListReply<'a> {
    #[serde(borrow)]
    pub(super) content: Rows<'a>,
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
    json::parse(response, System::Campaign, json::MOST_VALUES)
}

/// A complete answer that is not what the API promises.
pub(super) fn garbled(response: &Response, what: &str) -> Failure {
    Failure::garbled(System::Campaign, what, response.request_id.clone())
}
