//! What a client has counted, and how it stands at present.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Client, DateSample};

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
    /// Requests in the window of the rate limit that ends now.
    pub(crate) window_calls: u64,
    /// Most that are allowed in it, and its length.
    pub(crate) window: (u64, Duration),
    /// How long nothing more is sent, because the system asked for it.
    pub(crate) pause: Option<Duration>,
}

impl Client {
    /// Counts so far.
    pub(crate) fn stats(&self) -> Stats {
        let shared = &self.0;
        let (in_flight, limit) = shared.gate.load();
        let (window_calls, window, pause) = shared.gate.window();
        Stats {
            calls: shared.calls.load(Ordering::Relaxed),
            token_calls: shared.credentials.calls(),
            throttled: shared.throttled.load(Ordering::Relaxed),
            retries: shared.retries.load(Ordering::Relaxed),
            in_flight: in_flight as u64,
            limit: limit as u64,
            window_calls,
            window,
            pause,
        }
    }

    /// Takes the place of a client of an earlier configuration. Where it is one of
    /// the same system at the same address, it knows from then on what that one was
    /// and will be asked for: pauses, and the window of the rate. An endpoint of
    /// tokens is left alone wherever the system itself is now.
    pub(crate) fn follow(&self, before: &Self) {
        if self.is_at_the_place_of(before) {
            self.0.gate.follow(&before.0.gate);
        }
        if self.0.system == before.0.system {
            self.0.credentials.follow(&before.0.credentials);
        }
    }

    /// Whether both ask the same system at the same address.
    pub(crate) fn is_at_the_place_of(&self, other: &Self) -> bool {
        self.0.system == other.0.system && self.0.origin == other.0.origin
    }

    /// Whether the system, or who gives its tokens, asked to be left alone for a
    /// time that is not over.
    pub(crate) fn is_paused(&self) -> bool {
        let (_, _, pause) = self.0.gate.window();
        pause.is_some() || self.0.credentials.is_paused()
    }

    /// Which system it is, in a word.
    pub(crate) fn system(&self) -> &'static str {
        self.0.system.as_str()
    }

    /// What the system's clock showed in its newest answers.
    pub(crate) fn dates(&self) -> Vec<DateSample> {
        self.0.dates.newest()
    }

    /// Rises with each exchange that gets somebody further.
    pub(crate) fn progress(&self) -> u64 {
        self.0.progress.count()
    }

    /// Whether the last write that ended had no answer or a server error.
    pub(crate) fn writes_fail(&self) -> bool {
        self.0.progress.writes_fail()
    }

    /// What the last request met, while the system does not answer.
    pub(crate) fn outage(&self) -> Option<String> {
        self.0.health.outage()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use url::Url;

    use super::*;
    use crate::clock::Clock;
    use crate::http::test_support::{LIMITS, TOKEN_URL, entra, local, reply};
    use crate::http::{Origin, Request, System, Transport};

    fn at(url: &str, transport: &Transport) -> Client {
        let origin = Origin::new(&Url::parse(url).unwrap());
        let (auth, clock) = (entra(TOKEN_URL), Clock::seeded(7));
        Client::with_transport(System::Dynamics, origin, LIMITS, auth, clock, transport.clone())
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_of_tokens_is_left_alone_wherever_the_system_is_now() {
        let asked = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&asked);
        let transport = local(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(reply(429, &[("retry-after", "600")], ""))
        });
        let (here, moved) =
            (at("https://org.test/", &transport), at("https://new.test/", &transport));
        let clock = Clock::seeded(7);
        let try_for_a_minute = async |client: &Client| {
            let request = Request::get(client.origin().own("contacts").unwrap());
            tokio::select! {
                answer = client.read(request) => panic!("{answer:?}"),
                () = clock.sleep(Duration::from_mins(1)) => {}
            }
        };
        try_for_a_minute(&here).await;
        assert_eq!((asked.load(Ordering::Relaxed), here.is_paused()), (1, true));
        moved.follow(&here);
        assert!(moved.is_paused() && !moved.is_at_the_place_of(&here));
        try_for_a_minute(&moved).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1, "it asked to be left alone");
    }
}
