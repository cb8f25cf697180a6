//! Drift of either schema, lost rights and wrong secrets: the table concerned
//! stops by name, the others go on, and nothing needs to be done afterwards.

use cdsync::sandbox::{ColumnType, FieldType};
use serde_json::json;

use crate::support::{FIELDS, Run, STORES, Setup, World, by_filter};

/// Contacts and stores, both loaded; a change waits in each.
fn two_tables() -> World {
    let tables = format!("{}{STORES}", by_filter("apply_deletes = true", FIELDS));
    let world = World::new(Setup { tables, ..Setup::default() });
    let dynamics = world.sandbox.dynamics();
    dynamics.insert("new_store", &json!({ "new_name": "One", "new_city": "Oslo" })).unwrap();
    world.equal_after_sync();
    world.change(world.contacts()[0], &json!({ "lastname": "Changed meanwhile" }));
    let store = dynamics.ids("new_store")[0];
    dynamics.update("new_store", store, &json!({ "new_city": "Bergen" })).unwrap();
    world
}

#[track_caller]
fn the_other_table_went_on(world: &World) {
    let stores = world.sandbox.campaign().rows("cusStore");
    assert_eq!(stores.len(), 1);
    assert_eq!(stores[0]["cusCity"], "Bergen");
    assert_ne!(world.profile(world.contacts()[0])["lastName"], "Changed meanwhile");
}

#[track_caller]
fn names(run: &Run, event: &str, words: &[&str]) {
    let event = run.event(event);
    assert_eq!(event["table"], "contact");
    let reason = event["reason"].as_str().unwrap();
    assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
}

#[test]
fn a_mapped_column_that_is_gone_stops_its_table_and_writes_no_null() {
    let world = two_tables();
    let vips = |world: &World| -> Vec<_> {
        world.sandbox.campaign().rows("profile").iter().map(|row| row["cusVip"].clone()).collect()
    };
    let before = vips(&world);
    world.sandbox.dynamics().remove_column("contact", "new_vip").unwrap();
    for _ in 0..2 {
        names(&world.sync().ends(1), "schema.drifted", &["new_vip"]);
    }
    the_other_table_went_on(&world);
    assert_eq!(vips(&world), before);
    let kind = ColumnType::Boolean {
        default: false,
        labels: [(1, "Yes"), (0, "No")].map(|(value, label)| cdsync::sandbox::Choice {
            value,
            english: label.to_owned(),
            german: label.to_owned(),
            partner: None,
        }),
    };
    world.sandbox.dynamics().add_column("contact", "new_Vip", kind).unwrap();
    world.equal_after_sync();
}

#[test]
fn a_column_of_another_type_stops_its_table() {
    let world = two_tables();
    let kind =
        ColumnType::Lookup { flavour: cdsync::sandbox::LookupFlavour::Lookup, targets: vec![] };
    world.sandbox.dynamics().retype_column("contact", "new_Points", kind).unwrap();
    names(&world.sync().ends(1), "schema.drifted", &["cusPoints"]);
    the_other_table_went_on(&world);
    let kind = ColumnType::Integer { min: 0, max: 10 };
    world.sandbox.dynamics().retype_column("contact", "new_Points", kind).unwrap();
    world.equal_after_sync();
}

#[test]
fn a_mapped_field_that_is_gone_stops_its_table() {
    let world = two_tables();
    world.sandbox.campaign().remove_field("profile", "cusNote").unwrap();
    names(&world.sync().ends(1), "schema.drifted", &["cusNote"]);
    the_other_table_went_on(&world);
}

#[test]
fn a_field_that_became_narrower_makes_dead_letters_and_no_cut() {
    let world = two_tables();
    world
        .sandbox
        .campaign()
        .retype_field("profile", "lastName", FieldType::Text { max: 8 })
        .unwrap();
    world.change(world.contacts()[0], &json!({ "lastname": "Longer than eight" }));
    let run = world.sync().ends(1);
    assert!(run.counts().dead_lettered >= 1);
    let letters = world.dead_letters();
    assert!(
        letters.iter().all(|it| it["reason"].as_str().unwrap().contains("lastName")),
        "{letters:?}"
    );
}

#[test]
fn change_tracking_that_is_off_is_named() {
    let world = two_tables();
    world.sandbox.dynamics().set_change_tracking("contact", false);
    names(&world.sync().ends(1), "table.failed", &["change tracking"]);
    the_other_table_went_on(&world);
    let check = world.run(&["check", "--json"]).ends(1);
    assert!(check.stdout.contains("change tracking is off"), "{}", check.stdout);
    world.sandbox.dynamics().set_change_tracking("contact", true);
    world.equal_after_sync();
}

#[test]
fn a_table_without_rights_ends_with_3_and_the_other_goes_on() {
    let world = two_tables();
    world.sandbox.dynamics().set_privileged("contact", false);
    let run = world.sync().ends(3);
    assert_eq!(run.event("table.failed")["table"], "contact");
    the_other_table_went_on(&world);
    world.sandbox.dynamics().set_privileged("contact", true);
    world.equal_after_sync();
}

#[test]
fn a_secret_that_is_refused_ends_with_3_and_is_tried_a_few_times_at_most() {
    for name in ["dynamics-secret", "campaign-secret"] {
        let world = two_tables();
        world.secret(name, "not-the-secret");
        world.forget();
        let run = world.sync().ends(3);
        assert!(!run.stderr.contains("not-the-secret"));
        let asked = world.asked(cdsync::sandbox::System::Entra).len()
            + world.asked(cdsync::sandbox::System::Ims).len();
        assert!(asked <= 8, "{asked} token requests");
        assert!(world.writes().is_empty());
        let known = world.sandbox.credentials();
        world.secret("dynamics-secret", &known.dynamics_client_secret);
        world.secret("campaign-secret", &known.campaign_client_secret);
        world.equal_after_sync();
    }
}

#[test]
fn a_filter_that_is_gone_is_named_and_loses_nothing() {
    let world = two_tables();
    world.sandbox.campaign().remove_filter("profile", "byExternalId");
    let run = world.sync();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("byExternalId"), "{}", run.stderr);
    the_other_table_went_on(&world);
    let operator = cdsync::sandbox::FilterOperator::Equal;
    world
        .sandbox
        .campaign()
        .add_filter("profile", "byExternalId", "externalId_parameter", "externalId", operator)
        .unwrap();
    world.run(&["dead-letters", "retry"]).ends(0);
    world.equal_after_sync();
}
