//! What waits for what: a write until Campaign holds its parents, a deletion
//! until the undelivered children of its record that can move are done. The
//! number stands in the outbox row and is counted anew whenever something it
//! rests on changes, at the latest at the start of a pass.

use std::sync::LazyLock;

use crate::model::{RecordId, TableName};
use crate::store::link::Place;
use crate::store::work::{record_id, table_name};
use crate::store::{Action, Leased, LinkRow, Parent, StoreError, UNKNOWN, Work};

/// The links that keep the write in an outbox row from going.
macro_rules! unmet {
    ($row:literal) => {
        concat!(
            "FROM link l WHERE l.table_name = ",
            $row,
            ".table_name AND l.record = ",
            $row,
            ".record AND l.told = 0 AND l.missed = 0
               AND NOT EXISTS (SELECT 1 FROM mirror m
                 WHERE m.table_name = l.parent_table AND m.record = l.parent)"
        )
    };
}

/// Whether a child `c` may still move: it may go, or each parent that it waits
/// for may. Waiting for others would keep a deleted person in Campaign.
const MOVES: &str = concat!(
    "(c.action = 'delete' OR c.waits = 0 OR c.leased IS NOT NULL OR NOT EXISTS (SELECT 1 ",
    unmet!("c"),
    " AND NOT EXISTS (SELECT 1 FROM outbox p
        WHERE p.flow = 'ingress' AND p.table_name = l.parent_table AND p.record = l.parent
          AND p.action = 'write' AND (p.waits = 0 OR p.leased IS NOT NULL))))"
);

/// Children of a deletion that are counted: it is counted anew for each of them
/// that is done, and only whether any is left decides.
const MOST_CHILDREN: u32 = 8;

/// The value of `outbox.waits`.
static WAITS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "CASE action WHEN 'write' THEN (SELECT count(*) {})
         ELSE (SELECT count(*) FROM (SELECT 1 FROM link k JOIN outbox c
            ON c.flow = 'ingress' AND c.table_name = k.table_name AND c.record = k.record
            WHERE k.parent_table = outbox.table_name AND k.parent = outbox.record AND {MOVES}
            LIMIT {MOST_CHILDREN}))
         END",
        unmet!("outbox")
    )
});

impl Work<'_> {
    /// Counts what a decision that was just put waits for, and what waits for
    /// it. For tables with links, and tables of parents.
    pub(crate) fn count_waits(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        self.recount(table, record)?;
        let parents = self.parents(table, record)?;
        self.recount_all(&parents)
    }

    fn recount(&mut self, table: &TableName, record: RecordId) -> Result<bool, StoreError> {
        let changed = self
            .sql
            .prepare_cached(&format!(
                "UPDATE outbox SET waits = {}
                 WHERE flow = 'ingress' AND table_name = ?1 AND record = ?2",
                *WAITS
            ))?
            .execute((table.as_str(), record.as_bytes().as_slice()))?;
        Ok(changed > 0)
    }

    /// Counts a child anew, and the deletions that wait for it or no longer do.
    pub(super) fn recount_child(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        if self.recount(table, record)? {
            let parents = self.parents(table, record)?;
            self.recount_all(&parents)?;
        }
        Ok(())
    }

    fn recount_all(&mut self, places: &[Place]) -> Result<(), StoreError> {
        for (table, record) in places {
            self.recount(table, *record)?;
        }
        Ok(())
    }

    /// Counts all that wait anew. At the start of a pass: whatever went wrong
    /// before, nothing stays waiting for what is there.
    pub(crate) fn recount_waiting(&mut self) -> Result<(), StoreError> {
        // Deletions last: theirs rests on the numbers of the writes.
        for action in ["write", "delete"] {
            self.sql
                .prepare_cached(&format!(
                    "UPDATE outbox SET waits = {0}
                     WHERE waits > 0 AND action = ?1 AND waits <> {0}",
                    *WAITS
                ))?
                .execute([action])?;
        }
        Ok(())
    }

    /// Counts what the deletions of a table wait for, when they are let go.
    pub(super) fn count_deletions(&mut self, table: &TableName) -> Result<(), StoreError> {
        if self.has_children(table)? {
            self.sql
                .prepare_cached(&format!(
                    "UPDATE outbox SET waits = {}
                     WHERE flow = 'ingress' AND table_name = ?1 AND action = 'delete'",
                    *WAITS
                ))?
                .execute([table.as_str()])?;
        }
        Ok(())
    }

    /// Campaign holds a parent that it did not hold before, or holds it anew:
    /// its children may go, get their link, or get it again.
    pub(crate) fn parent_arrived(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        let linked = self.key.fingerprint(record.to_string().as_bytes());
        for ((child_table, child), name, missed) in self.children(table, record)? {
            self.recount_child(&child_table, child)?;
            if missed {
                self.request_another_look(&child_table, child)?;
                continue;
            }
            // A link to a record that was gone meanwhile is no longer set.
            if let Some(mut mirror) = self.mirror(&child_table, child)?
                && let Some(known) = mirror.fields.get_mut(&name)
                && *known == linked
            {
                *known = UNKNOWN;
                self.set_mirror(&child_table, child, &mirror)?;
                self.request_another_look(&child_table, child)?;
            }
        }
        Ok(())
    }

    /// Campaign no longer holds a parent: children that wait, wait for it too.
    pub(crate) fn parent_gone(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        for ((child_table, child), _, _) in self.children(table, record)? {
            self.recount_child(&child_table, child)?;
        }
        Ok(())
    }

    /// Campaign turned out not to hold the parents of a write: they are read
    /// and written again, and the write waits for them.
    pub(crate) fn parents_lost(
        &mut self,
        leased: &Leased,
        lost: &[Place],
    ) -> Result<(), StoreError> {
        for (table, record) in lost {
            self.remove_mirror(table, *record)?;
            self.request_another_look(table, *record)?;
            self.parent_gone(table, *record)?;
        }
        // The row must wait for what it carries, whatever is known of its links.
        for parent in leased.parents.iter().filter(|parent| {
            lost.iter()
                .any(|(table, record)| parent.link.table == *table && parent.link.record == *record)
        }) {
            self.add_link(&leased.table, leased.record, false, &link_row(parent))?;
        }
        self.recount_child(&leased.table, leased.record)
    }

    /// The work on a decision about a record with links has ended; `waiting`:
    /// a newer decision waits behind it; `told`: Campaign took it.
    pub(crate) fn child_settled(
        &mut self,
        leased: &Leased,
        waiting: bool,
        told: bool,
    ) -> Result<(), StoreError> {
        let (table, record) = (&leased.table, leased.record);
        let parents = self.parents(table, record)?;
        match (waiting, told, leased.action) {
            (_, false, _) => {}
            (false, true, Action::Delete) => self.remove_links(table, record)?,
            (false, true, Action::Write) => self.told_links(table, record, &[])?,
            (true, true, _) => {
                let links: Vec<LinkRow> = leased.parents.iter().map(link_row).collect();
                self.told_links(table, record, &links)?;
            }
        }
        self.recount_all(&parents)
    }

    /// Forgets all links of a record.
    pub(crate) fn remove_links(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        let parents = self.parents(table, record)?;
        self.sql
            .prepare_cached("DELETE FROM link WHERE table_name = ?1 AND record = ?2")?
            .execute((table.as_str(), record.as_bytes().as_slice()))?;
        self.recount_all(&parents)
    }

    /// A decision about a record with links was taken back.
    pub(crate) fn child_withdrawn(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        let parents = self.parents(table, record)?;
        self.told_links(table, record, &[])?;
        self.recount_all(&parents)
    }

    /// Puts waiting records whose parent nobody knows on the list of those to
    /// be read again: the link has another choice than to wait.
    pub(crate) fn reconsider(&mut self, table: &TableName, link: &str) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "INSERT OR IGNORE INTO reread (table_name, record, replay)
                 SELECT o.table_name, o.record, 0 FROM outbox o JOIN link l
                   ON l.table_name = o.table_name AND l.record = o.record
                 WHERE o.table_name = ?1 AND o.waits > 0 AND o.flow = 'ingress'
                   AND o.action = 'write' AND l.name = ?2 AND l.told = 0 AND l.missed = 0
                   AND NOT EXISTS (SELECT 1 FROM mirror m
                     WHERE m.table_name = l.parent_table AND m.record = l.parent)
                   AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.flow = 'ingress'
                     AND p.table_name = l.parent_table AND p.record = l.parent
                     AND p.action = 'write')
                   AND NOT EXISTS (SELECT 1 FROM dead_letter d WHERE d.flow = 'ingress'
                     AND d.table_name = l.parent_table AND d.record = l.parent)",
            )?
            .execute((table.as_str(), link))?;
        Ok(())
    }

    /// Up to `limit` records that a decision waits for: the parents of a write,
    /// the children of a deletion; each with the link between them.
    pub(crate) fn waits_for(
        &self,
        table: &TableName,
        record: RecordId,
        action: Action,
        limit: u32,
    ) -> Result<Vec<(String, Place)>, StoreError> {
        let found = match action {
            Action::Write => format!(
                "SELECT DISTINCT l.name, l.parent_table, l.parent {}
                 AND l.table_name = ?1 AND l.record = ?2",
                unmet!("l")
            ),
            Action::Delete => format!(
                "SELECT DISTINCT k.name, k.table_name, k.record FROM link k JOIN outbox c
                   ON c.flow = 'ingress' AND c.table_name = k.table_name AND c.record = k.record
                 WHERE k.parent_table = ?1 AND k.parent = ?2 AND {MOVES}"
            ),
        };
        let mut statement =
            self.sql.prepare_cached(&format!("{found} ORDER BY 1, 2, 3 LIMIT ?3"))?;
        let mut rows = statement.query((table.as_str(), record.as_bytes().as_slice(), limit))?;
        let mut places = Vec::new();
        while let Some(row) = rows.next()? {
            let place =
                (table_name(&row.get::<_, String>(1)?)?, record_id(&row.get::<_, Vec<u8>>(2)?)?);
            places.push((row.get(0)?, place));
        }
        Ok(places)
    }

    /// The records that link to a parent: place, link, whether they miss it.
    pub(super) fn children(
        &self,
        table: &TableName,
        record: RecordId,
    ) -> Result<Vec<(Place, String, bool)>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT table_name, record, name, missed FROM link
             WHERE parent_table = ?1 AND parent = ?2",
        )?;
        let rows = statement.query_map((table.as_str(), record.as_bytes().as_slice()), |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, bool>(3)?,
            ))
        })?;
        rows.map(|row| {
            let (table, record, name, missed) = row?;
            Ok(((table_name(&table)?, record_id(&record)?), name, missed))
        })
        .collect()
    }
}

fn link_row(parent: &Parent) -> LinkRow {
    LinkRow {
        name: parent.link.field.clone(),
        parent_table: parent.link.table.clone(),
        parent: parent.link.record,
        missed: false,
    }
}
