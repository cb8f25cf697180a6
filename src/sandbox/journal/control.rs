//! The handle by which tests and demos act on the journal look-alike.
//!
//! Owns: writing events, also twice and out of order, and letting them expire.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::store::Journal;
use crate::clock::Clock;
use crate::sandbox::random::Stream;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply};

/// Acts on the journal; cheap to clone.
#[derive(Clone, Debug)]
pub struct JournalControl {
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) variants: Arc<Mutex<Variants>>,
    pub(crate) clock: Clock,
    pub(crate) origin: String,
    pub(crate) seed: u64,
}

impl JournalControl {
    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address that the registration shows.
    pub fn url(&self) -> String {
        format!("{}/events/{}", self.origin, self.journal().place())
    }

    /// Writes events now, as they are; the variants may write some of them
    /// twice and in another order. Returns their positions in the order of the
    /// journal.
    pub fn add(&self, events: &[Value]) -> Vec<String> {
        self.add_at(events, self.clock.now())
    }

    /// Writes events as if it were another time; not earlier than what is in
    /// the journal already, which expires from the front.
    pub fn add_at(&self, events: &[Value], at: Timestamp) -> Vec<String> {
        let variants = *self.variants.lock().unwrap_or_else(PoisonError::into_inner);
        let order = order(events.len(), variants, self.seed);
        let mut journal = self.journal();
        let first = journal.end() + 1;
        for event in order.into_iter().filter_map(|place| events.get(place)) {
            journal.push(event, at.as_millisecond());
        }
        (first..=journal.end()).map(|number| journal.position(number)).collect()
    }

    /// Events that are kept.
    pub fn count(&self) -> usize {
        let journal = self.journal();
        usize::try_from(journal.end() - journal.expired()).unwrap_or(usize::MAX)
    }

    /// The latest events: position, when it was written, the event as JSON;
    /// the last one first.
    pub(crate) fn latest(&self, events: usize) -> Vec<(String, Timestamp, String)> {
        let journal = self.journal();
        let numbers = (journal.expired() + 1..=journal.end()).rev().take(events);
        let shown = numbers.filter_map(|number| {
            let entry = journal.get(number)?;
            let at = Timestamp::from_millisecond(entry.at).unwrap_or_default();
            Some((journal.position(number), at, entry.event.to_string()))
        });
        shown.collect()
    }

    /// Positions of the events that are kept, oldest first.
    pub fn positions(&self) -> Vec<String> {
        let journal = self.journal();
        (journal.expired() + 1..=journal.end()).map(|number| journal.position(number)).collect()
    }

    /// Lets the event of this position expire, and all before it. False where
    /// there is no such position.
    pub fn expire(&self, position: &str) -> bool {
        let mut journal = self.journal();
        let Some(number) = journal.number(position) else {
            return false;
        };
        journal.forget_up_to(number);
        true
    }

    /// Lets so many of the oldest events expire.
    pub fn expire_oldest(&self, events: usize) {
        let mut journal = self.journal();
        let number = journal.expired() + u64::try_from(events).unwrap_or(u64::MAX);
        journal.forget_up_to(number);
    }
}

/// Answers `POST /_sandbox/journal` with `{"events": […]}` (an `at` may say
/// when) and `POST /_sandbox/journal/expire` with `{"events": n}`.
pub(crate) fn answer(control: &JournalControl, call: &Call) -> Reply {
    let wrong = |text: &str| Reply::new(StatusCode::BAD_REQUEST, "text/plain", text.to_owned());
    let Ok(body) = serde_json::from_slice::<Value>(&call.body) else {
        return wrong("the body is no JSON");
    };
    let at = body.get("at").and_then(Value::as_str).map(str::parse).transpose();
    let (Some(events), Ok(at)) = (body.get("events"), at) else {
        return wrong("events are missing, or at is no point in time");
    };
    let shown = match (call.path.trim_end_matches('/'), events) {
        ("/_sandbox/journal", Value::Array(events)) => {
            let at = at.unwrap_or_else(|| control.clock.now());
            serde_json::json!({ "positions": control.add_at(events, at) })
        }
        ("/_sandbox/journal/expire", Value::Number(events)) => {
            let events = events.as_u64().and_then(|events| usize::try_from(events).ok());
            control.expire_oldest(events.unwrap_or(0));
            serde_json::json!({ "kept": control.count() })
        }
        _ => return Reply::empty(StatusCode::NOT_FOUND),
    };
    Reply::new(StatusCode::OK, "application/json", shown.to_string())
}

/// In which order so many events are written: every nth twice, and shuffled
/// within windows.
fn order(events: usize, variants: Variants, seed: u64) -> Vec<usize> {
    let every = variants.journal_repeats as usize;
    let mut order = Vec::with_capacity(events);
    for place in 0..events {
        order.push(place);
        if every > 0 && (place + 1).is_multiple_of(every) {
            order.push(place);
        }
    }
    let window = variants.journal_shuffle as usize;
    if window > 1 {
        let mut stream = Stream::new(seed);
        for block in order.chunks_mut(window) {
            for place in (1..block.len()).rev() {
                let limit = u64::try_from(place + 1).unwrap_or(1);
                block.swap(place, usize::try_from(stream.below(limit)).unwrap_or(0));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_windows_change_the_order_and_lose_nothing() {
        let plain = Variants::default();
        assert_eq!(order(3, plain, 1), [0, 1, 2]);
        assert_eq!(order(4, Variants { journal_repeats: 2, ..plain }, 1), [0, 1, 1, 2, 3, 3]);
        let shuffled = order(100, Variants { journal_shuffle: 10, ..plain }, 1);
        assert_ne!(shuffled, order(100, plain, 1));
        for (block, window) in shuffled.chunks(10).enumerate() {
            let mut sorted = window.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (block * 10..block * 10 + 10).collect::<Vec<_>>());
        }
    }
}
