//! `provision` of the activity tables: what is made, once, and what is left alone.

use cdsync::sandbox::{Behavior, ColumnType, Fault, FaultPlan, FaultRule, System, Variants};
use serde_json::json;

use crate::rig::Rig;

const TABLES: [&str; 4] =
    ["campaignemailsend", "campaignemailopen", "campaignemailclick", "campaignemailbounce"];

/// Look-alikes without the tables; `egress` stands in the configuration.
async fn bare(egress: &str) -> Rig {
    bare_with(egress, Variants::default()).await
}

async fn bare_with(egress: &str, variants: Variants) -> Rig {
    let rig = Rig::start(1, variants).await;
    rig.sandbox.dynamics().remove_mail_tables();
    configure(&rig, egress);
    rig
}

fn configure(rig: &Rig, egress: &str) {
    std::fs::write(
        rig.path("config.toml"),
        format!("{}\n{egress}", rig.text(crate::rig::CONTACTS)),
    )
    .unwrap();
}

/// Method and path of each request that changes Dynamics.
fn changes(rig: &Rig) -> Vec<(String, String)> {
    let mut entries = rig.sandbox.requests().entries();
    entries.retain(|entry| entry.system == System::Dynamics && entry.method != "GET");
    entries
        .into_iter()
        .map(|entry| (entry.method, entry.path.replace("/api/data/v9.2/", "")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_made_once_and_published() {
    let rig = bare("").await;
    let made = rig.run(&["provision"]).await;
    assert!(
        made.expect(0).err.contains("the activity tables are there and published"),
        "{made:#?}"
    );
    let dynamics = rig.sandbox.dynamics();
    assert!(dynamics.unpublished().is_empty());
    let parts = dynamics.components("cdsyncMailEvents");
    assert_eq!(parts.len(), 4 * 7, "{parts:?}");
    let contact = dynamics.ids("contact")[0];
    for table in TABLES.map(|stem| format!("new_{stem}")) {
        let row = json!({
            "subject": "One", format!("regardingobjectid_contact_{table}@odata.bind"): format!("/contacts({contact})"),
            "new_eventid": "x".repeat(255), "new_eventdate": "2026-03-01T10:20:30Z", "new_campaignname": "x".repeat(400),
            "new_deliveryname": "x".repeat(400), "new_mirrorpageurl": "x".repeat(4000), "new_trackingurl": "x".repeat(4000),
        });
        dynamics.insert(&table, &row).unwrap();
    }
    // The default publisher has the prefix `new` already.
    let asked = changes(&rig);
    assert!(!asked.iter().any(|(_, path)| path == "publishers"), "{asked:?}");
    assert_eq!(asked.len(), 1 + 4 * 7 + 2, "{asked:?}");
    assert_eq!(asked.last().unwrap().0, "PATCH");

    rig.sandbox.requests().clear();
    let again = rig.run(&["provision"]).await;
    assert!(again.expect(0).err.contains("nothing to do"), "{again:#?}");
    assert_eq!(changes(&rig), []);
    assert!(!rig.store().exists(), "a store was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_every_request_and_sends_none() {
    let rig = bare("[egress]\nprefix = \"acme\"\n").await;
    let shown = rig.run(&["provision", "--dry-run"]).await;
    let out = &shown.expect(0).out;
    for text in [
        "POST publishers\n",
        "POST solutions\n",
        "POST EntityDefinitions\nMSCRM.SolutionUniqueName: cdsyncMailEvents\n",
        "\"SchemaName\": \"acme_campaignemailclick\"",
        "POST EntityDefinitions(LogicalName='acme_campaignemailbounce')/Attributes\n",
        "<entity>acme_campaignemailsend</entity>",
    ] {
        assert!(out.contains(text), "{text} in {out}");
    }
    assert!(shown.err.contains("nothing was sent"), "{shown:#?}");
    assert_eq!(changes(&rig), []);
    let listed = rig.run(&["provision", "--dry-run", "--json"]).await;
    let listed = listed.expect(0).json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2 + 4 * 7 + 2);
    // What is shown is what is sent.
    rig.run(&["provision"]).await.expect(0);
    let sent = changes(&rig);
    let shown: Vec<(String, String)> = listed
        .iter()
        .map(|one| {
            (one["method"].as_str().unwrap().to_owned(), one["path"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(sent, shown);
    assert!(rig.sandbox.dynamics().tables().contains(&"acme_campaignemailsend".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_stopped_half_way_is_completed() {
    for (method, path, after) in
        [("POST", "/Attributes", 10), ("POST", "PublishXml", 0), ("PATCH", "solutions(", 0)]
    {
        let rig = bare("").await;
        let failing = Fault::Status { code: 403, body: "{}".to_owned() };
        let rule = FaultRule {
            method: Some(method.to_owned()),
            path: Some(path.to_owned()),
            after: Some(after),
            ..FaultRule::always(failing)
        };
        rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
        let stopped = rig.run(&["provision"]).await;
        assert!(
            stopped.expect(3).err.contains("the next run goes on from there"),
            "{path}: {stopped:#?}"
        );
        rig.sandbox.set_faults(FaultPlan::default());
        rig.run(&["provision"]).await.expect(0);
        assert!(rig.sandbox.dynamics().unpublished().is_empty(), "{path}");
        assert_eq!(rig.sandbox.dynamics().components("cdsyncMailEvents").len(), 28, "{path}");
        rig.sandbox.requests().clear();
        rig.run(&["provision"]).await.expect(0);
        assert_eq!(changes(&rig), [], "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_answer_was_lost_is_not_made_twice() {
    for path in ["publishers", "solutions", "EntityDefinitions", "/Attributes"] {
        let rig = bare("[egress]\nprefix = \"acme\"\n").await;
        let rule = FaultRule {
            method: Some("POST".to_owned()),
            path: Some(path.to_owned()),
            times: Some(1),
            ..FaultRule::always(Fault::CutAfter)
        };
        rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
        let made = rig.run(&["provision"]).await;
        assert!(made.expect(0).err.contains("was there: "), "{path}: {made:#?}");
        assert_eq!(rig.sandbox.dynamics().count("publisher"), 2, "{path}");
        assert_eq!(rig.sandbox.dynamics().components("cdsyncMailEvents").len(), 28, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_otherwise_is_reported_and_never_changed() {
    let rig = Rig::usual(0).await;
    let dynamics = rig.sandbox.dynamics();
    let number = ColumnType::Integer { min: 0, max: 9 };
    dynamics.retype_column("new_campaignemailopen", "new_EventId", number).unwrap();
    let date = ColumnType::DateTime { behavior: Behavior::DateOnly, date_format: true };
    dynamics.retype_column("new_campaignemailclick", "new_EventDate", date).unwrap();
    dynamics.set_max_length("new_campaignemailsend", "new_trackingurl", 500).unwrap();
    dynamics.remove_column("new_campaignemailsend", "new_deliveryname").unwrap();
    let said = rig.run(&["provision", "--json"]).await;
    let report = said.expect(1).json();
    let problems = report["problems"].to_string();
    for text in [
        "new_campaignemailopen: new_eventid is no text column",
        "new_campaignemailclick: new_eventdate is a date without a time",
    ] {
        assert!(problems.contains(text), "{report:#}");
    }
    assert!(
        report["advice"].to_string().contains("new_trackingurl holds 500 characters"),
        "{report:#}"
    );
    assert_eq!(report["made"][1], json!("add column new_deliveryname to new_campaignemailsend"));
    let asked = changes(&rig);
    assert!(
        asked.iter().all(|(verb, path)| verb == "POST" || path.starts_with("solutions(")),
        "{asked:?}"
    );
    let added = asked.iter().filter(|(_, path)| path.ends_with("/Attributes")).count();
    assert_eq!(added, 1, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_labels_are_in_the_organization_s_language() {
    let rig = bare("").await;
    let dynamics = rig.sandbox.dynamics();
    let organization = dynamics.ids("organization")[0];
    dynamics.update("organization", organization, &json!({"languagecode": 1031})).unwrap();
    let shown = rig.run(&["provision", "--dry-run", "--json"]).await;
    let listed = shown.expect(0).json();
    let table = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["body"]["SchemaName"] == "new_campaignemailopen")
        .unwrap()
        .clone();
    let label = table["body"]["DisplayName"]["LocalizedLabels"][0].clone();
    assert_eq!(
        (label["LanguageCode"].clone(), label["Label"].clone()),
        (json!(1031), json!("Kampagnen-E-Mail: Öffnung"))
    );
    rig.run(&["provision"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn privileges_names_and_prefixes_that_do_not_fit_are_named() {
    let rig = bare("").await;
    rig.sandbox.dynamics().set_privilege("prvCreateEntity", false);
    let refused = rig.run(&["provision"]).await;
    assert!(refused.expect(3).err.contains("prvCreateEntity"), "{refused:#?}");
    rig.sandbox.dynamics().set_privilege("prvCreateEntity", true);
    configure(&rig, "[egress]\nprefix = \"acme\"\n");
    let other = rig
        .run(&["provision", "--publisher", "DefaultPublishercontoso", "--solution", "Other"])
        .await;
    assert!(other.expect(1).err.contains("has the customization prefix new"), "{other:#?}");
    configure(&rig, "[egress]\ntables = { send = \"other_send\" }\n");
    let strange = rig.run(&["provision", "--dry-run"]).await;
    assert!(strange.expect(1).err.contains("does not begin with the prefix new_"), "{strange:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_change_of_metadata_is_waited_for() {
    let rig = bare("").await;
    let busy = json!({ "error": { "code": "0x80071151", "message": "Another one is running." } });
    let rule = FaultRule {
        method: Some("POST".to_owned()),
        path: Some("EntityDefinitions".to_owned()),
        times: Some(1),
        ..FaultRule::always(Fault::Status { code: 400, body: busy.to_string() })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    rig.run(&["provision"]).await.expect(0);
    assert_eq!(rig.sandbox.requests().faults()["status"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_that_tells_less_is_no_obstacle() {
    let rig = bare("").await;
    rig.sandbox.dynamics().remove_column("organization", "languagecode").unwrap();
    let rule = FaultRule {
        method: Some("PATCH".to_owned()),
        ..FaultRule::always(Fault::Status { code: 405, body: String::new() })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    let made = rig.run(&["provision"]).await;
    assert!(made.expect(0).err.contains("not taken, and not needed: mark solution"), "{made:#?}");
    assert_eq!(rig.sandbox.dynamics().components("cdsyncMailEvents").len(), 28);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_gives_ids_of_its_own_is_set_up_once() {
    let variants = Variants { own_solution_ids: true, ..Variants::default() };
    let rig = bare_with("[egress]\nprefix = \"acme\"\n", variants).await;
    let made = rig.run(&["provision"]).await;
    assert!(made.expect(0).err.contains("done: mark solution"), "{made:#?}");
    let dynamics = rig.sandbox.dynamics();
    assert_eq!(dynamics.count("publisher"), 2);
    let shown = rig.run(&["provision", "--dry-run"]).await;
    assert!(shown.expect(0).err.contains("nothing to do"), "{shown:#?}");
    rig.sandbox.requests().clear();
    rig.run(&["provision"]).await.expect(0);
    assert_eq!(changes(&rig), []);
}
