//! A crash at any commit and at any request of a replay or a repair: the next
//! command goes on, and both sides are equal.

use cdsync::sandbox::Variants;
use serde_json::json;

use crate::rig::Rig;

/// Three pages of three rows.
const CONTACTS: usize = 8;

const SYNC: &[&str] = &["--log-format", "json", "sync", "ingress"];

/// Nothing in Campaign keeps a repeated POST from doubling a profile.
fn nothing_is_unique() -> Variants {
    Variants { unique_external_id: false, ..Variants::default() }
}

/// Drift that both a replay and a repair can mend.
fn plant(rig: &Rig) {
    let campaign = rig.sandbox.campaign();
    let ids = rig.sandbox.dynamics().ids("contact");
    for id in &ids[..4] {
        let changes = json!({ "lastName": "Edited", "blackListEmail": true });
        assert_eq!(campaign.update("profile", "externalId", &id.to_string(), &changes).unwrap(), 1);
    }
    assert_eq!(campaign.delete("profile", "externalId", &ids[5].to_string()), 1);
}

/// Crashes the command at the `n`-th hit of `point` for every `step`-th `n`, until
/// it is not long enough to be hit; each time the next command makes it good.
async fn sweep(purpose: &[&str], point: &str, step: usize, orphan: bool) {
    let mut command = vec!["--log-format", "json", "resync", "--table", "contact"];
    command.extend(purpose);
    for n in (1..).step_by(step) {
        let rig = Rig::start(CONTACTS, nothing_is_unique()).await;
        rig.run(SYNC).await.expect(0);
        plant(&rig);
        if orphan {
            let key = "57570000-0000-4000-8000-000000005757";
            rig.sandbox.campaign().insert("profile", &json!({ "externalId": key })).unwrap();
        }
        let first = rig.run_crashing(&command, &format!("{point}:{n}")).await;
        let when = format!("{purpose:?} {point}:{n}");
        if !first.crashed() {
            assert_eq!(first.code, Some(0), "{when}: {first:#?}");
            rig.assert_equal(&when);
            assert!(n > 12, "{point} was hit {n} times at most: the plan does not work");
            return;
        }
        if (n / step).is_multiple_of(2) {
            rig.run(SYNC).await.adds_up().expect(0);
        }
        rig.run(&command).await.adds_up().expect(0);
        rig.assert_equal(&when);
        for table in ["resync", "resync_record", "resync_listed"] {
            assert_eq!(rig.number(&format!("SELECT count(*) FROM {table}")), 0, "{when}: {table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_dies_at_any_commit_goes_on() {
    sweep(&[], "committed", 1, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_dies_after_any_answer_goes_on() {
    sweep(&[], "answered", 2, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_that_dies_before_any_commit_goes_on() {
    sweep(&["--repair"], "commit", 1, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_that_dies_before_any_request_goes_on() {
    sweep(&["--repair"], "request", 2, true).await;
}
