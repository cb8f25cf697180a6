//! How much waits in the outbox, and for how long.

use jiff::Timestamp;

use crate::model::{Flow, TableName};
use crate::store::work::table_name;
use crate::store::{StoreError, Work};

impl Work<'_> {
    /// How many decisions wait or are on their way: of a flow, or of one of
    /// its tables. Counted in an index: asked several times a second.
    pub(crate) fn backlog(&self, flow: Flow, table: Option<&TableName>) -> Result<u64, StoreError> {
        let count: i64 = match table {
            None => self
                .sql
                .prepare_cached("SELECT count(*) FROM outbox WHERE flow = ?1")?
                .query_row([flow.as_str()], |row| row.get(0))?,
            Some(table) => self
                .sql
                .prepare_cached("SELECT count(*) FROM outbox WHERE flow = ?1 AND table_name = ?2")?
                .query_row([flow.as_str(), table.as_str()], |row| row.get(0))?,
        };
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How much of a flow waits or is on its way, whatever it is.
    pub(crate) fn flow_backlog(&self, flow: Flow) -> Result<u64, StoreError> {
        match flow {
            Flow::Ingress => self.backlog(flow, None),
            Flow::Optout => self.open_contacts(),
            Flow::Egress => {
                let events = self.event_backlog()?;
                Ok(events.ready + events.waiting)
            }
        }
    }

    /// Since when the oldest of it waits, in microseconds since 1970.
    pub(crate) fn oldest_of_flow(&self, flow: Flow) -> Result<Option<i64>, StoreError> {
        match flow {
            Flow::Ingress => self.oldest_decision(flow, None),
            Flow::Optout => self.oldest_open_flag(),
            Flow::Egress => Ok(self.event_backlog()?.oldest.map(Timestamp::as_microsecond)),
        }
    }

    /// When the oldest of them was decided. Reads all of them, for `status`.
    pub(crate) fn oldest_decision(
        &self,
        flow: Flow,
        table: Option<&TableName>,
    ) -> Result<Option<i64>, StoreError> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT min(created_us) FROM outbox
                 WHERE flow = ?1 AND (?2 IS NULL OR table_name = ?2)",
            )?
            .query_row((flow.as_str(), table.map(TableName::as_str)), |row| row.get(0))?)
    }

    /// About how many decisions of a flow nobody has taken up yet, of those that may go:
    /// what reading need not run further ahead of. Never too few: the span of
    /// their numbers, which are given and taken up in order, but for those in doubt,
    /// which may rest for a while and are not counted.
    pub(crate) fn ready(&self, flow: Flow) -> Result<u64, StoreError> {
        let span: Option<i64> = self
            .sql
            .prepare_cached(
                "SELECT (SELECT id FROM outbox INDEXED BY outbox_ready
                   WHERE leased IS NULL AND hold = 'free' AND waits = 0 AND flow = ?1
                     AND uncertain = 0
                   ORDER BY id DESC LIMIT 1)
                 - (SELECT id FROM outbox INDEXED BY outbox_ready
                   WHERE leased IS NULL AND hold = 'free' AND waits = 0 AND flow = ?1
                     AND uncertain = 0
                   ORDER BY id LIMIT 1) + 1",
            )?
            .query_row([flow.as_str()], |row| row.get(0))?;
        Ok(span.and_then(|span| u64::try_from(span).ok()).unwrap_or(0))
    }

    /// How many records of a table wait for a parent.
    pub(crate) fn waiting_for_parent(&self, table: &TableName) -> Result<u64, StoreError> {
        let count: i64 = self
            .sql
            .prepare_cached(
                "SELECT count(*) FROM outbox
                 WHERE table_name = ?1 AND waits > 0 AND action = 'write'",
            )?
            .query_row([table.as_str()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many deletions of a table wait for children of their records.
    pub(crate) fn waiting_for_children(&self, table: &TableName) -> Result<u64, StoreError> {
        let count: i64 = self
            .sql
            .prepare_cached(
                "SELECT count(*) FROM outbox
                 WHERE table_name = ?1 AND waits > 0 AND action = 'delete'",
            )?
            .query_row([table.as_str()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The tables that are none of `mapped` and have decisions that wait, with
    /// their number.
    pub(crate) fn unmapped(
        &self,
        mapped: &[TableName],
    ) -> Result<Vec<(TableName, u64)>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT table_name, count(*) FROM outbox WHERE flow = 'ingress'
             GROUP BY table_name ORDER BY table_name",
        )?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let table = table_name(&row.get::<_, String>(0)?)?;
            if !mapped.contains(&table) {
                found.push((table, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)));
            }
        }
        Ok(found)
    }

    /// The tables whose records wait for a parent, with their number.
    pub(crate) fn waiting_tables(&self) -> Result<Vec<(TableName, u64)>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT table_name, count(*) FROM outbox
             WHERE waits > 0 AND action = 'write' GROUP BY table_name ORDER BY table_name",
        )?;
        let rows =
            statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        rows.map(|row| {
            let (table, count) = row?;
            Ok((table_name(&table)?, u64::try_from(count).unwrap_or(0)))
        })
        .collect()
    }
}
