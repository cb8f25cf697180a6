//! Brings a database to this program's schema, in one transaction; refuses one
//! that a later program wrote, and one that is not ours.

use std::path::Path;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection, TransactionBehavior};

use crate::failpoint::{self, Point};
use crate::store::StoreError;
use crate::store::connection::explain;
use crate::store::error::in_words;

/// "cdsy" in the header of the file: tells our database from another's.
const APPLICATION_ID: i64 = 0x6364_7379;

/// All migrations in order; the position plus one is the schema they lead to.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_init.sql"),
    include_str!("../../migrations/0002_links.sql"),
    include_str!("../../migrations/0003_resync.sql"),
    include_str!("../../migrations/0004_explain.sql"),
    include_str!("../../migrations/0005_events.sql"),
    include_str!("../../migrations/0006_files.sql"),
    include_str!("../../migrations/0007_consent.sql"),
    include_str!("../../migrations/0008_addresses.sql"),
    include_str!("../../migrations/0009_calls.sql"),
    include_str!("../../migrations/0010_merges.sql"),
];

/// The schema of this program.
pub(crate) fn latest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Refuses a database that is not ours or that a later program wrote. Changes
/// nothing.
pub(crate) fn recognise(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let ask = |sql: &str| -> Result<i64, StoreError> {
        connection.query_row(sql, [], |row| row.get(0)).map_err(|error| explain(path, error))
    };
    let application = ask("PRAGMA application_id")?;
    let tables = ask("SELECT count(*) FROM sqlite_schema")?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(StoreError::Unusable {
            path: path.to_owned(),
            reason: "it is a database of another program; name another file in [store] path".into(),
        });
    }
    let found = ask("PRAGMA user_version")?;
    if found > latest() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: latest() });
    }
    Ok(())
}

/// Runs what is missing; `key` goes into a new store.
pub(crate) fn migrate(connection: &mut Connection, key: &[u8; 32]) -> Result<(), StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == latest() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(found).unwrap_or(0);
    for sql in &MIGRATIONS[done..] {
        let mut batch = Batch::new(&transaction, sql);
        while let Some(mut statement) = batch.next()? {
            statement.execute([])?;
            failpoint::hit(Point::Migrating);
        }
    }
    if found == 0 {
        transaction
            .execute("INSERT INTO meta (name, value) VALUES ('key', ?1)", [key.as_slice()])?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.pragma_update(None, "user_version", latest())?;
    failpoint::hit(Point::Commit);
    transaction.commit().map_err(|error| StoreError::CommitUnknown(in_words(&error)))?;
    failpoint::hit(Point::Committed);
    Ok(())
}
