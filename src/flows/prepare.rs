//! From a change to what the store is asked to decide: the mapping is applied
//! and the values are brought into their wire form and fingerprinted.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::campaign::{Clearing, encode};
use crate::dynamics::Query;
use crate::mapping::spec::{DeleteGuard, MissingParent, Tracking};
use crate::mapping::{
    Applied, Compiled, CompiledLink, MappedField, MappedRecord, Pointer, canonical, resolve_empty,
};
use crate::model::consent::BoundPair;
use crate::model::{
    Change, FieldName, RecordId, ResourceSchema, RowVersion, SourceRow, TableName, TargetValue,
};
use crate::store::{KnownTable, Payload, PayloadField, PayloadLink, SealKey};

use super::decide::{Deletions, Incoming};

/// A table mapping ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The Dynamics table.
    pub(crate) name: TableName,
    /// The mapping, compiled against both schemas.
    pub(crate) mapping: Arc<Compiled>,
    /// What is read.
    pub(crate) query: Arc<Query>,
    /// How its changes are found.
    pub(crate) tracking: Tracking,
    /// What is written.
    pub(crate) resource: Arc<ResourceSchema>,
    /// The Campaign field that holds the key.
    pub(crate) key: FieldName,
    /// What happens to deletions.
    pub(crate) deletions: Deletions,
    /// When a wave of deletions is held.
    pub(crate) guard: DeleteGuard,
    /// The share counts only beyond this many deletions: small tables are not
    /// held for one record, unless the configuration says so.
    pub(crate) guard_floor: u64,
    /// What identifies the target: another one needs another store.
    pub(crate) identity: String,
    /// Digest of everything that decides what is written.
    pub(crate) digest: String,
    /// What empties a text or a date.
    pub(crate) clearing: Clearing,
    /// What empties a link.
    pub(crate) link_clearing: Clearing,
    /// Whether records of other tables link to its records.
    pub(crate) is_parent: bool,
    /// Parent tables that were read to their end in this pass, or are not
    /// mapped: who is not known from there will not come.
    pub(crate) read_parents: BTreeSet<TableName>,
    /// What the mapping rests on, part by part.
    pub(crate) shape: Arc<KnownTable>,
    /// The opt-out flags that a new record is made with, where Dynamics says
    /// no: nobody may be mailed before the flow that owns them has run.
    pub(crate) opt_outs: Arc<[BoundPair]>,
}

/// A change after the mapping.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// The record.
    pub(crate) id: RecordId,
    /// Its version.
    pub(crate) version: Option<RowVersion>,
    /// What it came to.
    pub(crate) content: Content,
}

/// What a change came to.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A record for Campaign.
    Record(Payload),
    /// Left out by the filter; with its key, if it has one.
    FilteredOut(Option<String>),
    /// Deleted.
    Deleted,
    /// Cannot be mapped; the text names fields, never values.
    Failed(String),
}

impl Content {
    /// The view that `decide` takes.
    pub(crate) fn incoming(&self) -> Incoming<'_> {
        match self {
            Self::Record(payload) => Incoming::Record(payload),
            Self::FilteredOut(_) => Incoming::FilteredOut,
            Self::Deleted => Incoming::Deleted,
            Self::Failed(_) => Incoming::Failed,
        }
    }
}

impl Table {
    /// What a cursor says of the mapping that it was read by.
    pub(super) fn mapping_of_cursor(&self) -> String {
        format!("{}|{}", self.identity, self.digest)
    }

    /// Applies the mapping to a change.
    pub(crate) fn prepare(&self, change: &Change, initial: bool, key: &SealKey) -> Prepared {
        match change {
            Change::Delete(id) => Prepared { id: *id, version: None, content: Content::Deleted },
            Change::Upsert(row) => {
                let content = match self.mapping.apply(row) {
                    Applied::Record(record) => self.content(row, &record, initial, key),
                    Applied::FilteredOut => Content::FilteredOut(self.mapping.key(row).ok()),
                    Applied::Failed(failures) => {
                        let reasons: Vec<String> = failures
                            .iter()
                            .map(|failure| match &failure.field {
                                Some(field) => {
                                    format!("{field} (from {}): {}", failure.column, failure.reason)
                                }
                                None => format!("{}: {}", failure.column, failure.reason),
                            })
                            .collect();
                        Content::Failed(reasons.join("; "))
                    }
                };
                Prepared { id: row.id, version: row.version, content }
            }
        }
    }

    /// The same, with the parent tables among those that have been read.
    pub(crate) fn with_read(&self, read: &BTreeSet<TableName>) -> Self {
        let mut table = self.clone();
        let parents = self.mapping.links().iter().map(|link| &link.table);
        table.read_parents.extend(parents.filter(|it| read.contains(*it)).cloned());
        table
    }

    /// Whether its records link to others.
    pub(crate) fn has_links(&self) -> bool {
        !self.mapping.links().is_empty()
    }

    fn content(
        &self,
        row: &SourceRow,
        record: &MappedRecord,
        initial: bool,
        key: &SealKey,
    ) -> Content {
        let mut payload = self.payload(record, initial, key);
        let opt_outs = self.opt_outs.iter().filter(|pair| pair.opted_out(row) == Some(true));
        payload.opt_outs = opt_outs.map(|pair| pair.wire.as_str().into()).collect();
        for (link, pointer) in self.mapping.links().iter().zip(&record.links) {
            match pointer {
                Pointer::Absent => {}
                Pointer::Empty => payload.fields.push(self.unset(link, key)),
                Pointer::Elsewhere if link.missing_parent == MissingParent::SendWithout => {
                    payload.fields.push(self.unset(link, key));
                }
                Pointer::Elsewhere => {
                    return Content::Failed(format!(
                        "{} (from {}): it points to a table other than {}",
                        link.name,
                        link.column(),
                        link.table
                    ));
                }
                Pointer::To(parent) => {
                    payload.fields.push(PayloadField {
                        name: link.name.as_str().into(),
                        json: RawValue::NULL.to_owned(),
                        // Of the id: it stays the same wherever Campaign
                        // keeps the parent.
                        fingerprint: key.fingerprint(parent.to_string().as_bytes()),
                        updates: true,
                    });
                    payload.links.push(PayloadLink {
                        field: link.name.to_string(),
                        table: link.table.clone(),
                        record: *parent,
                        by_key: link.by_key(),
                    });
                }
            }
        }
        Content::Record(payload)
    }

    /// A link that points nowhere.
    pub(super) fn unset(&self, link: &CompiledLink, key: &SealKey) -> PayloadField {
        let clearing = if link.by_key() { self.clearing } else { self.link_clearing };
        PayloadField {
            name: link.name.as_str().into(),
            json: encode(&TargetValue::Empty, clearing),
            fingerprint: key.fingerprint(&canonical(&TargetValue::Empty, &link.kind)),
            updates: true,
        }
    }

    fn payload(&self, record: &MappedRecord, initial: bool, key: &SealKey) -> Payload {
        let fields = self.mapping.fields().iter().zip(&record.fields);
        let fields = fields.filter_map(|(field, mapped)| {
            let MappedField::Send(value) = mapped else { return None };
            let resolved = match value {
                TargetValue::Empty => resolve_empty(&field.kind),
                TargetValue::Bool(_)
                | TargetValue::Number(_)
                | TargetValue::Text(_)
                | TargetValue::Date(_)
                | TargetValue::Instant(_) => value.clone(),
            };
            Some(PayloadField {
                name: field.name.as_str().into(),
                json: encode(&resolved, self.clearing),
                fingerprint: key.fingerprint(&canonical(&resolved, &field.kind)),
                updates: field.updates,
            })
        });
        Payload {
            key: record.key.clone(),
            initial,
            fields: fields.collect(),
            links: Vec::new(),
            opt_outs: Vec::new(),
        }
    }

    /// The fields whose values Campaign's listing is compared by.
    pub(crate) fn field_names(&self) -> Vec<FieldName> {
        let links = self.mapping.links().iter().map(|link| link.name.clone());
        self.mapping.fields().iter().map(|field| field.name.clone()).chain(links).collect()
    }
}
