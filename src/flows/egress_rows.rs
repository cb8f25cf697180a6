//! The rows of one log file: taken up in transactions that also say how far the
//! file is taken, from where an ended process stopped.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::campaign::extract::Row;
use crate::campaign::sftp::Session;
use crate::mapping::logs::{LogKind, LogReader, LogRow, LogSpec, MissingColumn};
use crate::model::Flow;
use crate::store::{EventSource, FileState, KnownFile, StoreError};
use crate::telemetry::{FileKept, FileTaken};

use super::egress_files::{FileIntake, Found, Span, Stop};
use super::events::{Decided, MAX_AGAIN, has_room, tell_letters};
use super::file_seen::fresh;
use super::log_file::{FileError, FileOnServer, Survey};

const FLOW: Flow = Flow::Egress;

/// Rows of a transaction.
const ROWS: usize = 1000;

impl FileIntake {
    /// Takes a file's rows. Gives the reason why it is refused, if it is.
    pub(super) async fn take_file(
        &self,
        session: &Session,
        found: &Found<'_>,
        span: Option<Span>,
    ) -> Result<Option<String>, Stop> {
        // What was written before the time began cannot tell of it.
        let from = span.and_then(|(from, _)| from).map_or(i64::MIN, Timestamp::as_second);
        let changed_s = found.entry.stat.changed_s;
        if changed_s > 0 && changed_s < from {
            return Ok(None);
        }
        let path = self.path(&found.entry.name);
        let header = |header: &[String]| match self.reader(found.spec, header) {
            Ok(_) => Ok(()),
            Err(missing) => Err(missing.to_string()),
        };
        let file = FileOnServer {
            session,
            path: &path,
            size: found.entry.stat.size,
            format: &self.files.format,
            header: &header,
        };
        let ended = match file.survey().await {
            Ok(survey) => self.take_surveyed(&file, found, survey, span).await,
            Err(error) => Err(error.into()),
        };
        match ended {
            Ok(()) => Ok(None),
            Err(TakeError::Stop(stop)) => Err(stop),
            Err(TakeError::Refused(reason)) => {
                // One that was written to meanwhile is only looked at again.
                if span.is_none() && !self.is_unchanged(session, found).await? {
                    return Ok(None);
                }
                if span.is_none() {
                    self.note(found, FileState::Refused, (0, Some(self.digest())), Some(&reason))
                        .await?;
                }
                Ok(Some(reason))
            }
        }
    }

    async fn take_surveyed(
        &self,
        file: &FileOnServer<'_>,
        found: &Found<'_>,
        survey: Survey,
        span: Option<Span>,
    ) -> Result<(), TakeError> {
        let (digest, rows) = (survey.digest, survey.rows);
        if span.is_some() {
            return self.take_rows(file, found, survey, span).await;
        }
        let name = found.entry.name.clone();
        let twin = self.store.call(move |work| work.same_file(FLOW, &name, &digest)).await?;
        if twin.is_none() {
            self.take_rows(file, found, survey, None).await?;
        }
        // What was taken is taken; but a file that has changed has more to tell.
        if !self.is_unchanged(file.session, found).await? {
            return Ok(());
        }
        self.note(found, FileState::Done, (rows, Some(digest)), None).await?;
        let deleted = self.delete(file.session, found).await?;
        if self.settled.is_some() {
            let name = found.entry.name.clone();
            FileTaken { flow: FLOW, file: name, rows, same_as: twin, deleted }.emit();
        }
        Ok(())
    }

    async fn take_rows(
        &self,
        file: &FileOnServer<'_>,
        found: &Found<'_>,
        survey: Survey,
        span: Option<Span>,
    ) -> Result<(), TakeError> {
        let digest = survey.digest;
        let known = found.known.as_ref();
        let resumed = known
            .filter(|known| known.state == FileState::Taking && known.digest == Some(digest))
            .map_or(0, |known| known.rows);
        let mut skip = if span.is_none() { resumed } else { 0 };
        let mut taken = skip;
        let mut rows = file.rows(survey).await?;
        let mut reader: Option<LogReader> = None;
        while let Some(batch) = rows.next(ROWS).await? {
            let reader = match &reader {
                Some(reader) => reader,
                None => {
                    reader.insert(self.reader(found.spec, rows.header()).map_err(FileError::from)?)
                }
            };
            for batch in batch.chunks(ROWS) {
                let behind = skip.min(batch.len() as u64);
                skip -= behind;
                let behind = usize::try_from(behind).unwrap_or(usize::MAX);
                let batch = batch.get(behind..).unwrap_or_default();
                if batch.is_empty() {
                    continue;
                }
                taken += batch.len() as u64;
                let decided = self.decide((reader, found.spec), rows.header(), batch, span);
                let mut progress =
                    found.known.clone().unwrap_or_else(|| fresh(&found.entry, self.clock.now()));
                (progress.state, progress.rows) = (FileState::Taking, taken);
                (progress.digest, progress.reason) = (Some(digest), None);
                self.commit(decided, source(found.spec.kind), span.is_none().then_some(progress))
                    .await?;
            }
        }
        let read = rows.close().await;
        if read == Some(digest) { Ok(()) } else { Err(TakeError::Refused(CHANGED.to_owned())) }
    }

    /// What each row is.
    fn decide(
        &self,
        (reader, spec): (&LogReader, &LogSpec),
        header: &[String],
        rows: &[Row],
        span: Option<Span>,
    ) -> Decided {
        let mut decided = Decided::default();
        for row in rows {
            let told = reader.read(&row.values);
            let outside = match (&told, span) {
                (LogRow::Event(event), Some((from, to))) => {
                    (event.time >= to && !self.ids_shared)
                        || from.is_some_and(|from| event.time <= from)
                }
                // What is no event belongs to no time.
                (LogRow::Filtered | LogRow::Bad(_), Some(_)) => true,
                (_, None) => false,
            };
            if !outside {
                decided.add_row(&self.rules, source(spec.kind), told, || content(header, row));
            }
        }
        decided
    }

    /// One transaction: the rows, and how far the file is taken.
    async fn commit(
        &self,
        decided: Decided,
        source: EventSource,
        progress: Option<KnownFile>,
    ) -> Result<(), Stop> {
        let settled = self.settled.as_deref();
        has_room(&self.store, &self.clock, &self.rules, settled, &self.work_ready).await?;
        let (now, tally) = (self.clock.now(), self.tally.clone());
        let letters = self
            .store
            .call(move |work| {
                let (delta, letters) = decided.take(work, now)?;
                if let Some(progress) = progress {
                    work.put_file(FLOW, &progress)?;
                }
                tally.add(delta);
                Ok(letters)
            })
            .await?;
        self.work_ready.notify_one();
        tell_letters(source, letters);
        Ok(())
    }

    /// Deletes a file that is done, where that is wanted and did not happen.
    pub(super) async fn clear_away(
        &self,
        session: &Session,
        found: &Found<'_>,
    ) -> Result<(), Stop> {
        if self.files.delete && self.is_unchanged(session, found).await? {
            self.delete(session, found).await?;
        }
        Ok(())
    }

    async fn delete(&self, session: &Session, found: &Found<'_>) -> Result<bool, StoreError> {
        if !self.files.delete || self.settled.is_none() {
            return Ok(false);
        }
        let path = self.path(&found.entry.name);
        let mut removed = session.remove(&path).await;
        if let (Ok(()), Some(end)) = (&removed, &self.files.marker) {
            removed = session.remove(&format!("{path}{end}")).await;
        }
        if let Err(failure) = &removed {
            let (file, reason) = (found.entry.name.clone(), failure.message.clone());
            FileKept { flow: FLOW, file, reason }.emit();
        }
        Ok(removed.is_ok())
    }

    /// Whether a file is as it was listed; one that is not is looked at anew.
    async fn is_unchanged(&self, session: &Session, found: &Found<'_>) -> Result<bool, Stop> {
        let now = session.stat(&self.path(&found.entry.name)).await?;
        let unchanged = now == Some(found.entry.stat);
        if let (Some(stat), false) = (now, unchanged) {
            let mut changed = found.entry.clone();
            changed.stat = stat;
            let changed = fresh(&changed, self.clock.now());
            self.store.call(move |work| work.put_file(FLOW, &changed)).await?;
        }
        Ok(unchanged)
    }

    async fn note(
        &self,
        found: &Found<'_>,
        state: FileState,
        (rows, digest): (u64, Option<[u8; 32]>),
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut file = found.known.clone().unwrap_or_else(|| fresh(&found.entry, self.clock.now()));
        (file.state, file.rows, file.digest) = (state, rows, digest);
        file.reason = reason.map(str::to_owned);
        self.store.call(move |work| work.put_file(FLOW, &file)).await
    }

    /// What a person wants looked at again, by the rules as they are now.
    pub(crate) async fn look_again(&self) -> Result<(), StoreError> {
        for spec in &self.files.logs {
            self.look_again_at(spec).await?;
        }
        Ok(())
    }

    /// The logs that are read.
    pub(crate) fn sources(&self) -> impl Iterator<Item = EventSource> {
        self.files.logs.iter().map(|log| source(log.kind))
    }

    async fn look_again_at(&self, spec: &LogSpec) -> Result<(), StoreError> {
        let source = source(spec.kind);
        let again = self.store.call(move |work| work.events_again(source, MAX_AGAIN)).await?;
        for letter in again {
            let told: BTreeMap<String, String> =
                serde_json::from_str(&letter.content).unwrap_or_default();
            let (mut header, values): (Vec<String>, Vec<String>) = told.into_iter().unzip();
            // What stood beyond the header does so again.
            header.retain(|name| !name.starts_with(BEYOND));
            let row = self
                .reader(spec, &header)
                .map_or_else(|missing| LogRow::Bad(missing.to_string()), |it| it.read(&values));
            let mut decided = Decided::default();
            decided.add_row(&self.rules, letter.source, row, || letter.content.clone());
            decided.keep_letter(letter.letter, &letter.content);
            let (now, tally) = (self.clock.now(), self.tally.clone());
            let letters = self
                .store
                .call(move |work| {
                    work.end_event_again(letter.letter)?;
                    let (delta, letters) = decided.take(work, now)?;
                    tally.add(delta);
                    Ok(letters)
                })
                .await?;
            self.work_ready.notify_one();
            tell_letters(letter.source, letters);
        }
        Ok(())
    }

    /// The reader of a log's rows, once the header is known.
    fn reader(&self, spec: &LogSpec, header: &[String]) -> Result<LogReader, MissingColumn> {
        let recognition = &self.rules.recognition;
        let kinds = (&recognition.events, recognition.unsure_bounces);
        LogReader::new(spec, &self.files.format, kinds, header)
    }

    fn path(&self, name: &str) -> String {
        match self.files.directory.as_str() {
            "/" => format!("/{name}"),
            directory => format!("{directory}/{name}"),
        }
    }
}

const CHANGED: &str = "the file changed while it was read; it is read again when it no longer does";

/// How the names of values begin that no column of the header names.
const BEYOND: &str = "column ";

/// Why taking a file ended.
enum TakeError {
    Stop(Stop),
    Refused(String),
}

impl From<FileError> for TakeError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Remote(failure) => Self::Stop(Stop::Remote(failure)),
            FileError::Refused(reason) => Self::Refused(reason),
        }
    }
}

impl From<StoreError> for TakeError {
    fn from(error: StoreError) -> Self {
        Self::Stop(Stop::Store(error))
    }
}

impl From<Stop> for TakeError {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

fn source(kind: LogKind) -> EventSource {
    match kind {
        LogKind::Delivery => EventSource::DeliveryLog,
        LogKind::Tracking => EventSource::TrackingLog,
    }
}

/// A row in words that can be read again: each value by the name of its column,
/// those beyond the header by their position.
fn content(header: &[String], row: &Row) -> String {
    let named = row.values.iter().enumerate().map(|(place, value)| {
        let name = header.get(place).filter(|name| !name.is_empty());
        (name.cloned().unwrap_or_else(|| format!("{BEYOND}{}", place + 1)), value.clone())
    });
    let row: BTreeMap<String, String> = named.collect();
    serde_json::to_string(&row).unwrap_or_default()
}
