//! Campaign's errors: the gateway's JSON, and the server's own texts, which come
//! with HTTP 500 for client mistakes.
//!
//! Source: campaign fact sheet 1.4 (adobe-apiplatform/api-gateway-request-validation)
//! and 3.8 (ACS help/api/using/troubleshooting.md and its neighbours).

use serde_json::{Map, Value};

use super::classify::{Verdict, by_status_outcome, is_html, member, object, plain_code};
use super::failure::Outcome;

/// What an answer with a status other than 2xx, 3xx means.
pub(super) fn verdict(status: u16, body: &[u8]) -> Verdict {
    if let Some(object) = object(body) {
        return gateway(status, &object);
    }
    let quoted = serde_json::from_slice::<String>(body.trim_ascii());
    // No proxy puts its text into quotation marks; Campaign has codes where it does not.
    let is_quoted = quoted.as_ref().is_ok_and(|text| !text.is_empty());
    let text = match quoted {
        Ok(text) => text,
        Err(_) if is_html(body.trim_ascii()) => String::new(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let known = by_text(&text).is_some() || vendor_code(&text).is_some();
    Verdict { own_words: is_quoted || known, ..server(status, text) }
}

/// The same for the journal, which stands behind the same gateway but has no
/// records: a text says no more than its status (sheet 9.2).
pub(super) fn journal(status: u16, body: &[u8]) -> Verdict {
    let found = verdict(status, body);
    let of_records = matches!(
        found.outcome,
        Outcome::DuplicateKey | Outcome::BadRecord | Outcome::Missing | Outcome::Setup
    );
    let outcome = if of_records { by_status_outcome(status) } else { found.outcome };
    Verdict { outcome, ..found }
}

/// The gateway's JSON: `error_code` (a text) or, from its router, `code` (a number).
fn gateway(status: u16, object: &Map<String, Value>) -> Verdict {
    let message =
        ["message", "error_description", "error"].into_iter().find_map(|name| member(object, name));
    let message = message.unwrap_or_default();
    let code = member(object, "error_code");
    let outcome = match (status, code.as_deref()) {
        (429, _) | (_, Some("429001" | "429002" | "429050")) => Outcome::Throttled,
        (401, _) | (_, Some("401013" | "403020")) => Outcome::Unauthenticated,
        // the validators could not ask; 503020 comes with HTTP 403
        (_, Some("503000" | "503010" | "503020" | "503071")) => Outcome::Unavailable,
        (403, _) => Outcome::Refused,
        (_, Some(code)) if code.starts_with("403") => Outcome::Refused,
        (_, None) if is_routing(object) => Outcome::Setup,
        (_, Some(_) | None) => {
            return Verdict { code: code.and_then(|c| plain_code(&c)), ..server(status, message) };
        }
    };
    let code = code.or_else(|| member(object, "code"));
    Verdict { outcome, code: code.and_then(|c| plain_code(&c)), message, own_words: false }
}

/// Unknown tenant, unknown path, or no DNS entry for the tenant.
fn is_routing(object: &Map<String, Value>) -> bool {
    matches!(object.get("code").and_then(Value::as_u64), Some(500 | 502))
        && member(object, "message").is_some_and(|text| text.contains("Check your URI"))
}

/// The Campaign server's text, whatever its status.
fn server(status: u16, text: String) -> Verdict {
    let outcome = match status {
        401 | 403 | 429 => by_status_outcome(status),
        _ => by_text(&text).unwrap_or_else(|| by_status_outcome(status)),
    };
    Verdict { outcome, code: vendor_code(&text), message: text, own_words: false }
}

/// The texts of section 3.8. The order matters: texts are joined by newlines,
/// and the telling one is not always the first. `None`: judge by status.
fn by_text(text: &str) -> Option<Outcome> {
    const RULES: &[(&str, Outcome)] = &[
        ("already exists", Outcome::DuplicateKey),
        ("duplicate key", Outcome::DuplicateKey),
        // the key of the URI was to be changed
        ("RST-360012", Outcome::BadRecord),
        ("Unable to find document with path", Outcome::Missing),
        // unknown resource, or the data model is not published (KA-14384)
        ("Error rc=-2003", Outcome::Setup),
        ("property that is read-only", Outcome::Setup),
        ("property is not valid for the", Outcome::Setup),
        ("property not valid for", Outcome::Setup),
        ("parameter isn't defined in signal activity", Outcome::Setup),
        // a PKey of another place or instance: look it up again
        ("Unable to decrypt PKey", Outcome::BadRecord),
        ("attribute unknown", Outcome::BadRecord),
        ("not a valid constant", Outcome::BadRecord),
        ("Cannot convert", Outcome::BadRecord),
        ("read-only", Outcome::BadRecord),
        ("not valid", Outcome::BadRecord),
    ];
    RULES.iter().find(|(needle, _)| text.contains(needle)).map(|(_, outcome)| *outcome)
}

/// The most telling code of the form `XTK-170036`: `RST-360011` ("an error has
/// occurred") stands before nearly all others.
fn vendor_code(text: &str) -> Option<String> {
    let mut codes = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| {
            let bytes = word.as_bytes();
            bytes.len() == 10
                && bytes.iter().take(3).all(u8::is_ascii_alphabetic)
                && bytes.get(3) == Some(&b'-')
                && bytes.iter().skip(4).all(u8::is_ascii_digit)
        })
        .peekable();
    let first = codes.peek().copied();
    codes.find(|code| *code != "RST-360011").or(first).map(str::to_ascii_uppercase)
}
