//! E-mail events on their way to Dynamics, and the activities that were made of
//! them: an event that is told again is known, from whichever source it comes.
//!
//! An event that delivery works on is leased. Every event carries the id of its
//! activity, so that a repeated write changes nothing.

use jiff::Timestamp;
use rusqlite::Row;

use crate::model::{EmailEvent, EventKind, RecordId, TableName};
use crate::store::event_content::{decode, encode};
use crate::store::work::record_id;
use crate::store::{Fingerprint, StoreError, Work};

/// For how long a made activity is known: longer than the journal and the
/// servers of log files keep what they told (7 and 15 days).
const KNOWN_DAYS: i64 = 35;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// An event that a source told of.
#[derive(Clone, Debug)]
pub(crate) struct NewEvent {
    /// The id that its activity has in Dynamics.
    pub(crate) activity: RecordId,
    /// What happened.
    pub(crate) event: EmailEvent,
}

/// What became of events that were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TakenEvents {
    /// Taken up.
    pub(crate) taken: u64,
    /// Known already: waiting, made, or among the dead letters.
    pub(crate) known: u64,
}

/// How far an event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventStage {
    /// Its activity is to be made.
    New,
    /// Its activity exists and is to be completed.
    Made,
}

impl EventStage {
    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Made => "made",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        match text {
            "new" => Ok(Self::New),
            "made" => Ok(Self::Made),
            _ => Err(StoreError::Corrupt("an event has an unknown stage".into())),
        }
    }
}

/// An event taken for delivery.
#[derive(Clone, Debug)]
pub(crate) struct LeasedEvent {
    /// Row number.
    pub(crate) id: i64,
    /// The id of its activity.
    pub(crate) activity: RecordId,
    /// What happened.
    pub(crate) event: EmailEvent,
    /// How far it has come.
    pub(crate) stage: EventStage,
    /// Attempts that failed.
    pub(crate) attempts: u32,
    /// Since when it is here.
    pub(crate) created: Timestamp,
}

/// How many events are not activities yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventBacklog {
    /// May go, or are on their way.
    pub(crate) ready: u64,
    /// Wait for their contact.
    pub(crate) waiting: u64,
    /// When the oldest was taken up.
    pub(crate) oldest: Option<Timestamp>,
}

impl Work<'_> {
    /// Takes events up; those that wait, were made, or are among the dead
    /// letters already are counted as known.
    pub(crate) fn take_events(
        &mut self,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<TakenEvents, StoreError> {
        let mut counts = TakenEvents::default();
        for new in events {
            if self.take_event(new, now)? {
                counts.taken += 1;
            } else {
                counts.known += 1;
            }
        }
        Ok(counts)
    }

    fn take_event(&mut self, new: &NewEvent, now: Timestamp) -> Result<bool, StoreError> {
        let content = encode(&new.event)?;
        let seal = self.event_seal(new.activity, &content, EventStage::New);
        let added = self
            .sql
            .prepare_cached(
                "INSERT INTO event (activity, kind, content, stage, waits, leased, attempts,
                   created_us, tried_us, seal)
                 SELECT ?1, ?2, ?3, 'new', 0, 0, 0, ?4, ?4, ?5
                 WHERE NOT EXISTS (SELECT 1 FROM event_known WHERE activity = ?1)
                   AND NOT EXISTS (SELECT 1 FROM event_letter WHERE letter = ?1)
                 ON CONFLICT (activity) DO NOTHING",
            )?
            .execute((
                new.activity.as_bytes().as_slice(),
                new.event.kind.as_str(),
                &content,
                now.as_microsecond(),
                seal.as_slice(),
            ))?;
        Ok(added > 0)
    }

    /// Takes up to `limit` events of a kind for delivery, oldest first.
    pub(crate) fn lease_events(
        &mut self,
        kind: EventKind,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<LeasedEvent>, StoreError> {
        let rows: Vec<Raw> = {
            let mut statement = self.sql.prepare_cached(
                "SELECT id, activity, kind, content, stage, attempts, created_us, seal
                 FROM event INDEXED BY event_ready
                 WHERE kind = ?1 AND leased = 0 AND waits = 0 ORDER BY id LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map((kind.as_str(), limit), Raw::read)?;
            rows.collect::<Result<_, _>>()?
        };
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        self.sql
            .prepare_cached(
                "UPDATE event SET leased = 1, tried_us = ?4 WHERE id BETWEEN ?1 AND ?2
                   AND leased = 0 AND waits = 0 AND +kind = ?3",
            )?
            .execute((first.id, last.id, kind.as_str(), now.as_microsecond()))?;
        rows.iter().map(|raw| self.leased_event(raw)).collect()
    }

    fn leased_event(&self, raw: &Raw) -> Result<LeasedEvent, StoreError> {
        let activity = record_id(&raw.activity)?;
        let stage = EventStage::parse(&raw.stage)?;
        if self.event_seal(activity, &raw.content, stage).as_slice() != raw.seal {
            return Err(StoreError::Corrupt("a row of `event` does not match its checksum".into()));
        }
        let event = decode(&raw.content)?;
        if event.kind.as_str() != raw.kind {
            return Err(StoreError::Corrupt("an event stands under another kind".into()));
        }
        let created = moment(raw.created_us)?;
        Ok(LeasedEvent { id: raw.id, activity, event, stage, attempts: raw.attempts, created })
    }

    /// The contact's id in Dynamics: the record that Campaign knows by this key,
    /// or what the text itself says. None if neither tells.
    pub(crate) fn contact_of_key(
        &self,
        table: &TableName,
        text: &str,
    ) -> Result<Option<RecordId>, StoreError> {
        if let Some(record) = self.record_of_key(table, text)? {
            return Ok(Some(record));
        }
        Ok(id_in(text))
    }

    /// The activity exists; it is to be completed next, under the same lease.
    pub(crate) fn event_made(&mut self, leased: &LeasedEvent) -> Result<(), StoreError> {
        let content = encode(&leased.event)?;
        let seal = self.event_seal(leased.activity, &content, EventStage::Made);
        self.sql
            .prepare_cached(
                "UPDATE event SET stage = 'made', attempts = 0, seal = ?2 WHERE id = ?1",
            )?
            .execute((leased.id, seal.as_slice()))?;
        Ok(())
    }

    /// The activity is as it shall be: nothing of the event is left but its id.
    pub(crate) fn event_done(
        &mut self,
        leased: &LeasedEvent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.remove_event(leased)?;
        self.know_activity(leased.activity, now)
    }

    pub(super) fn know_activity(
        &mut self,
        activity: RecordId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO event_known (activity, at_us) VALUES (?1, ?2)")?
            .execute((activity.as_bytes().as_slice(), now.as_microsecond()))?;
        Ok(())
    }

    pub(super) fn remove_event(&mut self, leased: &LeasedEvent) -> Result<(), StoreError> {
        self.sql.prepare_cached("DELETE FROM event WHERE id = ?1")?.execute([leased.id])?;
        Ok(())
    }

    /// Dynamics does not have the contact: the event waits, and its lease ends.
    pub(crate) fn event_waits(&mut self, leased: &LeasedEvent) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("UPDATE event SET leased = 0, waits = 1 WHERE id = ?1")?
            .execute([leased.id])?;
        Ok(())
    }

    /// Lets those events go again that have waited a tenth longer than at their
    /// last try, or for all of `most_us` microseconds. Gives their number.
    pub(crate) fn wake_events(&mut self, now: Timestamp, most_us: i64) -> Result<u64, StoreError> {
        let woken = self
            .sql
            .prepare_cached(
                "UPDATE event SET waits = 0 WHERE waits = 1
                   AND (?1 - created_us >= ?2
                     OR (?1 - created_us) * 10 >= (tried_us - created_us) * 11)",
            )?
            .execute((now.as_microsecond(), most_us))?;
        Ok(woken as u64)
    }

    /// Notes failed attempts; the event stays leased until its next one.
    pub(crate) fn note_event_attempt(
        &mut self,
        leased: &LeasedEvent,
        attempts: u32,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("UPDATE event SET attempts = ?2 WHERE id = ?1")?
            .execute((leased.id, attempts))?;
        Ok(())
    }

    /// Gives a lease back: the event may go again.
    pub(crate) fn unlease_event(&mut self, id: i64) -> Result<(), StoreError> {
        self.sql.prepare_cached("UPDATE event SET leased = 0 WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    /// How many events are not activities yet, of all kinds.
    pub(crate) fn event_backlog(&self) -> Result<EventBacklog, StoreError> {
        self.sql
            .prepare_cached("SELECT count(*), coalesce(sum(waits), 0), min(created_us) FROM event")?
            .query_row([], Backlog::read)?
            .checked()
    }

    /// The same of one kind.
    pub(crate) fn event_backlog_of(&self, kind: EventKind) -> Result<EventBacklog, StoreError> {
        self.sql
            .prepare_cached(
                "SELECT count(*), coalesce(sum(waits), 0), min(created_us) FROM event
                 WHERE kind = ?1",
            )?
            .query_row([kind.as_str()], Backlog::read)?
            .checked()
    }

    /// What an ended process was working on may go again.
    pub(crate) fn recover_events(&mut self) -> Result<usize, StoreError> {
        Ok(self.sql.execute("UPDATE event SET leased = 0 WHERE leased = 1", [])?)
    }

    /// Forgets activities that no source tells of any more.
    pub(crate) fn prune_known_events(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM event_known WHERE at_us < ?1")?
            .execute([now.as_microsecond() - KNOWN_DAYS * MICROS_PER_DAY])?;
        Ok(())
    }

    fn event_seal(&self, activity: RecordId, content: &str, stage: EventStage) -> Fingerprint {
        let parts = [activity.as_bytes().as_slice(), content.as_bytes(), stage.as_str().as_bytes()];
        self.key.seal("event", &parts)
    }
}

/// The record whose id a text is, in any of the forms that Campaign gives it.
pub(super) fn id_in(text: &str) -> Option<RecordId> {
    let plain = text.trim();
    let plain = match plain.get(..5) {
        Some(start) if start.eq_ignore_ascii_case("uuid:") => &plain[5..],
        Some(_) | None => plain,
    };
    RecordId::parse(plain).ok()
}

/// A row as it stands in the file.
struct Raw {
    id: i64,
    activity: Vec<u8>,
    kind: String,
    content: String,
    stage: String,
    attempts: u32,
    created_us: i64,
    seal: Vec<u8>,
}

impl Raw {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: row.get(0)?,
            activity: row.get(1)?,
            kind: row.get(2)?,
            content: row.get(3)?,
            stage: row.get(4)?,
            attempts: row.get(5)?,
            created_us: row.get(6)?,
            seal: row.get(7)?,
        })
    }
}

struct Backlog {
    all: i64,
    waiting: i64,
    oldest_us: Option<i64>,
}

impl Backlog {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self { all: row.get(0)?, waiting: row.get(1)?, oldest_us: row.get(2)? })
    }

    fn checked(self) -> Result<EventBacklog, StoreError> {
        Ok(EventBacklog {
            ready: u64::try_from(self.all - self.waiting).unwrap_or(0),
            waiting: u64::try_from(self.waiting).unwrap_or(0),
            oldest: self.oldest_us.map(moment).transpose()?,
        })
    }
}

fn moment(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros)
        .map_err(|_| StoreError::Corrupt("an event has an impossible time".into()))
}
