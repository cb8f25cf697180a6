//! A pass of the egress flow: reading its sources and delivering activities.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::app::App;
use crate::app::pass::{Driven, Ending, Frame, PassOptions, PassReport, Watch};
use crate::app::pin::fits;
use crate::clock::{Clock, Monotonic};
use crate::config::EgressSettings;
use crate::delivery::{ActivityTargets, DrainReport};
use crate::dynamics::ActivityTable;
use crate::flows::egress::EventIntake;
use crate::flows::egress_files::{FileIntake, FileReport};
use crate::flows::events::{EventRules, return_unread};
use crate::http::{Failure, Outcome};
use crate::mapping::events::Recognition;
use crate::model::{Flow, Tally};
use crate::store::{EventSource, Store, StoreError};
use crate::telemetry::{GapFilled, tell_stop};

const FLOW: Flow = Flow::Egress;

/// How the two halves of a pass ended.
#[derive(Clone, Debug, Default)]
struct Halves {
    read: ReadReport,
    drain: DrainReport,
    stopped: bool,
}

/// How the reading of all sources ended.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadReport {
    /// Why sources could not go on, those that could not.
    failures: Vec<Failure>,
    /// Whether files are refused.
    files_refused: bool,
    /// Whether sources were asked and none of them could be read.
    none_read: bool,
}

impl ReadReport {
    fn note(&mut self, failure: Option<Failure>) {
        if let Some(failure) = failure.as_ref().filter(|failure| !failure.is_spent()) {
            tell_stop(FLOW, failure.to_string());
        }
        self.failures.extend(failure);
    }

    /// The first failure with this outcome.
    pub(super) fn first(&self, outcome: Outcome) -> Option<Failure> {
        self.failures.iter().find(|failure| failure.outcome == outcome).cloned()
    }

    /// Whether anything could not be read.
    pub(super) fn failed(&self) -> bool {
        self.files_refused || !self.failures.is_empty()
    }

    fn note_files(&mut self, report: FileReport) {
        self.files_refused |= !report.refused.is_empty();
        self.note(report.failure);
    }
}

/// Until when a remote asked not to be asked again. Clones share it, so that it
/// outlives a pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quiet(Arc<Mutex<Option<Monotonic>>>);

impl Quiet {
    /// Whether it still lasts.
    fn lasts(&self, clock: &Clock) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| clock.monotonic() < until)
    }

    /// Notes what was asked for.
    fn note(&self, wait: Option<Duration>, clock: &Clock) {
        let until = wait.map(|wait| clock.monotonic().plus(wait));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Runs one pass. `watch` is called now and then.
pub(super) async fn sync_egress(
    app: &App,
    store: &Store,
    options: PassOptions,
    watch: &mut (dyn FnMut(Watch) + Send),
) -> Result<PassReport, StoreError> {
    let mut frame = Frame::open(app, store, FLOW, &options, watch).await?;
    let ending = match frame.drive(fits(app, store), Some(&options.stop)).await? {
        Driven::GaveUp => Ending { gave_up: true, ..Ending::default() },
        Driven::Stopped => Ending { stopped: true, ..Ending::default() },
        Driven::Ended(Some(failure)) => Ending { refused: Some(failure), ..Ending::default() },
        Driven::Ended(None) => {
            let tally = frame.tally.clone();
            match frame.drive(Box::pin(work(app, store, &tally, options)), None).await? {
                Driven::Ended(halves) => of_halves(halves, &app.activities),
                Driven::GaveUp | Driven::Stopped => Ending { gave_up: true, ..Ending::default() },
            }
        }
    };
    let now = app.clock.now();
    store.call(move |work| work.prune_known_events(now)).await?;
    frame.close(ending, 0).await
}

/// Reading and delivering, side by side.
async fn work(
    app: &App,
    store: &Store,
    tally: &Tally,
    options: PassOptions,
) -> Result<Halves, StoreError> {
    let Some(settings) = &app.config.egress else { return Ok(Halves::default()) };
    let stop = options.stop;
    let delivery = app.activity_delivery(settings, store, tally, stop.clone());
    let notices = (delivery.work_ready(), Some(delivery.settled()));
    let files = app.file_intake(settings, store, tally, notices.clone());
    let intake = app.event_intake(settings, store, tally, notices);
    let read_from = sources(intake.as_ref(), files.as_ref());
    return_unread(store, tally, &read_from, app.clock.now()).await?;
    let intake = intake.filter(|_| options.asked || !app.quiet.lasts(&app.clock));
    let all_read = AtomicBool::new(false);
    let reading = async {
        // What is dropped here is a page that nobody has seen: as after a crash.
        let report = tokio::select! {
            biased;
            () = stop.requested() => Ok(None),
            report = read(app, intake, files) => report.map(Some),
        };
        all_read.store(true, Ordering::SeqCst);
        delivery.work_ready().notify_one();
        report
    };
    let delivering = delivery.drain(|| all_read.load(Ordering::SeqCst));
    tokio::pin!(reading, delivering);
    tokio::select! {
        biased;
        report = &mut reading => {
            let (read, drain) = (report?, delivering.await?);
            Ok(Halves { read: read.unwrap_or_default(), drain, stopped: stop.is_requested() })
        }
        // Nobody's write will succeed; reading on would only fill the store.
        drain = &mut delivering => {
            Ok(Halves { drain: drain?, stopped: stop.is_requested(), ..Halves::default() })
        }
    }
}

/// Reads the journal, unless it asked to be left alone, and the files, side by
/// side; then what the journal lost, from the files.
pub(super) async fn read(
    app: &App,
    intake: Option<EventIntake>,
    files: Option<FileIntake>,
) -> Result<ReadReport, StoreError> {
    let mut report = ReadReport::default();
    if let Some(files) = files.as_ref().filter(|_| !app.reads_files()) {
        // They only fill gaps; what a person asks for is looked at all the same.
        files.look_again().await?;
    }
    let source = files.as_ref().filter(|_| app.reads_files());
    let (told, taken) = tokio::try_join!(
        async {
            match &intake {
                Some(intake) => intake.run().await.map(Some),
                None => Ok(None),
            }
        },
        async {
            match source {
                Some(files) => files.run().await.map(Some),
                None => Ok(None),
            }
        },
    )?;
    let asked = [
        told.as_ref().map(|told| told.failure.is_some()),
        taken.as_ref().map(|taken| taken.failure.is_some()),
    ];
    report.none_read = none_read(&asked);
    if let Some(told) = told {
        app.quiet.note(told.quiet, &app.clock);
        report.note(told.failure);
    }
    if let Some(taken) = taken {
        report.note_files(taken);
    } else if let Some(files) = &files {
        fill_gaps(files, &mut report).await?;
    }
    Ok(report)
}

/// Whether sources were asked and all of them failed. A file that is refused may
/// stay so for ever, and does not count.
fn none_read(failed: &[Option<bool>]) -> bool {
    let mut asked = failed.iter().flatten().peekable();
    asked.peek().is_some() && asked.all(|failed| *failed)
}

/// In whose words events are understood.
fn sources(intake: Option<&EventIntake>, files: Option<&FileIntake>) -> Vec<EventSource> {
    let journal = intake.map(|_| EventSource::Journal);
    journal.into_iter().chain(files.into_iter().flat_map(FileIntake::sources)).collect()
}

/// Takes from the files what the journal lost.
async fn fill_gaps(files: &FileIntake, report: &mut ReadReport) -> Result<(), StoreError> {
    for gap in files.store.call(|work| work.open_gaps()).await? {
        let (filled, whole) = files.fill(gap.from, gap.to).await?;
        let failed = filled.failure.is_some();
        report.note_files(filled);
        if failed {
            return Ok(());
        }
        if whole {
            files.store.call(move |work| work.fill_gap(gap.id)).await?;
            let from = gap.from.map(|at| at.to_string());
            GapFilled { flow: FLOW, from, to: gap.to.to_string() }.emit();
        }
    }
    Ok(())
}

impl App {
    /// Whether log files are a source, and do not only fill what the journal
    /// lost.
    fn reads_files(&self) -> bool {
        self.config.egress.as_ref().is_some_and(|egress| egress.reads_files)
    }

    /// What reads log files, where they are configured.
    pub(super) fn file_intake(
        &self,
        settings: &EgressSettings,
        store: &Store,
        tally: &Tally,
        (work_ready, settled): (Arc<Notify>, Option<Arc<Notify>>),
    ) -> Option<FileIntake> {
        let recognition = Recognition {
            events: settings.events.clone(),
            unsure_bounces: settings.unsure_bounces,
            ..Recognition::default()
        };
        Some(FileIntake {
            sftp: self.sftp.clone()?,
            files: Arc::new(settings.files.clone()?),
            rules: EventRules {
                recognition: Arc::new(recognition),
                name_space: settings.name_space.clone(),
            },
            ids_shared: settings
                .journal
                .as_ref()
                .is_some_and(|journal| journal.recognition.pointers.id.is_some()),
            store: store.clone(),
            clock: self.clock.clone(),
            tally: tally.clone(),
            work_ready,
            settled,
        })
    }

    /// What reads the journal, where that is a source.
    pub(super) fn event_intake(
        &self,
        settings: &EgressSettings,
        store: &Store,
        tally: &Tally,
        (work_ready, settled): (Arc<Notify>, Option<Arc<Notify>>),
    ) -> Option<EventIntake> {
        let journal = settings.journal.as_ref()?;
        let source = journal_source(settings)?;
        Some(EventIntake {
            journal: self.journal.clone()?,
            source,
            rules: EventRules {
                recognition: Arc::new(journal.recognition.clone()),
                name_space: settings.name_space.clone(),
            },
            store: store.clone(),
            clock: self.clock.clone(),
            tally: tally.clone(),
            work_ready,
            settled,
        })
    }
}

/// What tells this journal from others in the store; none where none is read.
pub(super) fn journal_source(settings: &EgressSettings) -> Option<String> {
    let url = settings.journal.as_ref()?.url.0.as_str();
    Some(blake3::hash(url.as_bytes()).to_hex()[..32].to_owned())
}

fn of_halves(halves: Halves, targets: &ActivityTargets) -> Ending {
    let tables: Vec<_> = targets.tables.values().map(ActivityTable::name).collect();
    let unwritable = !tables.is_empty() && tables.iter().all(|it| halves.drain.failed.contains(it));
    Ending {
        all_failed: halves.read.none_read || unwritable,
        refused: halves.read.first(Outcome::Refused).or(halves.read.first(Outcome::Spent)),
        kept_refusing: halves.read.first(Outcome::ServerError),
        stopped_by: halves.drain.stopped,
        stopped: halves.stopped,
        failed: halves.read.failed() || !halves.drain.failed.is_empty(),
        ..Ending::default()
    }
}
