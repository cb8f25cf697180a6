//! Table definitions as a whole: read, changed, written back and published
//! ("Update a table definition", Dynamics sheet 7.7 and 7.8). For setting up
//! only; the flows never change metadata.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::dynamics::blueprint::{Standing, publish};
use crate::dynamics::link::encode;
use crate::dynamics::wire::{List, parse};
use crate::dynamics::{Failure, Outcome, Reader};
use crate::http::{Request, System};
use crate::model::{ColumnName, TableName};

/// `EntityMetadata`, with every member that the server gave: one that is left
/// out when it is written back is reset.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    table: TableName,
    id: uuid::Uuid,
    members: Map<String, Json>,
}

impl Definition {
    pub(super) fn read(table: &TableName, members: Map<String, Json>) -> Result<Self, Failure> {
        let id = members.get("MetadataId").and_then(Json::as_str);
        let id = id.and_then(|id| uuid::Uuid::try_parse(id).ok()).ok_or_else(|| {
            let text = format!("the definition of table {table} has no MetadataId");
            Failure::ours(System::Dynamics, Outcome::Garbled, text)
        })?;
        Ok(Self { table: table.clone(), id, members })
    }

    /// Whether change tracking is on.
    pub(crate) fn tracked(&self) -> bool {
        self.members.get("ChangeTrackingEnabled") == Some(&Json::Bool(true))
    }

    /// Whether it could be turned on (`CanChangeTrackingBeEnabled`).
    pub(crate) fn trackable(&self) -> bool {
        let managed = self.members.get("CanChangeTrackingBeEnabled");
        managed.and_then(|managed| managed.get("Value")) == Some(&Json::Bool(true))
    }

    /// The request that turns change tracking on: this definition with the flag
    /// set.
    pub(crate) fn track_changes(&self) -> MetadataRequest {
        let mut body = self.members.clone();
        body.retain(|name, _| !name.contains("@odata."));
        body.insert("@odata.type".into(), "Microsoft.Dynamics.CRM.EntityMetadata".into());
        body.insert("ChangeTrackingEnabled".into(), true.into());
        body.insert("HasChanged".into(), true.into());
        MetadataRequest {
            method: "PUT",
            path: format!("EntityDefinitions({})", self.id),
            // Without it labels in other languages are dropped.
            header: Some(("MSCRM.MergeLabels", "true".to_owned())),
            body: Json::Object(body),
        }
    }

    /// The request that publishes the table.
    pub(crate) fn publish(&self) -> MetadataRequest {
        publish(std::iter::once(&self.table))
    }
}

/// One change of metadata: what `--dry-run` shows is what is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetadataRequest {
    /// The verb.
    pub(crate) method: &'static str,
    /// Path below the API root.
    pub(crate) path: String,
    /// Beside the headers of every call.
    pub(crate) header: Option<(&'static str, String)>,
    /// The body.
    pub(crate) body: Json,
}

impl MetadataRequest {
    /// The same of another row: `ours` in its address and in what it is bound
    /// to becomes `theirs`.
    pub(crate) fn readdressed(mut self, ours: uuid::Uuid, theirs: uuid::Uuid) -> Self {
        let change = |text: &str| text.replace(&ours.to_string(), &theirs.to_string());
        self.path = change(&self.path);
        for (name, value) in self.body.as_object_mut().into_iter().flatten() {
            if let (true, Json::String(text)) = (name.ends_with("@odata.bind"), value) {
                *text = change(text);
            }
        }
        self
    }
}

/// Whether a table is one of activities.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kind {
    logical_name: String,
    #[serde(default)]
    is_activity: Option<bool>,
}

/// Changes metadata. Needs customiser rights, which the role of the flows
/// should not have.
#[derive(Clone, Debug)]
pub(crate) struct MetadataWriter {
    reader: Reader,
}

impl MetadataWriter {
    /// A writer over a reader's client.
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// The whole definition, as fresh as the server can give it. A table that
    /// does not exist is a `Setup` failure that says so.
    pub(crate) async fn definition(&self, table: &TableName) -> Result<Definition, Failure> {
        let path = format!("EntityDefinitions(LogicalName='{table}')");
        let response = match self.reader.get_fresh(&path).await {
            Ok(response) => response,
            Err(failure) => return Err(super::metadata::or_no_table(failure, table)),
        };
        Definition::read(table, parse(&response)?)
    }

    /// What metadata says of an activity table, of the `wanted` columns with
    /// their lengths; none: there is no such table.
    pub(crate) async fn standing(
        &self,
        table: &TableName,
        wanted: &BTreeSet<ColumnName>,
    ) -> Result<Option<Standing>, Failure> {
        // A table that is not there gives an empty list, whatever else a server
        // may answer to its address (Dynamics sheet, 7.1).
        let filter = encode(&format!("LogicalName eq '{table}'"));
        let path = format!("EntityDefinitions?$select=LogicalName,IsActivity&$filter={filter}");
        let list: List<Kind> = parse(&self.reader.get_fresh(&path).await?)?;
        let Some(kind) = list.value.into_iter().find(|one| one.logical_name == table.as_str())
        else {
            return Ok(None);
        };
        let is_activity = kind.is_activity;
        let columns = self.reader.table_schema(table, Some(wanted)).await?.columns;
        Ok(Some(Standing { is_activity, columns }))
    }

    /// Sends one change. It may be repeated: each says how things shall be.
    pub(crate) async fn send(&self, request: &MetadataRequest) -> Result<(), Failure> {
        let url = self.reader.url(&request.path)?;
        let body = Bytes::from(request.body.to_string());
        let sent = match request.method {
            "PUT" => Request::put(url, body),
            "PATCH" => Request::patch(url, body),
            _ => Request::post(url, body),
        };
        let sent = match &request.header {
            Some((name, value)) => sent.header(name, value.as_str()),
            None => sent,
        };
        self.reader.client().send(sent).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "70816501-edb9-4740-a16c-6a5efbc05d84";

    fn definition(members: Json) -> Result<Definition, Failure> {
        let Json::Object(members) = members else { panic!("an object") };
        Definition::read(&TableName::new("new_vehicle").unwrap(), members)
    }

    #[test]
    fn the_definition_is_written_back_whole_with_the_flag_set() {
        let stored = json!({
            "@odata.context": "http://h/api/data/v9.2/$metadata#EntityDefinitions/$entity",
            "MetadataId": ID, "LogicalName": "new_vehicle", "ChangeTrackingEnabled": false,
            "CanChangeTrackingBeEnabled": { "Value": true }, "HasChanged": null,
            "DisplayName": { "LocalizedLabels": [{ "Label": "Fahrzeug", "LanguageCode": 1031 }] },
            "ObjectTypeCode": 10_012,
        });
        let definition = definition(stored).unwrap();
        assert!(!definition.tracked() && definition.trackable());
        let request = definition.track_changes();
        assert_eq!(
            (request.method, request.path.as_str()),
            ("PUT", format!("EntityDefinitions({ID})").as_str())
        );
        assert_eq!(request.header, Some(("MSCRM.MergeLabels", "true".to_owned())));
        let expected = json!({
            "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata",
            "MetadataId": ID, "LogicalName": "new_vehicle", "ChangeTrackingEnabled": true,
            "CanChangeTrackingBeEnabled": { "Value": true }, "HasChanged": true,
            "DisplayName": { "LocalizedLabels": [{ "Label": "Fahrzeug", "LanguageCode": 1031 }] },
            "ObjectTypeCode": 10_012,
        });
        assert_eq!(request.body, expected);
        let xml = definition.publish().body["ParameterXml"].clone();
        assert_eq!(
            xml,
            "<importexportxml><entities><entity>new_vehicle</entity></entities></importexportxml>"
        );
    }

    #[test]
    fn what_the_server_does_not_say_counts_as_no() {
        let silent = definition(json!({ "MetadataId": ID })).unwrap();
        assert!(!silent.tracked() && !silent.trackable());
        for wrong in [json!({}), json!({ "MetadataId": "../contacts" })] {
            assert_eq!(definition(wrong).unwrap_err().outcome, Outcome::Garbled);
        }
    }
}
