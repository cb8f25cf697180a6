//! Dead letters: replaced by newer ones and newer decisions, retried, reread.

use super::{Action, Place, contact, decision, payload, record};
use crate::model::{Flow, RowVersion};
use crate::store::{Mirror, MirrorState, NewDeadLetter, Payload, Store};

fn letter(number: u8, write: Option<(Action, Payload)>, uncertain: bool) -> NewDeadLetter {
    NewDeadLetter {
        flow: Flow::Ingress,
        table: contact(),
        record: record(number),
        write,
        version: Some(RowVersion(5)),
        seen: 2,
        reason: "the value of `email` is refused".to_owned(),
        status: Some(500),
        request_id: Some("req-1".to_owned()),
        attempts: 3,
        uncertain,
    }
}

fn write(store: &Store) -> (Action, Payload) {
    (Action::Write, payload(store, "Ann"))
}

#[tokio::test]
async fn a_letter_tells_what_was_wrong_but_no_value() {
    let place = Place::new();
    let store = place.open().await;
    let new = letter(1, Some(write(&store)), false);
    let shown = store
        .call(move |work| {
            work.add_dead_letter(&new)?;
            work.dead_letters()
        })
        .await
        .unwrap();
    let [shown] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(shown.fields, ["firstName"]);
    assert_eq!((shown.status, shown.attempts), (Some(500), 3));
    assert_eq!(shown.request_id.as_deref(), Some("req-1"));
    assert!(!format!("{shown:?}").contains("Ann"));
    store.close().await;
}

#[tokio::test]
async fn a_later_letter_of_a_record_replaces_the_earlier_one() {
    let place = Place::new();
    let store = place.open().await;
    let new = letter(1, Some(write(&store)), false);
    let ids = store
        .call(move |work| {
            work.add_dead_letter(&new)?;
            work.add_dead_letter(&new)?;
            Ok(work.dead_letters()?.iter().map(|letter| letter.id).collect::<Vec<_>>())
        })
        .await
        .unwrap();
    assert_eq!(ids, [2], "a number is never given twice");
    store.close().await;
}

#[tokio::test]
async fn a_newer_decision_takes_the_letter_away_and_inherits_its_doubt() {
    let place = Place::new();
    let store = place.open().await;
    let new = [letter(1, Some(write(&store)), true), letter(2, Some(write(&store)), false)];
    store
        .call(move |work| {
            for new in &new {
                work.add_dead_letter(new)?;
            }
            let mut supersede =
                |n| work.supersede_dead_letter(Flow::Ingress, &contact(), record(n));
            assert!(supersede(1)?, "its last attempt had no answer");
            assert!(!supersede(2)?);
            assert!(!supersede(3)?, "there was none");
            assert_eq!(work.dead_letter_count(Flow::Ingress, None)?, 0);
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_retried_letter_goes_back_to_the_outbox_with_its_doubt() {
    for (action, uncertain) in
        [(Action::Write, true), (Action::Write, false), (Action::Delete, false)]
    {
        let place = Place::new();
        let store = place.open().await;
        let new = letter(1, Some((action, payload(&store, "Ann"))), uncertain);
        let leased = store
            .call(move |work| {
                work.add_dead_letter(&new)?;
                assert_eq!(work.dead_letter_count(Flow::Ingress, Some(&contact()))?, 1);
                assert!(work.retry_dead_letter(1)?);
                assert!(!work.retry_dead_letter(1)?, "it is gone");
                work.lease(Flow::Ingress, 9, true)
            })
            .await
            .unwrap();
        // A deletion that a person sends off again has been seen by one.
        let [leased] = &leased[..] else { panic!("{action:?}: {leased:?}") };
        assert_eq!((leased.action, leased.uncertain), (action, uncertain));
        assert_eq!((leased.attempts, leased.seen, leased.version), (0, 2, Some(RowVersion(5))));
        store.close().await;
    }
}

#[tokio::test]
async fn a_retried_letter_does_not_replace_a_newer_decision() {
    let place = Place::new();
    let store = place.open().await;
    let old = letter(1, Some(write(&store)), false);
    let newer = decision(&store, 1, Action::Write, "Bea");
    let leased = store
        .call(move |work| {
            newer.put(work)?;
            work.add_dead_letter(&old)?;
            assert!(work.retry_dead_letter(1)?);
            work.lease(Flow::Ingress, 9, true)
        })
        .await
        .unwrap();
    assert_eq!(leased.len(), 1);
    assert_eq!(leased[0].payload.fields[0].json.get(), "\"Bea\"");
    store.close().await;
}

#[tokio::test]
async fn a_letter_of_the_mapping_asks_for_the_record_to_be_read_again() {
    let place = Place::new();
    let store = place.open().await;
    let new = letter(1, None, false);
    store
        .call(move |work| {
            work.add_dead_letter(&new)?;
            let shown = work.dead_letter(1)?.unwrap();
            assert_eq!((shown.action.as_str(), shown.fields.len()), ("map", 0));
            assert!(work.retry_dead_letter(1)?);
            assert_eq!(work.backlog(Flow::Ingress, None)?, 0);
            assert_eq!(work.rereads(&contact(), true, 9)?, [record(1)]);
            work.reread_done(&contact(), &[record(1)])?;
            assert!(work.rereads(&contact(), true, 9)?.is_empty());
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_discarded_letter_is_gone_for_good() {
    let place = Place::new();
    let store = place.open().await;
    let new = letter(1, Some(write(&store)), false);
    store
        .call(move |work| {
            work.add_dead_letter(&new)?;
            assert!(work.discard_dead_letter(1)?);
            assert!(!work.discard_dead_letter(1)?);
            assert!(work.dead_letter(1)?.is_none());
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_a_read_did_not_see_is_found_wherever_it_stands() {
    let place = Place::new();
    let store = place.open().await;
    let mirror = |state, seen| Mirror {
        key: None,
        state,
        fields: super::fields(&store, "Ann"),
        version: None,
        seen,
    };
    let rows = [
        (1, mirror(MirrorState::Present, 4)),
        (2, mirror(MirrorState::Present, 5)),
        (3, mirror(MirrorState::Gone, 4)),
        (4, mirror(MirrorState::Present, 4)),
    ];
    let mut waiting = decision(&store, 5, Action::Write, "new");
    waiting.seen = 4;
    let deletion = decision(&store, 4, Action::Delete, "");
    let dead = letter(6, Some(write(&store)), false);
    let unseen = store
        .call(move |work| {
            for (number, mirror) in &rows {
                work.set_mirror(&contact(), record(*number), mirror)?;
            }
            waiting.put(work)?;
            deletion.put(work)?;
            work.add_dead_letter(&dead)?;
            assert_eq!(work.mapped_records(&contact())?, 3);
            let all = work.unseen(&contact(), 5, None, 9)?;
            assert_eq!(work.unseen(&contact(), 5, Some(record(1)), 1)?, [record(5)]);
            let alive = work.seen_alive(&contact(), 5, &[record(1), record(2), record(5)])?;
            assert_eq!(alive, [record(2)]);
            work.mark_seen(&contact(), record(1), 5)?;
            assert_eq!(work.unseen(&contact(), 5, None, 1)?, [record(5)]);
            Ok(all)
        })
        .await
        .unwrap();
    assert_eq!(unseen, [1, 5, 6].map(record));
    store.close().await;
}
