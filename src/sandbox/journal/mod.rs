//! The journal look-alike: `/events/organizations/…/integrations/…/…`.
//!
//! Owns: the answers of Adobe I/O Events journaling (campaign sheet 9.2), from
//! links that are relative and one header each to the text of an expired
//! position. What the events say is nothing it knows of.

pub(crate) mod control;
mod page;
pub(crate) mod store;

use http::{Method, StatusCode};

pub use self::control::JournalControl;
use self::page::{Asked, Start};
use self::store::Journal;
use super::campaign::gateway;
use super::identity::Identity;
use super::variants::Variants;
use super::wire::{Call, Reply};
use crate::clock::Clock;

/// The first parts of the journal's paths.
const ROOTS: [&str; 4] = ["events", "events-fast", "events-validate", "count"];

/// Whether a path is one of a journal's.
pub(crate) fn owns(path: &str) -> bool {
    path.strip_prefix('/')
        .and_then(|path| path.split_once("/organizations/"))
        .is_some_and(|(root, _)| ROOTS.contains(&root))
}

/// The gateway's checks, and that the organization is named: by the header of
/// the guide or by the one of Adobe's Java client.
pub(crate) fn check(identity: &Identity, call: &Call) -> Result<(), Box<Reply>> {
    gateway::check(identity, call)?;
    let named = call.header("x-ims-org-id").or_else(|| call.header("x-gw-ims-org-id"));
    if named == Some(identity.credentials.organization_id.as_str()) {
        return Ok(());
    }
    Err(gateway::refuse(identity, StatusCode::FORBIDDEN, "403023", "Profile is not valid"))
}

/// Answers a request that the gateway let through.
pub(crate) fn answer(
    journal: &mut Journal,
    call: &Call,
    variants: Variants,
    clock: &Clock,
) -> Reply {
    let now = clock.now().as_millisecond();
    journal.forget_before(now - store::RETENTION_MS);
    let path = call.path.trim_start_matches('/');
    let (root, rest) = path.split_once('/').unwrap_or((path, ""));
    let (root, rest) = match rest.strip_suffix("/validate") {
        Some(rest) if root == "events" => ("events-validate", rest),
        Some(_) | None => (root, rest),
    };
    if rest != journal.place() {
        return said(StatusCode::NOT_FOUND, "There is no such registration.");
    }
    if call.method != Method::GET {
        return said(StatusCode::METHOD_NOT_ALLOWED, "A journal is read by GET.");
    }
    let asked = match page::asked(journal, call, now) {
        Ok(asked) => asked,
        Err(text) => return said(StatusCode::BAD_REQUEST, &text),
    };
    if let Start::Expired(position) = &asked.start {
        return Reply::new(
            StatusCode::GONE,
            "text/plain;charset=utf-8",
            format!("Events at position {position} have expired."),
        );
    }
    match root {
        "count" => count(journal, &asked),
        "events-validate" => Reply::empty(StatusCode::NO_CONTENT),
        _ => page::page(journal, &asked, variants),
    }
}

/// How many events follow; its form is not public.
fn count(journal: &Journal, asked: &Asked) -> Reply {
    let count = journal.end().saturating_sub(asked.after(journal));
    let body = serde_json::json!({ "count": count });
    Reply::new(StatusCode::OK, "application/json", body.to_string())
}

fn said(status: StatusCode, text: &str) -> Reply {
    let body = serde_json::json!({"reason": status.canonical_reason(), "message": text});
    Reply::new(status, "application/json", body.to_string())
}
