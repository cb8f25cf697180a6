//! One request and one reply, as the look-alikes see them.
//!
//! Owns: decoding of paths and queries, and the reply before any fault has
//! touched it. Knows no vendor.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// A request, read in full.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The path as sent.
    pub(crate) path: String,
    /// The query as sent, without the question mark.
    pub(crate) raw_query: String,
    /// Decoded pairs in order.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// `http://host:port` or `https://…` as the caller addressed it.
    pub(crate) origin: String,
}

impl Call {
    /// A call from its parts.
    pub(crate) fn new(
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: Bytes,
        fallback: &str,
    ) -> Self {
        let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        let origin = headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok())
            .map_or_else(|| fallback.to_owned(), |host| format!("http://{host}"));
        Self {
            method,
            path: path.to_owned(),
            raw_query: raw_query.to_owned(),
            query: pairs(raw_query),
            headers,
            body,
            origin,
        }
    }

    /// The call came over TLS: links say so.
    pub(crate) fn secured(&mut self) {
        if let Some(rest) = self.origin.strip_prefix("http://") {
            self.origin = format!("https://{rest}");
        }
    }

    /// The decoded value of a query parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All values of a header, comma lists and repetitions joined.
    pub(crate) fn header_list(&self, name: &str) -> String {
        let values: Vec<&str> =
            self.headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
        values.join(",")
    }

    /// The bearer token, where one was sent.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Whether this only reads.
    pub(crate) fn is_read(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}

/// Where the rows of a list stand inside a reply's body.
#[derive(Clone, Debug)]
pub(crate) struct ListMarks {
    /// Just behind the opening bracket.
    pub(crate) start: usize,
    /// The first row.
    pub(crate) first: Range<usize>,
    /// The last row.
    pub(crate) last: Range<usize>,
}

/// A reply.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Rows in a list reply, for the request log.
    pub(crate) rows: Option<usize>,
    pub(crate) marks: Option<ListMarks>,
    /// What it counts for the daily entitlement (Dynamics sheet 6.4).
    pub(crate) operations: usize,
    /// Faults that single operations of a batch met.
    pub(crate) faults: Vec<&'static str>,
    /// The connection closes instead.
    pub(crate) lost: bool,
}

impl Reply {
    /// A reply without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            rows: None,
            marks: None,
            operations: 1,
            faults: Vec::new(),
            lost: false,
        }
    }

    /// A reply with a body.
    pub(crate) fn new(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        let mut reply = Self::empty(status);
        reply.body = body.into();
        reply.with("content-type", content_type)
    }

    /// The same with one more header; a value that no header can carry is left out.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// The same with these headers in place of those of the same names.
    #[must_use]
    pub(crate) fn headed(mut self, headers: &BTreeMap<String, String>) -> Self {
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            {
                self.headers.insert(name, value);
            }
        }
        self
    }

    /// The same with one more header of a name that may stand there already.
    #[must_use]
    pub(crate) fn and(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(HeaderName::from_static(name), value);
        }
        self
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Percent-decodes; with `plus` a `+` is a space. Wrong escapes stay as sent.
pub(crate) fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = (byte == b'%')
            .then(|| Some(hex(*bytes.get(at + 1)?)? << 4 | hex(*bytes.get(at + 2)?)?))
            .flatten();
        if let Some(value) = escape {
            out.push(value);
            at += 3;
        } else {
            out.push(if plus && byte == b'+' { b' ' } else { byte });
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Percent-encodes everything but unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(u32::from(nibble), 16));
            }
        }
    }
    out
}

/// The decoded pairs of a query or a form.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key, true), decode(value, true))
        })
        .collect()
}

/// Appends a JSON string.
pub(crate) fn push_json(out: &mut Vec<u8>, text: &str) {
    // Writing text into memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_and_wrong_escapes_survive() {
        assert_eq!(
            pairs("%24select=a%2Cb&x=1+2&y"),
            [
                ("$select".to_owned(), "a,b".to_owned()),
                ("x".to_owned(), "1 2".to_owned()),
                ("y".to_owned(), String::new()),
            ]
        );
        assert_eq!(decode("100%", false), "100%");
        assert_eq!(decode(&encode("ä&+ %"), true), "ä&+ %");
    }
}
