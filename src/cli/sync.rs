//! `sync`: one pass of the flows.

use std::time::Duration;

use crate::app::{PassEnd, PassOptions, Requests, sync_ingress};
use crate::clock::Clock;
use crate::daemon::Desk;
use crate::model::Stop;
use crate::store::{Mode, StoreError};

use super::args::{Cli, Sync};
use super::config::{app, config, needs_ingress};
use super::desk::Request;
use super::exit::{End, Exit};
use super::output::Spoken;
use super::progress::{Progress, report_failure};
use super::remote;

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &Sync, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    if arguments.via_daemon {
        return via_daemon(cli, arguments).await;
    }
    let app = app(&cli.global, clock)?;
    needs_ingress(&app.config)?;
    let store = app.open_store(Mode::Durable).await?;
    let options = PassOptions {
        patience: Duration::from_secs(arguments.patience),
        requests: Requests::default(),
        stop: Stop::default(),
        again: false,
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

/// Lets the daemon run the flows, and waits.
async fn via_daemon(cli: &Cli, arguments: &Sync) -> Result<Exit, End> {
    let config = config(&cli.global)?;
    needs_ingress(&config)?;
    let socket = config.socket();
    remote::ask(&socket, &Request::Sync(arguments.clone())).await?.ok_or_else(|| {
        End::new(
            Exit::Usage,
            format!(
                "no daemon answers at {}; start it with `cdsync run`, or leave `--via-daemon` out",
                socket.display()
            ),
        )
    })
}

/// Answers `sync --via-daemon`.
pub(super) async fn beside(arguments: &Sync, desk: &Desk) -> Result<Spoken, End> {
    let end = desk.pass(Duration::from_secs(arguments.patience)).await;
    let exit = exit_of(end.unwrap_or(PassEnd::Stopped), arguments.patience)?;
    Ok(Spoken { exit, out: String::new(), say: String::new() })
}

/// What the end of a pass means for the command.
pub(super) fn exit_of(end: PassEnd, patience: u64) -> Result<Exit, End> {
    match end {
        PassEnd::Done => Ok(Exit::Done),
        PassEnd::Incomplete => Ok(Exit::Incomplete),
        PassEnd::Stopped => Err(End::new(
            Exit::Incomplete,
            "the daemon stopped the pass before its end; the next one goes on where it stopped",
        )),
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
