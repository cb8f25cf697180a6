//! Forgetting a record: every row about it goes, and what rows about others say
//! of it is taken out of them. One transaction; the bytes are `scrub`'s.

use rusqlite::Connection;

use crate::model::{Flow, RecordId};
use crate::store::dead_letter::parts;
use crate::store::event_content::decode;
use crate::store::names::Names;
use crate::store::trace::{corrupt, without};
use crate::store::work::{flow, record_id, table_name};
use crate::store::{Action, Payload, PayloadLink, StoreError, UNKNOWN, Work};

/// Stands where the id of a forgotten record stood.
pub(super) const FORGOTTEN: &str = "a forgotten record";

/// Tables with a column of record ids whose rows are about that record.
pub(super) const ABOUT: [(&str, &str); 18] = [
    ("outbox", "record"),
    ("dead_letter", "record"),
    ("mirror", "record"),
    ("presence", "record"),
    ("left_out", "record"),
    ("reread", "record"),
    ("remap", "record"),
    ("resync_record", "record"),
    ("resync_listed", "record"),
    ("consent", "contact"),
    ("consent_own", "contact"),
    ("consent_decision", "contact"),
    ("consent_address", "contact"),
    ("consent_merge", "loser"),
    ("consent_merge", "master"),
    ("event", "activity"),
    ("event_known", "activity"),
    ("event_letter", "letter"),
];

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Rows about the record that are gone.
    pub(crate) erased: u64,
    /// Rows about others that no longer name it.
    pub(crate) cleaned: u64,
    /// A deletion of it waited to be sent to Campaign and will not be.
    pub(crate) deletion_waited: bool,
    /// Dynamics had it when it was last read.
    pub(crate) in_dynamics: bool,
    /// Where it is still named: what a reading under way will overwrite.
    pub(crate) left: Vec<String>,
}

impl Work<'_> {
    /// Forgets a record, in whatever table it is. Nothing may be under way.
    pub(crate) fn forget(&mut self, record: RecordId) -> Result<Forgotten, StoreError> {
        let names = self.names_of(record)?;
        let mut gone = Forgotten {
            deletion_waited: self.any("outbox WHERE record = ?1 AND action = 'delete'", record)?,
            in_dynamics: self.any("mirror WHERE record = ?1 AND state = 'present'", record)?,
            ..Forgotten::default()
        };
        gone.erased += self.forget_events(&names)?;
        for (table, column) in ABOUT {
            gone.erased +=
                self.rows(&format!("DELETE FROM {table} WHERE {column} = ?1"), record)?;
        }
        gone.cleaned += self.forget_links(record)?;
        gone.cleaned += self.clean_payloads(&names)?;
        gone.cleaned += self.clean_texts(&names)?;
        gone.cleaned += self.forget_trace(record)?;
        if gone != Forgotten::default() {
            self.note_doubt(record)?;
        }
        gone.left = self.naming(&names)?;
        self.want_scrub()?;
        Ok(gone)
    }

    /// Campaign may hold the record, though nothing here says so: it was forgotten,
    /// or left out while that was not known.
    pub(crate) fn note_doubt(&mut self, record: RecordId) -> Result<(), StoreError> {
        let name = self.forgotten_name(record);
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, zeroblob(0))")?
            .execute([name])?;
        Ok(())
    }

    /// Whether a record comes again of which that was noted. Asked once: what is
    /// decided about it now says so from here on.
    pub(super) fn was_forgotten(&mut self, record: RecordId) -> Result<bool, StoreError> {
        let name = self.forgotten_name(record);
        let noted = self.sql.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([name])?;
        Ok(noted > 0)
    }

    /// A name that nobody can turn back into the id without the store's key.
    fn forgotten_name(&self, record: RecordId) -> String {
        let print = u64::from_be_bytes(self.key.seal("forgotten", &[record.as_bytes()]));
        format!("forgotten:{print:016x}")
    }

    fn any(&self, from: &str, record: RecordId) -> Result<bool, StoreError> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {from})");
        Ok(self.sql.query_row(&sql, [record.as_bytes().as_slice()], |row| row.get(0))?)
    }

    fn rows(&self, sql: &str, record: RecordId) -> Result<u64, StoreError> {
        Ok(self.sql.execute(sql, [record.as_bytes().as_slice()])? as u64)
    }

    /// Events and letters of events whose recipient the record is. Their ids,
    /// which name nobody, stay known: they do not come back from a second source.
    fn forget_events(&mut self, names: &Names) -> Result<u64, StoreError> {
        let events = self.matching("SELECT activity, content FROM event", |content| {
            Ok(names.in_text(content) || names.is(&decode(content)?.contact))
        })?;
        let letters = self.matching("SELECT letter, content FROM event_letter", |content| {
            Ok(names.told_in(content))
        })?;
        let now = self.now();
        for activity in &events {
            self.rows("DELETE FROM event WHERE activity = ?1", *activity)?;
            self.know_activity(*activity, now)?;
        }
        for letter in &letters {
            self.rows("DELETE FROM dead_letter WHERE flow = 'egress' AND record = ?1", *letter)?;
            self.discard_event_letter(*letter)?;
        }
        Ok((events.len() + letters.len()) as u64)
    }

    fn matching(
        &self,
        sql: &str,
        wanted: impl Fn(&str) -> Result<bool, StoreError>,
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut statement = self.sql.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if wanted(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)? {
                found.push(record_id(&row.get::<_, Vec<u8>>(0)?)?);
            }
        }
        Ok(found)
    }

    /// Its own links, and those of others to it. What waited for it is counted
    /// anew.
    fn forget_links(&mut self, record: RecordId) -> Result<u64, StoreError> {
        let tables = |work: &Self, column: &str, key: &str| -> Result<Vec<String>, StoreError> {
            let sql = format!("SELECT DISTINCT {column} FROM link WHERE {key} = ?1");
            let mut statement = work.sql.prepare(&sql)?;
            let rows = statement.query_map([record.as_bytes().as_slice()], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        for table in tables(self, "table_name", "record")? {
            self.remove_links(&table_name(&table)?, record)?;
        }
        let mut children = Vec::new();
        for table in tables(self, "parent_table", "parent")? {
            children.extend(self.children(&table_name(&table)?, record)?);
        }
        let gone = self.rows("DELETE FROM link WHERE parent = ?1", record)?;
        let linked = self.key.fingerprint(record.to_string().as_bytes());
        for ((table, child), name, _) in children {
            self.recount_child(&table, child)?;
            // If the record comes again it may be another one in Campaign.
            if let Some(mut mirror) = self.mirror(&table, child)?
                && let Some(known) = mirror.fields.get_mut(&name)
                && *known == linked
            {
                *known = UNKNOWN;
                self.set_mirror(&table, child, &mirror)?;
            }
        }
        Ok(gone)
    }

    /// Writes about others that carry the id: they go on without it, and their
    /// records are read again, so that nothing of theirs is lost.
    fn clean_payloads(&mut self, names: &Names) -> Result<u64, StoreError> {
        let mut cleaned = 0;
        for kind in ["outbox", "dead_letter"] {
            for row in CarryingRow::all(self.sql, kind, names)? {
                let mut payload = self.decode(&row.payload)?;
                let (lost, links): (Vec<PayloadLink>, _) =
                    payload.links.into_iter().partition(|link| link.record == names.record);
                payload.links = links;
                payload.fields.retain(|field| {
                    let linked = lost.iter().any(|link| link.field == *field.name);
                    !linked && !names.in_text(field.json.get())
                });
                self.replace_payload(kind, &row, &payload)?;
                cleaned += 1;
            }
        }
        Ok(cleaned)
    }

    fn replace_payload(
        &mut self,
        kind: &str,
        row: &CarryingRow,
        payload: &Payload,
    ) -> Result<(), StoreError> {
        let text = self.encode(payload)?;
        let (of, table) = (flow(&row.flow)?, table_name(&row.table)?);
        let record = record_id(&row.record)?;
        let seal = if kind == "outbox" {
            self.outbox_seal(of, &table, record, Action::parse(&row.action)?, &text)
        } else {
            let parts =
                parts(&row.flow, &row.table, &row.record, &row.action, &text, row.uncertain);
            self.key.seal("dead_letter", &parts)
        };
        self.sql.execute(
            &format!("UPDATE {kind} SET payload = ?2, seal = ?3 WHERE id = ?1"),
            (row.id, text, seal.as_slice()),
        )?;
        if of == Flow::Ingress {
            self.request_another_look(&table, record)?;
        }
        Ok(())
    }

    /// Takes a record's entries out, wherever they stand. Gives the number of
    /// transactions that told of it.
    fn forget_trace(&mut self, record: RecordId) -> Result<u64, StoreError> {
        let blocks: Vec<i64> = {
            let mut statement = self.sql.prepare(
                "SELECT id FROM trace
                 WHERE instr(entries, ?1) > 0 OR instr(entries, CAST(?2 AS BLOB)) > 0",
            )?;
            let id = record.to_string();
            let rows = statement.query_map((record.as_bytes().as_slice(), id), |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        for id in &blocks {
            let (at, block): (i64, Vec<u8>) = self.sql.query_row(
                "SELECT at_us, entries FROM trace WHERE id = ?1",
                [id],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            let block = without(&block, record).ok_or_else(corrupt)?;
            if block.is_empty() {
                self.sql.execute("DELETE FROM trace WHERE id = ?1", [id])?;
                continue;
            }
            let seal = self.key.seal("trace", &[&at.to_le_bytes(), &block]);
            self.sql.execute(
                "UPDATE trace SET entries = ?2, seal = ?3 WHERE id = ?1",
                (id, block, seal.as_slice()),
            )?;
        }
        Ok(blocks.len() as u64)
    }

    /// Reasons, and where an opt-out was told, that name the record.
    fn clean_texts(&mut self, names: &Names) -> Result<u64, StoreError> {
        let mut cleaned = self.forget_in_decisions(names.record)?;
        for (table, column) in [("consent", "told_by"), ("dead_letter", "reason")] {
            let sql = format!(
                "UPDATE {table} SET {column} = replace({column}, ?1, ?2)
                 WHERE instr({column}, ?1) > 0"
            );
            cleaned += self.sql.execute(&sql, (&names.id, FORGOTTEN))? as u64;
        }
        Ok(cleaned)
    }

    /// The tables in which the id still stands, in whatever form.
    fn naming(&self, names: &Names) -> Result<Vec<String>, StoreError> {
        let mut columns = self.sql.prepare(
            "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
               AND c.type IN ('TEXT', 'BLOB') ORDER BY t.name",
        )?;
        let mut rows = columns.query([])?;
        let mut left: Vec<String> = Vec::new();
        while let Some(row) = rows.next()? {
            let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
            if left.contains(&table) {
                continue;
            }
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM \"{table}\"
                   WHERE instr(CAST(\"{column}\" AS BLOB), ?1) > 0
                     OR instr(lower(\"{column}\"), ?2) > 0 OR instr(lower(\"{column}\"), ?3) > 0)"
            );
            let forms = (names.record.as_bytes().as_slice(), &names.id, &names.bare);
            if self.sql.query_row(&sql, forms, |row| row.get(0))? {
                left.push(table);
            }
        }
        Ok(left)
    }
}

/// A row of the outbox or of the dead letters.
struct CarryingRow {
    id: i64,
    flow: String,
    table: String,
    record: Vec<u8>,
    action: String,
    payload: String,
    uncertain: bool,
}

impl CarryingRow {
    /// Those whose payload has the id in it.
    fn all(sql: &Connection, kind: &str, names: &Names) -> Result<Vec<Self>, StoreError> {
        let mut statement = sql.prepare(&format!(
            "SELECT id, flow, table_name, record, action, payload, uncertain FROM {kind}
             WHERE instr(lower(payload), ?1) > 0 OR instr(lower(payload), ?2) > 0"
        ))?;
        let rows = statement.query_map((&names.id, &names.bare), |row| {
            Ok(Self {
                id: row.get(0)?,
                flow: row.get(1)?,
                table: row.get(2)?,
                record: row.get(3)?,
                action: row.get(4)?,
                payload: row.get(5)?,
                uncertain: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
