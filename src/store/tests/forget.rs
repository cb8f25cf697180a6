//! Forgetting: no byte of the record is left, and nothing of others is lost.

use super::{Action, Place, contact, decision, frozen, record};
use crate::model::{EmailEvent, EventKind, FieldName, Flow, RecordId};
use crate::store::{
    EventSource, Forgotten, LinkRow, NewEvent, NewEventLetter, PayloadLink, Store, StoreError, Work,
};

/// The forms in which a file may hold an id.
fn forms(id: RecordId) -> [Vec<u8>; 4] {
    let text = id.to_string();
    let bare = text.replace('-', "");
    [id.as_bytes().to_vec(), text.to_uppercase().into_bytes(), text.into_bytes(), bare.into_bytes()]
}

/// The files beside the store in which the id stands.
fn found(place: &Place, id: RecordId) -> Vec<String> {
    let directory = place.path().parent().unwrap().to_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let stands = |form: &Vec<u8>| bytes.windows(form.len()).any(|window| window == form);
        if forms(id).iter().any(stands) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

fn event(id: &str, contact: String) -> NewEvent {
    let event = EmailEvent {
        kind: EventKind::Open,
        id: id.to_owned(),
        contact,
        time: "2026-03-01T12:00:00Z".parse().unwrap(),
        campaign: None,
        delivery: None,
        url: None,
        mirror_page: None,
    };
    NewEvent { activity: event.activity(""), event }
}

/// The record wherever rows about others may name it.
fn name_it(work: &mut Work<'_>, id: RecordId) -> Result<(), StoreError> {
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    let told = [
        event("of it", format!("uuid:{}", id.to_string().to_uppercase())),
        event("by its key", "crm-1".to_owned()),
        event("of another", record(77).to_string()),
    ];
    work.take_events(&told, now)?;
    for (letter, content) in [
        (101, format!(r#"{{"who":{{"key":"{id}"}},"type":"odd"}}"#)),
        (102, r#"["crm-1","odd"]"#.to_owned()),
        (103, r#"["crm-10","odd"]"#.to_owned()),
    ] {
        let letter = record(letter);
        let reason = "no rule".to_owned();
        let source = EventSource::DeliveryLog;
        work.add_event_letter(&NewEventLetter { letter, source, content, reason })?;
    }
    let flag = FieldName::new("blackListEmail").unwrap();
    work.merge_flag(id, record(66), &flag, true)?;
    let mut merged = super::consent::lifting();
    merged.contact = record(66);
    merged.told_by = format!("merge of {id}");
    work.add_decision(&merged)?;
    Ok(())
}

/// A write about a vehicle that carries a link to the record.
async fn child(store: &Store, id: RecordId) {
    let mut write = decision(store, 88, Action::Write, "Zed");
    write.payload.links.push(PayloadLink {
        field: "owner".to_owned(),
        table: contact(),
        record: id,
        by_key: false,
    });
    let link =
        LinkRow { name: "owner".to_owned(), parent_table: contact(), parent: id, missed: false };
    store
        .call(move |work| {
            write.put(work)?;
            work.set_links(&contact(), record(88), &[link], false)?;
            work.count_waits(&contact(), record(88))
        })
        .await
        .unwrap();
}

async fn forget(store: &Store, id: RecordId) -> Forgotten {
    let gone = store.call(move |work| work.forget(id)).await.unwrap();
    store.scrub().await.unwrap();
    gone
}

#[tokio::test]
async fn no_byte_of_a_forgotten_record_is_left_whatever_table_it_stood_in() {
    let place = Place::new();
    let store = place.open().await;
    frozen::fill(&store).await;
    for number in 1..=9 {
        let id = record(number);
        store.call(move |work| name_it(work, id)).await.unwrap();
        child(&store, id).await;
        assert!(!found(&place, id).is_empty(), "{id} is nowhere before");
        let gone = forget(&store, id).await;
        assert!(gone.erased > 0 && gone.cleaned > 0, "{id}: {gone:?}");
        assert_eq!(gone.left, Vec::<String>::new(), "{id}");
        assert_eq!(found(&place, id), Vec::<String>::new(), "{id}");
    }
    store.close().await;
    for number in 1..=9 {
        assert_eq!(found(&place, record(number)), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_others_wait_for_stays_without_the_forgotten_record() {
    let place = Place::new();
    let store = place.open().await;
    let id = record(50);
    child(&store, id).await;
    store.call(move |work| name_it(work, id)).await.unwrap();
    let other = decision(&store, 51, Action::Write, "Other");
    store.call(move |work| other.put(work).map(drop)).await.unwrap();
    forget(&store, id).await;
    store
        .call(move |work| {
            let leased = work.lease(Flow::Ingress, 9, true)?;
            let mut told: Vec<_> =
                leased.iter().map(|it| (it.record, it.payload.fields.len())).collect();
            told.sort();
            assert_eq!(told, [(record(51), 1), (record(88), 1)], "nothing waits for it any more");
            assert!(leased.iter().all(|it| it.payload.links.is_empty()));
            assert_eq!(work.rereads(&contact(), false, 9)?, [record(88)], "its link is read again");
            assert_eq!(work.event_backlog()?.ready, 2, "by another key, and of another");
            let again = event("of it", record(50).to_string());
            let now = "2026-03-01T13:00:00Z".parse().unwrap();
            let told = work.take_events(&[again], now)?;
            assert_eq!((told.taken, told.known), (0, 1), "a second source brings it back");
            let reasons = work.decisions_of(record(66), None, 9)?;
            assert_eq!(reasons[0].what.told_by, "merge of a forgotten record");
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_forgotten_record_that_comes_again_is_looked_up_before_it_is_made() {
    let place = Place::new();
    let store = place.open().await;
    let write = decision(&store, 1, Action::Write, "Ann");
    let again = write.clone();
    store.call(move |work| write.put(work).map(drop)).await.unwrap();
    forget(&store, record(1)).await;
    let leased = store
        .call(move |work| {
            again.put(work)?;
            work.lease(Flow::Ingress, 9, true)
        })
        .await
        .unwrap();
    assert!(leased[0].uncertain);
    assert_eq!(forget(&store, record(99)).await, Forgotten::default(), "nothing is known of it");
}

#[tokio::test]
async fn what_was_delivered_before_leaves_no_byte_in_free_pages_either() {
    const MARK: &str = "Qzxfreepageq";
    let place = Place::new();
    let store = place.open().await;
    // Longer than a page: its pages are free once it is gone, and not wiped.
    let write = decision(&store, 1, Action::Write, &MARK.repeat(4000));
    store
        .call(move |work| {
            write.put(work)?;
            let leased = work.lease(Flow::Ingress, 1, true)?;
            work.finish(&leased[0]).map(drop)
        })
        .await
        .unwrap();
    let everywhere = || {
        let directory = place.path().parent().unwrap().to_owned();
        let files = std::fs::read_dir(directory).unwrap();
        let stands = |path: std::path::PathBuf| {
            let bytes = std::fs::read(path).unwrap();
            bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes())
        };
        files.filter(|entry| stands(entry.as_ref().unwrap().path())).count()
    };
    // The log goes into the file, so that both had it.
    store.close().await;
    assert_eq!(everywhere(), 1);
    let store = place.open().await;
    forget(&store, record(1)).await;
    assert_eq!(everywhere(), 0);
    store.close().await;
    assert_eq!(everywhere(), 0);
}

/// The watchdog of a daemon is fed meanwhile (`daemon::pulse`).
#[tokio::test]
async fn a_store_that_is_written_anew_or_copied_shows_that_it_comes_further() {
    let place = Place::new();
    let store = place.open().await;
    store
        .call(|work| {
            for number in 0..20_000_u128 {
                let id = RecordId::from(uuid::Uuid::from_u128(number));
                work.request_reread(&contact(), id)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let before = store.steps();
    store.scrub().await.unwrap();
    let scrubbed = store.steps();
    assert!(scrubbed > before, "{before} steps before, {scrubbed} after");
    drop(store.copy().await.unwrap());
    store.close().await;
}
