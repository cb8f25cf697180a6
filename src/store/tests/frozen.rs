//! Stores that earlier versions wrote must open for ever. Each is frozen as
//! SQL, with invented data in every table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use rusqlite::types::Value;

use super::{Action, Place, contact, decision, fields, payload, record};
use crate::model::{Flow, RowVersion};
use crate::store::{
    Checkpoint, Counts, Fingerprint, Held, KnownField, KnownTable, LinkRow, Mirror, MirrorState,
    NewDeadLetter, NewResync, Note, Position, Purpose, ResyncPosition, RunOutcome, Scope, Step,
    Store, StoreError, Told, Work,
};

pub(super) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Puts something into every table.
pub(super) async fn fill(store: &Store) {
    let known = fields(store, "Ann");
    let writes =
        [decision(store, 2, Action::Write, "Bob"), decision(store, 3, Action::Delete, "Cleo")];
    let letter = letter(store);
    let checkpoint = Checkpoint {
        position: Position::Delta {
            link: "/api/data/v9.2/contacts?$deltatoken=1%2101".to_owned(),
            obtained: "2026-03-01T12:00:00Z".parse().unwrap(),
            within: false,
        },
        generation: 3,
        mapping: "0123456789abcdef".to_owned(),
    };
    let mirror = Mirror {
        key: Some("crm-1".to_owned()),
        state: MirrorState::Present,
        fields: known.clone(),
        version: Some(RowVersion(7)),
        seen: 3,
    };
    store
        .call(move |work| {
            work.set_checkpoint(&contact(), &checkpoint)?;
            work.set_mirror(&contact(), record(1), &mirror)?;
            work.add_inventory(&contact(), work.key().fingerprint(b"crm-1"), &known)?;
            for write in &writes {
                write.put(work)?;
            }
            work.add_dead_letter(&letter)?;
            work.request_reread(&contact(), record(5))?;
            fill_links(work)?;
            work.add_presence(&contact(), &[record(6)])?;
            work.set_shape(&contact(), &shape())?;
            {
                let wanted =
                    known.iter().map(|(name, print)| (name.clone(), Told::Any([*print].into())));
                assert_eq!(work.remap_told(&contact(), &wanted.collect(), 9)?, 1);
            }
            work.note(&contact(), record(1), &Note::of(Step::Written, Some(RowVersion(7))));
            work.set_retention_days(30)?;
            work.set_calls("dynamics", 20_513, 7)?;
            work.set_empty_read(&contact(), Some(Held::Held))?;
            ask_repair(work, &known)?;
            super::consent::fill(work)?;
            super::events::fill(work)?;
            super::journal::fill(work)?;
            super::log_files::fill(work)?;
            let run = work.start_run(Flow::Ingress)?;
            let counts = Counts { read: 2, written: 1, pending: 1, ..Counts::default() };
            work.finish_run(run, RunOutcome::Ok, &counts)
        })
        .await
        .unwrap();
}

fn letter(store: &Store) -> NewDeadLetter {
    NewDeadLetter {
        flow: Flow::Ingress,
        table: contact(),
        record: record(4),
        write: Some((Action::Write, payload(store, "Dan"))),
        version: Some(RowVersion(8)),
        seen: 2,
        reason: "the value of `email` is refused".to_owned(),
        status: Some(500),
        request_id: Some("req-4".to_owned()),
        attempts: 1,
        uncertain: true,
    }
}

/// A mapping of one field.
fn shape() -> KnownTable {
    let field = KnownField { column: "firstname".to_owned(), ..KnownField::default() };
    let fields = [("firstName".to_owned(), field)].into();
    KnownTable { fields, ..KnownTable::default() }
}

/// What the second schema added can be read.
pub(super) async fn read_what_is_new(store: &Store) {
    store
        .call(|work| {
            assert_eq!(work.shape(&contact())?, Some(shape()));
            assert_eq!(work.remaps(&contact(), 9)?, [record(1)]);
            let (entries, next) = work.trace_of(record(1), i64::MAX, 9)?;
            assert_eq!((entries.len(), entries[0].step, next), (1, Step::Written, None));
            work.forget_shape(&contact())?;
            assert_eq!(work.shape(&contact())?, None);
            Ok(())
        })
        .await
        .unwrap();
}

/// A link, and a record that the filter leaves out.
fn fill_links(work: &mut Work<'_>) -> Result<(), StoreError> {
    let link = LinkRow {
        name: "owner".to_owned(),
        parent_table: contact(),
        parent: record(7),
        missed: false,
    };
    work.set_links(&contact(), record(2), &[link], false)?;
    work.leave_out(&contact(), record(8))
}

/// What [`fill`] put there can be read.
pub(super) async fn read_all(store: &Store) -> Result<(), StoreError> {
    let known = fields(store, "Ann");
    store
        .call(move |work| {
            let checkpoint = work.checkpoint(&contact())?.unwrap();
            assert_eq!((checkpoint.generation, checkpoint.position.phase()), (3, "delta"));
            let mirror = work.mirror(&contact(), record(1))?.unwrap();
            assert_eq!((mirror.fields, mirror.key.as_deref()), (known.clone(), Some("crm-1")));
            let listed = work.inventory(&contact(), work.key().fingerprint(b"crm-1"))?.unwrap();
            assert_eq!((listed.fields, listed.copies), (known, 1));
            assert_eq!(work.retention_days()?, Some(30));
            assert_eq!(work.empty_read(&contact())?, Some(Held::Held));
            assert_eq!(work.rereads(&contact(), true, 9)?, [record(5)]);
            assert_eq!(work.held_wave(&contact())?.held, 1);
            assert_eq!(work.backlog(Flow::Ingress, None)?, 2);
            let leased = work.lease(Flow::Ingress, 9, true)?;
            assert_eq!(leased.len(), 1);
            assert_eq!(leased[0].payload.fields[0].json.get(), "\"Bob\"");
            let mut letters = work.dead_letters()?;
            letters.retain(|letter| letter.flow == Flow::Ingress);
            assert_eq!((letters.len(), letters[0].status), (1, Some(500)));
            assert!(work.retry_dead_letter(letters[0].id)?);
            assert_eq!(work.last_run(Flow::Ingress)?.unwrap().counts.read, 2);
            Ok(())
        })
        .await
}

/// A comparison on its way.
fn ask_repair(
    work: &mut Work<'_>,
    known: &BTreeMap<String, Fingerprint>,
) -> Result<(), StoreError> {
    let repair = NewResync {
        table: contact(),
        purpose: Purpose::Repair,
        scope: Scope::Ids,
        records: vec![record(7)],
    };
    let (id, joined) = work.request_resync(&repair)?;
    assert!(!joined);
    work.add_listed(id, work.key().fingerprint(b"crm-1"), Some(record(1)), known)
}

/// What [`fill`] put there since the second version can be read.
pub(super) async fn read_requests(store: &Store) -> Result<(), StoreError> {
    let known = fields(store, "Ann");
    store
        .call(move |work| {
            let asked = work.resyncs(&[Purpose::Repair], Some(&contact()))?;
            assert_eq!((asked.len(), asked[0].total), (1, Some(1)));
            assert_eq!(asked[0].position, ResyncPosition::Records);
            let id = asked[0].id;
            assert_eq!(work.resync_records(id, 9)?, [record(7)]);
            assert_eq!(work.unmatched(id, None, 9)?.len(), 1);
            let hash = work.key().fingerprint(b"crm-1");
            let listed = work.match_listed(id, hash)?.unwrap();
            assert_eq!((listed.fields, listed.copies), (known, 1));
            assert!(work.unmatched(id, None, 9)?.is_empty());
            work.remove_resync(id)?;
            assert!(work.match_listed(id, hash)?.is_none());
            Ok(())
        })
        .await
}

/// A database as SQL, in the order of its making.
fn dump(connection: &rusqlite::Connection) -> String {
    let number = |pragma: &str| -> i64 {
        connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
    };
    let mut out =
        String::from("-- A store of cdsync with invented data; see src/store/tests/frozen.rs.\n");
    for pragma in ["application_id", "user_version"] {
        let _ = writeln!(out, "PRAGMA {pragma} = {};", number(pragma));
    }
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let made = "SELECT sql FROM sqlite_schema
        WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, rowid";
    for sql in texts(made) {
        let _ = writeln!(out, "{sql};");
    }
    let tables = "SELECT name FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    for table in texts(tables) {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> =
                (0..columns).map(|column| literal(row.get(column).unwrap())).collect();
            let _ = writeln!(out, "INSERT INTO {table} VALUES ({});", values.join(", "));
        }
    }
    out
}

pub(super) fn literal(value: Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => {
            let mut hex = String::from("x'");
            for byte in bytes {
                let _ = write!(hex, "{byte:02x}");
            }
            hex + "'"
        }
    }
}

/// The store as a frozen version left it, opened by this one.
pub(super) async fn thawed(name: &str) -> (Place, Store) {
    let place = Place::new();
    std::fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    let sql = std::fs::read_to_string(fixture(name)).unwrap();
    place.raw().execute_batch(&sql).unwrap();
    let store = place.open().await;
    (place, store)
}

#[tokio::test]
async fn what_is_filled_in_can_be_read_again_and_every_table_has_something() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store).await;
    store.close().await;
    let sql = dump(&place.raw());
    let tables = "SELECT count(*) FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let filled: std::collections::BTreeSet<&str> = sql
        .lines()
        .filter_map(|line| line.strip_prefix("INSERT INTO "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(filled.len(), usize::try_from(place.number(tables)).unwrap(), "{filled:?}");
    let store = place.open().await;
    read_all(&store).await.unwrap();
    read_requests(&store).await.unwrap();
    read_what_is_new(&store).await;
    assert_eq!(store.call(|work| work.calls_of("dynamics", 20_513)).await.unwrap(), 7);
    store.close().await;
}

/// With `CDSYNC_FREEZE` set it writes the store of a new schema to
/// `tests/fixtures`, once, before the schema is released.
#[tokio::test]
async fn a_store_of_this_version_can_be_frozen() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store).await;
    super::versions::leave_half_way(&store).await;
    store.close().await;
    let frozen = dump(&place.raw());
    assert!(frozen.contains("INSERT INTO outbox"));
    if std::env::var_os("CDSYNC_FREEZE").is_some() {
        let name = format!("store-{:04}.sql", crate::store::migrate::latest());
        std::fs::write(fixture(&name), frozen).unwrap();
    }
}
