//! Each fault as a client meets it.

use std::io::Read as _;
use std::time::Duration;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, SandboxOptions, System};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::sandbox::{World, send};

fn once(system: System, fault: Fault) -> FaultPlan {
    FaultPlan {
        seed: 1,
        rules: vec![FaultRule { system: Some(system), times: Some(1), ..FaultRule::always(fault) }],
    }
}

/// Sends a creation over a bare connection and returns every byte until it closes.
async fn raw_post(world: &World, body: &str) -> String {
    let origin = world.sandbox.origin();
    let mut stream = TcpStream::connect(origin.trim_start_matches("http://")).await.unwrap();
    let request = format!(
        "POST /api/data/v9.2/contacts HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nprefer: return=representation\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        origin.trim_start_matches("http://"),
        world.dynamics_token,
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut out = Vec::new();
    // A reset counts as closed, too.
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut out))
        .await
        .expect("the connection stayed open");
    String::from_utf8_lossy(&out).into_owned()
}

#[tokio::test]
async fn cut_before_closes_without_a_byte_and_without_effect() {
    let world = World::plain().await;
    world.sandbox.set_faults(once(System::Dynamics, Fault::CutBefore));
    assert_eq!(raw_post(&world, r#"{"lastname":"Lee"}"#).await, "");
    assert_eq!(world.sandbox.dynamics().count("contact"), 0);
}

#[tokio::test]
async fn cut_after_closes_without_a_byte_but_the_row_is_there() {
    let world = World::plain().await;
    world.sandbox.set_faults(once(System::Dynamics, Fault::CutAfter));
    assert_eq!(raw_post(&world, r#"{"lastname":"Lee"}"#).await, "");
    assert_eq!(world.sandbox.dynamics().count("contact"), 1);
}

fn contact(name: &str) -> String {
    json!({ "lastname": name }).to_string()
}

#[tokio::test]
async fn late_answers_at_once_and_is_carried_out_all_the_same() {
    let world = World::plain().await;
    world.sandbox.set_faults(once(System::Dynamics, Fault::Late { ms: 600_000 }));
    let create = |name: &str| world.dynamics("POST", "contacts").body(contact(name));
    assert_eq!(send(create("Lee")).await.status, 504);
    assert_eq!(world.sandbox.dynamics().count("contact"), 0, "in ten minutes");
    world.sandbox.set_faults(once(System::Dynamics, Fault::Late { ms: 10 }));
    assert_eq!(send(create("Moe")).await.status, 504);
    let there = async {
        while world.sandbox.dynamics().count("contact") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), there).await.expect("it is carried out");
}

#[tokio::test]
async fn cut_in_sends_headers_and_half_of_the_body() {
    let world = World::plain().await;
    world.sandbox.set_faults(once(System::Dynamics, Fault::CutIn));
    let got = raw_post(&world, r#"{"lastname":"Lee"}"#).await;
    let (head, body) = got.split_once("\r\n\r\n").expect("headers come");
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    let length: usize = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(!body.is_empty() && body.len() < length, "{} of {length}", body.len());
    assert_eq!(world.sandbox.dynamics().count("contact"), 1);
}

#[tokio::test]
async fn throttle_and_status_answer_instead_of_the_system() {
    let world = World::plain().await;
    world.sandbox.set_faults(once(System::Dynamics, Fault::Throttle { retry_after: 7 }));
    let got = send(world.dynamics("POST", "contacts").body("{}")).await;
    assert_eq!(
        (got.status, got.header("retry-after"), got.code().as_str()),
        (429, "7", "0x80072322")
    );
    assert_eq!(world.sandbox.dynamics().count("contact"), 0);
    world.sandbox.set_faults(once(System::Campaign, Fault::Throttle { retry_after: 3 }));
    let got = world.read("profileAndServices/profile").await;
    assert_eq!((got.status, got.json()["error_code"].as_str()), (429, Some("429050")));
    world
        .sandbox
        .set_faults(once(System::Campaign, Fault::Status { code: 502, body: "<html>".to_owned() }));
    let got = world.read("profileAndServices/profile").await;
    assert_eq!((got.status, got.text.as_str()), (502, "<html>"));
    assert_eq!(world.read("profileAndServices/profile").await.status, 200);
    assert_eq!(world.sandbox.requests().faults()["throttle"], 2);
}

#[tokio::test]
async fn foreign_truncated_wrong_and_redirected_answers_come_whole() {
    let world = World::plain().await;
    world.sandbox.set_faults(once(System::Dynamics, Fault::Foreign));
    let got = world.get("contacts", "").await;
    assert!(got.status == 200 && got.text.contains("<html>"));
    world.sandbox.set_faults(once(System::Dynamics, Fault::Truncated));
    let got = world.get("contacts", "").await;
    assert!(got.status == 200 && serde_json::from_str::<serde_json::Value>(&got.text).is_err());
    world.sandbox.set_faults(once(System::Dynamics, Fault::WrongContent));
    assert!(world.get("contacts", "").await.json()["value"].is_null());
    world.sandbox.set_faults(once(
        System::Dynamics,
        Fault::Redirect { to: "http://evil.example/".to_owned() },
    ));
    let got = world.get("contacts", "").await;
    assert_eq!((got.status, got.header("location")), (302, "http://evil.example/"));
}

#[tokio::test]
async fn an_expired_token_is_refused_until_a_new_one_is_asked_for() {
    let world = World::plain().await;
    world.sandbox.set_faults(once(System::Dynamics, Fault::ExpiredToken));
    assert_eq!(world.get("WhoAmI", "").await.status, 401);
    assert_eq!(world.get("WhoAmI", "").await.status, 401);
}

#[tokio::test]
async fn an_expired_delta_token_is_told_by_its_code() {
    let world = World::plain().await;
    let link = world.get("contacts?$select=lastname", "odata.track-changes").await.json()["@odata.deltaLink"].as_str().unwrap().to_owned();
    world.sandbox.set_faults(once(System::Dynamics, Fault::ExpiredDelta));
    assert_eq!(world.get("contacts", "").await.status, 200, "reads without a token do not meet it");
    let got = world.get(&link, "").await;
    assert_eq!((got.status, got.code().as_str()), (400, "0x80044352"));
    assert_eq!(world.get(&link, "").await.status, 200);
}

#[tokio::test]
async fn pages_can_be_empty_repeat_a_row_or_lead_abroad() {
    let world = World::start(SandboxOptions { contacts: 5, ..SandboxOptions::default() }).await;
    let prefer = "odata.track-changes,odata.maxpagesize=2";
    world.sandbox.set_faults(once(System::Dynamics, Fault::EmptyPage));
    let got = world.get("contacts?$select=lastname", prefer).await.json();
    assert_eq!(got["value"], json!([]));
    let got = world.get(got["@odata.nextLink"].as_str().unwrap(), prefer).await.json();
    assert_eq!(got["value"].as_array().unwrap().len(), 2);

    let rules =
        FaultRule { after: Some(1), times: Some(1), ..FaultRule::always(Fault::DuplicateRows) };
    world.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rules] });
    let first = world.get("contacts?$select=lastname", prefer).await.json();
    let second = world.get(first["@odata.nextLink"].as_str().unwrap(), prefer).await.json();
    assert_eq!(second["value"][0], first["value"][1], "the last row of a page comes again");
    assert_eq!(second["value"].as_array().unwrap().len(), 3);
    // Also where the page before had one twice, and never one of another read.
    let each = FaultRule::always(Fault::DuplicateRows);
    world.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![each] });
    for columns in ["lastname", "firstname"] {
        let read = format!("contacts?$select={columns}");
        let first = world.get(&read, prefer).await.json();
        assert_eq!(first["value"][0], first["value"][1]);
        let second = world.get(first["@odata.nextLink"].as_str().unwrap(), prefer).await.json();
        assert_eq!(second["value"][0], first["value"][2]);
    }

    world.sandbox.set_faults(once(
        System::Dynamics,
        Fault::ForeignLink { to: "http://evil.example".to_owned() },
    ));
    let got = world.get("contacts?$select=lastname", prefer).await.json();
    assert!(got["@odata.nextLink"].as_str().unwrap().starts_with("http://evil.example/api/"));
}

#[tokio::test]
async fn bombs_are_small_on_the_wire_and_huge_bodies_are_not() {
    let world = World::plain().await;
    world.sandbox.set_faults(once(System::Dynamics, Fault::HugeBody { bytes: 3_000_000 }));
    assert_eq!(world.get("contacts", "").await.text.len(), 3_000_000);
    world.sandbox.set_faults(once(System::Dynamics, Fault::GzipBomb { bytes: 10_000_000 }));
    let raw = reqwest::Client::builder().no_gzip().no_proxy().build().unwrap();
    let url = format!("{}/api/data/v9.2/contacts", world.sandbox.origin());
    let response = raw.get(&url).bearer_auth(&world.dynamics_token).send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert!(response.bytes().await.unwrap().len() < 100_000);
    world.sandbox.set_faults(once(System::Dynamics, Fault::GzipBomb { bytes: 10_000_000 }));
    let body = raw.get(&url).bearer_auth(&world.dynamics_token).send().await.unwrap();
    let packed = body.bytes().await.unwrap();
    let mut unpacked = Vec::new();
    // Its checksum is wrong on purpose: what came before the error counts.
    let _ = flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked);
    assert!(unpacked.iter().all(|byte| *byte == b' '));
    let unpacked = unpacked.len();
    assert!(unpacked > 9_000_000, "{unpacked}");
}

#[tokio::test]
async fn a_call_without_a_network_meets_the_same_server_and_faults() {
    let world = World::plain().await;
    let request = || {
        http::Request::post("/api/data/v9.2/contacts")
            .header("authorization", format!("Bearer {}", world.dynamics_token))
            .body(bytes::Bytes::from_static(br#"{"lastname":"Lee"}"#))
            .unwrap()
    };
    let got = world.sandbox.call(request()).await.unwrap();
    assert_eq!(got.status(), 204);
    assert!(got.headers()["location"].to_str().unwrap().starts_with(&world.sandbox.origin()));
    world.sandbox.set_faults(once(System::Dynamics, Fault::CutAfter));
    let error = world.sandbox.call(request()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(world.sandbox.dynamics().count("contact"), 2);
}

#[tokio::test]
async fn requests_in_flight_are_counted_while_they_wait() {
    let world = World::plain().await;
    let slow = FaultRule { first: Some(3), ..FaultRule::always(Fault::Slow { ms: 300 }) };
    world.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![slow] });
    let ask = || world.get("WhoAmI", "");
    futures_util::future::join3(ask(), ask(), ask()).await;
    assert_eq!(world.sandbox.requests().peak(System::Dynamics), 3);
}
