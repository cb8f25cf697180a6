//! A comparison beside the passes of a daemon: it has the systems for one slice
//! after another, and holds nothing while whoever asked for it reads.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::app::{Drift, Others, Report};
use crate::config::Config;
use crate::daemon::{Desk, Turn};

/// Clones share it.
#[derive(Clone)]
pub(super) struct Slices(Arc<State>);

struct State {
    desk: Desk,
    /// What the comparison compares, in the configuration that it began with.
    compared: String,
    turn: tokio::sync::Mutex<Option<Turn>>,
    /// Found in this slice, not told yet.
    found: Mutex<VecDeque<Drift>>,
    out: SyncSender<Drift>,
    outdated: Notify,
}

impl Slices {
    /// Of a comparison by `config`; what it finds goes to `out`.
    pub(super) fn new(desk: &Desk, config: &Config, out: SyncSender<Drift>) -> Self {
        Self(Arc::new(State {
            desk: desk.clone(),
            compared: compared(config),
            turn: tokio::sync::Mutex::default(),
            found: Mutex::default(),
            out,
            outdated: Notify::new(),
        }))
    }

    /// Keeps what is found until the end of the step.
    pub(super) fn report(&self) -> Report {
        let state = self.0.clone();
        Report::to(move |drift| {
            state.found.lock().unwrap_or_else(PoisonError::into_inner).push_back(drift);
        })
    }

    /// The passes of the daemon, and a reload of its configuration.
    pub(super) fn others(&self) -> Others {
        let state = self.0.clone();
        Others::asked(move || {
            let state = state.clone();
            Box::pin(async move { state.between().await })
        })
    }

    /// Returns when the daemon has a configuration by which other things are to be
    /// compared.
    pub(super) async fn outdated(&self) {
        self.0.outdated.notified().await;
    }

    /// Gives the systems back, and tells the rest.
    pub(super) async fn end(self) {
        self.0.turn.lock().await.take();
        self.0.tell(&mut None).await;
    }
}

impl State {
    /// Tells what was found, lets whoever is due go first, and waits for the turn.
    async fn between(&self) {
        let mut turn = self.turn.lock().await;
        self.tell(&mut turn).await;
        if turn.as_ref().is_some_and(|turn| !turn.is_wanted()) {
            return;
        }
        turn.take();
        let Some(next) = self.desk.turn().await else {
            // The daemon ends, and this task with it.
            return std::future::pending().await;
        };
        if compared(&self.desk.app().config) != self.compared {
            drop(next);
            self.outdated.notify_one();
            return std::future::pending().await;
        }
        *turn = Some(next);
    }

    /// Tells what was found; a reader who takes his time gets no turn for it.
    async fn tell(&self, turn: &mut Option<Turn>) {
        let found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        for drift in found {
            match self.out.try_send(drift) {
                // The printer ends early only when nobody reads on.
                Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                Err(TrySendError::Full(drift)) => {
                    turn.take();
                    let out = self.out.clone();
                    let _ = tokio::task::spawn_blocking(move || out.send(drift)).await;
                }
            }
        }
    }
}

/// Everything by which two comparisons could differ.
fn compared(config: &Config) -> String {
    let tables = config.ingress.as_ref().map(|ingress| &ingress.tables);
    format!("{} {} {tables:?}", config.dynamics.url.0, config.campaign.url.0)
}

/// Hands something to a printer. Where that has much to do, its thread waits for
/// it, and not one of those that carry the tasks.
pub(super) fn hand_over<T>(to: &SyncSender<T>, one: T) {
    // The printer ends early only when nobody reads on.
    if let Err(TrySendError::Full(one)) = to.try_send(one) {
        let _ = tokio::task::block_in_place(|| to.send(one));
    }
}
