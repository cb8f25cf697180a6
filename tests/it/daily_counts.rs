//! A day of all three flows with disturbances: what the passes count adds up,
//! each by itself and all together, to what both systems hold and were asked.

use std::collections::BTreeMap;

use cdsync::sandbox::{Fault, FaultRule, System};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::egress_world::{TABLES, egress, event, on_batches, on_operations};
use crate::ingress_links::{add_vehicle, vehicles};
use crate::optout_rig::{REST, ago, in_campaign};
use crate::support::{FIELDS, Setup, World, by_filter, on_pages, on_writes, status};

const PARTS: [&str; 6] =
    ["written", "unchanged", "filtered", "deleted", "pending", "dead_lettered"];

fn world() -> World {
    let world = World::new(Setup { contacts: 20, ..Setup::default() });
    let fields = FIELDS.replace("  { from = \"donotbulkemail\", to = \"blackListEmail\" },\n", "");
    let filter = "filter = { match = \"all\", rules = [ { column = \"statecode\", is = \"eq\", value = 0 } ] }";
    let tables = by_filter(&format!("apply_deletes = true\n{filter}"), &fields);
    let optout = format!(
        "[optout]\ndirection = \"bidirectional\"\n{REST}pairs = [ {{ dynamics = \"donotbulkemail\", campaign = \"blackListEmail\" }} ]\n"
    );
    world.configure(&format!("{tables}{}{}{optout}", vehicles(""), egress(&world, "")));
    for id in world.contacts() {
        let off = json!({ "donotbulkemail": false });
        world.sandbox.dynamics().update_at("contact", id, &off, ago(86_400)).unwrap();
    }
    world
}

fn activities(world: &World) -> u64 {
    TABLES.iter().map(|(_, table)| world.sandbox.dynamics().count(table) as u64).sum()
}

/// Requests to Campaign that changed something.
fn changed(world: &World, method: &[&str]) -> u64 {
    let mut entries = world.asked(System::Campaign);
    entries.retain(|entry| {
        method.contains(&entry.method.as_str()) && (200..300).contains(&entry.status)
    });
    entries.len() as u64
}

/// One pass of one flow; what it counted.
fn pass(world: &World, flow: &str) -> Value {
    world.forget();
    let run = world.run(&["sync", flow, "--patience", "60"]);
    assert!(matches!(run.code, 0 | 1), "{flow}: {} {}", run.code, run.stderr);
    run.counts();
    let finished = run.event("flow.finished");
    let told = run.events("record.dead_lettered").len();
    assert_eq!(finished["dead_lettered"], told, "a line for each that is given up: {finished}");
    finished
}

/// What people and mailings do between two passes.
fn live(world: &World, round: usize, ids: &[Uuid]) {
    let at = |number: usize| ids[(round * 3 + number) % 15];
    world.change(at(0), &json!({ "lastname": format!("Round {round}") }));
    world.change(at(1), &json!({ "statecode": round % 2 }));
    world.change(at(2), &json!({ "donotbulkemail": true }));
    in_campaign(world, at(5), true, Some(ago(30)));
    let new = world.add(&json!({ "lastname": format!("New {round}") }));
    add_vehicle(world, Some(new), "with its owner");
    // Each too long for its field.
    world.add(&json!({ "firstname": "x".repeat(40 + round), "lastname": "Long" }));
    world.delete(ids[15 + round]);
    let mut events: Vec<Value> =
        (0..6).map(|number| event(round * 100 + number, &at(number).to_string())).collect();
    events.push(event(round * 100 + 7, &Uuid::from_u128(7).to_string()));
    let mut odd = event(round * 100 + 8, &at(0).to_string());
    odd["kind"] = json!("unheard-of");
    events.push(odd);
    // Told twice.
    events.push(event(round * 100, &at(0).to_string()));
    world.sandbox.journal().add(&events);
}

/// Disturbances of which none is applied to what it meets.
fn disturb(round: usize) -> Vec<FaultRule> {
    let few = |rule: FaultRule| FaultRule { times: Some(2), ..rule };
    let all = |fault| FaultRule { system: Some(System::Campaign), ..FaultRule::always(fault) };
    match round % 4 {
        0 => vec![few(on_writes("POST", status(503))), few(on_batches(Fault::CutBefore))],
        1 => vec![few(all(Fault::Throttle { retry_after: 1 })), few(on_pages(status(502)))],
        2 => {
            // A second one in a row would be a refusal.
            let expired = FaultRule { times: Some(1), ..all(Fault::ExpiredToken) };
            vec![expired, few(on_operations(status(503)))]
        }
        _ => vec![few(on_writes("PATCH", Fault::CutBefore)), few(on_batches(status(500)))],
    }
}

#[test]
fn the_counts_of_a_day_add_up_to_what_both_systems_hold() {
    let world = world();
    let ids = world.contacts();
    let mut sums: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for round in 0..5 {
        if round > 0 {
            live(&world, round - 1, &ids);
        }
        for flow in ["ingress", "egress", "optout"] {
            // The first load goes undisturbed.
            let rules = if round == 0 { Vec::new() } else { disturb(round) };
            world.sandbox.set_faults(cdsync::sandbox::FaultPlan { seed: 1, rules });
            let before = activities(&world);
            let told = pass(&world, flow);
            let number = |part: &str| told[part].as_u64().unwrap();
            for part in PARTS {
                *sums.entry((flow, part)).or_default() += number(part);
            }
            match flow {
                "ingress" => {
                    let made = changed(&world, &["POST", "PATCH"]);
                    assert_eq!(number("written"), made, "{round}: {told}");
                    assert_eq!(number("deleted"), changed(&world, &["DELETE"]), "{round}: {told}");
                }
                "egress" => {
                    assert_eq!(number("written"), activities(&world) - before, "{round}: {told}");
                }
                _ => assert!(number("written") <= number("read"), "{round}: {told}"),
            }
        }
    }
    world.calm();
    let letters = world.dead_letters();
    let status = world.status();
    for flow in ["ingress", "egress", "optout"] {
        let given_up = letters.iter().filter(|letter| letter["flow"] == flow).count() as u64;
        assert_eq!(sums[&(flow, "dead_lettered")], given_up, "{flow}: {letters:#?}");
        assert_eq!(status["flows"][flow]["dead_letters"], given_up, "{flow}");
        // Nothing is new: what is read is what waits.
        let told = pass(&world, flow);
        let quiet = ["written", "deleted", "dead_lettered"].map(|part| told[part].clone());
        assert_eq!(quiet, [0, 0, 0].map(Value::from), "{flow}: {told}");
        assert_eq!(told["pending"], status["flows"][flow]["backlog"], "{flow}: {told}");
    }
    assert_eq!(sums[&("egress", "written")], activities(&world));
    assert_eq!(sums[&("egress", "written")], 4 * 6);
    assert_eq!(status["flows"]["egress"]["backlog"], 4, "contacts that nobody has");
    assert!(sums[&("optout", "written")] >= 4, "{sums:?}");
    let held = world.sandbox.campaign().rows("profile").len() as u64;
    let mapped = &status["tables"]["contact"]["records"];
    assert_eq!(mapped, held, "{status:#}");
}
