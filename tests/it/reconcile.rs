//! The scheduled comparison: slices within their budget find all drift over
//! several passes, report it, and mend it where they may.

use std::collections::BTreeMap;

use cdsync::sandbox::{FaultRule, System};
use serde_json::{Value, json};

use crate::support::{FIELDS, Run, STORES, Setup, World, by_filter, status};

/// Due at every pass: a year of its own for each second would not be enough.
const ALWAYS: &str = "schedule = \"* * * * * *\"";

/// The contacts, the shops and a comparison with these settings.
fn tables(settings: &str) -> String {
    format!("{}{STORES}\n[reconcile]\n{settings}\n", by_filter("apply_deletes = true", FIELDS))
}

fn add(sum: &mut BTreeMap<String, u64>, slice: &Value) {
    for (name, number) in slice.as_object().unwrap() {
        if let Some(number) = number.as_u64() {
            *sum.entry(name.clone()).or_default() += number;
        }
    }
}

/// A pass whose slice must be due; a schedule of seconds needs the next one.
fn slice(world: &World) -> (Run, Value) {
    loop {
        let run = world.sync().ends(0);
        if let Some(event) = run.events("reconcile.finished").pop() {
            return (run, event);
        }
    }
}

fn plant(world: &World) {
    let campaign = world.sandbox.campaign();
    let ids = world.contacts();
    let change = json!({ "lastName": "Edited" });
    for id in [ids[2], ids[20]] {
        assert_eq!(campaign.update("profile", "externalId", &id.to_string(), &change).unwrap(), 1);
    }
    assert_eq!(campaign.delete("profile", "externalId", &ids[11].to_string()), 1);
    let stranger = "57570000-0000-4000-8000-000000005757";
    campaign.insert("profile", &json!({ "externalId": stranger })).unwrap();
}

#[test]
fn slices_stay_within_their_budget_and_find_all_drift_over_several_passes() {
    let tables = tables(&format!("{ALWAYS}\ncalls_per_run = 10"));
    let world = World::new(Setup { contacts: 40, page_rows: 2, tables, ..Setup::default() });
    // The first slice comes with the first load; the drift after it.
    world.synced();
    plant(&world);
    let (mut sum, mut slices) = (BTreeMap::new(), 0);
    while sum.get("tables_completed").copied().unwrap_or(0) < 4 {
        let (run, event) = slice(&world);
        assert!(event["calls"].as_u64().unwrap() <= 10, "{event}");
        assert!(world.writes().iter().filter(|(verb, _)| verb != "POST").count() == 0);
        add(&mut sum, &event);
        let told: u64 = run.events("drift.found").iter().filter_map(|e| e["count"].as_u64()).sum();
        let found =
            ["edited", "missing", "orphaned", "duplicated"].map(|kind| event[kind].as_u64());
        assert_eq!(told, found.into_iter().flatten().sum::<u64>(), "{}", run.stderr);
        slices += 1;
        assert!(slices < 40, "{sum:?}");
    }
    assert!(slices > 3, "{slices} slices: the budget was never the limit");
    // Two rounds over all tables see each drift at least once.
    for (kind, least) in [("edited", 2), ("missing", 1), ("orphaned", 1)] {
        assert!(sum[kind] >= least, "{kind}: {sum:?}");
    }
    assert_eq!((sum["duplicated"], sum["mended"]), (0, 0));
    world.run(&["resync", "--verify"]).ends(1);
}

#[test]
fn with_repair_the_slices_mend_what_they_find() {
    let settings = format!("{ALWAYS}\ncalls_per_run = 12\nrepair = true");
    let world = World::new(Setup {
        contacts: 40,
        page_rows: 5,
        tables: tables(&settings),
        ..Setup::default()
    });
    world.synced();
    plant(&world);
    let mut sum = BTreeMap::new();
    while sum.get("tables_completed").copied().unwrap_or(0) < 4 {
        add(&mut sum, &slice(&world).1);
    }
    assert_eq!(sum["mended"], 4, "{sum:?}");
    world.equal();
    world.run(&["resync", "--verify"]).ends(0);
}

#[test]
fn a_slice_is_due_by_the_schedule_and_one_that_is_not_costs_nothing() {
    let world =
        World::new(Setup { tables: tables("schedule = \"0 0 0 1 1 *\""), ..Setup::default() });
    let first = world.sync().ends(0);
    assert_eq!(first.event("reconcile.finished")["tables_completed"], 2);
    plant(&world);
    world.forget();
    let second = world.sync().ends(0);
    assert!(second.events("reconcile.finished").is_empty());
    let listings = world.asked(System::Campaign);
    assert!(listings.iter().all(|entry| !entry.path.contains("_forcePagination")));
}

#[test]
fn a_listing_that_begins_again_in_each_slice_is_told_with_the_count() {
    let tables = tables(&format!("{ALWAYS}\ncalls_per_run = 10"));
    let world = World::new(Setup { contacts: 1100, tables, ..Setup::default() });
    world.sync().ends(0);
    world.play(FaultRule {
        system: Some(System::Campaign),
        path: Some("_lineStart".to_owned()),
        times: Some(2),
        ..FaultRule::always(status(404))
    });
    let mut told = Vec::new();
    while told.len() < 2 {
        let run = world.sync().ends(0);
        told.extend(run.events("listing.restarted").into_iter().map(|it| it["restarts"].clone()));
    }
    assert_eq!(told, [1, 2]);
}

#[test]
fn a_slice_that_was_interrupted_goes_on() {
    let settings = format!("{ALWAYS}\ncalls_per_run = 1000\nrepair = true");
    let world = World::new(Setup { page_rows: 4, tables: tables(&settings), ..Setup::default() });
    world.synced();
    plant(&world);
    for commits in [12, 14, 16, 18, 20] {
        let mut crashing = world.command(&["sync"]);
        crashing.env("CDSYNC_CRASH", format!("committed:{commits}"));
        crashing.output().unwrap();
    }
    let (_, event) = slice(&world);
    assert_eq!(event["tables_completed"], 2);
    slice(&world);
    world.equal();
}
