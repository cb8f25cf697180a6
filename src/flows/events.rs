//! What becomes of events that a source told of: taken up, left out, or given
//! up. Pure but for the one transaction that takes them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::mapping::events::{Recognised, Recognition};
use crate::mapping::logs::LogRow;
use crate::model::{EmailEvent, Flow, RecordId, TableName, Tally, TallyDelta, letter_id};
use crate::store::{EventSource, NewEvent, NewEventLetter, Store, StoreError, Work};
use crate::telemetry::RecordDeadLettered;

/// Events that may wait before reading pauses: a limit on what lies on disk
/// while Dynamics is slower than the source.
const MAX_READY: u64 = 20_000;

/// How often a reader that waits for room looks again by itself: two of them
/// share the notices of delivery.
const LOOK: Duration = Duration::from_secs(1);

/// How much later than others of its time an event may be told.
const LATE: SignedDuration = SignedDuration::from_hours(24);

/// Dead letters of a source that a pass looks at again.
pub(super) const MAX_AGAIN: u32 = 10_000;

/// How the events of a source are recognised and named.
#[derive(Clone, Debug)]
pub(crate) struct EventRules {
    /// What means what.
    pub(crate) recognition: Arc<Recognition>,
    /// Part of each activity's id.
    pub(crate) name_space: String,
}

/// Events of one page, decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decided {
    told: u64,
    filtered: u64,
    events: Vec<NewEvent>,
    letters: Vec<NewEventLetter>,
}

/// Decides on events as a source told them.
pub(crate) fn decide(rules: &EventRules, source: EventSource, told: &[Value]) -> Decided {
    let mut decided = Decided { told: told.len() as u64, ..Decided::default() };
    for event in told {
        match rules.recognition.recognise(event) {
            Recognised::Event(event) => decided.events.push(rules.named(event)),
            Recognised::Filtered(_) => decided.filtered += 1,
            Recognised::Unrecognised(reason) => {
                let content = event.to_string();
                let named = rules.recognition.told_name(event);
                let identity = named.unwrap_or_else(|| digest_of(event));
                let letter = letter_id(&rules.name_space, source.as_str(), &identity);
                decided.letters.push(NewEventLetter { letter, source, content, reason });
            }
        }
    }
    decided
}

/// Of the content, without the members that differ with whom it is told to.
fn digest_of(event: &Value) -> String {
    let mut event = event.clone();
    if let Value::Object(members) = &mut event {
        members.retain(|name, _| !name.starts_with("recipient"));
    }
    blake3::hash(event.to_string().as_bytes()).to_hex().to_string()
}

impl EventRules {
    /// The event with the id of its activity.
    pub(crate) fn named(&self, event: EmailEvent) -> NewEvent {
        NewEvent { activity: event.activity(&self.name_space), event }
    }

    /// Whether the source names events by an id that other sources may have
    /// too, so that what both tell is one activity.
    pub(crate) fn ids_shared(&self) -> bool {
        self.recognition.pointers.id.is_some()
    }

    /// From when to when a source may have lost events whose position expired:
    /// `told` is the latest event that it told of before, `latest` that of the
    /// first page after it. Nothing is told in order, so neither is a bound:
    /// a late event on that page says nothing of the end, and before `told`
    /// something may not have been told either. Reading too much again is
    /// harmless only where ids are shared.
    pub(super) fn lost(
        &self,
        told: Option<Timestamp>,
        latest: Option<Timestamp>,
        now: Timestamp,
    ) -> (Option<Timestamp>, Timestamp) {
        let to = latest.filter(|latest| Some(*latest) > told).unwrap_or(now).min(now);
        let margin = if self.ids_shared() { LATE } else { SignedDuration::ZERO };
        (told.map(|told| told.saturating_sub(margin).unwrap_or(told)), to)
    }
}

impl Decided {
    /// Adds one row of a log; `content` is what it says.
    pub(super) fn add_row(
        &mut self,
        rules: &EventRules,
        source: EventSource,
        row: LogRow,
        content: impl FnOnce() -> String,
    ) {
        self.told += 1;
        match row {
            LogRow::Event(event) => self.events.push(rules.named(event)),
            LogRow::Filtered => self.filtered += 1,
            LogRow::Bad(reason) => {
                let content = content();
                let identity = blake3::hash(content.as_bytes()).to_hex();
                let letter = letter_id(&rules.name_space, source.as_str(), &identity);
                self.letters.push(NewEventLetter { letter, source, content, reason });
            }
        }
    }

    /// When the latest of the events happened.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.events.iter().map(|new| new.event.time).max()
    }

    /// The dead letter keeps its id, however it was made.
    pub(crate) fn keep_letter(&mut self, letter: RecordId, content: &str) {
        for new in &mut self.letters {
            new.letter = letter;
            content.clone_into(&mut new.content);
        }
    }

    /// Takes them, in the caller's transaction: what it counts, and the dead
    /// letters that are new, each with its reason.
    pub(crate) fn take(
        &self,
        work: &mut Work<'_>,
        now: Timestamp,
    ) -> Result<(TallyDelta, Vec<(RecordId, String)>), StoreError> {
        let taken = work.take_events(&self.events, now)?;
        let mut new_letters = Vec::new();
        for letter in &self.letters {
            if work.add_event_letter(letter)? {
                new_letters.push((letter.letter, letter.reason.clone()));
            }
        }
        let dead_lettered = new_letters.len() as u64;
        let delta = TallyDelta {
            read: self.told,
            unchanged: taken.known + self.letters.len() as u64 - dead_lettered,
            filtered: self.filtered,
            dead_lettered,
            ..TallyDelta::default()
        };
        Ok((delta, new_letters))
    }
}

/// Tells of dead letters, each with its reason.
pub(super) fn tell_letters(source: EventSource, letters: Vec<(RecordId, String)>) {
    for (id, reason) in letters {
        let Ok(table) = TableName::new(source.as_str()) else { continue };
        let (status, request_id) = (None, None);
        RecordDeadLettered {
            flow: Flow::Egress,
            table,
            id,
            reason,
            status,
            request_id,
            attempts: 0,
        }
        .emit();
    }
}

/// Makes dead letters again of what a person wants looked at again, but is in
/// the words of a source that nothing reads by now.
pub(crate) async fn return_unread(
    store: &Store,
    tally: &Tally,
    read: &[EventSource],
    now: Timestamp,
) -> Result<(), StoreError> {
    let unread = |source: &EventSource| *source != EventSource::Event && !read.contains(source);
    for source in EventSource::ALL.into_iter().filter(unread) {
        let tally = tally.clone();
        let letters = store
            .call(move |work| {
                let again = work.events_again(source, MAX_AGAIN)?;
                let mut decided = Decided { told: again.len() as u64, ..Decided::default() };
                for told in again {
                    let (letter, content) = (told.letter, told.content);
                    work.end_event_again(letter)?;
                    let reason = format!(
                        "nothing reads what is in the words of `{}` now: configure that source in \
                         [egress] before it is tried again, or discard it",
                        source.as_str()
                    );
                    decided.letters.push(NewEventLetter { letter, source, content, reason });
                }
                let (delta, letters) = decided.take(work, now)?;
                tally.add(delta);
                Ok(letters)
            })
            .await?;
        tell_letters(source, letters);
    }
    Ok(())
}

/// Waits while too much is waiting to be delivered; not in a dry run, which has
/// no delivery. However long that takes: what is not read by the end of a pass
/// must not look as if it were, and patience and stop end this wait too.
pub(super) async fn has_room(
    store: &Store,
    clock: &Clock,
    rules: &EventRules,
    settled: Option<&Notify>,
    work_ready: &Notify,
) -> Result<(), StoreError> {
    let Some(settled) = settled else { return Ok(()) };
    loop {
        let waiting = settled.notified();
        // Nobody delivers kinds that are switched off.
        let kinds = rules.recognition.events.clone();
        let ready = store
            .call(move |work| {
                kinds.into_iter().try_fold(0, |sum, kind| {
                    Ok::<_, StoreError>(sum + work.event_backlog_of(kind)?.ready)
                })
            })
            .await?;
        if ready < MAX_READY {
            return Ok(());
        }
        work_ready.notify_one();
        tokio::select! {
            biased;
            () = waiting => {}
            () = clock.sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::EventKind;

    fn rules() -> EventRules {
        let recognition =
            Recognition { events: [EventKind::Open].into(), ..Recognition::default() };
        EventRules { recognition: Arc::new(recognition), name_space: String::new() }
    }

    fn open(id: &str) -> Value {
        json!({ "id": id, "type": "open", "timestamp": "2026-03-01T12:00:00Z",
            "https://ns.adobe.com/experience/campaign/message": { "xdm:externalID": "c" } })
    }

    #[test]
    fn each_event_is_taken_left_out_or_given_up() {
        let told = [open("1"), json!({ "type": "sent" }), json!({ "type": "?" }), open("2")];
        let decided = decide(&rules(), EventSource::Journal, &told);
        assert_eq!((decided.told, decided.filtered), (4, 1));
        let ids: Vec<&str> = decided.events.iter().map(|new| &*new.event.id).collect();
        assert_eq!(ids, ["1", "2"]);
        let [letter] = decided.letters.as_slice() else { panic!("one letter") };
        assert_eq!(letter.content, told[2].to_string());
    }

    #[tokio::test(start_paused = true)]
    async fn reading_waits_for_room_however_long_delivery_settles_nothing() {
        let clock = Clock::seeded(1);
        let path = std::path::Path::new("/nowhere/store.db");
        let store = Store::open(path, crate::store::Mode::Rehearsal, &clock).await.unwrap();
        let told: Vec<Value> = (0..MAX_READY).map(|id| open(&id.to_string())).collect();
        let decided = decide(&rules(), EventSource::Journal, &told);
        store.call(move |work| decided.take(work, Timestamp::UNIX_EPOCH)).await.unwrap();
        let (settled, work_ready) = (Notify::new(), Notify::new());
        let (rules, same) = (rules(), store.clone());
        let reading = has_room(&same, &clock, &rules, Some(&settled), &work_ready);
        tokio::pin!(reading);
        for looked in 0..100 {
            tokio::select! {
                ended = &mut reading => panic!("after {looked} looks: {ended:?}"),
                () = work_ready.notified() => {}
            }
        }
        let one = |work: &mut Work<'_>| {
            let leased = work.lease_events(EventKind::Open, 1, Timestamp::MAX)?;
            leased.iter().try_for_each(|leased| work.event_done(leased, Timestamp::UNIX_EPOCH))
        };
        store.call(one).await.unwrap();
        settled.notify_one();
        reading.await.unwrap();
        // What is switched off is in nobody's way.
        let none = EventRules { recognition: Arc::default(), name_space: String::new() };
        has_room(&store, &clock, &none, Some(&settled), &work_ready).await.unwrap();
    }

    #[test]
    fn what_is_lost_is_not_bounded_by_events_that_are_told_late() {
        let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let mut recognition = Recognition::default();
        recognition.pointers.id = crate::mapping::events::Pointer::new("/id");
        let shared = EventRules { recognition: Arc::new(recognition), ..rules() };
        let (told, now) = (Some(at(100)), at(900));
        let cases = [
            (Some(at(500)), at(500)),
            // All of the page is late: the end is not known.
            (Some(at(90)), now),
            (Some(at(100)), now),
            (None, now),
            // A clock that is ahead.
            (Some(at(901)), now),
        ];
        for (latest, to) in cases {
            assert_eq!(shared.lost(told, latest, now), (Some(at(76)), to), "{latest:?}");
            assert_eq!(rules().lost(told, latest, now), (told, to), "{latest:?}");
        }
        assert_eq!(shared.lost(None, Some(at(5)), now), (None, at(5)));
    }

    #[test]
    fn what_is_not_recognised_is_one_letter_however_often_it_is_told() {
        let letter =
            |event: Value| decide(&rules(), EventSource::Journal, &[event]).letters[0].letter;
        assert_eq!(letter(json!({ "a": 1 })), letter(json!({ "a": 1 })));
        assert_ne!(letter(json!({ "a": 1 })), letter(json!({ "a": 2 })));
        let to = |client: &str| letter(json!({ "eventid": "e", "recipient_client_id": client }));
        assert_eq!(to("1"), to("2"), "told to another client");
    }

    #[test]
    fn events_of_one_id_that_are_not_recognised_are_a_letter_each() {
        let pointer = |text: &str| crate::mapping::events::Pointer::new(text);
        let with = |kind: Option<&str>, event: &Value| {
            let mut recognition = Recognition::default();
            recognition.pointers.id = pointer("/log");
            recognition.pointers.kind = kind.and_then(pointer);
            recognition.kinds = [("x".to_owned(), crate::mapping::events::KindWord::Ignore)].into();
            let rules =
                EventRules { recognition: Arc::new(recognition), name_space: String::new() };
            decide(&rules, EventSource::Journal, std::slice::from_ref(event)).letters[0].letter
        };
        let told = |kind: &str, extra: u32| json!({ "log": 7, "what": kind, "told": extra });
        for kind in [Some("/what"), Some("/nowhere"), None] {
            assert_ne!(with(kind, &told("send", 1)), with(kind, &told("bounce", 1)), "{kind:?}");
        }
        let named = |extra| with(Some("/what"), &told("send", extra));
        assert_eq!(named(1), named(2), "its id and its kind say which it is");
        let xdm = |kind: &str| json!({ "log": 7, "type": "t", "data": { "directMarketing": { kind: { "value": 1 } } } });
        assert_ne!(with(None, &xdm("opens")), with(None, &xdm("clicks")));
    }
}
