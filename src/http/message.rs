//! A request and its answer, as the clients of both systems see them.
//!
//! Must not know credentials or what a body means.

use std::time::Duration;

use ::http::{HeaderMap, Method, header};
use bytes::Bytes;
use jiff::Timestamp;

use super::origin::RemoteUrl;
use super::retry_after;

/// The content type of both systems' bodies. Campaign garbles non-ASCII text
/// without the charset (KA-16136).
pub(crate) const JSON: &str = "application/json; charset=utf-8";

/// Most characters of an id of an exchange that are kept.
const MAX_ID_CHARS: usize = 80;

/// One request. The baseline headers of the system, the credentials and a
/// request id are added when it is sent.
#[derive(Clone)]
pub(crate) struct Request {
    /// The verb.
    pub(crate) method: Method,
    /// Where to; always of a configured system.
    pub(crate) url: RemoteUrl,
    /// Further headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Body and its content type.
    pub(crate) body: Option<(Bytes, String)>,
    /// Most bytes of the answer, where it is less than usual.
    pub(crate) body_cap: Option<usize>,
    /// For how many requests of the day it counts.
    pub(crate) weight: u64,
}

impl Request {
    fn new(method: Method, url: RemoteUrl) -> Self {
        Self { method, url, headers: Vec::new(), body: None, body_cap: None, weight: 1 }
    }

    /// A read.
    pub(crate) fn get(url: RemoteUrl) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST with a JSON body.
    pub(crate) fn post(url: RemoteUrl, json: impl Into<Bytes>) -> Self {
        Self::new(Method::POST, url).body(json, JSON)
    }

    /// A PUT with a JSON body.
    pub(crate) fn put(url: RemoteUrl, json: impl Into<Bytes>) -> Self {
        Self::new(Method::PUT, url).body(json, JSON)
    }

    /// A PATCH with a JSON body.
    pub(crate) fn patch(url: RemoteUrl, json: impl Into<Bytes>) -> Self {
        Self::new(Method::PATCH, url).body(json, JSON)
    }

    /// A deletion.
    pub(crate) fn delete(url: RemoteUrl) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Refuses answers of more bytes.
    #[must_use]
    pub(crate) fn at_most(mut self, bytes: usize) -> Self {
        self.body_cap = Some(bytes);
        self
    }

    /// Counts for so many requests of the day: those of a batch are counted one
    /// by one (Dynamics sheet, 6.4).
    #[must_use]
    pub(crate) fn counts_as(mut self, requests: usize) -> Self {
        self.weight = u64::try_from(requests).unwrap_or(u64::MAX).max(1);
        self
    }

    /// Sets the body, with another content type than JSON where needed (`$batch`).
    #[must_use]
    pub(crate) fn body(mut self, body: impl Into<Bytes>, content_type: impl Into<String>) -> Self {
        self.body = Some((body.into(), content_type.into()));
        self
    }
}

/// A complete answer that means success (2xx, or 304).
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// Its status.
    pub(crate) status: u16,
    /// Its body, decompressed.
    pub(crate) body: Bytes,
    /// What the body is, in the server's words (`$batch`: with the boundary).
    pub(crate) content_type: Option<String>,
    /// The vendor's id of this exchange, for a support case.
    pub(crate) request_id: Option<String>,
    /// The server's clock (header `Date`).
    pub(crate) date: Option<Timestamp>,
    /// The values of its `Link` headers.
    pub(crate) links: Vec<String>,
    /// How long the remote asks to wait before the next request of this kind.
    pub(crate) retry_after: Option<Duration>,
}

impl Response {
    pub(super) fn new(status: u16, headers: &HeaderMap, body: Bytes) -> Self {
        let request_id = request_id(headers);
        let date = text(headers, header::DATE.as_str()).and_then(http_date);
        let content_type = text(headers, header::CONTENT_TYPE.as_str()).map(str::to_owned);
        let links = headers.get_all(header::LINK).iter();
        let links = links.filter_map(|link| link.to_str().ok().map(str::to_owned)).collect();
        // Only an answer without content says when there may be some.
        let retry_after = if status == 204 { retry_after::relative(headers, b"") } else { None };
        Self { status, body, content_type, request_id, date, links, retry_after }
    }
}

/// A header's value, when it is there and plain text.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The vendor's id of an exchange: Dataverse's, then the Adobe gateway's. It is
/// shown and logged; what no id looks like is not taken for one.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-ms-service-request-id", "req_id", "x-request-id", "x-ms-request-id"]
        .into_iter()
        .filter_map(|name| text(headers, name))
        .find(|id| !id.is_empty() && id.chars().all(of_an_id))
        .map(|id| id.chars().take(MAX_ID_CHARS).collect())
}

/// GUIDs, numbers, Base64, and lists of them.
fn of_an_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:,;|/+={}".contains(c)
}

/// An HTTP date (RFC 9110, 5.6.7; the two obsolete forms are not read).
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    static PARSER: jiff::fmt::rfc2822::DateTimeParser = jiff::fmt::rfc2822::DateTimeParser::new();
    PARSER.parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_looks_like_an_id_is_one() {
        let guid = "7e57ab1e-0000-4000-8000-00000000c0de";
        let two = format!("{guid},{guid}");
        let long = "a".repeat(200);
        for (dynamics, gateway, kept) in [
            (guid, "", Some(guid)),
            (&two, "x", Some(two.as_str())),
            ("anna@example.com", "QXJn+b/2=", Some("QXJn+b/2=")),
            ("Anna Berg", "", None),
            ("", "id-1", Some("id-1")),
            (&long, "", Some(&long[..80])),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-ms-service-request-id", HeaderValue::from_str(dynamics).unwrap());
            headers.insert("req_id", HeaderValue::from_str(gateway).unwrap());
            assert_eq!(request_id(&headers).as_deref(), kept, "{dynamics} {gateway}");
        }
    }
}
