//! A journal that fails, lies, leads elsewhere or wants to be left alone; and
//! the daemon beside it.

use cdsync::sandbox::{EventIds, Fault, FaultPlan, FaultRule, MailKind, Mailing, System, Variants};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::egress_journal::{only_egress, rig, sync};
use crate::rig::{Rig, Running};

fn on_journal(fault: Fault) -> FaultRule {
    FaultRule { system: Some(System::Journal), ..FaultRule::always(fault) }
}

fn play(rig: &Rig, rule: FaultRule) {
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
}

fn tell(rig: &Rig, seed: u64) {
    let mail = rig.sandbox.mail();
    let mailing = Mailing { odd_ones: false, seed, ..Mailing::default() };
    mail.publish(&mail.send(&mailing), EventIds::Journal);
}

#[track_caller]
fn assert_timeline(rig: &Rig) {
    let found = rig.sandbox.mail().differences(EventIds::Journal, &MailKind::ALL, "new");
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn a_journal_that_fails_for_a_while_is_read_all_the_same() {
    let rig = rig(12, Variants { journal_batch: 5, ..Variants::default() }, "").await;
    let status = |code| Fault::Status { code, body: String::new() };
    let faults = [
        Fault::Throttle { retry_after: 1 },
        status(500),
        status(503),
        Fault::CutBefore,
        Fault::CutIn,
        Fault::Truncated,
        Fault::Foreign,
        Fault::ExpiredToken,
    ];
    for (seed, fault) in faults.into_iter().enumerate() {
        tell(&rig, seed as u64 + 1);
        play(&rig, FaultRule { after: Some(1), times: Some(1), ..on_journal(fault.clone()) });
        let ended = sync(&rig).await;
        assert_eq!(ended.code, Some(0), "{fault:?}: {ended:#?}");
        assert_timeline(&rig);
    }
}

#[tokio::test]
async fn what_the_journal_refuses_has_its_exit_code_and_takes_nothing() {
    let rig = rig(3, Variants::default(), "").await;
    tell(&rig, 1);
    let status = |code| on_journal(Fault::Status { code, body: String::new() });
    let cases = [
        (status(403), 3),
        (status(401), 3),
        (status(400), 1),
        (on_journal(Fault::Redirect { to: "http://127.0.0.1:1/".into() }), 1),
        (on_journal(Fault::WrongContent), 1),
        (on_journal(Fault::HugeBody { bytes: 20 << 20 }), 1),
    ];
    for (rule, code) in cases {
        play(&rig, rule.clone());
        let ended = rig.run(&["sync", "egress", "--log-format", "json", "--patience", "5"]).await;
        assert_eq!(ended.code, Some(code), "{rule:?}: {ended:#?}");
        assert_eq!(ended.events("flow.stopped").len(), 1, "{rule:?}: {ended:#?}");
        assert_eq!(rig.number("SELECT count(*) FROM journal"), 0, "{rule:?}");
    }
    play(&rig, on_journal(Fault::CutBefore));
    let ended = rig.run(&["sync", "egress", "--log-format", "json", "--patience", "2"]).await;
    ended.expect(4);
    assert!(ended.err.contains("journal: "), "{ended:#?}");
    rig.sandbox.set_faults(FaultPlan::default());
    sync(&rig).await.expect(0);
    assert_timeline(&rig);
}

/// A page with this body and these headers.
fn answer(headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A journal that answers every request alike, and what it was asked.
async fn parrot(answer: String) -> (String, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = tokio::sync::mpsc::channel(100);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = vec![0; 16_384];
            let read = socket.read(&mut bytes).await.unwrap_or(0);
            let _ = sender.send(String::from_utf8_lossy(&bytes[..read]).into_owned()).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (origin, asked)
}

fn at(rig: &Rig, origin: &str) {
    let text = std::fs::read_to_string(rig.path("config.toml")).unwrap();
    let text = text.replace(&rig.sandbox.journal().url(), &format!("{origin}/events/1"));
    std::fs::write(rig.path("config.toml"), text).unwrap();
}

#[tokio::test]
async fn a_link_to_another_host_is_refused_and_gets_no_credential() {
    for link in ["http://evil.example/next", "//evil.example/next", "https://127.0.0.1/next"] {
        let answer = answer(&format!("link: <{link}>; rel=\"next\"\r\n"), "{\"events\":[]}");
        let (origin, mut asked) = parrot(answer).await;
        let rig = rig(0, Variants::default(), "").await;
        at(&rig, &origin);
        let ended = sync(&rig).await;
        ended.expect(1);
        let stopped = ended.events("flow.stopped").pop().unwrap();
        assert!(stopped["reason"].as_str().unwrap().contains("configured system"), "{stopped}");
        let first = asked.recv().await.unwrap();
        assert!(first.starts_with("GET /events/1 HTTP/1.1"), "{first}");
        for header in
            ["authorization: Bearer ", "x-api-key: ", "x-ims-org-id: ", "x-gw-ims-org-id: "]
        {
            assert!(first.contains(header), "{header} in {first}");
        }
    }
}

#[tokio::test]
async fn a_page_without_a_link_is_followed_by_its_last_position() {
    let page = json!({ "events": [{ "position": "a b&c", "event": { "n": 1 } }],
        "_page": { "last": "a b&c" } });
    let answer = answer("", &page.to_string());
    let (origin, mut asked) = parrot(answer).await;
    let rig = rig(0, Variants::default(), "").await;
    at(&rig, &origin);
    let ended = sync(&rig).await;
    ended.expect(1);
    let stopped = ended.events("flow.stopped").pop().unwrap();
    assert!(stopped["reason"].as_str().unwrap().contains("leads back"), "it never ends: {stopped}");
    asked.recv().await.unwrap();
    let second = asked.recv().await.unwrap();
    assert!(second.starts_with("GET /events/1?since=a+b%26c HTTP/1.1"), "{second}");
}

#[tokio::test]
async fn a_dry_run_names_what_would_be_made_and_stores_nothing() {
    let rig = rig(4, Variants::default(), "").await;
    tell(&rig, 1);
    rig.sandbox.journal().add(&[json!({ "eventid": "odd", "type": "?" })]);
    let planned = rig.run(&["plan", "egress", "--json"]).await;
    planned.expect(0);
    let rows: Vec<Value> =
        planned.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = rig.sandbox.mail().expected(EventIds::Journal);
    let made: Vec<&Value> = rows.iter().filter(|row| row["action"] == "create").collect();
    assert_eq!(made.len(), expected.len());
    for row in &made {
        assert_eq!(row["flow"], "egress");
        assert!(row["table"].as_str().unwrap().starts_with("new_campaignemail"), "{row}");
        assert!(row["fields"].as_array().unwrap().contains(&json!("new_eventid")), "{row}");
    }
    assert_eq!(rows.iter().filter(|row| row["action"] == "dead-letter").count(), 1);
    assert_eq!(rig.sandbox.dynamics().count("new_campaignemailsend"), 0);
    let ids: Vec<String> = made.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    sync(&rig).await.expect(1);
    let table = made[0]["table"].as_str().unwrap();
    let there: Vec<String> =
        rig.sandbox.dynamics().ids(table).iter().map(ToString::to_string).collect();
    assert!(there.iter().all(|id| ids.contains(id)), "the plan named them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_reads_the_journal_by_its_schedule_and_obeys_its_wait() {
    let rig = rig(6, Variants { journal_retry_after: 3600, ..Variants::default() }, "").await;
    tell(&rig, 1);
    let daemon = Running::start(rig.command(&["run", "--log-format", "json"]));
    daemon.wait_for("flow.finished");
    assert_timeline(&rig);
    let reads = || {
        let asked = rig.sandbox.requests().entries();
        asked.iter().filter(|entry| entry.system == System::Journal).count()
    };
    let before = reads();
    daemon.wait_for("flow.finished");
    daemon.wait_for("flow.finished");
    assert_eq!(reads(), before, "the journal asked to be left alone");
    tell(&rig, 2);
    rig.run(&["sync", "egress", "--via-daemon"]).await.expect(0);
    assert_timeline(&rig);
    let status = rig.run(&["status", "--json"]).await.json();
    assert_eq!(status["flows"]["egress"]["backlog"], 0);
    assert!(status["flows"]["egress"]["last_success"].is_string(), "{status}");
    rig.run(&["pause", "egress"]).await.expect(0);
    let status = rig.run(&["status", "--json"]).await.json();
    assert_eq!(status["flows"]["egress"]["state"], "paused");
    assert_eq!(status["flows"]["ingress"]["state"], "stopped");
    daemon.signal("TERM");
    assert_eq!(daemon.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_is_silent_does_not_hold_ingress_up() {
    let rig = Rig::usual(4).await;
    let text = rig.text(crate::rig::CONTACTS).replace("*/15 * * * * *", "* * * * * *");
    let text = text + &crate::egress_journal::egress(&rig.sandbox, "");
    std::fs::write(rig.path("config.toml"), text).unwrap();
    play(&rig, on_journal(Fault::CutBefore));
    let daemon = Running::start(rig.command(&["run", "--log-format", "json"]));
    for _ in 0..2 {
        let line = daemon.wait_for("flow.finished");
        assert!(line.contains("\"ingress\""), "{line}");
    }
    let status = rig.run(&["status", "--json"]).await.json();
    assert_eq!(status["flows"]["egress"]["state"], "running", "it still waits: {status}");
    daemon.signal("TERM");
    assert_eq!(daemon.end().code, Some(0));
    rig.assert_equal("beside a silent journal");
}

#[tokio::test]
async fn a_check_reads_the_journal_and_changes_nothing() {
    let rig = rig(1, Variants::default(), "").await;
    tell(&rig, 1);
    rig.run(&["check"]).await.expect(0);
    let asked = rig.sandbox.requests().entries();
    let asked: Vec<_> = asked.iter().filter(|entry| entry.system == System::Journal).collect();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].path.ends_with("?latest=true"), "{}", asked[0].path);
    play(&rig, on_journal(Fault::Status { code: 403, body: String::new() }));
    let checked = rig.run(&["check", "--json"]).await;
    checked.expect(3);
    assert_eq!(checked.json()["problems"][0]["where"], "journal");
}

#[tokio::test]
async fn sync_without_a_name_runs_both_flows_ingress_first() {
    let rig = Rig::usual(5).await;
    let text = rig.text(crate::rig::CONTACTS) + &crate::egress_journal::egress(&rig.sandbox, "");
    std::fs::write(rig.path("config.toml"), text).unwrap();
    tell(&rig, 1);
    let ended = rig.run(&["sync", "--log-format", "json"]).await;
    ended.expect(0);
    let flows: Vec<Value> =
        ended.events("flow.finished").iter().map(|event| event["flow"].clone()).collect();
    assert_eq!(flows, [json!("ingress"), json!("egress")]);
    rig.assert_equal("after both");
    assert_timeline(&rig);
    only_egress(&rig, "");
    let ended = rig.run(&["sync", "ingress"]).await;
    ended.expect(2);
    assert!(ended.err.contains("[ingress]"), "{ended:#?}");
}
