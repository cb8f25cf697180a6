//! What no file may say, and where it may be said after all.
//!
//! Clippy (`clippy.toml`, the lints of `Cargo.toml`) refuses most of the same
//! by type; this finds it by name, in macros too.

use crate::source::Source;
use crate::{Rule, Violation};

struct Ban {
    rule: Rule,
    /// Files or folders where it is allowed.
    allowed: &'static [&'static str],
    hit: fn(&[&str]) -> bool,
    what: &'static str,
}

/// Types whose `now` asks the machine.
const CLOCKS: [&str; 8] =
    ["Instant", "SystemTime", "Timestamp", "Zoned", "Utc", "Local", "OffsetDateTime", "DateTime"];

const BANS: &[Ban] = &[
    Ban {
        rule: Rule::Now,
        allowed: &["src/clock.rs"],
        hit: |path| matches!(path, [.., clock, "now"] if CLOCKS.contains(clock)),
        what: "asks for the time; take it from clock::Clock",
    },
    Ban {
        rule: Rule::Randomness,
        allowed: &["src/clock.rs"],
        hit: |path| {
            matches!(path, ["rand" | "fastrand" | "getrandom", _, ..] | ["aws_lc_rs", "rand", ..])
                || matches!(path, [.., "thread_rng" | "OsRng" | "new_v4" | "now_v7"])
                || matches!(path, [.., "RandomState", "new"])
        },
        what: "asks for randomness; take it from clock::Clock",
    },
    Ban {
        rule: Rule::Unbounded,
        allowed: &[],
        hit: |path| {
            matches!(path, [.., "unbounded_channel" | "UnboundedSender" | "UnboundedReceiver"])
                || matches!(path, [_, .., "unbounded"])
                || matches!(path, ["std", "sync", "mpsc"] | ["std", "sync", "mpsc", "channel"])
        },
        what: "a channel without a bound; give it one",
    },
    Ban {
        rule: Rule::Spawn,
        allowed: &["src/sandbox/", "src/daemon/tasks.rs"],
        hit: |path| {
            matches!(path, ["tokio", "spawn"])
                || matches!(path, [.., "task", "spawn" | "spawn_local"])
                || matches!(path, [.., "Handle", "current"])
        },
        what: "a task that nobody waits for; use a JoinSet or the task registry",
    },
    Ban {
        rule: Rule::Reqwest,
        allowed: &["src/http/"],
        hit: |path| matches!(path, ["reqwest", _, ..]),
        what: "reqwest is known in http/ only",
    },
    Ban {
        rule: Rule::Rusqlite,
        allowed: &["src/store/"],
        hit: |path| matches!(path, ["rusqlite", _, ..]),
        what: "rusqlite is known in store/ only",
    },
    Ban {
        rule: Rule::Anyhow,
        allowed: &["src/cli/", "src/cli.rs", "src/daemon/", "src/main.rs"],
        hit: |path| matches!(path, ["anyhow", _, ..]),
        what: "anyhow is for cli/, daemon/ and main.rs; errors elsewhere have types",
    },
    Ban {
        rule: Rule::Tracing,
        allowed: &["src/telemetry/"],
        hit: |path| matches!(path, ["tracing" | "log", what, ..] if LOG.contains(what)),
        what: "the log has types of telemetry/ only, so that each event has its fields",
    },
];

/// What `tracing` offers to those who write lines or name what they do.
const LOG: [&str; 14] = [
    "event",
    "error",
    "warn",
    "info",
    "debug",
    "trace",
    "span",
    "error_span",
    "warn_span",
    "info_span",
    "debug_span",
    "trace_span",
    "instrument",
    "dispatcher",
];

/// Checks a Rust file; `test` says that only tests are built of it.
pub(crate) fn check(source: &Source, test: bool, found: &mut Vec<Violation>) {
    let mut report = |rule, line, what: &str| {
        let path = source.path.clone();
        let violation = Violation { rule, path, line, what: what.to_owned() };
        if found.last() != Some(&violation) {
            found.push(violation);
        }
    };
    let program = source.path.starts_with("src/");
    for path in &source.paths {
        let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
        if segments.windows(2).any(|pair| pair == ["super", "super"]) {
            report(Rule::SuperSuper, path.line, "super::super; name the module from crate on");
        }
        for ban in BANS.iter().filter(|_| program) {
            // The tasks of a test end with it.
            let tested = ban.rule == Rule::Spawn && (test || source.is_test(path.line));
            let allowed = tested || ban.allowed.iter().any(|place| source.path.starts_with(place));
            if !allowed && (ban.hit)(&segments) {
                report(ban.rule, path.line, &format!("{}: {}", segments.join("::"), ban.what));
            }
        }
    }
    for (idents, line) in &source.attributes {
        let first = idents.first().map(String::as_str);
        if first == Some("ignore")
            || (first == Some("cfg_attr") && idents.iter().any(|ident| ident == "ignore"))
        {
            report(Rule::Ignored, *line, "an ignored test; mend it or remove it");
        }
    }
    if source.path.starts_with("src/store/") {
        for (text, first) in &source.strings {
            for (line, word) in clock_words(text) {
                report(
                    Rule::SqlClock,
                    first + line,
                    &format!("{word} in SQL; bind clock::Clock's"),
                );
            }
        }
    }
}

/// Checks a migration.
pub(crate) fn check_migration(path: &str, text: &str, found: &mut Vec<Violation>) {
    let path = path.to_owned();
    for (line, word) in clock_words(text) {
        let what = format!("{word} in SQL; bind clock::Clock's");
        found.push(Violation { rule: Rule::SqlClock, path: path.clone(), line: line + 1, what });
    }
    // A statement may be broken over lines: the words are looked for in a row.
    let code = without_comments(text, true);
    let words = code.lines().enumerate().flat_map(|(line, text)| {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.filter(|word| !word.is_empty()).map(move |word| (line + 1, word.to_uppercase()))
    });
    let words: Vec<(usize, String)> = words.collect();
    for three in words.windows(3) {
        let [(line, a), (_, b), (_, c)] = three else { continue };
        if (a.as_str(), b.as_str(), c.as_str()) == ("IF", "NOT", "EXISTS") {
            let (path, what) = (path.clone(), "IF NOT EXISTS; a migration knows what it finds");
            let what = what.to_owned();
            found.push(Violation { rule: Rule::IfNotExists, path, line: *line, what });
        }
    }
}

/// Where SQL asks for time or randomness: line from 0, and the word. A function
/// counts only with its parenthesis, so that prose may say "random".
fn clock_words(sql: &str) -> Vec<(usize, &'static str)> {
    const WORDS: [&str; 3] = ["current_timestamp", "current_date", "current_time"];
    // Without an argument SQLite's time functions take the present.
    const CALLS: [&str; 7] =
        ["random(", "randomblob(", "date()", "time()", "datetime()", "julianday()", "unixepoch()"];
    const NOW: [&str; 2] = ["('now'", ",'now'"];
    let mut hits = Vec::new();
    for (line, text) in without_comments(sql, true).to_lowercase().lines().enumerate() {
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            hits.extend(WORDS.iter().filter(|known| **known == word).map(|known| (line, *known)));
        }
        let dense = dense(text);
        let begins = |at: usize| {
            let before = dense.get(..at).unwrap_or_default();
            !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        };
        let called = |call: &&&str| dense.match_indices(**call).any(|(at, _)| begins(at));
        hits.extend(CALLS.iter().filter(called).map(|call| (line, *call)));
    }
    for (line, text) in without_comments(sql, false).to_lowercase().lines().enumerate() {
        let dense = dense(text);
        hits.extend(NOW.iter().filter(|now| dense.contains(**now)).map(|_| (line, "'now'")));
    }
    hits
}

/// A line without the spaces that mean nothing beside parentheses and commas.
fn dense(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(" (", "(").replace("( ", "(").replace(", ", ",")
}

/// SQL without its comments and, if asked, without what stands in quotes;
/// lines stay where they are.
fn without_comments(sql: &str, unquoted: bool) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(next) = rest.chars().next() {
        let taken = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if next == '\'' && unquoted {
            rest.get(1..).and_then(|inner| inner.find('\'')).map_or(rest.len(), |end| end + 2)
        } else {
            out.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
            continue;
        };
        let (gone, left) = rest.split_at(taken);
        out.extend(gone.chars().filter(|c| *c == '\n'));
        out.push(' ');
        rest = left;
    }
    out
}
