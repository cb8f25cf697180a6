//! `run`: the daemon.

use std::sync::Arc;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{load, read};
use crate::daemon::{self, Answering, DaemonError, Service};
use crate::store::{Mode, StoreError};
use crate::telemetry::Spool;

use super::args::Cli;
use super::config::{app, flows};
use super::desk::serve;
use super::exit::{End, Exit};
use super::progress::Progress;
use super::sync::end_process;

/// Runs the command.
pub(super) async fn run(cli: &Cli, clock: &Clock) -> Result<Exit, End> {
    let spool = Spool::default();
    let _log = Progress::start_with(&cli.global, spool.clone())?;
    let app = app(&cli.global, clock)?;
    flows(&app.config, &[])?;
    app.flow_plans().map_err(|reason| End::new(Exit::Usage, reason))?;
    let store = app.open_store(Mode::Durable).await?;
    let path = cli.global.config.clone();
    let file = path.clone();
    let reload = Box::new(move |app: &App| reload(&file, app));
    let answering: Answering = Arc::new(|line, desk, out| Box::pin(serve(line, desk, out)));
    let service = Service { app, store: store.clone(), path, reload, answering, spool };
    match Box::pin(daemon::run(service)).await {
        Ok(true) => {}
        // Who stops us does not wait: neither for a file to be closed nor for a
        // thread that stands still. It is as after a crash.
        Ok(false) => std::process::exit(Exit::Done as i32),
        Err(DaemonError::Store(error @ StoreError::CommitUnknown(_))) => end_process(&error),
        Err(DaemonError::Store(error)) => return Err(error.into()),
        Err(error @ DaemonError::Setup(_)) => {
            return Err(End::new(Exit::Usage, error.to_string()));
        }
        Err(error @ DaemonError::Task(_)) => {
            return Err(End::new(Exit::Incomplete, error.to_string()));
        }
    }
    store.close().await;
    Ok(Exit::Done)
}

/// The configuration as it is now; what is wrong is in plain words, for the
/// log.
fn reload(path: &std::path::Path, app: &App) -> Result<App, String> {
    let text = read(path).map_err(|error| error.to_string())?;
    let config = load(&text).map_err(|problems| problems.to_string())?;
    app.again(config).map_err(|error| error.to_string())
}
