//! The bytes of deleted rows: SQLite leaves them in free pages and in the
//! write-ahead log. All of the file is written anew, and the log emptied.

use rusqlite::Connection;
use rusqlite::limits::Limit;

use crate::failpoint::{self, Point};
use crate::store::{StoreError, Work};

impl Work<'_> {
    /// From here on the file is to be scrubbed: now, or, if the process dies
    /// before, when the store is opened next.
    pub(super) fn want_scrub(&mut self) -> Result<(), StoreError> {
        self.sql.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('scrub', zeroblob(0))",
            [],
        )?;
        Ok(())
    }
}

/// Whether that was begun and not ended.
pub(super) fn is_due(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'scrub')";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Writes the file anew without what is not in it, and empties the log.
pub(super) fn scrub(connection: &mut Connection) -> Result<(), StoreError> {
    connection.flush_prepared_statement_cache();
    // VACUUM works by way of an attached file, and one that may be as large as
    // the store does not belong into memory.
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
    let done = connection.pragma_update(None, "temp_store", "FILE").and_then(|()| {
        failpoint::hit(Point::Commit);
        connection.execute_batch("VACUUM")?;
        failpoint::hit(Point::Committed);
        connection.execute("DELETE FROM meta WHERE name = 'scrub'", [])?;
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
    });
    let back = connection.pragma_update(None, "temp_store", "MEMORY");
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    Ok(done.and(back)?)
}
