//! `manual`: what a package has beside the program, made from the program's own
//! arguments and example. `packaging/manual` is what it writes.

mod page;
mod roff;
mod words;

use std::fs::{self, File};
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use jiff::fmt::rfc2822;

use crate::config::{Example, annotated};

use super::args::{Cli, Manual};
use super::exit::{End, Exit};

/// Completions, by the name under which their shell looks for them.
const COMPLETIONS: &[(Shell, &str)] =
    &[(Shell::Bash, "cdsync"), (Shell::Zsh, "_cdsync"), (Shell::Fish, "cdsync.fish")];

/// The package's changes; the latest comes first, and a page is of its date.
const CHANGES: &str = include_str!("../../packaging/debian/changelog");

/// Runs the command.
pub(super) fn run(arguments: &Manual) -> Result<Exit, End> {
    let directory = &arguments.directory;
    write(directory).map_err(|error| {
        let place = directory.display();
        End::new(Exit::Usage, format!("{place} cannot be written: {error}; name a directory"))
    })?;
    Ok(Exit::Done)
}

/// Man pages in `man/`, one a command; completions in `completions/`; and
/// `config.toml`.
fn write(directory: &Path) -> io::Result<()> {
    let man = directory.join("man");
    fs::create_dir_all(&man)?;
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let date = date(CHANGES).unwrap_or_default();
    pages(&program, None, &date, &mut |name, text| fs::write(man.join(format!("{name}.1")), text))?;
    let completions = directory.join("completions");
    fs::create_dir_all(&completions)?;
    for (shell, name) in COMPLETIONS {
        let mut file = File::create(completions.join(name))?;
        generate(*shell, &mut Cli::command(), "cdsync", &mut file);
    }
    fs::write(directory.join("config.toml"), annotated(&Example::default()))
}

/// The page of a command and those of the commands below it.
fn pages(
    command: &Command,
    above: Option<&str>,
    date: &str,
    write: &mut dyn FnMut(&str, String) -> io::Result<()>,
) -> io::Result<()> {
    let name = page::name(command);
    let mut others: Vec<String> = above.map(str::to_owned).into_iter().collect();
    // Those of the program stand in its list of commands.
    if above.is_some() {
        others.extend(page::below(command).map(page::name));
    }
    write(&name, page::page(command, &others, date))?;
    page::below(command).try_for_each(|one| pages(one, Some(&name), date, write))
}

/// The day of the latest entry: `deb-changelog(5)`.
fn date(changes: &str) -> Option<String> {
    let (_, at) = changes.lines().find(|line| line.starts_with(" -- "))?.rsplit_once("  ")?;
    Some(rfc2822::parse(at).ok()?.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_date_of_the_latest_change() {
        assert!(date(CHANGES).is_some(), "{CHANGES}");
        let changes = "a (2) b; c\n\n  * d\n\n -- e <f>  Fri, 20 Nov 2026 09:00:00 +0100\n\n -- e <f>  Thu, 19 Nov 2026 09:00:00 +0100\n";
        assert_eq!(date(changes).as_deref(), Some("2026-11-20"));
    }
}
