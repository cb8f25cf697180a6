//! JSON of the Web API, as it stands on the wire.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::json::{self, Rows};
use crate::http::{Failure, Response, System};

/// A page of rows.
#[derive(Deserialize)]
pub(super) struct RowPage<'a> {
    #[serde(borrow)]
    pub(super) value: Rows<'a>,
    #[serde(rename = "@odata.nextLink")]
    pub(super) next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    pub(super) delta: Option<String>,
}

/// Any collection.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) value: Vec<T>,
}

/// `WhoAmI`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WhoAmIReply {
    pub(super) user_id: String,
    pub(super) organization_id: String,
}

/// One row of `organizations`.
#[derive(Deserialize)]
pub(super) struct OrganizationRow {
    pub(super) expirechangetrackingindays: Option<u32>,
}

/// `RetrieveTotalRecordCountResponse`
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TotalsReply {
    pub(super) entity_record_count_collection: Totals,
}

/// Names and counts, side by side.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Totals {
    pub(super) keys: Vec<String>,
    pub(super) values: Vec<u64>,
}

/// A managed property.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Managed<T> {
    pub(super) value: Option<T>,
}

/// `EntityMetadata`, the selected part.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EntityReply {
    pub(super) logical_name: String,
    pub(super) entity_set_name: Option<String>,
    pub(super) primary_id_attribute: Option<String>,
    pub(super) primary_name_attribute: Option<String>,
    #[serde(default)]
    pub(super) change_tracking_enabled: Option<bool>,
    #[serde(default)]
    pub(super) can_change_tracking_be_enabled: Option<Managed<bool>>,
    #[serde(default)]
    pub(super) is_intersect: Option<bool>,
}

/// `AttributeMetadata`, the selected part.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributeReply {
    pub(super) logical_name: String,
    pub(super) attribute_type: Option<String>,
    #[serde(default)]
    pub(super) attribute_type_name: Option<Managed<String>>,
    #[serde(default)]
    pub(super) attribute_of: Option<String>,
    #[serde(default)]
    pub(super) is_valid_for_read: Option<bool>,
}

/// A table's definition with its relations, where the server expands them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RelatedReply {
    #[serde(default)]
    pub(super) entity_set_name: Option<String>,
    #[serde(default)]
    pub(super) many_to_one_relationships: Option<Vec<RelationReply>>,
}

/// `OneToManyRelationshipMetadata`, the selected part.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RelationReply {
    #[serde(default)]
    pub(super) referenced_entity: Option<String>,
    #[serde(default)]
    pub(super) referencing_attribute: Option<String>,
    #[serde(default)]
    pub(super) referencing_entity_navigation_property_name: Option<String>,
}

/// The facts that only a cast to the attribute's own type gives.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CastReply {
    pub(super) logical_name: String,
    #[serde(default)]
    pub(super) max_length: Option<u32>,
    #[serde(default)]
    pub(super) date_time_behavior: Option<Managed<String>>,
    #[serde(default)]
    pub(super) targets: Option<Vec<String>>,
    #[serde(default)]
    pub(super) option_set: Option<OptionSetReply>,
    #[serde(default)]
    pub(super) global_option_set: Option<OptionSetReply>,
}

/// An option set: of a choice, or of a boolean.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OptionSetReply {
    #[serde(default)]
    pub(super) options: Option<Vec<OptionReply>>,
    #[serde(default)]
    pub(super) true_option: Option<OptionReply>,
    #[serde(default)]
    pub(super) false_option: Option<OptionReply>,
}

/// One option.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OptionReply {
    pub(super) value: Option<i64>,
    #[serde(default)]
    pub(super) label: Option<LabelReply>,
}

/// A label in all its languages.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LabelReply {
    #[serde(default)]
    pub(super) localized_labels: Option<Vec<LocalizedReply>>,
    #[serde(default)]
    pub(super) user_localized_label: Option<LocalizedReply>,
}

/// A label in one language.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LocalizedReply {
    pub(super) label: Option<String>,
    pub(super) language_code: Option<u32>,
}

/// Reads a whole body; the failure names the place in it, never its content.
pub(super) fn parse<T: DeserializeOwned>(response: &Response) -> Result<T, Failure> {
    json::parse(response, System::Dynamics, json::MOST_PARTS)
}

/// A complete answer that is not what the Web API promises.
pub(super) fn garbled(response: &Response, what: &str) -> Failure {
    Failure::garbled(System::Dynamics, what, response.request_id.clone())
}
