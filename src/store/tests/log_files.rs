//! What is remembered of Campaign's files.

use std::time::Duration;

use jiff::Timestamp;

use super::Place;
use crate::model::Flow;
use crate::store::{FileState, KnownFile, StoreError, Work};

const FLOW: Flow = Flow::Egress;

/// Puts a file of each state into the store.
pub(super) fn fill(work: &mut Work<'_>) -> Result<(), StoreError> {
    work.put_file(FLOW, &file("delivery_log_1.csv", FileState::Done))?;
    work.put_file(FLOW, &file("delivery_log_2.csv", FileState::Taking))?;
    work.put_file(FLOW, &file("delivery_log_3.csv", FileState::Seen))?;
    work.put_file(FLOW, &file("tracking_log_1.csv", FileState::Refused))
}

fn file(name: &str, state: FileState) -> KnownFile {
    let began = matches!(state, FileState::Done | FileState::Taking);
    KnownFile {
        name: name.to_owned(),
        size: 1234,
        changed_s: 1_767_323_045,
        still: "2026-03-01T12:00:00Z".parse().unwrap(),
        state,
        rows: if began { 7 } else { 0 },
        digest: began.then_some([0xd5; 32]),
        reason: (state == FileState::Refused).then(|| "line 1: no header".to_owned()),
    }
}

#[tokio::test]
async fn a_file_is_remembered_as_it_was_put_and_replaced_by_name() {
    let place = Place::new();
    let store = place.open().await;
    let found = store
        .call(|work| {
            fill(work)?;
            work.put_file(FLOW, &file("delivery_log_3.csv", FileState::Done))?;
            work.put_file(Flow::Optout, &file("delivery_log_1.csv", FileState::Seen))?;
            work.files(FLOW)
        })
        .await
        .unwrap();
    let expected = [
        file("delivery_log_1.csv", FileState::Done),
        file("delivery_log_2.csv", FileState::Taking),
        file("delivery_log_3.csv", FileState::Done),
        file("tracking_log_1.csv", FileState::Refused),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn only_a_file_that_is_done_vouches_for_its_content() {
    let place = Place::new();
    let store = place.open().await;
    let same = store
        .call(|work| {
            work.put_file(FLOW, &file("b", FileState::Taking))?;
            let before = work.same_file(FLOW, "a", &[0xd5; 32])?;
            work.put_file(FLOW, &file("b", FileState::Done))?;
            let itself = work.same_file(FLOW, "b", &[0xd5; 32])?;
            let other_flow = work.same_file(Flow::Optout, "a", &[0xd5; 32])?;
            Ok((before, itself, other_flow, work.same_file(FLOW, "a", &[0xd5; 32])?))
        })
        .await
        .unwrap();
    assert_eq!(same, (None, None, None, Some("b".to_owned())));
}

#[tokio::test]
async fn a_file_that_is_gone_is_forgotten_unless_a_twin_may_come() {
    let place = Place::new();
    let store = place.open().await;
    let left = |days: u32| {
        let store = store.clone();
        async move {
            let gone = ["a", "b", "none"].map(str::to_owned);
            let work = store.call(move |work| {
                work.forget_files(FLOW, &gone, days)?;
                Ok(work.files(FLOW)?.into_iter().map(|file| file.name).collect::<Vec<_>>())
            });
            work.await.unwrap()
        }
    };
    store
        .call(|work| {
            work.put_file(FLOW, &file("a", FileState::Done))?;
            work.put_file(FLOW, &file("b", FileState::Seen))?;
            work.put_file(FLOW, &file("c", FileState::Seen))
        })
        .await
        .unwrap();
    assert_eq!(left(90).await, ["a", "c"]);
}

#[tokio::test]
async fn somebody_is_told_once_in_a_while_that_no_new_file_comes() {
    let place = Place::new();
    let store = place.open().await;
    let late = store
        .call(|work| {
            // Hours after the first look; at the fifth, a file was there.
            let file = KnownFile { still: hour(50), ..file("a", FileState::Done) };
            let mut late = Vec::new();
            for at in [0, 26, 27, 28, 53, 54, 76, 77, 102, 103] {
                if at == 54 {
                    work.put_file(FLOW, &file)?;
                }
                let found = work.files_late(FLOW, hour(at), Duration::from_hours(26))?;
                late.extend(found.map(|late| (at, late.as_secs() / 3600)));
            }
            Ok(late)
        })
        .await
        .unwrap();
    assert_eq!(late, [(27, 27), (53, 53), (102, 52)]);
}

fn hour(number: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + number * 3600).unwrap()
}

#[tokio::test]
async fn a_damaged_row_is_noticed() {
    let place = Place::new();
    let store = place.open().await;
    store.call(fill).await.unwrap();
    store.close().await;
    place.raw().execute("UPDATE file SET rows = 8 WHERE state = 'done'", []).unwrap();
    let store = place.open().await;
    let error = store.call(|work| work.files(FLOW)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}
