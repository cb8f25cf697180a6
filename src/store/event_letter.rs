//! Dead letters that are e-mail events, and what no rule recognised: their
//! content stands here, in the words of its source, until a person decides.

use rusqlite::OptionalExtension;

use crate::model::{Flow, RecordId, TableName};
use crate::store::event_content::{decode, encode};
use crate::store::work::{record_id, table_name};
use crate::store::{
    Action, Fingerprint, LeasedEvent, NewDeadLetter, NewEvent, Payload, StoreError, Work,
};

/// Whose words the content of a letter is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventSource {
    /// The journal: one event's JSON.
    Journal,
    /// A delivery log: one row.
    DeliveryLog,
    /// A tracking log: one row.
    TrackingLog,
    /// Ours: the event was recognised and could not be delivered.
    Event,
}

impl EventSource {
    /// All, as they stand in the store.
    pub(crate) const ALL: [Self; 4] =
        [Self::Journal, Self::DeliveryLog, Self::TrackingLog, Self::Event];

    /// The word in the store; for what was not recognised, in place of a table.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::DeliveryLog => "delivery_log",
            Self::TrackingLog => "tracking_log",
            Self::Event => "event",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|source| source.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt("a dead letter has an unknown source".into()))
    }
}

/// Something that is given up at once: malformed, or recognised by no rule.
#[derive(Clone, Debug)]
pub(crate) struct NewEventLetter {
    /// Made of what identifies it, so that it is one letter however often told.
    pub(crate) letter: RecordId,
    /// Where it came from.
    pub(crate) source: EventSource,
    /// As told. Personal data.
    pub(crate) content: String,
    /// Why; names places, never values.
    pub(crate) reason: String,
}

/// What a person wants to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventAgain {
    /// As [`NewEventLetter::letter`].
    pub(crate) letter: RecordId,
    /// Where it came from.
    pub(crate) source: EventSource,
    /// As told.
    pub(crate) content: String,
}

/// Why an event was given up.
#[derive(Clone, Debug)]
pub(crate) struct EventEnd {
    /// Why; names columns, never values.
    pub(crate) reason: String,
    /// HTTP status of the last answer.
    pub(crate) status: Option<u16>,
    /// The remote's id of the last request.
    pub(crate) request_id: Option<String>,
    /// Attempts that failed.
    pub(crate) attempts: u32,
}

impl Work<'_> {
    /// Adds a dead letter. False if it is one already, or was discarded.
    pub(crate) fn add_event_letter(&mut self, new: &NewEventLetter) -> Result<bool, StoreError> {
        let known: bool = self
            .sql
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM event_known WHERE activity = ?1)")?
            .query_row([new.letter.as_bytes().as_slice()], |row| row.get(0))?;
        if known || !self.add_content(new.letter, new.source, &new.content)? {
            return Ok(false);
        }
        let end =
            EventEnd { reason: new.reason.clone(), status: None, request_id: None, attempts: 0 };
        self.add_dead_event(table_name(new.source.as_str())?, new.letter, None, &end)?;
        Ok(true)
    }

    /// Gives an event up: to the dead letters, under the table of its activity.
    pub(crate) fn give_up_event(
        &mut self,
        leased: &LeasedEvent,
        table: &TableName,
        end: &EventEnd,
    ) -> Result<(), StoreError> {
        self.remove_event(leased)?;
        self.add_content(leased.activity, EventSource::Event, &encode(&leased.event)?)?;
        // What is to be written stands in the content, not here.
        let key = leased.activity.to_string();
        let empty = Payload {
            key,
            initial: true,
            fields: Vec::new(),
            links: Vec::new(),
            opt_outs: Vec::new(),
        };
        self.add_dead_event(table.clone(), leased.activity, Some((Action::Write, empty)), end)
    }

    fn add_dead_event(
        &mut self,
        table: TableName,
        record: RecordId,
        write: Option<(Action, Payload)>,
        end: &EventEnd,
    ) -> Result<(), StoreError> {
        self.add_dead_letter(&NewDeadLetter {
            flow: Flow::Egress,
            table,
            record,
            write,
            version: None,
            seen: 0,
            reason: end.reason.clone(),
            status: end.status,
            request_id: end.request_id.clone(),
            attempts: end.attempts,
            uncertain: false,
        })
    }

    /// False if there is one of this id already.
    fn add_content(
        &mut self,
        letter: RecordId,
        source: EventSource,
        content: &str,
    ) -> Result<bool, StoreError> {
        let seal = self.letter_seal(letter, source, content);
        let added = self
            .sql
            .prepare_cached(
                "INSERT INTO event_letter (letter, source, content, again, seal)
                 VALUES (?1, ?2, ?3, 0, ?4) ON CONFLICT (letter) DO NOTHING",
            )?
            .execute((letter.as_bytes().as_slice(), source.as_str(), content, seal.as_slice()))?;
        Ok(added > 0)
    }

    /// A person wants a dead letter to be tried again: an event goes back to
    /// its place, anything else is looked at by the next pass.
    pub(super) fn retry_event_letter(&mut self, letter: RecordId) -> Result<(), StoreError> {
        let Some(told) = self.event_letter(letter)? else { return Ok(()) };
        if told.source == EventSource::Event {
            let event = decode(&told.content)?;
            self.end_event_again(letter)?;
            let now = self.now();
            self.take_events(&[NewEvent { activity: letter, event }], now)?;
        } else {
            self.sql
                .prepare_cached("UPDATE event_letter SET again = 1 WHERE letter = ?1")?
                .execute([letter.as_bytes().as_slice()])?;
        }
        Ok(())
    }

    /// A person does not want it: it stays known, so that it does not come back
    /// when it is told again.
    pub(super) fn discard_event_letter(&mut self, letter: RecordId) -> Result<(), StoreError> {
        self.end_event_again(letter)?;
        let now = self.now();
        self.know_activity(letter, now)
    }

    /// Up to `limit` letters of a source that are to be looked at again.
    pub(crate) fn events_again(
        &self,
        source: EventSource,
        limit: u32,
    ) -> Result<Vec<EventAgain>, StoreError> {
        let letters: Vec<Vec<u8>> = {
            let mut statement = self.sql.prepare_cached(
                "SELECT letter FROM event_letter WHERE again = 1 AND source = ?1 LIMIT ?2",
            )?;
            let rows = statement.query_map((source.as_str(), limit), |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        let mut found = Vec::with_capacity(letters.len());
        for letter in letters {
            found.extend(self.event_letter(record_id(&letter)?)?);
        }
        Ok(found)
    }

    /// Takes a letter off that list, in the transaction of the new decision and
    /// before it: what is still here counts as known.
    pub(crate) fn end_event_again(&mut self, letter: RecordId) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM event_letter WHERE letter = ?1")?
            .execute([letter.as_bytes().as_slice()])?;
        Ok(())
    }

    fn event_letter(&self, letter: RecordId) -> Result<Option<EventAgain>, StoreError> {
        let row = self
            .sql
            .prepare_cached("SELECT source, content, seal FROM event_letter WHERE letter = ?1")?
            .query_row([letter.as_bytes().as_slice()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .optional()?;
        let Some((source, content, seal)) = row else { return Ok(None) };
        let source = EventSource::parse(&source)?;
        if self.letter_seal(letter, source, &content).as_slice() != seal {
            return Err(StoreError::Corrupt(
                "a row of `event_letter` does not match its checksum".into(),
            ));
        }
        Ok(Some(EventAgain { letter, source, content }))
    }

    fn letter_seal(&self, letter: RecordId, source: EventSource, content: &str) -> Fingerprint {
        let parts = [letter.as_bytes().as_slice(), source.as_str().as_bytes(), content.as_bytes()];
        self.key.seal("event_letter", &parts)
    }
}
