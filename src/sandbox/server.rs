//! From bytes to look-alikes and back.
//!
//! Owns: which look-alike a path belongs to, the check of tokens, the request
//! log and the playing of faults. Knows nothing of rows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;

use super::campaign;
use super::clocks::Clocks;
use super::dataverse::{self, Surroundings, store::Db};
use super::faults::{Fault, FaultEngine};
use super::hooks::Hooks;
use super::identity::{Audience, Identity, entra, ims};
use super::journal::{self, store::Journal};
use super::limits::Limits;
use super::listener::Cut;
use super::log::{LogEntry, RequestLog, System};
use super::optouts::Exported;
use super::page;
use super::play::{self, LastRows};
use super::sending::{Sending, half, respond};
use super::sftp::SftpControl;
use super::variants::Variants;
use super::wire::{Call, Reply};
use crate::clock::Clock;

/// A body larger than this is refused with 413.
const LARGEST_BODY: usize = 128 * 1024 * 1024;

/// Everything behind the listener.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    /// What each system takes for the time.
    pub(crate) clocks: Clocks,
    pub(crate) hooks: Hooks,
    pub(crate) exported: Exported,
    pub(crate) sftp: SftpControl,
    pub(crate) identity: Identity,
    pub(crate) dynamics: Arc<Mutex<Db>>,
    pub(crate) campaign: Arc<Mutex<campaign::store::Db>>,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) mail: Arc<Mutex<super::mail::control::Told>>,
    pub(crate) variants: Arc<Mutex<Variants>>,
    pub(crate) faults: FaultEngine,
    pub(crate) log: RequestLog,
    pub(crate) last_rows: LastRows,
    pub(crate) limits: Limits,
    pub(crate) origin: String,
    /// The same port over TLS, where it speaks it.
    pub(crate) secure: Option<String>,
    pub(crate) seed: u64,
    pub(crate) restless: AtomicU64,
    pub(crate) desk: page::Desk,
}

struct Done {
    sending: Sending,
    slow_ms: u64,
    /// When it is carried out, where that is after the answer.
    late: Option<Duration>,
    flight: Flight,
}

/// Counts a request as in flight until it is dropped, however that comes.
struct Flight(RequestLog, System);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

/// Which look-alike a path belongs to.
fn system(path: &str) -> System {
    if path.starts_with("/api/") {
        System::Dynamics
    } else if path.starts_with("/ims/") {
        System::Ims
    } else if path.starts_with("/_sandbox") {
        System::Sandbox
    } else if journal::owns(path) {
        System::Journal
    } else if path.ends_with("/oauth2/v2.0/token") || path.ends_with("/oauth2/token") {
        System::Entra
    } else {
        System::Campaign
    }
}

/// A request as the look-alikes see it. HTTP/2 names the host in the address, and
/// has no header of that name.
fn call_of(mut parts: http::request::Parts, body: Bytes, fallback: &str) -> Call {
    let named = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = named.map(|it| it.rsplit_once('@').map_or(it, |(_, host)| host));
    if let Some(Ok(host)) = host.map(http::HeaderValue::from_str)
        && !parts.headers.contains_key(http::header::HOST)
    {
        parts.headers.insert(http::header::HOST, host);
    }
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    Call::new(parts.method, target, parts.headers, body, fallback)
}

/// The one handler.
pub(crate) async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return respond(Reply::empty(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let mut call = call_of(parts, body, &shared.origin);
    if cut.secure() {
        call.secured();
    }
    match serve(&shared, call).await {
        Sending::Whole(reply) => respond(reply),
        Sending::Half(reply) => half(reply, cut),
        Sending::Nothing | Sending::Lost(_) => {
            cut.now();
            // The connection is gone before this is looked at.
            respond(Reply::empty(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

/// One request without a network; a cut connection is an error.
pub(crate) async fn direct(
    shared: &Arc<Shared>,
    request: http::Request<Bytes>,
) -> std::io::Result<http::Response<Bytes>> {
    let (parts, body) = request.into_parts();
    let call = call_of(parts, body, &shared.origin);
    match serve(shared, call).await {
        Sending::Whole(reply) => {
            let mut response = http::Response::new(reply.body);
            *response.status_mut() = reply.status;
            *response.headers_mut() = reply.headers;
            Ok(response)
        }
        Sending::Half(_) => Err(std::io::ErrorKind::UnexpectedEof.into()),
        Sending::Nothing | Sending::Lost(_) => Err(std::io::ErrorKind::ConnectionReset.into()),
    }
}

/// Answers when it is time to, and carries out later what is late.
async fn serve(shared: &Arc<Shared>, call: Call) -> Sending {
    let Done { sending, slow_ms, late, flight } = shared.serve(&call);
    if let Some(late) = late {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            shared.clock.sleep(late).await;
            drop(shared.answer(system(&call.path), &call, false));
        });
    }
    if slow_ms > 0 {
        shared.clock.sleep(Duration::from_millis(slow_ms)).await;
    }
    drop(flight);
    sending
}

impl Shared {
    fn serve(&self, call: &Call) -> Done {
        let system = system(&call.path);
        let method = call.method.as_str().to_owned();
        let (at, began) = (self.clock.now(), self.clock.monotonic());
        let (seq, in_flight) = self.log.arrive(system, &method);
        let flight = Flight(self.log.clone(), system);
        let target = if call.raw_query.is_empty() {
            call.path.clone()
        } else {
            format!("{}?{}", call.path, call.raw_query)
        };
        self.hooks.run(system, &method, &target);
        let verdict = self.faults.decide(system, &method, &target);
        let (sending, operations, inner) =
            self.play(system, call, verdict.fault.as_ref()).counted();
        let sending = match sending {
            Sending::Whole(reply) => {
                Sending::Whole(self.clocks.dated(system, reply).headed(&verdict.headers))
            }
            Sending::Half(reply) => {
                Sending::Half(self.clocks.dated(system, reply).headed(&verdict.headers))
            }
            Sending::Nothing | Sending::Lost(_) => sending,
        };
        let slow = (verdict.slow_ms > 0).then_some("slow");
        let beside = slow.or((!verdict.headers.is_empty()).then_some("headers"));
        let (status, rows) = match &sending {
            Sending::Whole(reply) | Sending::Half(reply) => (reply.status.as_u16(), reply.rows),
            Sending::Nothing | Sending::Lost(_) => (0, None),
        };
        let secret = matches!(system, System::Entra | System::Ims);
        let path = if secret { call.path.clone() } else { target };
        let fault = verdict.fault.as_ref().map(Fault::name).or(beside);
        let took = self.clock.monotonic().since(began).as_millis();
        let ms = u64::try_from(took).unwrap_or(u64::MAX).saturating_add(verdict.slow_ms);
        let entry = LogEntry {
            seq,
            at,
            system,
            method,
            path,
            ms,
            status,
            rows,
            operations,
            fault,
            in_flight,
        };
        self.log.keep(entry, &inner);
        let late = match verdict.fault {
            Some(Fault::Late { ms }) => Some(Duration::from_millis(ms)),
            Some(_) | None => None,
        };
        Done { sending, slow_ms: verdict.slow_ms, late, flight }
    }

    fn play(&self, system: System, call: &Call, fault: Option<&Fault>) -> Sending {
        if fault == Some(&Fault::CutBefore) {
            return Sending::Nothing;
        }
        if fault == Some(&Fault::ExpiredToken)
            && let Some(token) = call.bearer()
        {
            self.identity.revoke(token);
        }
        if let Some(reply) = fault.and_then(|fault| play::instead(fault, system, call)) {
            return Sending::Whole(reply);
        }
        let reply = self.answer(system, call, fault == Some(&Fault::ExpiredDelta));
        let reply = match fault {
            Some(fault) => play::rewrite(fault, call, reply, &self.last_rows),
            None => reply,
        };
        if self.restless.load(Ordering::Relaxed) > 0 {
            self.last_rows.keep(call, &reply);
        }
        if fault == Some(&Fault::CutAfter) || reply.lost {
            return Sending::Lost(reply);
        }
        if fault == Some(&Fault::CutIn) {
            return Sending::Half(reply);
        }
        Sending::Whole(reply)
    }

    fn answer(&self, system: System, call: &Call, expired_delta: bool) -> Reply {
        let variants = self.variants();
        match system {
            System::Entra => {
                let tenant = call.path.split('/').nth(1).unwrap_or_default();
                entra::token(&self.identity, variants, call, tenant)
            }
            System::Ims if call.path.starts_with("/ims/profile") => {
                ims::profile(&self.identity, call)
            }
            System::Ims if call.path == "/ims/token/v3" => {
                ims::token(&self.identity, variants, call)
            }
            System::Ims => Reply::empty(StatusCode::NOT_FOUND),
            System::Dynamics => self.dynamics(call, variants, expired_delta),
            System::Campaign => self.campaign(call, variants),
            System::Journal => self.journal(call, variants),
            System::Sandbox => page::answer(self, call),
        }
    }

    fn dynamics(&self, call: &Call, variants: Variants, expired_delta: bool) -> Reply {
        let accepted =
            call.bearer().is_some_and(|token| self.identity.accepts(token, Audience::Dynamics));
        if !accepted {
            let tenant = &self.identity.credentials.tenant;
            let value = format!(
                "Bearer authorization_uri={}/{tenant}/oauth2/authorize, resource_id={}/",
                call.origin, call.origin
            );
            return Reply::empty(StatusCode::UNAUTHORIZED).with("www-authenticate", &value);
        }
        let left = match self.limits.dynamics(&self.clock, variants) {
            Ok(left) => left,
            Err(wait) => return play::throttled(System::Dynamics, wait),
        };
        let around = Surroundings {
            clock: self.clocks.of(System::Dynamics),
            variants,
            expired_delta,
            faults: &self.faults,
            batched: false,
        };
        let mut db = self.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
        dataverse::answer(&mut db, call, &around)
            .with("x-ms-ratelimit-burst-remaining-xrm-requests", &left.to_string())
            .with("x-ms-ratelimit-time-remaining-xrm-requests", "1,199.97")
    }

    fn campaign(&self, call: &Call, variants: Variants) -> Reply {
        if let Err(reply) = campaign::gateway::check(&self.identity, call) {
            return *reply;
        }
        if let Err(wait) = self.limits.campaign(&self.clock, variants) {
            return play::throttled(System::Campaign, wait);
        }
        let mut db = self.campaign.lock().unwrap_or_else(PoisonError::into_inner);
        let tenant = &self.identity.credentials.campaign_tenant;
        campaign::answer(&mut db, call, tenant, variants, self.clocks.of(System::Campaign))
    }

    fn journal(&self, call: &Call, variants: Variants) -> Reply {
        if let Err(reply) = journal::check(&self.identity, call) {
            return *reply;
        }
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal::answer(&mut journal, call, variants, self.clocks.of(System::Journal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(uri: &str, host: Option<&str>) -> String {
        let mut request = http::Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        call_of(parts, Bytes::new(), "http://fallback").origin
    }

    #[test]
    fn the_host_of_a_request_is_known_whichever_version_of_http_names_it() {
        assert_eq!(origin("/a", Some("localhost:1")), "http://localhost:1");
        assert_eq!(origin("https://localhost:2/a", None), "http://localhost:2");
        assert_eq!(origin("https://evil@localhost:2/a", None), "http://localhost:2");
        assert_eq!(origin("https://other:3/a", Some("localhost:1")), "http://localhost:1");
        assert_eq!(origin("/a", None), "http://fallback");
    }
}
