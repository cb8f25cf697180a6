//! A crash at every commit and at every request: after a restart on the same
//! file both sides are equal, nothing is doubled and nothing was given up.

use cdsync::sandbox::{Sandbox, System, Variants};
use serde_json::json;

use crate::rig::{self, Rig};

/// Three pages of three rows, so that every request can be crashed at.
const CONTACTS: usize = 8;

pub(crate) const SYNC: &[&str] = &["--log-format", "json", "sync", "ingress"];

/// A name, and what people do before the pass.
pub(crate) type Stage = (&'static str, fn(&Sandbox));

/// What happens in Dynamics before each pass of the scenario.
const STAGES: [Stage; 3] =
    [("first load", |_| {}), ("changes", people_work), ("token lost", token_is_lost)];

fn people_work(sandbox: &Sandbox) {
    let dynamics = sandbox.dynamics();
    let ids = dynamics.ids("contact");
    for id in &ids[..4] {
        let change = json!({ "lastname": "Changed", "emailaddress1": null });
        dynamics.update("contact", *id, &change).unwrap();
    }
    for id in &ids[4..6] {
        assert!(dynamics.delete("contact", *id));
    }
    for number in 0..3 {
        let row = json!({ "firstname": "Nova", "lastname": format!("Nr. {number}") });
        dynamics.insert("contact", &row).unwrap();
    }
}

fn token_is_lost(sandbox: &Sandbox) {
    let dynamics = sandbox.dynamics();
    let ids = dynamics.ids("contact");
    assert!(dynamics.delete("contact", ids[3]));
    for id in &ids[7..9] {
        dynamics.update("contact", *id, &json!({ "donotbulkemail": true })).unwrap();
    }
    dynamics.insert("contact", &json!({ "firstname": "Late", "lastname": "Comer" })).unwrap();
    dynamics.expire_tokens();
}

/// Nothing in Campaign keeps a repeated POST from doubling a profile.
pub(crate) fn nothing_is_unique() -> Variants {
    Variants { unique_external_id: false, ..Variants::default() }
}

/// One pass that may crash as planned, and the restarts after it. If it
/// crashed, how many writes were under way.
pub(crate) async fn pass(rig: &Rig, plan: &str, again: Option<&str>, when: &str) -> Option<i64> {
    let first = rig.run_crashing(SYNC, plan).await;
    if !first.crashed() {
        assert_eq!(first.code, Some(0), "{when}: {first:#?}");
        return None;
    }
    if let Some(again) = again {
        let second = rig.run_crashing(SYNC, again).await;
        assert!(second.crashed() || second.code == Some(0), "{when}: {second:#?}");
    }
    Some(recover(rig, when).await)
}

/// What was under way when the process died is known, and looked up.
async fn recover(rig: &Rig, when: &str) -> i64 {
    let leased = leases(rig);
    let restarted = rig.run(SYNC).await;
    assert_eq!(restarted.code, Some(0), "{when}: {restarted:#?}");
    restarted.adds_up();
    let told: i64 =
        restarted.events("delivery.recovered").iter().filter_map(|e| e["records"].as_i64()).sum();
    assert_eq!(told, leased, "{when}: {restarted:#?}");
    leased
}

fn leases(rig: &Rig) -> i64 {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'outbox'";
    if !rig.store().exists() || rig.number(tables) == 0 {
        return 0;
    }
    rig.number("SELECT count(*) FROM outbox WHERE leased IS NOT NULL")
}

/// Runs the scenario with a crash at the `n`-th hit of `point` in every pass
/// for every `n`, until no pass is long enough to be hit. A pass that once ran
/// through is not crashed again.
async fn sweep(point: &str) {
    let mut open = [true; STAGES.len()];
    let (mut n, mut recovered) = (0, 0);
    while let Some(last) = open.iter().rposition(|open| *open) {
        n += 1;
        let rig = Rig::start(CONTACTS, nothing_is_unique()).await;
        for (stage, (name, change)) in STAGES.iter().enumerate().take(last + 1) {
            let when = format!("{point}:{n}, {name}");
            change(&rig.sandbox);
            if open[stage] {
                let leased = pass(&rig, &format!("{point}:{n}"), None, &when).await;
                open[stage] = leased.is_some();
                recovered += leased.unwrap_or(0);
            } else {
                rig.run(SYNC).await.expect(0);
            }
            rig.assert_equal(&when);
        }
    }
    assert!(n > 12, "{point} was hit {n} times at most: the plan does not work");
    assert!(recovered > 0, "{point}: no write was ever under way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_commit_is_made_good() {
    sweep("commit").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_commit_is_made_good() {
    sweep("committed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_any_request_is_made_good() {
    sweep("request").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_answer_is_made_good() {
    sweep("answered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_during_the_recovery_is_made_good_too() {
    let plans = [
        ("commit:2", "committed:1"),
        ("committed:5", "commit:2"),
        ("request:17", "request:15"),
        ("answered:20", "committed:3"),
        ("answered:18", "answered:18"),
        ("committed:12", "answered:16"),
    ];
    for (plan, again) in plans {
        let rig = Rig::start(CONTACTS, nothing_is_unique()).await;
        for (name, change) in STAGES {
            let when = format!("{plan}, then {again}, {name}");
            change(&rig.sandbox);
            pass(&rig, plan, Some(again), &when).await;
            rig.assert_equal(&when);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_campaign_keeps_unique_changes_nothing() {
    for plan in ["committed:7", "request:19", "answered:15", "answered:22", "answered:27"] {
        let rig = Rig::start(CONTACTS, Variants::default()).await;
        for (name, change) in STAGES {
            let when = format!("{plan}, {name}");
            change(&rig.sandbox);
            pass(&rig, plan, None, &when).await;
            rig.assert_equal(&when);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_crashes_moves_on_and_doubles_nothing() {
    let rig = Rig::start(CONTACTS, nothing_is_unique()).await;
    let mut created = 0;
    for n in 1..60 {
        let log = rig.sandbox.requests();
        log.clear();
        let crashed = rig.run_crashing(SYNC, &format!("answered:{n}")).await.crashed();
        created += log.count_of(System::Campaign, "POST");
        if !crashed {
            break;
        }
    }
    rig.assert_equal("after many crashes");
    assert_eq!(rig.sandbox.campaign().count("profile"), CONTACTS);
    assert!(created >= CONTACTS as u64, "{created} creations");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_table_that_cannot_be_written_are_kept_and_not_doubted() {
    let rig = Rig::start(CONTACTS, nothing_is_unique()).await;
    assert!(rig.run_crashing(SYNC, "request:18").await.crashed());
    let campaign = rig.sandbox.campaign();
    campaign.remove_field("profile", "cusCustomerSince").unwrap();
    let failed = rig.run(SYNC).await;
    assert_eq!(failed.expect(1).adds_up().events("schema.drifted").len(), 1, "{failed:#?}");
    assert!(rig.number("SELECT count(*) FROM outbox") > 0);
    assert_eq!(leases(&rig), 0, "what was never tried is not under way");
    let failed_again = rig.run(SYNC).await;
    assert_eq!(failed_again.expect(1).events("delivery.recovered").len(), 0);
    let mended = rig::CONTACTS.replace("to = \"cusCustomerSince\"", "to = \"cusNote\"");
    rig.configure(&mended);
    // What was decided under the old mapping may still be refused once; the
    // full read that the new mapping asks for decides anew.
    let first = rig.run(SYNC).await;
    assert!(matches!(first.adds_up().code, Some(0 | 1)), "{first:#?}");
    rig.run(SYNC).await.expect(0).adds_up();
    rig.assert_equal("after the mapping was mended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_program_in_order_and_loses_nothing() {
    let mut refusals = 0;
    // In blocks of 512 bytes: how large any file may become.
    for blocks in [16, 100, 150, 200, 300] {
        let rig = Rig::start(CONTACTS, nothing_is_unique()).await;
        let plain = rig.command(SYNC);
        let mut limited = std::process::Command::new("sh");
        limited
            .args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &blocks.to_string()])
            .arg(plain.get_program())
            .args(plain.get_args())
            .env("CDSYNC_CONFIG", rig.path("config.toml"));
        let ended = rig::finish(limited).await;
        assert!(matches!(ended.code, Some(0 | 5)), "{blocks}: {ended:#?}");
        if ended.code == Some(5) {
            refusals += 1;
            let said = ended.err.lines().last().unwrap_or_default();
            assert!(said.contains("\"reason\":\"the store "), "{blocks}: {ended:#?}");
        }
        rig.run(SYNC).await.expect(0);
        rig.assert_equal(&format!("a limit of {blocks} blocks"));
    }
    assert!(refusals >= 3, "{refusals}: the limits are too wide to show anything");
}
