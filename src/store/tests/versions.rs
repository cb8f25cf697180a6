//! Stores of every schema that there ever was: today's program opens them,
//! loses nothing, and goes on with what was half way.

use super::frozen::{fixture, read_all, read_requests, read_what_is_new, thawed};
use super::{Place, contact, record};
use crate::model::{EventKind, FieldName, Flow, TableName};
use crate::store::{Checkpoint, FileState, Position, Store};

/// The schema that brought it.
const LINKS: i64 = 2;
const REQUESTS: i64 = 3;
const EXPLAINED: i64 = 4;
const EVENTS: i64 = 5;
const FILES: i64 = 6;
const CONSENT: i64 = 7;
const ADDRESSES: i64 = 8;
const CALLS: i64 = 9;
const MERGES: i64 = 10;

fn name(schema: i64) -> String {
    format!("store-{schema:04}.sql")
}

fn account() -> TableName {
    TableName::new("account").unwrap()
}

fn email() -> FieldName {
    FieldName::new("blackListEmail").unwrap()
}

/// A full read in its middle.
fn reading() -> Checkpoint {
    Checkpoint {
        position: Position::FullRead {
            next: Some("/api/data/v9.2/accounts?$skiptoken=2".to_owned()),
            started: super::events::now(),
            began: None,
            pages: 1,
            rows: 5000,
            initial: true,
        },
        generation: 1,
        mapping: "0123456789abcdef".to_owned(),
    }
}

/// What a process leaves behind that is killed in the middle of its passes.
pub(super) async fn leave_half_way(store: &Store) {
    store
        .call(|work| {
            work.set_checkpoint(&account(), &reading())?;
            let leased = work.lease(Flow::Ingress, 9, true)?;
            assert_eq!(leased.len(), 1);
            work.note_attempt(&leased[0], 1, false)?;
            let events = work.lease_events(EventKind::Send, 9, super::events::now())?;
            assert_eq!(events.len(), 1);
            work.start_run(Flow::Egress)?;
            work.start_run(Flow::Optout).map(drop)
        })
        .await
        .unwrap();
}

/// What [`leave_half_way`] left is taken up again.
async fn goes_on(store: &Store) {
    store
        .call(|work| {
            let checkpoint = work.checkpoint(&account())?.unwrap();
            assert_eq!(format!("{checkpoint:?}"), format!("{:?}", reading()));
            assert_eq!(work.recover_leases()?, 2, "a write and an event");
            let events = work.lease_events(EventKind::Send, 9, super::events::now())?;
            assert_eq!((events.len(), events[0].event.id.as_str()), (1, "1"));
            for flow in [Flow::Egress, Flow::Optout] {
                let run = work.last_run(flow)?.unwrap();
                assert_eq!((run.finished, run.outcome), (None, None), "{flow:?}");
            }
            let leased = work.lease(Flow::Ingress, 9, true)?;
            let found = (leased.len(), leased[0].record, leased[0].attempts);
            assert_eq!(found, (1, record(2), 1));
            assert!(leased[0].uncertain, "it may have reached Campaign");
            work.unlease(leased[0].id).map(drop)
        })
        .await
        .unwrap();
}

/// What is of the flows of e-mail events, files and opt-outs.
async fn read_others(store: &Store, schema: i64) {
    store
        .call(move |work| {
            let letters = work.dead_letters()?;
            assert_eq!(letters.iter().filter(|it| it.flow == Flow::Egress).count(), 1);
            assert!(work.journal_position("a")?.is_some());
            assert_eq!(work.open_gaps()?.len(), 1);
            if schema >= FILES {
                let files = work.files(Flow::Egress)?;
                let taken: Vec<_> = files.iter().map(|it| (it.state, it.rows)).collect();
                assert_eq!(taken.len(), 4);
                assert_eq!(taken[..2], [(FileState::Done, 7), (FileState::Taking, 7)]);
            }
            if schema >= CONSENT {
                assert!(work.flag(record(1), &email())?.unwrap().dynamics);
                assert!(work.has_intended(record(1))?, "a lifting is not lost half way");
                assert_eq!(work.consent_cursor("epoch")?.as_deref(), Some("1"));
                assert_eq!(work.own_write(record(1))?.unwrap().version.0, 9);
            }
            if schema >= CALLS {
                assert_eq!(work.calls_of("dynamics", 20_513)?, 7);
            }
            if schema >= MERGES {
                assert_eq!(work.survivor_of(record(5))?, Some(record(6)));
            }
            Ok(())
        })
        .await
        .unwrap();
}

/// Table, columns and rows, in the words of a dump.
type Rows = Vec<(String, Vec<String>, Vec<String>)>;

/// All rows of these tables, or of all there are.
fn rows(place: &Place, of: Option<&Rows>) -> Rows {
    let raw = place.raw();
    let wanted: Vec<(String, String)> = match of {
        Some(known) => {
            known.iter().map(|(table, columns, _)| (table.clone(), columns.join(", "))).collect()
        }
        None => {
            let sql = "SELECT name FROM sqlite_schema
                WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
            let mut statement = raw.prepare(sql).unwrap();
            let names = statement.query_map([], |row| Ok((row.get(0)?, "*".to_owned()))).unwrap();
            names.map(Result::unwrap).collect()
        }
    };
    let mut found = Vec::new();
    for (table, columns) in wanted {
        let mut statement = raw.prepare(&format!("SELECT {columns} FROM {table}")).unwrap();
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let count = columns.len();
        let row = |row: &rusqlite::Row<'_>| {
            let values = (0..count).map(|at| super::frozen::literal(row.get(at).unwrap()));
            Ok(values.collect::<Vec<_>>().join(", "))
        };
        let rows = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
        found.push((table, columns, rows));
    }
    found
}

#[tokio::test]
async fn a_store_of_every_schema_keeps_each_of_its_rows() {
    for schema in 1..=crate::store::migrate::latest() {
        let place = Place::new();
        std::fs::create_dir_all(place.path().parent().unwrap()).unwrap();
        let frozen = std::fs::read_to_string(fixture(&name(schema)));
        let frozen = frozen.unwrap_or_else(|error| {
            panic!("{}: {error}; CDSYNC_FREEZE=1 writes it once", name(schema))
        });
        place.raw().execute_batch(&frozen).unwrap();
        assert_eq!(place.number("SELECT user_version FROM pragma_user_version"), schema);
        let before = rows(&place, None);
        for (table, _, rows) in &before {
            assert!(!rows.is_empty(), "{schema}: nothing in {table}");
        }
        place.open().await.close().await;
        let latest = crate::store::migrate::latest();
        assert_eq!(place.number("SELECT user_version FROM pragma_user_version"), latest);
        assert_eq!(rows(&place, Some(&before)), before, "{schema}");
        let unsound = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
        assert_eq!(place.number(unsound), 0, "{schema}");
        assert_eq!(place.number("SELECT count(*) FROM pragma_foreign_key_check"), 0, "{schema}");
    }
}

#[tokio::test]
async fn a_store_of_every_schema_can_be_read_and_what_was_half_way_goes_on() {
    for schema in 1..=crate::store::migrate::latest() {
        let (_place, store) = thawed(&name(schema)).await;
        if schema >= EVENTS {
            goes_on(&store).await;
            read_others(&store, schema).await;
        }
        read_all(&store).await.unwrap();
        if schema >= LINKS {
            let left_out = store.call(|work| work.has_left_out(&contact())).await;
            assert!(left_out.unwrap(), "{schema}");
        }
        if schema >= REQUESTS {
            read_requests(&store).await.unwrap();
        }
        if schema >= EXPLAINED {
            read_what_is_new(&store).await;
        }
        if schema >= ADDRESSES {
            let print = |work: &mut crate::store::Work<'_>| {
                let print = work.address_print("a@x.example").unwrap();
                work.contact_gone(record(1))?;
                work.former_contacts(print)
            };
            assert_eq!(store.call(print).await.unwrap(), [record(1)], "{schema}");
        }
        store.close().await;
    }
}
