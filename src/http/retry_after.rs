//! How long a remote asks us to wait.
//!
//! Must not know who waits. Source: RFC 9110, 10.2.3; dp/api-limits.md (whole
//! seconds); the Adobe gateway's 429050 (seconds).

use std::time::Duration;

use ::http::HeaderMap;
use jiff::Timestamp;

use super::classify::object;
use super::message::http_date;

/// Longest wait obeyed: what a quota of a day asks for. A remote's typing error
/// must not stop us for a month.
pub(super) const MAX_WAIT: Duration = Duration::from_hours(24);
/// Longest body searched for a wait, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The wait named by the headers, or else by the body, relative to the answer's
/// own `Date`. `None` when it is missing, zero, negative, past or unreadable.
pub(super) fn relative(headers: &HeaderMap, body: &[u8]) -> Option<Duration> {
    let date = headers.get("date").and_then(|date| date.to_str().ok()).and_then(http_date);
    from_headers(headers, date).or_else(|| from_body(body))
}

/// The longest of all `Retry-After` headers that can be read. An HTTP date
/// counts from `now`; without one it cannot be used.
fn from_headers(headers: &HeaderMap, now: Option<Timestamp>) -> Option<Duration> {
    headers
        .get_all("retry-after")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|text| seconds(text).or_else(|| until(text, now?)))
        .max()
}

/// Whole or decimal seconds, capped; more than zero.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    let wait = (seconds > 0.0 && seconds.is_finite())
        .then(|| Duration::try_from_secs_f64(seconds).map_or(MAX_WAIT, |wait| wait.min(MAX_WAIT)));
    // Less than a nanosecond is none.
    wait.filter(|wait| !wait.is_zero())
}

fn until(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = http_date(text.trim())?.duration_since(now);
    let wait = Duration::try_from(wait).ok()?;
    (!wait.is_zero()).then(|| wait.min(MAX_WAIT))
}

/// `{"retry_after": 30}` and its spellings, also inside `error`.
fn from_body(body: &[u8]) -> Option<Duration> {
    if body.len() > MAX_BODY_BYTES {
        return None;
    }
    let object = object(body)?;
    let inner = object.get("error").and_then(serde_json::Value::as_object);
    [Some(&object), inner].into_iter().flatten().find_map(|object| {
        ["retry_after", "retryAfter", "retry-after", "Retry-After"]
            .into_iter()
            .find_map(|name| super::classify::member(object, name))
            .and_then(|text| seconds(&text))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::http::{HeaderMap, HeaderValue};

    use super::relative;

    #[test]
    fn the_wait_is_read_from_every_legal_form_and_bounded() {
        let date = "Sat, 21 Nov 2026 10:00:00 GMT";
        for (given, body, want) in [
            (&["1"][..], "", Some(1)),
            (&["30"], "", Some(30)),
            (&[" 600 "], "", Some(600)),
            (&["3600"], "", Some(3600)),
            (&["1000000000"], "", Some(86_400)),
            (&["1e300"], "", Some(86_400)),
            (&["30000"], "", Some(30_000)),
            (&["2.0"], "", Some(2)),
            (&["0"], "", None),
            (&["0.0000000000000005"], "", None),
            (&["-5"], "", None),
            (&["NaN"], "", None),
            (&["inf"], "", None),
            (&["soon"], "", None),
            (&[""], "", None),
            (&[], "", None),
            (&["Sat, 21 Nov 2026 10:00:07 GMT"], "", Some(7)),
            (&["Sat, 21 Nov 2026 12:00:00 GMT"], "", Some(7200)),
            (&["Tue, 24 Nov 2026 12:00:00 GMT"], "", Some(86_400)),
            (&["Sat, 21 Nov 2026 09:00:00 GMT"], "", None),
            (&["5", "60"], "", Some(60)),
            (&["soon", "4"], "", Some(4)),
            (&[], r#"{"retry_after":12}"#, Some(12)),
            (&[], r#"{"error":{"retryAfter":"9"}}"#, Some(9)),
            (&["3"], r#"{"retry_after":12}"#, Some(3)),
            (&[], r#"{"retry_after":true}"#, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("date", HeaderValue::from_static(date));
            for value in given {
                headers.append("retry-after", HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(
                relative(&headers, body.as_bytes()),
                want.map(Duration::from_secs),
                "{given:?} {body}"
            );
        }
    }
}
