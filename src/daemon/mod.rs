//! Being a service: starts when it can work, runs passes by their schedule,
//! answers commands, obeys signals, and ends with all settled.
//!
//! Owns: the loop, the control socket, what systemd and a scraper are told. Knows neither what
//! a pass does nor what a command prints.

mod control;
#[cfg(test)]
mod day_tests;
mod desk;
mod lanes;
mod monitor;
mod notify;
mod page;
#[cfg(test)]
mod page_tests;
mod passes;
mod pulse;
mod signals;
mod tasks;
mod vitals;
mod work;

pub(crate) use control::{Answering, Reply};
pub(crate) use desk::Desk;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::mpsc;

use crate::app::App;
use crate::store::{Store, StoreError};
use crate::telemetry::{DaemonStarted, DaemonStopped, remember_passes};

/// Events that may wait for the loop.
const QUEUE: usize = 64;

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
    let Service { app, store, path, reload, answering } = service;
    let signals = signals::Signals::catch()
        .map_err(|error| DaemonError::Setup(format!("signals cannot be caught: {error}")))?;
    let timers = work::Timers::new(&app, &store).await?;
    let socket = app.config.socket();
    let control = control::Control::bind(&socket).map_err(DaemonError::Setup)?;
    let monitor = match app.config.metrics.listen {
        Some(address) => Some(monitor::Monitor::bind(address).await.map_err(DaemonError::Setup)?),
        None => None,
    };
    let vitals = vitals::Vitals::new(&app.clock);
    let (sender, events) = mpsc::channel(QUEUE);
    let shared = desk::Shared {
        app: RwLock::new(app.clone()),
        running: Mutex::default(),
        rehearsing: tokio::sync::Mutex::default(),
    };
    let shared = Arc::new(shared);
    let desk = Desk { shared: shared.clone(), store: store.clone(), events: sender.clone() };
    let mut tasks = tasks::Tasks::new(sender.clone());
    tasks.start("signals", signals.tell(sender));
    if let Some(monitor) = monitor {
        tasks.start("metrics", monitor.serve(desk.clone(), vitals.clone()));
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
    Ok(settled)
}
