//! The SQLite store: checkpoints, mirror, outbox, dead letters, runs.
//!
//! Owns: the one connection, on its own thread, and every statement of SQL.
//! Callers hand in closures over a transaction. Knows nothing of HTTP.

mod backlog;
mod calls;
mod checkpoint;
mod connection;
pub(crate) mod consent;
mod copy;
mod dead_letter;
mod discard;
mod error;
mod event;
mod event_content;
mod event_letter;
mod file;
mod forget;
mod guard;
mod journal;
#[cfg(test)]
mod kept;
mod layout;
mod lease;
mod link;
mod listed;
mod lock;
mod migrate;
mod mirror;
mod mount;
mod names;
mod outbox;
mod owner;
mod patrol;
mod pause;
mod payload;
mod place;
mod presence;
mod remap;
pub(crate) mod remove;
mod resync;
mod run;
mod scrub;
mod seal;
mod shape;
#[cfg(test)]
mod tests;
mod trace;
mod waiting;
mod work;

pub(crate) use checkpoint::{Checkpoint, Position};
pub(crate) use copy::Copy;
pub(crate) use dead_letter::{DeadLetter, NewDeadLetter};
pub(crate) use discard::Leftover;
pub(crate) use error::StoreError;
pub(crate) use event::{EventStage, LeasedEvent, NewEvent};
pub(crate) use event_letter::{EventEnd, EventSource, NewEventLetter};
pub(crate) use file::{FileState, KnownFile};
pub(crate) use forget::Forgotten;
pub(crate) use guard::{Held, HeldWave};
pub(crate) use journal::{Gap, JournalPosition};
#[cfg(test)]
pub(crate) use kept::{begin_anew, keep_connections};
pub(crate) use link::{LinkRow, Place, Standing};
pub(crate) use mirror::{Inventory, Mirror, MirrorState};
pub(crate) use names::Names;
pub(crate) use outbox::{Action, Leased, NewWrite, Parent, Pending, Replaced};
pub(crate) use payload::{Payload, PayloadField, PayloadLink};
pub(crate) use remap::Told;
pub(crate) use resync::{NewResync, Purpose, Resync, ResyncPosition, Scope};
pub(crate) use run::{Counts, RunOutcome};
pub(crate) use seal::{Fingerprint, SEAL_BYTES, SealKey, UNKNOWN};
pub(crate) use shape::{KnownField, KnownKind, KnownTable};
pub(crate) use trace::{Note, Step, TraceEntry};
pub(crate) use work::Work;

use std::path::Path;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use connection::Writer;

/// Whether what is done shall last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every transaction is committed with full durability.
    Durable,
    /// Nothing is: all transactions are parts of one that is rolled back at
    /// the end. A dry run does what a run does, and leaves no trace.
    Rehearsal,
}

type Job = Box<dyn FnOnce(&mut Writer) + Send>;

/// A handle on the store; clones share its one writer thread.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    jobs: mpsc::Sender<Job>,
    key: SealKey,
    thread: std::sync::Arc<Thread>,
}

#[derive(Debug)]
struct Thread {
    steps: connection::Steps,
    handle: Option<JoinHandle<()>>,
    jobs: Option<mpsc::Sender<Job>>,
    /// In simulation no thread may be waited for: work is done where it is asked
    /// for, with the same places to be interrupted at.
    #[cfg(test)]
    inline: Option<std::sync::Mutex<Writer>>,
}

impl Store {
    /// Opens or creates the store at `path` and brings it to this program's
    /// schema. Refuses a store that another process has, that a later program
    /// wrote, or that is damaged.
    pub(crate) async fn open(path: &Path, mode: Mode, clock: &Clock) -> Result<Self, StoreError> {
        /// Transactions that may wait for the writer.
        const QUEUE: usize = 256;
        #[cfg(test)]
        if clock.is_simulated() {
            return Self::open_inline(path, mode, clock);
        }
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let (opened, answer) = oneshot::channel();
        let (path, clock) = (path.to_owned(), clock.clone());
        let handle = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let mut writer = match Writer::open(&path, mode, &clock) {
                    Ok(writer) => writer,
                    Err(error) => {
                        let _ = opened.send(Err(error));
                        return;
                    }
                };
                let _ = opened.send(Ok((writer.key(), writer.steps())));
                while let Some(job) = queue.blocking_recv() {
                    job(&mut writer);
                }
            })
            .map_err(|error| StoreError::Statement(error.to_string()))?;
        let (key, steps) = answer.await.map_err(|_| StoreError::Ended)??;
        let thread = Thread {
            steps,
            handle: Some(handle),
            jobs: Some(jobs.clone()),
            #[cfg(test)]
            inline: None,
        };
        Ok(Self { jobs, key, thread: std::sync::Arc::new(thread) })
    }

    #[cfg(test)]
    fn open_inline(path: &Path, mode: Mode, clock: &Clock) -> Result<Self, StoreError> {
        let kept = (mode == Mode::Durable).then(|| kept::take(path, clock)).flatten();
        let writer = kept.map_or_else(|| Writer::open(path, mode, clock), Ok)?;
        let (key, steps, jobs) = (writer.key(), writer.steps(), mpsc::channel(1).0);
        let inline = Some(std::sync::Mutex::new(writer));
        let thread = Thread { steps, handle: None, jobs: Some(jobs.clone()), inline };
        Ok(Self { jobs, key, thread: std::sync::Arc::new(thread) })
    }

    /// Runs `work` in one IMMEDIATE transaction: all of it lasts, or nothing.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(move |writer| writer.run(work)).await
    }

    /// A copy of all that is committed, for a dry run. Nobody writes meanwhile.
    pub(crate) async fn copy(&self) -> Result<Copy, StoreError> {
        self.ask(|writer| writer.copy()).await
    }

    /// Fails where the file was removed or replaced while it is open: what is
    /// written from then on would be lost.
    pub(crate) async fn in_place(&self) -> Result<(), StoreError> {
        self.ask(|writer| writer.in_place()).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        #[cfg(test)]
        if let Some(inline) = &self.thread.inline {
            tokio::task::yield_now().await;
            let done = question(&mut *inline.lock().map_err(|_| StoreError::Ended)?);
            tokio::task::yield_now().await;
            return done;
        }
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move |writer| {
            let _ = done.send(question(writer));
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Ended)?;
        answer.await.map_err(|_| StoreError::Ended)?
    }

    /// A handle that does not keep the store open.
    pub(crate) fn downgrade(&self) -> WeakStore {
        let thread = std::sync::Arc::downgrade(&self.thread);
        WeakStore { jobs: self.jobs.downgrade(), key: self.key.clone(), thread }
    }

    /// Leaves nothing of deleted rows in the file or beside it. Writes all of
    /// the store anew, which needs as much room again.
    pub(crate) async fn scrub(&self) -> Result<(), StoreError> {
        self.ask(Writer::scrub).await
    }

    /// How far it has come, also within one long piece of work such as a scrub: a
    /// number that only grows.
    pub(crate) fn steps(&self) -> u64 {
        self.thread.steps.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The key of this store's fingerprints.
    pub(crate) fn key(&self) -> &SealKey {
        &self.key
    }

    /// Waits until the writer thread has closed the file. Other clones must be
    /// gone by then.
    pub(crate) async fn close(self) {
        #[cfg(test)]
        if self.thread.inline.is_some() {
            return;
        }
        let Self { jobs, thread, .. } = self;
        drop(jobs);
        let _ = tokio::task::spawn_blocking(move || drop(thread)).await;
    }
}

/// A handle on a store that may be closed meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct WeakStore {
    jobs: mpsc::WeakSender<Job>,
    key: SealKey,
    thread: std::sync::Weak<Thread>,
}

impl WeakStore {
    /// The store, while it is open.
    pub(crate) fn upgrade(&self) -> Option<Store> {
        let (jobs, thread) = (self.jobs.upgrade()?, self.thread.upgrade()?);
        Some(Store { jobs, key: self.key.clone(), thread })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
        #[cfg(test)]
        if let Some(writer) = self.inline.take().and_then(|it| it.into_inner().ok()) {
            kept::keep(writer);
        }
    }
}
