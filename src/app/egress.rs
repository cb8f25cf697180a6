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
use crate::delivery::DrainReport;
use crate::flows::egress::{EventIntake, EventReport};
use crate::flows::events::EventRules;
use crate::http::Outcome;
use crate::model::{Flow, Tally};
use crate::store::{Store, StoreError};
use crate::telemetry::FlowStopped;

const FLOW: Flow = Flow::Egress;

/// How the two halves of a pass ended.
#[derive(Clone, Debug, Default)]
struct Halves {
    read: EventReport,
    drain: DrainReport,
    stopped: bool,
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
            match frame.drive(work(app, store, &tally, options), None).await? {
                Driven::Ended(halves) => of_halves(halves),
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
    let intake = app.event_intake(settings, store, tally, notices);
    let intake = intake.filter(|_| options.asked || !app.quiet.lasts(&app.clock));
    let all_read = AtomicBool::new(false);
    let reading = async {
        // What is dropped here is a page that nobody has seen: as after a crash.
        let report = tokio::select! {
            report = read(app, intake) => report.map(Some),
            () = stop.requested() => Ok(None),
        };
        all_read.store(true, Ordering::SeqCst);
        delivery.work_ready().notify_one();
        report
    };
    let delivering = delivery.drain(|| all_read.load(Ordering::SeqCst));
    tokio::pin!(reading, delivering);
    tokio::select! {
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

/// Reads the journal, unless it asked to be left alone, and notes whether it
/// asks for that now.
async fn read(app: &App, intake: Option<EventIntake>) -> Result<EventReport, StoreError> {
    let Some(intake) = intake else { return Ok(EventReport::default()) };
    let report = intake.run().await?;
    app.quiet.note(report.quiet, &app.clock);
    if let Some(failure) = &report.failure {
        FlowStopped { flow: FLOW, reason: failure.to_string() }.emit();
    }
    Ok(report)
}

impl App {
    /// What reads the journal, where that is a source.
    pub(super) fn event_intake(
        &self,
        settings: &EgressSettings,
        store: &Store,
        tally: &Tally,
        (work_ready, settled): (Arc<Notify>, Option<Arc<Notify>>),
    ) -> Option<EventIntake> {
        let journal = settings.journal.as_ref()?;
        let source = blake3::hash(journal.url.0.as_str().as_bytes()).to_hex()[..32].to_owned();
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

fn of_halves(halves: Halves) -> Ending {
    let failure = halves.read.failure;
    let when = |outcome| failure.clone().filter(|failure| failure.outcome == outcome);
    Ending {
        refused: when(Outcome::Refused),
        kept_refusing: when(Outcome::ServerError),
        stopped_by: halves.drain.stopped,
        stopped: halves.stopped,
        failed: failure.is_some() || !halves.drain.failed.is_empty(),
        ..Ending::default()
    }
}
