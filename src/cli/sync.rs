//! `sync`: one pass of the flows.

use std::time::Duration;

use crate::app::{PassEnd, PassOptions, Requests, sync_ingress};
use crate::clock::Clock;
use crate::store::{Mode, StoreError};

use super::args::{Cli, Sync};
use super::config::{app, needs_ingress};
use super::exit::{End, Exit};
use super::progress::{Progress, report_failure};

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &Sync, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    let app = app(&cli.global, clock)?;
    needs_ingress(&app.config)?;
    let store = app.open_store(Mode::Durable).await?;
    let options = PassOptions {
        patience: Duration::from_secs(arguments.patience),
        requests: Requests::default(),
    };
    let drawn = progress.clone();
    let mut watch = move |watch| drawn.show("ingress", watch);
    let report = tokio::select! {
        report = sync_ingress(&app, &store, options, &mut watch) => report,
        () = interrupted() => {
            progress.end();
            return Err(End::new(
                Exit::Incomplete,
                "interrupted; the next run goes on where this one stopped",
            ));
        }
    };
    progress.end();
    let report = match report {
        Ok(report) => report,
        Err(error @ StoreError::CommitUnknown(_)) => end_process(&error),
        Err(error) => return Err(error.into()),
    };
    store.close().await;
    exit_of(report.end, arguments.patience)
}

/// What the end of a pass means for the command.
pub(super) fn exit_of(end: PassEnd, patience: u64) -> Result<Exit, End> {
    match end {
        PassEnd::Done => Ok(Exit::Done),
        PassEnd::Incomplete => Ok(Exit::Incomplete),
        PassEnd::Refused(failure) => Err(End::new(Exit::Refused, failure.to_string())),
        PassEnd::KeptRefusing(failure) => Err(End::new(Exit::Unreachable, failure.to_string())),
        PassEnd::GaveUp => Err(End::new(
            Exit::Unreachable,
            format!(
                "gave up after {patience} s without progress; nothing is lost, the next run goes on where this one stopped",
            ),
        )),
    }
}

/// Whether the last commit lasts is not known: nothing more may be done, not
/// even an orderly end.
pub(super) fn end_process(error: &StoreError) -> ! {
    report_failure(Exit::Store, error.to_string());
    std::process::exit(Exit::Store as i32)
}

/// Waits for SIGINT or SIGTERM.
pub(super) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
