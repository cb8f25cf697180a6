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

impl Exit {
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
