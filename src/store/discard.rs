//! What is left of a table that is no longer mapped, and its end.

use crate::model::{Flow, TableName};
use crate::store::{StoreError, Work};

/// Rows of one kind that a transaction deletes, at most.
const PART: u32 = 5000;

/// Everything that is kept by table and record, in the order in which it goes.
const KINDS: [&str; 8] =
    ["outbox", "dead_letter", "remap", "reread", "link", "left_out", "presence", "mirror"];

/// What the store holds of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// Decisions that wait.
    pub(crate) waiting: u64,
    /// Of them, those that are being worked on.
    pub(crate) in_work: u64,
    /// Records that were given up.
    pub(crate) dead_letters: u64,
    /// Records that Campaign was told of.
    pub(crate) records: u64,
    /// Whether there is anything else.
    pub(crate) known: bool,
}

impl Work<'_> {
    /// What is left of a table.
    pub(crate) fn leftover(&self, table: &TableName) -> Result<Leftover, StoreError> {
        let number = |sql: &str| -> Result<u64, StoreError> {
            let count: i64 = self.sql.query_row(sql, [table.as_str()], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        let (waiting, in_work) = (
            number("SELECT count(*) FROM outbox WHERE flow = 'ingress' AND table_name = ?1")?,
            number(
                "SELECT count(*) FROM outbox
                 WHERE flow = 'ingress' AND table_name = ?1 AND leased IS NOT NULL",
            )?,
        );
        let dead_letters = self.dead_letter_count(Flow::Ingress, Some(table))?;
        let records = number("SELECT count(*) FROM mirror WHERE table_name = ?1")?;
        let known = waiting > 0 || dead_letters > 0 || records > 0 || {
            number(
                "SELECT (SELECT count(*) FROM checkpoint WHERE table_name = ?1)
                      + (SELECT count(*) FROM resync WHERE table_name = ?1)",
            )? > 0
        };
        Ok(Leftover { waiting, in_work, dead_letters, records, known })
    }

    /// Forgets the position of a table and what was asked for of it. First: a
    /// table that is mapped again then begins anew, whatever is left besides.
    pub(crate) fn discard_position(&mut self, table: &TableName) -> Result<(), StoreError> {
        self.set_empty_read(table, None)?;
        for kind in ["checkpoint", "shape", "resync"] {
            self.sql
                .execute(&format!("DELETE FROM {kind} WHERE table_name = ?1"), [table.as_str()])?;
        }
        Ok(())
    }

    /// Forgets a part of what is kept by record, and what a listing showed.
    /// False if nothing is left.
    pub(crate) fn discard_some(&mut self, table: &TableName) -> Result<bool, StoreError> {
        let listed = self.sql.execute(
            "DELETE FROM inventory WHERE table_name = ?1 AND key_hash IN
               (SELECT key_hash FROM inventory WHERE table_name = ?1 LIMIT ?2)",
            (table.as_str(), PART),
        )?;
        let mut deleted = listed;
        for kind in KINDS {
            let own =
                if matches!(kind, "outbox" | "dead_letter") { "flow = 'ingress'" } else { "1" };
            deleted += self.sql.execute(
                &format!(
                    "DELETE FROM {kind} WHERE {own} AND table_name = ?1 AND record IN
                       (SELECT record FROM {kind} WHERE {own} AND table_name = ?1 LIMIT ?2)"
                ),
                (table.as_str(), PART),
            )?;
        }
        Ok(deleted > 0)
    }
}
