//! What Dynamics says of its contacts: all of them at first, then what changed.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::addresses::{Reading, deletions_first};
use super::{OptoutError, OptoutIntake, Told};
use crate::dynamics::{Failure, Outcome, Page};
use crate::flows::full_read::catch_up_since;
use crate::flows::page_watch::PageWatch;
use crate::flows::steps::link_refused;
use crate::model::consent::Direction;
use crate::model::{Change, Flow, RecordId, RowVersion, SourceRow, Value};
use crate::store::StoreError;
use crate::telemetry::CursorExpired;

/// The name of the position in the store.
const SOURCE: &str = "dynamics";

/// The name of the newest version that was read before the reading ended.
const NEWEST: &str = "dynamics-version";

/// Which rows the ledger may lack something about. A process that has not read to
/// the end yet may have begun with an older store: what changed since that was
/// made may have been carried, and more than once. Versions tell, not times: a
/// clock may be set.
#[derive(Debug)]
struct Doubts {
    /// Whether any row is in doubt.
    any: bool,
    /// The newest version before this reading.
    known: Option<RowVersion>,
    newest: Option<RowVersion>,
}

impl Doubts {
    fn about(&mut self, row: &SourceRow) -> bool {
        self.newest = self.newest.max(row.version);
        self.any && (row.version.is_none() || row.version > self.known)
    }
}

/// Where the reading of Dynamics stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Position {
    /// All contacts; the next page, none at the start, the number of this read,
    /// which is when it began by our clock, and when it began by Dynamics' clock.
    Full {
        next: Option<String>,
        #[serde(default)]
        number: i64,
        #[serde(default)]
        started: Option<Timestamp>,
    },
    /// What changed while all were read: the delta link behind it stands for the
    /// moment of the last page.
    CatchUp { next: Option<String>, since: Timestamp, link: String, obtained: Timestamp },
    /// What changed; the delta link, or a page within a delta.
    Delta { link: String, obtained: Timestamp, within: bool },
}

impl Position {
    /// Whether it is the next page of several.
    fn is_midway(&self) -> bool {
        match self {
            Self::Full { next, .. } => next.is_some(),
            Self::CatchUp { .. } => true,
            Self::Delta { within, .. } => *within,
        }
    }

    fn reading(&self, last: bool) -> Reading {
        match self {
            Self::Full { number, .. } => Reading { number: *number, last },
            Self::CatchUp { .. } | Self::Delta { .. } => Reading { number: 0, last: false },
        }
    }
}

impl OptoutIntake {
    /// Reads contacts until nothing is new.
    pub(super) async fn read_contacts(&self) -> Result<(), OptoutError> {
        let mut position = self.cursor(SOURCE).await?.unwrap_or_else(|| self.all());
        // An earlier version did not write down when it had begun.
        if matches!(position, Position::Full { next: Some(_), started: None, .. }) {
            position = self.all();
        }
        let mut doubts = self.doubts().await?;
        let mut resumed = position.is_midway();
        let mut watch = PageWatch::default();
        loop {
            let page = match self.page(&position).await {
                Err(failure) if self.expired(&position, &failure) => {
                    position = self.all();
                    continue;
                }
                page => page?,
            };
            // The versions of an environment that was put back are lower.
            if matches!(position, Position::Full { next: None, .. }) {
                doubts.newest = None;
            }
            watch.rows(page.changes.len()).map_err(|text| self.dynamics.endless(&text))?;
            let (next, done) = self.behind(&position, &page);
            if let Some(link) = &page.next {
                watch.link((0, 0), link).map_err(|text| self.dynamics.endless(&text))?;
            }
            let told = page.changes.iter().map(|it| self.contact(it, &mut doubts));
            let mut told: Vec<_> = told.collect();
            deletions_first(&mut told);
            let reading = position.reading(page.next.is_none());
            self.commit(SOURCE, &next, told, Some(reading)).await?;
            // Within pages that an earlier pass had asked for; what came since is
            // still to be asked for.
            if done && !std::mem::take(&mut resumed) {
                return self.has_read_all(&doubts).await;
            }
            position = next;
        }
    }

    /// Towards Dynamics no row is in doubt: there Campaign tells what it holds.
    async fn doubts(&self) -> Result<Doubts, StoreError> {
        let known = self.cursor(NEWEST).await?.map(RowVersion);
        let alone = self.source.direction == Direction::DynamicsToCampaign;
        let any = alone && !self.has_read.load(Ordering::Relaxed);
        Ok(Doubts { any, known, newest: known })
    }

    async fn has_read_all(&self, doubts: &Doubts) -> Result<(), OptoutError> {
        if let Some(RowVersion(newest)) = doubts.newest.filter(|_| doubts.newest != doubts.known) {
            let newest = newest.to_string();
            self.store.call(move |work| work.set_consent_cursor(NEWEST, &newest)).await?;
        }
        self.has_read.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// All contacts from the beginning, at this time by our clock.
    fn all(&self) -> Position {
        Position::Full { next: None, number: self.clock.now().as_microsecond(), started: None }
    }

    async fn page(&self, position: &Position) -> Result<Page, Failure> {
        let query = &self.source.query;
        match position {
            Position::Full { next: None, .. } => self.dynamics.full_read(query).await,
            Position::CatchUp { next, since, .. } => {
                self.dynamics.modified_since(query, *since, next.as_deref()).await
            }
            Position::Full { next: Some(link), .. } | Position::Delta { link, .. } => {
                self.dynamics.tracked_page(query, link).await
            }
        }
    }

    /// A link that Dynamics does not understand (any more): everything is read
    /// again. Nothing is missed by it, because the ledger compares.
    fn expired(&self, position: &Position, failure: &Failure) -> bool {
        let begun = match position {
            Position::Full { next, .. } | Position::CatchUp { next, .. } => next.is_some(),
            Position::Delta { .. } => true,
        };
        if !begun || !(failure.outcome == Outcome::CursorExpired || link_refused(failure)) {
            return false;
        }
        let from = match position {
            Position::Full { .. } => None,
            Position::CatchUp { obtained, .. } | Position::Delta { obtained, .. } => {
                Some(obtained.to_string())
            }
        };
        CursorExpired {
            flow: Flow::Optout,
            table: Some(self.source.table().clone()),
            from,
            to: self.clock.now().to_string(),
        }
        .emit();
        true
    }

    /// The position behind a page, and whether it was the last.
    fn behind(&self, before: &Position, page: &Page) -> (Position, bool) {
        let obtained = page.date.unwrap_or_else(|| self.clock.now());
        match (page.next.clone(), page.delta.clone(), before) {
            (Some(next), _, Position::Full { number, started, .. }) => {
                let started = started.or(Some(obtained));
                (Position::Full { next: Some(next), number: *number, started }, false)
            }
            (
                None,
                Some(link),
                Position::Full { next: Some(_), started: Some(started), number },
            ) => {
                let began = Timestamp::from_microsecond(*number).ok();
                let elapsed = began.map(|began| self.clock.now().duration_since(began));
                let since = catch_up_since(*started, page.date, elapsed);
                (Position::CatchUp { next: None, since, link, obtained }, false)
            }
            (next, _, Position::CatchUp { since, link, obtained, .. }) => {
                let (link, obtained) = (link.clone(), *obtained);
                match next {
                    Some(_) => (Position::CatchUp { next, since: *since, link, obtained }, false),
                    None => (Position::Delta { link, obtained, within: false }, true),
                }
            }
            (Some(link), _, Position::Delta { obtained, .. }) => {
                (Position::Delta { link, obtained: *obtained, within: true }, false)
            }
            (None, Some(link), _) => (Position::Delta { link, obtained, within: false }, true),
            // Nothing new and no new link: the old one stays good.
            (None, None, Position::Delta { within: false, .. }) => (before.clone(), true),
            (None, None, _) => (self.all(), true),
        }
    }

    fn contact(&self, change: &Change, doubts: &mut Doubts) -> Told {
        let row = match change {
            Change::Upsert(row) => row,
            // Nothing can be written to it; what is open ends when it is read.
            Change::Delete(contact) => return Told::Gone { contact: *contact },
        };
        let seen = self.source.addresses.seen(row);
        let values = self.source.pairs.iter().map(|pair| pair.opted_out(row)).collect();
        let doubt = doubts.about(row);
        match merged_into(row) {
            Some(into) => Told::Merged { contact: row.id, into, values, seen, doubt },
            None => Told::Contact { contact: row.id, values, seen, doubt },
        }
    }
}

/// The contact that this one was merged into ("Merge records": the loser stays,
/// inactive, and names its master).
fn merged_into(row: &SourceRow) -> Option<RecordId> {
    let merged = matches!(row.columns.get("merged"), Some(Value::Bool(true)));
    match row.columns.get("masterid") {
        Some(Value::Guid(master)) if merged && *master != Uuid::nil() => Some((*master).into()),
        Some(_) | None => None,
    }
}
