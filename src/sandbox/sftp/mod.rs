//! The file look-alike: an SSH server with the subsystem `sftp` (campaign sheet
//! 8.3).
//!
//! Owns: the listener, the two keys and the handle for tests. What lies in the
//! files is nothing it knows of.

mod faults;
mod files;
mod session;
mod tree;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::serve::Listener as _;
use jiff::Timestamp;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::Config;
use russh::{MethodKind, MethodSet};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::faults::Faults;
pub use self::faults::SftpFault;
use self::session::Session;
use self::tree::Tree;
use super::listener::{Connections, CuttableListener};
use crate::clock::Clock;

/// The name Control Panel gave the user.
const USER: &str = "contoso-mkt-stage1";

/// Most entries of the log.
const LOG_CAP: usize = 10_000;

/// One thing a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SftpCall {
    /// The operation, as the protocol calls it: `open`, `readdir`, `remove`…;
    /// `connect` and `refused` for the login.
    pub operation: &'static str,
    /// The path it was about; empty where there is none.
    pub path: String,
}

/// Everything behind the server.
#[derive(Debug)]
struct State {
    tree: Tree,
    faults: Faults,
    log: Vec<SftpCall>,
}

impl State {
    fn note(&mut self, operation: &'static str, path: &str) {
        if self.log.len() < LOG_CAP {
            self.log.push(SftpCall { operation, path: path.to_owned() });
        }
    }
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The keys of a seed. Not secret: they open a sandbox.
fn key(seed: u64, name: &str) -> PrivateKey {
    let mut hasher = blake3::Hasher::new_derive_key("cdsync sandbox SSH keys");
    hasher.update(&seed.to_le_bytes()).update(name.as_bytes());
    PrivateKey::from(Ed25519Keypair::from_seed(hasher.finalize().as_bytes()))
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) control: SftpControl,
    task: JoinHandle<()>,
    open: Connections,
}

impl SftpControl {
    /// Files that nobody serves yet; the directories `exports` and
    /// `d365_loads/exports` are there.
    pub(crate) fn new(address: SocketAddr, seed: u64, clock: Clock) -> Self {
        let state = State { tree: Tree::default(), faults: Faults::default(), log: Vec::new() };
        let control = Self { shared: Arc::new(Mutex::new(state)), address, seed, clock };
        for directory in ["exports", "d365_loads/exports"] {
            control.make_directory(directory);
        }
        control
    }
}

impl Server {
    /// Binds and serves.
    pub(crate) async fn start(listen: SocketAddr, seed: u64, clock: Clock) -> io::Result<Self> {
        let socket = TcpListener::bind(listen).await?;
        let address = socket.local_addr()?;
        let control = SftpControl::new(address, seed, clock.clone());
        let shared = Arc::clone(&control.shared);
        let open = Connections::default();
        let listener = CuttableListener::new(socket, None, open.clone());
        let task = tokio::spawn(accept(listener, shared, seed, clock));
        Ok(Self { control, task, open })
    }

    /// Ends it and closes its connections.
    pub(crate) fn stop(&self) {
        self.task.abort();
        self.open.cut_all();
    }
}

async fn accept(mut listener: CuttableListener, shared: Shared, seed: u64, clock: Clock) {
    let right = Arc::new(config(key(seed, "host")));
    let wrong = Arc::new(config(key(seed, "another host")));
    let client = key(seed, "client").public_key().clone();
    loop {
        let (stream, _) = listener.accept().await;
        let other = lock(&shared).faults.has(&SftpFault::OtherHostKey);
        let config = Arc::clone(if other { &wrong } else { &right });
        let session =
            Session::new(Arc::clone(&shared), client.clone(), stream.scissors(), clock.clone());
        tokio::spawn(async move {
            // How a session ends is the client's business.
            if let Ok(running) = russh::server::run_stream(config, stream, session).await {
                let _ = running.await;
            }
        });
    }
}

fn config(host: PrivateKey) -> Config {
    Config {
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        // Nobody guesses keys on loopback.
        auth_rejection_time: std::time::Duration::ZERO,
        keys: vec![host],
        nodelay: true,
        ..Config::default()
    }
}

/// Acts on the files; cheap to clone. Paths begin at the root with or without a
/// slash.
#[derive(Clone, Debug)]
pub struct SftpControl {
    shared: Shared,
    address: SocketAddr,
    seed: u64,
    clock: Clock,
}

impl SftpControl {
    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The user who may log in.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The user's private key, in OpenSSH's form.
    pub fn client_key(&self) -> String {
        // A key of this kind can always be written.
        key(self.seed, "client")
            .to_openssh(LineEnding::LF)
            .map(|text| text.to_string())
            .unwrap_or_default()
    }

    /// The line for the server in a file of known hosts.
    pub fn known_hosts(&self) -> String {
        let key: PublicKey = key(self.seed, "host").public_key().clone();
        let text = key.to_openssh().unwrap_or_default();
        format!("[{}]:{} {text}\n", self.address.ip(), self.address.port())
    }

    /// Puts a file there as of now, with its directories; replaces another.
    pub fn put(&self, path: &str, content: &[u8]) {
        self.put_at(path, content, self.clock.now());
    }

    /// Puts a file there that was changed at this time.
    pub fn put_at(&self, path: &str, content: &[u8], modified: Timestamp) {
        lock(&self.shared).tree.put(path, content.to_vec(), tree::seconds(modified));
    }

    /// Writes more at the end of a file, as of now.
    pub fn append(&self, path: &str, content: &[u8]) {
        let mut whole = self.read(path).unwrap_or_default();
        whole.extend_from_slice(content);
        self.put(path, &whole);
    }

    /// Makes a directory and those above it.
    pub fn make_directory(&self, path: &str) {
        lock(&self.shared).tree.make_directory(path, tree::seconds(self.clock.now()));
    }

    /// Removes a file; false where there is none.
    pub fn remove(&self, path: &str) -> bool {
        lock(&self.shared).tree.remove_file(path).is_ok()
    }

    /// What a file holds.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        lock(&self.shared).tree.content(path).map(<[u8]>::to_vec)
    }

    /// The names in a directory, in order.
    pub fn list(&self, path: &str) -> Vec<String> {
        lock(&self.shared).tree.names(path)
    }

    /// Replaces the faults; their counters start anew.
    pub fn set_faults(&self, faults: &[SftpFault]) {
        lock(&self.shared).faults = Faults::new(faults);
    }

    /// What clients did, oldest first; the first ten thousand things.
    pub fn log(&self) -> Vec<SftpCall> {
        lock(&self.shared).log.clone()
    }

    /// How often clients did this.
    pub fn count(&self, operation: &str) -> usize {
        lock(&self.shared).log.iter().filter(|call| call.operation == operation).count()
    }

    /// Forgets what clients did.
    pub fn forget(&self) {
        lock(&self.shared).log.clear();
    }
}
