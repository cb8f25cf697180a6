//! Alternate keys: which there are, how far their index is, the request that
//! makes one (Dynamics sheet, 7.6).

use serde::Deserialize;
use serde_json::json;

use crate::dynamics::wire::{List, parse};
use crate::dynamics::{Failure, MetadataRequest, Reader};
use crate::model::{ColumnName, TableName};

/// An alternate key of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyReply {
    key_attributes: Vec<String>,
    #[serde(default)]
    entity_key_index_status: Option<String>,
}

/// How far the index of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyIndex {
    /// Rows can be found by it.
    Active,
    /// It is being built.
    Building,
    /// The rows that are there hold a value twice.
    Failed,
}

impl KeyReply {
    fn index(&self) -> KeyIndex {
        match self.entity_key_index_status.as_deref() {
            Some("Pending" | "InProgress") => KeyIndex::Building,
            Some("Failed") => KeyIndex::Failed,
            Some(_) | None => KeyIndex::Active,
        }
    }

    /// Whether it is made of these columns, in whatever order.
    fn is_of(&self, columns: &[ColumnName]) -> bool {
        self.key_attributes.len() == columns.len()
            && columns
                .iter()
                .all(|column| self.key_attributes.iter().any(|one| one == column.as_str()))
    }
}

impl Reader {
    /// The key of these columns; none: there is no such key.
    pub(crate) async fn alternate_key(
        &self,
        table: &TableName,
        columns: &[ColumnName],
    ) -> Result<Option<KeyIndex>, Failure> {
        let path = format!(
            "EntityDefinitions(LogicalName='{table}')/Keys?$select=SchemaName,LogicalName,KeyAttributes,EntityKeyIndexStatus"
        );
        let list: List<KeyReply> = parse(&self.get_fresh(&path).await?)?;
        Ok(list.value.iter().find(|key| key.is_of(columns)).map(KeyReply::index))
    }
}

/// The request that makes a key; its label is its columns, in the base language.
pub(crate) fn make_key(
    table: &TableName,
    columns: &[ColumnName],
    prefix: &str,
    language: u32,
) -> MetadataRequest {
    let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
    let own = format!("{prefix}_");
    let stem = names.join("_");
    let schema_name = format!("{own}{}_key", stem.strip_prefix(&own).unwrap_or(&stem));
    MetadataRequest {
        method: "POST",
        path: format!("EntityDefinitions(LogicalName='{table}')/Keys"),
        header: None,
        body: json!({
            "SchemaName": schema_name,
            "DisplayName": {
                "@odata.type": "Microsoft.Dynamics.CRM.Label",
                "LocalizedLabels": [{
                    "@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel",
                    "Label": names.join(", "), "LanguageCode": language,
                }],
            },
            "KeyAttributes": names,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_columns_in_any_order() {
        let columns = ["new_a", "b"].map(|name| ColumnName::new(name).unwrap());
        let key = |names: &[&str], status: Option<&str>| KeyReply {
            key_attributes: names.iter().map(|name| (*name).to_owned()).collect(),
            entity_key_index_status: status.map(str::to_owned),
        };
        assert!(key(&["b", "new_a"], None).is_of(&columns));
        assert!(!key(&["b"], None).is_of(&columns) && !key(&["b", "c"], None).is_of(&columns));
        assert_eq!(key(&[], Some("InProgress")).index(), KeyIndex::Building);
        assert_eq!(key(&[], Some("Failed")).index(), KeyIndex::Failed);
        assert_eq!(key(&[], None).index(), KeyIndex::Active);
        let table = TableName::new("contact").unwrap();
        let body = make_key(&table, &columns, "new", 1033).body;
        assert_eq!(body["SchemaName"], "new_a_b_key");
    }
}
