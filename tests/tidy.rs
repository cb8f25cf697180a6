//! The rules of the house, enforced: what may import what, what is banned, how
//! the repository is laid out, and that the documents say what the code does.
//!
//! One crate means that the compiler does not know the layers; this does. The
//! checker (`tidy/`) is a function over names and texts, and `tidy/planted.rs`
//! shows for every rule that a violation is found and a lookalike is not.

#[path = "tidy/bans.rs"]
mod bans;
#[cfg(test)]
#[path = "tidy/bugs.rs"]
mod bugs;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/fidelity.rs"]
mod fidelity;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/packages.rs"]
mod packages;
#[path = "tidy/parsers.rs"]
mod parsers;
#[path = "tidy/places.rs"]
mod places;
#[cfg(test)]
#[path = "tidy/planted.rs"]
mod planted;
#[path = "tidy/promises.rs"]
mod promises;
#[path = "tidy/source.rs"]
mod source;

use std::fmt;
use std::io;
use std::path::Path;

use source::{Source, test_only};

/// What can be violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// A module imports what its row of the table does not name.
    Layering,
    /// The current time is asked for outside `clock.rs`.
    Now,
    /// Randomness is asked for outside `clock.rs`.
    Randomness,
    /// SQL that asks for the current time or for randomness.
    SqlClock,
    /// A channel without a bound.
    Unbounded,
    /// A task that nobody supervises.
    Spawn,
    /// `reqwest` outside `http/`.
    Reqwest,
    /// `rusqlite` outside `store/`.
    Rusqlite,
    /// `anyhow` outside `cli/`, `daemon/` and `main.rs`.
    Anyhow,
    /// A line for the log that is no type of `telemetry/`.
    Tracing,
    /// `super::super`.
    SuperSuper,
    /// A test that is switched off.
    Ignored,
    /// A parser of remote input that no fuzz target reaches.
    Unfuzzed,
    /// A file that does not say what it owns.
    Undocumented,
    /// A file that is too long.
    FileSize,
    /// A migration that does not know what it finds.
    IfNotExists,
    /// A migration with a wrong name or number.
    MigrationName,
    /// Something in the repository's root that does not belong there.
    TopLevel,
    /// A file that is not Rust.
    Syntax,
}

impl Rule {
    const ALL: [Self; 19] = [
        Self::Layering,
        Self::Now,
        Self::Randomness,
        Self::SqlClock,
        Self::Unbounded,
        Self::Spawn,
        Self::Reqwest,
        Self::Rusqlite,
        Self::Anyhow,
        Self::Tracing,
        Self::SuperSuper,
        Self::Ignored,
        Self::Unfuzzed,
        Self::Undocumented,
        Self::FileSize,
        Self::IfNotExists,
        Self::MigrationName,
        Self::TopLevel,
        Self::Syntax,
    ];
}

/// One violation, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    rule: Rule,
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, path, line, what } = self;
        write!(f, "{path}:{line}: {what} [{rule:?}]")
    }
}

/// Checks files, given as path (with `/`, from the repository's root) and text.
fn check(files: &[(String, String)]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut sources = Vec::new();
    for (path, text) in files {
        places::check(path, text, &mut found);
        match path.rsplit('.').next() {
            Some("rs") => match Source::parse(path, text) {
                Ok(source) => sources.push(source),
                Err((line, what)) => {
                    let path = path.clone();
                    found.push(Violation { rule: Rule::Syntax, path, line, what });
                }
            },
            Some("sql") => bans::check_migration(path, text, &mut found),
            _ => {}
        }
    }
    let tests = test_only(&sources);
    for source in &sources {
        let test = tests.contains(&source.path);
        bans::check(source, test, &mut found);
        if !test {
            layers::check(source, &mut found);
            parsers::check(source, &mut found);
        }
    }
    found
}

/// The repository's files below these folders, with their text.
fn repository(folders: &[&str]) -> io::Result<Vec<(String, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        } else if path.extension().is_some_and(|ext| ["rs", "sql", "md"].iter().any(|e| ext == *e))
        {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
            files.push((name.replace('\\', "/"), std::fs::read_to_string(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

fn listing(violations: &[Violation]) -> String {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    format!("{} violations\n{}\n", lines.len(), lines.join("\n"))
}

#[test]
fn the_sources_keep_the_rules_of_the_house() -> io::Result<()> {
    let files = repository(&["src", "tests", "benches", "migrations"])?;
    assert!(files.len() > 20, "the sources were not found");
    let found = check(&files);
    assert!(found.is_empty(), "{}", listing(&found));
    Ok(())
}

#[test]
fn nothing_unexpected_lies_in_the_root_of_the_repository() -> io::Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(env!("CARGO_MANIFEST_DIR"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    let found = places::check_root(&names);
    assert!(found.is_empty(), "{}", listing(&found));
    Ok(())
}

#[test]
fn migrations_are_numbered_without_a_gap() -> io::Result<()> {
    let files = repository(&["migrations"])?;
    let names: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let found = places::check_migrations(&names);
    assert!(found.is_empty(), "{}", listing(&found));
    Ok(())
}

#[test]
fn every_entry_of_the_list_of_long_files_is_still_needed() -> io::Result<()> {
    let files = repository(&["src", "tests", "benches"])?;
    let stale = places::stale_allowances(&files);
    assert!(stale.is_empty(), "no longer over the limit: {stale:?}");
    Ok(())
}
