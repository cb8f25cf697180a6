//! What Campaign says of its profiles through its API: all of them at first,
//! then those changed since a time, where a filter is configured for that.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{OptoutError, OptoutIntake};
use crate::campaign::Failure;
use crate::campaign::{Listed, ListingPage};
use crate::flows::full_read::stood_at;
use crate::flows::page_watch::PageWatch;
use crate::model::consent::{Direction, earliest, recent};
use crate::model::{FieldName, TargetValue};
use crate::store::StoreError;
use crate::store::consent::ClockOf;

/// How far a reading goes back behind the youngest change it has seen: changes
/// become visible in another order than their stamps say.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Where a listing stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Listing {
    /// The next page; none at the start.
    At { next: Option<String> },
    /// All were seen.
    Done,
}

/// Where the reading of changes stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Changes {
    /// Changed since, in Campaign's clock.
    since: Timestamp,
    /// The next page within a reading.
    next: Option<String>,
    /// The youngest change seen in this reading.
    youngest: Timestamp,
    /// When this reading began, in our clock.
    began: Timestamp,
    /// The same in Campaign's clock, or earlier.
    #[serde(default)]
    floor: Option<Timestamp>,
}

/// The earliest that any clock that may have made the stamps showed when a
/// reading began: ours, that of the answer's `Date`, and that of the stamps of
/// our own writes. A clock that is ahead may be set right at any time.
fn floor(asked: Timestamp, page: Option<Timestamp>, own: Option<Timestamp>) -> Timestamp {
    [page, own].into_iter().flatten().fold(asked, Timestamp::min)
}

/// When a profile was changed last. Where Campaign does not say it, the
/// youngest stamp of its flags does.
fn changed(listed: &Listed, field: Option<&FieldName>) -> Option<Timestamp> {
    let instant = |value: &TargetValue| match value {
        TargetValue::Instant(stamp) => Some(*stamp),
        TargetValue::Empty
        | TargetValue::Bool(_)
        | TargetValue::Number(_)
        | TargetValue::Text(_)
        | TargetValue::Date(_) => None,
    };
    let own = field.and_then(|field| listed.fields.get(field)).and_then(instant);
    own.or_else(|| listed.fields.values().filter_map(instant).max())
}

impl OptoutIntake {
    /// All profiles, once: what Campaign held before the flow began.
    pub(super) async fn list_profiles(&self) -> Result<(), OptoutError> {
        if self.source.direction == Direction::DynamicsToCampaign {
            return Ok(());
        }
        let mut position = self.cursor("listing").await?.unwrap_or(Listing::At { next: None });
        let mut watch = PageWatch::default();
        while let Listing::At { next } = position {
            let page = self.listing_page(None, next.as_deref()).await;
            let page = match page {
                // The link of an interrupted listing may be too old.
                Err(_) if next.is_some() => self.listing_page(None, None).await?,
                page => page?,
            };
            watch.rows(page.records.len()).map_err(|text| self.campaign.endless(&text))?;
            position = match &page.next {
                Some(link) => {
                    watch.link((0, 0), link).map_err(|text| self.campaign.endless(&text))?;
                    Listing::At { next: Some(link.clone()) }
                }
                None => Listing::Done,
            };
            let told = page.records.iter().map(|listed| self.profile(listed)).collect();
            self.commit("listing", &position, told, None).await?;
        }
        Ok(())
    }

    /// The profiles changed since the last reading.
    pub(super) async fn read_changed_profiles(&self) -> Result<(), OptoutError> {
        let day = SignedDuration::from_hours(24);
        let begin = || {
            let since = self.clock.now() - day;
            Changes { since, next: None, youngest: since, began: since, floor: None }
        };
        let mut at: Changes = self.cursor("rest").await?.unwrap_or_else(begin);
        let before = at.began;
        if at.next.is_none() {
            at.began = self.clock.now();
        }
        let mut watch = PageWatch::default();
        loop {
            let (asked, first) = (self.clock.now(), at.next.is_none());
            let since = at.since.checked_sub(OVERLAP).unwrap_or(at.since);
            let page = match self.listing_page(Some(since), at.next.as_deref()).await {
                Err(_) if at.next.is_some() => self.listing_page(Some(since), None).await?,
                page => page?,
            };
            if first {
                // An answer is dated when it is done, and may have taken long.
                let took = self.clock.now().duration_since(asked).max(SignedDuration::ZERO);
                let date = page.date.and_then(|date| date.checked_sub(took).ok());
                let then = date.and_then(|date| stood_at(date, asked.duration_since(before)));
                if let Some(then) = then.filter(|then| *then < since) {
                    at.since = then;
                    continue;
                }
                at.floor = Some(floor(asked, date, self.campaign_time(asked).await?));
            }
            watch.rows(page.records.len()).map_err(|text| self.campaign.endless(&text))?;
            let times = page.records.iter();
            let times = times.filter_map(|it| changed(it, self.source.changed.as_ref()));
            at.youngest = times.chain([at.youngest]).max().unwrap_or(at.youngest);
            at.next = page.next.clone();
            match &page.next {
                Some(link) => {
                    watch.link((0, 0), link).map_err(|text| self.campaign.endless(&text))?;
                }
                // The next reading begins where this one was, but never later
                // than this one: a clock may be ahead and be set right, a stamp
                // may be of any year.
                None => {
                    at.since = at.youngest.min(at.floor.unwrap_or(at.began));
                    at.youngest = at.since;
                }
            }
            let told = page.records.iter().map(|listed| self.profile(listed)).collect();
            self.commit("rest", &at, told, None).await?;
            if at.next.is_none() {
                return Ok(());
            }
        }
    }

    /// What Campaign's clock shows now at the earliest, by the stamps of our
    /// own writes.
    async fn campaign_time(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let samples = self.store.call(|work| work.clock_samples(ClockOf::Campaign, true)).await?;
        Ok(earliest(&recent(samples, now), now))
    }

    async fn listing_page(
        &self,
        since: Option<Timestamp>,
        next: Option<&str>,
    ) -> Result<ListingPage, Failure> {
        let source = &self.source;
        let filter = since.and_then(|since| {
            let (filter, parameter) = source.rest.as_ref()?;
            Some((filter.as_str(), parameter.as_str(), since))
        });
        let fields = source.profile_fields();
        self.campaign.filtered(&source.resource, &source.key, &fields, filter, next).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_reading_goes_on_where_the_slowest_clock_stood_when_it_began() {
        for (page, own, expected) in [
            (None, None, 0),
            (Some(60), None, 0),
            (Some(-60), None, -60),
            (None, Some(-90), -90),
            (Some(-60), Some(-90), -90),
            (Some(-60), Some(90), -60),
        ] {
            assert_eq!(floor(at(0), page.map(at), own.map(at)), at(expected), "{page:?} {own:?}");
        }
    }
}
