//! What a command that reached the daemon may do: look into the store, and ask
//! the loop for a pass or for a moment without one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::app::{App, PassReport};
use crate::model::Flow;
use crate::store::Store;
use crate::telemetry::Spool;

/// What the loop is told.
#[derive(Debug)]
pub(super) enum Event {
    /// SIGTERM or SIGINT.
    Terminate(&'static str),
    /// SIGHUP.
    Reload,
    /// There is something to do before the schedule says so.
    Wake,
    /// A flow was paused: the pass under way is to end.
    Paused(Flow),
    /// Someone waits for a pass of a flow that begins after this.
    Pass(Flow, Duration, oneshot::Sender<PassReport>),
    /// Someone wants the remote systems for a moment.
    Turn(oneshot::Sender<Turn>),
    /// A task that must not end has ended.
    Ended(&'static str),
}

/// No pass runs while this is held.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Dropped with it, which the loop sees.
    pub(super) _held: oneshot::Sender<()>,
    /// Whether somebody else waits for it to be dropped.
    pub(super) wanted: Arc<AtomicBool>,
}

impl Turn {
    /// Whether a pass is due meanwhile, or something else that waits for its end.
    /// Who asks for the next turn at once gets it after them.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

/// What the loop and the commands share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) app: RwLock<App>,
    /// The flows whose passes run.
    pub(super) running: Mutex<Vec<Flow>>,
    /// Held by the dry run that has a copy of the store.
    pub(super) rehearsing: tokio::sync::Mutex<()>,
}

/// Where a command is answered.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Store,
    pub(super) events: mpsc::Sender<Event>,
    /// Lines of the log that wait to be copied.
    pub(super) spool: Spool,
}

impl Desk {
    /// The clients and the configuration of this moment.
    pub(crate) fn app(&self) -> App {
        self.shared.app.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The store.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Lines of the log that wait to be copied, if they are.
    pub(crate) fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Waits for its turn among the dry runs: there is one copy of the store at a
    /// time.
    pub(crate) async fn rehearsal(&self) -> impl Drop + '_ {
        self.shared.rehearsing.lock().await
    }

    /// The flows whose passes run.
    pub(crate) fn running(&self) -> Vec<Flow> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for a pass of every flow soon, unless it is paused.
    pub(crate) async fn wake(&self) {
        let _ = self.events.send(Event::Wake).await;
    }

    /// Ends the pass under way: its flow was paused.
    pub(crate) async fn paused(&self, flow: Flow) {
        let _ = self.events.send(Event::Paused(flow)).await;
    }

    /// Asks for a pass of a flow now, and waits for its end; none where the
    /// daemon ends before.
    pub(crate) async fn pass(&self, flow: Flow, patience: Duration) -> Option<PassReport> {
        let (reply, end) = oneshot::channel();
        self.events.send(Event::Pass(flow, patience, reply)).await.ok()?;
        end.await.ok()
    }

    /// Waits for a moment without a pass; none where the daemon ends before.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let (reply, turn) = oneshot::channel();
        self.events.send(Event::Turn(reply)).await.ok()?;
        turn.await.ok()
    }
}
