//! The egress flow, read from log files: which files are complete, their rows
//! in one transaction with how far each is taken, and what is done afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::campaign::sftp::{Entry, Listing, Sftp};
use crate::campaign::{Failure, Outcome};
use crate::clock::Clock;
use crate::mapping::logs::{LogFiles, LogSpec};
use crate::model::{Flow, Tally};
use crate::store::{KnownFile, Store, StoreError};
use crate::telemetry::{FileNamesRefused, FileRefused, FilesLate};

use super::events::EventRules;
use super::file_look::Look;
use super::file_seen::{SeenFile, Wanted, look_at};

const FLOW: Flow = Flow::Egress;

/// Between the two looks at a file that is new to us and looks old.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Longest wait before a server that cannot be reached is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What the reading of files needs.
#[derive(Clone, Debug)]
pub(crate) struct FileIntake {
    /// The server.
    pub(crate) sftp: Sftp,
    /// Which files, and how they are written.
    pub(crate) files: Arc<LogFiles>,
    /// How events are named, and which are switched on.
    pub(crate) rules: EventRules,
    /// Whether the journal names events by the ids of the logs, so that what
    /// both tell is one activity.
    pub(crate) ids_shared: bool,
    /// Takes events and how far each file is taken.
    pub(crate) store: Store,
    /// Time.
    pub(crate) clock: Clock,
    /// The run's counts.
    pub(crate) tally: Tally,
    /// Told whenever there may be new work for delivery.
    pub(crate) work_ready: Arc<Notify>,
    /// Told whenever delivery has settled something; none in a dry run, which
    /// never pauses, deletes nothing and tells of no file.
    pub(crate) settled: Option<Arc<Notify>>,
}

/// How the reading of files ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileReport {
    /// Why it could not go on, if it could not.
    pub(crate) failure: Option<Failure>,
    /// Files that are refused.
    pub(crate) refused: BTreeSet<String>,
    /// Files that may still be written to.
    pub(crate) young: u64,
}

/// Why a round over the files ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The store would not.
    Store(StoreError),
    /// The server would not.
    Remote(Failure),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Remote(failure)
    }
}

/// A file of the directory, the log it belongs to, and what is known of it.
pub(super) struct Found<'a> {
    pub(super) entry: Entry,
    pub(super) spec: &'a LogSpec,
    pub(super) known: Option<KnownFile>,
    pub(super) look: Look,
}

impl FileIntake {
    /// Takes the rows of all complete files. A server that cannot be reached is
    /// tried again until the caller loses patience.
    pub(crate) async fn run(&self) -> Result<FileReport, StoreError> {
        self.look_again().await?;
        let report = self.patiently(None).await?;
        if report.failure.is_none() {
            self.watch_lateness().await?;
        }
        Ok(report)
    }

    /// Takes the events of a time that the journal lost from the files that can
    /// hold them, and later ones where that doubles nothing: the journal keeps
    /// no order, so the end is not certain. Leaves the files as they are. True
    /// when all of them were there: each log that tells of a kind that is
    /// switched on has a file that was written after the time's end.
    pub(crate) async fn fill(
        &self,
        from: Option<Timestamp>,
        to: Timestamp,
    ) -> Result<(FileReport, bool), StoreError> {
        let report = self.patiently(Some((from, to))).await?;
        let whole = report.failure.is_none() && report.refused.is_empty() && report.young == 0;
        Ok((report, whole))
    }

    async fn patiently(&self, span: Option<Span>) -> Result<FileReport, StoreError> {
        let mut told = BTreeSet::new();
        let mut tries = 0;
        loop {
            let mut report = FileReport::default();
            let failure = match self.round(span, &mut report, &mut told).await {
                Ok(()) => return Ok(report),
                Err(Stop::Store(error)) => return Err(error),
                Err(Stop::Remote(failure)) => failure,
            };
            let passing = matches!(
                failure.outcome,
                Outcome::NotSent | Outcome::Unknown | Outcome::Unavailable
            );
            self.sftp.note_outage(passing.then_some(&failure));
            if !passing {
                report.failure = Some(failure);
                return Ok(report);
            }
            tries += 1;
            let wait = Duration::from_millis(500 << tries.min(6)).min(LONGEST_WAIT);
            self.clock.sleep(wait).await;
        }
    }

    /// Looks at all files once and takes what is complete.
    async fn round(
        &self,
        span: Option<Span>,
        report: &mut FileReport,
        told: &mut BTreeSet<String>,
    ) -> Result<(), Stop> {
        let session = self.sftp.connect().await?;
        self.sftp.note_outage(None);
        let listing = session.list(&self.files.directory).await?;
        tell_names(&listing, told);
        let mut found = self.look_at(&listing).await?;
        if found.iter().any(|file| file.look == Look::AskAgain) {
            self.clock.sleep(BETWEEN_LOOKS.min(self.files.settle)).await;
            let again = session.list(&self.files.directory).await?;
            found = self.look_at(&again).await?;
        }
        if let Some(span) = span
            && !self.covers(&found, span)
        {
            report.young += 1;
            session.close().await;
            return Ok(());
        }
        for file in found {
            match file.look {
                Look::Young | Look::AskAgain => report.young += 1,
                Look::Refused if span.is_none() => {
                    let reason = file.known.and_then(|known| known.reason).unwrap_or_default();
                    tell_refused(&file.entry.name, reason, report, told);
                }
                Look::Done if span.is_none() => self.clear_away(&session, &file).await?,
                Look::Complete | Look::Done | Look::Refused => {
                    if let Some(reason) = self.take_file(&session, &file, span).await? {
                        tell_refused(&file.entry.name, reason, report, told);
                    }
                }
            }
        }
        session.close().await;
        Ok(())
    }

    /// What each file of the listing is now; new ones are written down.
    async fn look_at(&self, listing: &Listing) -> Result<Vec<Found<'_>>, StoreError> {
        let logs = &self.files.logs;
        let of = |name: &str| logs.iter().find(|log| log.pattern.matches(name));
        let wanted = Wanted {
            flow: FLOW,
            matches: &|name| of(name).is_some(),
            marker: self.files.marker.as_deref(),
            settle: self.files.settle,
            rules: self.digest(),
        };
        let seen = look_at(&self.store, self.clock.now(), listing, &wanted).await?;
        let found = seen.into_iter().filter_map(|SeenFile { entry, known, look }| {
            let spec = of(&entry.name)?;
            Some(Found { entry, spec, known, look })
        });
        Ok(found.collect())
    }

    /// Of the rules by which files are read.
    pub(super) fn digest(&self) -> [u8; 32] {
        let LogFiles { logs, format, .. } = &*self.files;
        *blake3::hash(format!("{logs:?} {format:?}").as_bytes()).as_bytes()
    }

    /// Whether each log that tells of a kind that is switched on has a file that
    /// was written after the span's end; false where none does.
    fn covers(&self, found: &[Found<'_>], (_, to): Span) -> bool {
        let on = &self.rules.recognition.events;
        let asked = |log: &&LogSpec| log.kind.events().iter().any(|kind| on.contains(kind));
        let mut logs = self.files.logs.iter().filter(asked).peekable();
        logs.peek().is_some()
            && logs.all(|log| {
                let mut files = found.iter().filter(|file| std::ptr::eq(file.spec, log));
                files.any(|file| file.entry.stat.changed_s > to.as_second())
            })
    }

    /// Tells somebody when no new file has come for too long.
    async fn watch_lateness(&self) -> Result<(), StoreError> {
        let Some(alarm) = self.files.alarm else { return Ok(()) };
        let now = self.clock.now();
        let late = self.store.call(move |work| work.files_late(FLOW, now, alarm)).await?;
        if let Some(late) = late {
            let directory = self.files.directory.clone();
            FilesLate { flow: FLOW, directory, late_seconds: late.as_secs() }.emit();
        }
        Ok(())
    }
}

fn tell_refused(file: &str, reason: String, report: &mut FileReport, told: &mut BTreeSet<String>) {
    report.refused.insert(file.to_owned());
    if told.insert(file.to_owned()) {
        FileRefused { flow: FLOW, file: file.to_owned(), reason }.emit();
    }
}

fn tell_names(listing: &Listing, told: &mut BTreeSet<String>) {
    let files = listing.unsafe_names.len() as u64;
    if let Some(example) = listing.unsafe_names.first().cloned()
        && told.insert("/".to_owned())
    {
        FileNamesRefused { flow: FLOW, files, example }.emit();
    }
}

/// A time whose events are wanted: after the first, before the second.
pub(super) type Span = (Option<Timestamp>, Timestamp);
