//! Files of Campaign's server: which were seen, and how far each is taken. A
//! row is written in the transaction of the rows of the file that it counts.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use crate::model::Flow;
use crate::store::{Fingerprint, StoreError, Work};

/// Longest reason that is kept, in characters.
const MAX_REASON_CHARS: usize = 500;

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileState {
    /// It was seen; it may be incomplete.
    Seen,
    /// Some of its rows are taken.
    Taking,
    /// All are, or their content is known from another file.
    Done,
    /// It cannot be read.
    Refused,
}

impl FileState {
    const ALL: [Self; 4] = [Self::Seen, Self::Taking, Self::Done, Self::Refused];

    fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Taking => "taking",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt("a file has an unknown state".into()))
    }
}

/// A file, as it was when it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownFile {
    /// Its name in the flow's directory.
    pub(crate) name: String,
    /// In bytes, as the server said.
    pub(crate) size: u64,
    /// Seconds since 1970, by the server's clock.
    pub(crate) changed_s: i64,
    /// Since when, by our clock, size and time are so.
    pub(crate) still: Timestamp,
    /// How far it has come.
    pub(crate) state: FileState,
    /// Rows that are taken, in the order of the file.
    pub(crate) rows: u64,
    /// Of its unpacked content; of a refused file, of the rules by which.
    pub(crate) digest: Option<[u8; 32]>,
    /// Why it was refused.
    pub(crate) reason: Option<String>,
}

/// Columns as they stand there.
struct Raw {
    name: String,
    size: i64,
    changed_s: i64,
    still_us: i64,
    state: String,
    rows: i64,
    digest: Option<Vec<u8>>,
    reason: Option<String>,
    seal: Vec<u8>,
}

impl Raw {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            name: row.get(0)?,
            size: row.get(1)?,
            changed_s: row.get(2)?,
            still_us: row.get(3)?,
            state: row.get(4)?,
            rows: row.get(5)?,
            digest: row.get(6)?,
            reason: row.get(7)?,
            seal: row.get(8)?,
        })
    }
}

impl Work<'_> {
    /// All files of a flow that are remembered, by name.
    pub(crate) fn files(&self, flow: Flow) -> Result<Vec<KnownFile>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT name, size, changed_s, still_us, state, rows, digest, reason, seal
             FROM file WHERE flow = ?1 ORDER BY name",
        )?;
        let rows = statement.query_map([flow.as_str()], Raw::read)?;
        rows.map(|raw| self.known_file(flow, raw?)).collect()
    }

    fn known_file(&self, flow: Flow, raw: Raw) -> Result<KnownFile, StoreError> {
        let damaged = || StoreError::Corrupt("a row of `file` does not match its checksum".into());
        let digest = match raw.digest {
            Some(digest) => Some(digest.try_into().map_err(|_| damaged())?),
            None => None,
        };
        let file = KnownFile {
            name: raw.name,
            size: u64::try_from(raw.size).map_err(|_| damaged())?,
            changed_s: raw.changed_s,
            still: Timestamp::from_microsecond(raw.still_us).map_err(|_| damaged())?,
            state: FileState::parse(&raw.state)?,
            rows: u64::try_from(raw.rows).map_err(|_| damaged())?,
            digest,
            reason: raw.reason,
        };
        if self.file_seal(flow, &file).as_slice() == raw.seal { Ok(file) } else { Err(damaged()) }
    }

    /// Writes down what is known of a file now.
    pub(crate) fn put_file(&mut self, flow: Flow, file: &KnownFile) -> Result<(), StoreError> {
        let mut file = file.clone();
        if let Some((cut, _)) =
            file.reason.as_ref().and_then(|reason| reason.char_indices().nth(MAX_REASON_CHARS))
            && let Some(reason) = &mut file.reason
        {
            reason.truncate(cut);
        }
        let seal = self.file_seal(flow, &file);
        let digest = file.digest.as_ref().map(<[u8; 32]>::as_slice);
        let bounded = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO file (flow, name, size, changed_s, still_us, state, rows,
                   digest, reason, updated_us, seal)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute((
                flow.as_str(),
                &file.name,
                bounded(file.size),
                file.changed_s,
                file.still.as_microsecond(),
                file.state.as_str(),
                bounded(file.rows),
                digest,
                file.reason.as_deref(),
                self.now_us(),
                seal.as_slice(),
            ))?;
        Ok(())
    }

    /// Another file with this content that is done.
    pub(crate) fn same_file(
        &self,
        flow: Flow,
        name: &str,
        digest: &[u8; 32],
    ) -> Result<Option<String>, StoreError> {
        let found = self
            .sql
            .prepare_cached(
                "SELECT name FROM file
                 WHERE flow = ?1 AND digest = ?2 AND name <> ?3 AND state = 'done' LIMIT 1",
            )?
            .query_row((flow.as_str(), digest.as_slice(), name), |row| row.get(0))
            .optional()?;
        Ok(found)
    }

    /// Forgets files that are gone from the server: those that were not done at
    /// once, the others after `days`, for until then a twin may appear.
    pub(crate) fn forget_files(
        &mut self,
        flow: Flow,
        gone: &[String],
        days: u32,
    ) -> Result<(), StoreError> {
        let before = self.now_us() - i64::from(days) * 86_400_000_000;
        for name in gone {
            self.sql
                .prepare_cached(
                    "DELETE FROM file WHERE flow = ?1 AND name = ?2
                       AND (state <> 'done' OR updated_us < ?3)",
                )?
                .execute((flow.as_str(), name, before))?;
        }
        Ok(())
    }

    /// For how long no new or changed file was seen, if that is longer than
    /// `alarm`; where there never was one, since files are looked for. Gives it
    /// once in the time of an alarm.
    pub(crate) fn files_late(
        &mut self,
        flow: Flow,
        now: Timestamp,
        alarm: Duration,
    ) -> Result<Option<Duration>, StoreError> {
        let (began, told) = (format!("files-since-{flow}"), format!("files-late-{flow}"));
        let now_us = now.as_microsecond();
        let alarm_us = i64::try_from(alarm.as_micros()).unwrap_or(i64::MAX);
        let seen: Option<i64> = self
            .sql
            .prepare_cached("SELECT max(still_us) FROM file WHERE flow = ?1")?
            .query_row([flow.as_str()], |row| row.get(0))?;
        let since = match (seen, self.moment(&began)?) {
            (Some(seen), _) => seen,
            (None, Some(began)) => began,
            (None, None) => {
                self.set_moment(&began, now_us)?;
                now_us
            }
        };
        let told_ago = self.moment(&told)?.map_or(i64::MAX, |told| now_us.saturating_sub(told));
        let late = now_us.saturating_sub(since);
        if late <= alarm_us || told_ago < alarm_us {
            return Ok(None);
        }
        self.set_moment(&told, now_us)?;
        Ok(Some(Duration::from_micros(late.unsigned_abs())))
    }

    /// Microseconds since 1970 under a name.
    fn moment(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let value: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let damaged = |_| StoreError::Corrupt("the time of a file is none".into());
        value.map(|bytes| bytes.try_into().map(i64::from_le_bytes).map_err(damaged)).transpose()
    }

    fn set_moment(&mut self, name: &str, at_us: i64) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute((name, at_us.to_le_bytes().as_slice()))?;
        Ok(())
    }

    fn file_seal(&self, flow: Flow, file: &KnownFile) -> Fingerprint {
        let reason = file.reason.as_deref().unwrap_or_default();
        self.key.seal(
            "file",
            &[
                flow.as_str().as_bytes(),
                file.name.as_bytes(),
                &file.size.to_le_bytes(),
                &file.changed_s.to_le_bytes(),
                &file.still.as_microsecond().to_le_bytes(),
                file.state.as_str().as_bytes(),
                &file.rows.to_le_bytes(),
                file.digest.as_ref().map_or(&[], <[u8; 32]>::as_slice),
                reason.as_bytes(),
            ],
        )
    }
}
