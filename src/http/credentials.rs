//! One access token per system, shared by all its workers.
//!
//! Owns: when a token is asked for (before its end, once after a 401), that one
//! request is in flight at most, and how often a refusing endpoint is asked. The
//! token lives in memory only. Must not know how a token is obtained (`auth.rs`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::http::HeaderValue;
use oauth2::TokenResponse;

use super::auth::{self, Auth};
use super::failure::{Failure, Outcome, System};
use super::gate::backoff;
use super::pause::Pause;
use super::transport::Transport;
use crate::clock::{Clock, Monotonic};
use crate::telemetry::{AuthRefused, TokenObtained};

/// A refusal is remembered so long, instead of asking again.
const REMEMBER_REFUSAL: Duration = Duration::from_mins(1);
/// A token's lifetime where the endpoint names none that makes sense.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(30);
/// Shortest and longest lifetime believed.
const LIFETIMES: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(24));
/// A token is replaced so long before its end, or a tenth of its life if more.
const MARGIN: Duration = Duration::from_mins(5);
/// While fresh tokens are rejected, this many are asked for in [`MINT_WINDOW`].
const MINTS: usize = 2;
const MINT_WINDOW: Duration = Duration::from_mins(5);
/// A request is repeated once after a 401; more often only where the fresh token
/// had worked for others and was taken back meanwhile.
const MAX_REPEATS: u32 = 3;
/// Least time between two tokens when working ones are being rejected.
const MINT_GAP: Duration = Duration::from_secs(1);

/// A token in use.
pub(super) struct Token {
    /// `Bearer …`, marked as sensitive.
    pub(super) header: HeaderValue,
    generation: u64,
    refresh_at: Monotonic,
    ends_at: Monotonic,
    /// A request with it succeeded.
    proved: AtomicBool,
}

/// The shared token of one system.
pub(super) struct Credentials {
    system: System,
    auth: Auth,
    resource: String,
    transport: Transport,
    clock: Clock,
    cache: Mutex<Cache>,
    /// Held by the one who asks the endpoint.
    asking: tokio::sync::Mutex<()>,
    calls: AtomicU64,
}

#[derive(Default)]
struct Cache {
    token: Option<Arc<Token>>,
    generation: u64,
    refused: Option<(Failure, Monotonic)>,
    /// The endpoint's failures since its last token, and the last of them.
    failures: usize,
    failure: Option<Failure>,
    /// Finished token requests, to see that someone else asked meanwhile.
    asked: u64,
    not_before: Option<Monotonic>,
    /// What the endpoint itself asked for.
    pause: Pause,
    minted: VecDeque<Monotonic>,
    /// The refusal that was told, until a token works again.
    told: Told,
}

/// What was told of the endpoint's refusals since a token worked.
#[derive(Debug, Default, PartialEq, Eq)]
enum Told {
    #[default]
    Nothing,
    /// A refusal, with its code where it has one.
    Refusal(Option<String>),
}

enum Look {
    Have(Arc<Token>),
    /// Still good, but soon to be replaced.
    Aging(Arc<Token>),
    Refused(Failure),
    /// None; with the number of finished token requests.
    Need(u64),
}

impl Credentials {
    /// Tokens for `resource` (the origin of an Entra environment).
    pub(super) fn new(
        system: System,
        auth: Auth,
        resource: String,
        transport: Transport,
        clock: Clock,
    ) -> Self {
        Self {
            system,
            auth,
            resource,
            transport,
            clock,
            cache: Mutex::default(),
            asking: tokio::sync::Mutex::new(()),
            calls: AtomicU64::new(0),
        }
    }

    pub(super) fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Token requests so far.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The present token, or a new one.
    ///
    /// # Errors
    /// `Refused`, also when that was the answer less than a minute ago;
    /// `NotSent` while the endpoint is in trouble.
    pub(super) async fn token(&self) -> Result<Arc<Token>, Failure> {
        let asked = match self.look() {
            Look::Have(token) => return Ok(token),
            Look::Refused(failure) => return Err(failure),
            // The old token serves until its end, should the endpoint fail.
            Look::Aging(token) => {
                return match self.asking.try_lock() {
                    Ok(_asking) if self.not_before().is_none() => {
                        Ok(self.ask().await.unwrap_or(token))
                    }
                    Ok(_) | Err(_) => Ok(token),
                };
            }
            Look::Need(asked) => asked,
        };
        let _asking = self.asking.lock().await;
        match self.look() {
            Look::Have(token) | Look::Aging(token) => return Ok(token),
            Look::Refused(failure) => return Err(failure),
            Look::Need(now) if now != asked => {
                if let Some(failure) = self.lock().failure.clone() {
                    return Err(failure);
                }
            }
            Look::Need(_) => {}
        }
        while let Some(until) = self.not_before() {
            self.clock.sleep_until(until).await;
        }
        self.ask().await
    }

    /// A request with this token succeeded.
    pub(super) fn proved(&self, token: &Token) {
        if !token.proved.load(Ordering::Relaxed) && !token.proved.swap(true, Ordering::Relaxed) {
            let mut cache = self.lock();
            cache.refused = None;
            cache.told = Told::Nothing;
        }
    }

    /// The system answered 401 to this token: it is not used again. `repeats`
    /// tells how often the request was repeated with a fresh token already.
    ///
    /// # Errors
    /// `Refused` when another token would not help: a fresh one that never
    /// worked was rejected (remembered for a minute), or the request is rejected
    /// whatever the token.
    pub(super) fn rejected(
        &self,
        token: &Token,
        repeats: u32,
        answer: Failure,
    ) -> Result<(), Failure> {
        let failure = Failure { outcome: Outcome::Refused, ..answer };
        let last = repeats >= MAX_REPEATS;
        let now = self.clock.monotonic();
        let mut cache = self.lock();
        if cache.token.as_ref().is_some_and(|current| current.generation == token.generation) {
            let proved = token.proved.load(Ordering::Relaxed);
            cache.minted.retain(|at| now.since(*at) < MINT_WINDOW);
            if !proved && (repeats > 0 || cache.minted.len() >= MINTS) {
                cache.refused = Some((failure.clone(), now.plus(REMEMBER_REFUSAL)));
                drop(cache);
                self.report(&failure);
                return Err(failure);
            }
            cache.token = None;
            if proved && let Some(last) = cache.minted.back().copied() {
                let earliest = last.plus(MINT_GAP);
                cache.not_before = Some(cache.not_before.map_or(earliest, |at| at.max(earliest)));
            }
        }
        if last { Err(failure) } else { Ok(()) }
    }

    fn look(&self) -> Look {
        let now = self.clock.monotonic();
        let cache = self.lock();
        if let Some((failure, until)) = &cache.refused
            && *until > now
        {
            return Look::Refused(failure.clone());
        }
        match &cache.token {
            Some(token) if now < token.refresh_at => Look::Have(Arc::clone(token)),
            Some(token) if now < token.ends_at => Look::Aging(Arc::clone(token)),
            Some(_) | None => Look::Need(cache.asked),
        }
    }

    /// Goes on where the credentials before it for the same endpoint are: it is
    /// left alone for as long as it asked for. Tokens and refusals are not taken
    /// over; what they come from may have been mended.
    pub(super) fn follow(&self, before: &Self) {
        if self.auth.token_url() == before.auth.token_url() {
            let pause = before.lock().pause.clone();
            self.lock().pause = pause;
        }
    }

    /// Whether the endpoint asked to be left alone for a time that is not over.
    pub(super) fn is_paused(&self) -> bool {
        self.lock().pause.until(self.clock.monotonic()).is_some()
    }

    /// Until when the endpoint is not asked, if that is not over.
    fn not_before(&self) -> Option<Monotonic> {
        let now = self.clock.monotonic();
        let cache = self.lock();
        cache.not_before.filter(|until| *until > now).max(cache.pause.until(now))
    }

    /// Asks the endpoint; the caller holds `asking`.
    async fn ask(&self) -> Result<Arc<Token>, Failure> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let answer =
            auth::ask(self.system, &self.auth, &self.resource, &self.transport, &self.clock).await;
        let now = self.clock.monotonic();
        let answer = answer.and_then(|granted| self.token_of(&granted, now));
        let mut cache = self.lock();
        cache.asked += 1;
        match answer {
            Ok(mut token) => {
                cache.generation += 1;
                token.generation = cache.generation;
                let token = Arc::new(token);
                cache.token = Some(Arc::clone(&token));
                cache.refused = None;
                cache.failures = 0;
                cache.failure = None;
                cache.not_before = None;
                cache.minted.retain(|at| now.since(*at) < MINT_WINDOW);
                cache.minted.push_back(now);
                drop(cache);
                let use_ms =
                    u64::try_from(token.refresh_at.since(now).as_millis()).unwrap_or(u64::MAX);
                TokenObtained { system: self.system.as_str(), use_ms }.emit();
                Ok(token)
            }
            Err(failure) => {
                cache.failures += 1;
                let pause = backoff(
                    cache.failures,
                    Duration::from_secs(1),
                    Duration::from_mins(1),
                    &self.clock,
                );
                match failure.retry_after {
                    Some(asked) => cache.not_before = Some(cache.pause.extend(now.plus(asked))),
                    None => cache.not_before = Some(now.plus(pause)),
                }
                cache.failure = Some(failure.clone());
                if failure.outcome == Outcome::Refused {
                    let usable = cache.token.as_ref().is_some_and(|token| now < token.ends_at);
                    cache.not_before = Some(now.plus(REMEMBER_REFUSAL));
                    // A token that still works outlives the refusal of the next one.
                    cache.refused =
                        (!usable).then(|| (failure.clone(), now.plus(REMEMBER_REFUSAL)));
                    drop(cache);
                    self.report(&failure);
                }
                Err(failure)
            }
        }
    }

    fn token_of(&self, granted: &auth::Granted, now: Monotonic) -> Result<Token, Failure> {
        let unusable = || {
            Failure::new(
                self.system,
                Outcome::NotSent,
                "the identity service gave a token that cannot be sent",
            )
        };
        let text = granted.access_token().secret();
        let mut header =
            HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| unusable())?;
        if text.is_empty() {
            return Err(unusable());
        }
        header.set_sensitive(true);
        let (use_for, lifetime) = times(granted.expires_in());
        Ok(Token {
            header,
            generation: 0,
            refresh_at: now.plus(use_for),
            ends_at: now.plus(lifetime),
            proved: AtomicBool::new(false),
        })
    }

    /// Tells of a refusal; at length only of the first one of its kind in a row.
    fn report(&self, failure: &Failure) {
        let refusal = Told::Refusal(failure.code.clone());
        let mut cache = self.lock();
        let news = cache.told != refusal;
        cache.told = refusal;
        drop(cache);
        AuthRefused {
            system: self.system.as_str(),
            code: failure.code.clone(),
            problem: failure.message.clone(),
        }
        .emit(news);
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a token is used before it is replaced, and how long it lives.
fn times(expires_in: Option<Duration>) -> (Duration, Duration) {
    let lifetime = expires_in.unwrap_or(DEFAULT_LIFETIME).clamp(LIFETIMES.0, LIFETIMES.1);
    let margin = MARGIN.max(lifetime / 10);
    let use_for =
        if lifetime < margin * 2 { lifetime * 4 / 5 } else { lifetime.saturating_sub(margin) };
    (use_for, lifetime)
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
