//! Planted violations: every rule finds its own and leaves lookalikes alone.

use crate::{Rule, Violation, check, places};

/// A file with its `//!` line; what is planted begins on line 2.
fn file(path: &str, text: &str) -> (String, String) {
    let head = if path.starts_with("migrations/") { "-- A migration." } else { "//! Planted." };
    (path.to_owned(), format!("{head}\n{text}\n"))
}

fn planted(path: &str, text: &str) -> Vec<Violation> {
    check(&[file(path, text)])
}

/// Path, text on line 2, and the rule that must find it there.
const PLANTED: &[(Rule, &str, &str)] = &[
    (Rule::Layering, "src/model/a.rs", "use crate::store::Store;"),
    (Rule::Layering, "src/model/a.rs", "use crate::{model::Flow, store::Store};"),
    (Rule::Layering, "src/model/a.rs", "fn f() -> crate::http::Failure { todo() }"),
    (Rule::Layering, "src/model/a.rs", "fn f() { log!(\"{}\", crate::clock::seconds()); }"),
    (Rule::Layering, "src/schedule.rs", "use super::model::Flow;"),
    (Rule::Layering, "src/schedule.rs", "mod inner { use super::super::model::Flow; }"),
    (Rule::Layering, "src/flows/a.rs", "use crate::http::Failure;"),
    (Rule::Layering, "src/flows/a.rs", "use crate::campaign::{Reader, Writer};"),
    (Rule::Layering, "src/delivery/a.rs", "use crate::dynamics::Reader;"),
    (Rule::Layering, "src/delivery/a.rs", "use crate::http::Client;"),
    (Rule::Layering, "src/delivery/a.rs", "use crate::campaign::*;"),
    (Rule::Layering, "src/sandbox/a.rs", "use crate::model::RecordId;"),
    (Rule::Layering, "src/cli/a.rs", "use crate::http::Client;"),
    (Rule::Layering, "src/app.rs", "use crate::sandbox::Sandbox;"),
    (Rule::Layering, "src/main.rs", "use cdsync::sandbox;"),
    (Rule::Layering, "src/flows/a.rs", "#[cfg(not(test))] mod m { use crate::http::Client; }"),
    (Rule::Now, "src/store/a.rs", "fn f() { std::time::Instant::now(); }"),
    (Rule::Now, "src/store/a.rs", "fn f() { SystemTime::now(); }"),
    (Rule::Now, "src/store/a.rs", "fn f() { tokio::select! { _ = g(Timestamp::now()) => {} } }"),
    (Rule::Now, "src/store/a.rs", "#[cfg(test)] mod tests { fn f() { Zoned::now(); } }"),
    (Rule::Randomness, "src/http/a.rs", "fn f() -> u8 { rand::random() }"),
    (Rule::Randomness, "src/http/a.rs", "use rand::{thread_rng, Rng};"),
    (Rule::Randomness, "src/http/a.rs", "fn f() { uuid::Uuid::new_v4(); }"),
    (Rule::Randomness, "src/http/a.rs", "use aws_lc_rs::rand::fill;"),
    (Rule::SqlClock, "src/store/a.rs", "const Q: &str = \"SELECT CURRENT_TIMESTAMP\";"),
    (Rule::SqlClock, "src/store/a.rs", "const Q: &str = \"SELECT datetime('now')\";"),
    (Rule::SqlClock, "src/store/a.rs", "const Q: &str = r#\"SELECT random()\"#;"),
    (Rule::SqlClock, "src/store/a.rs", "const C: &str = \"id, datetime( ), seal\";"),
    (Rule::SqlClock, "src/store/a.rs", "const C: &str = \"order by Random ()\";"),
    (Rule::SqlClock, "migrations/0001_a.sql", "CREATE TABLE a (t TEXT DEFAULT current_timestamp);"),
    (Rule::SqlClock, "migrations/0001_a.sql", "INSERT INTO a VALUES (strftime('%s', 'now'));"),
    (Rule::Unbounded, "src/store/a.rs", "fn f() { tokio::sync::mpsc::unbounded_channel::<u8>(); }"),
    (Rule::Unbounded, "src/store/a.rs", "use tokio::sync::mpsc::{Sender, UnboundedSender};"),
    (Rule::Unbounded, "src/store/a.rs", "use std::sync::mpsc;"),
    (Rule::Unbounded, "src/store/a.rs", "fn f() { futures::channel::mpsc::unbounded::<u8>(); }"),
    (Rule::Spawn, "src/http/a.rs", "fn f() { tokio::spawn(async {}); }"),
    (Rule::Spawn, "src/http/a.rs", "use tokio::{spawn, time};"),
    (Rule::Spawn, "src/http/a.rs", "fn f() { tokio::task::spawn(async {}); }"),
    (Rule::Reqwest, "src/campaign/a.rs", "fn f(c: reqwest::Client) {}"),
    (Rule::Rusqlite, "src/flows/a.rs", "use rusqlite::Connection;"),
    (Rule::Anyhow, "src/http/a.rs", "fn f() -> anyhow::Result<()> { Ok(()) }"),
    (Rule::Anyhow, "src/http/a.rs", "fn f() { anyhow::bail!(\"no\"); }"),
    (Rule::SuperSuper, "src/http/a.rs", "use super::super::http::Client;"),
    (Rule::SuperSuper, "src/http/a.rs", "use super::{super::http::Client};"),
    (Rule::SuperSuper, "tests/it/a.rs", "#[cfg(test)] mod tests { use super::super::x; }"),
    (Rule::Tracing, "src/flows/a.rs", "fn f() { tracing::info!(name = 1); }"),
    (Rule::Tracing, "src/http/a.rs", "use tracing::{debug, Level};"),
    (Rule::Tracing, "src/http/a.rs", "fn f() { log::warn!(\"x\"); }"),
    (Rule::Ignored, "tests/it/a.rs", "#[test] #[ignore] fn a_test() {}"),
    (Rule::Ignored, "tests/it/a.rs", "#[test] #[ignore = \"slow\"] fn a_test() {}"),
    (Rule::Ignored, "tests/it/a.rs", "#[test] #[cfg_attr(unix, ignore)] fn a_test() {}"),
    (Rule::IfNotExists, "migrations/0001_a.sql", "CREATE TABLE if  not exists a (b INTEGER);"),
    (Rule::IfNotExists, "migrations/0001_a.sql", "CREATE TABLE IF\nNOT EXISTS a (b INTEGER);"),
    (Rule::Unfuzzed, "src/http/a.rs", "fn f(b: &[u8]) -> Value { serde_json::from_slice(b)? }"),
    (Rule::Unfuzzed, "src/mapping/a.rs", "fn f() { g(serde_json::from_str::<Value>(text)); }"),
    (Rule::Unfuzzed, "src/campaign/a.rs", "use csv_core::{ReadRecordResult, Reader};"),
    (Rule::Syntax, "src/http/a.rs", "fn f( {"),
];

/// The same in a comment or in a string, or what only looks like it.
const LOOKALIKES: &[(&str, &str)] = &[
    ("src/model/a.rs", "// use crate::store::Store;"),
    ("src/model/a.rs", "/* crate::store::Store */"),
    ("src/model/a.rs", "/// Goes into [`crate::store::Store`].\nstruct A;"),
    ("src/model/a.rs", "const A: &str = \"use crate::store::Store;\";"),
    ("src/model/a.rs", "use crate::model::store::Name;"),
    ("src/model/a.rs", "pub(crate) struct A;"),
    ("src/model/a.rs", "use super::store::Name;"),
    ("src/model/a.rs", "mod inner { use super::store::Name; }"),
    ("src/model/a.rs", "#[cfg(test)]\nmod tests {\n    use crate::store::Store;\n}"),
    ("src/flows/a.rs", "use crate::campaign::{Failure, Reader};"),
    ("src/flows/a.rs", "use http::Method;"),
    ("src/delivery/a.rs", "use crate::{campaign::Writer, http::Outcome, mapping::canonical};"),
    ("src/store/a.rs", "fn f() { crate::failpoint::hit(1); }"),
    ("src/main.rs", "fn main() { cdsync::cli::run(); }"),
    (
        "src/cli/a.rs",
        "use tracing_subscriber::fmt::MakeWriter; const A: Level = tracing::Level::INFO;",
    ),
    ("src/sandbox/a.rs", "use self::log::System;"),
    ("src/clock.rs", "fn f() { std::time::Instant::now(); rand::random(); }"),
    ("src/store/a.rs", "fn f(clock: &Clock) { clock.now(); /* Instant::now() */ }"),
    ("src/store/a.rs", "const A: &str = \"Instant::now() and rand::thread_rng()\";"),
    ("src/store/a.rs", "// SELECT CURRENT_TIMESTAMP, datetime('now')\nfn f() {}"),
    ("src/store/a.rs", "/// CURRENT_TIMESTAMP is not used.\nfn f() {}"),
    ("src/store/a.rs", "const Q: &str = \"SELECT 1 -- CURRENT_TIMESTAMP\";"),
    ("src/store/a.rs", "const TEXT: &str = \"no random number; update() and at_time()\";"),
    ("src/flows/a.rs", "const TEXT: &str = \"CURRENT_TIMESTAMP\";"),
    ("migrations/0001_a.sql", "-- CURRENT_TIMESTAMP, IF NOT EXISTS\nCREATE TABLE a (b TEXT);"),
    ("migrations/0001_a.sql", "/* random() */ INSERT INTO a VALUES ('IF NOT EXISTS');"),
    ("src/store/a.rs", "use tokio::sync::mpsc::channel; // not unbounded_channel"),
    ("src/store/a.rs", "const A: &str = \"unbounded_channel\"; fn f(unbounded: bool) {}"),
    ("src/http/a.rs", "fn f(mut set: JoinSet<()>) { set.spawn(async {}); }"),
    ("src/http/a.rs", "fn f() { tokio::task::spawn_blocking(|| ()); std::thread::spawn(|| ()); }"),
    ("src/http/a.rs", "#[cfg(test)]\nmod tests { fn f() { tokio::spawn(async {}); } }"),
    ("src/sandbox/a.rs", "fn f() { tokio::spawn(async {}); }"),
    ("src/http/a.rs", "fn f(c: reqwest::Client) {}"),
    ("src/http/body.rs", "fn f(b: &[u8]) { serde_json::from_slice(b); }"),
    ("src/http/a.rs", "#[cfg(any(test, fuzzing))] mod m { fn f() { serde_json::from_slice(b); } }"),
    ("src/store/a.rs", "fn f(t: &str) { serde_json::from_str(t); serde_json::to_string(t); }"),
    ("src/campaign/a.rs", "// reqwest::Client\nconst A: &str = \"rusqlite::Row anyhow::Error\";"),
    ("src/store/a.rs", "use rusqlite::Connection;"),
    ("src/cli/a.rs", "use anyhow::Context;"),
    ("src/http/a.rs", "// super::super\nuse super::client::Client;"),
    ("tests/it/a.rs", "// #[ignore]\n#[test] fn a_test() { let ignore = \"#[ignore]\"; }"),
    ("tests/it/a.rs", "fn f() { std::time::Instant::now(); }"),
];

#[test]
fn every_planted_violation_is_found_at_its_line() {
    for (rule, path, text) in PLANTED {
        let found = planted(path, text);
        let hit = found.iter().any(|violation| violation.rule == *rule && violation.line == 2);
        assert!(hit, "{rule:?} not found in {path}: {text}\n{found:?}");
    }
}

#[test]
fn no_lookalike_is_taken_for_a_violation() {
    for (path, text) in LOOKALIKES {
        let found = planted(path, text);
        assert!(found.is_empty(), "{path}: {text}\n{found:?}");
    }
}

#[test]
fn every_rule_has_a_planted_violation() {
    let elsewhere = [Rule::Undocumented, Rule::FileSize, Rule::MigrationName, Rule::TopLevel];
    for rule in Rule::ALL {
        let planted = PLANTED.iter().any(|(planted, ..)| *planted == rule);
        assert!(planted || elsewhere.contains(&rule), "{rule:?}");
    }
}

#[test]
fn a_module_that_is_in_no_row_of_the_table_is_refused() {
    let found = planted("src/helpers.rs", "");
    assert!(found.iter().any(|violation| violation.rule == Rule::Layering), "{found:?}");
}

#[test]
fn a_file_is_a_test_only_if_its_declaration_says_so() {
    let using = "use crate::store::Store;";
    for declaration in
        ["#[cfg(test)]\nmod tests;", "#[cfg(test)]\n#[path = \"tests.rs\"]\nmod checks;"]
    {
        let files = [
            file("src/model/mod.rs", declaration),
            file("src/model/tests.rs", using),
            file("src/model/tests/deep.rs", using),
        ];
        assert_eq!(check(&files), [], "{declaration}");
    }
    let files = [file("src/model/mod.rs", "mod tests;"), file("src/model/tests.rs", using)];
    assert_eq!(check(&files).len(), 1);
}

#[test]
fn the_tests_of_a_module_may_import_what_the_module_may_not() {
    let text =
        "#[cfg(test)]\nmod tests {\n    use crate::store::Store;\n}\nuse crate::http::Client;";
    let found = planted("src/model/a.rs", text);
    let lines: Vec<usize> = found.iter().map(|violation| violation.line).collect();
    assert_eq!(lines, [6]);
}

#[test]
fn a_file_that_does_not_say_what_it_owns_is_refused() {
    let text = |text: &str| check(&[("src/http/a.rs".to_owned(), text.to_owned())]);
    for undocumented in ["fn f() {}\n", "\n//! Late.\n", "// A comment.\n", "/// f\nfn f() {}\n"] {
        let found = text(undocumented);
        assert!(found.iter().any(|found| found.rule == Rule::Undocumented), "{undocumented}");
    }
    assert_eq!(text("//! Owns nothing.\n"), []);
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let lines = |path: &str, lines: usize| {
        let found = planted(path, &"\n".repeat(lines.saturating_sub(2)));
        found.iter().any(|found| found.rule == Rule::FileSize)
    };
    assert!(!lines("src/http/a.rs", 400));
    assert!(lines("src/http/a.rs", 401));
    assert!(!lines("src/main.rs", 30));
    assert!(lines("src/main.rs", 31));
}

#[test]
fn migrations_with_a_gap_or_a_wrong_name_are_refused() {
    let good = ["migrations/0002_more.sql", "migrations/0001_init.sql"];
    assert_eq!(places::check_migrations(&good), []);
    for bad in [
        &["migrations/0002_init.sql"][..],
        &["migrations/0001_init.sql", "migrations/0003_more.sql"],
        &["migrations/0001_init.sql", "migrations/0001_more.sql"],
        &["migrations/0001_.sql"],
        &["migrations/1_init.sql"],
        &["migrations/0001_Init.sql"],
        &["migrations/0001_init.txt"],
    ] {
        let found = places::check_migrations(bad);
        assert!(found.iter().all(|found| found.rule == Rule::MigrationName), "{bad:?}");
        assert_eq!(found.len(), 1, "{bad:?}");
    }
}

#[test]
fn a_strange_entry_in_the_root_is_refused() {
    let names = ["src", "Cargo.toml", "Dockerfile"].map(str::to_owned);
    let found = places::check_root(&names);
    assert_eq!(found.len(), 1);
    assert!(found.iter().all(|found| found.rule == Rule::TopLevel && found.path == "Dockerfile"));
}
