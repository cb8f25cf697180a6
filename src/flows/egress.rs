//! The egress flow, read from the journal: page by page, events and position in
//! one transaction. A position that has expired leaves a gap, which is noted
//! and told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::campaign::{Failure, Journal, JournalPage, Outcome};
use crate::clock::Clock;
use crate::model::{Flow, RecordId, Tally};
use crate::store::{EventSource, JournalPosition, Store, StoreError, Work};
use crate::telemetry::CursorExpired;

use super::events::{EventRules, MAX_AGAIN, decide, has_room, tell_letters};
use super::page_watch::PageWatch;

const FLOW: Flow = Flow::Egress;

/// What the reading of a pass needs.
#[derive(Clone, Debug)]
pub(crate) struct EventIntake {
    /// Reads the journal.
    pub(crate) journal: Journal,
    /// Tells this journal from any other: a digest of its address.
    pub(crate) source: String,
    /// How events are recognised.
    pub(crate) rules: EventRules,
    /// Takes events and the position.
    pub(crate) store: Store,
    /// Time.
    pub(crate) clock: Clock,
    /// The run's counts.
    pub(crate) tally: Tally,
    /// Told whenever there may be new work for delivery.
    pub(crate) work_ready: Arc<Notify>,
    /// Told whenever delivery has settled something; none in a dry run, where
    /// nothing is delivered and reading never pauses.
    pub(crate) settled: Option<Arc<Notify>>,
}

/// How the reading of a pass ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventReport {
    /// Why it could not go on, if it could not.
    pub(crate) failure: Option<Failure>,
    /// How long the journal asked not to be asked again.
    pub(crate) quiet: Option<Duration>,
}

/// Where a pass is in the journal.
#[derive(Debug, Default)]
struct Place {
    /// As stored.
    position: JournalPosition,
    /// Whether the position expired, so that what is read next begins after a
    /// gap.
    expired: bool,
    /// Whether the stored link to the next page was refused.
    fell_back: bool,
    watch: PageWatch,
    pages: u32,
}

impl EventIntake {
    /// Reads the journal to its end.
    pub(crate) async fn run(&self) -> Result<EventReport, StoreError> {
        self.look_again().await?;
        let source = self.source.clone();
        let stored = self.store.call(move |work| work.journal_position(&source)).await?;
        let mut place = Place { position: stored.unwrap_or_default(), ..Place::default() };
        let mut at = self.next_of(&place.position);
        loop {
            has_room(
                &self.store,
                &self.clock,
                &self.rules,
                self.settled.as_deref(),
                &self.work_ready,
            )
            .await?;
            match self.journal.page(&at).await {
                Ok(page) => {
                    let (quiet, more) = (page.quiet, !page.events.is_empty());
                    place.position = self.take(page, &mut place, &at).await?;
                    if !more {
                        return Ok(EventReport { failure: None, quiet });
                    }
                    at = self.next_of(&place.position);
                    if let Err(reason) = place.follow(&at) {
                        return Ok(EventReport { failure: Some(reason), quiet: None });
                    }
                }
                Err(failure) => match self.detour(&mut place, &at, &failure) {
                    Some(other) => at = other,
                    None => return Ok(EventReport { failure: Some(failure), quiet: None }),
                },
            }
        }
    }

    fn next_of(&self, position: &JournalPosition) -> String {
        match (&position.next, &position.last) {
            (Some(next), _) => next.clone(),
            (None, Some(last)) => self.journal.since(last),
            (None, None) => self.journal.start(),
        }
    }

    /// Where to read instead of what was refused; none, where nothing else is
    /// left to try.
    fn detour(&self, place: &mut Place, at: &str, failure: &Failure) -> Option<String> {
        let start = self.journal.start();
        if failure.outcome == Outcome::CursorExpired && at != start && !place.expired {
            place.expired = true;
            return Some(start);
        }
        // A link that is no longer understood; the position in it may be.
        let unusable = matches!(failure.outcome, Outcome::Setup | Outcome::Foreign)
            && matches!(failure.status, Some(400 | 404) | None);
        let last = place.position.last.as_ref()?;
        let since = self.journal.since(last);
        if unusable && place.pages == 0 && !place.fell_back && at != since {
            place.fell_back = true;
            return Some(since);
        }
        None
    }

    /// Takes a page: its events and where it leads, in one transaction.
    async fn take(
        &self,
        page: JournalPage,
        place: &mut Place,
        at: &str,
    ) -> Result<JournalPosition, StoreError> {
        place.pages += 1;
        let now = self.clock.now();
        let decided = decide(&self.rules, EventSource::Journal, &page.events);
        let before = std::mem::take(&mut place.position);
        let empty = page.events.is_empty();
        let position = JournalPosition {
            // Without a link, the position of the last event leads on.
            next: match page.next {
                None if empty && !place.expired => before.next.clone(),
                next => next.filter(|next| empty || next != at),
            },
            last: page.last.or_else(|| before.last.clone().filter(|_| !place.expired)),
            told: before.told.max(decided.latest()).map(|at| at.min(now)),
        };
        let gap = std::mem::take(&mut place.expired)
            .then(|| self.rules.lost(before.told, decided.latest(), now));
        if gap.is_none() && empty && position == before {
            return Ok(position);
        }
        let (source, stored) = (self.source.clone(), position.clone());
        let tally = self.tally.clone();
        let letters = self
            .store
            .call(move |work| {
                let (delta, letters) = decided.take(work, now)?;
                if let Some((from, to)) = gap {
                    work.add_gap(&source, from, to)?;
                }
                work.set_journal_position(&source, &stored)?;
                tally.add(delta);
                Ok(letters)
            })
            .await?;
        if let Some((from, to)) = gap {
            let from = from.map(|at| at.to_string());
            CursorExpired { flow: FLOW, table: None, from, to: to.to_string() }.emit();
        }
        self.tell(letters);
        Ok(position)
    }

    /// What a person wants looked at again, by the rules as they are now.
    async fn look_again(&self) -> Result<(), StoreError> {
        let (rules, now) = (self.rules.clone(), self.clock.now());
        let asked = |work: &mut Work<'_>| work.events_again(EventSource::Journal, MAX_AGAIN);
        for letter in self.store.call(asked).await? {
            let told = serde_json::from_str(&letter.content).unwrap_or_default();
            let mut decided = decide(&rules, EventSource::Journal, &[told]);
            decided.keep_letter(letter.letter, &letter.content);
            let tally = self.tally.clone();
            let letters = self
                .store
                .call(move |work| {
                    work.end_event_again(letter.letter)?;
                    let (delta, letters) = decided.take(work, now)?;
                    tally.add(delta);
                    Ok(letters)
                })
                .await?;
            self.tell(letters);
        }
        Ok(())
    }

    /// Tells what a transaction that lasts has done.
    fn tell(&self, letters: Vec<(RecordId, String)>) {
        self.work_ready.notify_one();
        tell_letters(EventSource::Journal, letters);
    }
}

impl Place {
    /// Notes the link that is followed next.
    fn follow(&mut self, at: &str) -> Result<(), Failure> {
        self.watch.link((0, 0), at).map_err(|text| crate::campaign::misled(&text))
    }
}
