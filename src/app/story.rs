//! One record's story: what the store's trace tells of it, and where it stands
//! now. Read from the store alone.

use crate::config::Config;
use crate::model::{Flow, RecordId, RowVersion, TableName};
use crate::store::{Action, DeadLetter, MirrorState, Store, StoreError, TraceEntry};

/// Transactions that are looked through at a time.
const BLOCKS: u32 = 500;

/// Records that are named of those that a decision waits for.
const SHOWN: u32 = 20;

/// Where a record stands in one table.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The table.
    pub(crate) table: TableName,
    /// What Campaign was last told: the record's key there if it is not its
    /// id, the version, and the names of its fields.
    pub(crate) told: Option<Told>,
    /// What waits to be told, and whether it is on its way or in doubt.
    pub(crate) waits: Option<(Action, bool)>,
    /// Which records it waits for, each with its link; the first of them.
    pub(crate) waits_for: Vec<WaitsFor>,
    /// Whether it is to be read again.
    pub(crate) reread: bool,
}

/// A record that a decision waits for: a parent of a write, or a child of a
/// deletion.
#[derive(Clone, Debug)]
pub(crate) struct WaitsFor {
    /// The child's field.
    pub(crate) link: String,
    /// The table of the record.
    pub(crate) table: TableName,
    /// The record.
    pub(crate) record: RecordId,
}

/// What Campaign was last told of a record.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Whether Dynamics still has it.
    pub(crate) present: bool,
    /// The version that was written.
    pub(crate) version: Option<RowVersion>,
    /// The fields that Campaign was told.
    pub(crate) fields: Vec<String>,
}

/// One record's story.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    /// What happened, oldest first.
    pub(crate) entries: Vec<TraceEntry>,
    /// Where it stands, by table.
    pub(crate) standing: Vec<Standing>,
    /// Its dead letters.
    pub(crate) letters: Vec<DeadLetter>,
}

impl Story {
    /// Whether nothing at all is known of the record.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.standing.is_empty() && self.letters.is_empty()
    }
}

/// Reads a record's story: of one table, or of all. `progress` is called with
/// the number of transactions looked through so far.
pub(crate) async fn story(
    config: &Config,
    store: &Store,
    record: RecordId,
    table: Option<TableName>,
    mut progress: impl FnMut(u64),
) -> Result<Story, StoreError> {
    let wanted = |name: &TableName| table.as_ref().is_none_or(|table| table == name);
    let (mut entries, mut before, mut looked) = (Vec::new(), Some(i64::MAX), 0);
    while let Some(from) = before {
        let (found, next) = store.call(move |work| work.trace_of(record, from, BLOCKS)).await?;
        entries.extend(found.into_iter().filter(|entry| wanted(&entry.table)));
        before = next;
        looked += u64::from(BLOCKS);
        progress(looked);
    }
    entries.reverse();
    let configured = config.ingress.iter().flat_map(|ingress| &ingress.tables);
    let mut tables: Vec<TableName> = configured.map(|spec| spec.dynamics.clone()).collect();
    tables.extend(table.clone());
    tables.extend(entries.iter().map(|entry| entry.table.clone()));
    tables.retain(|name| wanted(name));
    tables.sort();
    tables.dedup();
    let (standing, mut letters) = store
        .call(move |work| {
            let mut standing = Vec::new();
            for table in tables {
                let told = work.mirror(&table, record)?.map(|mirror| Told {
                    present: mirror.state == MirrorState::Present,
                    version: mirror.version,
                    fields: mirror.fields.into_keys().collect(),
                });
                let waits = work.pending(Flow::Ingress, &table, record)?;
                let waits_for = match &waits {
                    None => Vec::new(),
                    Some(it) => work.waits_for(&table, record, it.action, SHOWN)?,
                };
                let waits_for = waits_for
                    .into_iter()
                    .map(|(link, (table, record))| WaitsFor { link, table, record })
                    .collect();
                let waits = waits.map(|pending| (pending.action, pending.touched));
                let reread = work.to_be_read(&table, record)?;
                if told.is_some() || waits.is_some() || reread {
                    standing.push(Standing { table, told, waits, waits_for, reread });
                }
            }
            Ok((standing, work.dead_letters_of(record)?))
        })
        .await?;
    letters.retain(|letter| wanted(&letter.table));
    Ok(Story { entries, standing, letters })
}
