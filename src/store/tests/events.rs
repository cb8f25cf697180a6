//! Events: taken once however often told, leased, waiting, given up and revived.

use jiff::{SignedDuration, Timestamp};

use super::{Place, contact, record};
use crate::model::{EmailEvent, EventKind, Flow, TableName};
use crate::store::event::{EventBacklog, TakenEvents};
use crate::store::{
    EventEnd, EventSource, EventStage, LeasedEvent, Mirror, MirrorState, NewEvent, NewEventLetter,
    StoreError, Work,
};

const HOUR_US: i64 = 3_600_000_000;

pub(super) fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn later(milliseconds: i64) -> Timestamp {
    now() + SignedDuration::from_millis(milliseconds)
}

fn event(kind: EventKind, id: &str) -> NewEvent {
    let event = EmailEvent {
        kind,
        id: id.into(),
        contact: record(1).to_string(),
        time: now(),
        campaign: Some("CMP1".into()),
        delivery: None,
        url: None,
        mirror_page: None,
    };
    NewEvent { activity: event.activity(""), event }
}

fn table() -> TableName {
    TableName::new("new_campaignemailsend").unwrap()
}

fn end() -> EventEnd {
    EventEnd {
        reason: "Dynamics does not have the contact".into(),
        status: Some(404),
        request_id: Some("req-1".into()),
        attempts: 1,
    }
}

fn unrecognised(number: u8) -> NewEventLetter {
    NewEventLetter {
        letter: record(number),
        source: EventSource::Journal,
        content: "{\"type\":\"unheard-of\"}".into(),
        reason: "no rule recognises the event".into(),
    }
}

/// Something for each of the tables.
pub(super) fn fill(work: &mut Work<'_>) -> Result<(), StoreError> {
    work.take_events(&[event(EventKind::Send, "1"), event(EventKind::Click, "2")], now())?;
    let made = lease(work, EventKind::Click)?;
    work.event_done(&made, now())?;
    work.add_event_letter(&unrecognised(9))?;
    Ok(())
}

fn lease(work: &mut Work<'_>, kind: EventKind) -> Result<LeasedEvent, StoreError> {
    let mut leased = work.lease_events(kind, 1, now())?;
    Ok(leased.pop().unwrap())
}

fn told_again(work: &mut Work<'_>, new: &NewEvent) -> Result<bool, StoreError> {
    let told = work.take_events(std::slice::from_ref(new), later(9))?;
    assert_eq!(told.taken + told.known, 1);
    Ok(told.known == 1)
}

async fn with<T: Send + 'static>(
    work: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    let place = Place::new();
    let store = place.open().await;
    let value = store.call(work).await.unwrap();
    store.close().await;
    value
}

#[tokio::test]
async fn an_event_is_taken_once_wherever_it_stands_by_then() {
    with(|work| {
        let new = event(EventKind::Send, "1");
        let both = [new.clone(), new.clone(), event(EventKind::Bounce, "1")];
        assert_eq!(work.take_events(&both, now())?, TakenEvents { taken: 2, known: 1 });
        let leased = lease(work, EventKind::Send)?;
        assert!(told_again(work, &new)?, "on its way");
        work.event_waits(&leased)?;
        assert!(told_again(work, &new)?, "waiting for its contact");
        work.give_up_event(&leased, &table(), &end())?;
        assert!(told_again(work, &new)?, "among the dead letters");
        let letter = work.dead_letters()?.remove(0);
        assert!(work.retry_dead_letter(letter.id)?);
        assert!(told_again(work, &new)?, "put back to work");
        let leased = lease(work, EventKind::Send)?;
        work.event_done(&leased, now())?;
        assert!(told_again(work, &new)?, "made");
        work.prune_known_events(later(36 * 24 * 3_600_000))?;
        assert!(!told_again(work, &new)?, "no source tells of it so late");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn events_are_leased_by_kind_oldest_first_and_never_twice() {
    with(|work| {
        let all = ["1", "2", "3"].map(|id| event(EventKind::Send, id));
        work.take_events(&all, now())?;
        work.take_events(&[event(EventKind::Open, "4")], now())?;
        let first = work.lease_events(EventKind::Send, 2, now())?;
        assert_eq!(first.iter().map(|it| &*it.event.id).collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(first[0].event, all[0].event);
        let rest = work.lease_events(EventKind::Send, 9, now())?;
        assert_eq!(rest.iter().map(|it| &*it.event.id).collect::<Vec<_>>(), ["3"]);
        work.note_event_attempt(&first[1], 3)?;
        work.unlease_event(first[1].id)?;
        let again = lease(work, EventKind::Send)?;
        assert_eq!((again.id, again.attempts), (first[1].id, 3));
        assert_eq!(work.lease_events(EventKind::Open, 9, now())?.len(), 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_an_ended_process_worked_on_may_go_again_as_far_as_it_came() {
    let place = Place::new();
    let store = place.open().await;
    let worked = |work: &mut Work<'_>| {
        work.take_events(&[event(EventKind::Open, "1"), event(EventKind::Open, "2")], now())?;
        let leased = work.lease_events(EventKind::Open, 9, now())?;
        work.event_made(&leased[0])
    };
    store.call(worked).await.unwrap();
    store.close().await;
    let store = place.open().await;
    let found = store
        .call(|work| {
            assert_eq!(work.recover_leases()?, 2);
            work.lease_events(EventKind::Open, 9, now())
        })
        .await
        .unwrap();
    let stages: Vec<EventStage> = found.iter().map(|it| it.stage).collect();
    assert_eq!(stages, [EventStage::Made, EventStage::New]);
    store.close().await;
}

#[tokio::test]
async fn an_event_without_contact_is_tried_again_after_a_tenth_more_of_its_wait() {
    with(|work| {
        work.take_events(&[event(EventKind::Send, "1")], now())?;
        // (tried at, woken at, is woken), in milliseconds since it was taken.
        for (tried, at, wakes) in
            [(0, 0, true), (100, 109, false), (100, 110, true), (3_000_000, 3_600_000, true)]
        {
            let leased = work.lease_events(EventKind::Send, 1, later(tried))?.remove(0);
            work.event_waits(&leased)?;
            let woken = work.wake_events(later(at), HOUR_US)?;
            assert_eq!(woken, u64::from(wakes), "{tried} {at}");
            work.wake_events(later(9_000_000), HOUR_US)?;
        }
        let leased = work.lease_events(EventKind::Send, 1, later(3_599_999))?.remove(0);
        work.event_waits(&leased)?;
        assert_eq!(work.wake_events(later(3_599_999), HOUR_US)?, 0);
        assert_eq!(work.wake_events(later(3_600_000), HOUR_US)?, 1, "the last try");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_backlog_tells_who_waits_for_a_contact() {
    with(|work| {
        work.take_events(&[event(EventKind::Send, "1"), event(EventKind::Send, "2")], now())?;
        work.take_events(&[event(EventKind::Open, "3")], later(5))?;
        let leased = lease(work, EventKind::Send)?;
        work.event_waits(&leased)?;
        let backlog =
            |ready, waiting, oldest| EventBacklog { ready, waiting, oldest: Some(oldest) };
        assert_eq!(work.event_backlog()?, backlog(2, 1, now()));
        assert_eq!(work.event_backlog_of(EventKind::Open)?, backlog(1, 0, later(5)));
        assert_eq!(work.event_backlog_of(EventKind::Click)?, EventBacklog::default());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_contact_is_found_by_its_key_in_campaign_or_by_its_id() {
    with(|work| {
        let mirror = Mirror {
            key: Some("crm-7".into()),
            state: MirrorState::Present,
            fields: [].into(),
            version: None,
            seen: 1,
        };
        work.set_mirror(&contact(), record(7), &mirror)?;
        let found = |text: &str| work.contact_of_key(&contact(), text);
        assert_eq!(found("crm-7")?, Some(record(7)));
        let id = record(8).to_string();
        for text in [&id, &format!("{{{id}}}"), &format!("UUID:{id}"), &id.to_uppercase()] {
            assert_eq!(found(text)?, Some(record(8)), "{text}");
        }
        for text in ["crm-8", "", "uuid:", "ann@example.org"] {
            assert_eq!(found(text)?, None, "{text}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_given_up_keeps_its_reason_and_comes_back_whole() {
    with(|work| {
        let new = event(EventKind::Send, "1");
        work.take_events(std::slice::from_ref(&new), now())?;
        let leased = lease(work, EventKind::Send)?;
        work.give_up_event(&leased, &table(), &end())?;
        assert_eq!(work.event_backlog()?, EventBacklog::default());
        let letter = work.dead_letters()?.remove(0);
        assert_eq!((letter.flow, &letter.table), (Flow::Egress, &table()));
        assert_eq!((letter.record, letter.status), (new.activity, Some(404)));
        assert_eq!((&*letter.action, letter.fields.len()), ("write", 0));
        assert!(work.retry_dead_letter(letter.id)?);
        assert_eq!(work.dead_letter_count(Flow::Egress, None)?, 0);
        let again = lease(work, EventKind::Send)?;
        assert_eq!((again.event, again.attempts), (new.event, 0));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_no_rule_recognised_is_one_letter_and_looked_at_again_when_asked() {
    with(|work| {
        assert!(work.add_event_letter(&unrecognised(3))?);
        assert!(!work.add_event_letter(&unrecognised(3))?, "told again");
        assert!(work.events_again(EventSource::Journal, 9)?.is_empty(), "nobody asked");
        let letter = work.dead_letters()?.remove(0);
        assert_eq!((letter.table.as_str(), &*letter.action), ("journal", "map"));
        assert!(!format!("{letter:?}").contains("unheard-of"));
        assert!(work.retry_dead_letter(letter.id)?);
        let asked = work.events_again(EventSource::Journal, 9)?;
        assert_eq!((asked.len(), asked[0].letter), (1, record(3)));
        assert_eq!(asked[0].content, unrecognised(3).content);
        assert!(work.events_again(EventSource::TrackingLog, 9)?.is_empty(), "of another source");
        assert!(!work.add_event_letter(&unrecognised(3))?, "it is on its way");
        work.end_event_again(record(3))?;
        assert!(work.add_event_letter(&unrecognised(3))?, "still not recognised");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_a_person_discarded_does_not_come_back_when_it_is_told_again() {
    with(|work| {
        let new = event(EventKind::Send, "1");
        work.take_events(std::slice::from_ref(&new), now())?;
        let leased = lease(work, EventKind::Send)?;
        work.give_up_event(&leased, &table(), &end())?;
        work.add_event_letter(&unrecognised(3))?;
        for letter in work.dead_letters()? {
            assert!(work.discard_dead_letter(letter.id)?);
        }
        assert!(told_again(work, &new)?);
        assert!(!work.add_event_letter(&unrecognised(3))?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_letter_whose_content_was_changed_is_not_put_back_to_work() {
    let place = Place::new();
    let store = place.open().await;
    store.call(|work| work.add_event_letter(&unrecognised(3))).await.unwrap();
    store.close().await;
    place.raw().execute("UPDATE event_letter SET content = '{}'", []).unwrap();
    let store = place.open().await;
    let found = store.call(|work| work.retry_dead_letter(1)).await;
    assert!(matches!(found, Err(StoreError::Corrupt(_))), "{found:?}");
    store.close().await;
}
