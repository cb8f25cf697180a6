//! Requests for replays and comparisons.

use std::collections::BTreeMap;

use super::{Place, contact, record};
use crate::store::{NewResync, Purpose, ResyncPosition, Scope, Store, Work};

fn asked(purpose: Purpose, scope: Scope, ids: &[u8]) -> NewResync {
    let records = ids.iter().map(|id| record(*id)).collect();
    NewResync { table: contact(), purpose, scope, records }
}

async fn ask(store: &Store, new: NewResync) -> (i64, bool) {
    store.call(move |work| work.request_resync(&new)).await.unwrap()
}

#[tokio::test]
async fn the_same_request_is_joined_and_another_is_not() {
    let place = Place::new();
    let store = place.open().await;
    let since = |text: &str| Scope::Since(text.parse().unwrap());
    let first = ask(&store, asked(Purpose::Replay, Scope::Ids, &[1, 2])).await;
    assert!(!first.1);
    assert_eq!(ask(&store, asked(Purpose::Replay, Scope::Ids, &[2, 1, 2])).await, (first.0, true));
    for other in [
        asked(Purpose::Replay, Scope::Ids, &[1]),
        asked(Purpose::Repair, Scope::Ids, &[1, 2]),
        asked(Purpose::Replay, Scope::All, &[]),
        asked(Purpose::Replay, since("2026-03-01T00:00:00Z"), &[]),
        asked(Purpose::Replay, since("2026-03-01T00:00:01Z"), &[]),
    ] {
        let text = format!("{other:?}");
        assert!(!ask(&store, other).await.1, "{text}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_request_keeps_its_place_and_takes_its_records_with_it() {
    let place = Place::new();
    let store = place.open().await;
    let (id, _) = ask(&store, asked(Purpose::Repair, Scope::All, &[])).await;
    store
        .call(move |work| {
            let mut request = work.resyncs(&[Purpose::Repair], None)?.remove(0);
            assert_eq!(request.position, ResyncPosition::List { next: None, restarts: 0 });
            request.position = ResyncPosition::Sweep { after: Some(u64::MAX) };
            request.done = 12;
            work.add_resync_records(id, &[record(3), record(4)])?;
            work.set_resync(&request)
        })
        .await
        .unwrap();
    store.close().await;
    let store = place.open().await;
    store
        .call(move |work| {
            let request = work.resyncs(&[Purpose::Repair], Some(&contact()))?.remove(0);
            assert_eq!(request.position, ResyncPosition::Sweep { after: Some(u64::MAX) });
            assert_eq!(request.done, 12);
            assert!(work.resyncs(&[Purpose::Replay], None)?.is_empty());
            work.resync_records_done(id, &[record(3)])?;
            assert_eq!(work.resync_records(id, 9)?, [record(4)]);
            work.remove_resync(id)?;
            assert!(work.resync_records(id, 9)?.is_empty());
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_long_listing_goes_in_parts() {
    let place = Place::new();
    let store = place.open().await;
    let (id, _) = ask(&store, asked(Purpose::Verify, Scope::All, &[])).await;
    store
        .call(move |work| {
            for number in 0..12_000_u64 {
                work.add_listed(id, number.to_be_bytes(), None, &BTreeMap::new())?;
            }
            let left = |work: &Work<'_>| {
                work.sql
                    .query_row("SELECT count(*) FROM resync_listed", [], |row| row.get::<_, i64>(0))
            };
            let mut parts = Vec::new();
            while work.shed_listed(id)? {
                parts.push(left(work)?);
            }
            assert_eq!(parts, [7000, 2000, 0]);
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_request_that_was_tampered_with_is_refused() {
    let place = Place::new();
    let store = place.open().await;
    ask(&store, asked(Purpose::Verify, Scope::All, &[])).await;
    store.close().await;
    place.raw().execute("UPDATE resync SET purpose = 'repair'", []).unwrap();
    let store = place.open().await;
    let read = store.call(|work| work.resyncs(&[Purpose::Repair], None)).await;
    assert!(read.is_err_and(|error| error.to_string().contains("checksum")));
    store.close().await;
}
