//! `$batch` of the Dataverse look-alike, byte by byte of the fact sheet.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, SandboxOptions, System, Variants};
use serde_json::{Value, json};

use crate::sandbox::{Got, World, send};

const HEAD: &str = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n";
const ONE: &str = "00000000-0000-0000-0000-0000000000a1";
const TWO: &str = "00000000-0000-0000-0000-0000000000a2";

/// A request as it stands inside a part.
fn inner(method: &str, target: &str, headers: &[&str], body: &str) -> String {
    let mut out = format!("{method} {target} HTTP/1.1\r\n");
    for header in headers {
        out.push_str(header);
        out.push_str("\r\n");
    }
    format!("{out}\r\n{body}")
}

fn part(request: &str) -> String {
    format!("--batch_1\r\n{HEAD}\r\n{request}\r\n")
}

/// A change set of requests with their Content-IDs.
fn set(requests: &[(&str, String)]) -> String {
    let mut out = String::from(
        "--batch_1\r\nContent-Type: multipart/mixed; boundary=\"changeset_1\"\r\n\r\n",
    );
    for (id, request) in requests {
        out.push_str(&format!("--changeset_1\r\n{HEAD}Content-ID: {id}\r\n\r\n{request}\r\n"));
    }
    out + "--changeset_1--\r\n"
}

fn api(path: &str) -> String {
    format!("/api/data/v9.2/{path}")
}

fn task(id: &str, subject: &str) -> String {
    let body = json!({"activityid": id, "subject": subject}).to_string();
    inner("POST", &api("tasks"), &["Content-Type: application/json"], &body)
}

async fn batch(world: &World, parts: &[String], prefer: &str) -> Got {
    let body = format!("{}--batch_1--\r\n", parts.concat());
    let request = world
        .dynamics("POST", "$batch")
        .header("content-type", "multipart/mixed; boundary=\"batch_1\"")
        .body(body);
    send(if prefer.is_empty() { request } else { request.header("prefer", prefer) }).await
}

/// The status lines of the reply's parts.
fn statuses(got: &Got) -> Vec<u16> {
    got.text
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
        .collect()
}

const GO_ON: &str = "odata.continue-on-error";

#[tokio::test]
async fn operations_run_in_order_and_count_as_one_request() {
    let world = World::plain().await;
    let origin = world.sandbox.origin();
    world.sandbox.requests().clear();
    let get = format!("{origin}/api/data/v9.2/tasks?$select=subject&$filter=subject eq 'One two'");
    let parts = [
        part(&task(ONE, "One two")),
        part(&inner("GET", &get, &[], "")),
        part(&inner("DELETE", &api(&format!("tasks({ONE})")), &["If-Match: *"], "")),
    ];
    let got = batch(&world, &parts, "").await;
    assert_eq!((got.status, statuses(&got)), (200, vec![204, 200, 204]), "{}", got.text);
    let boundary = got.header("content-type").strip_prefix("multipart/mixed; boundary=").unwrap();
    assert!(boundary.starts_with("batchresponse_"), "{boundary}");
    let expected = format!(
        "--{boundary}\r\n{HEAD}\r\nHTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\nLocation: {origin}/api/data/v9.2/tasks({ONE})\r\nOData-EntityId: {origin}/api/data/v9.2/tasks({ONE})\r\n\r\n--{boundary}\r\n"
    );
    assert!(got.text.starts_with(&expected), "{}", got.text);
    assert!(got.text.ends_with(&format!("\r\n--{boundary}--\r\n")), "{}", got.text);
    assert!(
        got.text.contains(
            "Content-Type: application/json; odata.metadata=minimal; odata.streaming=true\r\n"
        ),
        "{}",
        got.text
    );
    assert!(got.text.contains("\"subject\":\"One two\""), "{}", got.text);
    let log = world.sandbox.requests();
    assert_eq!((log.count(System::Dynamics), log.operations(System::Dynamics)), (1, 3));
    assert_eq!(log.entries()[0].operations, 3);
}

#[tokio::test]
async fn the_first_failure_stops_and_makes_the_whole_400() {
    let world = World::plain().await;
    let parts =
        [part(&task(ONE, "One")), part(&task(TWO, &"x".repeat(201))), part(&task(TWO, "Two"))];
    let got = batch(&world, &parts, "").await;
    assert_eq!((got.status, statuses(&got)), (400, vec![204, 400]), "{}", got.text);
    assert!(got.header("content-type").starts_with("multipart/mixed"), "{:?}", got.headers);
    assert!(got.text.contains("\r\nREQ_ID: "), "{}", got.text);
    assert!(got.text.contains("A validation error occurred.  The length of the 'subject'"));
    assert_eq!(world.sandbox.dynamics().count("task"), 1, "what was done stays done");
    let got = batch(&world, &parts, GO_ON).await;
    assert_eq!((got.status, statuses(&got)), (200, vec![412, 400, 204]), "{}", got.text);
    assert_eq!(got.header("preference-applied"), GO_ON);
}

#[tokio::test]
async fn conditions_and_preferences_are_those_of_each_operation() {
    let world = World::plain().await;
    let path = api(&format!("tasks({ONE})"));
    let once = inner("PATCH", &path, &["If-None-Match: *"], r#"{"subject":"One"}"#);
    let parts = [
        part(&once),
        part(&once),
        part(&inner("PATCH", &path, &["If-Match: W/\"1\""], r#"{"subject":"Two"}"#)),
        part(&inner("PATCH", &path, &["Prefer: return=representation"], r#"{"subject":"Three"}"#)),
    ];
    let got = batch(&world, &parts, GO_ON).await;
    assert_eq!(statuses(&got), [204, 412, 412, 200], "{}", got.text);
    assert!(got.text.contains("0x80040237") && got.text.contains("0x80060882"), "{}", got.text);
    assert!(got.text.contains("Preference-Applied: return=representation\r\n"), "{}", got.text);
    let row = world.sandbox.dynamics().get("task", ONE.parse().unwrap()).unwrap();
    assert_eq!(row["subject"], "Three");
}

#[tokio::test]
async fn a_change_set_is_done_as_a_whole_or_not_at_all() {
    let world = World::plain().await;
    let before = world.sandbox.dynamics().version();
    let failing = set(&[("1", task(ONE, "One")), ("2", task(TWO, &"x".repeat(201)))]);
    let got = batch(&world, &[failing, part(&task(TWO, "Two"))], GO_ON).await;
    assert_eq!((got.status, statuses(&got)), (200, vec![400, 204]), "{}", got.text);
    assert!(got.text.contains("Content-ID: 2\r\n"), "the failing one is named: {}", got.text);
    let held = world.sandbox.dynamics().ids("task");
    assert_eq!(held, [TWO.parse::<uuid::Uuid>().unwrap()]);
    assert!(world.sandbox.dynamics().version() > before);
    let got = batch(&world, &[set(&[("7", task(ONE, "One"))])], "").await;
    assert_eq!((got.status, statuses(&got)), (200, vec![204]), "{}", got.text);
    assert!(
        got.text.contains("Content-Type: multipart/mixed; boundary=changesetresponse_"),
        "{}",
        got.text
    );
    assert!(got.text.contains("Content-ID: 7\r\n"), "{}", got.text);
}

#[tokio::test]
async fn a_change_set_refers_to_what_it_made() {
    let world = World::plain().await;
    let contact = inner("POST", &api("contacts"), &[], r#"{"lastname":"Lee"}"#);
    let bound = json!({"activityid": ONE, "subject": "One", "regardingobjectid_contact_task@odata.bind": "$1"});
    let parts = [set(&[
        ("1", contact.clone()),
        ("2", inner("POST", &api("tasks"), &[], &bound.to_string())),
        ("3", inner("PATCH", "$1", &["If-Match: *"], r#"{"firstname":"Ann"}"#)),
    ])];
    let got = batch(&world, &parts, "").await;
    assert_eq!(statuses(&got), [204, 204, 204], "{}", got.text);
    let dynamics = world.sandbox.dynamics();
    let id = dynamics.ids("contact")[0];
    assert_eq!(dynamics.get("contact", id).unwrap()["fullname"], "Ann Lee");
    let row = dynamics.get("task", ONE.parse().unwrap()).unwrap();
    assert_eq!(row["_regardingobjectid_value"], id.to_string());
    let forward = [set(&[("1", inner("PATCH", "$2", &[], "{}")), ("2", contact)])];
    let got = batch(&world, &forward, "").await;
    assert_eq!((got.status, statuses(&got)), (400, vec![400]), "{}", got.text);
    let text = "Content-ID Reference: '$2' does not exist in the batch context.";
    assert!(got.text.contains(text), "{}", got.text);
}

#[tokio::test]
async fn what_cannot_be_a_batch_is_refused_as_a_whole() {
    let variants = Variants { batch_operations: 2, ..Variants::default() };
    let world = World::start(SandboxOptions { variants, ..SandboxOptions::default() }).await;
    let one = part(&task(ONE, "One"));
    let cases: [(Vec<String>, &str); 4] = [
        (vec![one.clone(), set(&[("1", task(ONE, "")), ("2", task(TWO, ""))])], "too many parts"),
        (vec![set(&[("1", inner("GET", &api("tasks"), &[], ""))])], "must not hold a GET"),
        (
            vec![set(&[("1", task(ONE, "One"))]).replace("Content-ID: 1\r\n", "")],
            "Content-ID header not present",
        ),
        (vec![one.replace("Content-Transfer-Encoding: binary\r\n", "")], "cannot be read"),
    ];
    for (parts, text) in cases {
        let got = batch(&world, &parts, GO_ON).await;
        assert_eq!((got.status, got.code().as_str()), (400, "0x80060888"), "{}", got.text);
        assert!(got.text.contains(text), "{text}: {}", got.text);
    }
    for target in [
        api("$batch"),
        "http://elsewhere.example/api/data/v9.2/tasks".to_owned(),
        "tasks".to_owned(),
    ] {
        let got = batch(&world, &[part(&inner("POST", &target, &[], "{}"))], "").await;
        assert_eq!((got.status, statuses(&got)), (400, vec![400]), "{target}: {}", got.text);
    }
    let json = send(world.dynamics("POST", "$batch").body("{}")).await;
    assert_eq!((json.status, json.code().as_str()), (400, "0x80060888"));
    assert_eq!(world.sandbox.dynamics().count("task"), 0);
}

#[tokio::test]
async fn faults_meet_the_whole_or_single_operations() {
    let world = World::plain().await;
    let path = |id: &str| api(&format!("tasks({id})"));
    let upsert = |id: &str| part(&inner("PATCH", &path(id), &[], r#"{"subject":"x"}"#));
    let parts = [upsert(ONE), upsert(TWO)];
    let rule = |fault: Fault| FaultRule {
        operation: true,
        path: Some(TWO.to_owned()),
        times: Some(1),
        ..FaultRule::always(fault)
    };
    let play = |rule: FaultRule| world.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    play(rule(Fault::Throttle { retry_after: 7 }));
    let got = batch(&world, &parts, GO_ON).await;
    assert_eq!((got.status, statuses(&got)), (200, vec![204, 429]), "{}", got.text);
    assert!(got.text.contains("Retry-After: 7\r\n") && got.text.contains("0x80072322"));
    assert_eq!(world.sandbox.dynamics().count("task"), 1);
    assert_eq!(world.sandbox.requests().faults()["throttle"], 1);

    world.sandbox.dynamics().delete("task", ONE.parse().unwrap());
    for (fault, done) in [(Fault::CutBefore, 1), (Fault::CutAfter, 2)] {
        play(rule(fault));
        let request = world
            .dynamics("POST", "$batch")
            .header("content-type", "multipart/mixed; boundary=batch_1")
            .body(format!("{}--batch_1--", parts.concat()));
        assert!(request.send().await.is_err(), "the connection closes");
        assert_eq!(world.sandbox.dynamics().count("task"), done);
    }
    play(FaultRule {
        path: Some("$batch".to_owned()),
        ..FaultRule::always(Fault::Throttle { retry_after: 3 })
    });
    let got = batch(&world, &parts, GO_ON).await;
    assert_eq!((got.status, got.header("retry-after")), (429, "3"));
}

#[tokio::test]
async fn a_rolled_back_change_leaves_no_trace_for_readers_of_changes() {
    let world = World::plain().await;
    let first = world.get("contacts?$select=lastname", "odata.track-changes").await.json();
    let link = first["@odata.deltaLink"].as_str().unwrap().to_owned();
    let bad = inner("POST", &api("contacts"), &[], r#"{"nonsense":1}"#);
    let good = inner("POST", &api("contacts"), &[], r#"{"lastname":"Lee"}"#);
    let got = batch(&world, &[set(&[("1", good), ("2", bad)])], "").await;
    assert_eq!(got.status, 400);
    let target = json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "lastname": "Lee"});
    let wrong = json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "nonsense": 1});
    let targets = json!({"Targets": [target, wrong]}).to_string();
    let path = "contacts/Microsoft.Dynamics.CRM.CreateMultiple";
    assert_eq!(send(world.dynamics("POST", path).body(targets)).await.status, 400);
    let next = world.get(&link, "odata.track-changes").await.json();
    assert_eq!(next["value"], Value::Array(Vec::new()), "{next}");
    assert_eq!(world.sandbox.dynamics().count("contact"), 0);
}
