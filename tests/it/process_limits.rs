//! What the machine withholds from a process or does with it: memory, file
//! descriptors, time in which it runs; and what stands around it: a proxy's
//! name in the environment, who looks at its arguments.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, Sandbox, System, Variants};
use serde_json::json;

use crate::ingress_hostile::Tripwire;
use crate::rig::{CONTACTS, Rig, Running, finish};

const RUN: &[&str] = &["--log-format", "json", "run"];
const SYNC: &[&str] = &["--log-format", "json", "sync"];
const VIA: &[&str] = &["sync", "--via-daemon"];

/// Nothing in Campaign keeps a repeated POST from doubling a profile.
async fn nothing_is_unique(contacts: usize) -> Rig {
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    Rig::start(contacts, variants).await
}

fn by_schedule(rig: &Rig, schedule: &str) {
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", schedule);
    fs::write(rig.path("config.toml"), text).unwrap();
}

fn edit(rig: &Rig, name: &str) {
    let id = rig.sandbox.dynamics().ids("contact")[0];
    rig.sandbox.dynamics().update("contact", id, &json!({ "lastname": name })).unwrap();
}

/// Lets a process have no more than this of something.
fn limit(pid: u32, what: &str) {
    let pid = pid.to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, what]).status().unwrap();
    assert!(status.success(), "prlimit --pid {pid} {what}");
}

/// Holds the answer to a request: told when the request is there, and lets it
/// go when the sender is dropped.
fn hold(
    sandbox: &Sandbox,
    request: (System, &str, &str),
) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (here, arrived) = mpsc::channel();
    let (answer, go) = mpsc::channel::<()>();
    sandbox.before(request, 0, move || {
        let _ = here.send(());
        let _ = go.recv_timeout(Duration::from_mins(2));
    });
    (arrived, answer)
}

/// The size of a process's memory, in bytes.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_without_memory_ends_and_the_next_start_loses_and_doubles_nothing() {
    const SIGABRT: i32 = 6;
    for request in [(System::Dynamics, "GET", "/contacts"), (System::Campaign, "POST", "/profile")]
    {
        let rig = nothing_is_unique(6).await;
        let (arrived, answer) = hold(&rig.sandbox, request);
        let daemon = Running::start(rig.command(RUN));
        arrived.recv_timeout(Duration::from_mins(2)).unwrap();
        // The answer on its way, and all later ones, need more than it may have.
        let huge = FaultRule::always(Fault::HugeBody { bytes: 60 << 20 });
        rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![huge] });
        limit(daemon.pid(), &format!("--as={}", memory(daemon.pid()) + (16 << 20)));
        drop(answer);
        let ended = daemon.end();
        assert_eq!(ended.signal, Some(SIGABRT), "{request:?}: {ended:#?}");
        assert!(ended.err.contains("memory allocation of"), "{request:?}: {ended:#?}");
        rig.sandbox.set_faults(FaultPlan::default());
        rig.run(SYNC).await.expect(0).adds_up();
        rig.assert_equal(&format!("{request:?}"));
        assert_eq!(rig.sandbox.campaign().rows("profile").len(), 6, "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_unpacks_without_end_takes_no_more_memory_than_its_limit() {
    for request in [(System::Dynamics, "GET", "/contacts"), (System::Campaign, "POST", "/profile")]
    {
        let rig = Rig::usual(3).await;
        let (arrived, answer) = hold(&rig.sandbox, request);
        let pass = Running::start(rig.command(SYNC));
        arrived.recv_timeout(Duration::from_mins(2)).unwrap();
        let bomb = Fault::GzipBomb { bytes: 1 << 30 };
        let rule = FaultRule { times: Some(2), ..FaultRule::always(bomb) };
        rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
        // Room for the largest body that is taken, and for copies of it.
        limit(pass.pid(), &format!("--as={}", memory(pass.pid()) + (400 << 20)));
        drop(answer);
        let ended = pass.end();
        assert!(matches!(ended.code, Some(0 | 1)), "{request:?}: {ended:#?}");
        let entries = rig.sandbox.requests().entries();
        assert!(entries.iter().any(|it| it.fault.is_some()), "{request:?}: it never came");
        rig.run(SYNC).await.expect(0);
        rig.assert_equal(&format!("{request:?}"));
    }
}

/// Documents that are as large as a body may be and many times that once they are
/// laid open, without depth, or that say two things of one record.
fn shapes(list: &str, key: &str) -> [(&'static str, String); 8] {
    let page = |rows: &str| format!("{{\"{list}\":[{rows}]}}");
    let mut fields = String::new();
    (0..4_000_000).for_each(|at| write!(fields, "\"f{at}\":0,").unwrap());
    let deep = format!("{}0{}", "{\"a\":".repeat(9 << 20), "}".repeat(9 << 20));
    let mut rows = String::new();
    let id = "00000000-0000-0000-0000";
    (0..99_999).for_each(|at| write!(rows, "{{\"{key}\":\"{id}-{at:012}\"}},").unwrap());
    [
        ("rows", page(&format!("{}{{}}", "{},".repeat(18 << 20)))),
        ("fields", page(&format!("{{{fields}\"f\":0}}"))),
        ("a text", page(&format!("{{\"{key}\":\"{}\"}}", "x".repeat(60 << 20)))),
        ("depth", page(&format!("{}{}", "[".repeat(30 << 20), "]".repeat(30 << 20)))),
        ("depth of a row", page(&format!("{{\"{key}\":{deep}}}"))),
        ("a field that is a list", page(&format!("{{\"{key}\":[{}0]}}", "0,".repeat(30 << 20)))),
        ("rows that could be", page(&format!("{rows}{{}}"))),
        ("a field twice", page(&format!("{{\"{key}\":\"a\",\"{key}\":\"b\"}}"))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_of_any_shape_takes_no_more_memory_than_the_largest_body() {
    for (system, path, list, key) in [
        (System::Dynamics, "/contacts?", "value", "contactid"),
        (System::Campaign, "/profile?", "content", "externalId"),
    ] {
        for (shape, body) in shapes(list, key) {
            let rig = Rig::usual(3).await;
            let (arrived, answer) = hold(&rig.sandbox, (system, "GET", path));
            let pass = Running::start(rig.command(SYNC));
            arrived.recv_timeout(Duration::from_mins(2)).unwrap();
            let rule = FaultRule::always(Fault::Status { code: 200, body });
            let path = Some(path.to_owned());
            let rule = FaultRule { system: Some(system), path, ..rule };
            rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
            limit(pass.pid(), &format!("--as={}", memory(pass.pid()) + (400 << 20)));
            drop(answer);
            let ended = pass.end();
            assert!(matches!(ended.code, Some(0 | 1)), "{system:?}, {shape}: {ended:#?}");
            let entries = rig.sandbox.requests().entries();
            assert!(entries.iter().any(|it| it.fault.is_some()), "{system:?}, {shape}: not met");
            rig.sandbox.set_faults(FaultPlan::default());
            rig.run(SYNC).await.expect(0);
            rig.assert_equal(&format!("{system:?}, {shape}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_may_open_too_few_files_says_so_before_it_does_anything() {
    let rig = Rig::usual(2).await;
    let plain = rig.command(SYNC);
    let (mut refused, mut done) = (0, 0);
    // With fewer the machine cannot even load it.
    for files in ["5", "6", "7", "8", "10", "12", "14", "16", "18", "20", "64"] {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n $0; exec \"$@\"", files]);
        command.arg(plain.get_program()).args(plain.get_args());
        command.env("CDSYNC_CONFIG", rig.path("config.toml")).env_remove("CDSYNC_CRASH");
        let ended = finish(command).await;
        match ended.code {
            Some(0) => done += 1,
            Some(2) => {
                refused += 1;
                assert!(ended.err.contains("may open too few files"), "{files}: {ended:#?}");
                assert!(ended.err.contains("LimitNOFILE"), "{files}: {ended:#?}");
                assert_eq!(rig.sandbox.requests().entries().len(), 0, "{files}");
                assert!(!rig.store().exists(), "{files}");
            }
            _ => panic!("{files}: {ended:#?}"),
        }
    }
    assert!(refused >= 8 && done >= 1, "{refused} refused, {done} done");
    rig.assert_equal("with enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_without_file_descriptors_says_so_and_goes_on_when_there_are_some_again() {
    let rig = nothing_is_unique(4).await;
    by_schedule(&rig, "* * * * * *");
    // No connection is kept: each request needs a descriptor.
    let set = [("connection".to_owned(), "close".to_owned())].into();
    let close = FaultRule::always(Fault::Headers { set });
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![close] });
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    limit(daemon.pid(), "--nofile=4:1024");
    edit(&rig, "Waiting");
    let told = daemon.wait_for("Too many open files");
    assert!(told.contains("\"event\":"), "{told}");
    limit(daemon.pid(), "--nofile=1024:1024");
    daemon.wait_for("\"written\":1");
    assert!(rig.differences().is_empty(), "{:#?}", rig.differences());
    rig.run(&["status"]).await.expect(0);
    daemon.signal("TERM");
    daemon.end().expect(0);
    rig.assert_equal("with descriptors again");
    let says: String = rig.raw().query_row("PRAGMA integrity_check", [], |it| it.get(0)).unwrap();
    assert_eq!(says, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_in_the_environment_is_never_called() {
    let tripwire = Tripwire::new();
    let rig = Rig::usual(3).await;
    for names in
        [["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"], ["http_proxy", "https_proxy", "all_proxy"]]
    {
        let mut command = rig.command(SYNC);
        command.env_remove("NO_PROXY").env_remove("no_proxy");
        // As a CGI program, which is the one case where a library may ignore it.
        command.env_remove("REQUEST_METHOD");
        for name in names {
            command.env(name, tripwire.origin());
        }
        edit(&rig, names[0]);
        finish(command).await.expect(0);
        rig.assert_equal(names[0]);
        tripwire.untouched();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_stands_in_the_arguments_or_the_environment_of_a_daemon() {
    let rig = Rig::usual(2).await;
    let daemon = Running::start(rig.command(RUN));
    daemon.wait_for("\"flow.finished\"");
    let credentials = rig.sandbox.credentials();
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{}/{file}", daemon.pid())).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.is_empty(), "{file} is read");
        for secret in [&credentials.dynamics_client_secret, &credentials.campaign_client_secret] {
            assert!(!text.contains(secret.as_str()), "{file}");
        }
        assert!(!text.contains("Bearer") && !text.contains("eyJ"), "{file}");
    }
    daemon.signal("TERM");
    daemon.end().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_was_stopped_for_a_day_asks_for_new_tokens_and_doubles_nothing() {
    let rig = nothing_is_unique(5).await;
    by_schedule(&rig, "0 0 0 1 1 *");
    let jump = |to: &str| fs::write(rig.path("clock"), to).unwrap();
    jump("+0");
    let mut command = rig.command(RUN);
    // Both of its clocks, as those of a process that did not run meanwhile.
    command
        .env("LD_PRELOAD", crate::daemon_hardship::faketime())
        .env("FAKETIME_TIMESTAMP_FILE", rig.path("clock"))
        .env("FAKETIME_NO_CACHE", "1");
    let daemon = Running::start(command);
    daemon.wait_for("\"flow.finished\"");
    daemon.signal("STOP");
    jump("+25h");
    rig.sandbox.requests().clear();
    daemon.signal("CONT");
    rig.run(VIA).await.expect(0);
    let seen: Vec<System> = rig.sandbox.requests().entries().iter().map(|it| it.system).collect();
    let first = |system| seen.iter().position(|it| *it == system);
    assert!(first(System::Entra).is_some(), "{seen:?}");
    assert!(first(System::Entra) < first(System::Dynamics), "{seen:?}");
    // With a write on its way, which is carried out while it is stopped.
    let row = json!({ "firstname": "Nova", "lastname": "Late" });
    rig.sandbox.dynamics().insert("contact", &row).unwrap();
    let (arrived, answer) = hold(&rig.sandbox, (System::Campaign, "POST", "/profile"));
    let asking = Running::start(rig.command(VIA));
    arrived.recv_timeout(Duration::from_mins(2)).unwrap();
    daemon.signal("STOP");
    drop(answer);
    jump("+50h");
    daemon.signal("CONT");
    // To the pass that was under way no progress was made for a day.
    let asked = asking.end();
    assert!(matches!(asked.code, Some(0 | 4)), "{asked:#?}");
    rig.run(VIA).await.expect(0);
    daemon.signal("TERM");
    daemon.end().expect(0);
    // What the pass that gave up had under way is looked up at the latest now.
    rig.run(SYNC).await.expect(0);
    rig.assert_equal("days later");
    assert_eq!(rig.sandbox.campaign().rows("profile").len(), 6);
}
