//! How far the two systems' clocks are apart: pure.
//!
//! Each sample sets a system's stamp against ours, at the middle of the
//! request that made it. The difference of both systems' medians cancels our
//! own clock, whatever it shows.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Samples of a system that are looked at, the newest.
pub(crate) const SAMPLES: usize = 21;

/// Fewer samples prove nothing.
const FEWEST: usize = 3;

/// Samples that lie further apart prove nothing.
const WIDEST: Duration = Duration::from_mins(1);

/// Answers that are not further apart show both clocks at one time.
const AT_ONE_TIME: SignedDuration = SignedDuration::from_mins(10);

/// Campaign's clock minus Dynamics' clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skew {
    /// Not enough is known: no lead is proven.
    Unknown,
    /// Measured.
    Measured {
        /// Positive: Campaign's clock is ahead.
        offset: SignedDuration,
        /// How far the samples lie from it, added to the margin.
        spread: Duration,
    },
}

/// What a sample rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    /// Whole seconds: `modifiedon`, or the `Date` of an answer.
    Seconds,
    /// A stamp with milliseconds.
    Millis,
}

/// One stamp of a system, with the request that led to it, in our clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// The system's.
    pub(crate) stamp: Timestamp,
    /// When the request went out.
    pub(crate) sent: Timestamp,
    /// When the answer was there.
    pub(crate) received: Timestamp,
    /// How fine the stamp is.
    pub(crate) witness: Witness,
}

impl Sample {
    /// The `Date` of an answer.
    pub(crate) fn of_date(date: Timestamp, sent: Timestamp, received: Timestamp) -> Self {
        Self { stamp: date, sent, received, witness: Witness::Seconds }
    }

    /// The system's clock minus ours, and how far it may be from the truth.
    fn reading(&self) -> Option<(SignedDuration, SignedDuration)> {
        let took = self.received.duration_since(self.sent);
        // Our own clock was set meanwhile: worth nothing.
        if took.is_negative() {
            return None;
        }
        let middle = self.sent.checked_add(took / 2).ok()?;
        let cut = match self.witness {
            Witness::Seconds => SignedDuration::from_millis(500),
            Witness::Millis => SignedDuration::ZERO,
        };
        // A stamp without its fraction is half a second early on the whole.
        Some((self.stamp.duration_since(middle) + cut, took / 2 + cut))
    }
}

/// Sets both systems' newest samples against each other.
pub(crate) fn measure(dynamics: &[Sample], campaign: &[Sample]) -> Skew {
    let (Some(dynamics), Some(campaign)) = (summary(dynamics), summary(campaign)) else {
        return Skew::Unknown;
    };
    let offset = campaign.0 - dynamics.0;
    match Duration::try_from(campaign.1 + dynamics.1) {
        Ok(spread) if spread <= WIDEST => Skew::Measured { offset, spread },
        Ok(_) | Err(_) => Skew::Unknown,
    }
}

/// The earliest that a system's clock can show, by these samples, when ours
/// shows `now`.
pub(crate) fn earliest(samples: &[Sample], now: Timestamp) -> Option<Timestamp> {
    let (offset, doubt) = summary(samples)?;
    now.checked_add(offset.checked_sub(doubt)?).ok()
}

/// Whether a stamp is later than a system's clock can be, by these dates of its
/// answers, when ours shows `now`: then they are another clock's, and say nothing
/// of stamps.
pub(crate) fn is_ahead(stamp: Timestamp, dates: &[Sample], now: Timestamp) -> bool {
    let Some((offset, doubt)) = summary(dates) else { return false };
    let latest = now.checked_add(offset + doubt + SignedDuration::from_secs(2));
    latest.is_ok_and(|latest| stamp > latest)
}

/// Whether dates count no longer, where a stamp was last seen ahead of them.
pub(crate) fn is_doubted(seen_ahead: Option<Timestamp>, now: Timestamp) -> bool {
    let week = SignedDuration::from_hours(7 * 24);
    seen_ahead.is_some_and(|seen| now.duration_since(seen).abs() <= week)
}

/// What our own writes say, as far as the dates of the answers bear it out.
/// Stamps of writes lie further back, and the two systems' not at one time: a
/// clock that was set since makes them wrong.
pub(crate) fn agreed(own: Skew, dates: Skew) -> Skew {
    let (Skew::Measured { offset, spread }, Skew::Measured { offset: by_dates, spread: about }) =
        (own, dates)
    else {
        return if own == Skew::Unknown { dates } else { own };
    };
    let apart = (offset - by_dates).unsigned_abs();
    if apart <= spread.saturating_add(about).saturating_add(Duration::from_secs(2)) {
        own
    } else {
        Skew::Unknown
    }
}

/// Both clocks, as the answers of one pass showed them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    /// Dynamics'.
    pub(crate) dynamics: Sample,
    /// Campaign's.
    pub(crate) campaign: Sample,
}

impl Sight {
    /// The newest of each, where both were there a moment ago.
    pub(crate) fn of(dynamics: &[Sample], campaign: &[Sample], now: Timestamp) -> Option<Self> {
        let sight = Self { dynamics: *dynamics.last()?, campaign: *campaign.last()? };
        let is_new = |it: &Sample| now.duration_since(it.received).abs() <= AT_ONE_TIME;
        (is_new(&sight.dynamics) && is_new(&sight.campaign)).then_some(sight)
    }

    /// Campaign's clock minus Dynamics', and how far that may be from the truth.
    fn reading(&self) -> Option<(SignedDuration, SignedDuration)> {
        let (campaign, dynamics) = (self.campaign.reading()?, self.dynamics.reading()?);
        Some((campaign.0 - dynamics.0, campaign.1 + dynamics.1))
    }

    /// Whether it is worth keeping beside the last one that was kept.
    pub(crate) fn adds_to(&self, last: &Self) -> bool {
        let (Some(one), Some(other)) = (self.reading(), last.reading()) else { return false };
        let later = self.dynamics.received.duration_since(last.dynamics.received).abs();
        later >= SignedDuration::from_hours(1) || (one.0 - other.0).abs() > one.1 + other.1
    }

    fn is_recent(&self, now: Timestamp) -> bool {
        now.duration_since(self.dynamics.received).abs() <= SignedDuration::from_hours(24)
    }
}

/// What is measured now, as far as what was seen within the last day bears it
/// out: where a clock was set since, nobody knows which stamps are from before.
pub(crate) fn borne_out(skew: Skew, earlier: &[Sight], now: Timestamp) -> Skew {
    let Skew::Measured { offset, spread } = skew else { return skew };
    let contradicts = |sight: &Sight| {
        let Some((seen, doubt)) = sight.reading() else { return false };
        let open = SignedDuration::try_from(spread).map(|spread| spread + doubt);
        open.is_ok_and(|open| (seen - offset).abs() > open)
    };
    if earlier.iter().any(|it| it.is_recent(now) && contradicts(it)) { Skew::Unknown } else { skew }
}

/// Those of the last day: a clock may have been set since the others.
pub(crate) fn recent(samples: Vec<Sample>, now: Timestamp) -> Vec<Sample> {
    let day = SignedDuration::from_hours(24);
    samples.into_iter().filter(|it| now.duration_since(it.received).abs() <= day).collect()
}

/// Median, and how far it may be from the truth: as far as the samples lie
/// apart, and as far as a usual one is in doubt.
fn summary(samples: &[Sample]) -> Option<(SignedDuration, SignedDuration)> {
    let newest = &samples[samples.len().saturating_sub(SAMPLES)..];
    let mut readings: Vec<_> = newest.iter().filter_map(Sample::reading).collect();
    if readings.len() < FEWEST {
        return None;
    }
    readings.sort_unstable();
    let median = readings[readings.len() / 2].0;
    let apart = readings.iter().map(|(reading, _)| (*reading - median).abs()).max()?;
    let mut doubts: Vec<_> = readings.iter().map(|(_, doubt)| *doubt).collect();
    doubts.sort_unstable();
    Some((median, apart + doubts[doubts.len() / 2]))
}
