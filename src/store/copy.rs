//! A copy of the store, for a dry run beside the daemon that has it. It is as
//! confidential as the store, and goes with who asked for it.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::store::StoreError;
use crate::store::error::in_words as sql_words;
use crate::store::place::in_words;

/// Pages in one step, after which the copy counts as come further.
const STEP: std::ffi::c_int = 1000;

/// A copy in a directory of its own, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Copy {
    directory: PathBuf,
}

impl Copy {
    /// Copies what `connection` has open.
    pub(super) fn of(
        connection: &Connection,
        store: &Path,
        steps: &AtomicU64,
    ) -> Result<Self, StoreError> {
        let directory = directory(store);
        let failed = |reason: String| StoreError::Unusable {
            path: directory.clone(),
            reason: format!("no copy can be made for a dry run: {reason}"),
        };
        sweep(store);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .map_err(|error| failed(in_words(&error)))?;
        let copy = Self { directory: directory.clone() };
        let whole = (|| {
            let mut target = Connection::open(copy.path())?;
            let backup = Backup::new(connection, &mut target)?;
            loop {
                let step = backup.step(STEP)?;
                if step != StepResult::More {
                    return Ok::<_, rusqlite::Error>(step);
                }
                steps.fetch_add(1, Ordering::Relaxed);
            }
        })();
        match whole {
            Ok(StepResult::Done) => Ok(copy),
            Ok(_) => Err(failed("the store is busy".to_owned())),
            Err(error) => Err(failed(sql_words(&error))),
        }
    }

    /// The database file.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join("copy.db")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What stays is swept at the next start.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Removes what an ended process left behind.
pub(super) fn sweep(store: &Path) {
    let _ = fs::remove_dir_all(directory(store));
}

fn directory(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".plan");
    PathBuf::from(name)
}
