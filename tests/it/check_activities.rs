//! `check` of the activity tables and of the application user's role.

use cdsync::sandbox::{Behavior, ColumnType, Fault, FaultPlan, FaultRule, Variants};
use serde_json::Value;

use crate::rig::{CONTACTS, Rig};

/// Look-alikes with all four kinds of event switched on.
async fn rig(variants: Variants, extra: &str) -> Rig {
    let rig = Rig::start(1, variants).await;
    let egress = format!(
        "[egress]\nevents = [\"send\", \"open\", \"click\", \"bounce\"]\n{extra}\n[egress.journal]\nurl = \"{}\"\n",
        rig.sandbox.journal().url()
    );
    std::fs::write(rig.path("config.toml"), format!("{}\n{egress}", rig.text(CONTACTS))).unwrap();
    rig
}

/// The findings of one list, as `where: problem → hint`.
async fn found(rig: &Rig, exit: i32, list: &str) -> Vec<String> {
    let report = rig.run(&["check", "--json"]).await.expect(exit).json();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let one = |one: &Value| {
        format!("{}: {} → {}", text(one, "where"), text(one, "problem"), text(one, "hint"))
    };
    report[list].as_array().unwrap().iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_fit_are_no_finding_and_nothing_is_written() {
    let rig = rig(Variants::default(), "").await;
    assert_eq!(found(&rig, 0, "problems").await, [] as [String; 0]);
    let written = rig.sandbox.requests().entries();
    let written =
        written.iter().filter(|entry| entry.path.starts_with("/api/data") && entry.method != "GET");
    assert_eq!(written.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_or_wrong_is_named_with_a_hint() {
    let rig = rig(Variants::default(), "tables = { bounce = \"contact\" }").await;
    let dynamics = rig.sandbox.dynamics();
    dynamics.remove_table("new_campaignemailsend").unwrap();
    dynamics.remove_column("new_campaignemailopen", "new_campaignname").unwrap();
    // Only clicks have an address that was clicked.
    dynamics.remove_column("new_campaignemailopen", "new_trackingurl").unwrap();
    let date = ColumnType::DateTime { behavior: Behavior::DateOnly, date_format: true };
    dynamics.retype_column("new_campaignemailclick", "new_EventDate", date).unwrap();
    dynamics.set_max_length("new_campaignemailclick", "new_trackingurl", 500).unwrap();
    let problems = found(&rig, 1, "problems").await;
    let expected = [
        "dynamics new_campaignemailsend: there is no such activity table → `cdsync provision` creates it",
        "dynamics new_campaignemailopen: there is no column new_campaignname → `cdsync provision` adds it",
        "dynamics new_campaignemailclick: new_eventdate is a date without a time → cdsync changes nothing",
        "dynamics contact: it is no activity table",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for text in expected {
        assert!(
            problems.iter().any(|problem| problem.starts_with(text)),
            "{text} in {problems:#?}"
        );
    }
    let warnings = found(&rig, 1, "warnings").await;
    assert!(
        warnings[0]
            .starts_with("dynamics new_campaignemailclick: new_trackingurl holds 500 characters"),
        "{warnings:#?}"
    );
    dynamics.restore_table("new_campaignemailsend").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provision_mends_what_check_finds() {
    let rig = rig(Variants::default(), "prefix = \"acme\"").await;
    let problems = found(&rig, 1, "problems").await;
    assert_eq!(problems.len(), 4, "{problems:#?}");
    rig.run(&["provision"]).await.expect(0);
    assert_eq!(found(&rig, 0, "problems").await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_privileges_are_named_once_and_end_with_3() {
    let rig = rig(Variants::default(), "").await;
    let dynamics = rig.sandbox.dynamics();
    for name in ["prvCreateActivity", "prvWriteActivity", "prvAppendActivity", "prvAppendToContact"]
    {
        dynamics.set_privilege(name, false);
        let problems = found(&rig, 3, "problems").await;
        let [problem] = problems.as_slice() else { panic!("{problems:#?}") };
        assert!(
            problem.starts_with(&format!("dynamics role: the privilege {name} is missing")),
            "{problem}"
        );
        assert!(problem.contains("docs/permissions.md"), "{problem}");
        let tables = if name.ends_with("Contact") {
            "AppendTo on contact;"
        } else {
            "on new_campaignemailbounce;"
        };
        assert!(problem.contains(tables), "{problem}");
        dynamics.set_privilege(name, true);
    }
    dynamics.set_privilege("prvReadContact", false);
    let problems = found(&rig, 3, "problems").await;
    assert!(
        problems.iter().any(|one| one.contains("the privilege prvReadContact is missing")),
        "{problems:#?}"
    );
    dynamics.set_privilege("prvReadContact", true);
    // Change tracking needs the whole organization, activities do not.
    dynamics.narrow_privilege("prvReadContact");
    dynamics.narrow_privilege("prvCreateActivity");
    let problems = found(&rig, 3, "problems").await;
    let [problem] = problems.as_slice() else { panic!("{problems:#?}") };
    assert!(problem.contains("prvReadContact does not reach the whole organization"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn privileges_that_cannot_be_read_are_a_note() {
    let variants = Variants { privileges_can_be_read: false, ..Variants::default() };
    let rig = rig(variants, "").await;
    rig.sandbox.dynamics().set_privilege("prvCreateActivity", false);
    let notes = found(&rig, 0, "notes").await;
    assert!(notes.iter().any(|one| one.contains("cannot be read")), "{notes:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_of_columns_that_events_do_not_use_is_not_asked() {
    let rig = rig(Variants::default(), "").await;
    let refused = |cast: &str| FaultRule {
        path: Some(format!(
            "new_campaignemailsend')/Attributes/Microsoft.Dynamics.CRM.{cast}AttributeMetadata"
        )),
        ..FaultRule::always(Fault::Status { code: 404, body: "{}".to_owned() })
    };
    let casts = ["Memo", "Picklist", "State", "Status", "Boolean", "Lookup"];
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: casts.map(refused).into() });
    assert_eq!(found(&rig, 0, "problems").await, [] as [String; 0]);
    rig.run(&["provision"]).await.expect(0);
}
