//! `/metrics` and `/healthz` for whoever watches the daemon.
//!
//! Speaks as much HTTP/1.1 as a scraper needs: one GET or HEAD a connection.
//! What connects may be hostile, so that everything has an end: connections,
//! bytes, time, and how often the store is asked. Gives numbers and words of
//! this program only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::app::{Daemon, status};
use crate::clock::{Clock, Monotonic};
use crate::daemon::ACCEPT_AGAIN_AFTER;
use crate::daemon::desk::Desk;
use crate::daemon::page::page;
use crate::daemon::vitals::Vitals;
use crate::model::Flow;
use crate::telemetry::{Form, MetricsServed, Page, catalogue};

/// Connections at one time; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 16;

/// Bytes of a request, of which the body has none.
const MAX_REQUEST_BYTES: usize = 8 * 1024;

/// Header lines of a request.
const MAX_HEADERS: usize = 64;

/// A request that takes longer to arrive is nobody's.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// A store that takes longer to answer counts as one that does not.
const STORE_WITHIN: Duration = Duration::from_secs(30);

/// A connection ends after this, whoever is slow.
const CONNECTION_WITHIN: Duration = Duration::from_mins(1);

/// The store is asked for numbers once in this time at most, however many
/// scrape.
const READ_EVERY: Duration = Duration::from_secs(1);

/// The listening socket.
#[derive(Debug)]
pub(super) struct Monitor {
    listener: TcpListener,
}

/// What connections share.
struct Shared {
    desk: Desk,
    vitals: Vitals,
    clock: Clock,
    read: Mutex<Option<(Monotonic, Arc<Page>)>>,
}

/// What is answered.
struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

impl Monitor {
    /// Takes the port.
    ///
    /// # Errors
    /// In words, with the remedy.
    pub(super) async fn bind(address: SocketAddr) -> Result<Self, String> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!(
                "metrics cannot be served at {address}: {error}; end what has the port, or name another address in [metrics] listen"
            )
        })?;
        let address = listener.local_addr().unwrap_or(address).to_string();
        MetricsServed { address }.emit();
        Ok(Self { listener })
    }

    /// Answers for ever.
    pub(super) async fn serve(self, desk: Desk, vitals: Vitals) {
        let clock = desk.app().clock;
        let shared = Shared { desk, vitals, clock: clock.clone(), read: Mutex::default() };
        let shared = Arc::new(shared);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                    let Ok((stream, _)) = accepted else {
                        clock.sleep(ACCEPT_AGAIN_AFTER).await;
                        continue;
                    };
                    let (shared, clock) = (shared.clone(), clock.clone());
                    connections.spawn(async move {
                        tokio::select! {
                            () = converse(stream, &shared) => {}
                            () = clock.sleep(CONNECTION_WITHIN) => {}
                        }
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn converse(mut stream: TcpStream, shared: &Shared) {
    let bytes = tokio::select! {
        bytes = read_head(&mut stream) => bytes,
        () = shared.clock.sleep(REQUEST_WITHIN) => None,
    };
    let Some(bytes) = bytes else { return };
    let asked = asked(&bytes);
    let answer = match &asked {
        Err(status) => plain(status, ""),
        Ok(Asked { path: Path::Metrics(form), .. }) => metrics(shared, *form).await,
        Ok(Asked { path: Path::Health, .. }) => health(shared).await,
    };
    let body = match asked {
        Ok(Asked { head: true, .. }) => "",
        Ok(_) | Err(_) => &answer.body,
    };
    let text = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
        answer.status,
        answer.content_type,
        answer.body.len(),
    );
    // Who asked may have gone.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The bytes up to the empty line; none where they do not come, or too many.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 1024];
    loop {
        let length = stream.read(&mut part).await.ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(part.get(..length)?);
        if bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            return Some(bytes);
        }
        if bytes.len() > MAX_REQUEST_BYTES {
            return None;
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Path {
    Metrics(Form),
    Health,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    path: Path,
    head: bool,
}

/// What is asked for, or the status of a refusal.
pub(super) fn asked(bytes: &[u8]) -> Result<Asked, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let whole = request.parse(bytes).is_ok_and(|parsed| parsed.is_complete());
    let (Some(method), Some(target), true) = (request.method, request.path, whole) else {
        return Err("400 Bad Request");
    };
    let path = match target.split('?').next() {
        Some("/metrics") => Path::Metrics(form(request.headers)),
        Some("/healthz") => Path::Health,
        Some(_) | None => return Err("404 Not Found"),
    };
    match method {
        "GET" => Ok(Asked { path, head: false }),
        "HEAD" => Ok(Asked { path, head: true }),
        _ => Err("405 Method Not Allowed"),
    }
}

/// OpenMetrics, unless who asks takes text and does not name that.
fn form(headers: &[httparse::Header<'_>]) -> Form {
    let accepts = |wanted: &str| {
        headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("accept"))
            .any(|header| String::from_utf8_lossy(header.value).to_lowercase().contains(wanted))
    };
    if accepts("text/plain") && !accepts("application/openmetrics-text") {
        Form::Prometheus
    } else {
        Form::OpenMetrics
    }
}

fn plain(status: &'static str, text: &str) -> Answer {
    let body = if text.is_empty() { format!("{status}\n") } else { format!("{text}\n") };
    Answer { status, content_type: "text/plain; charset=utf-8", body }
}

fn unable(reason: &str) -> Answer {
    plain("503 Service Unavailable", reason)
}

async fn health(shared: &Shared) -> Answer {
    if let Some(reason) = shared.vitals.ailment() {
        return unable(reason);
    }
    let answer = tokio::select! {
        biased;
        answer = shared.desk.store().call(|work| work.paused(Flow::Ingress)) => answer.is_ok(),
        () = shared.clock.sleep(STORE_WITHIN) => false,
    };
    if answer { plain("200 OK", "ok") } else { unable("the store does not answer") }
}

async fn metrics(shared: &Shared, form: Form) -> Answer {
    let page = tokio::select! {
        biased;
        page = read(shared) => page,
        () = shared.clock.sleep(STORE_WITHIN) => None,
    };
    match page {
        Some(page) => {
            Answer { status: "200 OK", content_type: form.content_type(), body: page.text(form) }
        }
        None => unable("the store does not answer"),
    }
}

/// The numbers of this moment, or of a moment ago.
async fn read(shared: &Shared) -> Option<Arc<Page>> {
    // One at a time: who waits here finds what the one before him read.
    let mut known = shared.read.lock().await;
    if let Some((at, page)) = &*known
        && shared.clock.monotonic().since(*at) < READ_EVERY
    {
        return Some(page.clone());
    }
    let desk = &shared.desk;
    let app = desk.app();
    let daemon = Some(Daemon::of(&app, desk.running()));
    let status = status(&app.config, desk.store(), &app.clock, daemon).await.ok()?;
    let new = Arc::new(page(&status, &shared.vitals, &catalogue()));
    *known = Some((shared.clock.monotonic(), new.clone()));
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_means_one_of_two_pages_or_is_refused() {
        let metrics = |form, head| Ok(Asked { path: Path::Metrics(form), head });
        let open = Form::OpenMetrics;
        let cases: [(&str, Result<Asked, &str>); 11] = [
            ("GET /metrics HTTP/1.1\r\n\r\n", metrics(open, false)),
            ("HEAD /metrics HTTP/1.0\r\n\r\n", metrics(open, true)),
            ("GET /metrics?a=b HTTP/1.1\r\nAccept: */*\r\n\r\n", metrics(open, false)),
            (
                "GET /metrics HTTP/1.1\r\nACCEPT: text/plain;version=0.0.4\r\n\r\n",
                metrics(Form::Prometheus, false),
            ),
            (
                "GET /metrics HTTP/1.1\r\naccept: application/openmetrics-text,text/plain\r\n\r\n",
                metrics(open, false),
            ),
            ("GET /healthz HTTP/1.1\r\n\r\n", Ok(Asked { path: Path::Health, head: false })),
            ("POST /metrics HTTP/1.1\r\n\r\n", Err("405 Method Not Allowed")),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", Err("404 Not Found")),
            ("GET http://x/metrics HTTP/1.1\r\n\r\n", Err("404 Not Found")),
            ("\u{16}\u{3}\u{1}\r\n\r\n", Err("400 Bad Request")),
            ("GET\r\n\r\n", Err("400 Bad Request")),
        ];
        for (text, expected) in cases {
            assert_eq!(asked(text.as_bytes()), expected, "{text}");
        }
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
        assert_eq!(asked(many.as_bytes()), Err("400 Bad Request"));
    }

    #[tokio::test]
    async fn a_head_ends_with_an_empty_line_or_is_nobodys() {
        let whole = b"GET / HTTP/1.1\r\n\r\nrest";
        assert_eq!(read_head(&mut &whole[..]).await.as_deref(), Some(&whole[..]));
        assert_eq!(read_head(&mut &b"GET / HTTP/1.1\r\n"[..]).await, None);
        assert_eq!(read_head(&mut &vec![b'a'; 1 << 20][..]).await, None);
    }
}
