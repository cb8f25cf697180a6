//! One process per store: an advisory lock on a file beside the database, in
//! which the holder writes down who it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::model::RecordId;
use crate::store::StoreError;

/// Held as long as the store is open; the system frees it when the process
/// ends, however it ends.
#[derive(Debug)]
pub(crate) struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Takes the lock, or names who has it.
    pub(crate) fn take(database: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let path = lock_path(database);
        let unusable = |error: std::io::Error| StoreError::Unusable {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    path: database.to_owned(),
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let command: Vec<String> = std::env::args().skip(1).take(3).map(shown).collect();
        let holder = format!(
            "process {} (cdsync {}) since {}",
            std::process::id(),
            command.join(" "),
            now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        );
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

/// An argument as it may stand in the file, which stays: without ids.
fn shown(argument: String) -> String {
    if RecordId::parse(&argument).is_ok() { "ID".to_owned() } else { argument }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(512).read_to_string(&mut text);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if read.is_err() || text.is_empty() { "another process".to_owned() } else { text }
}
