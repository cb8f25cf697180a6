//! What a journal holds.
//!
//! Owns: events in the order in which they were written, their positions, and
//! which of them have expired. Knows nothing of HTTP.

use std::collections::VecDeque;

use serde_json::Value;

use crate::sandbox::random::Stream;

/// How long events are kept (campaign sheet 9.2): seven days.
pub(super) const RETENTION_MS: i64 = 7 * 24 * 3600 * 1000;

/// The words that positions begin with.
const WORDS: [&str; 8] =
    ["camel", "moose", "salmon", "rabbit", "penguin", "otter", "heron", "badger"];

/// One event.
#[derive(Debug)]
pub(super) struct Entry {
    /// When it was written, in milliseconds since 1970.
    pub(super) at: i64,
    /// The event as JSON.
    pub(super) event: Box<str>,
}

/// A journal. Events have numbers from 1, which nobody outside sees.
#[derive(Debug)]
pub(crate) struct Journal {
    seed: u64,
    place: String,
    kept: VecDeque<Entry>,
    /// The number of the last event that has expired, 0 for none.
    expired: u64,
}

impl Journal {
    /// An empty journal.
    pub(crate) fn new(seed: u64) -> Self {
        let registration = Stream::new(seed ^ 0x0010_0E4A_0000_0009).guid();
        let place = format!("organizations/23294/integrations/54108/{registration}");
        Self { seed, place, kept: VecDeque::new(), expired: 0 }
    }

    /// The path below `/events/`.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The number of the last event ever written.
    pub(super) fn end(&self) -> u64 {
        self.expired + u64::try_from(self.kept.len()).unwrap_or(u64::MAX)
    }

    /// The number of the last event that has expired.
    pub(super) fn expired(&self) -> u64 {
        self.expired
    }

    /// The event of a number, if it is kept.
    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        let at = number.checked_sub(self.expired + 1)?;
        self.kept.get(usize::try_from(at).ok()?)
    }

    /// Writes an event.
    pub(super) fn push(&mut self, event: &Value, at: i64) {
        self.kept.push_back(Entry { at, event: event.to_string().into() });
    }

    /// Lets events expire from the front until one was written at `moment` or
    /// later.
    pub(crate) fn forget_before(&mut self, moment: i64) {
        while self.kept.front().is_some_and(|entry| entry.at < moment) {
            self.kept.pop_front();
            self.expired += 1;
        }
    }

    /// Lets the first events expire, those up to this number.
    pub(super) fn forget_up_to(&mut self, number: u64) {
        while self.expired < number && self.kept.pop_front().is_some() {
            self.expired += 1;
        }
    }

    /// The number of the last event written before a moment.
    pub(super) fn before(&self, moment: i64) -> u64 {
        let older = self.kept.iter().take_while(|entry| entry.at < moment).count();
        self.expired + u64::try_from(older).unwrap_or(u64::MAX)
    }

    /// The position of an event; 0 is the place before the first.
    pub(super) fn position(&self, number: u64) -> String {
        let mut stream = Stream::new(self.seed ^ number.wrapping_mul(0x9FB2_1C65_1E98_DF25));
        let word = stream.pick(&WORDS);
        let (high, mask) = (stream.guid().as_u128() << 64, stream.guid());
        let masked = u128::from(number ^ self.seed.rotate_left(17));
        let second = uuid::Uuid::from_u128(high | masked);
        format!("{word}:{mask}:{second}")
    }

    /// The number behind a position.
    pub(super) fn number(&self, position: &str) -> Option<u64> {
        let second: uuid::Uuid = position.rsplit(':').next()?.parse().ok()?;
        let (_, low) = second.as_u64_pair();
        let number = low ^ self.seed.rotate_left(17);
        (number <= self.end() && self.position(number) == position).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_leads_to_its_event_and_nothing_else_does() {
        let mut journal = Journal::new(7);
        for number in 0..5 {
            journal.push(&number.into(), 1000 * number);
        }
        journal.forget_before(2000);
        for number in 0..=5 {
            assert_eq!(journal.number(&journal.position(number)), Some(number));
        }
        assert_eq!(journal.number(&journal.position(6)), None);
        assert_eq!(journal.number("moose:1:2"), None);
        assert_eq!(journal.number(&Journal::new(8).position(3)), None);
        assert!(journal.get(2).is_none() && journal.get(3).is_some());
        assert_eq!((journal.expired(), journal.end(), journal.before(4000)), (2, 5, 4));
    }
}
