//! Exit codes, and what makes a command end with which of them.

use std::fmt;

use crate::app::SetupError;
use crate::config::{Problems, ReadError};
use crate::store::StoreError;

/// How a command ends; the numbers are promised to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All done.
    Done = 0,
    /// Finished, but records were dead-lettered or a flow failed.
    Incomplete = 1,
    /// Usage or configuration error; nobody was contacted.
    Usage = 2,
    /// A remote refused our credentials or privileges.
    Refused = 3,
    /// A remote was unreachable, or kept refusing work for too long.
    Unreachable = 4,
    /// The store is locked, unwritable, damaged or newer than the program.
    Store = 5,
}

/// How the line of the help begins that lists the codes.
pub(super) const EXIT_CODES: &str = "Exit codes: ";

impl Exit {
    /// In order of their codes.
    pub(super) const ALL: [Self; 6] =
        [Self::Done, Self::Incomplete, Self::Usage, Self::Refused, Self::Unreachable, Self::Store];

    /// What it means, in a word or two.
    pub(super) fn short(self) -> &'static str {
        match self {
            Self::Done => "all done",
            Self::Incomplete => "something needs a look",
            Self::Usage => "configuration or usage",
            Self::Refused => "refused credentials or privileges",
            Self::Unreachable => "a system was not reachable for too long",
            Self::Store => "the store",
        }
    }

    /// What it means, in a sentence.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Done => "All done; of the daemon, that a signal ended it",
            Self::Incomplete => {
                "Finished, but something needs a look: records were given up, a flow or a table failed, deletions or liftings are held, something differs, or a problem was found"
            }
            Self::Usage => "The command line or the configuration is wrong; nobody was contacted",
            Self::Refused => "A system refused credentials or privileges",
            Self::Unreachable => {
                "A system could not be reached, or kept refusing work for longer than --patience; nothing is lost"
            }
            Self::Store => {
                "The store is in use, cannot be written, is damaged, or was written by a later version"
            }
        }
    }

    /// The line of the help.
    pub(super) fn codes() -> String {
        let codes: Vec<String> =
            Self::ALL.iter().map(|exit| format!("{} {}", *exit as u8, exit.short())).collect();
        format!("{EXIT_CODES}{}.", codes.join(", "))
    }

    /// The exit of this code, as a daemon tells it.
    pub(super) fn of(code: u8) -> Self {
        match code {
            0 => Self::Done,
            2 => Self::Usage,
            3 => Self::Refused,
            4 => Self::Unreachable,
            5 => Self::Store,
            _ => Self::Incomplete,
        }
    }
}

/// A command that could not do its work.
#[derive(Debug)]
pub(super) struct End {
    /// The code.
    pub(super) exit: Exit,
    message: String,
}

impl End {
    /// An end with what is said on stderr.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::Store, error.to_string())
    }
}

impl From<SetupError> for End {
    fn from(error: SetupError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<Problems> for End {
    fn from(problems: Problems) -> Self {
        Self::new(Exit::Usage, problems.to_string())
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        // Nobody reads on: not worth a word.
        let message = if error.kind() == std::io::ErrorKind::BrokenPipe {
            String::new()
        } else {
            format!("output failed: {error}")
        };
        Self::new(Exit::Incomplete, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_tell_the_codes_as_the_program_does() {
        let readme = include_str!("../../README.md").replace('\n', " ");
        let codes = Exit::codes().replace(", ", " · ");
        assert!(readme.contains(&codes), "{codes}");
        let page = include_str!("../../docs/troubleshooting.md");
        for exit in Exit::ALL {
            assert_eq!(Exit::of(exit as u8), exit);
            assert!(page.contains(&format!("\n| {} | ", exit as u8)), "{exit:?}");
        }
    }
}
