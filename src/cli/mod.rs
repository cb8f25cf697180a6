//! The command line: arguments, what is printed, exit codes. Decides nothing
//! about records.

mod args;
mod check;
mod config;
mod demo;
mod desk;
mod discard;
#[cfg(test)]
mod documents;
mod drift;
mod exit;
mod explore;
mod flow_name;
mod forget;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod init;
mod letters;
mod manual;
mod optouts;
mod output;
mod plan;
mod progress;
mod provision;
mod remote;
mod resync;
mod run;
mod sandbox;
mod sink;
mod slices;
mod status;
mod sync;
mod terminal;
mod told;
mod trace;
mod words;

use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use clap::Parser;

use crate::clock::Clock;
use args::{Cli, Command};
use desk::Request;
use exit::{End, Exit};

/// Runs the program with the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    install_panic_hook();
    let end = execute(&cli);
    if let Err(end) = &end {
        complain(&cli, end);
    }
    let code = match end {
        Ok(exit) => exit,
        Err(end) => end.exit,
    };
    ExitCode::from(code as u8)
}

/// What went wrong: as an event where every line of stderr is one.
fn complain(cli: &Cli, end: &End) {
    let reason = end.to_string();
    if reason.is_empty() {
        return;
    }
    if matches!(cli.command, Command::Run | Command::Sync(_) | Command::Resync(_)) {
        progress::report_failure(end.exit, reason);
    } else {
        output::complain(&reason);
    }
}

/// A panic is a bug: it says where, never what, and ends the process.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        progress::report_bug(place);
        std::process::abort();
    }));
}

/// Refuses to begin where the process may open too few files: libraries take it
/// for a bug if one of their first is refused, and a secret that cannot be read
/// then looks as if it were not there.
fn files_suffice() -> Result<(), End> {
    /// Two files each: what the runtime, the store and the first connections need.
    const PAIRS: usize = 12;
    let pairs: Result<Vec<_>, _> = (0..PAIRS).map(|_| UnixStream::pair()).collect();
    pairs.map(drop).map_err(|error| {
        let reason = format!(
            "this process may open too few files: {error}; raise its limit (`LimitNOFILE=` in the unit, `ulimit -n` in a shell)"
        );
        End::new(Exit::Usage, reason)
    })
}

fn execute(cli: &Cli) -> Result<Exit, End> {
    files_suffice()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| End::new(Exit::Usage, format!("no runtime: {error}")))?;
    let clock = Clock::system();
    runtime.block_on(async {
        let request = match &cli.command {
            Command::Demo(arguments) => return demo::run(cli, arguments, &clock).await,
            Command::Sandbox(arguments) => return sandbox::run(cli, arguments, &clock).await,
            Command::Init(arguments) => return init::run(cli, arguments, &clock).await,
            Command::Check(arguments) => return check::run(cli, arguments, &clock).await,
            Command::Tables(arguments) => return explore::tables(cli, arguments, &clock).await,
            Command::Resources(arguments) => {
                return explore::resources(cli, arguments, &clock).await;
            }
            Command::Provision(arguments) => return provision::run(cli, arguments, &clock).await,
            Command::Run => return run::run(cli, &clock).await,
            Command::Sync(arguments) => {
                return Box::pin(sync::run(cli, arguments, &clock)).await;
            }
            Command::Plan(arguments) => {
                return Box::pin(plan::run(cli, arguments, &clock)).await;
            }
            Command::Resync(arguments) => return resync::run(cli, arguments, &clock).await,
            Command::Pause(flow) => Request::Pause(*flow),
            Command::Resume(flow) => Request::Resume(*flow),
            Command::Status(arguments) if arguments.watch => {
                return Box::pin(status::watch(cli, arguments.json, &clock)).await;
            }
            Command::Status(arguments) => Request::Status(arguments.json),
            Command::Trace(arguments) => Request::Trace(arguments.clone()),
            Command::DeadLetters(arguments) => Request::DeadLetters(arguments.clone()),
            Command::ApproveDeletes(arguments) => Request::ApproveDeletes(arguments.clone()),
            Command::DiscardTable(arguments) => Request::DiscardTable(arguments.clone()),
            Command::Optouts(arguments) => return optouts::run(cli, arguments, &clock).await,
            Command::ApproveOptouts => Request::ApproveOptouts,
            Command::Forget(arguments) => {
                forget::confirm(*arguments)?;
                Request::Forget(*arguments)
            }
            Command::Manual(arguments) => return manual::run(arguments),
        };
        desk::run(cli, request, &clock).await
    })
}
