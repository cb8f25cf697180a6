//! The seam at the bytes: an attempt goes over the network or, in simulation,
//! straight into the sandbox's routers in this process.
//!
//! Owns: timeouts, size caps, TLS and connection settings; the only file with
//! `reqwest`. Must not know tokens, retries or what an answer means.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method};
use bytes::Bytes;
use futures_util::future::{Either, select};
use url::Url;

use super::body::{BodyError, Collector};
use crate::clock::Clock;

/// DNS, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence inside an answer.
const READ: Duration = Duration::from_mins(1);
/// A whole exchange with a system. Dataverse itself stops after about 120 s.
pub(super) const TOTAL: Duration = Duration::from_mins(2);
/// Largest decoded body of a system, in bytes.
pub(super) const BODY_CAP: usize = 64 << 20;
/// Most headers in one answer.
const MAX_HEADERS: usize = 200;

/// The answer of a [`LocalService`].
pub(crate) type LocalAnswer =
    Pin<Box<dyn Future<Output = Result<::http::Response<Bytes>, Broken>> + Send>>;
/// A server in this process.
pub(crate) type LocalService = Arc<dyn Fn(::http::Request<Bytes>) -> LocalAnswer + Send + Sync>;

/// How bytes reach a remote.
#[derive(Clone)]
pub(crate) enum Transport {
    /// Sockets.
    Network(reqwest::Client),
    /// A server in this process: no sockets, so that simulated time works.
    Local(LocalService),
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Network(_) => "Network",
            Self::Local(_) => "Local",
        })
    }
}

/// Why there is no complete answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// DNS, connect or TLS failed: surely not applied.
    #[error("{0}")]
    NotSent(String),
    /// Sent, or perhaps sent.
    #[error("{0}")]
    Unknown(String),
    /// No answer in time; perhaps applied.
    #[error("{0}")]
    TimedOut(String),
    /// Complete, but not what its headers say.
    #[error("{0}")]
    Garbled(String),
    /// Over a cap.
    #[error("{0}")]
    TooLarge(String),
}

/// One attempt at a request, with its limits.
pub(super) struct Attempt {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) timeout: Duration,
    pub(super) body_cap: usize,
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Transport {
    /// The network. `plain` for a loopback sandbox: no certificate store is
    /// needed then, and without it only HTTPS leaves this process.
    ///
    /// Proxies named in the environment are not used (a credential must not meet
    /// a host that the configuration does not name), nor cookies (Dataverse's
    /// affinity cookie would tie all calls to one server's quota), nor redirects.
    pub(crate) fn network(plain: bool) -> Result<Self, String> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("cdsync/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .timeout(TOTAL)
            .pool_max_idle_per_host(64)
            .pool_idle_timeout(Duration::from_secs(55))
            .tcp_keepalive(Duration::from_secs(30))
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .http2_max_header_list_size(64 * 1024)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .https_only(!plain)
            .tls_version_min(reqwest::tls::Version::TLS_1_2);
        let builder = if plain { builder.tls_certs_only([]) } else { builder };
        builder
            .build()
            .map(Self::Network)
            .map_err(|error| format!("no HTTP client: {}", causes(&error.without_url())))
    }

    /// The way to another system: a network of its own, or the same process.
    pub(crate) fn beside(&self, plain: bool) -> Result<Self, String> {
        match self {
            Self::Network(_) => Self::network(plain),
            Self::Local(service) => Ok(Self::Local(Arc::clone(service))),
        }
    }

    /// Sends one attempt and reads the whole answer under its limits.
    pub(super) async fn exchange(&self, attempt: Attempt, clock: &Clock) -> Result<Answer, Broken> {
        match self {
            Self::Network(client) => network(client, attempt).await,
            Self::Local(service) => {
                let (timeout, cap) = (attempt.timeout, attempt.body_cap);
                let answer = pin!(local(service, attempt, cap));
                match select(answer, pin!(clock.sleep(timeout))).await {
                    Either::Left((answer, _)) => answer,
                    Either::Right(((), _)) => Err(Broken::TimedOut("no answer in time".to_owned())),
                }
            }
        }
    }
}

async fn network(client: &reqwest::Client, attempt: Attempt) -> Result<Answer, Broken> {
    let mut request = reqwest::Request::new(attempt.method, attempt.url);
    *request.headers_mut() = attempt.headers;
    *request.body_mut() = attempt.body.map(Into::into);
    *request.timeout_mut() = Some(attempt.timeout);
    let mut response = client.execute(request).await.map_err(broken)?;
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    if headers.len() > MAX_HEADERS {
        return Err(Broken::TooLarge("too many headers".to_owned()));
    }
    if response.content_length().is_some_and(|length| length > attempt.body_cap as u64) {
        return Err(Broken::TooLarge("the body is larger than allowed".to_owned()));
    }
    let mut collector = Collector::new(encoding(&headers), attempt.body_cap)?;
    while let Some(piece) = response.chunk().await.map_err(broken)? {
        collector.push(piece)?;
    }
    Ok(Answer { status, headers, body: collector.finish()? })
}

async fn local(service: &LocalService, attempt: Attempt, cap: usize) -> Result<Answer, Broken> {
    let mut request = ::http::Request::new(attempt.body.unwrap_or_default());
    *request.method_mut() = attempt.method;
    *request.uri_mut() = attempt
        .url
        .as_str()
        .parse()
        .map_err(|_| Broken::NotSent("the address cannot be used".to_owned()))?;
    *request.headers_mut() = attempt.headers;
    let (parts, body) = service(request).await?.into_parts();
    let mut collector = Collector::new(encoding(&parts.headers), cap)?;
    collector.push(body)?;
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: collector.finish()? })
}

fn encoding(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(::http::header::CONTENT_ENCODING)
        .map(|value| value.to_str().unwrap_or("unreadable"))
}

/// What a library error says about the request's fate. A URL is taken out first:
/// its query can hold keys and filters.
fn broken(error: reqwest::Error) -> Broken {
    let error = error.without_url();
    let causes = causes(&error);
    let text = match meaning(&causes) {
        Some(meaning) => format!("{meaning}: {causes}"),
        None => causes,
    };
    if error.is_connect() || error.is_builder() {
        Broken::NotSent(text)
    } else if error.is_timeout() {
        Broken::TimedOut(text)
    } else {
        Broken::Unknown(text)
    }
}

/// An error with its causes, which hold what an operator needs ("connection
/// refused", "certificate expired").
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What the words of the TLS library and the resolver mean to an operator.
/// Words that are not known stand for themselves.
fn meaning(causes: &str) -> Option<&'static str> {
    const MEANINGS: &[(&str, &str)] = &[
        (
            "certificate expired",
            "the server's certificate has expired, or the clock of this machine is wrong",
        ),
        (
            "certificate not valid yet",
            "the server's certificate is not valid yet, or the clock of this machine is wrong",
        ),
        (
            "certificate not valid for name",
            "the server's certificate is for another name; check the address, and what answers in its place",
        ),
        (
            "UnknownIssuer",
            "no authority that this machine trusts has signed the server's certificate; check the address, or install the authority of your proxy",
        ),
        ("invalid peer certificate", "the server's certificate is refused"),
        ("InvalidContentType", "what answers there does not speak TLS; check address and port"),
        ("dns error", "the name cannot be resolved; check the address and this machine's resolver"),
    ];
    MEANINGS.iter().find(|(word, _)| causes.contains(word)).map(|(_, meaning)| *meaning)
}

impl From<BodyError> for Broken {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(what) => Self::TooLarge(what.to_owned()),
            BodyError::Garbled(what) => Self::Garbled(what.to_owned()),
        }
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
