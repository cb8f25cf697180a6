//! Transactions over rows: all or nothing, without a trace in the change log.
//!
//! Owns: what rows were before a transaction touched them.

use uuid::Uuid;

use super::{Db, Grave, Stored, link};
use crate::sandbox::row::Fields;

/// A row as it was.
#[derive(Debug)]
struct Before {
    table: String,
    id: Uuid,
    row: Option<Stored>,
    grave: Option<u64>,
}

/// The rows that open transactions have touched, oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal {
    depth: usize,
    entries: Vec<Before>,
}

impl Db {
    /// Does all of `work` or, where it fails, nothing of it. May be nested.
    pub(crate) fn transaction<T, E>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mark = self.journal.entries.len();
        self.journal.depth += 1;
        let done = work(self);
        self.journal.depth -= 1;
        if done.is_err() {
            for before in self.journal.entries.split_off(mark).into_iter().rev() {
                self.restore(before);
            }
        }
        if self.journal.depth == 0 {
            self.journal.entries.clear();
        }
        done
    }

    /// Remembers a row that is about to change, where a transaction is open.
    pub(super) fn note(&mut self, table: &str, id: Uuid) {
        if self.journal.depth == 0 {
            return;
        }
        let Some(data) = self.tables.get(table) else { return };
        let (row, grave) = (data.rows.get(&id).cloned(), data.buried.get(&id).copied());
        self.journal.entries.push(Before { table: table.to_owned(), id, row, grave });
    }

    fn restore(&mut self, before: Before) {
        let Some(data) = self.tables.get_mut(&before.table) else { return };
        let id = before.id;
        if let Some(row) = data.rows.remove(&id) {
            let fields = row.data.unpack();
            data.by_version.remove(&row.version);
            data.forget_keys(&fields);
            link(&mut self.children, &data.def, id, Some(&fields), &Fields::new());
        }
        if let Some(grave) = data.buried.remove(&id) {
            data.graves.remove(&grave);
        }
        if let Some(grave) = before.grave {
            data.graves.insert(grave, Grave { id });
            data.buried.insert(id, grave);
        }
        if let Some(row) = before.row {
            let fields = row.data.unpack();
            data.by_version.insert(row.version, id);
            data.learn_keys(id, &fields);
            link(&mut self.children, &data.def, id, None, &fields);
            data.rows.insert(id, row);
        }
    }
}
