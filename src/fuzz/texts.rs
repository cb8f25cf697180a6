//! Fuzz targets of texts: the configuration, schedules, events of the journal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::config::load;
use crate::fuzz::{MARKER, first_line, quiet};
use crate::mapping::events::{KindWord, Pointer, Pointers, Recognised, Recognition};
use crate::model::EventKind;
use crate::schedule::Schedule;

/// A configuration file: every problem has a place within it, and none shows
/// what stands under the key of a secret.
pub(super) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = match load(text) {
        Ok(config) => {
            let again = load(text).map(|again| format!("{:?}", again.store));
            assert_eq!(again, Ok(format!("{:?}", config.store)));
            return;
        }
        Err(found) => found,
    };
    assert!(found.len() > 0);
    let lines = text.split('\n').count();
    for problem in found.iter() {
        assert!((1..=lines).contains(&problem.line), "{problem}");
        assert!(problem.column >= 1 && !problem.problem.is_empty() && !problem.hint.is_empty());
    }
    let (plain, coloured) =
        (found.render(text, "c.toml", false), found.render(text, "c.toml", true));
    if only_secrets(text) {
        for shown in [plain, coloured, found.to_string()] {
            assert!(!shown.contains(MARKER), "{text}\n{shown}");
        }
    }
}

/// Whether the marker stands nowhere but on lines of `client_secret`, whole and
/// in quotes, outside of comments.
fn only_secrets(text: &str) -> bool {
    let secret = format!("client_secret = \"{MARKER}\"");
    let lines = || text.lines().filter(|line| line.contains(MARKER));
    // A quote that stays open would make text of what looks like a key.
    !text.contains("\"\"\"")
        && !text.contains("'''")
        && lines().count() > 0
        && lines().all(|line| line.trim() == secret)
}

/// A schedule: times rise, none is skipped, and the text says it all.
pub(super) fn cron(data: &[u8]) {
    let (zone, text) = first_line(data);
    let zones = ["Europe/Oslo", "UTC", "America/St_Johns", "Australia/Lord_Howe", "Asia/Gaza"];
    let zone = zones[zone.first().map_or(0, |byte| usize::from(*byte) % zones.len())];
    let zone = TimeZone::get(zone).unwrap();
    let Ok(text) = std::str::from_utf8(text) else { return };
    let schedule = match Schedule::parse(text) {
        Ok(schedule) => schedule,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let again = Schedule::parse(&schedule.to_string()).unwrap();
    for begin in ["2026-03-28T22:00:00Z", "2026-10-24T23:30:00.5Z", "2099-12-31T23:59:58Z"] {
        let mut now: Timestamp = begin.parse().unwrap();
        for _ in 0..4 {
            let next = schedule.next_after(now, &zone);
            assert_eq!(next, again.next_after(now, &zone));
            let Some(next) = next else { break };
            assert!(next > now && next.subsec_nanosecond() == 0, "{text:?}: {next} after {now}");
            let before = next - jiff::SignedDuration::from_nanos(1);
            assert_eq!(schedule.next_after(before.max(now), &zone), Some(next), "{text:?}");
            assert!(!schedule.is_due(Some(now), before.max(now), &zone));
            assert!(schedule.is_due(Some(now), next, &zone));
            now = next;
        }
    }
}

/// One event of the journal: what Dynamics hears of it has an id, a contact and
/// a time, and what is not understood is told without its content.
pub(super) fn event(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Json>(data) else { return };
    let events = [EventKind::Send, EventKind::Open, EventKind::Click, EventKind::Bounce];
    let pointer = |text| Pointer::new(text);
    let pointers = Pointers {
        id: pointer("/data/id"),
        kind: pointer("/data/kind"),
        contact: pointer("/data/contact"),
        time: pointer("/data/time"),
        url: pointer("/data/url"),
        ..Pointers::default()
    };
    let kinds: BTreeMap<String, KindWord> = [
        ("opened".to_owned(), KindWord::Kind(EventKind::Open)),
        ("ignored".to_owned(), KindWord::Ignore),
    ]
    .into();
    let usual = Recognition { events: events.into(), ..Recognition::default() };
    let told = Recognition { pointers, kinds, ..usual.clone() };
    for recognition in [usual, told] {
        match recognition.recognise(&event) {
            Recognised::Event(event) => {
                for id in [&event.id, &event.contact] {
                    assert!(!id.is_empty() && id.len() <= 512 && !id.contains(char::is_control));
                }
                assert!(event.url.is_none() || event.kind == EventKind::Click);
                let texts = [event.campaign, event.delivery, event.url, event.mirror_page];
                assert!(texts.iter().flatten().all(|text| text.len() <= 8192));
            }
            Recognised::Filtered(_) => {}
            Recognised::Unrecognised(told) => quiet(&told),
        }
        if let Some(name) = recognition.told_name(&event) {
            let (length, rest) = name.split_once(':').unwrap();
            let length: usize = length.parse().unwrap();
            assert_eq!(rest.as_bytes().get(length), Some(&b':'), "one name for one event");
        }
    }
}
