//! Links: which parents a record has, and which records the filter of a parent
//! table leaves out. Not sealed: a wrong row delays a write or asks Dynamics
//! once more, and delivery finds out whether Campaign holds a parent.

use rusqlite::OptionalExtension;

use crate::model::{RecordId, TableName};
use crate::store::work::{record_id, table_name};
use crate::store::{StoreError, Work};

/// One link of a record, as decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkRow {
    /// Campaign's field.
    pub(crate) name: String,
    /// The parent's table.
    pub(crate) parent_table: TableName,
    /// The parent.
    pub(crate) parent: RecordId,
    /// Whether the record goes without this link, or was given up for it.
    pub(crate) missed: bool,
}

/// What is known of a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Campaign holds it.
    There,
    /// It waits to be written, or was given up and may be tried again.
    Coming,
    /// Dynamics has it; the filter leaves it out.
    LeftOut,
    /// Nothing.
    Unknown,
}

/// A record and its table.
pub(crate) type Place = (TableName, RecordId);

impl Work<'_> {
    /// What is known of a parent.
    pub(crate) fn standing(
        &self,
        table: &TableName,
        record: RecordId,
    ) -> Result<Standing, StoreError> {
        let (mirror, action, given_up, left_out): (bool, Option<String>, bool, bool) = self
            .sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM mirror WHERE table_name = ?1 AND record = ?2),
                   (SELECT action FROM outbox
                      WHERE flow = 'ingress' AND table_name = ?1 AND record = ?2),
                   EXISTS (SELECT 1 FROM dead_letter
                      WHERE flow = 'ingress' AND table_name = ?1 AND record = ?2),
                   EXISTS (SELECT 1 FROM left_out WHERE table_name = ?1 AND record = ?2)",
            )?
            .query_row((table.as_str(), record.as_bytes().as_slice()), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
        let deleting = action.as_deref() == Some("delete");
        Ok(match (mirror, left_out) {
            (false, true) => Standing::LeftOut,
            (true, true) if deleting => Standing::LeftOut,
            (true, _) => Standing::There,
            (false, false) if given_up || (action.is_some() && !deleting) => Standing::Coming,
            (false, false) => Standing::Unknown,
        })
    }

    /// The links of a record as decided, by name.
    pub(crate) fn links(
        &self,
        table: &TableName,
        record: RecordId,
    ) -> Result<Vec<LinkRow>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT name, parent_table, parent, missed FROM link
             WHERE table_name = ?1 AND record = ?2 AND told = 0 ORDER BY name",
        )?;
        let mut rows = statement.query((table.as_str(), record.as_bytes().as_slice()))?;
        let mut links = Vec::new();
        while let Some(row) = rows.next()? {
            links.push(LinkRow {
                name: row.get(0)?,
                parent_table: table_name(&row.get::<_, String>(1)?)?,
                parent: record_id(&row.get::<_, Vec<u8>>(2)?)?,
                missed: row.get(3)?,
            });
        }
        Ok(links)
    }

    /// Remembers the links of a new decision; `told`: Campaign may know the
    /// record with the earlier ones.
    pub(crate) fn set_links(
        &mut self,
        table: &TableName,
        record: RecordId,
        links: &[LinkRow],
        told: bool,
    ) -> Result<(), StoreError> {
        let mut wanted = links.to_vec();
        wanted.sort_by(|a, b| a.name.cmp(&b.name));
        if self.links(table, record)? == wanted {
            return Ok(());
        }
        let bytes = record.as_bytes().as_slice();
        if told {
            self.sql
                .prepare_cached(
                    "INSERT OR IGNORE INTO link
                     SELECT table_name, record, 1, name, parent_table, parent, 0 FROM link
                     WHERE table_name = ?1 AND record = ?2 AND told = 0 AND missed = 0",
                )?
                .execute((table.as_str(), bytes))?;
        }
        self.sql
            .prepare_cached("DELETE FROM link WHERE table_name = ?1 AND record = ?2 AND told = 0")?
            .execute((table.as_str(), bytes))?;
        for link in &wanted {
            self.add_link(table, record, false, link)?;
        }
        Ok(())
    }

    /// Campaign now knows the record with these links, and a newer decision
    /// waits; or with those last decided, if none are given.
    pub(super) fn told_links(
        &mut self,
        table: &TableName,
        record: RecordId,
        links: &[LinkRow],
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM link WHERE table_name = ?1 AND record = ?2 AND told = 1")?
            .execute((table.as_str(), record.as_bytes().as_slice()))?;
        for link in links {
            self.add_link(table, record, true, link)?;
        }
        Ok(())
    }

    /// Forgets the links of a table that has none by configuration.
    pub(crate) fn drop_links(&mut self, table: &TableName) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM link WHERE table_name = ?1")?
            .execute([table.as_str()])?;
        Ok(())
    }

    /// Forgets the links of decisions that nobody will deliver, for their table
    /// is no longer mapped: no deletion waits for them. If it is mapped again,
    /// they are decided anew.
    pub(crate) fn let_go_of(&mut self, table: &TableName) -> Result<(), StoreError> {
        let waiting = "FROM link WHERE table_name = ?1 AND record IN
            (SELECT record FROM outbox WHERE flow = 'ingress' AND table_name = ?1)";
        self.sql.execute(
            &format!(
                "INSERT OR IGNORE INTO reread (table_name, record, replay)
                 SELECT table_name, record, 0 {waiting}"
            ),
            [table.as_str()],
        )?;
        self.sql.execute(&format!("DELETE {waiting}"), [table.as_str()])?;
        Ok(())
    }

    pub(super) fn add_link(
        &mut self,
        table: &TableName,
        record: RecordId,
        told: bool,
        link: &LinkRow,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO link
                 (table_name, record, told, name, parent_table, parent, missed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                table.as_str(),
                record.as_bytes().as_slice(),
                told,
                &link.name,
                link.parent_table.as_str(),
                link.parent.as_bytes().as_slice(),
                link.missed,
            ))?;
        Ok(())
    }

    /// Whether any record has a parent in this table.
    pub(crate) fn has_children(&self, table: &TableName) -> Result<bool, StoreError> {
        Ok(self
            .sql
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM link WHERE parent_table = ?1)")?
            .query_row([table.as_str()], |row| row.get(0))?)
    }

    /// The distinct parents of a record, as decided and as told.
    pub(super) fn parents(
        &self,
        table: &TableName,
        record: RecordId,
    ) -> Result<Vec<Place>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT DISTINCT parent_table, parent FROM link
             WHERE table_name = ?1 AND record = ?2",
        )?;
        let rows = statement.query_map((table.as_str(), record.as_bytes().as_slice()), |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        rows.map(|row| {
            let (table, record) = row?;
            Ok((table_name(&table)?, record_id(&record)?))
        })
        .collect()
    }

    /// The filter leaves a record of a parent table out. Its children are
    /// decided anew if that is news.
    pub(crate) fn leave_out(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        let bytes = record.as_bytes().as_slice();
        let news = self
            .sql
            .prepare_cached("INSERT OR IGNORE INTO left_out (table_name, record) VALUES (?1, ?2)")?
            .execute((table.as_str(), bytes))?;
        if news > 0 {
            self.sql
                .prepare_cached(
                    "INSERT OR IGNORE INTO reread (table_name, record, replay)
                     SELECT table_name, record, 0 FROM link WHERE parent_table = ?1 AND parent = ?2",
                )?
                .execute((table.as_str(), bytes))?;
        }
        Ok(())
    }

    /// Whether the filter leaves out any known record of this table.
    pub(crate) fn has_left_out(&self, table: &TableName) -> Result<bool, StoreError> {
        Ok(self
            .sql
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM left_out WHERE table_name = ?1)")?
            .query_row([table.as_str()], |row| row.get(0))?)
    }

    /// A record of a parent table passes the filter, or is deleted.
    pub(crate) fn no_longer_left_out(
        &mut self,
        table: &TableName,
        record: RecordId,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM left_out WHERE table_name = ?1 AND record = ?2")?
            .execute((table.as_str(), record.as_bytes().as_slice()))?;
        Ok(())
    }

    /// The key under which Campaign holds a parent; none if it does not.
    pub(super) fn key_in_campaign(
        &self,
        table: &TableName,
        record: RecordId,
    ) -> Result<Option<String>, StoreError> {
        let key: Option<Option<String>> = self
            .sql
            .prepare_cached("SELECT target_key FROM mirror WHERE table_name = ?1 AND record = ?2")?
            .query_row((table.as_str(), record.as_bytes().as_slice()), |row| row.get(0))
            .optional()?;
        Ok(key.map(|key| key.unwrap_or_else(|| record.to_string())))
    }
}
