//! What Campaign says of its profiles in exported files. A row is a hint as any
//! other: it decides only whether a flag is looked at, so a file may come twice,
//! late, or in any order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{OptoutError, OptoutIntake, Taking, Told};
use crate::campaign::Outcome;
use crate::campaign::extract::Row;
use crate::campaign::sftp::{Session, Sftp};
use crate::flows::egress_files::FileReport;
use crate::flows::file_look::Look;
use crate::flows::file_seen::{SeenFile, Wanted, fresh, look_at};
use crate::flows::log_file::{FileError, FileOnServer, Survey};
use crate::mapping::{FlagReader, OptoutFiles};
use crate::model::consent::CampaignSide;
use crate::model::{FieldName, Flow};
use crate::store::{FileState, StoreError};
use crate::telemetry::{FileKept, FileNamesRefused, FileRefused, FileTaken, FilesLate};

const FLOW: Flow = Flow::Optout;

/// Between the two looks at a file that is new to us and looks old.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Rows of a transaction.
const ROWS: usize = 500;

/// How often a server that cannot be reached is tried in a pass. What the other
/// sources told is not kept waiting for longer.
const TRIES: u32 = 3;

/// Where the files are, and how they are written.
#[derive(Clone, Debug)]
pub(crate) struct FileSource {
    /// The server.
    pub(crate) sftp: Sftp,
    /// The files.
    pub(crate) files: Arc<OptoutFiles>,
    /// A dry run: what is taken is forgotten, so it is neither deleted on the
    /// server nor told of.
    pub(crate) rehearsal: bool,
}

impl FileSource {
    /// Files that are really taken.
    pub(crate) fn new(sftp: Sftp, files: OptoutFiles) -> Self {
        Self { sftp, files: Arc::new(files), rehearsal: false }
    }
}

/// Why the taking of a file ended.
enum TakeError {
    /// The pass cannot go on with files.
    Stop(OptoutError),
    /// This file is refused.
    Refused(String),
}

impl From<FileError> for TakeError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Remote(failure) => Self::Stop(OptoutError::Remote(failure)),
            FileError::Refused(reason) => Self::Refused(reason),
        }
    }
}

impl From<StoreError> for TakeError {
    fn from(error: StoreError) -> Self {
        Self::Stop(OptoutError::Store(error))
    }
}

impl OptoutIntake {
    /// Takes the rows of all complete files.
    pub(super) async fn read_files(&self, source: &FileSource) -> Result<FileReport, StoreError> {
        let mut told = BTreeSet::new();
        for tried in 1.. {
            let mut report = FileReport::default();
            let failure = match self.round(source, &mut report, &mut told).await {
                Ok(()) => {
                    self.watch_lateness(&source.files).await?;
                    return Ok(report);
                }
                Err(OptoutError::Store(error)) => return Err(error),
                Err(OptoutError::Remote(failure)) => failure,
            };
            let passing = matches!(
                failure.outcome,
                Outcome::NotSent | Outcome::Unknown | Outcome::Unavailable
            );
            source.sftp.note_outage(passing.then_some(&failure));
            if !passing || tried >= TRIES {
                report.failure = Some(failure);
                return Ok(report);
            }
            self.clock.sleep(BETWEEN_LOOKS * tried).await;
        }
        Ok(FileReport::default())
    }

    async fn round(
        &self,
        source: &FileSource,
        report: &mut FileReport,
        told: &mut BTreeSet<String>,
    ) -> Result<(), OptoutError> {
        let files = &source.files;
        let session = source.sftp.connect().await?;
        source.sftp.note_outage(None);
        let wanted = Wanted {
            flow: FLOW,
            matches: &|name| files.pattern.matches(name),
            marker: files.marker.as_deref(),
            settle: files.settle,
            rules: self.rules_of(files),
        };
        let listing = session.list(&files.directory).await?;
        if let Some(example) = listing.unsafe_names.first().cloned()
            && told.insert("/".to_owned())
        {
            let files = listing.unsafe_names.len() as u64;
            FileNamesRefused { flow: FLOW, files, example }.emit();
        }
        let mut found = look_at(&self.store, self.clock.now(), &listing, &wanted).await?;
        if found.iter().any(|file| file.look == Look::AskAgain) {
            self.clock.sleep(BETWEEN_LOOKS.min(files.settle)).await;
            let again = session.list(&files.directory).await?;
            found = look_at(&self.store, self.clock.now(), &again, &wanted).await?;
        }
        for file in found {
            let refused = match file.look {
                Look::Young | Look::AskAgain => {
                    report.young += 1;
                    None
                }
                Look::Done => {
                    self.delete(source, &session, &file).await;
                    None
                }
                Look::Refused => {
                    Some(file.known.as_ref().and_then(|it| it.reason.clone()).unwrap_or_default())
                }
                Look::Complete => self.take_file(source, &session, &file).await?,
            };
            if let Some(reason) = refused {
                let file = file.entry.name;
                report.refused.insert(file.clone());
                if told.insert(file.clone()) {
                    FileRefused { flow: FLOW, file, reason }.emit();
                }
            }
        }
        session.close().await;
        Ok(())
    }

    /// Takes a file's rows. Gives the reason why it is refused, if it is.
    async fn take_file(
        &self,
        source: &FileSource,
        session: &Session,
        seen: &SeenFile,
    ) -> Result<Option<String>, OptoutError> {
        let files = source.files.as_ref();
        let path = path(files, &seen.entry.name);
        let flags = self.flags();
        let header = |header: &[String]| FlagReader::new(files, &flags, header).map(drop);
        let file = FileOnServer {
            session,
            path: &path,
            size: seen.entry.stat.size,
            format: &files.format,
            header: &header,
        };
        let ended = match file.survey().await {
            Ok(survey) => self.take_surveyed(files, &file, seen, survey).await,
            Err(error) => Err(error.into()),
        };
        // One that was written to meanwhile is looked at again.
        if session.stat(&path).await? != Some(seen.entry.stat) {
            return Ok(None);
        }
        match ended {
            Ok((rows, digest, same_as)) => {
                self.note(seen, FileState::Done, (rows, digest), None).await?;
                let deleted = self.delete(source, session, seen).await;
                if !source.rehearsal {
                    let file = seen.entry.name.clone();
                    FileTaken { flow: FLOW, file, rows, same_as, deleted }.emit();
                }
                Ok(None)
            }
            Err(TakeError::Stop(error)) => Err(error),
            Err(TakeError::Refused(reason)) => {
                let rules = self.rules_of(files);
                self.note(seen, FileState::Refused, (0, rules), Some(&reason)).await?;
                Ok(Some(reason))
            }
        }
    }

    /// Rows, digest, and the file that had the same content.
    async fn take_surveyed(
        &self,
        files: &OptoutFiles,
        file: &FileOnServer<'_>,
        seen: &SeenFile,
        survey: Survey,
    ) -> Result<(u64, [u8; 32], Option<String>), TakeError> {
        let (digest, count) = (survey.digest, survey.rows);
        let name = seen.entry.name.clone();
        let twin = self.store.call(move |work| work.same_file(FLOW, &name, &digest)).await?;
        if twin.is_some() {
            return Ok((count, digest, twin));
        }
        let flags = self.flags();
        let mut rows = file.rows(survey).await?;
        let (mut reader, mut bad) = (None, None);
        while let Some(batch) = rows.next(ROWS).await? {
            let reader: &FlagReader = match &reader {
                Some(reader) => reader,
                None => reader.insert(
                    FlagReader::new(files, &flags, rows.header()).map_err(TakeError::Refused)?,
                ),
            };
            for batch in batch.chunks(ROWS) {
                let wrong = self.take_rows(&seen.entry.name, reader, batch).await?;
                bad = bad.or(wrong);
            }
        }
        if rows.close().await != Some(digest) {
            let text =
                "the file changed while it was read; it is read again when it no longer does";
            return Err(TakeError::Refused(text.to_owned()));
        }
        match bad {
            // The others are taken: they are hints, and an opt-out is urgent.
            Some(reason) => Err(TakeError::Refused(reason)),
            None => Ok((count, digest, None)),
        }
    }

    /// Takes some rows; what is wrong with the first that cannot be read.
    async fn take_rows(
        &self,
        name: &str,
        reader: &FlagReader,
        rows: &[Row],
    ) -> Result<Option<String>, StoreError> {
        let (mut told, mut bad) = (Vec::with_capacity(rows.len()), None);
        for row in rows {
            match reader.read(&row.values) {
                Ok(read) => {
                    let sides = read.flags.into_iter().map(|flag| {
                        flag.map(|(opted_out, stamp)| CampaignSide { opted_out, stamp })
                    });
                    let from = format!("{name}:{}", row.line);
                    told.push((self.profile_of(read.key, sides.collect()), from));
                }
                Err(what) => {
                    bad = bad.or(Some(format!(
                        "line {}: {what}; the other rows are taken, export the file again",
                        row.line
                    )));
                }
            }
        }
        let (tally, of) = (self.tally.clone(), self.source.clone());
        self.store
            .call(move |work| {
                let mut taking = Taking::of(&of, 0);
                for (told, from) in told {
                    taking.take(work, told, &from)?;
                }
                tally.add(taking.delta);
                Ok(())
            })
            .await?;
        Ok(bad)
    }

    fn flags(&self) -> Vec<FieldName> {
        self.source.pairs.iter().map(|pair| pair.pair.flag.clone()).collect()
    }

    /// Of the rules by which files are read.
    fn rules_of(&self, files: &OptoutFiles) -> [u8; 32] {
        let OptoutFiles { contact, columns, format, .. } = files;
        let text = format!("{contact} {columns:?} {format:?} {:?}", self.flags());
        *blake3::hash(text.as_bytes()).as_bytes()
    }

    async fn note(
        &self,
        seen: &SeenFile,
        state: FileState,
        (rows, digest): (u64, [u8; 32]),
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut file = seen.known.clone().unwrap_or_else(|| fresh(&seen.entry, self.clock.now()));
        (file.state, file.rows, file.digest) = (state, rows, Some(digest));
        file.reason = reason.map(str::to_owned);
        self.store.call(move |work| work.put_file(FLOW, &file)).await
    }

    /// Deletes a file that is done, where that is wanted.
    async fn delete(&self, source: &FileSource, session: &Session, seen: &SeenFile) -> bool {
        let files = &source.files;
        if !files.delete || source.rehearsal {
            return false;
        }
        let path = path(files, &seen.entry.name);
        let mut removed = session.remove(&path).await;
        if let (Ok(()), Some(end)) = (&removed, &files.marker) {
            removed = session.remove(&format!("{path}{end}")).await;
        }
        if let Err(failure) = &removed {
            let (file, reason) = (seen.entry.name.clone(), failure.message.clone());
            FileKept { flow: FLOW, file, reason }.emit();
        }
        removed.is_ok()
    }

    /// Tells somebody when no new file has come for too long.
    async fn watch_lateness(&self, files: &OptoutFiles) -> Result<(), StoreError> {
        let Some(alarm) = files.alarm else { return Ok(()) };
        let now = self.clock.now();
        let late = self.store.call(move |work| work.files_late(FLOW, now, alarm)).await?;
        if let Some(late) = late {
            let directory = files.directory.clone();
            FilesLate { flow: FLOW, directory, late_seconds: late.as_secs() }.emit();
        }
        Ok(())
    }

    /// What a profile with this key says.
    pub(super) fn profile_of(&self, key: Option<String>, sides: Vec<Option<CampaignSide>>) -> Told {
        let Some(key) = key else { return Told::Nobody };
        // Where the key is the contact's id, nobody needs to be looked up.
        let id = crate::model::RecordId::from_bytes([0; 16]);
        let contact = match self.source.mapping.key_of_id(id) {
            Some(_) => crate::model::RecordId::parse(&key).ok(),
            None => None,
        };
        Told::Profile { contact, key, sides }
    }
}

fn path(files: &OptoutFiles, name: &str) -> String {
    match files.directory.as_str() {
        "/" => format!("/{name}"),
        directory => format!("{directory}/{name}"),
    }
}
