//! `sync`: one pass of the flows.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::app::{App, PassEnd, PassOptions, Requests, sync};
use crate::clock::Clock;
use crate::daemon::{Desk, Piece};
use crate::model::{Flow, Stop};
use crate::store::{Mode, Store, StoreError};

use super::args::{Cli, Sync};
use super::config::{app, config, flows};
use super::desk::Request;
use super::exit::{End, Exit};
use super::output::Spoken;
use super::progress::{Progress, report_failure};
use super::remote;
use super::told::told;

/// How long an interrupted pass may take to settle what is on its way; a second
/// signal ends it at once.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

/// Runs the command.
pub(super) async fn run(cli: &Cli, arguments: &Sync, clock: &Clock) -> Result<Exit, End> {
    let progress = Progress::start(&cli.global)?;
    if arguments.via_daemon {
        return via_daemon(cli, arguments).await;
    }
    let app = app(&cli.global, clock)?;
    let flows = flows(&app.config, &arguments.flows)?;
    let store = match app.open_store(Mode::Durable).await {
        Ok(store) => store,
        Err(error @ StoreError::Locked { .. }) if app.config.socket().exists() => {
            let hint = "`cdsync sync --via-daemon` asks a daemon for the passes";
            return Err(End::new(Exit::Store, format!("{error}; {hint}")));
        }
        Err(error) => return Err(error.into()),
    };
    let stop = Stop::default();
    let passes = passes(&app, &store, &flows, (arguments.patience, &progress), &stop);
    let ended = until_interrupted(passes, &stop, clock, interrupted).await;
    progress.end();
    let Some(ended) = ended else { return Err(broken_off()) };
    let ended = match ended {
        Ok(ended) => ended,
        Err(error @ StoreError::CommitUnknown(_)) => end_process(&error),
        Err(error) => return Err(error.into()),
    };
    store.close().await;
    if stop.is_requested() && !matches!(ended, PassEnd::Done) {
        return Err(broken_off());
    }
    exit_of(ended, arguments.patience)
}

/// Waits for the end of the passes; none where they were broken off. An
/// interruption asks them to end, a second one does not wait.
async fn until_interrupted<T>(
    passes: impl Future<Output = T>,
    stop: &Stop,
    clock: &Clock,
    interrupted: impl AsyncFn(),
) -> Option<T> {
    tokio::pin!(passes);
    tokio::select! {
        ended = &mut passes => return Some(ended),
        () = interrupted() => stop.request(),
    }
    tokio::select! {
        ended = &mut passes => Some(ended),
        () = interrupted() => None,
        () = clock.sleep(SETTLE_WITHIN) => None,
    }
}

fn broken_off() -> End {
    End::new(Exit::Incomplete, "interrupted; the next run goes on where this one stopped")
}

/// One pass of each flow, one after the other, none after the wish to stop; what
/// came of the worst.
async fn passes(
    app: &App,
    store: &Store,
    flows: &[Flow],
    (patience, progress): (u64, &Progress),
    stop: &Stop,
) -> Result<PassEnd, StoreError> {
    let mut worst = PassEnd::Done;
    for flow in flows {
        if stop.is_requested() {
            return Ok(worse(worst, PassEnd::Stopped));
        }
        let options = PassOptions {
            patience: Duration::from_secs(patience),
            requests: Requests::default(),
            stop: stop.clone(),
            again: false,
            asked: true,
            anew: true,
            before: None,
        };
        let mut watch = |watch| progress.show(flow.as_str(), watch);
        let report = sync(app, store, *flow, options, &mut watch).await?;
        worst = worse(worst, report.end);
    }
    Ok(worst)
}

/// The end that the exit code tells of; of two alike, the first.
fn worse(one: PassEnd, other: PassEnd) -> PassEnd {
    let weight = |end: &PassEnd| match end {
        PassEnd::Done => 0,
        PassEnd::Incomplete => 1,
        PassEnd::TablesFailed => 2,
        PassEnd::Stopped => 3,
        PassEnd::Spent(_) => 4,
        PassEnd::GaveUp => 5,
        PassEnd::KeptRefusing(_) => 6,
        PassEnd::Refused(_) => 7,
    };
    if weight(&other) > weight(&one) { other } else { one }
}

/// Lets the daemon run the flows, and waits.
async fn via_daemon(cli: &Cli, arguments: &Sync) -> Result<Exit, End> {
    let config = config(&cli.global)?;
    flows(&config, &arguments.flows)?;
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
pub(super) async fn beside(
    arguments: &Sync,
    desk: &Desk,
    out: mpsc::Sender<Piece>,
) -> Result<Spoken, End> {
    let mut worst = PassEnd::Done;
    for flow in flows(&desk.app().config, &arguments.flows)? {
        let report = desk.pass(flow, Duration::from_secs(arguments.patience)).await;
        let Some(report) = report else {
            worst = worse(worst, PassEnd::Stopped);
            continue;
        };
        // Who asked may have gone; the pass is done.
        let _ = out.send(Piece::Pass(told(flow, &report))).await;
        worst = worse(worst, report.end);
    }
    let exit = exit_of(worst, arguments.patience)?;
    Ok(Spoken { exit, out: String::new(), say: String::new() })
}

/// What the end of a pass means for the command.
pub(super) fn exit_of(end: PassEnd, patience: u64) -> Result<Exit, End> {
    match end {
        PassEnd::Done => Ok(Exit::Done),
        PassEnd::Incomplete | PassEnd::TablesFailed => Ok(Exit::Incomplete),
        PassEnd::Stopped => Err(End::new(
            Exit::Incomplete,
            "the daemon stopped the pass before its end; the next one goes on where it stopped",
        )),
        PassEnd::Refused(failure) => Err(End::new(Exit::Refused, failure.to_string())),
        PassEnd::KeptRefusing(failure) | PassEnd::Spent(failure) => {
            Err(End::new(Exit::Unreachable, failure.to_string()))
        }
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

/// Waits for SIGINT or SIGTERM. They are caught from the call on, not from the
/// first poll: who says that a signal ends the program must be able to keep it.
pub(super) fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let caught = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        let [interrupt, terminate] = caught.map(async |signal| match signal {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        });
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pass that ends so long after it was asked to, and a person who
    /// interrupts it after a minute, and again as often as `again` says; what
    /// came of it, and after how many seconds.
    async fn broken(ends_after: Option<u64>, again: Option<u64>) -> (Option<()>, u64) {
        let clock = Clock::simulated("2026-11-21T12:00:00Z".parse().unwrap());
        let (stop, began) = (Stop::default(), clock.now());
        let pass = async {
            while !stop.is_requested() {
                clock.sleep(Duration::from_millis(100)).await;
            }
            match ends_after {
                Some(seconds) => clock.sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let interrupted = async || {
            let wait = if stop.is_requested() { again } else { Some(60) };
            match wait {
                Some(seconds) => clock.sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let ended = until_interrupted(pass, &stop, &clock, interrupted).await;
        (ended, clock.now().duration_since(began).as_secs().unsigned_abs())
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupted_pass_has_ten_seconds_to_settle_and_a_second_signal_none() {
        assert_eq!(broken(Some(9), None).await, (Some(()), 69));
        assert_eq!(broken(None, None).await, (None, 70));
        assert_eq!(broken(Some(11), None).await, (None, 70));
        assert_eq!(broken(Some(9), Some(3)).await, (None, 63));
    }
}
