//! Each fault of the sandbox in the way of reads and writes: what can heal
//! heals within the pass, what cannot is told, and nothing is lost or doubled.

use cdsync::sandbox::{ErrorStyle, Fault, FaultRule, System, Variants};
use serde_json::json;

use crate::support::{FIELDS, Setup, World, by_filter, by_uri, on_pages, on_writes, status};

/// Faults that a patient client gets over by itself.
fn healing() -> Vec<Fault> {
    vec![
        Fault::Throttle { retry_after: 1 },
        status(500),
        status(502),
        status(503),
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::CutIn,
        Fault::Truncated,
        Fault::Foreign,
        Fault::ExpiredToken,
    ]
}

/// Those of them that leave open whether the request was carried out.
fn doubtful() -> Vec<Fault> {
    vec![status(500), Fault::CutAfter, Fault::CutIn, Fault::Truncated]
}

fn filtered() -> World {
    loaded(by_filter("apply_deletes = true", FIELDS))
}

fn keyed() -> World {
    loaded(by_uri("apply_deletes = true", FIELDS))
}

fn loaded(tables: String) -> World {
    // Without a unique key Campaign itself would not notice a record created twice.
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    let world = World::new(Setup { tables, variants, page_rows: 5, ..Setup::default() });
    world.equal_after_sync();
    world
}

/// A change of every kind.
fn stir(world: &World, round: usize) {
    let ids = world.contacts();
    world.delete(ids[0]);
    for id in &ids[1..8] {
        world.change(*id, &json!({ "lastname": format!("Round {round}"), "new_points": round }));
    }
    for number in 0..2 {
        world.add(&json!({ "lastname": format!("New {round}.{number}") }));
    }
}

/// Stirs and syncs with each fault in the way of what `rule` makes of it; the
/// waits of several worlds pass at the same time.
fn heals(world: fn() -> World, faults: &[Fault], rule: impl Fn(Fault) -> FaultRule + Sync) {
    std::thread::scope(|scope| {
        for faults in faults.chunks(3) {
            let rule = &rule;
            scope.spawn(move || {
                let world = world();
                for (round, fault) in faults.iter().enumerate() {
                    stir(&world, round);
                    healed(&world, rule(fault.clone()));
                }
            });
        }
    });
}

/// A pass that meets a fault once and leaves both sides equal.
fn healed(world: &World, rule: FaultRule) {
    world.forget();
    let name = rule.fault.name();
    world.play(FaultRule { times: Some(1), ..rule });
    let run = world.sync();
    assert_eq!(run.code, 0, "{name}: {}", run.stderr);
    assert_eq!(world.sandbox.requests().faults().get(name), Some(&1), "{name} was met");
    let differences = crate::ingress_compare::compare(&world.sandbox);
    assert!(differences.is_empty(), "{name}: {differences:#?}");
}

#[test]
fn pages_of_dynamics_come_through_every_fault_that_can_heal() {
    heals(filtered, &healing(), on_pages);
}

#[test]
fn look_ups_in_campaign_come_through_every_fault_that_can_heal() {
    heals(filtered, &healing(), |fault| FaultRule {
        path: Some("byExternalId".to_owned()),
        ..on_writes("GET", fault)
    });
}

#[test]
fn a_look_up_goes_on_behind_an_empty_page() {
    heals(filtered, &[Fault::EmptyPage], |fault| FaultRule {
        path: Some("byExternalId".to_owned()),
        ..on_writes("GET", fault)
    });
}

#[test]
fn the_listing_of_campaign_comes_through_every_fault_that_can_heal() {
    std::thread::scope(|scope| {
        for fault in healing() {
            scope.spawn(move || {
                let world = filtered();
                world.lose_store();
                healed(
                    &world,
                    FaultRule {
                        path: Some("_forcePagination".to_owned()),
                        ..FaultRule::always(fault)
                    },
                );
                assert!(world.writes().is_empty(), "{:?}", world.writes());
            });
        }
    });
}

#[test]
fn metadata_comes_through_faults_that_can_heal() {
    for (system, path) in
        [(System::Dynamics, "EntityDefinitions"), (System::Campaign, "resourceType")]
    {
        let faults = [status(503), Fault::CutIn, Fault::Truncated, Fault::Foreign];
        heals(filtered, &faults, |fault| FaultRule {
            system: Some(system),
            path: Some(path.to_owned()),
            ..FaultRule::always(fault)
        });
    }
}

#[test]
fn creations_come_through_every_fault_once() {
    heals(filtered, &healing(), |fault| on_writes("POST", fault));
    heals(keyed, &doubtful(), |fault| on_writes("POST", fault));
}

#[test]
fn updates_come_through_every_fault() {
    heals(filtered, &healing(), |fault| on_writes("PATCH", fault));
    heals(keyed, &doubtful(), |fault| on_writes("PATCH", fault));
}

#[test]
fn deletions_come_through_every_fault() {
    // A deletion is answered without a body: nothing can be cut or truncated in it.
    let whole = |fault: &Fault| !matches!(fault, Fault::Truncated | Fault::CutIn);
    let of = |faults: Vec<Fault>| -> Vec<Fault> { faults.into_iter().filter(whole).collect() };
    heals(filtered, &of(healing()), |fault| on_writes("DELETE", fault));
    heals(keyed, &of(doubtful()), |fault| on_writes("DELETE", fault));
}

#[test]
fn tokens_come_through_faults_that_can_heal() {
    for system in [System::Entra, System::Ims] {
        let faults = [status(500), status(503), Fault::CutAfter, Fault::Truncated, Fault::Foreign];
        heals(filtered, &faults, |fault| FaultRule {
            system: Some(system),
            ..FaultRule::always(fault)
        });
    }
}

#[test]
fn a_creation_whose_answer_is_lost_is_not_repeated() {
    for fault in [Fault::CutAfter, Fault::CutIn, Fault::Truncated] {
        let variants = Variants { unique_external_id: false, ..Variants::default() };
        let world = World::new(Setup { variants, ..Setup::default() });
        world.play(FaultRule { every: Some(6), ..on_writes("POST", fault) });
        world.equal_after_sync();
        assert_eq!(world.verbs(), ["POST"; 24], "one POST for each contact");
    }
}

#[test]
fn an_expired_token_costs_one_new_token_and_the_same_request_again() {
    for (system, identity) in [(System::Dynamics, System::Entra), (System::Campaign, System::Ims)] {
        let world = World::new(Setup::default());
        let rule = FaultRule {
            system: Some(system),
            times: Some(1),
            after: Some(4),
            ..FaultRule::always(Fault::ExpiredToken)
        };
        world.play(rule);
        world.equal_after_sync();
        assert_eq!(world.asked(identity).len(), 2, "the first token and one refresh");
    }
}

#[test]
fn throttling_is_told_and_nothing_goes_out_before_its_time() {
    let world = World::new(Setup::default());
    world.play(FaultRule {
        after: Some(5),
        times: Some(1),
        ..on_writes("POST", Fault::Throttle { retry_after: 2 })
    });
    let run = world.sync().ends(0);
    world.equal();
    let event = run.event("delivery.throttled");
    assert_eq!((&event["system"], &event["status"]), (&json!("campaign"), &json!(429)));
    let asked = world.asked(System::Campaign);
    let throttled = asked.iter().find(|entry| entry.status == 429).unwrap();
    // What was on its way already arrives at once; the rest keeps still for two seconds.
    let early = asked.iter().filter(|entry| {
        let after = entry.at.duration_since(throttled.at).as_millis();
        (500..1900).contains(&after)
    });
    assert_eq!(early.count(), 0, "no request before Retry-After has passed");
}

#[test]
fn a_record_that_campaign_refuses_is_given_up_with_its_reason_and_all_others_arrive() {
    let texts = [
        "RST-360011 An error has occurred - please contact your administrator. The value 'x' is not valid for the 'nms:recipient:gender' enumeration of the '@gender' field",
        "BAS-010040 Cannot convert 'a' (type text) to integer (8 bit) type (bAS-010011 Invalid value).",
    ];
    for campaign_errors in [ErrorStyle::JsonString, ErrorStyle::PlainText] {
        for text in texts {
            let variants = Variants { campaign_errors, ..Variants::default() };
            let world = World::new(Setup { variants, ..Setup::default() });
            let body = match campaign_errors {
                ErrorStyle::JsonString => json!(text).to_string(),
                ErrorStyle::PlainText => text.to_owned(),
            };
            let poison = Fault::Status { code: 500, body };
            world.play(FaultRule { after: Some(3), times: Some(1), ..on_writes("POST", poison) });
            let run = world.sync().ends(1);
            assert_eq!((run.counts().written, run.counts().dead_lettered), (23, 1));
            let event = run.event("record.dead_lettered");
            assert_eq!(event["status"], 500);
            let letters = world.dead_letters();
            assert_eq!(letters.len(), 1);
            assert_eq!((&letters[0]["status"], &letters[0]["attempts"]), (&json!(500), &json!(1)));
            assert_eq!(letters[0]["record"], event["id"]);
            assert!(!letters[0]["reason"].as_str().unwrap().is_empty());
            assert_eq!(world.sandbox.campaign().count("profile"), 23);
            world.calm();
            world.run(&["dead-letters", "retry"]).ends(0);
            world.equal_after_sync();
            assert!(world.dead_letters().is_empty());
        }
    }
}

#[test]
fn a_discarded_dead_letter_is_gone_and_the_next_change_is_carried() {
    let world = World::new(Setup::default());
    let poison = Fault::Status { code: 500, body: "\"'x' is not a valid constant\"".to_owned() };
    world.play(FaultRule { times: Some(1), ..on_writes("POST", poison) });
    world.sync().ends(1);
    let letter = world.dead_letters().remove(0);
    let number = letter["id"].to_string();
    let shown = world.run(&["dead-letters", "show", &number, "--json"]).ends(0);
    assert!(shown.stdout.contains(letter["record"].as_str().unwrap()));
    world.run(&["dead-letters", "discard", &number]).ends(0);
    assert!(world.dead_letters().is_empty());
    world.run(&["dead-letters", "discard", &number]).ends(2);
    let id = letter["record"].as_str().unwrap().parse().unwrap();
    world.change(id, &json!({ "lastname": "Next change" }));
    world.equal_after_sync();
}

#[test]
fn a_campaign_that_refuses_every_record_for_long_is_an_outage_and_loses_none() {
    let world = World::new(Setup::default());
    world.play(on_writes("POST", status(503)));
    let run = world.sync_for("2").ends(4);
    assert_eq!((run.counts().pending, run.counts().dead_lettered), (24, 0));
    assert!(world.dead_letters().is_empty());
    world.calm();
    world.equal_after_sync();
}

#[test]
fn looking_records_up_again_and_again_is_no_progress_while_their_writes_fail() {
    let world = World::new(Setup::default());
    world.synced();
    let id = world.contacts()[0];
    world.change(id, &json!({ "lastname": "Refused" }));
    world.play(on_writes("PATCH", status(503)));
    let run = world.sync_for("2").ends(4);
    assert_eq!((run.counts().pending, run.counts().dead_lettered), (1, 0));
    assert!(world.lookups() > 0);
    world.calm();
    world.equal_after_sync();
}

#[test]
fn a_long_queue_of_a_stopped_table_holds_up_the_reading_of_no_other() {
    let tables = by_filter("", "fields = [ { from = \"lastname\", to = \"lastName\" } ]\n");
    let tables = tables + crate::support::STORES;
    let world = World::new(Setup { contacts: 6500, tables, page_rows: 1000, ..Setup::default() });
    let unpublished = Fault::Status { code: 400, body: "Error rc=-2003".to_owned() };
    let path = Some("Ext/profile".to_owned());
    world.play(FaultRule { path, ..on_writes("POST", unpublished) });
    for city in ["Ulm", "Jena"] {
        let row = json!({ "new_name": "Shop", "new_city": city });
        world.sandbox.dynamics().insert("new_store", &row).unwrap();
        let counts = world.sync_for("20").ends(1).counts();
        assert!(counts.pending > 6400, "{counts:?}");
        assert!(counts.written > 0, "{counts:?}");
    }
}
