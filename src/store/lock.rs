//! One process per store: an advisory lock on a file beside the database, in
//! which the holder writes down who it is.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::RecordId;
use crate::store::place::{in_words, open_private};
use crate::store::{Mode, StoreError};

/// In the note of a holder that changes nothing and is done in a moment.
const LOOKS: &str = ", only to look";

/// How often the lock is tried while such a one has it.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// Held as long as the store is open; the system frees it when the process
/// ends, however it ends.
#[derive(Debug)]
pub(crate) struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Takes the lock, or names who has it. Whoever only looks is waited for, up to
    /// `patience`.
    pub(crate) fn take(
        database: &Path,
        (now, mode): (Timestamp, Mode),
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let path = lock_path(database);
        let unusable = |error: std::io::Error| StoreError::Unusable {
            path: path.clone(),
            reason: in_words(&error),
        };
        let mut file = open_private(&path).map_err(unusable)?;
        let mut left = patience;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
            }
            let holder = read_holder(&mut file);
            if left.is_zero() || !holder.ends_with(LOOKS) {
                return Err(StoreError::Locked { path: database.to_owned(), holder });
            }
            left = left.saturating_sub(TRY_EVERY);
            wait();
        }
        let command: Vec<String> = std::env::args().skip(1).take(3).map(shown).collect();
        let holder = format!(
            "process {} (cdsync {}) since {}{}",
            std::process::id(),
            command.join(" "),
            now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            if mode == Mode::Rehearsal { LOOKS } else { "" },
        );
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

#[expect(clippy::disallowed_methods, reason = "on the store's own thread, before it has begun")]
fn wait() {
    std::thread::sleep(TRY_EVERY);
}

/// An argument as it may stand in the file, which stays: without ids.
fn shown(argument: String) -> String {
    if RecordId::parse(&argument).is_ok() { "ID".to_owned() } else { argument }
}

/// Whether the file system of the store has become read-only, in words. Opens the
/// lock's file and not the database, whose locks would go with a second handle.
pub(super) fn not_writable(database: &Path) -> Option<String> {
    let error = File::options().write(true).open(lock_path(database)).err()?;
    (error.kind() == std::io::ErrorKind::ReadOnlyFilesystem).then(|| in_words(&error))
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.rewind();
    let read = file.take(512).read_to_string(&mut text);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if read.is_err() || text.is_empty() { "another process".to_owned() } else { text }
}
