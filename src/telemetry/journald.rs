//! Events as entries of systemd's journal, by its native protocol
//! (`systemd.io/JOURNAL_NATIVE_PROTOCOL`): each field of an event is a field of
//! the entry, `CDSYNC_` before its name, and `MESSAGE` says all of it in a line.

use std::fmt::{Debug, Write as _};
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};

/// Where the journal listens (`systemd-journald.service(8)`).
const SOCKET: &str = "/run/systemd/journal/socket";

/// Longest value, in bytes: an entry must fit into a datagram.
const MAX_VALUE_BYTES: usize = 8 * 1024;

/// A journal that does not read must not hold the work up for longer.
const SEND_WITHIN: Duration = Duration::from_secs(2);

/// Where to send entries. In debug builds a test may have a journal of its own;
/// a release build has no such code.
pub(super) fn socket() -> PathBuf {
    #[cfg(debug_assertions)]
    if let Some(path) = std::env::var_os("CDSYNC_JOURNAL") {
        return path.into();
    }
    PathBuf::from(SOCKET)
}

/// Sends events to the journal; what it does not take is written to `spare`.
#[derive(Debug)]
pub(super) struct Journald<W> {
    socket: UnixDatagram,
    path: PathBuf,
    spare: W,
}

impl<W> Journald<W> {
    /// # Errors
    /// Where nobody listens at `path`.
    pub(super) fn new(path: &Path, spare: W) -> io::Result<Self> {
        UnixDatagram::unbound()?.connect(path)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_WITHIN))?;
        Ok(Self { socket, path: path.to_owned(), spare })
    }
}

impl<S, W> Layer<S> for Journald<W>
where
    S: Subscriber,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let entry = fields.entry(*event.metadata().level());
        if self.socket.send_to(&entry, &self.path).is_err() {
            // Where this fails too, there is nobody left to tell.
            let _ = writeln!(self.spare.make_writer(), "{}", fields.message());
        }
    }
}

/// The fields of one event, its name first.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let mut end = value.len().min(MAX_VALUE_BYTES);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        self.0.push((field.name(), value.get(..end).unwrap_or_default().to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl Fields {
    /// One line: the event's name, then `field=value`.
    fn message(&self) -> String {
        let mut line = String::new();
        for (name, value) in &self.0 {
            let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace());
            let _ = match (*name, plain && !value.contains('"')) {
                ("event", _) => write!(line, "{value}"),
                (name, true) => write!(line, " {name}={value}"),
                (name, false) => write!(line, " {name}={value:?}"),
            };
        }
        line
    }

    fn entry(&self, level: Level) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, "MESSAGE", &self.message());
        put(&mut out, "PRIORITY", priority(level));
        put(&mut out, "SYSLOG_IDENTIFIER", "cdsync");
        for (name, value) in &self.0 {
            put(&mut out, &format!("CDSYNC_{}", name.to_ascii_uppercase()), value);
        }
        out
    }
}

/// `NAME=value`, or with a length where a line would end too early.
fn put(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

/// As in `syslog(3)`.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::model::Flow;
    use crate::telemetry::{DaemonStarted, FlowFailing, TokenObtained};

    /// What a journal at a socket of this test is sent while `say` speaks.
    fn heard(say: impl FnOnce()) -> Vec<Vec<u8>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        journal.set_nonblocking(true).unwrap();
        let layer = Journald::new(&path, io::sink).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
        let mut buffer = vec![0; 1 << 20];
        let mut entries = Vec::new();
        while let Ok(length) = journal.recv(&mut buffer) {
            entries.push(buffer[..length].to_vec());
        }
        entries
    }

    #[test]
    fn each_field_of_an_event_is_a_field_of_the_journal() {
        let entries = heard(|| {
            DaemonStarted { version: "1.2.3", pid: 77, socket: "/run/a b".to_owned() }.emit();
            TokenObtained { system: "campaign", use_ms: 5 }.emit();
        });
        let texts: Vec<_> = entries.iter().map(|it| std::str::from_utf8(it).unwrap()).collect();
        assert_eq!(
            texts,
            [
                "MESSAGE=daemon.started version=1.2.3 pid=77 socket=\"/run/a b\"\nPRIORITY=6\nSYSLOG_IDENTIFIER=cdsync\nCDSYNC_EVENT=daemon.started\nCDSYNC_VERSION=1.2.3\nCDSYNC_PID=77\nCDSYNC_SOCKET=/run/a b\n",
                "MESSAGE=auth.token system=campaign use_ms=5\nPRIORITY=7\nSYSLOG_IDENTIFIER=cdsync\nCDSYNC_EVENT=auth.token\nCDSYNC_SYSTEM=campaign\nCDSYNC_USE_MS=5\n",
            ]
        );
    }

    #[test]
    fn a_value_of_several_lines_cannot_make_a_field_of_its_own() {
        let reason = "first\nPRIORITY=0\nlast".to_owned();
        let entries = heard(|| FlowFailing { flow: Flow::Ingress, reason: reason.clone() }.emit());
        let mut expected = b"CDSYNC_REASON\n\x15\0\0\0\0\0\0\0".to_vec();
        expected.extend_from_slice(reason.as_bytes());
        expected.push(b'\n');
        assert!(entries[0].ends_with(&expected), "{:?}", String::from_utf8_lossy(&entries[0]));
        let text = String::from_utf8_lossy(&entries[0]);
        assert!(
            text.starts_with("MESSAGE=flow.failing flow=ingress reason=\"first\\nPRI"),
            "{text}"
        );
    }

    #[test]
    fn a_long_value_is_cut_so_that_the_entry_fits() {
        let reason = "é".repeat(1 << 20);
        let entries = heard(|| FlowFailing { flow: Flow::Ingress, reason }.emit());
        assert!(entries[0].len() < 64 * 1024, "{}", entries[0].len());
    }

    #[test]
    fn without_a_journal_there_is_an_error_and_not_silence() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Journald::new(&directory.path().join("none"), io::sink).is_err());
    }
}
