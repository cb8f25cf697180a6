//! Commands that look into the store or leave a wish there: on the store
//! itself, or through the daemon that has it. Both print the same.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::app::Daemon;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{Desk, Piece, Reply};
use crate::model::Flow;
use crate::store::{Mode, Store, StoreError};
use crate::telemetry::{FlowPaused, Spool};

use super::args::{
    ApproveDeletes, Cli, DeadLetters, DiscardTable, FlowChoice, FlowName, Forget, Json,
    LetterAction, Plan, Resync, Sync, Trace,
};
use super::config::{config, flows};
use super::exit::{End, Exit};
use super::optouts::Optouts;
use super::output::Spoken;
use super::sink::Sink;
use super::words::Words;
use super::{discard, forget, letters, optouts, plan, remote, resync, status, sync, trace};

/// What a command asks for; on the control socket, one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", content = "arguments", rename_all = "kebab-case")]
pub(super) enum Request {
    Status(Json),
    Trace(Trace),
    DeadLetters(DeadLetters),
    ApproveDeletes(ApproveDeletes),
    DiscardTable(DiscardTable),
    Optouts(Optouts),
    ApproveOptouts,
    Forget(Forget),
    Pause(FlowChoice),
    Resume(FlowChoice),
    Resync(Resync),
    Sync(Sync),
    Plan(Plan),
}

/// Where a command is answered.
pub(super) struct Place<'a> {
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    pub(super) clock: &'a Clock,
    /// What a daemon says, if there is one.
    pub(super) daemon: Option<Daemon>,
}

impl Request {
    /// What is wrong with it can be said before the store is opened.
    fn check(&self, config: &Config) -> Result<(), End> {
        match self {
            Self::Trace(arguments) => trace::wanted(arguments).map(drop),
            Self::ApproveDeletes(arguments) => letters::mapped(arguments, config).map(drop),
            Self::Pause(choice) | Self::Resume(choice) => flows(config, &[choice.flow]).map(drop),
            Self::DiscardTable(arguments) => discard::unmapped(arguments, config).map(drop),
            Self::ApproveOptouts => flows(config, &[FlowName::Optout]).map(drop),
            Self::Plan(arguments) => flows(config, &arguments.flows).map(drop),
            Self::Status(_)
            | Self::DeadLetters(_)
            | Self::Optouts(_)
            | Self::Forget(_)
            | Self::Resync(_)
            | Self::Sync(_) => Ok(()),
        }
    }

    /// Whether the answer is for a program.
    pub(super) fn is_data(&self) -> bool {
        match self {
            Self::Status(json) => json.json,
            Self::Trace(arguments) => arguments.json.json,
            Self::DeadLetters(letters) => match &letters.action {
                LetterAction::List(json) | LetterAction::Show { json, .. } => json.json,
                LetterAction::Retry { .. } | LetterAction::Discard { .. } => false,
            },
            Self::DiscardTable(arguments) => arguments.json.json,
            Self::Optouts(arguments) => arguments.is_data(),
            Self::Forget(arguments) => arguments.json.json,
            Self::Resync(arguments) => arguments.json.json,
            Self::Plan(arguments) => arguments.json.json,
            Self::ApproveDeletes(_)
            | Self::ApproveOptouts
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Sync(_) => false,
        }
    }

    /// Where nothing is changed, no store is made.
    fn mode(&self) -> Mode {
        match self {
            Self::Status(_) | Self::Trace(_) | Self::Optouts(_) | Self::Plan(_) => Mode::Rehearsal,
            Self::DeadLetters(_)
            | Self::ApproveDeletes(_)
            | Self::DiscardTable(_)
            | Self::ApproveOptouts
            | Self::Forget(_)
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Resync(_)
            | Self::Sync(_) => Mode::Durable,
        }
    }
}

/// Runs a command on the store; where a daemon has that, through the daemon.
pub(super) async fn run(cli: &Cli, request: Request, clock: &Clock) -> Result<Exit, End> {
    let config = config(&cli.global)?;
    request.check(&config)?;
    match here(&config, &request, clock).await? {
        Ok(said) => said.tell(request.is_data()),
        Err(locked) => match remote::ask(&config.socket(), &request).await? {
            Some(exit) => Ok(exit),
            None => Err(locked.into()),
        },
    }
}

/// The same; gives the data instead of printing them.
pub(super) async fn hear(config: &Config, request: &Request, clock: &Clock) -> Result<String, End> {
    match here(config, request, clock).await? {
        Ok(said) => Ok(said.out),
        Err(locked) => {
            let (out, mut pieces) = mpsc::channel(64);
            let mut sink = Sink::Channel(out);
            let asked = remote::ask_into(&config.socket(), request, &mut sink).await?;
            asked.ok_or_else(|| End::from(locked))?;
            let mut text = String::new();
            while let Ok(piece) = pieces.try_recv() {
                if let Piece::Data(piece) = piece {
                    text.push_str(&piece);
                }
            }
            Ok(text)
        }
    }
}

/// On the store, unless another process has it: that error is given back.
async fn here(
    config: &Config,
    request: &Request,
    clock: &Clock,
) -> Result<Result<Spoken, StoreError>, End> {
    let store = match Store::open(&config.store.path, request.mode(), clock).await {
        Ok(store) => store,
        Err(error @ StoreError::Locked { .. }) => return Ok(Err(error)),
        Err(error) => return Err(error.into()),
    };
    let place = Place { config, store: &store, clock, daemon: None };
    let said = answer(request, &place).await;
    store.close().await;
    said.map(Ok)
}

async fn answer(request: &Request, place: &Place<'_>) -> Result<Spoken, End> {
    match request {
        Request::Status(json) => status::answer(*json, place).await,
        Request::Trace(arguments) => trace::answer(arguments, place).await,
        Request::DeadLetters(arguments) => letters::answer(arguments, place).await,
        Request::ApproveDeletes(arguments) => letters::approve(arguments, place).await,
        Request::Pause(choice) => pause(place, choice.flow.into(), true).await,
        Request::Resume(choice) => pause(place, choice.flow.into(), false).await,
        Request::DiscardTable(arguments) => discard::answer(arguments, place).await,
        Request::Optouts(arguments) => {
            optouts::tell(arguments, place.store, &mut Sink::Stdout).await
        }
        Request::ApproveOptouts => optouts::approve(place).await,
        Request::Forget(arguments) => {
            let what = forget::Erasing {
                store: place.store,
                clock: place.clock,
                spool: &Spool::default(),
                lines: place.config.log_spool(),
                words: Words::Here,
            };
            forget::answer(*arguments, &what).await
        }
        Request::Resync(_) | Request::Sync(_) | Request::Plan(_) => {
            Err(End::new(Exit::Usage, "only a daemon is asked for this"))
        }
    }
}

/// Pauses or resumes a flow.
async fn pause(place: &Place<'_>, flow: Flow, paused: bool) -> Result<Spoken, End> {
    let changed = place.store.call(move |work| work.set_paused(flow, paused)).await?;
    if changed {
        FlowPaused { flow, paused }.emit();
    }
    Ok(Spoken::say(match (paused, changed) {
        (true, true) => {
            format!("{flow} is paused; the daemon leaves it alone until `cdsync resume {flow}`")
        }
        (true, false) => format!("{flow} was paused already"),
        (false, true) => format!("{flow} is resumed"),
        (false, false) => format!("{flow} was not paused"),
    }))
}

/// Answers a request that came to the daemon.
pub(super) async fn serve(line: String, desk: Desk, out: mpsc::Sender<Piece>) -> Reply {
    let said = match serde_json::from_str::<Request>(&line) {
        Ok(request) => Box::pin(carry_out(&request, &desk, out)).await,
        Err(_) => Err(End::new(
            Exit::Usage,
            "the daemon does not know this request; run the command with the daemon's version of cdsync",
        )),
    };
    match said {
        Ok(Spoken { exit, out, say }) => {
            Reply { exit: exit as u8, out, say, complaint: String::new() }
        }
        Err(end) => Reply { exit: end.exit as u8, complaint: end.to_string(), ..Reply::default() },
    }
}

async fn carry_out(
    request: &Request,
    desk: &Desk,
    out: mpsc::Sender<Piece>,
) -> Result<Spoken, End> {
    let app = desk.app();
    request.check(&app.config)?;
    let daemon = Some(Daemon::of(&app, desk.running()));
    let place = Place { config: &app.config, store: desk.store(), clock: &app.clock, daemon };
    match request {
        Request::Resync(arguments) => Box::pin(resync::beside(arguments, desk, out)).await,
        Request::Optouts(arguments) => {
            optouts::tell(arguments, desk.store(), &mut Sink::Channel(out)).await
        }
        Request::Sync(arguments) => sync::beside(arguments, desk, out).await,
        Request::Plan(arguments) => Box::pin(plan::beside(arguments, desk, out)).await,
        Request::Forget(arguments) => forget::beside(*arguments, desk, out).await,
        Request::Pause(choice) => {
            let said = answer(request, &place).await?;
            desk.paused(choice.flow.into()).await;
            Ok(said)
        }
        Request::Resume(_)
        | Request::ApproveDeletes(_)
        | Request::DiscardTable(_)
        | Request::ApproveOptouts
        | Request::DeadLetters(DeadLetters { action: LetterAction::Retry { .. } }) => {
            let said = answer(request, &place).await?;
            desk.wake().await;
            Ok(said)
        }
        Request::Status(_) | Request::Trace(_) | Request::DeadLetters(_) => {
            answer(request, &place).await
        }
    }
}
