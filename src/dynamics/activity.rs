//! The activity tables of e-mail events: what their metadata says, and the row
//! that an event becomes. Names of relations are read, never built (Dynamics
//! sheet, 4.6 and 11.3).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use tokio::sync::Mutex;

use crate::dynamics::activity_row::row;
use crate::dynamics::batch::{Condition, Part};
use crate::dynamics::blueprint::needed;
use crate::dynamics::wire::{AttributeReply, CastReply, List, RelatedReply, RelationReply, parse};
use crate::dynamics::{Failure, Outcome, Reader};
use crate::http::System;
use crate::model::{ColumnName, EmailEvent, EventKind, RecordId, Stop, TableName};

/// The table of one kind of event. Clones share what was read of it.
#[derive(Clone, Debug)]
pub(crate) struct ActivityTable {
    reader: Reader,
    kind: EventKind,
    name: TableName,
    prefix: String,
    known: Arc<Mutex<Option<Arc<ActivityShape>>>>,
}

/// What its metadata says, as far as writing needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActivityShape {
    /// The name in data URLs.
    pub(super) entity_set: String,
    /// The navigation property that binds the contact.
    pub(super) contact: String,
    /// The beginning of the names of the table's own columns.
    pub(super) prefix: String,
    /// Most characters (UTF-16 units) of each text column, where that was asked
    /// and is told.
    pub(super) lengths: Option<BTreeMap<String, u32>>,
}

/// How exactly a table must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// As far as any row needs it: one request, or a few where the server does not
    /// take that one. What is wrong with a column
    /// shows when it is written.
    Names,
    /// With its columns and their lengths: one request more.
    Lengths,
}

/// An event that cannot become a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Why; names the column, never the value.
    pub(crate) reason: String,
}

impl ActivityTable {
    /// The table `name`, whose own columns begin with `prefix` and an
    /// underscore. Nothing is read yet.
    pub(crate) fn new(reader: Reader, kind: EventKind, name: TableName, prefix: &str) -> Self {
        Self { reader, kind, name, prefix: prefix.to_owned(), known: Arc::default() }
    }

    /// The same table for work that may be asked to end; see `Client::until`.
    pub(crate) fn until(&self, stop: &Stop) -> Self {
        Self { reader: self.reader.until(stop), ..self.clone() }
    }

    /// Its logical name.
    pub(crate) fn name(&self) -> &TableName {
        &self.name
    }

    /// What its metadata says; read once and kept.
    ///
    /// # Errors
    /// `Setup` where something is missing, with what to do about it.
    pub(crate) async fn shape(&self, detail: Detail) -> Result<Arc<ActivityShape>, Failure> {
        let mut known = self.known.lock().await;
        let mut shape = match &*known {
            Some(shape) if detail == Detail::Names || shape.lengths.is_some() => {
                return Ok(shape.clone());
            }
            Some(shape) => ActivityShape::clone(shape),
            None => self.read_shape().await?,
        };
        if detail == Detail::Lengths {
            shape.lengths = Some(self.text_columns().await?);
        }
        let shape = Arc::new(shape);
        *known = Some(shape.clone());
        Ok(shape)
    }

    /// What was read may no longer hold: it is read again when next needed.
    pub(crate) async fn forget_shape(&self) {
        *self.known.lock().await = None;
    }

    async fn read_shape(&self) -> Result<ActivityShape, Failure> {
        if let Some(shape) = self.read_at_once().await? {
            return Ok(shape);
        }
        let table = &self.name;
        let entity = self.reader.entity(table).await.map_err(|failure| {
            if failure.outcome != Outcome::Setup {
                return failure;
            }
            let text = format!(
                "there is no activity table {table}; `cdsync provision` creates it, or set \
                 `prefix` or `tables` of [egress] to the one there is"
            );
            setup(text, failure.request_id)
        })?;
        let entity_set = entity
            .entity_set_name
            .filter(|set| ColumnName::new(set).is_ok())
            .ok_or_else(|| setup(format!("the metadata of table {table} has no data URL"), None))?;
        Ok(ActivityShape {
            entity_set,
            contact: self.contact_relation().await?,
            prefix: self.prefix.clone(),
            lengths: None,
        })
    }

    /// All by one request (Dynamics sheet, 7.1); none where the server does not
    /// take it, or does not tell enough.
    async fn read_at_once(&self) -> Result<Option<ActivityShape>, Failure> {
        let path = format!(
            "EntityDefinitions(LogicalName='{}')?$select=LogicalName,EntitySetName\
             &$expand=ManyToOneRelationships($select=SchemaName,ReferencedEntity,\
             ReferencingAttribute,ReferencingEntityNavigationPropertyName)",
            self.name
        );
        let reply: RelatedReply = match self.reader.get(&path).await.and_then(|it| parse(&it)) {
            Ok(reply) => reply,
            Err(failure)
                if matches!(
                    failure.outcome,
                    Outcome::Setup
                        | Outcome::Missing
                        | Outcome::BadRecord
                        | Outcome::ServerError
                        | Outcome::Garbled
                        | Outcome::TooLarge
                ) =>
            {
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        let entity_set = reply.entity_set_name.filter(|set| ColumnName::new(set).is_ok());
        // The answer is not filtered, so the attribute must be told.
        let mut relations = reply.many_to_one_relationships.unwrap_or_default();
        relations.retain(|one| one.referencing_attribute.is_some());
        let shape = |(entity_set, contact)| ActivityShape {
            entity_set,
            contact,
            prefix: self.prefix.clone(),
            lengths: None,
        };
        Ok(entity_set.zip(to_contact(relations)).map(shape))
    }

    /// The text columns with their lengths. All that are needed must be there.
    async fn text_columns(&self) -> Result<BTreeMap<String, u32>, Failure> {
        let table = &self.name;
        let path = format!(
            "EntityDefinitions(LogicalName='{table}')/Attributes/\
             Microsoft.Dynamics.CRM.StringAttributeMetadata?$select=LogicalName,MaxLength"
        );
        let columns: Vec<CastReply> = self.list(&path).await?.unwrap_or_default();
        let mut lengths = BTreeMap::new();
        let mut present: Vec<String> = Vec::new();
        for column in columns {
            if let Some(length) = column.max_length {
                lengths.insert(column.logical_name.clone(), length);
            }
            present.push(column.logical_name);
        }
        let needed = self.needed();
        let is_date = |name: &str| name.ends_with("eventdate");
        if needed.iter().any(|name| !is_date(name) && !present.contains(name)) {
            // Of another type than text of one line, or not there.
            let path = format!(
                "EntityDefinitions(LogicalName='{table}')/Attributes?$select=LogicalName,\
                 AttributeType,AttributeOf"
            );
            let Some(columns) = self.list::<AttributeReply>(&path).await? else {
                return Ok(lengths);
            };
            present.extend(columns.into_iter().map(|column| column.logical_name));
            let absent: Vec<&str> =
                needed.iter().filter(|name| !present.contains(name)).map(String::as_str).collect();
            if !absent.is_empty() {
                let absent = absent.join(", ");
                return Err(setup(
                    format!(
                        "table {table} lacks {absent}; `cdsync provision` adds it, or set \
                         `prefix` of [egress]"
                    ),
                    None,
                ));
            }
        }
        Ok(lengths)
    }

    /// A list of metadata; none from a server that does not give it. What is
    /// wrong with the table shows when it is written then.
    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Option<Vec<T>>, Failure> {
        match self.reader.get(path).await {
            Ok(response) => parse::<List<T>>(&response).map(|list| Some(list.value)),
            Err(failure) => match failure.outcome {
                Outcome::Setup | Outcome::Missing | Outcome::BadRecord => Ok(None),
                Outcome::Throttled
                | Outcome::NotSent
                | Outcome::Unknown
                | Outcome::Unavailable
                | Outcome::ServerError
                | Outcome::Refused
                | Outcome::Unauthenticated
                | Outcome::DuplicateKey
                | Outcome::VersionConflict
                | Outcome::CursorExpired
                | Outcome::Garbled
                | Outcome::Foreign
                | Outcome::TooLarge
                | Outcome::Spent => Err(failure),
            },
        }
    }

    fn needed(&self) -> Vec<String> {
        needed(self.kind).map(|column| format!("{}_{}", self.prefix, column.end)).collect()
    }

    /// The navigation property of `regardingobjectid` that leads to contacts.
    async fn contact_relation(&self) -> Result<String, Failure> {
        let table = &self.name;
        let path = format!(
            "EntityDefinitions(LogicalName='{table}')/ManyToOneRelationships?$select=SchemaName,\
             ReferencedEntity,ReferencingAttribute,ReferencingEntityNavigationPropertyName\
             &$filter=ReferencingAttribute%20eq%20'regardingobjectid'"
        );
        let list: List<RelationReply> = parse(&self.reader.get(&path).await?)?;
        to_contact(list.value).ok_or_else(|| {
            let text = format!(
                "table {table} has no `regardingobjectid` that leads to contacts, so it is no \
                     activity table; `cdsync provision` creates one"
            );
            setup(text, None)
        })
    }
}

/// The navigation property of `regardingobjectid` that leads to contacts.
fn to_contact(relations: Vec<RelationReply>) -> Option<String> {
    relations
        .into_iter()
        .filter(|one| {
            let attribute = one.referencing_attribute.as_deref();
            attribute.is_none_or(|name| name == "regardingobjectid")
        })
        .find(|one| one.referenced_entity.as_deref() == Some("contact"))
        .and_then(|one| one.referencing_entity_navigation_property_name)
        .filter(|name| ColumnName::new(name).is_ok())
}

impl ActivityShape {
    /// The write that makes the activity, only where there is none yet.
    pub(crate) fn make(
        &self,
        activity: RecordId,
        event: &EmailEvent,
        contact: RecordId,
    ) -> Result<Part, Misfit> {
        Ok(self.part(activity, Condition::Absent, row(self, event, contact)?))
    }

    /// The write that completes it (Dynamics sheet, 4.7: always both).
    pub(crate) fn complete(&self, activity: RecordId) -> Part {
        let mut columns = Map::new();
        columns.insert("statecode".into(), 1.into());
        columns.insert("statuscode".into(), 2.into());
        self.part(activity, Condition::Present, columns)
    }

    fn part(&self, row: RecordId, condition: Condition, columns: Map<String, Json>) -> Part {
        let json = Json::Object(columns).to_string();
        Part { entity_set: self.entity_set.clone(), row, condition, json }
    }
}

fn setup(text: String, request_id: Option<String>) -> Failure {
    Failure { request_id, ..Failure::ours(System::Dynamics, Outcome::Setup, text) }
}
