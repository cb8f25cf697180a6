//! A write without an answer, and a read that does not show it yet: it rests,
//! is looked up, and nothing is made twice or given up for it.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, LogEntry, System};

use serde_json::json;

use crate::optout_rig::{BULK, REST, ago, begun, both_ways, email, in_dynamics, settle};
use crate::support::{Setup, World, on_writes};

/// The configuration with this rest.
fn resting(world: &World, rest: &str) {
    let path = world.path("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = format!("read_back = \"{rest}\"");
    std::fs::write(&path, text.replace("read_back = \"0s\"", &line)).unwrap();
}

/// Milliseconds from the first request that met a fault to the next one of this
/// method.
fn rested(world: &World, method: &str) -> i128 {
    let asked = world.asked(System::Campaign);
    let faulted = asked.iter().position(|entry| entry.fault.is_some()).expect("it was met");
    let next = asked[faulted + 1..].iter().find(|entry| entry.method == method).unwrap();
    next.at.duration_since(asked[faulted].at).as_millis()
}

#[test]
fn a_creation_without_an_answer_is_looked_up_no_sooner_than_the_configuration_says() {
    let world = World::new(Setup { contacts: 1, ..Setup::default() });
    resting(&world, "2s");
    world.play(FaultRule { times: Some(1), ..on_writes("POST", Fault::CutAfter) });
    world.equal_after_sync();
    assert_eq!(world.verbs(), ["POST"], "it was found, not repeated");
    assert!(rested(&world, "GET") >= 2000, "{} ms", rested(&world, "GET"));
}

#[test]
fn an_opt_out_without_an_answer_is_looked_up_no_sooner_than_the_configuration_says() {
    let (world, ids) = both_ways(1);
    resting(&world, "2s");
    in_dynamics(&world, ids[0], true, ago(100));
    world.forget();
    world.play(FaultRule { times: Some(1), ..on_writes("PATCH", Fault::CutAfter) });
    settle(&world);
    assert_eq!(email(&world, ids[0]), (true, true));
    assert!(rested(&world, "GET") >= 2000, "{} ms", rested(&world, "GET"));
}

#[test]
fn a_record_that_a_read_does_not_show_yet_is_waited_for() {
    let world = World::new(Setup { contacts: 1, ..Setup::default() });
    let lost = FaultRule { times: Some(1), ..on_writes("POST", Fault::CutAfter) };
    let nothing = Fault::Status { code: 200, body: r#"{"content":[]}"#.to_owned() };
    let unseen = FaultRule {
        path: Some("byExternalId".to_owned()),
        times: Some(4),
        ..on_writes("GET", nothing)
    };
    world.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![lost, unseen] });
    world.equal_after_sync();
    assert_eq!(world.dead_letters().len(), 0);
    assert_eq!(world.verbs(), ["POST", "POST", "POST"], "Campaign refused the other two");
}

#[test]
fn a_key_that_another_record_has_for_ever_is_a_dead_letter_with_its_reason() {
    let world = World::new(Setup { contacts: 1, ..Setup::default() });
    let lost = FaultRule { times: Some(1), ..on_writes("POST", Fault::CutAfter) };
    let nothing = Fault::Status { code: 200, body: r#"{"content":[]}"#.to_owned() };
    let unseen = FaultRule { path: Some("byExternalId".to_owned()), ..on_writes("GET", nothing) };
    world.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![lost, unseen] });
    let run = world.sync();
    assert_eq!(run.code, 1, "{}", run.stderr);
    let letters = world.dead_letters();
    let reason = "Campaign says that a record has this record's key already, and shows none";
    assert_eq!(letters[0]["reason"], reason);
    world.calm();
    world.run(&["dead-letters", "retry"]).ends(0);
    world.equal_after_sync();
    assert_eq!(world.profiles_of(world.contacts()[0]).len(), 1);
}

fn wrote(entry: &LogEntry, method: &str) -> bool {
    entry.method == method && entry.path.contains("/profile")
}

/// A process that dies with the answer to its first write in hand.
fn died_in_doubt(set_out: impl Fn() -> World, flow: &str, method: &str) -> World {
    for answer in 1..100 {
        let world = set_out();
        resting(&world, "3s");
        world.forget();
        let mut command = world.command(&["sync", flow]);
        let died = command.env("CDSYNC_CRASH", format!("answered:{answer}")).output().unwrap();
        assert_eq!(died.status.code(), None, "it ended before it wrote anything");
        if world.asked(System::Campaign).iter().any(|it| wrote(it, method)) {
            return world;
        }
    }
    panic!("nothing was ever written");
}

/// Milliseconds from the first write to the first look-up after it, and the
/// creations in between.
fn looked_up(world: &World, method: &str) -> (i128, usize) {
    let asked = world.asked(System::Campaign);
    let at = asked.iter().position(|it| wrote(it, method)).unwrap();
    let looks = |it: &LogEntry| it.method == "GET" && it.path.contains("byExternalId");
    let next = at + asked[at..].iter().position(looks).expect("it is looked up");
    let creations = asked[at + 1..next].iter().filter(|it| wrote(it, "POST")).count();
    (asked[next].at.duration_since(asked[at].at).as_millis(), creations)
}

#[test]
fn what_a_process_had_sent_as_it_died_is_looked_up_no_sooner_by_the_next() {
    let one = || World::new(Setup { contacts: 1, ..Setup::default() });
    let world = died_in_doubt(one, "ingress", "POST");
    world.add(&json!({ "lastname": "Unconcerned" }));
    world.equal_after_sync();
    let (rested, others) = looked_up(&world, "POST");
    assert!(rested >= 3000, "a creation: {rested} ms");
    assert_eq!(others, 1, "it holds nobody else up");
    let lifting = || {
        let (world, ids) = begun("dynamics-to-campaign", &format!("{REST}{BULK}"), 1);
        in_dynamics(&world, ids[0], true, ago(100));
        settle(&world);
        in_dynamics(&world, ids[0], false, ago(50));
        world
    };
    let world = died_in_doubt(lifting, "optout", "PATCH");
    settle(&world);
    let (rested, _) = looked_up(&world, "PATCH");
    assert!(rested >= 3000, "a lifting: {rested} ms");
}

#[test]
fn what_rests_is_taken_up_within_the_patience_of_a_pass() {
    let one = || World::new(Setup { contacts: 1, ..Setup::default() });
    let world = died_in_doubt(one, "ingress", "POST");
    world.run(&["sync", "ingress", "--patience", "2"]).ends(0);
    world.equal();
}
