//! Drift of either schema, lost rights and wrong secrets: the table concerned
//! stops by name, the others go on, and nothing needs to be done afterwards.

use cdsync::sandbox::{ColumnType, Fault, FaultRule, FieldType, System};
use serde_json::json;

use crate::support::{FIELDS, Run, STORES, Setup, World, by_filter, on_pages};

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

#[test]
fn a_version_of_the_api_that_is_gone_ends_the_pass_at_once_and_loses_nothing() {
    let said = "This version of the API is no longer supported.";
    for (system, body) in [
        (System::Dynamics, json!({ "error": { "code": "", "message": said } })),
        (System::Campaign, json!({ "error_code": "", "message": said })),
    ] {
        for code in [400, 410, 501] {
            let world = World::new(Setup { contacts: 2, ..Setup::default() });
            let gone = Fault::Status { code, body: body.to_string() };
            world.play(FaultRule { system: Some(system), ..FaultRule::always(gone) });
            let run = world.sync().ends(1);
            let reason = run.event("table.failed")["reason"].as_str().unwrap().to_owned();
            let words = said.trim_end_matches('.');
            assert!(reason.contains(words) && reason.contains(&code.to_string()), "{reason}");
            world.calm();
            world.equal_after_sync();
        }
    }
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
fn a_shorter_field_stops_its_table_until_it_is_back_or_its_mapping_says_what_to_do() {
    let world = two_tables();
    let campaign = world.sandbox.campaign();
    campaign.retype_field("profile", "lastName", FieldType::Text { max: 8 }).unwrap();
    world.change(world.contacts()[1], &json!({ "lastname": "Longer than eight" }));
    for _ in 0..2 {
        let run = world.sync().ends(1);
        names(&run, "schema.drifted", &["the field `lastName` was text(", "now it is text(8)"]);
        assert_eq!(run.counts().dead_lettered, 0);
    }
    the_other_table_went_on(&world);
    // The look-alike forgets a retyped field's values; the waiting change does not.
    campaign.retype_field("profile", "lastName", FieldType::Text { max: 50 }).unwrap();
    world.synced();
    assert_eq!(world.profile(world.contacts()[1])["lastName"], "Longer than eight");
    campaign.retype_field("profile", "lastName", FieldType::Text { max: 8 }).unwrap();
    world.sync().ends(1);
    let cut = FIELDS.replace("to = \"lastName\" }", "to = \"lastName\", on_too_long = \"cut\" }");
    world.configure(&format!("{}{STORES}", by_filter("apply_deletes = true", &cut)));
    world.synced();
    assert_eq!(world.profile(world.contacts()[1])["lastName"], "Longer t");
}

#[test]
fn a_shorter_column_stops_its_table() {
    let world = two_tables();
    let dynamics = world.sandbox.dynamics();
    dynamics.retype_column("contact", "LastName", ColumnType::Text { max: 5 }).unwrap();
    names(&world.sync().ends(1), "schema.drifted", &["the column `lastname`", "text(5)"]);
    the_other_table_went_on(&world);
    dynamics.retype_column("contact", "LastName", ColumnType::Text { max: 50 }).unwrap();
    world.equal_after_sync();
}

#[test]
fn sending_a_table_again_takes_its_schema_as_it_is() {
    let world = two_tables();
    world.change(world.contacts()[1], &json!({ "lastname": "Longer than eight" }));
    world.synced();
    let shorter = FieldType::Text { max: 8 };
    world.sandbox.campaign().retype_field("profile", "lastName", shorter).unwrap();
    names(&world.sync().ends(1), "schema.drifted", &["now it is text(8)"]);
    // What does not fit is told record by record from now on.
    world.run(&["resync", "--table", "contact"]).ends(1);
    assert!(world.sync().ends(0).events("schema.drifted").is_empty());
    let letters = world.dead_letters();
    assert!(!letters.is_empty());
    for letter in letters {
        assert!(letter["reason"].as_str().unwrap().contains("lastName"), "{letter}");
    }
}

#[test]
fn a_mistake_in_the_mapping_is_no_drift_and_drift_says_what_to_do() {
    let world = two_tables();
    let wrong =
        FIELDS.replace("fields = [", "fields = [ { from = \"nosuch\", to = \"middleName\" },");
    assert_ne!(wrong, FIELDS);
    world.configure(&format!("{}{STORES}", by_filter("apply_deletes = true", &wrong)));
    let run = world.sync().ends(1);
    names(&run, "table.failed", &["nosuch → middleName"]);
    assert!(run.events("schema.drifted").is_empty());
    world.configure(&format!("{}{STORES}", by_filter("apply_deletes = true", FIELDS)));
    world.sandbox.dynamics().remove_column("contact", "lastname").unwrap();
    let run = world.sync().ends(1);
    names(&run, "schema.drifted", &["lastname", "cdsync resync --table contact"]);
}

#[test]
fn a_longer_field_is_no_drift_and_costs_no_full_read() {
    let world = two_tables();
    let longer = FieldType::Text { max: 500 };
    world.sandbox.campaign().retype_field("profile", "lastName", longer).unwrap();
    world.forget();
    let counts = world.synced();
    assert_eq!((counts.read, counts.written), (2, 2), "{counts:?}");
    assert!(world.pages().iter().all(|page| page.path.contains("deltatoken")));
}

#[test]
fn a_column_that_goes_while_pages_are_read_is_drift_and_keeps_the_token() {
    let world = two_tables();
    let body = r#"{"error":{"code":"0x80060888","message":"Could not find a property named 'new_vip' on type 'Microsoft.Dynamics.CRM.contact'."}}"#;
    world.play(on_pages(Fault::Status { code: 400, body: body.to_owned() }));
    names(&world.sync().ends(1), "schema.drifted", &["property"]);
    the_other_table_went_on(&world);
    world.calm();
    world.forget();
    let counts = world.equal_after_sync();
    assert_eq!((counts.read, counts.written), (1, 1), "{counts:?}");
    assert!(world.pages().iter().all(|page| page.path.contains("deltatoken")));
}

#[test]
fn a_table_or_resource_that_is_deleted_is_drift() {
    let world = two_tables();
    let gone = r#"{"error":{"code":"0x80040217","message":"Could not find an entity with the specified name."}}"#;
    world.play(FaultRule {
        path: Some("EntityDefinitions(LogicalName='contact')".to_owned()),
        ..FaultRule::always(Fault::Status { code: 404, body: gone.to_owned() })
    });
    names(&world.sync().ends(1), "schema.drifted", &["there is no table contact"]);
    the_other_table_went_on(&world);
    world.calm();
    world.equal_after_sync();
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
        let asked = world.asked(System::Entra).len() + world.asked(System::Ims).len();
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
