//! The client of one system: sends requests and says what came of them.
//!
//! Owns: the one place where an attempt goes out, and the repeats that need no
//! decision (a refused request, a fresh token, a repeatable read). Must not know
//! tables, records or attempts that are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::http::HeaderMap;
use tokio::sync::watch;

use super::auth::Auth;
use super::baseline::baseline;
use super::budget::{Class, DayLimit, Meter};
use super::classify::classify;
use super::credentials::{Credentials, Token};
use super::dates::{DateSample, Dates};
use super::failure::{Failure, Outcome, System};
use super::gate::{Gate, Limits, Place, backoff};
use super::health::Health;
use super::message::{Request, Response};
use super::origin::Origin;
use super::progress::Progress;
use super::transport::{Answer, Attempt, Transport};
use crate::clock::Clock;
use crate::failpoint::{self, Point};
use crate::telemetry::DeliveryThrottled;

/// A read that fails in the server or is garbled is repeated so often.
const READ_REPEATS: usize = 4;
/// Shortest and longest wait between repeats of a read.
const REPEAT_WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// A remote system. Clones share everything but their class.
#[derive(Clone)]
pub(crate) struct Client(Arc<Shared>, Budget, Option<watch::Receiver<bool>>);

/// What a client may spend of a day.
#[derive(Clone)]
struct Budget {
    meter: Arc<Meter>,
    limit: Option<DayLimit>,
    class: Class,
}

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
        let meter = Arc::new(Meter::new(system, clock.clone()));
        let budget = Budget { meter, limit: None, class: Class::Ordinary };
        let shared = Shared {
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
        };
        Self(Arc::new(shared), budget, None)
    }

    /// The same client for work that may be asked to end: once `wish` is true,
    /// nothing more goes out through this clone, and what was to go ends as
    /// `NotSent` at once. What is on its way is waited for.
    pub(crate) fn until(&self, wish: watch::Receiver<bool>) -> Self {
        Self(Arc::clone(&self.0), self.1.clone(), Some(wish))
    }

    /// The same client, its requests counted by `meter` and held to `limit`.
    #[must_use]
    pub(crate) fn metered(self, meter: Arc<Meter>, limit: Option<DayLimit>) -> Self {
        Self(self.0, Budget { meter, limit, class: Class::Ordinary }, self.2)
    }

    /// The same client for requests that may use the whole budget of the day.
    #[must_use]
    pub(crate) fn urgent(&self) -> Self {
        let budget = Budget { class: Class::Urgent, ..self.1.clone() };
        Self(Arc::clone(&self.0), budget, self.2.clone())
    }

    /// What counts its requests, and the limit.
    pub(crate) fn budget(&self) -> (&Meter, Option<DayLimit>) {
        (&self.1.meter, self.1.limit)
    }

    /// How many more requests may go out today; none: there is no budget.
    pub(crate) fn left_today(&self) -> Option<u64> {
        self.1.meter.left(self.1.limit, self.1.class)
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
                | Outcome::TooLarge
                | Outcome::Spent => return Err(failure),
            }
            repeats += 1;
            let (least, most) = REPEAT_WAITS;
            let wait = backoff(repeats, least, most, &self.0.clock);
            tokio::select! {
                biased;
                () = self.asked_to_end() => return Err(failure),
                () = self.0.clock.sleep(wait) => {}
            }
            self.0.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A part of a batch was refused for now: nobody sends before its wait is
    /// over, as if the whole request had been refused.
    pub(crate) fn heed(&self, failure: &Failure) {
        let names_a_time = failure.retry_after.is_some();
        if failure.outcome == Outcome::Throttled
            || (failure.outcome == Outcome::Unavailable && names_a_time)
        {
            self.0.pause(None, failure);
        }
    }

    /// Waits for the wish to end; for ever where nobody can make it.
    async fn asked_to_end(&self) {
        if let Some(wish) = &self.2
            && wish.clone().wait_for(|wished| *wished).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// Waits until a request may go out, and counts it as sent.
    async fn ready(&self, request: &Request) -> Result<(Place<'_>, Arc<Token>, Attempt), Failure> {
        let shared = &self.0;
        let mut place = shared.gate.enter().await;
        let token = shared
            .credentials
            .token()
            .await
            .inspect_err(|failure| shared.health.judge(Some(failure)))?;
        let attempt = shared.attempt(request, &token)?;
        let Budget { meter, limit, class } = &self.1;
        meter.take(*limit, *class, request.weight).await?;
        shared.gate.depart(&mut place).await;
        Ok((place, token, attempt))
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
            let (place, token, attempt) = tokio::select! {
                biased;
                () = self.asked_to_end() => {
                    return Err(Failure::new(shared.system, Outcome::NotSent, "cdsync ends"));
                }
                ready = self.ready(request) => ready?,
            };
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
                Outcome::Unavailable | Outcome::ServerError if failure.retry_after.is_some() => {
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
                | Outcome::TooLarge
                | Outcome::Spent => return Err(failure),
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

#[path = "client_stats.rs"]
mod stats;

#[path = "client_attempt.rs"]
mod attempt;
#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
