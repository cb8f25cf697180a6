//! Where things lie and how long they may be.

use crate::{Rule, Violation};

/// Lines of a file from which on it must be on the list.
const LONG: usize = 400;

/// Lines of `main.rs`.
const MAIN_LINES: usize = 30;

/// Longer files, with the reason why they stay in one piece.
const LONG_FILES: &[(&str, &str)] = &[("src/config/tests/bad.rs", "one snapshot per mistake")];

/// What may lie in the root of the repository.
const ROOT: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "migrations",
    "tests",
    "systemd",
    "monitoring",
    "packaging",
    "README.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "CHANGELOG.md",
    "docs",
    "benches",
    "fuzz",
    "deny.toml",
    "clippy.toml",
    "rustfmt.toml",
    ".ci",
    ".cargo",
    ".gitignore",
    ".git",
    "target",
];

/// Checks a file's first line and its length.
pub(crate) fn check(path: &str, text: &str, found: &mut Vec<Violation>) {
    if std::path::Path::new(path).extension().is_none_or(|ext| ext != "rs") {
        return;
    }
    let lines = text.lines().count();
    let mut report = |rule, line, what| {
        found.push(Violation { rule, path: path.to_owned(), line, what });
    };
    if !text.starts_with("//!") {
        report(Rule::Undocumented, 1, "begins without `//!`: what it owns".to_owned());
    }
    let listed = LONG_FILES.iter().any(|(name, _)| *name == path);
    if path == "src/main.rs" && lines > MAIN_LINES {
        report(Rule::FileSize, lines, format!("{lines} lines; main.rs has at most {MAIN_LINES}"));
    } else if lines > LONG && !listed {
        report(Rule::FileSize, lines, format!("{lines} lines; split it below {LONG}"));
    }
}

/// Entries of the list that no longer say anything.
pub(crate) fn stale_allowances(files: &[(String, String)]) -> Vec<&'static str> {
    let long =
        |name: &str| files.iter().any(|(path, text)| path == name && text.lines().count() > LONG);
    LONG_FILES.iter().map(|(name, _)| *name).filter(|name| !long(name)).collect()
}

/// Checks the names in the root of the repository.
pub(crate) fn check_root(names: &[String]) -> Vec<Violation> {
    let strange = names.iter().filter(|name| !ROOT.contains(&name.as_str()));
    let what = || "does not belong in the root of the repository".to_owned();
    strange
        .map(|name| Violation { rule: Rule::TopLevel, path: name.clone(), line: 1, what: what() })
        .collect()
}

/// Checks that migrations are `NNNN_name.sql`, from 0001 on without a gap.
pub(crate) fn check_migrations(paths: &[&str]) -> Vec<Violation> {
    let mut sorted = paths.to_vec();
    sorted.sort_unstable();
    let mut found = Vec::new();
    for (position, path) in sorted.iter().enumerate() {
        let expected = format!("migrations/{:04}_", position + 1);
        let name = path.strip_prefix(&expected).and_then(|rest| rest.strip_suffix(".sql"));
        let word = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        if !name.is_some_and(word) {
            let what = format!("is not the {expected}name.sql that comes here");
            let path = (*path).to_owned();
            found.push(Violation { rule: Rule::MigrationName, path, line: 1, what });
        }
    }
    found
}
