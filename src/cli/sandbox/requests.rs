//! The request log of `sandbox`, as it is written for people and scripts.

use std::fs::File;
use std::io::{IsTerminal, Write, stderr};

use crate::cli::exit::{End, Exit};
use crate::sandbox::{LogEntry, Sandbox, System};

/// Writes each request from now on, as a line, to a file, to stderr (`-`) or
/// nowhere (`none`); without a word to stderr where a person looks at it. The
/// sandbox's own pages are left out.
pub(super) fn follow(sandbox: &Sandbox, place: Option<&str>, json: bool) -> Result<(), End> {
    let mut out: Box<dyn Write + Send> = match place {
        None if !stderr().is_terminal() => return Ok(()),
        Some("none") => return Ok(()),
        None | Some("-") => Box::new(stderr()),
        Some(file) => Box::new(File::create(file).map_err(|error| {
            End::new(Exit::Usage, format!("{file} cannot be written: {error}"))
        })?),
    };
    sandbox.requests().follow(move |entry| {
        if entry.system != System::Sandbox {
            // A log that nobody can write to any more stops nobody.
            let _ = out.write_all(line(entry, json).as_bytes());
        }
    });
    Ok(())
}

fn line(entry: &LogEntry, json: bool) -> String {
    if json { format!("{}\n", entry.json()) } else { format!("{}\n", entry.line()) }
}
