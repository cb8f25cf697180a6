//! What can be wrong with the store. All of it ends the command with exit
//! code 5; nothing is ever deleted or repaired behind the operator's back.

use std::path::{Path, PathBuf};

use crate::store::lock::not_writable;

/// A failure of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another process has it.
    #[error("the store {path} is in use by {holder}; wait for it to end, or stop it")]
    Locked {
        /// The database file.
        path: PathBuf,
        /// Who holds it, as that process wrote it down.
        holder: String,
    },
    /// It was written by a later program.
    #[error(
        "the store {path} has schema {found}, this program knows {known}; install the version of cdsync that wrote it, or a later one"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest schema of this program.
        known: i64,
    },
    /// The file cannot be opened, created or written.
    #[error("the store {path} cannot be used: {reason}")]
    Unusable {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It mirrors another Dynamics environment.
    #[error(
        "the store belongs to Dynamics organization {known}, the configuration leads to {found}; set [store] path to another file for another environment"
    )]
    OtherOrganization {
        /// The environment that answered.
        found: String,
        /// The environment of the store.
        known: String,
    },
    /// It mirrors another Campaign instance.
    #[error(
        "the store belongs to the Campaign instance `{known}`, the configuration names `{found}`: what the one was told says nothing of the other; set [store] path to another file for another instance, or put [campaign] url back"
    )]
    OtherCampaign {
        /// The instance that the configuration names.
        found: String,
        /// The instance of the store.
        known: String,
    },
    /// What stands in it is not what was written.
    #[error(
        "the store is damaged: {0}; keep the file for inspection and start with a new one: the first run compares both sides and writes only what differs"
    )]
    Corrupt(String),
    /// A statement failed; its transaction was rolled back.
    #[error("the store refused a statement: {0}")]
    Statement(String),
    /// COMMIT failed, so nobody knows whether the work is durable.
    #[error(
        "the store could not confirm a commit ({0}); cdsync ends and re-reads the store at its next start"
    )]
    CommitUnknown(String),
    /// The writer thread is gone, after one of the failures above.
    #[error("the store has been closed after an earlier failure")]
    Ended,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            // SQLite says so of a page that the disk cannot read, too.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(format!("{error}, or its disk cannot be read (see the system's log)"))
            }
            Some(
                ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure,
            ) => Self::Unusable { path: PathBuf::new(), reason: in_words(&error) },
            _ => Self::Statement(error.to_string()),
        }
    }
}

impl StoreError {
    /// What stands in the store in a form that is not known. serde quotes what it
    /// does not expect, which may be a person's: only the place is told.
    pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::Corrupt(format!("{what} cannot be read, from line {line}, column {column} on"))
    }

    /// The same with the place that SQLite does not name.
    pub(super) fn at(self, store: &Path) -> Self {
        match self {
            Self::Unusable { path, reason } if path.as_os_str().is_empty() => {
                let reason = with_place(reason, store);
                Self::Unusable { path: store.to_owned(), reason }
            }
            Self::CommitUnknown(reason) => {
                Self::CommitUnknown(format!("{}: {}", store.display(), with_place(reason, store)))
            }
            Self::Locked { .. }
            | Self::Newer { .. }
            | Self::Unusable { .. }
            | Self::OtherOrganization { .. }
            | Self::OtherCampaign { .. }
            | Self::Corrupt(_)
            | Self::Statement(_)
            | Self::Ended => self,
        }
    }
}

/// The same where the file system says no: SQLite knows only that a write failed.
fn with_place(reason: String, store: &Path) -> String {
    match not_writable(store) {
        Some(found) => format!("{reason}; {found}"),
        None => reason,
    }
}

/// What SQLite said, and what to do about it.
pub(super) fn in_words(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode;
    let remedy = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; make room on that file system, nothing is lost",
        Some(ErrorCode::ReadOnly) => {
            "; the file, its directory and their file system must be writable for the user that runs cdsync"
        }
        Some(ErrorCode::SystemIoFailure) => "; look at the disk, the kernel's log may say more",
        _ => "",
    };
    format!("{error}{remedy}")
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params};

    use super::*;
    use crate::fuzz::{MARKER, quiet};

    #[test]
    fn no_value_stands_in_what_sqlite_says() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE parent (id INTEGER PRIMARY KEY) STRICT;
                 CREATE TABLE t (name TEXT NOT NULL UNIQUE CHECK (name <> 'no'), number INTEGER,
                                 of INTEGER REFERENCES parent) STRICT;
                 PRAGMA foreign_keys = ON;",
            )
            .unwrap();
        let put = "INSERT INTO t (name, number, of) VALUES (?1, ?2, ?3)";
        connection.execute(put, params![MARKER, 1, None::<i64>]).unwrap();
        let refused = [
            connection.execute(put, params![MARKER, 1, None::<i64>]),
            connection.execute(put, params![None::<String>, 1, MARKER]),
            connection.execute(put, params!["other", MARKER, None::<i64>]),
            connection.execute(put, params!["other", 1, 7]),
            connection.execute(put, params!["no", 1, None::<i64>]),
            connection.query_row("SELECT name FROM t", [], |row| row.get::<_, i64>(0)).map(|_| 0),
            connection.query_row("SELECT name FROM t", [], |row| row.get::<_, i64>(3)).map(|_| 0),
            connection.query_row("SELECT 1 WHERE ?1 = 'x'", [MARKER], |_| Ok(0)),
            connection.execute(put, params![MARKER]),
        ];
        for refused in refused {
            quiet(&StoreError::from(refused.unwrap_err()));
        }
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    enum Known {
        One,
    }

    #[test]
    fn no_value_stands_in_what_cannot_be_read() {
        let texts =
            [format!("\"{MARKER}\""), format!("{{\"{MARKER}\": 1}}"), format!("[\"{MARKER}\"]")];
        for text in texts {
            quiet(&StoreError::unreadable("it", &serde_json::from_str::<bool>(&text).unwrap_err()));
        }
        let text = format!("\"{MARKER}\"");
        let error = serde_json::from_str::<Known>(&text).unwrap_err();
        quiet(&StoreError::unreadable("it", &error));
        assert!(matches!(serde_json::from_str("\"one\""), Ok(Known::One)));
    }
}
