//! Writes of flags that a system keeps refusing: they hold nobody else up, and
//! every pass comes to an end.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};

use crate::optout_rig::{ago, both_ways, email, in_campaign, in_dynamics, passed};
use crate::support::{on_writes, status};

/// Everybody opts out in Campaign, and Dynamics takes the writes of all but the
/// first `bad` contacts.
#[track_caller]
fn others_are_written(bad: usize) {
    let (world, mut ids) = both_ways(40);
    // In the order in which they are settled.
    ids.sort();
    let now = ago(60);
    for id in &ids {
        in_campaign(&world, *id, true, Some(now));
    }
    let body = r#"{"error":{"code":"0x80040216","message":"An unexpected error occurred."}}"#;
    let fails = |id: &uuid::Uuid| FaultRule {
        system: Some(System::Dynamics),
        method: Some("PATCH".to_owned()),
        path: Some(id.to_string()),
        ..FaultRule::always(Fault::Status { code: 500, body: body.to_owned() })
    };
    world.sandbox.set_faults(FaultPlan { seed: 1, rules: ids[..bad].iter().map(fails).collect() });
    let run = passed(&world);
    let done = ids.iter().filter(|id| email(&world, **id) == (true, true)).count();
    assert_eq!(done, 40 - bad, "{}", run.stderr);
    assert!(ids[bad..].iter().all(|id| email(&world, *id) == (true, true)));
    let counts = run.counts();
    assert_eq!(counts.pending + counts.dead_lettered, bad as u64, "{}", run.stderr);
    assert_eq!(run.code, if counts.pending > 0 { 4 } else { 1 }, "{}", run.stderr);
    // What was let go is written as soon as it is taken.
    world.calm();
    passed(&world);
    let done = ids.iter().filter(|id| email(&world, **id) == (true, true)).count();
    assert_eq!(done as u64, 40 - counts.dead_lettered);
}

#[test]
fn a_few_contacts_that_dynamics_never_takes_hold_nobody_else_up() {
    others_are_written(6);
}

#[test]
fn more_contacts_that_dynamics_never_takes_than_are_settled_at_a_time_hold_nobody_else_up() {
    others_are_written(20);
}

#[test]
fn a_pass_ends_when_campaign_takes_no_flag_at_all() {
    for code in [500, 503] {
        let (world, ids) = both_ways(40);
        let now = ago(60);
        for id in &ids {
            in_dynamics(&world, *id, true, now);
        }
        world.play(on_writes("PATCH", status(code)));
        let run = world.run(&["sync", "optout", "--patience", "3"]).ends(4);
        assert_eq!(run.counts().pending, 40, "{code}: {}", run.stderr);
        assert!(world.dead_letters().is_empty(), "{code}");
        world.calm();
        passed(&world).ends(0);
        assert!(ids.iter().all(|id| email(&world, *id) == (true, true)), "{code}");
    }
}
