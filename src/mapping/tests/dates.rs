//! The three date behaviours, in every zone.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{apply_one, converts, field, sent, text};
use crate::mapping::MappedField;
use crate::mapping::dates::{date_of, start_of};
use crate::mapping::spec::FieldMapping;
use crate::model::{TargetValue, Value};

const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "Etc/GMT+12",
    "Africa/Cairo",
    "Asia/Tehran",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn zoned(from: &str, to: &str, name: Option<&str>) -> FieldMapping {
    let mut it = field(from, to);
    it.time_zone = name.map(zone);
    it
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn wall(text: &str) -> Value {
    Value::Civil(text.parse().unwrap())
}

#[test]
fn instants_are_cut_to_dates_in_the_zone_or_utc() {
    let cases = [
        (None, "2024-05-06T22:30:00Z", "2024-05-06"),
        (Some("Europe/Berlin"), "2024-05-06T22:30:00Z", "2024-05-07"),
        (Some("America/New_York"), "2024-05-06T03:59:59Z", "2024-05-05"),
        (Some("Asia/Kathmandu"), "2024-05-06T18:15:00Z", "2024-05-07"),
        (Some("Asia/Kathmandu"), "2024-05-06T18:14:59Z", "2024-05-06"),
        (Some("Pacific/Kiritimati"), "1753-01-01T23:59:59Z", "1753-01-01"),
    ];
    for (name, at, expected) in cases {
        let value = converts(zoned("instant", "date", name), Value::Instant(instant(at)));
        assert_eq!(value, TargetValue::Date(date(expected)), "{name:?} {at}");
    }
}

#[test]
fn dates_start_at_midnight_or_when_the_clocks_let_them() {
    let cases = [
        (None, "2024-05-06", "2024-05-06T00:00:00Z"),
        (Some("Europe/Berlin"), "2024-05-06", "2024-05-05T22:00:00Z"),
        (Some("Asia/Kolkata"), "2024-05-06", "2024-05-05T18:30:00Z"),
        // Midnight did not exist: the day began at 01:00.
        (Some("America/Sao_Paulo"), "2018-11-04", "2018-11-04T03:00:00Z"),
        // Midnight came twice: the first counts.
        (Some("America/Havana"), "2024-11-03", "2024-11-03T04:00:00Z"),
        (None, "0001-01-01", "0001-01-01T00:00:00Z"),
        (None, "1753-01-01", "1753-01-01T00:00:00Z"),
        (None, "9999-12-30", "9999-12-30T00:00:00Z"),
    ];
    for (name, day, expected) in cases {
        let value = converts(zoned("date", "datetime", name), Value::Date(date(day)));
        assert_eq!(value, TargetValue::Instant(instant(expected)), "{name:?} {day}");
    }
    let last = apply_one(zoned("date", "datetime", None), Value::Date(date("9999-12-31")));
    assert!(last.unwrap_err().contains("9999-12-30T22:00:00Z"));
}

#[test]
fn wall_times_and_dates_never_shift_whatever_the_zone() {
    for name in ZONES.iter().map(|name| Some(*name)).chain([None]) {
        for day in ["0001-01-01", "1753-01-01", "2011-12-30", "2024-03-31", "9999-12-31"] {
            let value = Value::Date(date(day));
            assert_eq!(
                converts(zoned("date", "date", name), value.clone()),
                TargetValue::Date(date(day))
            );
            assert_eq!(converts(zoned("date", "text", name), value), sent(day));
        }
        for at in ["1753-01-01T23:59:59", "2024-03-31T02:30:00", "2011-12-30T00:00:00"] {
            let (day, utc) = (at.get(..10).unwrap(), format!("{at}Z"));
            let expected = TargetValue::Date(date(day));
            assert_eq!(converts(zoned("wall", "date", name), wall(at)), expected);
            let expected = TargetValue::Instant(instant(&utc));
            assert_eq!(converts(zoned("wall", "datetime", name), wall(at)), expected);
            assert_eq!(converts(zoned("wall", "text", name), wall(at)), sent(at));
        }
    }
}

#[test]
fn instants_are_written_in_utc_with_at_most_milliseconds() {
    let at = Value::Instant(instant("2024-05-06T07:08:09Z"));
    assert_eq!(converts(field("instant", "text"), at), sent("2024-05-06T07:08:09Z"));
    let fine = Value::Instant(instant("1960-05-06T07:08:09.123999Z"));
    assert_eq!(
        converts(field("instant", "datetime"), fine),
        TargetValue::Instant(instant("1960-05-06T07:08:09.123Z"))
    );
}

#[test]
fn texts_are_read_strictly_as_times() {
    let good = [
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09Z"),
        ("2024-05-06 07:08:09.100Z", "2024-05-06T07:08:09.1Z"),
        ("2024-05-06T07:08:09+02:00", "2024-05-06T05:08:09Z"),
        ("2024-05-06T07:08-03:30", "2024-05-06T10:38:00Z"),
        ("2024-05-06T07:08:09+18:00", "2024-05-05T13:08:09Z"),
        ("2024-05-06T07:08:09+00:59", "2024-05-06T06:09:09Z"),
        ("2024-05-06T07:08:09", "2024-05-06T05:08:09Z"),
        ("2024-05-06", "2024-05-05T22:00:00Z"),
        ("2024-03-31T02:30:00", "2024-03-31T01:30:00Z"),
    ];
    let berlin = || zoned("text", "datetime", Some("Europe/Berlin"));
    for (from, expected) in good {
        assert_eq!(
            converts(berlin(), text(from)),
            TargetValue::Instant(instant(expected)),
            "{from}"
        );
    }
    for bad in [
        "20240506T070809Z",
        "2024-5-6",
        "2024-05-06T7:08",
        "2024-05-06T07:08:09.Z",
        "2024-05-06T07:08:09+0200",
        "2024-05-06T07:08:09[Europe/Berlin]",
        "2024-05-06T",
        "äöü€",
        "2024-05-06T24:00:00Z",
        " 2024-05-06",
        "2024-05-06T07:08:09.1234567890Z",
        "2024-W19-1",
        "2024-05-06T07:08:09Zx",
        "2024-05-06T07:08:09+19:00",
        "2024-05-06T07:08:09+05:60",
        "2024-05-06T07:08:09+05:61",
        "2024-05-06T07:08:09-",
        "2024/05-06",
        "2024-05/06",
        "2024-+5-06",
    ] {
        assert!(apply_one(berlin(), text(bad)).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn a_date_written_as_its_first_instant_is_that_date_again(
        days in -719_162_i64..2_932_800,
        index in 0..ZONES.len(),
    ) {
        let zone = zone(ZONES.get(index).unwrap());
        let day = date("1970-01-01").checked_add(jiff::Span::new().days(days)).unwrap();
        // Apia skipped one whole day.
        prop_assume!(day != date("2011-12-30"));
        if let Ok(start) = start_of(day, &zone) {
            prop_assert_eq!(date_of(start, &zone), day);
            let before = Timestamp::from_nanosecond(start.as_nanosecond() - 1).unwrap();
            prop_assert!(date_of(before, &zone) < day);
        }
    }

    #[test]
    fn any_instant_converts_in_any_zone(
        seconds in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(),
        index in 0..ZONES.len(),
    ) {
        let value = Value::Instant(Timestamp::from_second(seconds).unwrap());
        let name = ZONES.get(index).copied();
        for to in ["date", "datetime", "text"] {
            let mapped = apply_one(zoned("instant", to, name), value.clone());
            prop_assert!(matches!(mapped, Ok(MappedField::Send(_))), "{to}: {mapped:?}");
        }
    }
}
