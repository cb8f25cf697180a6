//! `/_sandbox`: what the systems hold and were asked, for people and scripts.
//!
//! Owns: the addresses below it, and who may ask: this machine, and no page of
//! another site in its browser. Knows the rows only through their look-alikes.

mod api;
mod calls;
mod campaign;
mod contact;
mod dynamics;
mod forms;
mod html;
mod optouts;
mod overview;
mod settings;

use std::fmt;
use std::io;
use std::net::IpAddr;

use http::{Method, StatusCode};

use super::server::Shared;
use super::wire::{Call, Reply, decode, pairs};
use super::{clocks, journal, optouts as exports};
use crate::clock::random_key;

/// Rows of one page.
const ROWS: usize = 50;

/// The secret of the forms: a page of another site does not know it.
pub(crate) struct Desk(String);

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    /// A fresh one.
    pub(crate) fn new() -> io::Result<Self> {
        let key = random_key().map_err(|_| io::Error::other("there is no randomness"))?;
        Ok(Self(blake3::Hash::from_bytes(key).to_hex().to_string()))
    }
}

/// Answers a request below `/_sandbox`.
pub(crate) fn answer(shared: &Shared, call: &Call) -> Reply {
    if let Some(why) = foreign(call) {
        return html::refused(StatusCode::FORBIDDEN, why);
    }
    let path = call.path.trim_end_matches('/');
    let rest = path.strip_prefix("/_sandbox").unwrap_or_default();
    let decoded: Vec<String> =
        rest.split('/').filter(|part| !part.is_empty()).map(|part| decode(part, false)).collect();
    let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    match (&call.method, parts.as_slice()) {
        (_, ["api", parts @ ..]) => api::answer(shared, call, parts),
        (&Method::POST, ["clock"]) => clocks::answer(&shared.clocks, call),
        (&Method::POST, ["optouts"]) => exports::answer(shared, call),
        (&Method::POST, ["do", what]) => forms::answer(shared, call, what),
        (&Method::POST, _) => journal::control::answer(&shared.journal_control(), call),
        (&Method::GET, []) if wants_html(call) => overview::page(shared),
        (&Method::GET, []) => api::summary(shared),
        (&Method::GET, ["dynamics", table]) => dynamics::list(shared, call, table),
        (&Method::GET, ["dynamics", table, id]) => dynamics::record(shared, table, id),
        (&Method::GET, ["campaign", resource]) => campaign::list(shared, call, resource),
        (&Method::GET, ["campaign", resource, row]) => campaign::record(shared, resource, row),
        (&Method::GET, ["calls"]) => calls::page(shared, call),
        (&Method::GET, ["optouts"]) => optouts::page(shared, call),
        (&Method::GET, ["journal"]) => calls::journal(shared),
        (&Method::GET, ["settings"]) => settings::page(shared),
        _ => missing("page"),
    }
}

fn missing(what: &str) -> Reply {
    html::refused(StatusCode::NOT_FOUND, &format!("There is no such {what}."))
}

/// A browser asks for HTML; `curl` and scripts do not.
fn wants_html(call: &Call) -> bool {
    call.header_list("accept").contains("text/html")
}

/// Why a request does not come from this machine's own pages or programs: its
/// name for us is not of loopback (a name of somebody's led here), or a page of
/// another origin sent it.
fn foreign(call: &Call) -> Option<&'static str> {
    // Without a Host it is the sandbox's own.
    let (_, host) = call.origin.split_once("://").unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let local = name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback());
    if !local {
        return Some("These pages answer on loopback addresses only.");
    }
    let origin = call.header("origin")?;
    let own = ["http://", "https://"].iter().any(|scheme| {
        origin.strip_prefix(scheme).is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    });
    (!own).then_some("This came from a page of another site.")
}

/// The fields of a form.
fn form(call: &Call) -> Vec<(String, String)> {
    pairs(&String::from_utf8_lossy(&call.body))
}

/// Which page of a list is asked for, from 0.
fn page_number(call: &Call) -> usize {
    call.param("page").and_then(|page| page.parse().ok()).unwrap_or(0).min(1_000_000)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn refused(host: Option<&str>, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", host), ("origin", origin)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        let call = Call::new(Method::GET, "/_sandbox", headers, Bytes::new(), "http://[::1]:1");
        foreign(&call).is_some()
    }

    #[test]
    fn only_this_machines_own_pages_and_programs_are_answered() {
        for host in [None, Some("localhost"), Some("127.0.0.1:8700"), Some("[::1]:8700")] {
            assert!(!refused(host, None), "{host:?}");
        }
        for host in ["evil.example:8700", "127.0.0.1.evil.example", "10.0.0.1:8700", "[::2]:1"] {
            assert!(refused(Some(host), None), "{host}");
        }
        let here = Some("127.0.0.1:8700");
        assert!(!refused(here, Some("http://127.0.0.1:8700")));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9", "http://localhost:8700"]
        {
            assert!(refused(here, Some(origin)), "{origin}");
        }
    }
}
