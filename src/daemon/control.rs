//! The control socket: one request a connection, a JSON line; answered with
//! JSON lines, the last of which has `exit`. What a request means is not known
//! here.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::daemon::ACCEPT_AGAIN_AFTER;
use crate::daemon::desk::Desk;
use crate::telemetry::{ControlAnswered, ControlRefused};

/// Largest request: ids of a resync by the hundred thousand.
const MAX_REQUEST_BYTES: u64 = 16 * 1024 * 1024;

/// A request that takes longer to arrive is nobody's.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// Connections at one time.
const MAX_CONNECTIONS: usize = 32;

/// Bytes of a socket's path, as `sockaddr_un` has room for.
const MAX_PATH_BYTES: usize = 107;

/// What a command is to print, and how it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    /// Its exit code.
    pub(crate) exit: u8,
    /// Data.
    pub(crate) out: String,
    /// A word to the user.
    pub(crate) say: String,
    /// Why it could not do its work.
    pub(crate) complaint: String,
}

/// Answers a request; what goes through the channel is printed at once.
pub(crate) type Answering =
    Arc<dyn Fn(String, Desk, mpsc::Sender<String>) -> BoxFuture<'static, Reply> + Send + Sync>;

/// The socket, removed when dropped.
#[derive(Debug)]
pub(super) struct Control {
    listener: UnixListener,
    _file: SocketFile,
    owner: u32,
}

#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Control {
    /// Makes the socket. What an ended daemon left behind is replaced.
    ///
    /// # Errors
    /// In words, with the remedy.
    pub(super) fn bind(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        if path.as_os_str().len() > MAX_PATH_BYTES {
            return Err(format!(
                "the path of the control socket, {shown}, is longer than {MAX_PATH_BYTES} bytes; name a shorter one in [daemon] socket"
            ));
        }
        let remedy = "mend that, or name another path in [daemon] socket";
        let failed = |error: &io::Error| {
            format!("the control socket {shown} cannot be made: {error}; {remedy}")
        };
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&error)),
            Ok(found) if !found.file_type().is_socket() => {
                return Err(format!(
                    "{shown} is there and is not a socket; remove it, or name another path in [daemon] socket"
                ));
            }
            Ok(_) => {
                if std::os::unix::net::UnixStream::connect(path).is_ok() {
                    return Err(format!(
                        "another daemon answers at the control socket {shown}; stop it, or name another path in [daemon] socket"
                    ));
                }
                fs::remove_file(path).map_err(|error| failed(&error))?;
            }
        }
        let listener = UnixListener::bind(path).map_err(|error| failed(&error))?;
        let file = SocketFile(path.to_owned());
        // Who connects before this is still asked who he is.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(|error| failed(&error))?;
        let owner = fs::symlink_metadata(path).map_err(|error| failed(&error))?.uid();
        Ok(Self { listener, _file: file, owner })
    }

    /// Answers requests for ever.
    pub(super) async fn serve(self, desk: Desk, answering: Answering) {
        let mut connections = JoinSet::new();
        let clock = desk.app().clock;
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                    let Ok((stream, _)) = accepted else {
                        clock.sleep(ACCEPT_AGAIN_AFTER).await;
                        continue;
                    };
                    let (desk, answering) = (desk.clone(), answering.clone());
                    connections.spawn(converse(stream, self.owner, desk, answering));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn converse(stream: UnixStream, owner: u32, desk: Desk, answering: Answering) {
    let peer = stream.peer_cred().map(|peer| peer.uid());
    if !peer.is_ok_and(|uid| uid == owner || uid == 0) {
        ControlRefused { reason: "another user asked".to_owned() }.emit();
        return;
    }
    let (mut reader, mut writer) = stream.into_split();
    let clock = desk.app().clock;
    let request = tokio::select! {
        request = read_request(&mut reader) => request,
        () = clock.sleep(REQUEST_WITHIN) => None,
    };
    let Some(request) = request else {
        ControlRefused { reason: "no request of one line arrived".to_owned() }.emit();
        return;
    };
    let began = clock.monotonic();
    let (out, mut lines) = mpsc::channel::<String>(64);
    let mut answer = answering(request, desk, out);
    let mut gone = [0];
    let reply = loop {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => {
                if write(&mut writer, &json!({ "out": line })).await.is_err() {
                    return;
                }
            }
            reply = &mut answer => break reply,
            // Nothing more is said by the other side: it can only be gone.
            _ = reader.read(&mut gone) => return,
        }
    };
    while let Ok(line) = lines.try_recv() {
        if write(&mut writer, &json!({ "out": line })).await.is_err() {
            return;
        }
    }
    let last = json!({
        "exit": reply.exit,
        "out": reply.out,
        "say": reply.say,
        "complaint": reply.complaint,
    });
    // Who asked may have gone meanwhile; what was asked for is done.
    let _ = write(&mut writer, &last).await;
    let duration = clock.monotonic().since(began).as_millis();
    let duration_ms = u64::try_from(duration).unwrap_or(u64::MAX);
    ControlAnswered { exit: u64::from(reply.exit), duration_ms }.emit();
}

async fn read_request(reader: &mut OwnedReadHalf) -> Option<String> {
    let mut line = String::new();
    BufReader::new(reader.take(MAX_REQUEST_BYTES)).read_line(&mut line).await.ok()?;
    line.ends_with('\n').then_some(line)
}

async fn write(writer: &mut OwnedWriteHalf, line: &Value) -> io::Result<()> {
    writer.write_all(format!("{line}\n").as_bytes()).await
}
