//! What a scraper and a health check get from the real daemon.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};
use serde_json::{Value, json};

use crate::rig::{CONTACTS, Rig, Running};

const RUN: &[&str] = &["--log-format", "json", "run"];
const VIA: &[&str] = &["--log-format", "json", "sync", "--via-daemon"];

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends bytes and reads all that is answered.
fn tell(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    // It may be turned away before it has said all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

pub(crate) fn ask(address: &str, request: &str) -> Answer {
    // A machine that stood still may have been too slow for one of them.
    let answers = (0..3).map(|_| tell(address, request.as_bytes()));
    let answer = answers.into_iter().find(|answer| !answer.is_empty()).unwrap();
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request}: {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn get(address: &str, path: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

/// The numbers by name and labels.
fn numbers(address: &str) -> BTreeMap<String, f64> {
    let answer = get(address, "/metrics");
    assert_eq!(answer.status, 200, "{answer:?}");
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    let number = |line: &str| {
        let (name, number) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), number.parse().unwrap())
    };
    lines.map(number).collect()
}

/// Asks until it is so: numbers may be a second old.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..100_000 {
        if let Some(found) = look() {
            return found;
        }
    }
    panic!("never: {what}");
}

/// The configuration with metrics at a free port.
fn configure(rig: &Rig) {
    let text = format!("{}\n[metrics]\nlisten = \"127.0.0.1:0\"\n", rig.text(CONTACTS));
    // Passes on request only.
    let text = text.replace("*/15 * * * * *", "0 0 0 1 1 *");
    fs::write(rig.path("config.toml"), text).unwrap();
}

/// A daemon that serves metrics, and where.
pub(crate) fn served(daemon: &Running) -> String {
    let line: Value = serde_json::from_str(&daemon.wait_for("\"metrics.served\"")).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scraper_reads_what_status_says() {
    let rig = Rig::usual(8).await;
    configure(&rig);
    let daemon = Running::start(rig.command(RUN));
    let address = served(&daemon);
    rig.run(VIA).await.expect(0);
    let found = until("the pass is counted", || {
        let found = numbers(&address);
        let passes = found["cdsync_passes_total{flow=\"ingress\",outcome=\"done\"}"];
        (passes >= 1.0 && found["cdsync_flow_state{flow=\"ingress\",state=\"idle\"}"] > 0.5)
            .then_some(found)
    });
    let status = rig.run(&["status", "--json"]).await.expect(0).json();
    let expected = [
        ("cdsync_records_total{flow=\"ingress\",outcome=\"written\"}", json!(8)),
        ("cdsync_table_records{table=\"contact\"}", status["tables"]["contact"]["records"].clone()),
        ("cdsync_backlog_records{flow=\"ingress\"}", status["flows"]["ingress"]["backlog"].clone()),
        ("cdsync_flow_state{flow=\"egress\",state=\"stopped\"}", json!(1)),
        ("cdsync_events_total{event=\"record.dead_lettered\",level=\"warn\"}", json!(0)),
        ("cdsync_events_total{event=\"daemon.started\",level=\"info\"}", json!(1)),
    ];
    for (name, number) in expected {
        assert_eq!(found.get(name).copied(), number.as_f64(), "{name}");
    }
    // Ids of the look-alikes' requests: the log of what they were asked.
    let sent = rig.sandbox.requests().entries();
    let sent = sent.iter().filter(|entry| entry.system == System::Campaign).count();
    let calls = numbers(&address)["cdsync_calls_total{system=\"campaign\"}"];
    assert!(calls >= 8.0 && calls <= f64::from(u32::try_from(sent).unwrap()), "{calls} of {sent}");
    let last = found["cdsync_last_success_timestamp_seconds{flow=\"ingress\"}"];
    assert!(last >= found["cdsync_start_time_seconds"], "{found:#?}");

    let page = get(&address, "/metrics");
    assert!(page.head.contains("application/openmetrics-text; version=1.0.0"), "{page:?}");
    assert!(page.body.ends_with("# EOF\n"));
    let text = "GET /metrics HTTP/1.1\r\nAccept: text/plain\r\n\r\n";
    let plain = ask(&address, text);
    assert!(plain.head.contains("text/plain; version=0.0.4") && !plain.body.contains("# EOF"));
    let health = get(&address, "/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let head = ask(&address, "HEAD /healthz HTTP/1.1\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_anything_else_or_says_nothing_harms_nobody() {
    let rig = Rig::usual(2).await;
    configure(&rig);
    let daemon = Running::start(rig.command(RUN));
    let address = served(&daemon);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("GET /../etc/passwd HTTP/1.1\r\n\r\n", 404),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        ("nonsense\r\n\r\n", 400),
    ] {
        assert_eq!(ask(&address, request).status, status, "{request}");
    }
    let endless = vec![b'a'; 1 << 20];
    let answer = tell(&address, &[b"GET /metrics HTTP/1.1\r\nX: ", &endless[..]].concat());
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    // More than are served at one time, and none of them ends its request.
    let silent: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    rig.run(VIA).await.expect(0);
    drop(silent);
    assert_eq!(get(&address, "/healthz").status, 200);
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_never_end_their_request_are_ended() {
    let rig = Rig::usual(1).await;
    configure(&rig);
    let daemon = Running::start(rig.command(RUN));
    let address = served(&daemon);
    // All places are taken by the silent; whoever comes then still has his turn.
    let silent: Vec<_> = (0..16).map(|_| TcpStream::connect(&address).unwrap()).collect();
    assert_eq!(get(&address, "/healthz").status, 200);
    drop(silent);
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_ends_says_so_to_a_health_check() {
    let rig = Rig::usual(8).await;
    configure(&rig);
    let slow = FaultRule {
        system: Some(System::Campaign),
        method: Some("POST".to_owned()),
        ..FaultRule::always(Fault::Slow { ms: 60_000 })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![slow] });
    let daemon = Running::start(rig.command(RUN));
    let address = served(&daemon);
    daemon.wait_for("\"flow.progress\"");
    daemon.signal("TERM");
    daemon.wait_for("\"daemon.stopping\"");
    let answer = until("503", || {
        let answer = get(&address, "/healthz");
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(answer.body, "the daemon ends\n");
    assert_eq!(get(&address, "/metrics").status, 200);
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_ends_the_start_with_2() {
    let rig = Rig::usual(1).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!("{}\n[metrics]\nlisten = \"{address}\"\n", rig.text(CONTACTS));
    fs::write(rig.path("config.toml"), text).unwrap();
    let ended = rig.run(RUN).await;
    ended.expect(2);
    let failed = ended.events("command.failed");
    assert_eq!((failed.len(), ended.err.lines().count()), (1, 1), "{ended:#?}");
    let reason = failed[0]["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("cannot be served at {address}")), "{reason}");
    assert!(reason.contains("[metrics] listen"), "{reason}");
    assert!(!rig.path("store/cdsync.sock").exists());
    drop(taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_run_serves_metrics_and_sighup_does_not_move_them() {
    let rig = Rig::usual(1).await;
    configure(&rig);
    let synced = rig.run(&["--log-format", "json", "sync"]).await;
    assert!(synced.expect(0).events("metrics.served").is_empty());
    let daemon = Running::start(rig.command(RUN));
    let address = served(&daemon);
    rig.configure(CONTACTS);
    daemon.signal("HUP");
    let line = daemon.wait_for("\"config.refused\"");
    assert!(line.contains("[metrics] listen"), "{line}");
    assert_eq!(get(&address, "/healthz").status, 200);
    daemon.signal("TERM");
    daemon.end().expect(0);
}
