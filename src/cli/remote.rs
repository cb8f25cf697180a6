//! Asking a running daemon over its control socket.

use std::path::Path;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::desk::Request;
use super::exit::{End, Exit};
use super::output::say;
use super::sink::Sink;
use super::told::Told;

/// One line of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    /// There in the last line.
    exit: Option<u8>,
    out: String,
    say: String,
    pass: Option<Told>,
    complaint: String,
}

/// Hands a request over, and prints what comes back. None where no daemon
/// answers.
pub(super) async fn ask(socket: &Path, request: &Request) -> Result<Option<Exit>, End> {
    ask_into(socket, request, &mut Sink::printed(request.is_data())).await
}

/// The same; the data go into `sink`.
pub(super) async fn ask_into(
    socket: &Path,
    request: &Request,
    sink: &mut Sink,
) -> Result<Option<Exit>, End> {
    let Ok(stream) = UnixStream::connect(socket).await else { return Ok(None) };
    let lost = |_| lost();
    let (reader, mut writer) = stream.into_split();
    let line = serde_json::to_string(request)
        .map_err(|error| End::new(Exit::Usage, format!("not to be sent: {error}")))?;
    writer.write_all(format!("{line}\n").as_bytes()).await.map_err(lost)?;
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await.map_err(lost)? {
        let line: Line = serde_json::from_str(&line)
            .map_err(|_| End::new(Exit::Incomplete, "the daemon's answer is not understood; run the command with the daemon's version of cdsync"))?;
        if !line.out.is_empty() {
            sink.write(line.out).await?;
        }
        if !line.say.is_empty() {
            say(&line.say);
        }
        if let Some(told) = line.pass {
            told.emit();
        }
        let Some(exit) = line.exit else { continue };
        let exit = Exit::of(exit);
        return if line.complaint.is_empty() {
            Ok(Some(exit))
        } else {
            Err(End::new(exit, line.complaint))
        };
    }
    Err(self::lost())
}

fn lost() -> End {
    End::new(
        Exit::Incomplete,
        "the daemon ended before it answered, or turned the request away; its log says why",
    )
}
