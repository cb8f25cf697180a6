//! Dates and times: strict reading, ISO 8601 writing, and the passages between
//! instants, wall times and dates.
//!
//! Rules ("Behavior and format of the date and time column"): a `UserLocal`
//! value is an instant; a `DateOnly` value is a calendar date and a
//! `TimeZoneIndependent` value a wall time, and neither is ever shifted.
//!
//! Knows no record and no configuration but the zone it is given.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// Why an instant cannot be held: the calendar of this program ends there.
pub(super) const OUT_OF_RANGE: &str =
    "the time is after 9999-12-30T22:00:00Z, the last instant that can be sent";

/// The date on which `instant` falls in `zone`.
pub(super) fn date_of(instant: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(instant).date()
}

/// The first instant of `date` in `zone`: midnight, or what follows where
/// the clocks skip it; the earlier of two midnights.
pub(super) fn start_of(date: Date, zone: &TimeZone) -> Result<Timestamp, &'static str> {
    date.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|_| OUT_OF_RANGE)
}

/// The instant that shows `wall` as its UTC time.
pub(super) fn as_if_utc(wall: DateTime) -> Result<Timestamp, &'static str> {
    TimeZone::UTC.to_timestamp(wall).map_err(|_| OUT_OF_RANGE)
}

/// Cut to whole milliseconds, which is what Campaign keeps; always towards
/// the past, as cutting digits off the written form would.
pub(super) fn cut_to_millis(instant: Timestamp) -> Timestamp {
    let millis = instant.as_nanosecond().div_euclid(1_000_000);
    i64::try_from(millis)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(instant)
}

/// What a text says about time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    /// `2024-05-06`
    Date(Date),
    /// `2024-05-06T07:08[:09[.123]]`: a wall time of no zone.
    Wall(DateTime),
    /// The same with `Z` or `+02:00`: an instant, and its wall time there.
    Instant(Timestamp, DateTime),
}

/// Reads the ISO 8601 profile above, with `T` or one space between date and
/// time, and nothing else: no week dates, no missing dashes, no second 60.
pub(super) fn read(text: &str) -> Option<Moment> {
    let date = read_date(text.get(..10)?)?;
    let Some(separator) = text.as_bytes().get(10) else { return Some(Moment::Date(date)) };
    if !matches!(separator, b'T' | b' ') {
        return None;
    }
    let rest = text.get(11..)?;
    let offset_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at_checked(offset_at)?;
    let wall = DateTime::from_parts(date, read_time(clock)?);
    if offset.is_empty() {
        return Some(Moment::Wall(wall));
    }
    let seconds = read_offset(offset)?;
    let zone = TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?);
    Some(Moment::Instant(zone.to_timestamp(wall).ok()?, wall))
}

/// Reads `2024-05-06`.
pub(super) fn read_date(text: &str) -> Option<Date> {
    if text.len() != 10
        || text.as_bytes().get(4) != Some(&b'-')
        || text.as_bytes().get(7) != Some(&b'-')
    {
        return None;
    }
    let year = i16::try_from(digits(text.get(..4)?)?).ok()?;
    let month = i8::try_from(digits(text.get(5..7)?)?).ok()?;
    let day = i8::try_from(digits(text.get(8..)?)?).ok()?;
    Date::new(year, month, day).ok()
}

fn read_time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let hour = two_digits(parts.next()?)?;
    let minute = two_digits(parts.next()?)?;
    let (second, nanos) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (two_digits(seconds)?, 0),
            Some((whole, fraction)) if (1..=9).contains(&fraction.len()) => {
                (two_digits(whole)?, digits(&format!("{fraction:0<9}"))?)
            }
            Some(_) => return None,
        },
    };
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, i32::try_from(nanos).ok()?).ok()
}

fn read_offset(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (i32::from(two_digits(hours)?), i32::from(two_digits(minutes)?));
    if hours > 18 || minutes > 59 {
        return None;
    }
    Some(sign * (hours * 3600 + minutes * 60))
}

fn two_digits(text: &str) -> Option<i8> {
    if text.len() == 2 { i8::try_from(digits(text)?).ok() } else { None }
}

fn digits(text: &str) -> Option<u32> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}
