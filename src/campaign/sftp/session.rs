//! An open connection: what a directory holds, what a file is, its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use russh::Disconnect;
use russh::client::Handle;
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{FileAttributes, FileType, OpenFlags, StatusCode};

use super::connect::Check;
use super::failure::{failure, refused};
use super::{Reading, Sftp};
use crate::http::{Failure, Outcome};

/// Most entries of a directory.
const MAX_ENTRIES: usize = 20_000;
/// Most pages of a directory, for a server that gives empty ones for ever.
const MAX_PAGES: usize = 20_000;
/// Longest file name, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// A file, as the server says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// In bytes.
    pub(crate) size: u64,
    /// When it was changed, by the server's clock: seconds since 1970; 0 where
    /// the server does not say.
    pub(crate) changed_s: i64,
}

/// A regular file of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name: one that can be used in a path and shown in a log.
    pub(crate) name: String,
    /// What it is.
    pub(crate) stat: Stat,
}

/// What a directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Regular files, by name.
    pub(crate) files: Vec<Entry>,
    /// Names that no file of ours would have, escaped; they are never used.
    pub(crate) unsafe_names: Vec<String>,
}

/// An open connection. Dropping it ends it.
pub(crate) struct Session {
    handle: Handle<Check>,
    pub(super) files: Arc<RawSftpSession>,
    pub(super) server: Arc<str>,
    pub(super) moved: Arc<AtomicU64>,
}

impl Session {
    pub(super) fn new(handle: Handle<Check>, files: RawSftpSession, sftp: &Sftp) -> Self {
        let (server, moved) = (Arc::clone(&sftp.name), Arc::clone(&sftp.moved));
        let session = Self { handle, files: Arc::new(files), server, moved };
        session.answered();
        session
    }

    pub(super) fn answered(&self) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }

    /// The regular files of a directory. Symbolic links, directories and the
    /// rest are left out.
    pub(crate) async fn list(&self, directory: &str) -> Result<Listing, Failure> {
        let what = format!("the directory `{directory}`");
        let told = |error: SftpError| {
            let mut failure = refused(&self.server, &what, &error);
            if failure.outcome == Outcome::Missing {
                failure.outcome = Outcome::Setup;
                failure.message.push_str("; create it, or name another in the configuration");
            }
            failure
        };
        let handle = self.files.opendir(directory).await.map_err(told)?.handle;
        let mut listing = Listing::default();
        let mut seen = 0;
        for _ in 0..MAX_PAGES {
            let page = match self.files.readdir(handle.as_str()).await {
                Ok(page) => page.files,
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => {
                    // How closing ends changes nothing of what was read.
                    let _ = self.files.close(handle).await;
                    listing.files.sort_by(|a, b| a.name.cmp(&b.name));
                    self.answered();
                    return Ok(listing);
                }
                Err(error) => return Err(told(error)),
            };
            seen += page.len();
            if seen > MAX_ENTRIES {
                break;
            }
            for file in page {
                listing.add(file.filename, &file.attrs);
            }
        }
        let _ = self.files.close(handle).await;
        Err(failure(
            &self.server,
            Outcome::TooLarge,
            &format!(
                "has more than {MAX_ENTRIES} files in `{directory}`; delete what was read (`after = \"delete\"`), or name another directory"
            ),
        ))
    }

    /// What a file is now; none where it is gone.
    pub(crate) async fn stat(&self, path: &str) -> Result<Option<Stat>, Failure> {
        match self.files.lstat(path).await {
            Ok(found) => {
                self.answered();
                Ok(is_regular(&found.attrs).then(|| stat(&found.attrs)))
            }
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => {
                Ok(None)
            }
            Err(error) => Err(refused(&self.server, "a file", &error)),
        }
    }

    /// Begins to read a file of this size.
    pub(crate) async fn read(&self, path: &str, size: u64) -> Result<Reading, Failure> {
        let opened = self.files.open(path, OpenFlags::READ, FileAttributes::empty()).await;
        let handle = opened.map_err(|error| refused(&self.server, "a file", &error))?.handle;
        self.answered();
        Ok(Reading::new(self, handle, size))
    }

    /// Removes a file; one that is gone is gone.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), Failure> {
        match self.files.remove(path).await {
            Ok(_) => {
                self.answered();
                Ok(())
            }
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => {
                Ok(())
            }
            Err(error) => Err(refused(&self.server, "a file that is to be deleted", &error)),
        }
    }

    /// Ends the connection in good order.
    pub(crate) async fn close(self) {
        let _ = self.files.close_session();
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }
}

impl Listing {
    pub(super) fn add(&mut self, name: String, attributes: &FileAttributes) {
        if name == "." || name == ".." || !is_regular(attributes) {
            return;
        }
        if is_safe(&name) {
            self.files.push(Entry { name, stat: stat(attributes) });
        } else {
            let escaped: String = name.escape_debug().take(80).collect();
            self.unsafe_names.push(escaped);
        }
    }
}

/// Servers that say nothing of a file's kind mean regular files.
fn is_regular(attributes: &FileAttributes) -> bool {
    attributes.permissions.is_none_or(|_| attributes.file_type() == FileType::File)
}

fn stat(attributes: &FileAttributes) -> Stat {
    Stat { size: attributes.size.unwrap_or(0), changed_s: attributes.mtime.map_or(0, i64::from) }
}

/// A name that leads to a file of the directory and to nothing else.
fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.contains(|c: char| {
            c == '/' || c.is_control() || c == char::REPLACEMENT_CHARACTER || is_invisible(c)
        })
}

/// Marks that change the direction of text or hide in it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_can_do_no_harm_are_used() {
        let file = FileAttributes { permissions: Some(0o100_644), ..FileAttributes::empty() };
        let mut listing = Listing::default();
        let long = "x".repeat(256);
        for name in [
            "a.csv",
            "../a.csv",
            "/etc/passwd",
            "a\0.csv",
            "a\nb.csv",
            "\u{1b}[31m.csv",
            &long,
            "",
            ".",
            "..",
            "ä b.csv",
            "a\u{fffd}.csv",
            "a\u{202e}vsc.",
            "..a.csv",
        ] {
            listing.add(name.to_owned(), &file);
        }
        let names: Vec<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.csv", "ä b.csv", "..a.csv"]);
        assert_eq!(listing.unsafe_names.len(), 9);
        assert!(listing.unsafe_names.iter().all(|name| !name.contains(char::is_control)));
        assert!(listing.unsafe_names.iter().all(|name| name.len() <= 320));
    }

    #[test]
    fn only_regular_files_are_looked_at() {
        let mut listing = Listing::default();
        for (name, mode) in [
            ("file", Some(0o100_644)),
            ("link", Some(0o120_777)),
            ("directory", Some(0o040_755)),
            ("pipe", Some(0o010_644)),
            ("unsaid", None),
        ] {
            let attributes = FileAttributes { permissions: mode, ..FileAttributes::empty() };
            listing.add(name.to_owned(), &attributes);
        }
        let names: Vec<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["file", "unsaid"]);
    }
}
