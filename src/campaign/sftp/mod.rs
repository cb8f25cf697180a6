//! Campaign's file server: connections over SSH, directories, files.
//!
//! Owns: whom it talks to (`known_hosts`), who it is (the key), and caps on all
//! that the server says. Must not know what a file holds. Reading is all that
//! flows do with it, but for removing what was read; the copy of the log writes.

mod connect;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod known_hosts;
mod read;
mod session;
mod write;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::{Failure, SecretLoader};
use crate::telemetry::RemoteUnreachable;

pub(crate) use read::Reading;
pub(crate) use session::{Entry, Listing, Session, Stat};

/// Where the server is and who logs in.
#[derive(Clone)]
pub(crate) struct Server {
    /// A name or an address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// Who logs in.
    pub(crate) user: String,
    /// The private key, in OpenSSH's form or PEM.
    pub(crate) key: SecretLoader,
    /// The key's passphrase.
    pub(crate) passphrase: Option<SecretLoader>,
    /// The keys that the server may show.
    pub(crate) known_hosts: PathBuf,
}

/// A way to the server; no connection is held between passes.
#[derive(Clone)]
pub(crate) struct Sftp {
    server: Arc<Server>,
    name: Arc<str>,
    moved: Arc<AtomicU64>,
    outage: Arc<Mutex<Option<String>>>,
}

impl std::fmt::Debug for Sftp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sftp({})", self.name)
    }
}

impl Sftp {
    /// Contacts nobody yet.
    pub(crate) fn new(server: Server) -> Self {
        let name = format!("{}:{}", server.host, server.port).into();
        Self { server: Arc::new(server), name, moved: Arc::default(), outage: Arc::default() }
    }

    /// Counts answers: whether anything moves.
    pub(crate) fn progress(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// What stands in the way, while the server does not answer.
    pub(crate) fn outage(&self) -> Option<String> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that it does not answer, or does; told once each time.
    pub(crate) fn note_outage(&self, failure: Option<&Failure>) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(failure), None) = (failure, &*outage) {
            let problem = failure.message.clone();
            RemoteUnreachable { system: "sftp", problem }.emit();
        }
        *outage = failure.map(ToString::to_string);
    }
}
