//! One flipped bit in a sealed column is found when the row is read; nothing
//! is deleted or mended on the way.

use rusqlite::types::Value;

use super::events::now;
use super::frozen::fill;
use super::{Place, contact, record};
use crate::model::{EventKind, Flow};
use crate::store::{StoreError, Work};

type Reading = fn(&mut Work<'_>) -> Result<(), StoreError>;

/// Every sealed column with the reading that must notice.
const SEALED: &[(&str, &str, Reading)] = &[
    ("checkpoint", "position", |work| work.checkpoint(&contact()).map(drop)),
    ("checkpoint", "generation", |work| work.checkpoint(&contact()).map(drop)),
    ("checkpoint", "mapping", |work| work.checkpoint(&contact()).map(drop)),
    ("checkpoint", "seal", |work| work.checkpoint(&contact()).map(drop)),
    ("mirror", "record", |work| work.patrol(&contact())),
    ("mirror", "target_key", |work| work.patrol(&contact())),
    ("mirror", "target_key", |work| work.mirror(&contact(), record(1)).map(drop)),
    ("mirror", "fingerprints", |work| work.mirror(&contact(), record(1)).map(drop)),
    ("mirror", "seal", |work| work.mirror(&contact(), record(1)).map(drop)),
    ("outbox", "payload", |work| work.lease(Flow::Ingress, 9, true).map(drop)),
    ("outbox", "record", |work| work.lease(Flow::Ingress, 9, true).map(drop)),
    ("outbox", "seal", |work| work.lease(Flow::Ingress, 9, true).map(drop)),
    ("outbox", "payload", |work| work.each_pending(Flow::Ingress, |_| Ok(()))),
    ("dead_letter", "payload", |work| work.dead_letters().map(drop)),
    ("dead_letter", "payload", |work| work.dead_letter(1).map(drop)),
    ("dead_letter", "payload", |work| work.retry_dead_letter(1).map(drop)),
    ("dead_letter", "record", |work| work.retry_dead_letter(1).map(drop)),
    ("dead_letter", "table_name", |work| work.dead_letter(1).map(drop)),
    ("shape", "known", |work| work.shape(&contact()).map(drop)),
    ("trace", "entries", |work| work.trace_of(record(1), i64::MAX, 9).map(drop)),
    ("trace", "at_us", |work| work.trace_of(record(1), i64::MAX, 9).map(drop)),
    ("event", "content", |work| work.lease_events(EventKind::Send, 9, now()).map(drop)),
    ("event", "activity", |work| work.lease_events(EventKind::Send, 9, now()).map(drop)),
    ("event", "seal", |work| work.lease_events(EventKind::Send, 9, now()).map(drop)),
    ("dead_letter", "uncertain", |work| work.retry_dead_letter(1).map(drop)),
];

/// The column with its middle byte's lowest bit turned over.
fn flipped(value: Value) -> Value {
    let flip = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    match value {
        Value::Text(text) => Value::Text(String::from_utf8(flip(text.into_bytes())).unwrap()),
        Value::Blob(bytes) => Value::Blob(flip(bytes)),
        Value::Integer(number) => Value::Integer(number ^ 1),
        other @ (Value::Null | Value::Real(_)) => panic!("nothing to flip in {other:?}"),
    }
}

#[tokio::test]
async fn a_flipped_bit_in_any_sealed_column_is_found_and_nothing_is_lost() {
    for (table, column, reading) in SEALED {
        let place = Place::new();
        let store = place.open().await;
        fill(&store).await;
        let whole: Result<(), StoreError> = store
            .call(|work| {
                reading(work)?;
                Err(StoreError::Statement("taken back".into()))
            })
            .await;
        assert!(matches!(whole, Err(StoreError::Statement(_))), "{table}.{column}: {whole:?}");
        store.close().await;
        let raw = place.raw();
        let count = format!("SELECT count(*) FROM {table}");
        let rows = place.number(&count);
        let (id, value): (i64, Value) =
            if matches!(*table, "outbox" | "dead_letter" | "trace" | "event") {
                let sql = format!("SELECT id, {column} FROM {table} ORDER BY id");
                raw.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
            } else {
                let sql = format!("SELECT 0, {column} FROM {table} WHERE table_name = 'contact'");
                raw.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
            };
        let place_of = if id == 0 { "table_name = 'contact'" } else { "id = ?2" };
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {place_of}");
        let changed = if id == 0 {
            raw.execute(&sql, [flipped(value)])
        } else {
            raw.execute(&sql, [flipped(value), Value::Integer(id)])
        };
        assert_eq!(changed.unwrap(), 1, "{table}.{column}");
        drop(raw);

        let store = place.open().await;
        let found = store.call(*reading).await;
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "{table}.{column}: {found:?}");
        store.close().await;
        assert_eq!(place.number(&count), rows, "{table}.{column}");
    }
}

#[tokio::test]
async fn without_its_key_no_row_is_believed() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store).await;
    store.close().await;
    place.raw().execute("UPDATE meta SET value = zeroblob(32) WHERE name = 'key'", []).unwrap();
    let store = place.open().await;
    let found = store.call(|work| work.mirror(&contact(), record(1))).await;
    assert!(matches!(found, Err(StoreError::Corrupt(_))), "{found:?}");
    store.close().await;
    for sql in ["UPDATE meta SET value = x'00' WHERE name = 'key'", "DELETE FROM meta"] {
        place.raw().execute(sql, []).unwrap();
        let error = super::open(&place.path()).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{sql}: {error:?}");
    }
}
