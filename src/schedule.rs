//! A cron expression as a value: parse, and the next time after a given one.
//!
//! The `cron` crate only matches an expression against civil time, taken as if
//! it were UTC; which instant a civil time is, in which zone, is decided here:
//!
//! * a civil time that the zone skips runs at the first instant after the gap
//!   (once, however many were skipped);
//! * a civil time that the zone repeats runs once, at its first occurrence;
//!   except where the hour field is `*` or `*/n`: such an expression means an
//!   interval, and would stand still for an hour, so it runs through both
//!   passes.
//!
//! Fields: `second minute hour day-of-month month weekday [year]`; with five
//! fields the second is 0. Weekdays are 0–7 (0 and 7 are Sunday) or names. A
//! day must match both day fields (not either of them, as in Vixie cron).
//! Must not know what runs. Imports nothing of the crate.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use cron::TimeUnitSpec;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// Longest expression, in bytes; far above any that a person writes.
const MAX_BYTES: usize = 256;

/// Zone changes looked at before giving up: two a year until 2100, where the
/// matcher's calendar ends, and room for the odd zone.
const MAX_ZONE_CHANGES: usize = 400;

const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Name and allowed values of each field, seconds first.
const FIELDS: [(&str, &str); 7] = [
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31"),
    ("month", "1-12 or JAN-DEC"),
    ("weekday", "0-7 (0 and 7 are Sunday) or SUN-SAT"),
    ("year", "1970-2100"),
];

/// A cron expression.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    text: String,
    matcher: cron::Schedule,
    /// Runs through both passes of a repeated hour.
    interval: bool,
}

/// Why a text is not a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScheduleError {
    /// Not five, six or seven fields.
    #[error(
        "a schedule has 5 fields (minute first), 6 (second first) or 7 (year last), this one has {0}"
    )]
    FieldCount(usize),
    /// `@…` that is not known.
    #[error("`{0}` is not known; there are @hourly, @daily, @weekly, @monthly and @yearly")]
    Shorthand(String),
    /// A field that does not parse.
    #[error(
        "the {name} field `{text}` is not valid; it takes {allowed}, `*`, lists `a,b`, ranges `a-b` and steps `*/n`"
    )]
    Field {
        /// The field's name.
        name: &'static str,
        /// The field as written.
        text: String,
        /// Its values.
        allowed: &'static str,
    },
    /// 30 February and the like.
    #[error("no day of the calendar ever matches this schedule")]
    NeverRuns,
    /// Longer than [`MAX_BYTES`].
    #[error("a schedule has at most {MAX_BYTES} characters")]
    TooLong,
}

impl Schedule {
    /// Parses an expression of five, six or seven fields, or `@hourly`,
    /// `@daily`, `@weekly`, `@monthly`, `@yearly`.
    pub(crate) fn parse(text: &str) -> Result<Self, ScheduleError> {
        if text.len() > MAX_BYTES {
            return Err(ScheduleError::TooLong);
        }
        let text = text.trim();
        let expression = match text {
            "@hourly" => "0 * * * *",
            "@daily" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" => "0 0 1 1 *",
            other if other.starts_with('@') => {
                return Err(ScheduleError::Shorthand(other.to_owned()));
            }
            other => other,
        };
        let mut fields: Vec<&str> = expression.split_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        if !(6..=7).contains(&fields.len()) {
            return Err(ScheduleError::FieldCount(expression.split_whitespace().count()));
        }
        let matcher = matcher(&fields)?;
        let interval = fields
            .get(2)
            .is_some_and(|hour| hour.split(',').any(|item| item == "*" || item.starts_with("*/")))
            || matcher.hours().count() == 24;
        let schedule = Self { text: text.to_owned(), matcher, interval };
        if schedule.civil_at_or_after(0).is_none() {
            return Err(ScheduleError::NeverRuns);
        }
        Ok(schedule)
    }

    /// The first run strictly after `now`, civil times being those of `zone`.
    /// None after the last one (a year field in the past, or the year 2100).
    pub(crate) fn next_after(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut offset = seconds(zone.to_offset(now));
        // Whole seconds: the first that can be strictly after `now`.
        let mut from = floor_second(now).checked_add(1)?;
        let mut floor = self.repeated_until(now, offset, zone);
        for change in zone.following(now).take(MAX_ZONE_CHANGES) {
            let end = change.timestamp().as_second();
            let found = self.civil_at_or_after(from.checked_add(offset)?.max(floor));
            if let Some(civil) = found.filter(|civil| civil - offset < end) {
                return Timestamp::from_second(civil - offset).ok();
            }
            let new = seconds(change.offset());
            let skipped = self.civil_at_or_after(end.checked_add(offset)?.max(floor));
            if skipped.is_some_and(|civil| civil < end + new) {
                return Some(change.timestamp());
            }
            // Civil times before this have had their turn under the old offset.
            floor = if self.interval { i64::MIN } else { floor.max(end + offset) };
            (offset, from) = (new, end);
        }
        let civil = self.civil_at_or_after(from.checked_add(offset)?.max(floor))?;
        Timestamp::from_second(civil - offset).ok()
    }

    /// Whether a run is due at `now`, after the last one at `last`: never run
    /// is due; any number of missed runs is one.
    pub(crate) fn is_due(&self, last: Option<Timestamp>, now: Timestamp, zone: &TimeZone) -> bool {
        last.is_none_or(|last| self.next_after(last, zone).is_some_and(|next| next <= now))
    }

    /// The end (civil, as seconds of UTC) of the times that the zone repeats
    /// at `now`, for a schedule that runs once in them.
    fn repeated_until(&self, now: Timestamp, offset: i64, zone: &TimeZone) -> i64 {
        if self.interval {
            return i64::MIN;
        }
        // `preceding` is strict, so that one nanosecond on it includes `now`.
        let Ok(just_after) = now.checked_add(jiff::SignedDuration::from_nanos(1)) else {
            return i64::MIN;
        };
        let Some(change) = zone.preceding(just_after).next() else {
            return i64::MIN;
        };
        let Ok(before) = change.timestamp().checked_sub(jiff::SignedDuration::from_secs(1)) else {
            return i64::MIN;
        };
        let old = seconds(zone.to_offset(before));
        if old > offset { change.timestamp().as_second() + old } else { i64::MIN }
    }

    /// The first match at or after a civil time, both as seconds of UTC.
    fn civil_at_or_after(&self, civil: i64) -> Option<i64> {
        // Before 1970 the matcher's calendar is empty.
        let after = DateTime::<Utc>::from_timestamp(civil.max(0) - 1, 0)?;
        self.matcher.after(&after).next().map(|found| found.timestamp())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn seconds(offset: Offset) -> i64 {
    i64::from(offset.seconds())
}

fn floor_second(time: Timestamp) -> i64 {
    time.as_second() - i64::from(time.subsec_nanosecond() < 0)
}

/// The matcher of six or seven fields; an error names the field at fault.
fn matcher(fields: &[&str]) -> Result<cron::Schedule, ScheduleError> {
    let mut written = Vec::with_capacity(fields.len());
    for (position, (field, (name, allowed))) in fields.iter().zip(FIELDS).enumerate() {
        let invalid = || ScheduleError::Field { name, text: (*field).to_owned(), allowed };
        let field =
            if position == 5 { weekdays(field).ok_or_else(invalid)? } else { (*field).to_owned() };
        let mut alone = ["*"; 7];
        if let Some(slot) = alone.get_mut(position) {
            *slot = &field;
        }
        cron::Schedule::from_str(&alone.join(" ")).map_err(|_| invalid())?;
        written.push(field);
    }
    cron::Schedule::from_str(&written.join(" ")).map_err(|_| ScheduleError::NeverRuns)
}

/// The weekday field as the `cron` crate (where 1 is Sunday) understands it:
/// a list of names.
fn weekdays(field: &str) -> Option<String> {
    let mut chosen = [false; 7];
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok()?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            None if range == "*" || range == "?" => (0, 6),
            // As in the crate: `2/2` counts on from 2 to the week's end.
            None if step.is_some() => (weekday(range)? % 7, 6),
            None => (weekday(range)?, weekday(range)?),
        };
        // `FRI-MON` and `5-0` go over the week's end.
        let last = if last < first { last + 7 } else { last };
        let step = step.unwrap_or(1);
        if step == 0 || step > 7 {
            return None;
        }
        for day in (first..=last).step_by(step) {
            *chosen.get_mut(day % 7)? = true;
        }
    }
    if chosen == [true; 7] {
        return Some("*".to_owned());
    }
    let names: Vec<&str> =
        DAYS.iter().zip(chosen).filter_map(|(name, on)| on.then_some(*name)).collect();
    Some(names.join(","))
}

/// 0 (Sunday) to 7 (Sunday again).
fn weekday(text: &str) -> Option<usize> {
    const LONG: [&str; 7] =
        ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"];
    if text.len() == 1 {
        return text.parse().ok().filter(|day| *day <= 7);
    }
    let upper = text.to_ascii_uppercase();
    LONG.iter().zip(DAYS).position(|(long, short)| upper == *long || upper == short)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
