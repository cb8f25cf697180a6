//! One batch on the wire, and what each of its parts means.

use std::sync::Mutex;

use ::http::{HeaderMap, HeaderValue};

use super::*;
use crate::http::scripted;
use crate::model::RecordId;

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
        assert_eq!(judged(condition, status, code, "text"), want, "{condition:?} {status} {code}");
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

const TYPE: &str = "multipart/mixed; boundary=b";

fn row(number: u8) -> RecordId {
    RecordId::from_bytes([number; 16])
}

fn parts(count: u8) -> Vec<Part> {
    let part = |number| Part {
        entity_set: "new_sends".into(),
        row: row(number),
        condition: Condition::Absent,
        json: "{}".into(),
    };
    (1..=count).map(part).collect()
}

/// An answer with these parts: 204 with its row, or a refusal.
fn answer(parts: &[Result<u8, u16>]) -> String {
    let one = |part: &Result<u8, u16>| {
        let head = "--b\r\nContent-Type: application/http\r\n\r\n";
        match part {
            Ok(number) => {
                let row = row(*number);
                format!(
                    "{head}HTTP/1.1 204 No Content\r\nOData-EntityId: /new_sends({row})\r\n\r\n"
                )
            }
            Err(status) => {
                let body = "{\"error\":{\"code\":\"0x80044331\",\"message\":\"too long\"}}";
                format!(
                    "{head}HTTP/1.1 {status} No\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
                )
            }
        }
    };
    parts.iter().map(one).collect::<String>() + "--b--\r\n"
}

fn writer(
    script: impl Fn(&::http::Request<Bytes>) -> (u16, &'static str, String) + Send + Sync + 'static,
) -> Writer {
    let (client, origin) = scripted(script);
    Writer::new(Reader::new(client, origin), 200)
}

fn words(ends: &[PartEnd]) -> Vec<&'static str> {
    ends.iter()
        .map(|end| match end {
            PartEnd::Done { .. } => "done",
            PartEnd::AlreadySo { .. } => "already so",
            PartEnd::Failed(_) => "failed",
            PartEnd::NotReached => "not reached",
        })
        .collect()
}

#[tokio::test]
async fn a_batch_goes_out_whole_and_each_part_has_its_end() {
    let seen = Arc::new(Mutex::new(String::new()));
    let log = seen.clone();
    let writer = writer(move |request| {
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        let (path, prefer) = (request.uri().path().to_owned(), header("prefer"));
        *log.lock().unwrap() = format!(
            "{} {path} {prefer} {} {}",
            request.method(),
            header("content-type"),
            String::from_utf8_lossy(request.body()),
        );
        (200, TYPE, answer(&[Ok(1), Err(400), Ok(3)]))
    });
    let ends = writer.send(&parts(3)).await.unwrap();
    assert_eq!(words(&ends), ["done", "failed", "done"]);
    let seen = seen.lock().unwrap().clone();
    assert!(seen.starts_with("POST "), "{seen}");
    let head = "/api/data/v9.2/$batch odata.continue-on-error multipart/mixed; boundary=\"batch_";
    assert!(seen.contains(head), "{seen}");
    assert_eq!(seen.matches("/api/data/v9.2/new_sends(").count(), 3, "{seen}");
}

#[tokio::test]
async fn a_server_that_stops_at_the_first_failure_has_not_reached_the_rest() {
    let writer = writer(|_| (400, TYPE, answer(&[Ok(1), Err(400)])));
    let ends = writer.send(&parts(4)).await.unwrap();
    assert_eq!(words(&ends), ["done", "failed", "not reached", "not reached"]);
}

#[tokio::test]
async fn an_answer_about_other_rows_is_no_answer() {
    for (status, content_type, body) in [
        (200, TYPE, answer(&[Ok(2), Ok(1)])),
        (200, TYPE, answer(&[Ok(1)])),
        (200, TYPE, answer(&[Ok(1), Ok(2), Ok(3)])),
        (200, "application/json", "{}".to_owned()),
        (200, "text/html", "<html>".to_owned()),
    ] {
        let writer = writer(move |_| (status, content_type, body.clone()));
        let failure = writer.send(&parts(2)).await.unwrap_err();
        assert_eq!(failure.outcome, Outcome::Garbled, "{failure}");
    }
}

#[tokio::test]
async fn a_refusal_for_size_is_remembered() {
    let body = "{\"error\":{\"code\":\"0x80060888\",\"message\":\"The current batch message \
        contains too many parts. Only batch messages with a maximum number of '7' query \
        operations are allowed.\"}}";
    let writer = writer(move |_| (400, "application/json", body.to_owned()));
    let failure = writer.send(&parts(20)).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Setup);
    assert_eq!(writer.most_parts(), 7);
}
