//! Tests of [`super`]: what an expression means, and what a zone's changes do.

use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// The next `count` runs after `from`, each shown in the zone.
fn runs(expression: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
    let zone = zone(zone_name);
    let schedule = Schedule::parse(expression).unwrap();
    let mut now: Timestamp = from.parse().unwrap();
    let mut shown = Vec::new();
    for _ in 0..count {
        let Some(next) = schedule.next_after(now, &zone) else {
            break;
        };
        assert!(next > now);
        now = next;
        shown.push(next.to_zoned(zone.clone()).strftime("%a %d %b %H:%M:%S %z").to_string());
    }
    shown
}

#[test]
fn five_fields_start_with_the_minute_and_six_with_the_second() {
    let from = "2026-11-21T10:00:00.5Z";
    assert_eq!(
        runs("*/5 * * * *", "UTC", from, 2),
        ["Sat 21 Nov 10:05:00 +0000", "Sat 21 Nov 10:10:00 +0000"]
    );
    assert_eq!(
        runs("*/15 * * * * *", "UTC", from, 2),
        ["Sat 21 Nov 10:00:15 +0000", "Sat 21 Nov 10:00:30 +0000"]
    );
    assert_eq!(runs("* * * * * *", "UTC", from, 1), ["Sat 21 Nov 10:00:01 +0000"]);
    assert_eq!(runs("@daily", "Asia/Kathmandu", from, 1), ["Sun 22 Nov 00:00:00 +0545"]);
}

#[test]
fn weekdays_are_counted_from_sunday_as_in_cron() {
    for (field, cron) in [
        ("0", "SUN"),
        ("7", "SUN"),
        ("1", "MON"),
        ("6", "SAT"),
        ("1-5", "MON,TUE,WED,THU,FRI"),
        ("5-7", "SUN,FRI,SAT"),
        ("0-6", "*"),
        ("1-7", "*"),
        ("0-7", "*"),
        ("*", "*"),
        ("?", "*"),
        ("*/2", "SUN,TUE,THU,SAT"),
        ("1-5/2", "MON,WED,FRI"),
        ("1,3,sunday", "SUN,MON,WED"),
        ("fri-mon", "SUN,MON,FRI,SAT"),
        ("Mon-Fri/4", "MON,FRI"),
        ("5-0", "SUN,FRI,SAT"),
        ("4/2", "THU,SAT"),
        ("7-1", "SUN,MON"),
        ("7/2", "SUN,TUE,THU,SAT"),
        ("*/7", "SUN"),
    ] {
        assert_eq!(weekdays(field).as_deref(), Some(cron), "{field}");
    }
    for field in ["8", "1-8", "x", "", "1,", "*/0", "1/8", "1--2", "5#2", "5L", "-1", "+1"] {
        assert_eq!(weekdays(field), None, "{field}");
    }
    assert_eq!(runs("0 6 * * 1", "UTC", "2026-11-21T00:00:00Z", 1), ["Mon 23 Nov 06:00:00 +0000"]);
}

#[test]
fn an_error_names_the_field_at_fault() {
    let error = |text| Schedule::parse(text).unwrap_err().to_string();
    insta::assert_snapshot!(error("* * * *"), @"a schedule has 5 fields (minute first), 6 (second first) or 7 (year last), this one has 4");
    insta::assert_snapshot!(error("0 25 * * *"), @"the hour field `25` is not valid; it takes 0-23, `*`, lists `a,b`, ranges `a-b` and steps `*/n`");
    insta::assert_snapshot!(error("*/0 * * * * *"), @"the second field `*/0` is not valid; it takes 0-59, `*`, lists `a,b`, ranges `a-b` and steps `*/n`");
    insta::assert_snapshot!(error("0 0 * * FUN"), @"the weekday field `FUN` is not valid; it takes 0-7 (0 and 7 are Sunday) or SUN-SAT, `*`, lists `a,b`, ranges `a-b` and steps `*/n`");
    insta::assert_snapshot!(error("@reboot"), @"`@reboot` is not known; there are @hourly, @daily, @weekly, @monthly and @yearly");
    insta::assert_snapshot!(error("0 0 30 2 *"), @"no day of the calendar ever matches this schedule");
    insta::assert_snapshot!(error(""), @"a schedule has 5 fields (minute first), 6 (second first) or 7 (year last), this one has 0");
    assert_eq!(Schedule::parse(&"* ".repeat(200)).unwrap_err(), ScheduleError::TooLong);
    let padded = |length| Schedule::parse(&format!("{:length$}", "@daily"));
    assert_eq!(padded(MAX_BYTES + 1).unwrap_err(), ScheduleError::TooLong);
    assert_eq!(padded(MAX_BYTES).unwrap().to_string(), "@daily");
}

#[test]
fn a_skipped_civil_time_runs_once_at_the_first_instant_after_the_gap() {
    assert_eq!(
        runs("0 */10 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
        ["Sun 29 Mar 03:00:00 +0200", "Mon 30 Mar 02:00:00 +0200"]
    );
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
        ["Sun 29 Mar 03:00:00 +0200", "Mon 30 Mar 02:30:00 +0200"]
    );
    assert_eq!(
        runs("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2),
        ["Sun 04 Nov 01:00:00 -0200", "Mon 05 Nov 00:00:00 -0200"]
    );
}

#[test]
fn a_repeated_civil_time_runs_once_at_its_first_occurrence() {
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["Sun 25 Oct 02:30:00 +0200", "Mon 26 Oct 02:30:00 +0100"]
    );
    // Started between the two: the first has passed, the second does not count.
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", 1),
        ["Mon 26 Oct 02:30:00 +0100"]
    );
    assert_eq!(
        runs("*/20 1-3 * * *", "Europe/Berlin", "2026-10-25T00:20:00Z", 3),
        ["Sun 25 Oct 02:40:00 +0200", "Sun 25 Oct 03:00:00 +0100", "Sun 25 Oct 03:20:00 +0100"]
    );
}

#[test]
fn an_interval_runs_through_both_passes_of_a_repeated_hour() {
    assert_eq!(
        runs("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:00Z", 5),
        [
            "Sun 25 Oct 02:00:00 +0200",
            "Sun 25 Oct 02:30:00 +0200",
            "Sun 25 Oct 02:00:00 +0100",
            "Sun 25 Oct 02:30:00 +0100",
            "Sun 25 Oct 03:00:00 +0100"
        ]
    );
    for every_hour in ["30 */2 * * *", "30 1-22,*/2 * * *", "30 0-23 * * *"] {
        let twice = runs(every_hour, "Europe/Berlin", "2026-10-25T00:10:00Z", 2);
        assert_eq!(twice, ["Sun 25 Oct 02:30:00 +0200", "Sun 25 Oct 02:30:00 +0100"]);
    }
}

#[test]
fn a_zone_without_changes_and_a_clock_before_1970_have_their_runs() {
    let next = |expression: &str, from: &str, zone: &TimeZone| {
        let schedule = Schedule::parse(expression).unwrap();
        schedule.next_after(from.parse().unwrap(), zone).unwrap().to_string()
    };
    let east = TimeZone::fixed(jiff::tz::offset(5));
    assert_eq!(next("0 6 * * *", "2026-11-21T02:00:00Z", &east), "2026-11-22T01:00:00Z");
    for before in ["1969-12-31T23:59:59.5Z", "1969-06-01T00:00:00Z"] {
        assert_eq!(next("* * * * * *", before, &TimeZone::UTC), "1970-01-01T00:00:00Z");
    }
}

#[test]
fn after_the_last_year_there_is_no_next_run() {
    let schedule = Schedule::parse("0 0 0 1 1 * 2020").unwrap();
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(schedule.next_after(now, &TimeZone::UTC), None);
    for extreme in [Timestamp::MIN, Timestamp::MAX] {
        let every = Schedule::parse("* * * * * *").unwrap();
        assert!(every.next_after(extreme, &zone("Europe/Berlin")).is_none_or(|t| t > extreme));
    }
}

const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "UTC",
    "Asia/Kathmandu",
];

const EXPRESSIONS: [&str; 9] = [
    "*/15 * * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "0 */2 * * *",
    "*/20 1-3 * * *",
    "0 0 * * *",
    "15,45 0-4 * * 0",
    "0 0 1 * *",
    "59 59 1 * * *",
];

/// What the module's description says, computed the slow way: every second
/// around a change, by the civil time before and at it.
fn slow(schedule: &Schedule, from: Timestamp, until: Timestamp, zone: &TimeZone) -> Vec<Timestamp> {
    let mut seen = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    let civil = |t: Timestamp| t.as_second() + seconds(zone.to_offset(t));
    let hits =
        |second: i64| schedule.matcher.includes(DateTime::from_timestamp(second, 0).unwrap());
    let mut now = from;
    while now <= until {
        let (old, new) = (civil(now - 1.second()), civil(now));
        let repeated = !seen.insert(new);
        let due =
            (old + 1..=new.max(old + 1)).any(|second| (second == new || new > old) && hits(second));
        let due = if new > old { due } else { hits(new) };
        if due && (schedule.interval || !repeated) {
            found.push(now);
        }
        now += 1.second();
    }
    found
}

#[test]
fn next_is_strictly_later_and_as_described_over_every_zone_change_of_five_years() {
    let (start, end): (Timestamp, Timestamp) =
        ("2026-01-01T00:00:00Z".parse().unwrap(), "2031-01-01T00:00:00Z".parse().unwrap());
    for zone_name in ZONES {
        let zone = zone(zone_name);
        let mut changes: Vec<_> =
            zone.following(start).map(|c| c.timestamp()).take_while(|t| *t < end).collect();
        changes.push("2026-06-30T23:00:00Z".parse().unwrap());
        if zone_name == "America/Sao_Paulo" {
            changes.push("2018-11-04T03:00:00Z".parse().unwrap());
            changes.push("2018-02-18T02:00:00Z".parse().unwrap());
        }
        for (position, change) in changes.iter().enumerate() {
            // Every expression at the first changes, then in turn: the debug
            // build pays for each second.
            for (number, expression) in EXPRESSIONS.iter().enumerate() {
                if position >= 2 && (position + number) % EXPRESSIONS.len() != 0 {
                    continue;
                }
                let schedule = Schedule::parse(expression).unwrap();
                let from = *change - SignedDuration::from_mins(150);
                let until = *change + SignedDuration::from_mins(150);
                let mut fast = Vec::new();
                let mut now = from - 1.second();
                while let Some(next) = schedule.next_after(now, &zone) {
                    assert!(next > now, "{expression} {zone_name} {now}");
                    if next > until {
                        break;
                    }
                    fast.push(next);
                    now = next;
                }
                assert_eq!(fast, slow(&schedule, from, until, &zone), "{expression} {zone_name}");
            }
        }
    }
}

/// A field of values from 0 to `most`, with the values that it names.
fn field(most: i8) -> impl Strategy<Value = (String, Vec<i8>)> {
    prop_oneof![
        Just(("*".to_owned(), (0..=most).collect())),
        (1..=most).prop_map(move |step| {
            (format!("*/{step}"), (0..=most).step_by(step.unsigned_abs().into()).collect())
        }),
        (0..=most, 0..=most).prop_map(|(a, b)| (format!("{a},{b}"), vec![a, b])),
        (0..=most, 0..=most).prop_map(|(a, b)| {
            let (first, last) = (a.min(b), a.max(b));
            (format!("{first}-{last}"), (first..=last).collect())
        }),
    ]
}

proptest! {
    #[test]
    fn next_is_strictly_later_and_never_falls_back(
        zone_name in prop::sample::select(ZONES.to_vec()),
        expression in prop::sample::select(EXPRESSIONS.to_vec()),
        second in 1_767_225_600_i64..1_924_992_000,
        nanosecond in 0_i32..1_000_000_000,
        later in 0_i64..7200,
    ) {
        let zone = zone(zone_name);
        let schedule = Schedule::parse(expression).unwrap();
        let now = Timestamp::new(second, nanosecond).unwrap();
        let next = schedule.next_after(now, &zone).unwrap();
        prop_assert!(next > now);
        let then = now + SignedDuration::from_secs(later);
        let after = schedule.next_after(then, &zone).unwrap();
        prop_assert!(after >= next);
        // Nothing lies between: asking from any moment before it finds it.
        let between = next - SignedDuration::from_nanos(1);
        prop_assert_eq!(schedule.next_after(between.max(now), &zone), Some(next));
    }

    #[test]
    fn every_run_of_any_expression_is_a_civil_time_it_names_or_follows_a_gap(
        minutes in field(59), hours in field(23), days in field(6),
        zone_name in prop::sample::select(ZONES.to_vec()),
        second in 1_767_225_600_i64..1_924_992_000,
    ) {
        let ((minute, minutes), (hour, hours), (day, days)) = (minutes, hours, days);
        let zone = zone(zone_name);
        let schedule = Schedule::parse(&format!("{minute} {hour} * * {day}")).unwrap();
        let mut now = Timestamp::from_second(second).unwrap();
        for _ in 0..3 {
            let next = schedule.next_after(now, &zone).unwrap();
            prop_assert!(next > now);
            let civil = zone.to_datetime(next);
            let weekday = civil.weekday().to_sunday_zero_offset();
            let named = minutes.contains(&civil.minute())
                && hours.contains(&civil.hour())
                && days.contains(&weekday)
                && civil.second() == 0;
            let before = next - SignedDuration::from_nanos(1);
            let after_gap = zone.to_offset(before) < zone.to_offset(next);
            prop_assert!(named || after_gap, "{schedule}: {civil} in {zone_name}");
            now = next;
        }
    }

    #[test]
    fn no_text_makes_parsing_panic(text in "[-0-9*/,?@A-Z #L]{0,40}") {
        let _ = Schedule::parse(&text);
    }
}

#[test]
fn a_run_is_due_once_its_time_has_come_and_missed_runs_are_one() {
    let hourly = Schedule::parse("0 0 * * * *").unwrap();
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let cases = [
        (None, "2026-03-01T12:00:00Z", true),
        (Some("2026-03-01T12:00:00Z"), "2026-03-01T12:59:59Z", false),
        (Some("2026-03-01T12:00:00Z"), "2026-03-01T13:00:00Z", true),
        (Some("2026-03-01T12:00:00Z"), "2026-03-09T00:30:00Z", true),
        // A clock that went back makes no run early.
        (Some("2026-03-01T12:00:00Z"), "2026-02-01T12:00:00Z", false),
    ];
    for (last, now, expected) in cases {
        let due = hourly.is_due(last.map(at), at(now), &TimeZone::UTC);
        assert_eq!(due, expected, "{last:?} {now}");
    }
}
