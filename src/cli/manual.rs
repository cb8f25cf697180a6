//! `manual`: what a package has beside the program, made from the program's own
//! arguments and example. `packaging/manual` is what it writes.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::config::{Example, annotated};

use super::args::{Cli, Manual};
use super::exit::{End, Exit};

/// Completions, by the name under which their shell looks for them.
const COMPLETIONS: &[(Shell, &str)] =
    &[(Shell::Bash, "cdsync"), (Shell::Zsh, "_cdsync"), (Shell::Fish, "cdsync.fish")];

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
    clap_mangen::generate_to(Cli::command(), &man)?;
    let completions = directory.join("completions");
    fs::create_dir_all(&completions)?;
    for (shell, name) in COMPLETIONS {
        let mut file = File::create(completions.join(name))?;
        generate(*shell, &mut Cli::command(), "cdsync", &mut file);
    }
    fs::write(directory.join("config.toml"), annotated(&Example::default()))
}
