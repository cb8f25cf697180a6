//! Fuzz targets of this layer: addresses, answers that are no success, packed
//! bodies, tokens.
#![allow(clippy::panic, clippy::unwrap_used, reason = "what fails here is what is looked for")]

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use oauth2::basic::BasicErrorResponse;
use oauth2::{RequestTokenError, TokenResponse};
use url::Url;

use super::auth::{self, Granted};
use super::body::{BodyError, Collector};
use super::retry_after::MAX_WAIT;
use super::transport::{Broken, Transport};
use super::{Auth, Client, Failure, Limits, Origin, RemoteUrl, Response, System, classify};
use crate::clock::Clock;
use crate::fuzz::{clean, first_line, head_and_body, quiet};

/// A client that reaches nobody.
pub(crate) fn client(system: System, base: &str) -> (Client, Origin) {
    let origin = Origin::new(&Url::parse(base).unwrap());
    let auth = Auth::EntraSecret {
        token_url: Url::parse("https://login.test/token").unwrap(),
        client_id: "app".to_owned(),
        secret: Arc::new(|| Err("there is none".to_owned())),
    };
    let limits = Limits { max_in_flight: 1, window: (1, Duration::from_mins(5)) };
    let nobody = || Box::pin(std::future::ready(Err(Broken::NotSent("nobody".to_owned()))));
    let transport = Transport::Local(Arc::new(move |_| nobody()));
    let clock = Clock::seeded(1);
    let client = Client::with_transport(system, origin.clone(), limits, auth, clock, transport);
    (client, origin)
}

/// An answer with this body and these header lines.
pub(crate) fn response(status: u16, head: &[u8], body: &[u8]) -> Response {
    Response::new(status, &headers(head), Bytes::copy_from_slice(body))
}

/// Those lines of a text that are headers; 64 at most.
pub(crate) fn headers(text: &[u8]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    map
}

/// A link that a remote hands out: where it is taken, it leads to the configured
/// origin and below its path, whoever reads it.
pub(crate) fn origin(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for base in [
        "https://org.crm4.dynamics.com/",
        "https://mc.adobe.io/tenant/",
        "https://events.test:8443/",
        "http://127.0.0.1:9000/a/b/",
    ] {
        let origin = Origin::new(&Url::parse(base).unwrap());
        for found in [origin.handed(text), origin.own(text)] {
            match found {
                Ok(url) => pinned(base, &url, text),
                Err(error) => {
                    let told = error.to_string();
                    assert!(told.len() <= 400 && !told.contains(char::is_control), "{told:?}");
                    assert!(error.found.is_none_or(|found| !found.contains(['?', '@'])), "{told}");
                }
            }
        }
    }
}

fn pinned(base: &str, url: &RemoteUrl, text: &str) {
    let (base, whole) = (Url::parse(base).unwrap(), url.url());
    assert_eq!(whole.scheme(), base.scheme(), "{text:?}");
    assert_eq!(whole.host_str(), base.host_str(), "{text:?}");
    assert_eq!(whole.port_or_known_default(), base.port_or_known_default(), "{text:?}");
    assert!(whole.username().is_empty() && whole.password().is_none(), "{text:?}");
    assert_eq!(whole.fragment(), None, "{text:?}");
    let below = format!("{}/", whole.path().trim_end_matches('/'));
    assert!(below.starts_with(base.path()), "{text:?} leads to {}", whole.path());
    // Another reader of the same text comes to the same host.
    if let Ok(other) = Url::parse(text) {
        assert_eq!(other.origin(), base.origin(), "{text:?}");
    }
    // What is stored leads there again.
    let stored = url.path_and_query();
    assert!(stored.starts_with('/'), "{text:?}: {stored:?}");
    let again = url.origin().handed(stored);
    assert!(again.as_ref() == Ok(url), "{text:?}: stored as {stored:?}, read as {again:?}");
    assert!(!format!("{url:?}").contains('?'), "a query may be personal");
}

/// An answer that may be no success: what it means is fit for a log. The input
/// is a line with system and status, header lines, an empty line, the body.
pub(crate) fn errors(data: &[u8]) {
    let (head, body) = head_and_body(data);
    let (first, head) = first_line(head);
    let first = String::from_utf8_lossy(first);
    let (system, status) = first.split_once(' ').unwrap_or(("", &first));
    let system = match system {
        "campaign" => System::Campaign,
        "journal" => System::Journal,
        _ => System::Dynamics,
    };
    let status = status.trim().parse().unwrap_or(500);
    let headers = headers(head);
    let Some(failure) = classify(system, status, &headers, body) else {
        assert!(matches!(status, 200..=299 | 304 | 400), "{status} is no success");
        return;
    };
    assert_eq!(failure.status, Some(status));
    fit(&failure);
    // Nothing but what came decides.
    assert_eq!(Some(&failure), classify(system, status, &headers, body).as_ref());
    let response = Response::new(204, &headers, Bytes::copy_from_slice(body));
    assert!(response.retry_after.is_none_or(|wait| wait <= MAX_WAIT && !wait.is_zero()));
}

/// What holds of a failure in our own words.
pub(crate) fn silent(failure: &Failure) {
    fit(failure);
    quiet(failure);
}

/// What holds of every failure.
pub(crate) fn fit(failure: &Failure) {
    clean(&failure.message);
    assert!(failure.message.chars().count() <= 301, "{}", failure.message);
    let plain =
        |text: &String, most| text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic());
    assert!(failure.code.as_ref().is_none_or(|code| plain(code, 40)), "{:?}", failure.code);
    assert!(failure.request_id.as_ref().is_none_or(|id| !id.is_empty() && plain(id, 80)));
    assert!(failure.retry_after.is_none_or(|wait| wait <= MAX_WAIT && !wait.is_zero()));
}

/// A body, perhaps packed, in pieces: as many bytes as allowed at most, and the
/// same ones however it is cut.
pub(crate) fn body(data: &[u8]) {
    let [encoding, cap, size, rest @ ..] = data else { return };
    let encoding = [None, Some("gzip"), Some("x-gzip"), Some("br")][usize::from(encoding % 4)];
    let cap = usize::from(*cap) * 64;
    let read = |size: usize| -> Result<Bytes, BodyError> {
        let mut collector = Collector::new(encoding, cap)?;
        for piece in rest.chunks(size.max(1)) {
            collector.push(Bytes::copy_from_slice(piece))?;
        }
        collector.finish()
    };
    let (whole, pieces) = (read(rest.len()), read(usize::from(*size)));
    assert!(whole.as_ref().map_or(0, Bytes::len) <= cap);
    // A bomb is known by what was received so far, so pieces may be refused.
    match (&whole, &pieces) {
        (_, Ok(_)) => assert_eq!(whole, pieces),
        (_, Err(_)) => assert!(whole.is_err() || whole.unwrap().len() > 8 << 20),
    }
    let plain = encoding.is_none() && rest.len() <= cap;
    assert!(!plain || pieces.is_ok_and(|body| body == rest));
}

/// An answer of a token endpoint: no word of it is shown.
pub(crate) fn token(data: &[u8]) {
    if let Ok(granted) = serde_json::from_slice::<Granted>(data) {
        let secret = granted.access_token().secret();
        assert!(secret.len() < 12 || !format!("{granted:?}").contains(secret.as_str()));
        assert!(granted.expires_in().is_none_or(|lifetime| !lifetime.is_zero()));
    }
    let answer = match serde_json::from_slice::<BasicErrorResponse>(data) {
        Ok(answer) => RequestTokenError::ServerResponse(answer),
        Err(_) => RequestTokenError::Other("none".to_owned()),
    };
    for status in [400, 401, 500] {
        let failure = auth::failed(System::Campaign, &answer, Some((status, None)));
        fit(&failure);
        if let RequestTokenError::ServerResponse(answer) = &answer
            && let Some(description) = answer.error_description()
        {
            assert!(description.len() < 40 || !failure.to_string().contains(description));
        }
    }
}
