//! Faults as bytes: what a decided fault does to a reply.
//!
//! Owns: the made-up replies and the rewriting of real ones. Decides nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::faults::Fault;
use super::log::System;
use super::wire::{Call, Reply};

const HTML: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in to the network.</body></html>";

/// A reply that stands in for the real one; `None` where the request is to be
/// handled first.
pub(crate) fn instead(fault: &Fault, system: System, call: &Call) -> Option<Reply> {
    match fault {
        Fault::Throttle { retry_after } => Some(throttled(system, *retry_after)),
        Fault::Status { code, body } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let kind =
                if body.starts_with(['{', '[', '"']) { "application/json" } else { "text/plain" };
            Some(Reply::new(status, kind, body.clone()))
        }
        Fault::Foreign => Some(Reply::new(StatusCode::OK, "text/html; charset=utf-8", HTML)),
        Fault::WrongContent => Some(Reply::new(
            StatusCode::OK,
            "application/json",
            r#"{"status":"maintenance","items":[1,2,3]}"#,
        )),
        Fault::Redirect { to } => Some(Reply::empty(StatusCode::FOUND).with("location", to)),
        Fault::EmptyPage => Some(empty_page(system, call)),
        Fault::Late { .. } => Some(gateway_timeout()),
        Fault::HugeBody { bytes } => Some(huge(system, *bytes)),
        Fault::GzipBomb { bytes } => Some(bomb(*bytes)),
        Fault::CutBefore
        | Fault::CutAfter
        | Fault::CutIn
        | Fault::Slow { .. }
        | Fault::Truncated
        | Fault::ExpiredToken
        | Fault::ExpiredDelta
        | Fault::DuplicateRows
        | Fault::ForeignLink { .. }
        | Fault::Headers { .. } => None,
    }
}

/// 429 as each system says it (Dynamics sheet 6.1, campaign sheet 1.4).
pub(crate) fn throttled(system: System, retry_after: u64) -> Reply {
    let body = match system {
        System::Dynamics => {
            r#"{"error":{"code":"0x80072322","message":"Number of requests exceeded the limit of 6000 over time window of 300 seconds."}}"#
        }
        System::Campaign | System::Journal => {
            r#"{"error_code":"429050","message":"Too many requests"}"#
        }
        System::Entra => {
            r#"{"error":"temporarily_unavailable","error_description":"AADSTS90056: Too many requests.","error_codes":[90056]}"#
        }
        System::Ims | System::Sandbox => r#"{"error":"too_many_requests"}"#,
    };
    Reply::new(StatusCode::TOO_MANY_REQUESTS, "application/json", body)
        .with("retry-after", &retry_after.to_string())
}

/// What a gateway says that has waited for long enough (campaign sheet,
/// section 14, point 8).
fn gateway_timeout() -> Reply {
    Reply::new(StatusCode::GATEWAY_TIMEOUT, "text/plain", "Gateway Timeout")
}

fn empty_page(system: System, call: &Call) -> Reply {
    let mut link = format!("{}{}", call.origin, call.path);
    let glue = if call.raw_query.is_empty() { "?" } else { "&" };
    if !call.raw_query.is_empty() {
        link.push('?');
        link.push_str(&call.raw_query);
    }
    link.push_str(glue);
    link.push_str("emptypage=1");
    let link = serde_json::Value::from(link);
    let body = match system {
        System::Dynamics => {
            let context =
                serde_json::Value::from(format!("{}/api/data/v9.2/$metadata", call.origin));
            format!(r#"{{"@odata.context":{context},"value":[],"@odata.nextLink":{link}}}"#)
        }
        System::Journal => return empty_events(call),
        System::Campaign | System::Entra | System::Ims | System::Sandbox => {
            format!(r#"{{"content":[],"next":{{"href":{link}}},"serverSidePagination":true}}"#)
        }
    };
    Reply::new(StatusCode::OK, "application/json", body).with("odata-version", "4.0")
}

/// A page of the journal without events; its next link leads back to it.
fn empty_events(call: &Call) -> Reply {
    let query =
        if call.raw_query.is_empty() { String::new() } else { format!("?{}", call.raw_query) };
    let next = format!("<{}{query}>; rel=\"next\"", call.path);
    let body = r#"{"events":[],"_page":{"count":0}}"#;
    Reply::new(StatusCode::OK, "application/json", body).and("link", &next)
}

fn huge(system: System, bytes: u64) -> Reply {
    let opening = match system {
        System::Dynamics => r#"{"value":["#,
        System::Journal => r#"{"events":["#,
        System::Campaign | System::Entra | System::Ims | System::Sandbox => r#"{"content":["#,
    };
    let mut body = opening.as_bytes().to_vec();
    body.resize(usize::try_from(bytes).unwrap_or(usize::MAX).max(body.len()), b' ');
    Reply::new(StatusCode::OK, "application/json", body)
}

/// A gzip stream of one deflate block with the fixed code: a space, then
/// matches of 258 spaces, 13 bits each. Its checksum is wrong; a careful
/// reader has given up long before it gets there.
fn bomb(bytes: u64) -> Reply {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut filled) = (0_u32, 0_u32);
    let mut put = |code: u32, length: u32, out: &mut Vec<u8>| {
        bits |= code << filled;
        filled += length;
        while filled >= 8 {
            out.push(bits.to_le_bytes()[0]);
            bits >>= 8;
            filled -= 8;
        }
    };
    put(0b011, 3, &mut out);
    // Codes are sent from their highest bit: literal 0x20 is 0x50 of 8 bits,
    // length 258 is 0xC5 of 8 bits, distance 1 is 0 of 5 bits.
    put(0x50_u32.reverse_bits() >> 24, 8, &mut out);
    for _ in 0..bytes / 258 {
        put(0xC5_u32.reverse_bits() >> 24, 8, &mut out);
        put(0, 5, &mut out);
    }
    put(0, 7, &mut out);
    put(0, 7, &mut out);
    out.extend_from_slice(&[0; 8]);
    Reply::new(StatusCode::OK, "application/json", out).with("content-encoding", "gzip")
}

/// Remembers the last row of each read, for rows that come twice.
#[derive(Debug, Default)]
pub(crate) struct LastRows(Mutex<HashMap<String, Bytes>>);

impl LastRows {
    /// Keeps the last row of this page; gives back that of the page before.
    pub(crate) fn keep(&self, call: &Call, reply: &Reply) -> Option<Bytes> {
        let row = reply.body.get(reply.marks.as_ref()?.last.clone())?;
        let (read, row) = (read_of(call), Bytes::copy_from_slice(row));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(read, row)
    }
}

/// Where a page of a read tells where it begins.
const PLACES: [&str; 2] = ["skiptoken", "_lineStart"];

/// The read that a page belongs to.
fn read_of(call: &Call) -> String {
    let asked = call.raw_query.split('&').filter(|it| !PLACES.iter().any(|at| it.contains(at)));
    format!("{}?{}", call.path, asked.collect::<Vec<_>>().join("&"))
}

/// Changes a real reply the way the fault says.
pub(crate) fn rewrite(fault: &Fault, call: &Call, mut reply: Reply, last: &LastRows) -> Reply {
    match fault {
        Fault::Truncated => {
            let half = reply.body.len() / 2;
            reply.body.truncate(half);
            reply
        }
        Fault::DuplicateRows => duplicate(call, reply, last),
        Fault::ForeignLink { to } => foreign_links(call, reply, to),
        Fault::Throttle { .. }
        | Fault::Status { .. }
        | Fault::CutBefore
        | Fault::CutAfter
        | Fault::CutIn
        | Fault::Slow { .. }
        | Fault::Late { .. }
        | Fault::Foreign
        | Fault::ExpiredToken
        | Fault::ExpiredDelta
        | Fault::EmptyPage
        | Fault::Redirect { .. }
        | Fault::HugeBody { .. }
        | Fault::GzipBomb { .. }
        | Fault::WrongContent
        | Fault::Headers { .. } => reply,
    }
}

/// The last row of the page before comes again; on a first page its own first
/// row, for what another read showed may be gone by now.
fn duplicate(call: &Call, mut reply: Reply, last: &LastRows) -> Reply {
    let Some(marks) = reply.marks.clone() else {
        return reply;
    };
    let before = last.keep(call, &reply);
    let first = reply.body.slice(marks.first);
    let continues = PLACES.iter().any(|it| call.raw_query.contains(it));
    let row = before.filter(|_| continues).unwrap_or(first);
    let (head, tail) = reply.body.split_at(marks.start);
    let mut body = Vec::with_capacity(reply.body.len() + row.len() + 1);
    body.extend_from_slice(head);
    body.extend_from_slice(&row);
    body.push(b',');
    body.extend_from_slice(tail);
    reply.body = body.into();
    reply.marks = None;
    reply
}

fn foreign_links(call: &Call, mut reply: Reply, to: &str) -> Reply {
    let text = String::from_utf8_lossy(&reply.body);
    let own = &call.origin;
    let text = text
        .replace(&format!("Link\":\"{own}"), &format!("Link\":\"{to}"))
        .replace(&format!("\"href\":\"{own}"), &format!("\"href\":\"{to}"))
        // Of the parts of a batch.
        .replace(&format!("Location: {own}"), &format!("Location: {to}"))
        .replace(&format!("OData-EntityId: {own}"), &format!("OData-EntityId: {to}"));
    for name in ["location", "odata-entityid"] {
        let changed = reply
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(|value| value.replace(own.as_str(), to))
            .and_then(|value| HeaderValue::from_str(&value).ok());
        if let Some(value) = changed {
            reply.headers.insert(name, value);
        }
    }
    let links: Vec<_> = reply.headers.get_all("link").iter().cloned().collect();
    reply.headers.remove("link");
    for link in links {
        let moved = link.to_str().unwrap_or_default().replace("</", &format!("<{to}/"));
        reply = reply.and("link", &moved);
    }
    reply.body = text.into();
    reply.marks = None;
    reply
}
