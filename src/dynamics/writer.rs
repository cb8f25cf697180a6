//! The writing half of the client: many rows in one request, each judged by
//! its own answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::dynamics::batch::{Condition, Encoded, Part, encode};
use crate::dynamics::batch_reply::{PartReply, read};
use crate::dynamics::{Failure, Outcome, Reader};
use crate::http::{Request, System, classify};

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

    /// Most rows of one request: as configured, or fewer where the server took
    /// no more.
    pub(crate) fn most_parts(&self) -> usize {
        self.most_parts.load(Ordering::Relaxed)
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
mod tests {
    use ::http::{HeaderMap, HeaderValue};

    use super::*;

    fn judged(condition: Condition, status: u16, code: &str, message: &str) -> String {
        let body = serde_json::json!({ "error": { "code": code, "message": message } });
        let body = body.to_string();
        let reply = PartReply { status, headers: HeaderMap::new(), body: body.as_bytes() };
        match end(condition, &reply, Some(&"outer".to_owned())) {
            PartEnd::Done { .. } => "done".into(),
            PartEnd::AlreadySo { request_id } => {
                assert_eq!(request_id.as_deref(), Some("outer"));
                "already so".into()
            }
            PartEnd::Failed(failure) => failure.outcome.as_str().into(),
            PartEnd::NotReached => "not reached".into(),
        }
    }

    #[test]
    fn each_part_is_judged_by_its_own_answer() {
        use Condition::{Absent, Present};
        for (condition, status, code, want) in [
            (Absent, 204, "", "done"),
            (Absent, 201, "", "done"),
            (Absent, 412, "0x80040237", "already so"),
            (Absent, 412, "0x80060882", "already so"),
            (Absent, 412, "0x80060892", "already so"),
            (Absent, 400, "0x80060892", "already so"),
            (Absent, 412, "", "already so"),
            (Absent, 412, "0x80040333", "bad_record"),
            (Absent, 409, "", "version_conflict"),
            (Absent, 400, "0x80073002", "duplicate_key"),
            (Absent, 404, "0x80040217", "missing"),
            (Absent, 404, "0x80060888", "setup"),
            (Absent, 400, "0x80044331", "bad_record"),
            (Absent, 403, "0x80040220", "refused"),
            (Absent, 429, "0x80072322", "throttled"),
            (Absent, 500, "0x80044150", "unavailable"),
            (Present, 204, "", "done"),
            (Present, 400, "0x80040230", "already so"),
            (Present, 404, "0x80040217", "already so"),
            (Present, 412, "0x80060882", "version_conflict"),
            (Present, 400, "0x80048408", "bad_record"),
        ] {
            assert_eq!(
                judged(condition, status, code, "text"),
                want,
                "{condition:?} {status} {code}"
            );
        }
    }

    #[test]
    fn a_part_has_its_own_request_id_and_wait_where_the_server_gives_them() {
        let mut headers = HeaderMap::new();
        headers.insert("req_id", HeaderValue::from_static("inner"));
        headers.insert("retry-after", HeaderValue::from_static("7"));
        let reply = PartReply { status: 429, headers, body: b"" };
        let PartEnd::Failed(failure) = end(Condition::Absent, &reply, None) else {
            panic!("a refusal")
        };
        assert_eq!(failure.request_id.as_deref(), Some("inner"));
        assert_eq!(failure.retry_after, Some(std::time::Duration::from_secs(7)));
    }

    #[test]
    fn a_batch_that_was_too_large_is_smaller_the_next_time() {
        let refused = |outcome, message: &str| Failure::new(System::Dynamics, outcome, message);
        let too_many = "The current batch message contains too many parts. Only batch messages \
            with a maximum number of '250' query operations, including changeset operations, are allowed.";
        for (failure, sent, want) in [
            (refused(Outcome::BadRecord, too_many), 1000, Some(250)),
            (refused(Outcome::BadRecord, too_many), 200, Some(100)),
            (refused(Outcome::TooLarge, "the request is too large"), 200, Some(100)),
            (refused(Outcome::TooLarge, "more than 100 bytes"), 9, Some(4)),
            (refused(Outcome::TooLarge, "the request is too large"), 1, None),
            (refused(Outcome::BadRecord, "another refusal"), 200, None),
        ] {
            assert_eq!(fewer(&failure, sent), want, "{failure} {sent}");
        }
    }
}
