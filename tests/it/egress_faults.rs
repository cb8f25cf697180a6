//! Whatever comes between: each event is one activity in the end.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System, Variants};

use crate::egress_world::{Post, on_batches, on_operations};
use crate::rig::Running;
use crate::support::status;

const EVENTS: usize = 60;

/// Small batches, so that several meet the fault.
const SMALL: &str = "batch = 7";

/// One pass through these faults that must end well.
#[track_caller]
fn survives(name: &str, rules: Vec<FaultRule>) -> Post {
    let post = Post::new(3, SMALL);
    post.tell(0, EVENTS, &post.world.contacts());
    post.world.sandbox.set_faults(FaultPlan { seed: 3, rules });
    let run = post.sync();
    assert_eq!(run.code, 0, "{name}: {}", run.stderr);
    assert_eq!(run.counts().written, EVENTS as u64, "{name}");
    let faults = post.world.sandbox.requests().faults();
    assert!(!faults.is_empty(), "{name} was not played");
    post.has_each_once(EVENTS);
    post
}

fn now_and_then(rule: FaultRule) -> FaultRule {
    FaultRule { every: Some(3), times: Some(6), ..rule }
}

#[test]
fn lost_answers_double_nothing() {
    for fault in [Fault::CutAfter, Fault::CutBefore, Fault::CutIn] {
        survives(fault.name(), vec![now_and_then(on_batches(fault.clone()))]);
    }
}

#[test]
fn answers_that_cannot_be_read_double_nothing() {
    for fault in [Fault::Truncated, Fault::Foreign, Fault::WrongContent] {
        survives(fault.name(), vec![now_and_then(on_batches(fault.clone()))]);
    }
}

#[test]
fn a_busy_or_broken_server_is_waited_for() {
    for code in [500, 502, 503, 504] {
        let rule = FaultRule { every: Some(4), times: Some(3), ..on_batches(status(code)) };
        survives(&format!("HTTP {code}"), vec![rule]);
    }
}

#[test]
fn a_token_that_ends_in_between_is_renewed() {
    // Not more: the same request could meet it again, and one that is refused
    // with a fresh token needs a person.
    let rule = FaultRule { after: Some(3), times: Some(1), ..on_batches(Fault::ExpiredToken) };
    survives("expired token", vec![rule]);
}

#[test]
fn a_request_that_is_throttled_waits_as_long_as_it_is_told() {
    let rule = FaultRule { times: Some(1), ..on_batches(Fault::Throttle { retry_after: 1 }) };
    survives("throttled", vec![rule]);
}

#[test]
fn single_operations_that_fail_are_repeated_alone() {
    for (name, fault) in [
        ("500", status(500)),
        ("503", status(503)),
        ("lost", Fault::CutAfter),
        ("cut", Fault::CutBefore),
        ("401", status(401)),
    ] {
        let rule = FaultRule { every: Some(9), times: Some(6), ..on_operations(fault) };
        survives(name, vec![rule]);
    }
}

#[test]
fn one_throttled_operation_holds_all_requests_up() {
    let rule = FaultRule {
        after: Some(10),
        times: Some(1),
        ..on_operations(Fault::Throttle { retry_after: 1 })
    };
    let post = Post::new(3, SMALL);
    post.tell(0, EVENTS, &post.world.contacts());
    post.world.play(rule);
    let run = post.sync().ends(0);
    assert_eq!(run.events("delivery.throttled").len(), 1);
    post.has_each_once(EVENTS);
}

#[test]
fn a_crowd_of_faults_at_once_leaves_each_event_with_one_activity() {
    let some = |probability, rule: FaultRule| FaultRule { probability: Some(probability), ..rule };
    let rules = vec![
        some(0.05, on_batches(Fault::CutAfter)),
        some(0.05, on_batches(Fault::Truncated)),
        some(0.05, on_batches(status(503))),
        some(0.02, on_operations(status(500))),
        some(0.02, on_operations(Fault::CutAfter)),
    ];
    let variants = Variants {
        journal_repeats: 3,
        journal_shuffle: 20,
        journal_batch: 30,
        ..Variants::default()
    };
    let post = Post::with(5, "batch = 20\ncomplete_activities = true", variants);
    post.tell(0, 1000, &post.world.contacts());
    post.world.sandbox.set_faults(FaultPlan { seed: 11, rules });
    assert_eq!(post.synced().written, 1000);
    post.has_each_once(1000);
    assert!(post.activities().values().all(|(_, row)| row["statecode"] == 1));
}

#[test]
fn a_batch_that_is_refused_for_one_of_its_events_is_cut_until_that_one_is_alone() {
    let post = Post::new(1, "batch = 16");
    post.tell(0, 16, &post.world.contacts());
    // As a proxy that does not like one word of a body: the whole is refused.
    let refused = r#"{"error":{"code":"0x80040203","message":"Invalid argument."}}"#;
    let body = Fault::Status { code: 400, body: refused.to_owned() };
    post.world.play(FaultRule { times: Some(2), ..on_batches(body) });
    assert_eq!(post.synced().written, 16);
    post.has_each_once(16);
}

#[test]
fn where_nothing_answers_the_command_gives_up_and_keeps_all() {
    let post = Post::new(1, "");
    post.tell(0, 8, &post.world.contacts());
    post.world.play(on_batches(status(503)));
    let run = post.world.run(&["sync", "egress", "--patience", "2"]).ends(4);
    assert_eq!(run.counts().pending, 8);
    post.world.calm();
    assert_eq!(post.synced().written, 8);
    post.has_each_once(8);
}

#[test]
fn one_row_that_is_not_understood_does_not_hold_its_table_up() {
    let post = Post::new(1, "");
    post.tell(0, 16, &post.world.contacts());
    let body = r#"{"error":{"code":"0x80048d19","message":"Error identified in Payload provided by the user for Entity :'', For more information on this error please follow this help link"}}"#;
    let fault = Fault::Status { code: 400, body: body.to_owned() };
    post.world.play(FaultRule { after: Some(5), times: Some(1), ..on_operations(fault) });
    let counts = post.sync().ends(1).counts();
    assert_eq!((counts.written, counts.dead_lettered, counts.pending), (15, 1, 0));
    post.world.calm();
    let letters = post.world.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:#?}");
    assert_eq!(post.activities().len(), 15);
}

#[test]
fn an_interrupted_pass_settles_what_is_on_its_way_and_says_how_it_ended() {
    // One event a request and 16 requests at one time: most have not begun when
    // the signal comes, however late the program hears of it.
    const MANY: usize = 200;
    for signal in ["TERM", "INT"] {
        let post = Post::new(3, "batch = 1");
        post.tell(0, MANY, &post.world.contacts());
        post.world.play(on_batches(Fault::Slow { ms: 700 }));
        let (began, begins) = std::sync::mpsc::channel();
        post.world.sandbox.before((System::Dynamics, "POST", "$batch"), 0, move || {
            began.send(()).unwrap();
        });
        let running = Running::start(post.world.command(&["sync", "egress"]));
        begins.recv_timeout(std::time::Duration::from_mins(1)).unwrap();
        running.signal(signal);
        let ended = running.end();
        assert_eq!((ended.code, ended.signal), (Some(1), None), "{ended:#?}");
        assert!(ended.err.contains("interrupted; the next run goes on"), "{ended:#?}");
        let finished = ended.adds_up().events("flow.finished");
        assert_eq!(finished.len(), 1, "{ended:#?}");
        assert_eq!(finished[0]["outcome"], "incomplete", "{ended:#?}");
        let written = finished[0]["written"].as_u64().unwrap();
        assert!(written > 0 && written < MANY as u64, "{ended:#?}");
        assert_eq!(post.activities().len() as u64, written);
        post.world.calm();
        post.synced();
        post.has_each_once(MANY);
    }
}

#[test]
fn what_is_read_of_a_table_takes_one_request_where_the_server_expands_relations() {
    let refused = r#"{"error":{"code":"0x80060888","message":"$expand is not supported"}}"#;
    for (code, most) in [(None, 1), (Some(400), 3), (Some(404), 3), (Some(501), 9)] {
        let post = Post::new(1, "");
        post.tell(0, 4, &post.world.contacts());
        if let Some(code) = code {
            let fault = Fault::Status { code, body: refused.to_owned() };
            post.world
                .play(FaultRule { path: Some("expand=".to_owned()), ..FaultRule::always(fault) });
        }
        assert_eq!(post.synced().written, 4, "{code:?}");
        post.has_each_once(4);
        let mut asked = post.world.asked(System::Dynamics);
        asked.retain(|entry| entry.path.contains("new_campaignemailsend'"));
        assert!((1..=most).contains(&asked.len()), "{code:?}: {asked:#?}");
    }
}
