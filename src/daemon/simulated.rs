//! The daemon without a process around it, for simulated lives: the same loop on
//! the same store, with neither signals nor a socket.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::mpsc;

use crate::app::App;
use crate::store::Store;
use crate::telemetry::Spool;

use super::desk::{Desk, Event, Shared};
use super::notify::Notify;
use super::passes::{Acts, Board};
use super::vitals::Vitals;
use super::work::{Timers, Worker};
use super::{DaemonError, QUEUE, Reload};

/// A daemon that has not begun.
pub(crate) struct Simulated {
    worker: Worker,
    desk: Desk,
}

/// Who tells a daemon what the machine would.
#[derive(Clone, Debug)]
pub(crate) struct Hand(mpsc::Sender<Event>);

impl Simulated {
    /// A daemon on a store.
    pub(crate) async fn new(app: App, store: &Store, reload: Reload) -> Result<Self, DaemonError> {
        let timers = Timers::new(&app, store).await?;
        let (sender, events) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            app: RwLock::new(app.clone()),
            running: Mutex::default(),
            rehearsing: tokio::sync::Mutex::default(),
        });
        let spool = Spool::default();
        let desk = Desk { shared: shared.clone(), store: store.clone(), events: sender, spool };
        let board = Board::new(Notify::none(), Vitals::new(&app.clock));
        let reload = (PathBuf::from("cdsync.toml"), reload);
        let worker = Worker::new(app, Acts::on(store), (shared, events), timers, board, reload);
        Ok(Self { worker, desk })
    }

    /// Where commands are answered.
    pub(crate) fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Who sends the signals.
    pub(crate) fn hand(&self) -> Hand {
        Hand(self.desk.events.clone())
    }

    /// Runs until it is told to end; gives whether all was settled.
    pub(crate) async fn run(self) -> Result<bool, DaemonError> {
        let Self { worker, desk } = self;
        drop(desk);
        worker.run().await
    }
}

impl Hand {
    /// SIGTERM.
    pub(crate) async fn terminate(&self) {
        let _ = self.0.send(Event::Terminate("SIGTERM")).await;
    }

    /// SIGHUP.
    pub(crate) async fn reload(&self) {
        let _ = self.0.send(Event::Reload).await;
    }
}
