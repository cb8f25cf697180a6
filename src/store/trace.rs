//! What happened to records, in the order of transactions: one row for each of
//! them, with all its entries in one block of bytes, so that the hot path pays
//! one statement a transaction. Ids and field names only, never values.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::model::{RecordId, RowVersion, RunId, TableName};
use crate::store::forget::FORGOTTEN;
use crate::store::work::table_name;
use crate::store::{StoreError, Work};

/// Bytes of one entry after the texts: record, table, step, version, fields,
/// reason, request id, status, attempts, wait.
const ENTRY_BYTES: usize = 16 + 2 + 1 + 8 + 2 + 2 + 2 + 2 + 2 + 4;

/// Stands for "no version".
const NO_VERSION: i64 = i64::MIN;

/// Bytes of blocks that are kept, whatever their age.
const MOST_BYTES: i64 = 256 << 20;

const MICROS_PER_DAY: i64 = 86_400_000_000;

macro_rules! steps {
    ($( $(#[doc = $doc:literal])+ $name:ident = $code:literal $word:literal ),* $(,)?) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Step { $( $(#[doc = $doc])+ $name = $code ),* }

        impl Step {
            /// The word in outputs.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $( Self::$name => $word ),* }
            }

            fn parse(code: u8) -> Option<Self> {
                match code { $( $code => Some(Self::$name), )* _ => None }
            }
        }
    };
}

steps! {
    /// Read, and to be created in Campaign.
    Create = 1 "create",
    /// Read, and to be updated.
    Update = 2 "update",
    /// To be deleted.
    Delete = 3 "delete",
    /// Read; Campaign holds it so already.
    Unchanged = 4 "unchanged",
    /// Left out by the filter, or a deletion that is not carried.
    LeftOut = 5 "left-out",
    /// Could not be mapped.
    Unmappable = 6 "unmappable",
    /// Campaign holds what was decided.
    Written = 7 "written",
    /// No call was needed.
    AlreadySo = 8 "already-so",
    /// Deleted in Campaign.
    Deleted = 9 "deleted",
    /// An attempt failed and is repeated.
    Retry = 10 "retry",
    /// Given up.
    DeadLetter = 11 "dead-letter",
    /// Delivery stopped; the decision waits for the next pass.
    Waits = 12 "waits",
    /// A decision under an older mapping was taken back.
    Redecide = 13 "re-decide",
    /// A person put its dead letter back to work.
    LetterRetried = 14 "retried-by-hand",
    /// A person discarded its dead letter.
    LetterDiscarded = 15 "discarded-by-hand",
}

/// An entry on its way into the trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note<'a> {
    /// What happened.
    pub(crate) step: Step,
    /// The version in Dynamics that it rests on.
    pub(crate) version: Option<RowVersion>,
    /// Names of fields, joined by commas.
    pub(crate) fields: &'a str,
    /// Why; never a value.
    pub(crate) reason: &'a str,
    /// HTTP status.
    pub(crate) status: Option<u16>,
    /// The remote's id of the request.
    pub(crate) request_id: Option<&'a str>,
    /// Failed attempts so far.
    pub(crate) attempts: u32,
    /// Until the next attempt, in milliseconds.
    pub(crate) wait_ms: u32,
}

impl Note<'_> {
    /// A note that says only what happened.
    pub(crate) fn of(step: Step, version: Option<RowVersion>) -> Self {
        Self {
            step,
            version,
            fields: "",
            reason: "",
            status: None,
            request_id: None,
            attempts: 0,
            wait_ms: 0,
        }
    }
}

/// An entry as `trace` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceEntry {
    /// When its transaction ended.
    pub(crate) at: Timestamp,
    /// The table.
    pub(crate) table: TableName,
    /// What happened.
    pub(crate) step: Step,
    /// The version in Dynamics that it rests on.
    pub(crate) version: Option<RowVersion>,
    /// Names of fields.
    pub(crate) fields: Vec<String>,
    /// Why.
    pub(crate) reason: String,
    /// HTTP status.
    pub(crate) status: Option<u16>,
    /// The remote's id of the request.
    pub(crate) request_id: Option<String>,
    /// Failed attempts so far.
    pub(crate) attempts: u16,
    /// Until the next attempt, in milliseconds.
    pub(crate) wait_ms: u32,
}

/// The entries of one transaction, while it is open. Text 0 is empty.
#[derive(Debug, Default)]
pub(super) struct Trace {
    entries: Vec<u8>,
    texts: Vec<String>,
    numbers: HashMap<String, u16>,
    last: u16,
}

impl Trace {
    /// The number of a text; 0 for the empty one, and where there are too many.
    fn text(&mut self, text: &str) -> u16 {
        if text.is_empty() {
            return 0;
        }
        // Neighbours mostly say the same.
        if self.last > 0 && self.texts[usize::from(self.last) - 1] == text {
            return self.last;
        }
        let next = u16::try_from(self.texts.len() + 1).unwrap_or(0);
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None if next == 0 => return 0,
            None => {
                self.texts.push(text.to_owned());
                self.numbers.insert(text.to_owned(), next);
                next
            }
        };
        self.last = number;
        number
    }

    fn block(&self) -> Vec<u8> {
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        let mut block = Vec::with_capacity(self.entries.len() + self.texts.len() * 32 + 4);
        block.extend(size(self.texts.len()));
        for text in &self.texts {
            block.extend(size(text.len()));
            block.extend_from_slice(text.as_bytes());
        }
        block.extend_from_slice(&self.entries);
        block
    }
}

impl Work<'_> {
    /// Notes what happened to a record; kept if this transaction is.
    pub(crate) fn note(&mut self, table: &TableName, record: RecordId, note: &Note<'_>) {
        let trace = &mut self.trace;
        // Rare texts first: the last one looked up is a neighbour's table.
        let request = trace.text(note.request_id.unwrap_or_default());
        let (reason, fields) = (trace.text(note.reason), trace.text(note.fields));
        let table = trace.text(table.as_str());
        let out = &mut trace.entries;
        out.extend_from_slice(record.as_bytes());
        out.extend(table.to_le_bytes());
        out.push(note.step as u8);
        out.extend(note.version.map_or(NO_VERSION, |version| version.0).to_le_bytes());
        out.extend(fields.to_le_bytes());
        out.extend(reason.to_le_bytes());
        out.extend(request.to_le_bytes());
        out.extend(note.status.unwrap_or(0).to_le_bytes());
        out.extend(u16::try_from(note.attempts).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(note.wait_ms.to_le_bytes());
    }

    /// Stores the notes of this transaction, if there are any.
    pub(super) fn flush_trace(&mut self) -> Result<(), StoreError> {
        if self.trace.entries.is_empty() {
            return Ok(());
        }
        let block = std::mem::take(&mut self.trace).block();
        let at = self.now_us();
        let seal = self.key.seal("trace", &[&at.to_le_bytes(), &block]);
        self.sql
            .prepare_cached("INSERT INTO trace (at_us, entries, seal) VALUES (?1, ?2, ?3)")?
            .execute((at, block, seal.as_slice()))?;
        Ok(())
    }

    /// A record's entries in up to `limit` transactions before the one
    /// numbered `before`, newest first; with the number to go on before, while
    /// there is more.
    pub(crate) fn trace_of(
        &self,
        record: RecordId,
        before: i64,
        limit: u32,
    ) -> Result<(Vec<TraceEntry>, Option<i64>), StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT id, at_us, entries, seal FROM trace WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let mut rows = statement.query((before, limit))?;
        let (mut found, mut last, mut seen) = (Vec::new(), None, 0);
        while let Some(row) = rows.next()? {
            let (id, at): (i64, i64) = (row.get(0)?, row.get(1)?);
            let block = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            let seal = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
            self.key.verify("trace", &[&at.to_le_bytes(), block], seal)?;
            let mut entries = entries(block, record, at).ok_or_else(corrupt)??;
            entries.reverse();
            found.append(&mut entries);
            (last, seen) = (Some(id), seen + 1);
        }
        Ok((found, last.filter(|_| seen == limit)))
    }

    /// Forgets entries older than so many days and, now and then, the oldest
    /// where all of them take more room than they may: to add that up, all are
    /// walked.
    pub(crate) fn prune_trace(&mut self, days: u32, run: RunId) -> Result<(), StoreError> {
        const NOW_AND_THEN: i64 = 100;
        let oldest = self.now_us() - i64::from(days) * MICROS_PER_DAY;
        // They are in the order of time: the first young one ends the search.
        self.sql
            .prepare_cached(
                "DELETE FROM trace WHERE id < coalesce(
               (SELECT id FROM trace WHERE at_us >= ?1 ORDER BY id LIMIT 1), 9223372036854775807)",
            )?
            .execute([oldest])?;
        if run.0 % NOW_AND_THEN == 1 {
            self.sql
                .prepare_cached(
                    "DELETE FROM trace WHERE id <= (SELECT max(id) FROM (SELECT id,
                   sum(length(entries)) OVER (ORDER BY id DESC) AS newer FROM trace)
                 WHERE newer > ?1)",
                )?
                .execute([MOST_BYTES])?;
        }
        Ok(())
    }
}

pub(super) fn corrupt() -> StoreError {
    StoreError::Corrupt("a block of the trace cannot be read".into())
}

/// The entries of one record in a block; none where the block is not whole.
fn entries(
    mut block: &[u8],
    record: RecordId,
    at_us: i64,
) -> Option<Result<Vec<TraceEntry>, StoreError>> {
    let texts = texts(&mut block)?;
    let (chunks, rest) = block.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() {
        return None;
    }
    let at = Timestamp::from_microsecond(at_us).ok()?;
    let mine = chunks.iter().filter(|chunk| chunk.starts_with(record.as_bytes()));
    let all: Option<Vec<_>> = mine.map(|chunk| entry(chunk, &texts, at)).collect();
    Some(all?.into_iter().collect())
}

fn entry(chunk: &[u8], texts: &[&str], at: Timestamp) -> Option<Result<TraceEntry, StoreError>> {
    let mut rest = chunk;
    let _record: [u8; 16] = take(&mut rest)?;
    let text = |number: [u8; 2]| texts.get(usize::from(u16::from_le_bytes(number))).copied();
    let table = text(take(&mut rest)?)?;
    let [step] = take(&mut rest)?;
    let version = i64::from_le_bytes(take(&mut rest)?);
    let fields = text(take(&mut rest)?)?;
    let reason = text(take(&mut rest)?)?.to_owned();
    let request = text(take(&mut rest)?)?;
    let status = u16::from_le_bytes(take(&mut rest)?);
    let attempts = u16::from_le_bytes(take(&mut rest)?);
    let wait_ms = u32::from_le_bytes(take(&mut rest)?);
    let step = Step::parse(step)?;
    Some(table_name(table).map(|table| TraceEntry {
        at,
        table,
        step,
        version: (version != NO_VERSION).then_some(RowVersion(version)),
        fields: fields.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect(),
        reason,
        status: (status != 0).then_some(status),
        request_id: (!request.is_empty()).then(|| request.to_owned()),
        attempts,
        wait_ms,
    }))
}

/// The texts at the beginning of a block, the empty one first.
fn texts<'b>(block: &mut &'b [u8]) -> Option<Vec<&'b str>> {
    let count = u32::from_le_bytes(take(block)?);
    let mut texts = vec![""];
    for _ in 0..count {
        let length = usize::try_from(u32::from_le_bytes(take(block)?)).ok()?;
        let (text, rest) = block.split_at_checked(length)?;
        texts.push(std::str::from_utf8(text).ok()?);
        *block = rest;
    }
    Some(texts)
}

/// A block without the entries of one record, without the texts that only they
/// had, and without its id in those of others; empty where no entry is left.
/// None where the block is not whole.
pub(super) fn without(mut block: &[u8], record: RecordId) -> Option<Vec<u8>> {
    const TEXTS_AT: [usize; 4] = [16, 27, 29, 31];
    let texts = texts(&mut block)?;
    let (chunks, rest) = block.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() {
        return None;
    }
    let (mut kept, mut used) = (Trace::default(), vec![false; texts.len()]);
    for chunk in chunks.iter().filter(|chunk| !chunk.starts_with(record.as_bytes())) {
        kept.entries.extend_from_slice(chunk);
        for at in TEXTS_AT {
            *used.get_mut(usize::from(u16::from_le_bytes([chunk[at], chunk[at + 1]])))? = true;
        }
    }
    if kept.entries.is_empty() {
        return Some(Vec::new());
    }
    let id = record.to_string();
    kept.texts = texts
        .iter()
        .zip(used)
        .skip(1)
        .map(|(text, used)| if used { text.replace(&id, FORGOTTEN) } else { String::new() })
        .collect();
    Some(kept.block())
}

/// The next bytes of a block.
fn take<const N: usize>(block: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = block.split_first_chunk::<N>()?;
    *block = rest;
    Some(*first)
}
