//! Taking a store away, for those whose store is worth nothing: a sandbox's
//! mirrors what ends with it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::store::lock::StoreLock;
use crate::store::place::in_words;
use crate::store::{Mode, StoreError};

/// What SQLite writes beside the database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// The database, and what SQLite writes beside it. The lock's file is not among
/// them: another process may be about to take it.
pub(crate) fn files(database: &Path) -> Vec<PathBuf> {
    let mut files = vec![database.to_owned()];
    files.extend(BESIDE.map(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }));
    files
}

/// Removes these files, unless another process has the store. Gives those that
/// were there.
///
/// # Errors
/// `Locked`, and then all is left alone; or a file that cannot be removed.
pub(crate) fn remove(database: &Path, now: Timestamp) -> Result<Vec<PathBuf>, StoreError> {
    let mut there = files(database);
    there.retain(|file| file.symlink_metadata().is_ok());
    if there.is_empty() {
        return Ok(there);
    }
    let _lock = StoreLock::take(database, (now, Mode::Durable), Duration::ZERO)?;
    // The log before the database: one without the other would be read as damage.
    for file in there.iter().rev() {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let (path, reason) = (file.clone(), in_words(&error));
                return Err(StoreError::Unusable { path, reason });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(there)
}
