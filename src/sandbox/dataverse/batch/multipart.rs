//! The bytes of a batch: `multipart/mixed` taken apart and put together.
//!
//! Owns: delimiters, part headers and the request inside a part (Dynamics sheet
//! 5.1 and 5.3). Executes nothing.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::sandbox::dataverse::error::{Refusal, query, refuse};
use crate::sandbox::wire::Reply;

/// One request inside a batch.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    /// As written: a full address, a path, or `$<Content-ID>`.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) content_id: Option<String>,
}

/// One part of a batch.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Single(Operation),
    /// All or nothing.
    ChangeSet(Vec<Operation>),
}

fn malformed(text: &str) -> Refusal {
    query(format!("The batch request body cannot be read: {text}"))
}

/// The boundary of `multipart/mixed; boundary="…"`.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let value = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// All parts of a batch; more than `most` operations are refused as a whole.
pub(super) fn read(body: &Bytes, boundary: &str, most: usize) -> Result<Vec<Part>, Refusal> {
    let mut parts = Vec::new();
    let mut count = 0_usize;
    for raw in split(body, boundary)? {
        let part = part(raw)?;
        count += match &part {
            Part::Single(_) => 1,
            Part::ChangeSet(operations) => operations.len(),
        };
        if count > most {
            return Err(refuse(
                400,
                "0x80060888",
                format!(
                    "The current batch message contains too many parts. Only batch messages with a maximum number of '{most}' query operations, including changeset operations, are allowed."
                ),
            ));
        }
        parts.push(part);
    }
    Ok(parts)
}

/// Where `needle`, which begins with a carriage return, stands.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == b'\r') {
        if text.get(from + at..)?.starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn split<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<&'a [u8]>, Refusal> {
    let delimiter = format!("--{boundary}");
    let needle = format!("\r\n{delimiter}");
    let mut rest = match body.strip_prefix(delimiter.as_bytes()) {
        Some(rest) => rest,
        None => find(body, needle.as_bytes())
            .and_then(|at| body.get(at + needle.len()..))
            .ok_or_else(|| malformed("the delimiter of the Content-Type is not in it."))?,
    };
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let inner = rest
            .strip_prefix(b"\r\n")
            .ok_or_else(|| malformed("a delimiter does not end with CRLF."))?;
        let end = find(inner, needle.as_bytes())
            .ok_or_else(|| malformed("the closing delimiter is missing."))?;
        let (part, tail) = inner.split_at(end);
        parts.push(part);
        rest = tail.get(needle.len()..).unwrap_or_default();
    }
    Ok(parts)
}

/// The next line and what follows it.
fn line(text: &[u8]) -> Option<(&str, &[u8])> {
    let end = find(text, b"\r\n")?;
    let (line, rest) = text.split_at(end);
    Some((std::str::from_utf8(line).ok()?, rest.get(2..)?))
}

/// Headers up to an empty line, or up to the end where nothing follows them.
fn headers(mut text: &[u8]) -> Result<(HeaderMap, &[u8]), Refusal> {
    let mut out = HeaderMap::new();
    while !text.is_empty() {
        let (header, rest) =
            line(text).ok_or_else(|| malformed("a header does not end with CRLF."))?;
        text = rest;
        if header.is_empty() {
            break;
        }
        let pair = header.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::try_from(name.trim()).ok()?;
            Some((name, HeaderValue::try_from(value.trim()).ok()?))
        });
        let (name, value) = pair.ok_or_else(|| malformed("a header is malformed."))?;
        out.append(name, value);
    }
    Ok((out, text))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn part(raw: &[u8]) -> Result<Part, Refusal> {
    let (mime, content) = headers(raw)?;
    let kind = text(&mime, "content-type");
    let Some(inner) = boundary(kind) else {
        return Ok(Part::Single(operation(&mime, content)?));
    };
    let mut operations = Vec::new();
    for raw in split(content, &inner)? {
        let (mime, content) = headers(raw)?;
        let operation = operation(&mime, content)?;
        if operation.content_id.is_none() {
            return Err(query("Content-ID header not present in a change set operation."));
        }
        if operation.method == Method::GET {
            return Err(query("A change set must not hold a GET request."));
        }
        operations.push(operation);
    }
    Ok(Part::ChangeSet(operations))
}

fn operation(mime: &HeaderMap, content: &[u8]) -> Result<Operation, Refusal> {
    let kind = text(mime, "content-type");
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/http") {
        return Err(malformed("the Content-Type of a part is not application/http."));
    }
    if !text(mime, "content-transfer-encoding").eq_ignore_ascii_case("binary") {
        return Err(malformed("the Content-Transfer-Encoding of a part is not binary."));
    }
    let (first, rest) =
        line(content).ok_or_else(|| malformed("a request line does not end with CRLF."))?;
    // Clients put addresses in as they are, spaces included (sheet 10.4).
    let (method, target) = first
        .strip_suffix(" HTTP/1.1")
        .and_then(|line| line.split_once(' '))
        .ok_or_else(|| malformed("a request line is malformed."))?;
    let method = Method::try_from(method).map_err(|_| malformed("a verb is unknown."))?;
    let (headers, body) = headers(rest)?;
    let content_id = mime.get("content-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let body = Bytes::copy_from_slice(body);
    Ok(Operation { method, target: target.trim().to_owned(), headers, body, content_id })
}

/// Headers that a part carries; the others belong to the connection.
const SHOWN: [(&str, &str); 8] = [
    ("content-type", "Content-Type"),
    ("odata-version", "OData-Version"),
    ("location", "Location"),
    ("odata-entityid", "OData-EntityId"),
    ("etag", "ETag"),
    ("preference-applied", "Preference-Applied"),
    ("retry-after", "Retry-After"),
    ("req_id", "REQ_ID"),
];

/// A `multipart/mixed` body under construction.
pub(super) struct Writer {
    boundary: String,
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn new(boundary: String) -> Self {
        Self { boundary, out: Vec::new() }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/mixed; boundary={}", self.boundary)
    }

    /// One part with its own headers.
    pub(super) fn part(&mut self, head: &str, content: &[u8]) {
        self.out.extend_from_slice(format!("--{}\r\n{head}\r\n\r\n", self.boundary).as_bytes());
        self.out.extend_from_slice(content);
        // The line that ends a reply without a body is the delimiter's own.
        if !content.ends_with(b"\r\n\r\n") {
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// The reply to one operation.
    pub(super) fn reply(&mut self, reply: &Reply, content_id: Option<&str>) {
        let mut head =
            "Content-Type: application/http\r\nContent-Transfer-Encoding: binary".to_owned();
        if let Some(id) = content_id {
            head.push_str("\r\nContent-ID: ");
            head.push_str(id);
        }
        let reason = reply.status.canonical_reason().unwrap_or("Unknown");
        let mut content = format!("HTTP/1.1 {} {reason}\r\n", reply.status.as_u16()).into_bytes();
        for (name, shown) in SHOWN {
            let Some(value) = reply.headers.get(name) else { continue };
            if name == "req_id" && reply.status.is_success() {
                continue;
            }
            content.extend_from_slice(format!("{shown}: ").as_bytes());
            content.extend_from_slice(value.as_bytes());
            if name == "content-type" && reply.status.is_success() {
                content.extend_from_slice(b"; odata.streaming=true");
            }
            content.extend_from_slice(b"\r\n");
        }
        content.extend_from_slice(b"\r\n");
        content.extend_from_slice(&reply.body);
        self.part(&head, &content);
    }

    /// The closed body.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n";

    #[test]
    fn one_or_two_blank_lines_end_a_part_without_a_body() {
        let body = format!(
            "--b\r\n{HEAD}\r\nGET /x?$filter=a eq 0 HTTP/1.1\r\n\r\n--b\r\n{HEAD}\r\nDELETE /y HTTP/1.1\r\nIf-Match: *\r\n\r\n\r\n--b--\r\n"
        );
        let parts = read(&Bytes::from(body), "b", 2).unwrap();
        let [Part::Single(get), Part::Single(delete)] = parts.as_slice() else { panic!() };
        assert_eq!(get.target, "/x?$filter=a eq 0");
        assert_eq!(delete.headers.get("if-match").unwrap(), "*");
    }

    #[test]
    fn what_is_no_batch_is_refused_as_a_whole() {
        for body in [
            "",
            "--b\r\n",
            "--b\nContent-Type: application/http\n\nGET /x HTTP/1.1\n\n--b--",
            "--b\r\nContent-Type: text/plain\r\n\r\nGET /x HTTP/1.1\r\n\r\n--b--",
            "--b\r\nContent-Type: application/http\r\n\r\nGET /x HTTP/1.1\r\n\r\n--b--",
            "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET /x\r\n\r\n--b--",
        ] {
            assert!(read(&Bytes::from(body), "b", 9).is_err(), "{body:?}");
        }
        assert_eq!(boundary("multipart/mixed; boundary=\"a\"").as_deref(), Some("a"));
        assert_eq!(boundary("Multipart/Mixed;boundary=a").as_deref(), Some("a"));
        assert_eq!(boundary("application/json"), None);
    }
}
