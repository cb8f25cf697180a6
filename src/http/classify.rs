//! What an answer means: one pure function for both systems.
//!
//! Must not know tables, attempts or time. A test lists every status and vendor
//! code of the two fact sheets.

use ::http::HeaderMap;
use serde_json::Value;

use super::clean::clean;
use super::failure::{Failure, Outcome, System};
use super::{classify_campaign, classify_dynamics, json, message, retry_after};

/// Longest error body that is parsed, in bytes.
const MAX_ERROR_BYTES: usize = 1 << 20;

/// What a vendor's answer says, before headers are added.
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) code: Option<String>,
    pub(super) message: String,
    /// As [`Failure::own_words`].
    pub(super) own_words: bool,
}

/// What a complete answer means; `None` for success (2xx and 304), and where the
/// parts of a batch say more. Also for these parts, with the part's own status,
/// headers and body.
pub(crate) fn classify(
    system: System,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Failure> {
    let verdict = match status {
        200..=299 | 304 => Verdict {
            outcome: Outcome::Garbled,
            code: None,
            message: garbled(headers, body)?.to_owned(),
            own_words: false,
        },
        // A batch that ended at its first failure: the parts say which.
        // Source: dynamics sheet, 5.2.
        400 if system == System::Dynamics && is_multipart(headers) => return None,
        300..=399 => Verdict {
            outcome: Outcome::Foreign,
            code: None,
            message: redirect(headers),
            own_words: false,
        },
        _ => {
            let body = body.get(..MAX_ERROR_BYTES).unwrap_or(body);
            match system {
                System::Dynamics => classify_dynamics::verdict(status, body),
                System::Campaign => classify_campaign::verdict(status, body),
                System::Journal => classify_campaign::journal(status, body),
            }
        }
    };
    let message =
        if verdict.message.is_empty() { by_status(status).to_owned() } else { verdict.message };
    Some(Failure {
        status: Some(status),
        code: verdict.code,
        request_id: message::request_id(headers),
        retry_after: retry_after::relative(headers, body),
        own_words: verdict.own_words,
        ..Failure::new(system, verdict.outcome, &message)
    })
}

fn is_multipart(headers: &HeaderMap) -> bool {
    let content_type = message::text(headers, "content-type").unwrap_or_default().trim();
    content_type.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

/// What a status means where the vendor's text says no more.
pub(super) fn by_status_outcome(status: u16) -> Outcome {
    match status {
        401 => Outcome::Unauthenticated,
        403 => Outcome::Refused,
        408 | 421 | 425 | 502..=504 | 505..=u16::MAX => Outcome::Unavailable,
        409 | 412 => Outcome::VersionConflict,
        410 => Outcome::CursorExpired,
        413 => Outcome::TooLarge,
        429 => Outcome::Throttled,
        500 => Outcome::ServerError,
        // 404 without the vendor's word for "row gone" is a wrong address: taken
        // for a missing row it would let deletions pass for done.
        _ => Outcome::Setup,
    }
}

fn by_status(status: u16) -> &'static str {
    match status {
        400 => "bad request",
        401 => "the token is not accepted",
        403 => "access is refused",
        404 => "no such address",
        405 => "the verb is not allowed here",
        407 => "a proxy wants credentials",
        408 => "the request timed out at the server",
        410 => "the position is too old",
        412 => "a precondition failed",
        413 => "the request is too large",
        414 => "the URL is too long",
        429 => "too many requests",
        500 => "an unexpected error in the server",
        501 => "not implemented",
        502 => "bad gateway",
        503 => "the service is not available",
        504 => "the gateway timed out",
        _ => "the answer holds no message",
    }
}

/// Why a 2xx answer cannot be what was asked for: an HTML page (captive portal,
/// maintenance) or JSON that was cut.
fn garbled(headers: &HeaderMap, body: &[u8]) -> Option<&'static str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let content_type = message::text(headers, "content-type").unwrap_or_default().trim();
    let starts =
        |with: &str| content_type.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with));
    if starts("text/html") || is_html(body) {
        return Some("an HTML page instead of an answer");
    }
    let json = starts("application/json") || starts("application/hal+json");
    let whole = match (body.first(), body.last()) {
        (Some(b'{'), last) => last == Some(&b'}'),
        (Some(b'['), last) => last == Some(&b']'),
        (Some(b'"'), last) => body.len() > 1 && last == Some(&b'"'),
        (Some(_) | None, _) => true,
    };
    (json && !whole).then_some("JSON that ends in the middle")
}

/// Whether a body is an HTML page.
pub(super) fn is_html(body: &[u8]) -> bool {
    let starts = |with: &[u8]| body.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with));
    starts(b"<!doctype") || starts(b"<html") || starts(b"<head")
}

/// A redirect is not followed; the operator sees where it points (host only).
fn redirect(headers: &HeaderMap) -> String {
    let host = message::text(headers, "location")
        .and_then(|text| url::Url::parse(text).ok())
        .map(|url| url.origin().ascii_serialization().chars().take(100).collect::<String>());
    match host {
        Some(host) => format!("a redirect to {host}, which is not followed"),
        None => "a redirect, which is not followed".to_owned(),
    }
}

/// The body as a JSON object, when it is one.
pub(super) fn object(body: &[u8]) -> Option<serde_json::Map<String, Value>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if body.first() != Some(&b'{') || !json::is_within(body, json::MOST_VALUES) {
        return None;
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Some(object),
        Ok(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        )
        | Err(_) => None,
    }
}

/// A member that is text or a number, as text.
pub(super) fn member(object: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A vendor code fit for a log: short, plain and formed like a code
/// (`403023`, `RST-360011`, `invalid_client`), or nothing: a bare word may be
/// anybody's name.
pub(super) fn plain_code(code: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let formed = code.contains(|c: char| c.is_ascii_digit() || c == '_');
    (formed && code.len() <= 40 && code.chars().all(plain)).then(|| clean(code))
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
