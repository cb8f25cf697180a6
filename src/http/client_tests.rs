//! Promises of the client: tokens, 401, 429, repeats (simulated), and what
//! hostile or broken bytes lead to (a raw server on loopback).

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::http::Client;
use crate::http::failure::Outcome;
use crate::http::message::Request;
use crate::http::test_support::{
    Log, Reply, dynamics, granted, local, networked, raw_server, reply,
};
use crate::http::transport::Broken;

fn get(client: &Client) -> Request {
    Request::get(client.origin().own("contacts").unwrap())
}

/// A remote whose API answers by `api(call number, bearer)`; tokens are t1, t2 …
fn remote(api: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> (Client, Log, Log) {
    let (tokens, calls) = (Log::default(), Log::default());
    let (minted, seen) = (tokens.clone(), calls.clone());
    let api = Arc::new(api);
    let client = dynamics(local(move |request| {
        let (minted, seen, api) = (minted.clone(), seen.clone(), Arc::clone(&api));
        async move {
            tokio::task::yield_now().await;
            if request.uri().host() == Some("login.test") {
                let number = minted.add("mint");
                return granted(&format!("t{number}"), 3600);
            }
            let bearer = request.headers()["authorization"].to_str().unwrap().to_owned();
            let number = seen.add(bearer.clone());
            api(number, &bearer)
        }
    }));
    (client, tokens, calls)
}

async fn together(client: &Client, count: usize) -> Vec<Result<(), Outcome>> {
    let sends = (0..count)
        .map(|_| async { client.send(get(client)).await.map(drop).map_err(|f| f.outcome) });
    futures_util::future::join_all(sends).await
}

#[test]
fn exchanges_can_run_on_any_worker_thread() {
    fn is_send<T: Send>(_: T) {}
    let (client, ..) = remote(|_, _| reply(204, &[], ""));
    is_send(client.send(get(&client)));
    is_send(client.read(get(&client)));
}

#[tokio::test(start_paused = true)]
async fn all_workers_share_one_token() {
    let (client, tokens, calls) = remote(|_, _| reply(204, &[], ""));
    assert!(together(&client, 50).await.iter().all(Result::is_ok));
    assert_eq!((tokens.lines().len(), calls.lines().len()), (1, 50));
    let stats = client.stats();
    assert_eq!(
        (stats.calls, stats.token_calls, stats.in_flight, client.progress()),
        (50, 1, 0, 50)
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_before_its_end() {
    let (client, tokens, calls) = remote(|_, _| reply(204, &[], ""));
    client.send(get(&client)).await.unwrap();
    Clock::seeded(1).sleep(Duration::from_secs(3301)).await;
    client.send(get(&client)).await.unwrap();
    assert_eq!(tokens.lines().len(), 2);
    assert_eq!(calls.lines(), ["Bearer t1", "Bearer t2"]);
}

#[tokio::test(start_paused = true)]
async fn a_401_costs_one_new_token_for_all_workers() {
    let (client, tokens, _) = remote(|number, bearer| {
        if number > 20 && bearer == "Bearer t1" { reply(401, &[], "") } else { reply(204, &[], "") }
    });
    assert!(together(&client, 50).await.iter().all(Result::is_ok));
    assert_eq!(tokens.lines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn lasting_401s_ask_for_two_tokens_in_five_minutes() {
    let (client, tokens, calls) = remote(|_, _| reply(401, &[], ""));
    assert!(together(&client, 20).await.iter().all(|r| *r == Err(Outcome::Refused)));
    for _ in 0..28 {
        assert_eq!(client.send(get(&client)).await.unwrap_err().outcome, Outcome::Refused);
        Clock::seeded(1).sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(tokens.lines().len(), 2);
    assert!(calls.lines().len() < 30, "{}", calls.lines().len());
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_is_not_offered_again_for_a_minute() {
    let tokens = Log::default();
    let minted = tokens.clone();
    let client = dynamics(local(move |_| {
        minted.add("mint");
        async { reply(400, &[], r#"{"error":"invalid_client"}"#) }
    }));
    assert!(together(&client, 20).await.iter().all(|r| *r == Err(Outcome::Refused)));
    assert_eq!((tokens.lines().len(), client.stats().calls), (1, 0));
    Clock::seeded(1).sleep(Duration::from_secs(61)).await;
    assert!(client.send(get(&client)).await.is_err());
    assert_eq!(tokens.lines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn trouble_at_the_token_endpoint_is_not_sent_and_passes() {
    let tokens = Log::default();
    let minted = tokens.clone();
    let client = dynamics(local(move |request| {
        let api = request.uri().host() != Some("login.test");
        let number = if api { 0 } else { minted.add("mint") };
        async move {
            match number {
                0 => reply(204, &[], ""),
                1..=5 => reply(503, &[], ""),
                _ => granted("t", 3600),
            }
        }
    }));
    assert_eq!(client.send(get(&client)).await.unwrap_err().outcome, Outcome::NotSent);
    assert!(client.outage().is_some());
    client.read(get(&client)).await.unwrap();
    assert_eq!((tokens.lines().len(), client.outage()), (6, None));
}

#[tokio::test(start_paused = true)]
async fn a_429_silences_all_workers_until_its_time_has_passed() {
    let clock = Clock::seeded(1);
    let start = clock.monotonic();
    let early = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&early);
    let inner = clock.clone();
    let (client, _, _) = remote(move |number, _| {
        let at = inner.monotonic().since(start);
        if number == 10 {
            return reply(429, &[("retry-after", "30")], "");
        }
        if number > 14 && at < Duration::from_secs(30) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        reply(204, &[], "")
    });
    assert!(together(&client, 100).await.iter().all(Result::is_ok));
    assert_eq!(early.load(Ordering::Relaxed), 0);
    assert!(clock.monotonic().since(start) >= Duration::from_secs(30));
    assert_eq!(client.stats().throttled, 1);
}

#[tokio::test(start_paused = true)]
async fn half_an_hour_of_429s_costs_few_requests() {
    let clock = Clock::seeded(1);
    let start = clock.monotonic();
    let inner = clock.clone();
    let (client, _, calls) = remote(move |_, _| {
        if inner.monotonic().since(start) < Duration::from_mins(30) {
            reply(429, &[], "")
        } else {
            reply(204, &[], "")
        }
    });
    assert!(together(&client, 32).await.iter().all(Result::is_ok));
    assert!(calls.lines().len() < 60, "{}", calls.lines().len());
}

#[tokio::test(start_paused = true)]
async fn a_read_outlives_an_outage_and_a_write_does_not_repeat() {
    let answers = |number: usize| match number {
        1 | 2 => Err(Broken::Unknown("cut".to_owned())),
        3 => Err(Broken::NotSent("refused".to_owned())),
        4 => reply(503, &[("retry-after", "5")], ""),
        5 => reply(500, &[], ""),
        _ => reply(200, &[], "{}"),
    };
    let (client, _, calls) = remote(move |number, _| answers(number));
    let url = client.origin().own("contacts").unwrap();
    assert_eq!(client.send(Request::post(url, "{}")).await.unwrap_err().outcome, Outcome::Unknown);
    assert_eq!(calls.lines().len(), 1);
    client.read(get(&client)).await.unwrap();
    assert_eq!(calls.lines().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_read_gives_up_on_lasting_server_errors_and_at_once_on_mistakes() {
    for (status, want, sent) in
        [(500, Outcome::ServerError, 5), (404, Outcome::Setup, 1), (410, Outcome::CursorExpired, 1)]
    {
        let (client, _, calls) = remote(move |_, _| reply(status, &[], ""));
        assert_eq!(client.read(get(&client)).await.unwrap_err().outcome, want);
        assert_eq!(calls.lines().len(), sent);
    }
}

#[tokio::test(start_paused = true)]
async fn the_documented_headers_are_on_each_dataverse_call() {
    let seen = Log::default();
    let log = seen.clone();
    let client = dynamics(local(move |request| {
        let token = request.uri().host() == Some("login.test");
        if !token {
            let mut names: Vec<_> = request
                .headers()
                .iter()
                .map(|(n, v)| format!("{n}={}", v.to_str().unwrap()))
                .collect();
            names.retain(|line| !line.starts_with("x-ms-client-request-id="));
            names.sort();
            log.add(names.join("|"));
        }
        async move { if token { granted("t", 3600) } else { reply(204, &[], "") } }
    }));
    client.send(get(&client).header("Prefer", "odata.maxpagesize=5")).await.unwrap();
    client
        .send(
            Request::patch(client.origin().own("contacts(1)").unwrap(), "{}")
                .header("If-Match", "*"),
        )
        .await
        .unwrap();
    assert_eq!(
        seen.lines(),
        [
            "accept-encoding=gzip|accept=application/json|authorization=Bearer t|if-none-match=null|odata-maxversion=4.0|odata-version=4.0|prefer=odata.maxpagesize=5",
            "accept-encoding=gzip|accept=application/json|authorization=Bearer t|content-type=application/json; charset=utf-8|if-match=*|odata-maxversion=4.0|odata-version=4.0",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_ends_after_two_minutes() {
    let clock = Clock::seeded(1);
    let start = clock.monotonic();
    let client = dynamics(local(|request| async move {
        if request.uri().host() == Some("login.test") {
            return granted("t", 3600);
        }
        std::future::pending().await
    }));
    assert_eq!(client.send(get(&client)).await.unwrap_err().outcome, Outcome::Unknown);
    assert_eq!(clock.monotonic().since(start).as_secs(), 120);
    assert!(client.outage().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_address_of_another_system_is_never_sent() {
    let (client, tokens, calls) = remote(|_, _| reply(204, &[], ""));
    let other =
        crate::http::Origin::new(&url::Url::parse("https://evil.test/api/data/v9.2/").unwrap());
    let failure = client.send(Request::get(other.own("x").unwrap())).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Foreign);
    assert_eq!((tokens.lines().len(), calls.lines().len()), (0, 0));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[tokio::test]
async fn broken_and_hostile_bytes_end_in_the_right_outcome() {
    let json = "200 OK\r\nContent-Type: application/json";
    let zipped = "200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip";
    let mut truncated = answer(json, br#"{"a":[1,2,3]}"#);
    truncated.truncate(truncated.len() - 4);
    let cut_gzip = gzip(br#"{"a":[1,2,3]}"#);
    let huge = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec();
    let cases: Vec<(&str, Vec<u8>, Option<Outcome>)> = vec![
        ("plain", answer(json, b"{}"), None),
        ("zipped", answer(zipped, &gzip(b"{}")), None),
        ("not modified", answer("304 Not Modified", b""), None),
        ("bomb", answer(zipped, &gzip(&vec![b' '; 30 << 20])), Some(Outcome::TooLarge)),
        ("oversize", huge, Some(Outcome::TooLarge)),
        ("truncated", truncated, Some(Outcome::Unknown)),
        ("cut gzip", answer(zipped, &cut_gzip[..cut_gzip.len() / 2]), Some(Outcome::Garbled)),
        ("no gzip", answer(zipped, b"{}"), Some(Outcome::Garbled)),
        ("brotli", answer("200 OK\r\nContent-Encoding: br", b"x"), Some(Outcome::Garbled)),
        ("cut JSON", answer(json, br#"{"a":[1"#), Some(Outcome::Garbled)),
        ("page", answer("200 OK\r\nContent-Type: text/html", b"<html>"), Some(Outcome::Garbled)),
        (
            "redirect",
            answer("302 Found\r\nLocation: http://127.0.0.1:9/x", b""),
            Some(Outcome::Foreign),
        ),
        ("nothing", Vec::new(), Some(Outcome::Unknown)),
        ("no HTTP", b"SSH-2.0-OpenSSH_9\r\n\r\n".to_vec(), Some(Outcome::Unknown)),
        ("half a header", b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(), Some(Outcome::Unknown)),
    ];
    for (name, bytes, want) in cases {
        let (base, log) = raw_server(bytes, false).await;
        let client = networked(&base);
        let outcome = client.send(get(&client)).await.map(drop).map_err(|f| f.outcome);
        assert_eq!(outcome.err(), want, "{name}");
        let calls = log.lines();
        let call = calls.last().unwrap();
        assert!(
            call.contains("authorization: Bearer t\r\n") && call.contains("x-api-key: key\r\n"),
            "{call}"
        );
        assert!(call.contains("user-agent: cdsync/") && !call.contains("referer"), "{call}");
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_not_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let client = networked(&base);
    let failure = client.send(get(&client)).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::NotSent);
    assert!(
        !failure.to_string().contains("127.0.0.1:") || !failure.to_string().contains("token?"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_caller_that_stops_waiting_leaves_nothing_behind() {
    let (base, _) =
        raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab".to_vec(), true).await;
    let client = networked(&base);
    let request = get(&client);
    {
        let send = std::pin::pin!(client.send(request));
        let watch = std::pin::pin!(async {
            while client.stats().calls == 0 {
                tokio::task::yield_now().await;
            }
        });
        futures_util::future::select(send, watch).await;
    }
    assert_eq!(client.stats().in_flight, 0);
}
