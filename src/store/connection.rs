//! The one connection: how it is opened, and how a transaction ends.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use crate::clock::{Clock, random_key};
use crate::failpoint::{self, Point};
use crate::store::copy::{Copy, sweep};
use crate::store::error::in_words as sql_words;
use crate::store::layout::Layouts;
use crate::store::lock::StoreLock;
use crate::store::migrate::{migrate, recognise};
use crate::store::mount::network;
use crate::store::place::{directory, in_words, make_directory, narrow, open_private};
use crate::store::scrub;
use crate::store::{Mode, SealKey, StoreError, Work};

/// The first release without the WAL-reset bug (3.7.0 to 3.51.2 have it).
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a command waits for one that only looks, such as each look of
/// `status --watch`, to be done with the store.
const LOOKS_LAST: Duration = Duration::from_secs(10);

/// What SQLite does between two signs that it comes further: some milliseconds.
const STEPS: std::ffi::c_int = 10_000;

/// How far work on the store has come, in no unit; it only ever grows. Others may
/// look at it while the writer is busy.
pub(super) type Steps = Arc<AtomicU64>;

/// What the writer thread owns.
pub(crate) struct Writer {
    connection: Connection,
    key: SealKey,
    layouts: Layouts,
    path: PathBuf,
    /// Device and inode of the file; none in memory.
    file: Option<(u64, u64)>,
    mode: Mode,
    clock: Clock,
    steps: Steps,
    /// An error on COMMIT: whether the work is durable is not known, so nothing
    /// more may be done on this connection. Whoever asks is told why.
    ended: Option<StoreError>,
    _lock: Option<StoreLock>,
}

#[cfg(test)]
impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    pub(crate) fn open(path: &Path, mode: Mode, clock: &Clock) -> Result<Self, StoreError> {
        Self::begin(path, mode, clock).map_err(|error| error.at(path))
    }

    fn begin(path: &Path, mode: Mode, clock: &Clock) -> Result<Self, StoreError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(unusable(path, "SQLite 3.51.3 or later is needed"));
        }
        // A dry run without a store leaves none.
        let in_memory = mode == Mode::Rehearsal && !path.exists();
        let (mut connection, lock) = if in_memory {
            (Connection::open_in_memory()?, None)
        } else {
            let (connection, lock) = open_file(path, mode, clock)?;
            (connection, Some(lock))
        };
        configure(&connection, in_memory).map_err(|error| explain(path, error))?;
        let key = random_key().map_err(|_| unusable(path, "the system gives no key"))?;
        migrate(&mut connection, &key).map_err(|error| match &error {
            StoreError::Statement(reason) => unusable(path, reason),
            StoreError::Locked { .. }
            | StoreError::Newer { .. }
            | StoreError::Unusable { .. }
            | StoreError::Corrupt(_)
            | StoreError::OtherOrganization { .. }
            | StoreError::OtherCampaign { .. }
            | StoreError::CommitUnknown(_)
            | StoreError::Ended => error,
        })?;
        let key = read_key(&connection)?;
        let steps = Steps::default();
        let counts = Arc::clone(&steps);
        let further = move || {
            counts.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.progress_handler(STEPS, Some(further))?;
        if mode == Mode::Durable {
            sweep(path);
        }
        if mode == Mode::Rehearsal {
            connection.execute_batch("BEGIN IMMEDIATE")?;
        } else if scrub::is_due(&connection)? {
            // Where the disk has no room for it, the next start tries again.
            let _ = scrub::scrub(&mut connection);
        }
        Ok(Self {
            connection,
            key,
            layouts: Layouts::default(),
            path: path.to_owned(),
            file: std::fs::metadata(path).ok().map(|it| (it.dev(), it.ino())),
            mode,
            clock: clock.clone(),
            steps,
            ended: None,
            _lock: lock,
        })
    }

    /// Leaves nothing of deleted rows in the file or beside it.
    pub(crate) fn scrub(&mut self) -> Result<(), StoreError> {
        if let Some(cause) = &self.ended {
            return Err(cause.clone().at(&self.path));
        }
        scrub::scrub(&mut self.connection).map_err(|error| error.at(&self.path))
    }

    pub(super) fn steps(&self) -> Steps {
        Arc::clone(&self.steps)
    }

    pub(crate) fn key(&self) -> SealKey {
        self.key.clone()
    }

    /// Whether the file that is open is still the one at its path.
    pub(crate) fn in_place(&self) -> Result<(), StoreError> {
        let Some(opened) = self.file else { return Ok(()) };
        let reason = match std::fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == opened => return Ok(()),
            Ok(_) => "another file has taken its place while it was open".to_owned(),
            Err(error) => format!("it went away while it was open: {error}"),
        };
        let rest = "what was decided since then is lost with it; the next start goes on with what is there";
        Err(unusable(&self.path, &format!("{reason}; {rest}")))
    }

    /// A copy of the file.
    pub(crate) fn copy(&self) -> Result<Copy, StoreError> {
        Copy::of(&self.connection, &self.path, &self.steps)
    }

    /// One transaction around `work`.
    pub(crate) fn run<T>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if failpoint::is_dead() {
            self.crashed(StoreError::Ended);
        }
        if let Some(cause) = &self.ended {
            return Err(cause.clone().at(&self.path));
        }
        let result = match self.mode {
            Mode::Durable => self.durable(work),
            Mode::Rehearsal => self.rehearsed(work),
        };
        if result.is_err() {
            self.layouts.clear();
        }
        result.map_err(|error| error.at(&self.path))
    }

    /// The same connection for another program; none where it is of another file.
    #[cfg(test)]
    pub(super) fn for_another(mut self, path: &Path, clock: &Clock) -> Option<Self> {
        if self.path != path || self.mode != Mode::Durable || self.in_place().is_err() {
            return None;
        }
        self.layouts.clear();
        (self.clock, self.ended) = (clock.clone(), None);
        let checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        self.connection.set_db_config(checkpoint, false).ok()?;
        Some(self)
    }

    /// Takes all rows out but those with which a store begins.
    #[cfg(test)]
    pub(super) fn begin_anew(&mut self, path: &Path) -> Result<(), StoreError> {
        if self.path != path {
            return Err(StoreError::Ended);
        }
        self.in_place()?;
        let transaction = self.connection.transaction()?;
        let tables: Vec<String> = {
            let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'meta'";
            let mut tables = transaction.prepare_cached(tables)?;
            tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        for table in tables {
            transaction.prepare_cached(&format!("DELETE FROM {table}"))?.execute([])?;
        }
        let later = "DELETE FROM meta WHERE name <> 'key'";
        transaction.prepare_cached(later)?.execute([])?;
        Ok(transaction.commit()?)
    }

    fn durable<T>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut open = Work::new(&transaction, &self.key, &self.layouts, &self.clock);
        let value = work(&mut open)?;
        open.flush_trace()?;
        failpoint::hit(Point::Commit);
        if failpoint::is_dead() {
            drop(transaction);
            self.crashed(StoreError::Ended);
            return Err(StoreError::Ended);
        }
        if let Err(error) = transaction.commit() {
            let cause = StoreError::CommitUnknown(sql_words(&error));
            self.crashed(cause.clone());
            return Err(cause);
        }
        failpoint::hit(Point::Committed);
        if failpoint::is_dead() {
            self.crashed(StoreError::Ended);
        }
        Ok(value)
    }

    /// Nothing more may be written; closing would write once more.
    fn crashed(&mut self, cause: StoreError) {
        self.ended.get_or_insert(cause);
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    fn rehearsed<T>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let savepoint = self.connection.savepoint()?;
        let mut open = Work::new(&savepoint, &self.key, &self.layouts, &self.clock);
        let value = work(&mut open)?;
        open.flush_trace()?;
        savepoint.commit()?;
        Ok(value)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.mode == Mode::Rehearsal {
            let _ = self.connection.execute_batch("ROLLBACK");
        } else if self.ended.is_none() {
            let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }
}

fn unusable(path: &Path, reason: &str) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), reason: reason.to_owned() }
}

/// Says what a failure to begin means, where SQLite's own words do not.
pub(super) fn explain(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            StoreError::Locked { path: path.to_owned(), holder: "another program".to_owned() }
        }
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
            unusable(path, &sql_words(&error))
        }
        Some(rusqlite::ErrorCode::NotADatabase) => unusable(
            path,
            "it is not a database, or its beginning is damaged; name another file in [store] path",
        ),
        _ => StoreError::from(error),
    }
}

/// Opens the file, locked. A file that is refused is left as it was, to the
/// bit.
fn open_file(
    path: &Path,
    mode: Mode,
    clock: &Clock,
) -> Result<(Connection, StoreLock), StoreError> {
    const NO_CHECKPOINT: DbConfig = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let io = |error: std::io::Error| unusable(path, &in_words(&error));
    make_directory(path).map_err(io)?;
    if let Some(kind) = network(&directory(path)) {
        let reason = format!(
            "it lies on a file system of the network ({kind}), whose locks and syncs cannot be relied on; name a place on a local disk in [store] path"
        );
        return Err(unusable(path, &reason));
    }
    let lock = StoreLock::take(path, (clock.now(), mode), LOOKS_LAST)?;
    // SQLite would make it wider. Closed before SQLite opens it, and not opened
    // again: whoever closes a file drops all locks that his process has on it
    // ("How To Corrupt An SQLite Database File", 2.2). With the lock in hand no
    // other connection of this process has it open either.
    drop(open_private(path).map_err(io)?);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| unusable(path, &error.to_string()))?;
    let explained = |error| explain(path, error);
    connection.set_db_config(NO_CHECKPOINT, true).map_err(explained)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(explained)?;
    recognise(&connection, path)?;
    connection.set_db_config(NO_CHECKPOINT, false).map_err(explained)?;
    narrow(path).map_err(io)?;
    Ok((connection, lock))
}

fn configure(connection: &Connection, in_memory: bool) -> Result<(), rusqlite::Error> {
    let journal: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if journal != "wal" && !in_memory {
        return Err(rusqlite::Error::InvalidQuery);
    }
    for (name, value) in [
        ("synchronous", "FULL"),
        ("foreign_keys", "ON"),
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
        ("secure_delete", "FAST"),
        ("mmap_size", "0"),
        ("cache_size", "-16384"),
        ("wal_autocheckpoint", "4000"),
        ("journal_size_limit", "67108864"),
        ("temp_store", "MEMORY"),
    ] {
        connection.pragma_update(None, name, value)?;
    }
    // Without it a statement whose `LIMIT` or partial index is a parameter is
    // compiled anew for each value ("Query Planner Stability Guarantee").
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    // More than there are: all of them are used in every pass.
    connection.set_prepared_statement_cache_capacity(512);
    Ok(())
}

fn read_key(connection: &Connection) -> Result<SealKey, StoreError> {
    let bytes: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM meta WHERE name = 'key'", [], |row| row.get(0))
        .optional()?;
    let key = bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| StoreError::Corrupt("the key of the checksums is missing".into()))?;
    Ok(SealKey::new(key))
}
