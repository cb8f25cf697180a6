//! The journal's promises, by campaign sheet 9.2.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, SandboxOptions, System, Variants};
use serde_json::{Value, json};

use crate::sandbox::{Got, World, send};

/// A request with everything the journal demands; `target` is a query or a
/// path that a link gave.
fn ask(world: &World, target: &str) -> reqwest::RequestBuilder {
    let known = world.sandbox.credentials();
    let url = if target.starts_with('/') {
        format!("{}{target}", world.sandbox.origin())
    } else {
        format!("{}{target}", world.sandbox.journal().url())
    };
    let request = world.http.get(url).bearer_auth(&world.campaign_token);
    request
        .header("x-api-key", known.campaign_client_id)
        .header("x-ims-org-id", known.organization_id)
}

async fn read(world: &World, target: &str) -> Got {
    send(ask(world, target)).await
}

/// The target of a link, each of which is a header of its own.
fn link(got: &Got, rel: &str) -> String {
    let wanted = format!("; rel=\"{rel}\"");
    let mut links = got.headers.get_all("link").iter().map(|link| link.to_str().unwrap());
    let link = links.find(|link| link.ends_with(&wanted)).unwrap_or_else(|| panic!("no {rel}"));
    link.strip_suffix(&wanted).unwrap().trim_matches(['<', '>']).to_owned()
}

fn events(got: &Got) -> Vec<i64> {
    let body = got.json();
    let told: Vec<i64> = body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["event"]["n"].as_i64().unwrap())
        .collect();
    assert_eq!(body["_page"]["count"], told.len());
    assert_eq!(body["_page"]["last"], body["events"][told.len() - 1]["position"]);
    told
}

/// By the clock of the request log.
fn hours_ago(world: &World, hours: i64) -> jiff::Timestamp {
    let last = world.sandbox.requests().entries().pop().unwrap();
    last.at - jiff::SignedDuration::from_hours(hours)
}

fn numbered(range: std::ops::Range<i64>) -> Vec<Value> {
    range.map(|n| json!({ "n": n })).collect()
}

async fn with(variants: Variants, events: i64) -> World {
    let world = World::start(SandboxOptions { variants, ..SandboxOptions::default() }).await;
    world.sandbox.journal().add(&numbered(0..events));
    world
}

#[tokio::test]
async fn following_next_tells_every_event_once_and_ends_with_204() {
    let world = with(Variants { journal_batch: 4, ..Variants::default() }, 10).await;
    let mut target = String::new();
    let mut told = Vec::new();
    loop {
        let got = read(&world, &target).await;
        target = link(&got, "next");
        assert!(target.starts_with("/events-fast/organizations/"), "{target}");
        if got.status == 204 {
            assert_eq!((got.header("retry-after"), got.text.as_str()), ("10", ""));
            assert!(link(&got, "validate").starts_with("/events-validate/"));
            break;
        }
        assert_eq!((got.status, got.header("content-type")), (200, "application/json"));
        told.extend(events(&got));
    }
    assert_eq!(told, (0..10).collect::<Vec<_>>());
    assert_eq!(world.sandbox.requests().rows(System::Journal), 10);
    world.sandbox.journal().add(&numbered(10..11));
    assert_eq!(events(&read(&world, &target).await), [10], "the link of a 204 goes on");
}

#[tokio::test]
async fn every_link_is_a_relative_header_of_its_own() {
    let world = with(Variants::default(), 2).await;
    let got = read(&world, "").await;
    let place = world.sandbox.journal().url().replace(&world.sandbox.origin(), "");
    assert_eq!(link(&got, "events"), place);
    assert_eq!(link(&got, "latest"), format!("{place}?latest=true"));
    assert_eq!(link(&got, "page"), format!("{place}?since={{position}}&limit={{count}}"));
    assert_eq!(link(&got, "seek"), format!("{place}?seek={{duration}}&limit={{count}}"));
    assert_eq!(got.headers.get_all("link").iter().count(), 7);
    let last = got.json()["_page"]["last"].as_str().unwrap().to_owned();
    assert!(link(&got, "next").ends_with(&format!("?since={last}")));
    assert_eq!(read(&world, &link(&got, "count")).await.json(), json!({"count": 0}));
    assert_eq!(read(&world, &link(&got, "validate")).await.status, 204);

    world.sandbox.set_variants(Variants { journal_links_joined: true, ..Variants::default() });
    let got = read(&world, "").await;
    assert_eq!(got.headers.get_all("link").iter().count(), 1);
    assert_eq!(got.header("link").split(", ").count(), 7);
}

#[tokio::test]
async fn since_excludes_and_limit_is_kept_in_the_link() {
    let world = with(Variants::default(), 5).await;
    let positions = world.sandbox.journal().positions();
    assert!(positions[0].split(':').count() == 3, "{}", positions[0]);
    let got = read(&world, &format!("?since={}&limit=2", positions[1])).await;
    assert_eq!(events(&got), [2, 3]);
    assert!(link(&got, "next").ends_with("&limit=2"));
    assert_eq!(events(&read(&world, &link(&got, "next")).await), [4]);
}

#[tokio::test]
async fn latest_jumps_to_the_end_and_seek_into_the_past() {
    let world = with(Variants::default(), 0).await;
    let journal = world.sandbox.journal();
    let empty = read(&world, "").await;
    assert_eq!((empty.status, empty.header("retry-after")), (204, ""));
    let hour = |hours| hours_ago(&world, hours);
    journal.add_at(&numbered(0..2), hour(5));
    journal.add_at(&numbered(2..4), hour(1));
    assert_eq!(events(&read(&world, &link(&empty, "next")).await), [0, 1, 2, 3]);
    let latest = read(&world, "?latest=true").await;
    assert_eq!((latest.status, latest.header("retry-after")), (204, "10"));
    assert!(link(&latest, "next").contains("?since="), "not latest again");
    journal.add(&numbered(4..5));
    assert_eq!(events(&read(&world, &link(&latest, "next")).await), [4]);
    assert_eq!(events(&read(&world, "?seek=-PT2H").await), [2, 3, 4]);
    assert_eq!(events(&read(&world, "?seek=-P1D&limit=1").await), [0]);
}

#[tokio::test]
async fn an_expired_position_is_gone_and_the_oldest_kept_can_be_read() {
    let world = with(Variants::default(), 5).await;
    let journal = world.sandbox.journal();
    let positions = journal.positions();
    assert!(journal.expire(&positions[2]));
    let got = read(&world, &format!("?since={}", positions[1])).await;
    assert_eq!(got.status, 410);
    assert_eq!(got.text, format!("Events at position {} have expired.", positions[1]));
    assert_eq!(read(&world, &format!("?since={}", positions[2])).await.status, 410);
    assert_eq!(events(&read(&world, "").await), [3, 4]);
    assert_eq!(events(&read(&world, &format!("?since={}", positions[3])).await), [4]);
}

#[tokio::test]
async fn events_are_kept_for_seven_days() {
    let world = with(Variants::default(), 0).await;
    let hour = |hours| hours_ago(&world, hours);
    let gone = world.sandbox.journal().add_at(&numbered(0..1), hour(7 * 24 + 1));
    world.sandbox.journal().add_at(&numbered(1..2), hour(7 * 24 - 1));
    assert_eq!(events(&read(&world, "").await), [1]);
    assert_eq!(read(&world, &format!("?since={}", gone[0])).await.status, 410);
}

#[tokio::test]
async fn a_reply_stays_below_its_size_even_with_a_limit() {
    let world = with(Variants::default(), 0).await;
    let large = "x".repeat(100_000);
    let list: Vec<Value> = (0..30).map(|n| json!({"n": n, "large": large})).collect();
    world.sandbox.journal().add(&list);
    let got = read(&world, "?limit=30").await;
    assert_eq!(events(&got), (0..14).collect::<Vec<_>>());
    assert!(got.text.len() <= 1_500_000 + 200, "{}", got.text.len());
}

#[tokio::test]
async fn wrong_parameters_and_wrong_callers_are_refused() {
    let world = with(Variants::default(), 3).await;
    let position = world.sandbox.journal().positions()[0].clone();
    for query in [
        "?limit=0".to_owned(),
        "?limit=many".to_owned(),
        "?since=nowhere".to_owned(),
        "?seek=PT2H".to_owned(),
        "?seek=yesterday".to_owned(),
        format!("?since={position}&seek=-PT2H"),
    ] {
        assert_eq!(read(&world, &query).await.status, 400, "{query}");
    }
    let url = world.sandbox.journal().url();
    let known = world.sandbox.credentials();
    let bare = world.http.get(&url);
    let key = || world.http.get(&url).header("x-api-key", &known.campaign_client_id);
    let token = || key().bearer_auth(&world.campaign_token);
    for (request, status, code) in [
        (bare, 403, "403000"),
        (key(), 403, "403010"),
        (key().bearer_auth("stale"), 401, "401013"),
        (token(), 403, "403023"),
        (token().header("x-ims-org-id", "other@AdobeOrg"), 403, "403023"),
    ] {
        let got = send(request).await;
        assert_eq!((got.status, got.json()["error_code"].as_str()), (status, Some(code)));
    }
    let java = token().header("x-gw-ims-org-id", &known.organization_id);
    assert_eq!(send(java).await.status, 200);
    let other = ask(&world, "/events/organizations/1/integrations/2/3");
    assert_eq!(send(other).await.status, 404);
}

#[tokio::test]
async fn repeats_and_shuffles_lose_no_event() {
    let variants = Variants { journal_repeats: 3, journal_shuffle: 7, ..Variants::default() };
    let world = with(variants, 30).await;
    let mut told = events(&read(&world, "").await);
    assert_eq!(told.len(), 40);
    let mut sorted = told.clone();
    sorted.sort_unstable();
    assert_ne!(told, sorted);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, (0..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_journal_meets_the_faults_of_a_plan() {
    let world = with(Variants::default(), 3).await;
    let play = |fault: Fault| {
        let rule = FaultRule { system: Some(System::Journal), ..FaultRule::always(fault) };
        world.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    };
    play(Fault::Throttle { retry_after: 3 });
    let got = read(&world, "").await;
    assert_eq!((got.status, got.header("retry-after")), (429, "3"));
    play(Fault::ForeignLink { to: "http://evil.example".to_owned() });
    assert!(link(&read(&world, "").await, "next").starts_with("http://evil.example/events-fast/"));
    play(Fault::EmptyPage);
    let got = read(&world, "?limit=2").await;
    assert_eq!((got.status, got.json()["events"].clone()), (200, json!([])));
    assert!(link(&got, "next").ends_with("?limit=2"));
    play(Fault::DuplicateRows);
    let told = read(&world, "").await.json();
    assert_eq!(told["events"].as_array().unwrap().len(), 4);
    play(Fault::ExpiredToken);
    assert_eq!(read(&world, "").await.status, 401);
}

#[tokio::test]
async fn a_person_may_write_events_over_http() {
    let world = with(Variants::default(), 0).await;
    let post = |path: &str, body: Value| {
        let url = format!("{}{path}", world.sandbox.origin());
        send(world.http.post(url).body(body.to_string()))
    };
    let got = post("/_sandbox/journal", json!({"events": numbered(0..3)})).await;
    assert_eq!((got.status, got.json()["positions"].as_array().unwrap().len()), (200, 3));
    let got = post("/_sandbox/journal/expire", json!({"events": 2})).await;
    assert_eq!(got.json(), json!({"kept": 1}));
    assert_eq!(events(&read(&world, "").await), [2]);
    assert_eq!(post("/_sandbox/journal", json!({"events": 7})).await.status, 404);
}
