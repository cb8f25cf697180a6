//! The answer to a `$batch`: multipart, one HTTP message a part, in the order
//! of the request (Dynamics sheet, 5.1 and 5.2). Pure, and strict: whatever
//! does not fit makes the whole answer unreadable, for then nobody knows which
//! part belongs to which write.

use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::model::RecordId;

/// Most header lines of a part.
const MOST_HEADERS: usize = 64;

/// Longest boundary that is taken. RFC 2046 allows 70 characters.
const LONGEST_BOUNDARY: usize = 200;

/// The answer to one write.
#[derive(Debug)]
pub(super) struct PartReply<'b> {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: &'b [u8],
}

impl PartReply<'_> {
    /// The row that the answer names, where it names one.
    pub(super) fn row(&self) -> Option<RecordId> {
        let link = self.headers.get("odata-entityid").or_else(|| self.headers.get("location"))?;
        let (_, id) = link.to_str().ok()?.trim_end().strip_suffix(')')?.rsplit_once('(')?;
        RecordId::parse(id).ok()
    }

    fn failed(&self) -> bool {
        !(200..300).contains(&self.status)
    }
}

/// Reads the answer to `sent` writes. Fewer answers than writes are fine where
/// the last one is a failure: the server stopped there.
pub(super) fn read<'b>(
    content_type: Option<&str>,
    body: &'b [u8],
    sent: usize,
) -> Result<Vec<PartReply<'b>>, &'static str> {
    let boundary = boundary(content_type.unwrap_or_default())?;
    let mut parts = Vec::new();
    for part in cut(body, &boundary, sent)? {
        parts.push(reply(part)?);
    }
    let stopped = parts.last().is_some_and(PartReply::failed);
    if parts.len() < sent && !stopped {
        return Err("the answer to a batch has fewer parts than the batch");
    }
    Ok(parts)
}

/// The boundary that the content type names, quoted or not.
fn boundary(content_type: &str) -> Result<String, &'static str> {
    let mut pieces = content_type.split(';').map(str::trim);
    let kind = pieces.next().unwrap_or_default();
    if !kind.eq_ignore_ascii_case("multipart/mixed") {
        return Err("the answer to a batch is not multipart");
    }
    let value = pieces.find_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    match value {
        Some(value)
            if !value.is_empty()
                && value.len() <= LONGEST_BOUNDARY
                && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') =>
        {
            Ok(value.to_owned())
        }
        Some(_) | None => Err("the answer to a batch names no boundary"),
    }
}

/// What stands between the delimiter lines.
fn cut<'b>(body: &'b [u8], boundary: &str, most: usize) -> Result<Vec<&'b [u8]>, &'static str> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut begun: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let start = at;
        at += line.len();
        let Some(rest) = line.strip_prefix(delimiter.as_bytes()) else { continue };
        let rest = rest.trim_ascii_end();
        if !(rest.is_empty() || rest == b"--") {
            continue;
        }
        if let Some(begun) = begun {
            if parts.len() == most {
                return Err("the answer to a batch has more parts than the batch");
            }
            parts.push(without_line_end(&body[begun..start]));
        }
        if rest == b"--" {
            return Ok(parts);
        }
        begun = Some(at);
    }
    Err("the answer to a batch ends in the middle")
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

fn reply(part: &[u8]) -> Result<PartReply<'_>, &'static str> {
    let message = http_message(part)?;
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    // A part without body may end with its last header, or one line end later.
    let closed;
    let (length, rest) = match head.parse(message) {
        Ok(httparse::Status::Complete(length)) => (length, message),
        Ok(httparse::Status::Partial) => {
            headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            head = httparse::Response::new(&mut headers);
            closed = [message, b"\r\n\r\n"].concat();
            match head.parse(&closed) {
                Ok(httparse::Status::Complete(_)) => (message.len(), message),
                Ok(httparse::Status::Partial) | Err(_) => return Err(UNREADABLE),
            }
        }
        Err(_) => return Err(UNREADABLE),
    };
    let status = head.code.filter(|code| (200..600).contains(code)).ok_or(UNREADABLE)?;
    let mut map = HeaderMap::with_capacity(head.headers.len());
    for header in head.headers.iter() {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(header.name.as_bytes()), HeaderValue::from_bytes(header.value))
        {
            map.append(name, value);
        }
    }
    Ok(PartReply { status, headers: map, body: rest.get(length..).unwrap_or_default() })
}

const UNREADABLE: &str = "a part of the answer to a batch is no HTTP answer";

/// The HTTP message in a part: what follows its own headers.
fn http_message(part: &[u8]) -> Result<&[u8], &'static str> {
    let mut at = 0;
    // Without a type of its own it can be nothing else.
    let mut is_http = true;
    for line in part.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        let line = line.trim_ascii();
        if line.is_empty() {
            return if is_http { Ok(&part[at..]) } else { Err(UNREADABLE) };
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err(UNREADABLE);
        };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-type") {
            let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
            is_http = kind.trim_ascii().eq_ignore_ascii_case(b"application/http");
        }
    }
    Err(UNREADABLE)
}

#[cfg(test)]
#[path = "batch_reply_tests.rs"]
mod tests;
