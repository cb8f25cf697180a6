//! What scripts read: the shapes of every `--json`, and the log as JSON.

use std::fs;

use serde_json::{Value, json};

use crate::rig::{CONTACTS, Ended, Rig, bare, finish};

/// Fails unless `object` has these keys.
#[track_caller]
fn has(object: &Value, keys: &[&str]) {
    for key in keys {
        assert!(object.get(key).is_some(), "{key} is missing in {object:#}");
    }
}

/// One JSON object per line.
fn lines(ended: &Ended) -> Vec<Value> {
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_has_its_keys_before_and_after_the_first_run() {
    let rig = Rig::usual(5).await;
    let before = rig.run(&["status", "--json"]).await.expect(0).json();
    assert!(!rig.store().exists(), "looking made a store");
    rig.run(&["sync"]).await.expect(0);
    let after = rig.run(&["status", "--json"]).await.expect(0).json();
    let keys = &["state", "backlog", "dead_letters", "last_success", "lag_seconds"];
    for status in [&before, &after] {
        for flow in ["ingress", "egress", "optout"] {
            has(&status["flows"][flow], keys);
        }
        has(&status["tables"]["contact"], keys);
    }
    assert_eq!(before["tables"]["contact"]["last_success"], Value::Null);
    assert_eq!(
        after["tables"]["contact"]["last_success"],
        after["flows"]["ingress"]["last_success"]
    );
    let (new, done) = (&before["flows"]["ingress"], &after["flows"]["ingress"]);
    assert_eq!((&new["last_success"], &new["state"]), (&Value::Null, &json!("idle")));
    let success = done["last_success"].as_str().unwrap();
    success.parse::<jiff::Timestamp>().unwrap();
    assert_eq!(done["last_run"]["written"], 5);
    assert_eq!(before["tables"]["contact"]["state"], "new");
    assert_eq!(after["tables"]["contact"]["state"], "delta");
    assert_eq!(after["tables"]["contact"]["records"], 5);
    assert_eq!(before["flows"]["egress"]["state"], "stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_lists_problems_with_place_line_and_hint() {
    let rig = Rig::usual(1).await;
    let well = rig.run(&["check", "--json"]).await;
    assert_eq!(well.json()["problems"], json!([]), "{well:#?}");
    well.expect(0);
    let next = well.json()["next_runs"]["ingress"].as_array().unwrap().len();
    assert_eq!(next, 5);

    let text = rig.text(CONTACTS).replace("tenant =", "tenat =").replace("\"email\"", "\"e mail\"");
    fs::write(rig.path("config.toml"), text).unwrap();
    let offline = rig.run(&["check", "--offline", "--json"]).await;
    let problems = offline.expect(2).json()["problems"].as_array().unwrap().clone();
    assert!(problems.len() >= 2, "{problems:#?}");
    for problem in &problems {
        has(problem, &["where", "line", "column", "problem", "hint"]);
        assert!(problem["line"].as_u64().is_some(), "{problem}");
    }
    assert!(problems.iter().any(|problem| problem["where"] == "dynamics.tenat"));

    let remote = "{ from = \"emailaddress9\", to = \"email\" }";
    rig.configure(&CONTACTS.replace("{ from = \"emailaddress1\", to = \"email\" }", remote));
    let online = rig.run(&["check", "--json"]).await;
    let problems = online.expect(1).json()["problems"].as_array().unwrap().clone();
    let named = problems.iter().find(|problem| problem.to_string().contains("emailaddress9"));
    let named = named.unwrap_or_else(|| panic!("{problems:#?}"));
    has(named, &["where", "line", "problem", "hint"]);
    assert_eq!(named["line"], Value::Null);
    let words = rig.run(&["check"]).await;
    assert!(words.expect(1).out.contains("1 problem to mend"), "{words:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_prints_an_object_a_line_and_writes_nothing() {
    let rig = Rig::usual(3).await;
    let plan = rig.run(&["plan", "--json"]).await;
    let planned = lines(plan.expect(0));
    assert_eq!(planned.len(), 3);
    for object in &planned {
        has(object, &["flow", "table", "id", "action", "fields"]);
        assert_eq!(object["action"], "create");
        assert_eq!((&object["flow"], &object["table"]), (&json!("ingress"), &json!("contact")));
        assert!(object["fields"].as_array().unwrap().contains(&json!("firstName")));
    }
    assert_eq!(rig.sandbox.campaign().count("profile"), 0);
    assert!(!rig.store().exists(), "a dry run made a store");

    rig.run(&["sync"]).await.expect(0);
    let dynamics = rig.sandbox.dynamics();
    let ids = dynamics.ids("contact");
    dynamics.update("contact", ids[0], &json!({ "lastname": "Planned" })).unwrap();
    dynamics.delete("contact", ids[1]);
    let position = "SELECT hex(seal) || updated_us FROM checkpoint";
    let before: String = rig.raw().query_row(position, [], |row| row.get(0)).unwrap();
    for _ in 0..2 {
        let planned = lines(rig.run(&["plan", "ingress", "--json"]).await.expect(0));
        assert_eq!(planned.len(), 2, "{planned:#?}");
        let of = |id: uuid::Uuid| {
            planned.iter().find(|object| object["id"] == id.to_string()).unwrap().clone()
        };
        assert_eq!(
            (&of(ids[0])["action"], &of(ids[1])["action"]),
            (&json!("update"), &json!("delete"))
        );
        assert_eq!(of(ids[0])["fields"], json!(["lastName"]));
        assert!(!planned[0].to_string().contains("Planned"), "a value was shown");
    }
    let after: String = rig.raw().query_row(position, [], |row| row.get(0)).unwrap();
    assert_eq!(before, after, "a dry run moved the cursor");
    let table = rig.run(&["plan"]).await;
    assert!(table.expect(0).out.starts_with("table    record"), "{table:#?}");
    assert!(table.err.contains("nothing was written"), "{table:#?}");
    rig.run(&["sync"]).await.expect(0);
    rig.assert_equal("after the plan was carried out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_and_resources_are_shown_as_tables_and_as_json() {
    let rig = Rig::usual(0).await;
    let tables = rig.run(&["tables", "--json"]).await.expect(0).json();
    let contact = tables.as_array().unwrap().iter().find(|table| table["name"] == "contact");
    assert_eq!(contact.unwrap()["change_tracking"], true);
    assert_eq!(contact.unwrap()["entity_set"], "contacts");
    let columns = rig.run(&["tables", "contact", "--json"]).await.expect(0).json();
    let gender = columns.as_array().unwrap().iter().find(|one| one["name"] == "gendercode");
    assert_eq!(gender.unwrap()["detail"], "1 Male, 2 Female");
    let resources = rig.run(&["resources", "--json"]).await.expect(0).json();
    assert!(resources.as_array().unwrap().iter().any(|one| one["name"] == "profile"));
    let fields = rig.run(&["resources", "profile", "--json"]).await.expect(0).json();
    let email = fields.as_array().unwrap().iter().find(|one| one["name"] == "email");
    has(email.unwrap(), &["name", "type", "detail"]);
    for (arguments, heading) in [
        (&["tables"] as &[&str], "table "),
        (&["tables", "contact"], "column "),
        (&["resources"], "resource "),
        (&["resources", "profile"], "field "),
    ] {
        let ended = rig.run(arguments).await;
        assert!(ended.expect(0).out.starts_with(heading), "{ended:#?}");
        assert!(!ended.out.contains('\u{1b}'), "colours without a terminal");
        let ragged = ended.out.lines().find(|line| line.ends_with(' '));
        assert_eq!(ragged, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_one_object_a_line_and_its_counts_add_up() {
    let rig = Rig::usual(9).await;
    for format in [&["sync", "--log-format", "json"] as &[&str], &["sync"]] {
        let ended = rig.run(format).await;
        ended.expect(0);
        assert_eq!(ended.out, "");
        for line in ended.err.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            has(&line, &["timestamp", "level", "event"]);
        }
        let finished = ended.events("flow.finished");
        let [finished] = &finished[..] else { panic!("{ended:#?}") };
        has(finished, &["flow", "run", "calls", "duration_ms"]);
        ended.adds_up();
    }
    let pretty = rig.run(&["sync", "--log-format", "pretty"]).await;
    assert!(pretty.expect(0).err.contains("flow.finished"), "{pretty:#?}");
    assert!(!pretty.err.contains('\u{1b}'), "colours without a terminal: {pretty:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_wave_ends_with_1_and_goes_after_approval() {
    let rig = Rig::usual(9).await;
    let guarded = CONTACTS.replace(
        "apply_deletes = true",
        "apply_deletes = true\ndelete_guard = { rows = 2, percent = 90 }",
    );
    rig.configure(&guarded);
    rig.run(&["sync"]).await.expect(0);
    let dynamics = rig.sandbox.dynamics();
    for id in &dynamics.ids("contact")[..4] {
        assert!(dynamics.delete("contact", *id));
    }
    let held = rig.run(&["sync", "--log-format", "json"]).await;
    assert_eq!(held.expect(1).events("deletes.held")[0]["held"], 4);
    let status = rig.run(&["status", "--json"]).await.expect(0).json();
    assert_eq!(status["tables"]["contact"]["deletes_held"], 4);
    let words = rig.run(&["status"]).await;
    assert!(words.expect(0).out.contains("`cdsync approve-deletes contact`"), "{words:#?}");
    let approved = rig.run(&["approve-deletes", "contact"]).await;
    assert!(approved.expect(0).err.contains("4 deletions approved"), "{approved:#?}");
    rig.run(&["sync"]).await.expect(0);
    rig.assert_equal("after approval");
}

#[tokio::test]
async fn the_demo_compares_everything_and_ends_with_0() {
    let demo = finish(bare(&["demo", "--contacts", "60", "--json"])).await;
    let passes = demo.expect(0).json()["passes"].as_array().unwrap().clone();
    assert_eq!(passes.len(), 11);
    for pass in &passes {
        assert_eq!(pass["differences"], json!([]));
        assert_eq!(pass["counts"]["dead_lettered"], 0);
    }
    let named = |name: &str| passes.iter().find(|pass| pass["pass"] == name).unwrap();
    let written = |name: &str| named(name)["counts"]["written"].as_u64().unwrap();
    assert!(written("mail") > 50 && written("late bounces") > 0 && written("told again") == 0);
    assert!(written("opt-outs") > 5 && written("second thoughts") > 0);
    assert_eq!(written("agreed"), 0);
    assert!(named("mail")["counts"]["filtered"].as_u64().unwrap() > 0);
    let words = finish(bare(&["demo", "--contacts", "20"])).await;
    assert!(words.expect(0).out.ends_with("nothing differs\n"), "{words:#?}");
    let widest = words.out.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(120), "{widest:?}: {}", words.out);
}
