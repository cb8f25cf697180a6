//! The store's promises, on real files.

mod commit;
mod consent;
mod events;
mod files;
mod forget;
mod frozen;
mod journal;
mod letters;
mod links;
mod log_files;
mod outbox;
mod place;
mod privacy;
mod resync;
mod seals;
mod versions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use tempfile::TempDir;

use super::{Action, Mode, NewWrite, Payload, PayloadField, Replaced, Store, StoreError, Work};
use crate::clock::Clock;
use crate::model::{Flow, RecordId, RowVersion, TableName};

/// A store in a directory of its own.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("deep/store/cdsync.db")
    }

    async fn open(&self) -> Store {
        open(&self.path()).await.unwrap()
    }

    /// The file, as any other program would open it.
    fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    fn number(&self, sql: &str) -> i64 {
        self.raw().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(path, Mode::Durable, &Clock::seeded(1)).await
}

fn contact() -> TableName {
    TableName::new("contact").unwrap()
}

fn record(number: u8) -> RecordId {
    RecordId::from_bytes([number; 16])
}

/// A payload with one invented field.
fn payload(store: &Store, value: &str) -> Payload {
    let json = serde_json::to_string(value).unwrap();
    let fingerprint = store.key().fingerprint(json.as_bytes());
    Payload {
        key: "crm-1".to_owned(),
        initial: true,
        fields: vec![PayloadField {
            name: "firstName".into(),
            json: RawValue::from_string(json).unwrap(),
            fingerprint,
            updates: true,
        }],
        links: Vec::new(),
        opt_outs: vec!["blackListEmail".into()],
    }
}

/// A decision that owns what it carries.
#[derive(Clone, Debug)]
struct Decided {
    table: TableName,
    record: RecordId,
    action: Action,
    payload: Payload,
    seen: i64,
}

impl Decided {
    fn put(&self, work: &mut Work<'_>) -> Result<Replaced, StoreError> {
        let existing = work.pending(Flow::Ingress, &self.table, self.record)?;
        let new = NewWrite {
            flow: Flow::Ingress,
            table: &self.table,
            record: self.record,
            action: self.action,
            payload: &self.payload,
            version: Some(RowVersion(7)),
            seen: self.seen,
        };
        work.put(&new, existing)
    }
}

fn decision(store: &Store, number: u8, action: Action, value: &str) -> Decided {
    Decided {
        table: contact(),
        record: record(number),
        action,
        payload: payload(store, value),
        seen: 3,
    }
}

fn fields(store: &Store, value: &str) -> BTreeMap<String, super::Fingerprint> {
    let fields = payload(store, value).fields;
    fields.into_iter().map(|field| (field.name.to_string(), field.fingerprint)).collect()
}
