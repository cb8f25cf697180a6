//! A crash at every commit and at every request of a pass: the same end, and no
//! opt-out is lifted that the ledger had not proven before.

use uuid::Uuid;

use crate::optout_rig::{
    BULK, REST, ago, decided, email, fresh, in_campaign, in_dynamics, number, settle, silent,
};
use crate::support::World;

/// Dynamics' value, Campaign's value, Campaign's lead in seconds, the end.
const PEOPLE: [(bool, bool, i64, bool); 4] = [
    (true, false, 120, false),
    (true, false, -120, true),
    (false, true, 0, true),
    (true, true, 120, true),
];

/// Everybody says something, at times that are later in each round.
fn set_out(world: &World, ids: &[Uuid], round: i64) {
    let base = 40_000 - round * 300;
    for (id, (dynamics, campaign, lead, _)) in ids.iter().zip(PEOPLE) {
        in_dynamics(world, *id, dynamics, ago(base));
        in_campaign(world, *id, campaign, Some(ago(base - lead)));
    }
}

/// What both sides hold beside what was set out: every lifting is proven.
fn proven(world: &World, ids: &[Uuid], before: &[usize], when: &str) {
    for (place, (id, (dynamics, campaign, _, end))) in ids.iter().zip(PEOPLE).enumerate() {
        let (d, c) = email(world, *id);
        let lifted = dynamics && !d || campaign && !c;
        assert!(!(lifted && end), "{when}: an opt-out was lifted that stands");
        if lifted {
            let new = decided(world, *id).split_off(before[place]);
            let told = new.iter().any(|it| !it.result && it.reason == "campaign-newer");
            assert!(told, "{when}: lifted before it was in the ledger: {new:?}");
        }
    }
}

fn crashed(world: &World, plan: &str) -> bool {
    let mut command = world.command(&["sync", "optout", "--patience", "60"]);
    let output = command.env("CDSYNC_CRASH", plan).output().unwrap();
    match output.status.code() {
        None => true,
        Some(code) => {
            assert_eq!(code, 0, "{plan}: {}", String::from_utf8_lossy(&output.stderr));
            false
        }
    }
}

fn sweep(point: &str, first_run: bool) {
    let (world, ids) = fresh("bidirectional", &format!("{REST}{BULK}"), PEOPLE.len());
    if !first_run {
        settle(&world);
    }
    let mut hits = 0;
    for n in 1.. {
        let when = format!("{point}:{n}, first run: {first_run}");
        if first_run {
            world.lose_store();
        }
        set_out(&world, &ids, n);
        let known = |id: &Uuid| if first_run { 0 } else { decided(&world, *id).len() };
        let before: Vec<usize> = ids.iter().map(known).collect();
        let hit = crashed(&world, &format!("{point}:{n}"));
        let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'consent_decision'";
        if world.path("store.db").exists() && number(&world, there) > 0 {
            proven(&world, &ids, &before, &when);
        }
        if hit {
            hits += 1;
            settle(&world);
        }
        for (id, (_, _, _, end)) in ids.iter().zip(PEOPLE) {
            assert_eq!(email(&world, *id), (end, end), "{when}");
        }
        proven(&world, &ids, &before, &when);
        let open = "SELECT count(*) FROM consent WHERE state <> 'settled'";
        assert_eq!(number(&world, open), 0, "{when}");
        let unknown = "SELECT count(*) FROM consent_decision WHERE outcome = 'intended'";
        assert_eq!(number(&world, unknown), 0, "{when}");
        if n % 10 == 0 || !hit {
            silent(&world, &when);
        }
        if !hit {
            break;
        }
    }
    assert!(hits > 6, "{point} was hit {hits} times: the plan does not work");
}

#[test]
fn a_crash_before_any_request_loses_no_opt_out() {
    sweep("request", false);
}

#[test]
fn a_crash_after_any_answer_loses_no_opt_out() {
    sweep("answered", false);
}

#[test]
fn a_crash_at_any_commit_loses_no_opt_out() {
    sweep("commit", false);
    sweep("committed", false);
}

#[test]
fn a_crash_after_any_answer_of_the_first_run_loses_no_opt_out() {
    sweep("answered", true);
}

#[test]
fn a_crash_behind_any_commit_of_the_first_run_loses_no_opt_out() {
    sweep("committed", true);
}
