//! The writing half of the client: many rows in one request, each judged by
//! its own answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::dynamics::batch::{Condition, Encoded, Part, encode};
use crate::dynamics::batch_reply::{PartReply, read};
use crate::dynamics::{Failure, Outcome, Reader};
use crate::http::{Request, System, classify};
use crate::model::Stop;

/// `If-None-Match: *` and the row is there ("A record with matching key values
/// already exists"), its alternate key is taken, or If-Match did not hold.
/// Source: dynamics sheet, 4.3 and 8.3.
const ALREADY_THERE: &[&str] = &["0x80040237", "0x80060892", "0x80060882"];

/// "The object cannot be updated because it is inactive" (dynamics sheet, 4.7).
const INACTIVE: &str = "0x80040230";

/// What came of one write.
#[derive(Clone, Debug)]
pub(crate) enum PartEnd {
    /// Carried out.
    Done {
        /// Dynamics' id of the request.
        request_id: Option<String>,
    },
    /// Nothing was left to do: it had been carried out before.
    AlreadySo {
        /// Dynamics' id of the request.
        request_id: Option<String>,
    },
    /// Refused.
    Failed(Failure),
    /// The server stopped at an earlier write.
    NotReached,
}

/// Writes rows. Clones share what was learned of the server's limit.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    reader: Reader,
    most_parts: Arc<AtomicUsize>,
}

impl Writer {
    /// A writer over a reader's client, with at most so many rows in a request.
    pub(crate) fn new(reader: Reader, most_parts: usize) -> Self {
        Self { reader, most_parts: Arc::new(AtomicUsize::new(most_parts.max(1))) }
    }

    /// The same writer for work that may be asked to end; see `Client::until`.
    pub(crate) fn until(&self, stop: &Stop) -> Self {
        Self { reader: self.reader.until(stop), ..self.clone() }
    }

    /// Most rows of one request: as configured, or fewer where the server took
    /// no more, or where the budget of the day has no room for so many.
    pub(crate) fn most_parts(&self) -> usize {
        let most = self.most_parts.load(Ordering::Relaxed);
        match self.reader.client().left_today() {
            Some(left) => usize::try_from(left).unwrap_or(most).clamp(1, most),
            None => most,
        }
    }

    /// Sends the writes as one request; what came of each, in their order.
    ///
    /// # Errors
    /// When the request as a whole was refused or not answered: nobody knows
    /// what became of its parts, and all may be repeated.
    pub(crate) async fn send(&self, parts: &[Part]) -> Result<Vec<PartEnd>, Failure> {
        let url = self.reader.url("$batch")?;
        let root = url.path_and_query().trim_end_matches("/$batch").to_owned();
        let Encoded { boundary, body } = encode(&root, parts);
        let request = Request::post(url, Bytes::new())
            .body(body, format!("multipart/mixed; boundary=\"{boundary}\""))
            .counts_as(parts.len())
            .header("prefer", "odata.continue-on-error");
        let response = self.reader.client().send(request).await.inspect_err(|failure| {
            if let Some(fewer) = fewer(failure, parts.len()) {
                self.most_parts.fetch_min(fewer, Ordering::Relaxed);
            }
        })?;
        let request_id = response.request_id.as_ref();
        let garbled = |what| Failure::garbled(System::Dynamics, what, response.request_id.clone());
        let content_type = response.content_type.as_deref();
        let replies = read(content_type, &response.body, parts.len()).map_err(garbled)?;
        let mut ends = Vec::with_capacity(parts.len());
        for (part, reply) in parts.iter().zip(&replies) {
            if reply.row().is_some_and(|row| row != part.row) {
                return Err(garbled("the answer to a batch has its parts in another order"));
            }
            let end = end(part.condition, reply, request_id);
            if let PartEnd::Failed(failure) = &end {
                self.reader.client().heed(failure);
            }
            ends.push(end);
        }
        ends.resize(parts.len(), PartEnd::NotReached);
        Ok(ends)
    }
}

/// What one answer means.
fn end(condition: Condition, reply: &PartReply<'_>, outer: Option<&String>) -> PartEnd {
    match classify(System::Dynamics, reply.status, &reply.headers, reply.body) {
        None => PartEnd::Done { request_id: outer.cloned() },
        Some(mut failure) => {
            failure.request_id = failure.request_id.or_else(|| outer.cloned());
            if is_done(condition, &failure) {
                PartEnd::AlreadySo { request_id: failure.request_id }
            } else {
                PartEnd::Failed(failure)
            }
        }
    }
}

/// Whether a refusal says that there is nothing left to do.
fn is_done(condition: Condition, failure: &Failure) -> bool {
    let code = failure.code.as_deref();
    match condition {
        Condition::Absent => {
            code.is_some_and(|code| ALREADY_THERE.contains(&code))
                || failure.outcome == Outcome::VersionConflict && failure.status == Some(412)
        }
        // A row that a person deleted meanwhile needs no change.
        Condition::Present => code == Some(INACTIVE) || failure.outcome == Outcome::Missing,
    }
}

/// How many writes to send at a time after this refusal, if their number was
/// the trouble ("too many parts", dynamics sheet 5.1; 413).
fn fewer(failure: &Failure, sent: usize) -> Option<usize> {
    let too_many = failure.message.to_ascii_lowercase().contains("too many parts");
    if sent < 2 || !(too_many || failure.outcome == Outcome::TooLarge) {
        return None;
    }
    let named = failure
        .message
        .split(|c: char| !c.is_ascii_digit())
        .find_map(|digits| digits.parse().ok().filter(|limit| (1..sent).contains(limit)));
    Some(named.filter(|_| too_many).unwrap_or(sent / 2))
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
