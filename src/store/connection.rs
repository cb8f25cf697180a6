//! The one connection: how it is opened, and how a transaction ends.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::clock::{Clock, random_key};
use crate::failpoint::{self, Point};
use crate::store::lock::StoreLock;
use crate::store::migrate::migrate;
use crate::store::{Mode, SealKey, StoreError, Work};

/// The first release without the WAL-reset bug (3.7.0 to 3.51.2 have it).
const OLDEST_SQLITE: i32 = 3_051_003;

/// What the writer thread owns.
pub(crate) struct Writer {
    connection: Connection,
    key: SealKey,
    mode: Mode,
    clock: Clock,
    /// Set by an error on COMMIT: whether the work is durable is not known, so
    /// nothing more may be done on this connection.
    ended: bool,
    _lock: StoreLock,
}

impl Writer {
    pub(crate) fn open(path: &Path, mode: Mode, clock: &Clock) -> Result<Self, StoreError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(unusable(path, "SQLite 3.51.3 or later is needed"));
        }
        prepare_files(path)?;
        let lock = StoreLock::take(path, clock.now())?;
        let mut connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|error| unusable(path, &error.to_string()))?;
        configure(&connection).map_err(|error| explain(path, error))?;
        let key = random_key().map_err(|_| unusable(path, "the system has no random numbers"))?;
        migrate(&mut connection, path, &key).map_err(|error| match &error {
            StoreError::Statement(reason) => unusable(path, reason),
            StoreError::Locked { .. }
            | StoreError::Newer { .. }
            | StoreError::Unusable { .. }
            | StoreError::Corrupt(_)
            | StoreError::OtherOrganization { .. }
            | StoreError::CommitUnknown(_)
            | StoreError::Ended => error,
        })?;
        let key = read_key(&connection)?;
        if mode == Mode::Rehearsal {
            connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        Ok(Self { connection, key, mode, clock: clock.clone(), ended: false, _lock: lock })
    }

    pub(crate) fn key(&self) -> SealKey {
        self.key.clone()
    }

    /// One transaction around `work`.
    pub(crate) fn run<T>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.ended {
            return Err(StoreError::Ended);
        }
        match self.mode {
            Mode::Durable => self.durable(work),
            Mode::Rehearsal => self.rehearsed(work),
        }
    }

    fn durable<T>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&mut Work::new(&transaction, &self.key, &self.clock))?;
        failpoint::hit(Point::Commit);
        if let Err(error) = transaction.commit() {
            self.ended = true;
            return Err(StoreError::CommitUnknown(error.to_string()));
        }
        failpoint::hit(Point::Committed);
        Ok(value)
    }

    fn rehearsed<T>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let savepoint = self.connection.savepoint()?;
        let value = work(&mut Work::new(&savepoint, &self.key, &self.clock))?;
        savepoint.commit()?;
        Ok(value)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.mode == Mode::Rehearsal {
            let _ = self.connection.execute_batch("ROLLBACK");
        } else if !self.ended {
            let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }
}

fn unusable(path: &Path, reason: &str) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), reason: reason.to_owned() }
}

/// Says what a failure to begin means, where SQLite's own words do not.
fn explain(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            StoreError::Locked { path: path.to_owned(), holder: "another program".to_owned() }
        }
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
            unusable(path, &error.to_string())
        }
        _ => StoreError::from(error),
    }
}

/// Makes the directory (0700) and the file (0600) before SQLite would make
/// them wider, and narrows an existing file.
fn prepare_files(path: &Path) -> Result<(), StoreError> {
    let io = |error: std::io::Error| unusable(path, &error.to_string());
    let parent: PathBuf = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    if !parent.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(&parent).map_err(io)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(io)?;
    }
    Ok(())
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let journal: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if journal != "wal" {
        return Err(rusqlite::Error::InvalidQuery);
    }
    for (name, value) in [
        ("synchronous", "FULL"),
        ("foreign_keys", "ON"),
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
        ("secure_delete", "ON"),
        ("mmap_size", "0"),
        ("cache_size", "-16384"),
        ("wal_autocheckpoint", "1000"),
        ("journal_size_limit", "67108864"),
        ("temp_store", "MEMORY"),
    ] {
        connection.pragma_update(None, name, value)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn read_key(connection: &Connection) -> Result<SealKey, StoreError> {
    let bytes: Vec<u8> =
        connection.query_row("SELECT value FROM meta WHERE name = 'key'", [], |row| row.get(0))?;
    let key = bytes
        .try_into()
        .map_err(|_| StoreError::Corrupt("the key of the checksums has another length".into()))?;
    Ok(SealKey::new(key))
}
