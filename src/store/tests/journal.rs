//! Journals: the position survives and is checked; gaps stay until they are
//! filled.

use jiff::Timestamp;

use super::Place;
use crate::store::{JournalPosition, StoreError, Work};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn position() -> JournalPosition {
    JournalPosition {
        next: Some("/events-fast/1?since=moose:1".into()),
        last: Some("moose:1".into()),
        told: Some(at("2026-03-01T12:00:00.5Z")),
    }
}

/// Something for each of the tables.
pub(super) fn fill(work: &mut Work<'_>) -> Result<(), StoreError> {
    work.set_journal_position("a", &position())?;
    work.add_gap("a", None, at("2026-03-01T12:00:00Z"))
}

#[tokio::test]
async fn a_journals_position_is_its_own_and_survives() {
    let place = Place::new();
    let store = place.open().await;
    store
        .call(|work| {
            assert_eq!(work.journal_position("a")?, None);
            work.set_journal_position("a", &JournalPosition::default())?;
            assert_eq!(work.journal_position("a")?, Some(JournalPosition::default()));
            work.set_journal_position("a", &position())
        })
        .await
        .unwrap();
    store.close().await;
    let store = place.open().await;
    store
        .call(|work| {
            assert_eq!(work.journal_position("a")?, Some(position()));
            assert_eq!(work.journal_position("b")?, None);
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
    place.raw().execute("UPDATE journal SET last = 'moose:2'", []).unwrap();
    let store = place.open().await;
    let damaged = store.call(|work| work.journal_position("a")).await;
    assert!(matches!(damaged, Err(StoreError::Corrupt(_))), "{damaged:?}");
    store.close().await;
}

#[tokio::test]
async fn a_gap_is_open_until_it_is_filled() {
    let place = Place::new();
    let store = place.open().await;
    store
        .call(|work| {
            work.add_gap("a", None, at("2026-03-01T12:00:00Z"))?;
            work.add_gap("a", Some(at("2026-03-02T12:00:00Z")), at("2026-03-03T12:00:00Z"))?;
            let open = work.open_gaps()?;
            assert_eq!((open.len(), open[0].from), (2, None));
            work.fill_gap(open[0].id)?;
            let open = work.open_gaps()?;
            assert_eq!(open.len(), 1);
            assert_eq!(open[0].to, at("2026-03-03T12:00:00Z"));
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
}
