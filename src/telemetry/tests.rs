//! `docs/events.md` says of every event what the program says of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::catalogue;

const OPENING: &str = "\
# Events

What `cdsync` writes to its log, one line per event: JSON, lines for people, or
fields of the journal (`--log-format`). Every line has `timestamp`, `level` and
`event`, a name that stays; the other fields are listed here. Units stand in the
names. Ids of records may appear; names, addresses, mapped values, tokens and
secrets may not.

`--log-level` sets the least important level that is written; the default is
`info`. Events that are `debug` while nothing changes say so below.

This page is compared with the program at every test run
(`src/telemetry/tests.rs`); the texts stand beside the events' types in
`src/telemetry/`.
";

fn page() -> String {
    let mut out = OPENING.to_owned();
    out.push_str("\n| event | level | meaning |\n|---|---|---|\n");
    for event in catalogue() {
        let anchor: String = event.name.chars().filter(|c| *c != '.').collect();
        let first = event.meaning.trim().split_inclusive(". ").next().unwrap_or_default().trim();
        let _ = writeln!(
            out,
            "| [`{}`](#{anchor}) | {} | {first} |",
            event.name,
            event.level.to_lowercase(),
        );
    }
    for event in catalogue() {
        let _ = writeln!(
            out,
            "\n## `{}`\n\nLevel {}{}. {}\n\n**What to do:** {}\n\n| field | meaning |\n|---|---|",
            event.name,
            event.level.to_lowercase(),
            unless(event.how),
            event.meaning.trim(),
            event.action,
        );
        for (name, meaning) in event.fields {
            let _ = writeln!(out, "| `{name}` | {} |", meaning.trim());
        }
    }
    out
}

/// When a line is less important than its level says.
fn unless(how: &str) -> &'static str {
    match how {
        "once" => "; in a daemon debug while each pass meets the same again",
        "maybe" => "; in a daemon debug where it tells nothing new",
        _ => "",
    }
}

#[test]
fn the_page_of_events_says_what_the_program_says() {
    let expected = page();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md");
    let found = std::fs::read_to_string(path).unwrap_or_default();
    if found == expected {
        return;
    }
    let (mut old, mut new) = (found.lines(), expected.lines());
    let mut line = 1;
    let (old, new) = loop {
        match (old.next(), new.next()) {
            (old, new) if old != new => break (old, new),
            _ => line += 1,
        }
    };
    panic!(
        "docs/events.md differs at line {line}:\n  there: {}\n  here:  {}\n\
         paste this into it, whole:\n\n{expected}",
        old.unwrap_or("(its end)"),
        new.unwrap_or("(its end)"),
    );
}

#[test]
fn every_event_has_a_dotted_name_of_its_own_and_says_what_to_do() {
    let mut names = BTreeSet::new();
    for event in catalogue() {
        let name = event.name;
        assert!(names.insert(name), "{name} is there twice");
        let dotted = name.split_once('.').is_some_and(|(head, tail)| {
            let plain = |part: &str| {
                !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            };
            plain(head) && plain(tail)
        });
        assert!(dotted, "{name}");
        assert!(event.meaning.trim().ends_with('.'), "{name}: its meaning is no sentence");
        assert!(event.action.ends_with('.'), "{name}: what to do is no sentence");
        if matches!(event.level, "WARN" | "ERROR") {
            assert!(event.action.len() > "Nothing.".len(), "{name} asks for a look, but at what?");
        }
        for (field, meaning) in event.fields {
            assert!(!meaning.trim().is_empty(), "{name}.{field}");
            let timed = ["wait", "silent", "waited", "duration", "age", "retention", "use"];
            let unit = field.ends_with("_ms") || field.ends_with("_seconds");
            assert!(unit || !timed.contains(field), "{name}.{field} has no unit");
        }
    }
}

#[test]
fn the_page_of_troubles_has_an_entry_for_each_event_that_wants_a_look() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/troubleshooting.md");
    let page = std::fs::read_to_string(path).unwrap();
    let entries: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### `"))
        .filter_map(|line| line.strip_suffix('`'))
        .collect();
    let all = catalogue();
    let wanted = all.iter().filter(|event| matches!(event.level, "WARN" | "ERROR"));
    let wanted: BTreeSet<&str> = wanted.map(|event| event.name).collect();
    assert_eq!(entries, wanted, "left: docs/troubleshooting.md, right: the program");
}
