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
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::daemon::ACCEPT_AGAIN_AFTER;
use crate::daemon::desk::Desk;
use crate::telemetry::{ControlAnswered, ControlRefused};

/// Largest request: ids of a resync by the hundred thousand.
const MAX_REQUEST_BYTES: u64 = 16 * 1024 * 1024;

/// A request that takes longer to arrive is nobody's.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// A reader that takes nothing for so long has left its answer, and what is
/// held for it, to nobody.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// Who has said all may still listen: his answer may take so long. Who is gone is
/// noticed as soon as something is written to him.
const LINGER: Duration = Duration::from_secs(5);

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

/// What is told before the end of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Data.
    Data(String),
    /// A word to the user.
    Word(String),
    /// What a pass came to.
    Pass(Value),
}

impl Piece {
    fn line(self) -> Value {
        match self {
            Self::Data(text) => json!({ "out": text }),
            Self::Word(text) => json!({ "say": text }),
            Self::Pass(told) => json!({ "pass": told }),
        }
    }
}

/// Answers a request; what goes through the channel is told at once.
pub(crate) type Answering =
    Arc<dyn Fn(String, Desk, mpsc::Sender<Piece>) -> BoxFuture<'static, Reply> + Send + Sync>;

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
    let (out, mut lines) = mpsc::channel::<Piece>(64);
    // A task of its own: it may wait for room among what is to be written here.
    // Dropped, it ends.
    let mut answer = JoinSet::new();
    answer.spawn(answering(request, desk, out));
    // Nothing more is said by the other side: it may be gone.
    let gone = async {
        let _ = reader.read(&mut [0]).await;
        clock.sleep(LINGER).await;
    };
    tokio::pin!(gone);
    let reply = loop {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => {
                if write(&mut writer, &clock, &line.line()).await.is_err() {
                    return;
                }
            }
            Some(answered) = answer.join_next() => match answered {
                Ok(reply) => break reply,
                Err(_) => return,
            },
            () = &mut gone => return,
        }
    };
    while let Ok(line) = lines.try_recv() {
        if write(&mut writer, &clock, &line.line()).await.is_err() {
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
    let _ = write(&mut writer, &clock, &last).await;
    let duration = clock.monotonic().since(began).as_millis();
    let duration_ms = u64::try_from(duration).unwrap_or(u64::MAX);
    ControlAnswered { exit: u64::from(reply.exit), duration_ms }.emit();
}

async fn read_request(reader: &mut OwnedReadHalf) -> Option<String> {
    let mut line = String::new();
    BufReader::new(reader.take(MAX_REQUEST_BYTES)).read_line(&mut line).await.ok()?;
    line.ends_with('\n').then_some(line)
}

/// Writes a line, as long as the other side takes some of it now and then.
async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    clock: &Clock,
    line: &Value,
) -> io::Result<()> {
    let line = format!("{line}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        let taken = tokio::select! {
            taken = writer.write(rest) => taken?,
            () = clock.sleep(READ_WITHIN) => {
                let seconds = READ_WITHIN.as_secs();
                let reason = format!("nobody read an answer for {seconds} s; it was ended");
                ControlRefused { reason }.emit();
                return Err(io::ErrorKind::TimedOut.into());
            }
        };
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_ends_its_answer_and_a_slow_one_does_not() {
        let clock = Clock::seeded(1);
        let line = json!({ "out": "0123456789" });
        let (mut writer, mut reader) = tokio::io::duplex(4);
        let slow = async {
            let mut read = Vec::new();
            while !read.ends_with(b"\n") {
                clock.sleep(READ_WITHIN / 2).await;
                let mut some = [0; 4];
                let length = reader.read(&mut some).await.unwrap();
                read.extend_from_slice(&some[..length]);
            }
            read
        };
        let (written, read) = tokio::join!(write(&mut writer, &clock, &line), slow);
        written.unwrap();
        assert_eq!(read, format!("{line}\n").into_bytes());
        let error = write(&mut writer, &clock, &line).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
