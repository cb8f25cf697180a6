//! Comparisons: drift of each kind is found and named, nothing is written, no
//! value is told unasked; a repair mends exactly the drift.

use std::collections::BTreeMap;

use cdsync::sandbox::{System, Variants};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{FIELDS, Run, STORES, Setup, World, by_filter, by_uri, status};

/// What somebody typed into Campaign.
const TYPED: &str = "Zwetschgenkuchen";

fn twins_allowed(tables: String) -> Setup {
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    Setup { tables, variants, page_rows: 7, ..Setup::default() }
}

/// The planted drift: record and kind.
type Planted = BTreeMap<String, &'static str>;

/// Drift of each kind, and what is none.
fn plant(world: &World) -> Planted {
    let campaign = world.sandbox.campaign();
    let ids = world.contacts();
    let key = |id: Uuid| id.to_string();
    let change = |id: Uuid, changes: &Value| {
        assert_eq!(campaign.update("profile", "externalId", &key(id), changes).unwrap(), 1);
    };
    change(ids[0], &json!({ "lastName": TYPED, "email": "other@example.com" }));
    assert_eq!(campaign.delete("profile", "externalId", &key(ids[1])), 1);
    world.delete(ids[2]);
    campaign.insert("profile", &json!({ "externalId": key(ids[3]), "lastName": TYPED })).unwrap();
    let stranger = Uuid::from_u128(0x5757_0000_0000_4000_8000_0000_0000_5757);
    campaign.insert("profile", &json!({ "externalId": key(stranger) })).unwrap();
    let unsynced = world.add(&json!({ "firstname": "Nova", "lastname": "Later" }));
    // No drift: a field that is Campaign's after the first load, one that is
    // not mapped, records of somebody else.
    change(ids[4], &json!({ "cusCustomerSince": "1999-01-01 00:00:00.000Z" }));
    change(ids[5], &json!({ "middleName": TYPED }));
    campaign.insert("profile", &json!({ "externalId": "LEGACY-1", "lastName": TYPED })).unwrap();
    campaign.insert("profile", &json!({ "lastName": TYPED })).unwrap();
    BTreeMap::from([
        (key(ids[0]), "edited"),
        (key(ids[1]), "missing"),
        (key(ids[2]), "orphaned"),
        (key(ids[3]), "duplicated"),
        (key(stranger), "orphaned"),
        (key(unsynced), "missing"),
    ])
}

fn drifts(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(drifts: &[Value]) -> BTreeMap<String, String> {
    let pair = |drift: &Value| {
        (drift["id"].as_str().unwrap().to_owned(), drift["kind"].as_str().unwrap().to_owned())
    };
    let kinds: BTreeMap<String, String> = drifts.iter().map(pair).collect();
    assert_eq!(kinds.len(), drifts.len(), "a record is told twice: {drifts:#?}");
    kinds
}

#[track_caller]
fn same(found: &BTreeMap<String, String>, planted: &Planted) {
    let found: Planted = found
        .iter()
        .map(|(id, kind)| {
            let kind =
                ["edited", "missing", "orphaned", "duplicated"].into_iter().find(|k| k == kind);
            (id.clone(), kind.unwrap())
        })
        .collect();
    assert_eq!(&found, planted);
}

/// Everything in the store that a pass believes.
fn beliefs(world: &World) -> Vec<String> {
    let store = rusqlite::Connection::open(world.path("store.db")).unwrap();
    let mut all = Vec::new();
    for table in
        ["mirror", "outbox", "dead_letter", "checkpoint", "reread", "inventory", "presence"]
    {
        let mut statement = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<rusqlite::types::Value> =
                (0..columns).map(|column| row.get(column).unwrap()).collect();
            all.push(format!("{table} {values:?}"));
        }
    }
    all
}

fn left_over(world: &World) -> i64 {
    let store = rusqlite::Connection::open(world.path("store.db")).unwrap();
    let sql = "SELECT (SELECT count(*) FROM resync WHERE purpose <> 'reconcile')
        + (SELECT count(*) FROM resync_record) + (SELECT count(*) FROM resync_listed)";
    store.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn drift_of_each_kind_is_found_and_nothing_is_written() {
    let world = World::new(twins_allowed(by_filter("apply_deletes = true", FIELDS)));
    world.synced();
    world.run(&["resync", "--table", "contact", "--verify", "--json"]).ends(0);
    let planted = plant(&world);
    let before = beliefs(&world);
    world.forget();
    let run = world.run(&["resync", "--table", "contact", "--verify", "--json"]).ends(1);
    same(&kinds(&drifts(&run)), &planted);
    assert!(world.writes().is_empty());
    assert!(
        world
            .asked(System::Dynamics)
            .iter()
            .all(|entry| entry.method == "GET" || entry.path.contains("/token"))
    );
    assert_eq!(beliefs(&world), before);
    assert_eq!(left_over(&world), 0);
    let edited = drifts(&run).into_iter().find(|drift| drift["kind"] == "edited").unwrap();
    assert_eq!(edited["fields"], json!(["lastName", "email"]));
    assert_eq!(edited["table"], "contact");
    let counts: BTreeMap<String, u64> = run
        .events("drift.found")
        .iter()
        .map(|event| (event["kind"].as_str().unwrap().to_owned(), event["count"].as_u64().unwrap()))
        .collect();
    let expected = [("duplicated", 1), ("edited", 1), ("missing", 2), ("orphaned", 2)];
    assert_eq!(counts, expected.map(|(kind, count)| (kind.to_owned(), count)).into());
}

#[test]
fn values_are_told_on_stdout_only_and_only_when_asked_for() {
    let world = World::new(twins_allowed(by_filter("apply_deletes = true", FIELDS)));
    world.synced();
    plant(&world);
    for form in [&["--json"][..], &[][..]] {
        let mut arguments = vec!["--log-level", "trace", "resync", "--verify"];
        arguments.extend(form);
        let run = world.run(&arguments).ends(1);
        for text in [TYPED, "other@example.com"] {
            assert!(!run.stdout.contains(text), "{form:?}: {}", run.stdout);
            assert!(!run.stderr.contains(text), "{form:?}: {}", run.stderr);
        }
        arguments.push("--show-values");
        let run = world.run(&arguments).ends(1);
        assert!(run.stdout.contains(TYPED) && run.stdout.contains("other@example.com"));
        assert!(!run.stderr.contains(TYPED));
        if !form.is_empty() {
            let drift = drifts(&run).into_iter().find(|drift| drift["kind"] == "edited").unwrap();
            let id = drift["id"].as_str().unwrap().parse().unwrap();
            let wanted = world.sandbox.dynamics().get("contact", id).unwrap();
            assert_eq!(drift["values"]["lastName"]["campaign"], TYPED);
            assert_eq!(drift["values"]["lastName"]["dynamics"], wanted["lastname"]);
        }
    }
    let bytes = std::fs::read(world.path("store.db")).unwrap();
    assert!(!bytes.windows(TYPED.len()).any(|window| window == TYPED.as_bytes()));
}

#[test]
fn a_comparison_can_be_narrowed_to_ids_to_a_time_and_to_tables() {
    let tables = by_filter("apply_deletes = true", FIELDS) + STORES;
    let world = World::new(twins_allowed(tables));
    world.synced();
    let planted = plant(&world);
    let edited = planted.iter().find(|(_, kind)| **kind == "edited").unwrap().0.clone();
    let mut ids = world.contacts().into_iter().map(|id| id.to_string());
    let intact = ids.find(|id| !planted.contains_key(id)).unwrap();
    let run = world.run(&["resync", "--verify", "--json", "--id", &edited, &intact]).ends(1);
    assert_eq!(kinds(&drifts(&run)), [(edited, "edited".to_owned())].into());
    world.run(&["resync", "--verify", "--json", "--id", &intact]).ends(0);
    let gone = planted.iter().find(|(id, kind)| **kind == "orphaned" && !id.starts_with("5757"));
    let gone = gone.unwrap().0.as_str();
    let run = world.run(&["resync", "--verify", "--json", "--id", gone]).ends(1);
    assert_eq!(kinds(&drifts(&run)), [(gone.to_owned(), "orphaned".to_owned())].into());
    world.run(&["resync", "--verify", "--table", "new_store"]).ends(0);
    world.run(&["resync", "--verify", "--since", "2999-01-01"]).ends(0);
    let run = world.run(&["resync", "--verify", "--json", "--since", "2000-01-01"]).ends(1);
    let found = kinds(&drifts(&run));
    let mut seen_in_dynamics = planted.clone();
    seen_in_dynamics.retain(|_, kind| *kind != "orphaned");
    same(&found, &seen_in_dynamics);
    assert_eq!(left_over(&world), 0);
}

#[test]
fn an_id_that_nobody_knows_is_told_and_not_taken_for_agreement() {
    let tables = by_filter("apply_deletes = true", FIELDS) + STORES;
    let world = World::new(twins_allowed(tables));
    world.synced();
    let (nobody, known) = (Uuid::from_u128(77).to_string(), world.contacts()[0].to_string());
    let object = |table: Value| json!({ "table": table, "id": nobody, "kind": "unknown", "fields": [], "mended": false });
    for purpose in ["--verify", "--repair"] {
        let ask = |table: &[&str]| {
            let arguments = [&["resync", purpose, "--json", "--id", &nobody, &known], table];
            drifts(&world.run(&arguments.concat()).ends(1))
        };
        assert_eq!(ask(&[]), [object(Value::Null)]);
        assert_eq!(ask(&["--table", "contact"]), [object(json!("contact"))]);
        // A contact is no store, and nobody asked for one.
        world.run(&["resync", purpose, "--json", "--id", &known]).ends(0);
    }
    let run = world.run(&["resync", "--verify", "--id", &nobody]).ends(1);
    let told = format!("{nobody} is unknown: not in any mapped table of Dynamics, nor in Campaign");
    assert_eq!(run.stdout.lines().next(), Some(told.as_str()));
    // What was there once is known.
    let gone = world.contacts()[1];
    world.delete(gone);
    world.synced();
    world.run(&["resync", "--verify", "--id", &gone.to_string()]).ends(1);
}

#[test]
fn a_repair_mends_exactly_the_drift_and_a_comparison_then_finds_nothing() {
    let guard = "apply_deletes = true\ndelete_guard = { rows = 5 }";
    let world = World::new(twins_allowed(by_filter(guard, FIELDS)));
    world.synced();
    let mut planted = plant(&world);
    world.forget();
    let run = world.run(&["resync", "--repair", "--json"]).ends(1);
    same(&kinds(&drifts(&run)), &planted);
    planted.retain(|_, kind| *kind == "duplicated");
    let open =
        drifts(&run).into_iter().filter(|drift| drift["mended"] == false).collect::<Vec<_>>();
    same(&kinds(&open), &planted);
    assert_eq!(world.verbs(), ["DELETE", "DELETE", "PATCH", "POST", "POST"]);
    // The twin needs a person.
    let campaign = world.sandbox.campaign();
    let twin = planted.keys().next().unwrap();
    assert_eq!(campaign.by_key("profile", "externalId", twin).len(), 2);
    let run = world.run(&["resync", "--verify", "--json"]).ends(1);
    same(&kinds(&drifts(&run)), &planted);
    assert_eq!(campaign.delete("profile", "externalId", twin), 2);
    world.run(&["resync", "--repair", "--id", twin]).ends(0);
    world.run(&["resync", "--verify"]).ends(0);
    world.synced();
    world.run(&["resync", "--verify"]).ends(0);
}

#[test]
fn an_orphan_stays_where_deletions_are_not_carried_and_a_large_wave_is_held() {
    let world = World::new(Setup::default());
    world.configure(&by_filter("", FIELDS));
    world.synced();
    let ids = world.contacts();
    for id in &ids[..4] {
        world.delete(*id);
    }
    let run = world.run(&["resync", "--repair", "--json"]).ends(1);
    assert!(drifts(&run).iter().all(|drift| drift["mended"] == false));
    assert_eq!(world.sandbox.campaign().count("profile"), ids.len());
    // Once the deletion has been seen, the configuration keeps the record.
    world.synced();
    world.run(&["resync", "--verify"]).ends(0);
    world.configure(&by_filter("apply_deletes = true\ndelete_guard = { rows = 3 }", FIELDS));
    let run = world.run(&["resync", "--repair", "--json"]).ends(1);
    assert_eq!(run.event("deletes.held")["held"], 4);
    assert_eq!(world.sandbox.campaign().count("profile"), ids.len());
    // What waits is no drift.
    let run = world.run(&["resync", "--verify"]).ends(0);
    assert!(run.stdout.lines().any(|line| line.contains("contact") && line.contains(" 4")));
    world.run(&["approve-deletes", "contact"]).ends(0);
    world.synced();
    assert_eq!(world.sandbox.campaign().count("profile"), ids.len() - 4);
}

#[test]
fn records_that_left_the_filter_are_drift_only_where_they_are_to_be_deleted() {
    let filter = |drop: bool| {
        let filter = format!(
            "filter = {{ delete_filtered_out = {drop}, rules = [{{ column = \"lastname\", is = \"ne\", value = \"Out\" }}] }}\n"
        );
        by_uri("apply_deletes = true", &format!("{filter}{FIELDS}"))
    };
    let world = World::new(Setup { tables: filter(false), ..Setup::default() });
    world.synced();
    let ids = world.contacts();
    world.change(ids[6], &json!({ "lastname": "Out" }));
    world.synced();
    world.run(&["resync", "--verify"]).ends(0);
    world.configure(&filter(true));
    let run = world.run(&["resync", "--verify", "--json"]).ends(1);
    assert_eq!(kinds(&drifts(&run)), [(ids[6].to_string(), "orphaned".to_owned())].into());
    world.run(&["resync", "--repair"]).ends(0);
    assert!(world.profiles_of(ids[6]).is_empty());
    world.run(&["resync", "--verify"]).ends(0);
}

#[test]
fn a_comparison_says_who_refuses_and_who_does_not_answer() {
    let world = World::new(Setup::default());
    world.synced();
    world.sandbox.dynamics().set_privileged("contact", false);
    world.run(&["resync", "--verify"]).ends(3);
    world.sandbox.dynamics().set_privileged("contact", true);
    world.play(cdsync::sandbox::FaultRule {
        system: Some(System::Campaign),
        ..cdsync::sandbox::FaultRule::always(status(503))
    });
    world.run(&["resync", "--verify", "--patience", "2"]).ends(4);
    world.calm();
    assert_eq!(left_over(&world), 0);
    world.run(&["resync", "--verify"]).ends(0);
}
