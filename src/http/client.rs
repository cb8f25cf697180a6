//! The client of one system: sends requests and says what came of them.
//!
//! Owns: the one place where an attempt goes out, and the repeats that need no
//! decision (a refused request, a fresh token, a repeatable read). Must not know
//! tables, records or attempts that are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::auth::Auth;
use super::baseline::baseline;
use super::classify::classify;
use super::credentials::{Credentials, Token};
use super::dates::{DateSample, Dates};
use super::failure::{Failure, Outcome, System};
use super::gate::{Gate, Limits, Place, backoff};
use super::health::Health;
use super::message::{Request, Response};
use super::origin::Origin;
use super::progress::Progress;
use super::transport::{Answer, Attempt, BODY_CAP, Broken, TOTAL, Transport};
use crate::clock::Clock;
use crate::failpoint::{self, Point};
use crate::telemetry::DeliveryThrottled;

/// A read that fails in the server or is garbled is repeated so often.
const READ_REPEATS: usize = 4;
/// Shortest and longest wait between repeats of a read.
const REPEAT_WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// A remote system. Clones share everything.
#[derive(Clone)]
pub(crate) struct Client(Arc<Shared>);

struct Shared {
    system: System,
    origin: Origin,
    transport: Transport,
    clock: Clock,
    credentials: Arc<Credentials>,
    gate: Gate,
    baseline: HeaderMap,
    health: Health,
    calls: AtomicU64,
    throttled: AtomicU64,
    retries: AtomicU64,
    progress: Progress,
    dates: Dates,
}

/// Counts since the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Attempts that went out, without token requests.
    pub(crate) calls: u64,
    /// Token requests.
    pub(crate) token_calls: u64,
    /// Answers that asked us to wait.
    pub(crate) throttled: u64,
    /// Attempts beyond the first of a request.
    pub(crate) retries: u64,
    /// Requests in flight now.
    pub(crate) in_flight: u64,
    /// Most requests in flight that are allowed now.
    pub(crate) limit: u64,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// A client for the system at `origin`, over the network.
    ///
    /// # Errors
    /// When the machine has no usable certificate store.
    pub(crate) fn new(
        system: System,
        origin: Origin,
        limits: Limits,
        auth: Auth,
        clock: Clock,
    ) -> Result<Self, String> {
        let plain = origin.is_plain() || auth.token_url().scheme() == "http";
        Ok(Self::with_transport(system, origin, limits, auth, clock, Transport::network(plain)?))
    }

    /// As [`Client::new`], over a transport of the caller's choice (simulation).
    pub(crate) fn with_transport(
        system: System,
        origin: Origin,
        limits: Limits,
        auth: Auth,
        clock: Clock,
        transport: Transport,
    ) -> Self {
        let resource = origin.as_str().to_owned();
        let credentials =
            Credentials::new(system, auth, resource, transport.clone(), clock.clone());
        Self::assemble(system, origin, limits, Arc::new(credentials), clock, transport)
    }

    /// A client of another system that takes the same tokens, with limits of its
    /// own: one token serves all.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(crate) fn beside(
        &self,
        system: System,
        origin: Origin,
        limits: Limits,
    ) -> Result<Self, String> {
        let transport = self.0.transport.beside(origin.is_plain())?;
        let credentials = Arc::clone(&self.0.credentials);
        Ok(Self::assemble(system, origin, limits, credentials, self.0.clock.clone(), transport))
    }

    fn assemble(
        system: System,
        origin: Origin,
        limits: Limits,
        credentials: Arc<Credentials>,
        clock: Clock,
        transport: Transport,
    ) -> Self {
        let baseline = baseline(system, credentials.auth());
        let gate = Gate::new(clock.clone(), limits);
        let health = Health::new(system, clock.clone());
        Self(Arc::new(Shared {
            system,
            origin,
            transport,
            clock,
            credentials,
            gate,
            baseline,
            health,
            calls: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            progress: Progress::default(),
            dates: Dates::default(),
        }))
    }

    /// Where it is: makes the addresses of requests.
    #[cfg(test)]
    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// One exchange. Waits for the rate, the concurrency and any pause, attaches
    /// the credentials, refreshes the token once after a 401, and repeats a
    /// throttled request by itself for as long as this future is kept.
    ///
    /// # Errors
    /// Every other answer than success (2xx, 304), and no answer. Never
    /// `Throttled` or `Unauthenticated`.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, Failure> {
        self.send_ref(&request).await
    }

    /// A repeatable read: as [`Client::send`], and repeats with growing waits
    /// what may pass: without an answer or with a busy one for as long as this
    /// future is kept, after a server error or garbled answer 4 times.
    ///
    /// # Errors
    /// What repeating does not mend.
    pub(crate) async fn read(&self, request: Request) -> Result<Response, Failure> {
        let mut repeats = 0;
        let mut patience = READ_REPEATS;
        loop {
            let failure = match self.send_ref(&request).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            match failure.outcome {
                Outcome::NotSent | Outcome::Unknown | Outcome::Unavailable => {}
                Outcome::ServerError | Outcome::Garbled if patience > 0 => patience -= 1,
                Outcome::ServerError
                | Outcome::Garbled
                | Outcome::Throttled
                | Outcome::Refused
                | Outcome::Unauthenticated
                | Outcome::Missing
                | Outcome::DuplicateKey
                | Outcome::VersionConflict
                | Outcome::CursorExpired
                | Outcome::BadRecord
                | Outcome::Setup
                | Outcome::Foreign
                | Outcome::TooLarge => return Err(failure),
            }
            repeats += 1;
            let (least, most) = REPEAT_WAITS;
            self.0.clock.sleep(backoff(repeats, least, most, &self.0.clock)).await;
            self.0.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts so far.
    pub(crate) fn stats(&self) -> Stats {
        let shared = &self.0;
        let (in_flight, limit) = shared.gate.load();
        Stats {
            calls: shared.calls.load(Ordering::Relaxed),
            token_calls: shared.credentials.calls(),
            throttled: shared.throttled.load(Ordering::Relaxed),
            retries: shared.retries.load(Ordering::Relaxed),
            in_flight: in_flight as u64,
            limit: limit as u64,
        }
    }

    /// What the system's clock showed in its newest answers.
    pub(crate) fn dates(&self) -> Vec<DateSample> {
        self.0.dates.newest()
    }

    /// Rises with each exchange that gets somebody further.
    pub(crate) fn progress(&self) -> u64 {
        self.0.progress.count()
    }

    /// What the last request met, while the system does not answer.
    pub(crate) fn outage(&self) -> Option<String> {
        self.0.health.outage()
    }

    /// A part of a batch was refused for now: nobody sends before its wait is
    /// over, as if the whole request had been refused.
    pub(crate) fn heed(&self, failure: &Failure) {
        if failure.outcome == Outcome::Throttled {
            self.0.pause(None, failure);
        }
    }

    async fn send_ref(&self, request: &Request) -> Result<Response, Failure> {
        let shared = &self.0;
        if request.url.origin() != &shared.origin {
            return Err(Failure::new(
                shared.system,
                Outcome::Foreign,
                "the address belongs to another system",
            ));
        }
        let mut refreshed = 0;
        loop {
            let mut place = shared.gate.enter().await;
            let token = shared
                .credentials
                .token()
                .await
                .inspect_err(|failure| shared.health.judge(Some(failure)))?;
            let attempt = shared.attempt(request, &token)?;
            shared.gate.depart(&mut place).await;
            let sent = shared.clock.now();
            let answer = shared.go(attempt).await;
            let failure = match answer {
                Ok(response) => {
                    if let Some(date) = response.date {
                        let received = shared.clock.now();
                        shared.dates.add(DateSample { date, sent, received });
                    }
                    shared.credentials.proved(&token);
                    shared.gate.succeeded();
                    shared.progress.moved(&request.method);
                    shared.health.judge(None);
                    return Ok(response);
                }
                Err(failure) => failure,
            };
            shared.health.judge(Some(&failure));
            shared.progress.stuck(&request.method, &failure);
            match failure.outcome {
                Outcome::Unauthenticated => {
                    shared.credentials.rejected(&token, refreshed, failure)?;
                    refreshed += 1;
                }
                Outcome::Throttled => shared.pause(Some(&place), &failure),
                Outcome::Unavailable if failure.retry_after.is_some() => {
                    shared.pause(Some(&place), &failure);
                    return Err(failure);
                }
                Outcome::Unavailable | Outcome::Unknown => {
                    shared.gate.struggled(&place);
                    return Err(failure);
                }
                Outcome::NotSent
                | Outcome::ServerError
                | Outcome::Refused
                | Outcome::Missing
                | Outcome::DuplicateKey
                | Outcome::VersionConflict
                | Outcome::CursorExpired
                | Outcome::BadRecord
                | Outcome::Setup
                | Outcome::Garbled
                | Outcome::Foreign
                | Outcome::TooLarge => return Err(failure),
            }
            shared.retries.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Shared {
    /// The one place where an attempt goes out.
    async fn go(&self, attempt: Attempt) -> Result<Response, Failure> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        failpoint::hit(Point::Request);
        let answer = self.transport.exchange(attempt, &self.clock).await;
        failpoint::hit(Point::Answered);
        match answer {
            Ok(Answer { status, headers, body }) => {
                match classify(self.system, status, &headers, &body) {
                    None => Ok(Response::new(status, &headers, body)),
                    Some(failure) => Err(failure),
                }
            }
            Err(broken) => Err(self.no_answer(broken)),
        }
    }

    fn no_answer(&self, broken: Broken) -> Failure {
        let (outcome, text) = match broken {
            Broken::NotSent(text) => (Outcome::NotSent, text),
            Broken::Unknown(text) | Broken::TimedOut(text) => (Outcome::Unknown, text),
            Broken::Garbled(text) => (Outcome::Garbled, text),
            Broken::TooLarge(text) => (Outcome::TooLarge, text),
        };
        Failure::new(self.system, outcome, &text)
    }

    /// Headers, in this order of weight: credentials, the caller's, the baseline.
    fn attempt(&self, request: &Request, token: &Token) -> Result<Attempt, Failure> {
        let wrong = |_| Failure::new(self.system, Outcome::Setup, "a header that cannot be sent");
        let mut headers = HeaderMap::with_capacity(self.baseline.len() + request.headers.len() + 4);
        if let Some((_, content_type)) = &request.body {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_str(content_type).map_err(|e| wrong(e.into()))?,
            );
        }
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|e| wrong(::http::Error::from(e)))?;
            headers.append(name, HeaderValue::from_str(value).map_err(|e| wrong(e.into()))?);
        }
        for (name, value) in &self.baseline {
            if name == header::IF_NONE_MATCH && request.method != Method::GET {
                continue;
            }
            if !headers.contains_key(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        if self.system == System::Dynamics {
            let id = HeaderValue::from_str(&self.clock.guid().to_string())
                .map_err(|e| wrong(e.into()))?;
            headers.insert("x-ms-client-request-id", id);
        }
        headers.insert(header::AUTHORIZATION, token.header.clone());
        Ok(Attempt {
            method: request.method.clone(),
            url: request.url.url().clone(),
            headers,
            body: request.body.as_ref().map(|(body, _)| body.clone()),
            timeout: TOTAL,
            body_cap: request.body_cap.unwrap_or(BODY_CAP),
        })
    }

    fn pause(&self, place: Option<&Place<'_>>, failure: &Failure) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
        let (wait, is_new) = self.gate.throttled(place, failure.retry_after);
        if is_new {
            DeliveryThrottled {
                system: self.system.as_str(),
                status: failure.status.unwrap_or_default(),
                wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            }
            .emit();
        }
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
