//! Being a service: starts when it can work, runs passes by their schedule,
//! answers commands, obeys signals, and ends with all settled.
//!
//! Owns: the loop, the control socket, what systemd and a scraper are told. Knows neither what
//! a pass does nor what a command prints.

#[cfg(test)]
mod asked_tests;
mod control;
#[cfg(test)]
mod day_tests;
mod desk;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod lanes;
mod log_copy;
mod monitor;
mod notify;
mod page;
#[cfg(test)]
mod page_tests;
mod passes;
mod pulse;
mod signals;
#[cfg(test)]
mod simulated;
mod tasks;
mod vitals;
mod work;

pub(crate) use control::{Answering, Piece, Reply};
pub(crate) use desk::{Desk, Turn};
#[cfg(test)]
pub(crate) use simulated::{Hand, Simulated};

use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::app::App;
use crate::store::{Store, StoreError};
use crate::telemetry::{DaemonStarted, DaemonStopped, Spool, remember_passes};

/// Events that may wait for the loop.
const QUEUE: usize = 64;

/// Wait after a connection that could not be accepted: the process may be out
/// of file descriptors.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Reads the configuration again, for a daemon that has the given one.
pub(crate) type Reload = Box<dyn Fn(&App) -> Result<App, String> + Send + Sync>;

/// What a daemon begins with.
pub(crate) struct Service {
    /// Clients and configuration.
    pub(crate) app: App,
    /// The store, open as long as the daemon lives.
    pub(crate) store: Store,
    /// The configuration file.
    pub(crate) path: PathBuf,
    /// Reads the configuration again; an error is in words.
    pub(crate) reload: Reload,
    /// Answers commands.
    pub(crate) answering: Answering,
    /// Takes the lines of the log, once it is open.
    pub(crate) spool: Spool,
}

/// Why a daemon ends other than by a signal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    /// It cannot begin with this configuration, or on this machine.
    #[error("{0}")]
    Setup(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part of it ended that must not end.
    #[error(
        "the task `{0}` ended, which it must not; cdsync ends, and the service manager restarts it"
    )]
    Task(&'static str),
}

/// Runs until a signal ends it; gives whether all was settled.
///
/// # Errors
/// See [`DaemonError`].
pub(crate) async fn run(service: Service) -> Result<bool, DaemonError> {
    let Service { app, store, path, reload, answering, spool } = service;
    let signals = signals::Signals::catch()
        .map_err(|error| DaemonError::Setup(format!("signals cannot be caught: {error}")))?;
    let timers = work::Timers::new(&app, &store).await?;
    let socket = app.config.socket();
    let control = control::Control::bind(&socket).map_err(DaemonError::Setup)?;
    let monitor = match app.config.metrics.listen {
        Some(address) => Some(monitor::Monitor::bind(address).await.map_err(DaemonError::Setup)?),
        None => None,
    };
    log_copy::keep_lines(&app, &spool)?;
    let vitals = vitals::Vitals::new(&app.clock);
    let (sender, events) = mpsc::channel(QUEUE);
    let shared = desk::Shared {
        app: RwLock::new(app.clone()),
        running: Mutex::default(),
        rehearsing: tokio::sync::Mutex::default(),
    };
    let shared = Arc::new(shared);
    let desk = Desk {
        shared: shared.clone(),
        store: store.clone(),
        events: sender.clone(),
        spool: spool.clone(),
    };
    let mut tasks = tasks::Tasks::new(sender.clone());
    tasks.start("signals", signals.tell(sender));
    if let Some(monitor) = monitor {
        tasks.start("metrics", monitor.serve(desk.clone(), vitals.clone()));
    }
    let copier = spool.is_open().then(|| log_copy::Copier::new(desk.clone(), spool));
    if let Some(copier) = &copier {
        tasks.start("log copy", copier.clone().run());
    }
    tasks.start("control", control.serve(desk, answering));
    remember_passes();
    let notify = notify::Notify::from_environment(&app.clock);
    DaemonStarted {
        version: env!("CARGO_PKG_VERSION"),
        pid: u64::from(std::process::id()),
        socket: socket.display().to_string(),
    }
    .emit();
    notify.ready();
    let (acts, board) = (passes::Acts::on(&store), passes::Board::new(notify, vitals));
    let worker = work::Worker::new(app, acts, (shared, events), timers, board, (path, reload));
    let settled = Box::pin(worker.run()).await?;
    DaemonStopped { settled }.emit();
    drop(tasks);
    if let Some(copier) = copier.filter(|_| settled) {
        end_of_log(copier).await;
    }
    Ok(settled)
}

/// Copies the last lines; a signal ends that.
async fn end_of_log(copier: log_copy::Copier) {
    let Ok(signals) = signals::Signals::catch() else { return };
    let (sender, mut events) = mpsc::channel(QUEUE);
    tokio::select! {
        () = copier.last() => {}
        () = signals.tell(sender) => {}
        Some(_) = events.recv() => {}
    }
}
