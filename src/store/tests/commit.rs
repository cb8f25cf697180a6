//! How transactions end.

use super::{Action, Place, contact, decision, record};
use crate::model::Flow;
use crate::store::{Counts, RunOutcome, StoreError};

#[tokio::test]
async fn a_failed_closure_leaves_nothing_behind() {
    let place = Place::new();
    let store = place.open().await;
    let refused: Result<(), StoreError> = store
        .call(|work| {
            work.request_reread(&contact(), record(1))?;
            Err(StoreError::Statement("no".into()))
        })
        .await;
    assert!(matches!(refused, Err(StoreError::Statement(_))));
    assert!(store.call(|work| work.rereads(&contact(), true, 9)).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn after_a_commit_of_unknown_outcome_nothing_more_is_done() {
    let place = Place::new();
    let store = place.open().await;
    let new = decision(&store, 1, Action::Write, "Ann");
    store.call(move |work| new.put(work)).await.unwrap();
    // The one way to make a real COMMIT fail: a reference nobody keeps.
    let unknown = store
        .call(|work| {
            work.sql.execute_batch(
                "PRAGMA defer_foreign_keys = ON;
                 INSERT INTO mirror VALUES ('contact', zeroblob(16), NULL, 'present', 999,
                   zeroblob(8), NULL, 1, x'00')",
            )?;
            Ok(())
        })
        .await;
    assert!(matches!(unknown, Err(StoreError::CommitUnknown(_))), "{unknown:?}");
    for _ in 0..2 {
        let later = store.call(|work| work.backlog(Flow::Ingress, None)).await;
        // Whoever comes later hears the same reason, not that there was one.
        let (first, later) = (unknown.as_ref().unwrap_err(), later.unwrap_err());
        assert_eq!(later.to_string(), first.to_string());
    }
    store.close().await;

    let store = place.open().await;
    assert_eq!(store.call(|work| work.backlog(Flow::Ingress, None)).await.unwrap(), 1);
    assert!(store.call(|work| work.mirror(&contact(), record(0))).await.unwrap().is_none());
    store.close().await;
}

#[tokio::test]
async fn what_was_committed_survives_a_process_that_never_closes() {
    let place = Place::new();
    let store = place.open().await;
    store.call(|work| work.request_reread(&contact(), record(1))).await.unwrap();
    // As after a crash: the files as they lie there now, opened elsewhere.
    let other = Place::new();
    std::fs::create_dir_all(other.path().parent().unwrap()).unwrap();
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", place.path().display());
        std::fs::copy(from, format!("{}{suffix}", other.path().display())).unwrap();
    }
    let copy = other.open().await;
    assert_eq!(copy.call(|work| work.rereads(&contact(), true, 9)).await.unwrap(), [record(1)]);
    copy.close().await;
    store.close().await;
}

#[tokio::test]
async fn runs_are_counted_and_only_the_last_thousand_kept() {
    let place = Place::new();
    let store = place.open().await;
    let counts = Counts { read: 3, written: 2, unchanged: 1, ..Counts::default() };
    store
        .call(move |work| {
            for number in 0..1010 {
                let run = work.start_run(Flow::Ingress)?;
                let outcome = if number == 5 { RunOutcome::Ok } else { RunOutcome::Incomplete };
                work.finish_run(run, outcome, &counts)?;
            }
            let egress = work.start_run(Flow::Egress)?;
            work.finish_run(egress, RunOutcome::Failed, &Counts::default())?;
            work.start_run(Flow::Optout).map(drop)
        })
        .await
        .unwrap();
    let (last, success, open) = store
        .call(|work| {
            let last = work.last_run(Flow::Ingress)?.unwrap();
            Ok((last, work.last_success(Flow::Ingress)?, work.last_run(Flow::Optout)?.unwrap()))
        })
        .await
        .unwrap();
    assert_eq!((last.counts, last.outcome), (counts, Some(RunOutcome::Incomplete)));
    assert!(last.finished.unwrap() >= last.started);
    assert_eq!(success, None, "the only success was forgotten with its row");
    assert_eq!((open.finished, open.outcome), (None, None));
    store.close().await;
    assert_eq!(place.number("SELECT count(*) FROM run WHERE flow = 'ingress'"), 1000);
    assert_eq!(place.number("SELECT count(*) FROM run WHERE flow = 'egress'"), 1);
}
