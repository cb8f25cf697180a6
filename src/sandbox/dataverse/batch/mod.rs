//! `$batch`: many requests in one (Dynamics sheet 5.1 to 5.3).
//!
//! Owns: the order of execution, stopping at the first failure, change sets and
//! their references. The operations themselves are answered as if they had come
//! alone.

mod multipart;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::value::RawValue;

use self::multipart::{Operation, Part, Writer, boundary, read};
use super::error::{Refusal, query};
use super::store::Db;
use super::{Prefer, Surroundings};
use crate::sandbox::faults::Fault;
use crate::sandbox::log::System;
use crate::sandbox::play;
use crate::sandbox::wire::{Call, Reply, pairs};

/// One batch while it is executed.
struct Run<'a> {
    call: &'a Call,
    around: &'a Surroundings<'a>,
    operations: usize,
    faults: Vec<&'static str>,
    /// The connection closes without an answer.
    lost: bool,
}

/// Addresses of what the operations of a change set made, by Content-ID.
type Made = HashMap<String, String>;

/// `POST $batch`.
pub(super) fn answer(
    db: &mut Db,
    call: &Call,
    prefer: &Prefer,
    around: &Surroundings<'_>,
) -> Result<Reply, Refusal> {
    if around.batched {
        return Err(query("A batch must not hold another batch."));
    }
    let boundary = boundary(call.header("content-type").unwrap_or_default())
        .ok_or_else(|| query("The Content-Type of a batch is multipart/mixed with a boundary."))?;
    let parts = read(&call.body, &boundary, around.variants.batch_operations)?;
    let mut run = Run { call, around, operations: 0, faults: Vec::new(), lost: false };
    let mut out = Writer::new(format!("batchresponse_{}", around.clock.guid()));
    let mut status = StatusCode::OK;
    for part in &parts {
        let failed = match part {
            Part::Single(operation) => {
                let reply = run.one(db, operation, &Made::new());
                out.reply(&reply, operation.content_id.as_deref());
                is_failure(&reply)
            }
            Part::ChangeSet(operations) => run.change_set(db, operations, &mut out),
        };
        if run.lost {
            break;
        }
        if failed && !prefer.continue_on_error {
            status = StatusCode::BAD_REQUEST;
            break;
        }
    }
    let kind = out.content_type();
    let mut reply = Reply::empty(status).with("content-type", &kind);
    reply.body = Bytes::from(out.finish());
    (reply.operations, reply.lost, reply.faults) = (run.operations, run.lost, run.faults);
    Ok(reply)
}

fn is_failure(reply: &Reply) -> bool {
    reply.status.is_client_error() || reply.status.is_server_error()
}

impl Run<'_> {
    /// Answers one operation, faults included.
    fn one(&mut self, db: &mut Db, operation: &Operation, made: &Made) -> Reply {
        self.operations += 1;
        let inner = match self.inner(operation, made) {
            Ok(inner) => inner,
            Err(refusal) => return refusal.reply(false),
        };
        let target = if inner.raw_query.is_empty() {
            inner.path.clone()
        } else {
            format!("{}?{}", inner.path, inner.raw_query)
        };
        let fault = self.around.faults.decide_operation(inner.method.as_str(), &target);
        self.faults.extend(fault.as_ref().map(Fault::name));
        if fault == Some(Fault::CutBefore) {
            self.lost = true;
            return Reply::empty(StatusCode::INTERNAL_SERVER_ERROR);
        }
        if let Some(reply) =
            fault.as_ref().and_then(|fault| play::instead(fault, System::Dynamics, &inner))
        {
            return reply;
        }
        let around = Surroundings { batched: true, ..*self.around };
        let reply = super::answer(db, &inner, &around);
        self.lost |= fault == Some(Fault::CutAfter);
        reply
    }

    /// Executes a change set and writes its part; true where it failed.
    fn change_set(&mut self, db: &mut Db, operations: &[Operation], out: &mut Writer) -> bool {
        let mut inner = Writer::new(format!("changesetresponse_{}", self.around.clock.guid()));
        let mut made = Made::new();
        let done = db.transaction(|db| {
            for operation in operations {
                let id = operation.content_id.as_deref();
                let reply = self.one(db, operation, &made);
                if is_failure(&reply) {
                    return Err(Box::new((reply, id)));
                }
                if let (Some(id), Some(address)) = (id, self.address(&reply)) {
                    made.insert(id.to_owned(), address);
                }
                inner.reply(&reply, id);
            }
            Ok(())
        });
        match done {
            Ok(()) => {
                let head = format!("Content-Type: {}", inner.content_type());
                out.part(&head, &inner.finish());
                false
            }
            Err(failed) => {
                let (reply, id) = *failed;
                out.reply(&reply, id);
                true
            }
        }
    }

    /// The path of the row that a reply tells of.
    fn address(&self, reply: &Reply) -> Option<String> {
        let address = reply.headers.get("odata-entityid")?.to_str().ok()?;
        Some(address.strip_prefix(&self.call.origin)?.to_owned())
    }

    /// The operation as a call of its own. The token is the batch's.
    fn inner(&self, operation: &Operation, made: &Made) -> Result<Call, Refusal> {
        let target = operation.target.as_str();
        let target = match target.strip_prefix('$') {
            Some(rest) => {
                let (id, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                format!("{}{tail}", referenced(id, made)?)
            }
            None => local(target, &self.call.origin)?.to_owned(),
        };
        let (path, raw_query) = target.split_once('?').unwrap_or((&target, ""));
        if !path.starts_with("/api/data/") {
            return Err(query(format!("The address '{path}' is not one of this service.")));
        }
        if path.trim_end_matches('/').ends_with("/$batch") {
            return Err(query("A batch must not hold another batch."));
        }
        let body = if operation.method == Method::GET {
            Bytes::new()
        } else {
            bound(&operation.body, made)?
        };
        Ok(Call {
            method: operation.method.clone(),
            path: path.to_owned(),
            raw_query: raw_query.to_owned(),
            query: pairs(raw_query),
            headers: operation.headers.clone(),
            body,
            origin: self.call.origin.clone(),
        })
    }
}

/// The path of an absolute address, which must be of the same host.
fn local<'a>(target: &'a str, origin: &str) -> Result<&'a str, Refusal> {
    let Some((_, rest)) = target.split_once("://").filter(|(scheme, _)| !scheme.contains('/'))
    else {
        return Ok(target);
    };
    let (host, _) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // The scheme may differ behind something that ends TLS.
    let own = origin.split_once("://").map_or(origin, |(_, own)| own);
    if host.eq_ignore_ascii_case(own) {
        return Ok(rest.get(host.len()..).unwrap_or_default());
    }
    Err(query(format!("The address '{target}' is not based on '{origin}'.")))
}

fn referenced<'a>(id: &str, made: &'a Made) -> Result<&'a str, Refusal> {
    made.get(id).map(String::as_str).ok_or_else(|| {
        query(format!("Content-ID Reference: '${id}' does not exist in the batch context."))
    })
}

/// Puts addresses in for `$<Content-ID>` in bindings.
fn bound(body: &Bytes, made: &Made) -> Result<Bytes, Refusal> {
    if !body.windows(2).any(|pair| pair == b"\"$") {
        return Ok(body.clone());
    }
    // What is no object is refused by whoever reads it.
    let Ok(mut map) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(body) else {
        return Ok(body.clone());
    };
    for (name, raw) in &mut map {
        if !name.ends_with("@odata.bind") && name != "@odata.id" {
            continue;
        }
        let Ok(text) = serde_json::from_str::<String>(raw.get()) else { continue };
        let Some(id) = text.strip_prefix('$') else { continue };
        let address = serde_json::Value::from(referenced(id, made)?).to_string();
        *raw = RawValue::from_string(address).map_err(|_| query("The reference is not JSON."))?;
    }
    Ok(Bytes::from(serde_json::to_vec(&map).unwrap_or_default()))
}
