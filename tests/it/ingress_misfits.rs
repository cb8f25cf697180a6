//! Values that do not fit, and contacts that the filter leaves out.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::ingress_mapping::{carried, world};
use crate::support::{Counts, World, by_filter};

/// Adds a contact that cannot be carried; gives the reason.
#[track_caller]
fn refused(world: &World, contact: &Value) -> (Uuid, String) {
    let id = world.add(contact);
    let run = world.sync().ends(1);
    assert!(run.counts().dead_lettered >= 1, "{}", run.stderr);
    assert!(world.profiles_of(id).is_empty(), "nothing was written");
    let letters = world.dead_letters();
    let letter = letters.iter().find(|letter| letter["record"] == id.to_string());
    let letter = letter.unwrap_or_else(|| panic!("{letters:?}"));
    assert_eq!((&letter["flow"], &letter["table"]), (&json!("ingress"), &json!("contact")));
    (id, letter["reason"].as_str().unwrap().to_owned())
}

#[test]
fn a_text_that_is_too_long_is_a_named_failure_unless_cutting_is_allowed() {
    let long = json!({ "firstname": "é".repeat(31), "lastname": "Fine" });
    let strict = world("", r#"{ from = "firstname", to = "firstName" }"#);
    let (id, reason) = refused(&strict, &long);
    assert!(reason.contains("firstName") && reason.contains("31"), "{reason}");
    strict.change(id, &json!({ "firstname": "é".repeat(30) }));
    strict.synced();
    assert_eq!(strict.profile(id)["firstName"], "é".repeat(30));
    assert!(strict.dead_letters().is_empty(), "the newer version took its place");
    let lax = world("", r#"{ from = "firstname", to = "firstName", on_too_long = "cut" }"#);
    assert_eq!(carried(&lax, &long)["firstName"], "é".repeat(30));
}

#[test]
fn a_value_that_does_not_fit_names_its_field_and_stops_nobody_else() {
    for (field, contact, name) in [
        (
            r#"{ from = "jobtitle", to = "cusSegment" }"#,
            json!({ "jobtitle": "platinum" }),
            "cusSegment",
        ),
        (r#"{ from = "gendercode", to = "cusSegment" }"#, json!({ "gendercode": 1 }), "cusSegment"),
        (
            r#"{ from = "numberofchildren", to = "cusSmall" }"#,
            json!({ "numberofchildren": 128 }),
            "cusSmall",
        ),
        (
            r#"{ from = "new_points", to = "cusShort" }"#,
            json!({ "new_points": 32_768 }),
            "cusShort",
        ),
        (r#"{ from = "new_rating", to = "cusPoints" }"#, json!({ "new_rating": 1.5 }), "cusPoints"),
        (r#"{ from = "jobtitle", to = "birthDate" }"#, json!({ "jobtitle": "soon" }), "birthDate"),
        (r#"{ from = "jobtitle", to = "cusVip" }"#, json!({ "jobtitle": "maybe" }), "cusVip"),
    ] {
        let world = world("", field);
        let fine = world.add(&json!({ "lastname": "Fine" }));
        let (_, reason) = refused(&world, &contact);
        assert!(reason.contains(name), "{name}: {reason}");
        assert_eq!(world.profiles_of(fine).len(), 1);
        assert_eq!(world.synced(), Counts::default(), "told once, not in each pass");
        assert_eq!(world.dead_letters().len(), 1);
    }
}

#[test]
fn an_update_that_does_not_fit_leaves_the_profile_as_it_was() {
    let world = world(
        "",
        r#"{ from = "firstname", to = "firstName" }, { from = "lastname", to = "lastName" }"#,
    );
    let id = world.add(&json!({ "firstname": "Ann", "lastname": "Lee" }));
    world.synced();
    world.change(id, &json!({ "firstname": "x".repeat(31), "lastname": "Changed" }));
    world.sync().ends(1);
    let profile = world.profile(id);
    assert_eq!((&profile["firstName"], &profile["lastName"]), (&json!("Ann"), &json!("Lee")));
}

#[test]
fn a_contact_that_leaves_the_filter_is_deleted_only_where_that_is_said() {
    for delete in [true, false] {
        let options = format!(
            "filter = {{ match = \"all\", delete_filtered_out = {delete}, rules = [ {{ column = \"statecode\", is = \"eq\", value = 0 }} ] }}"
        );
        let world = world(&options, r#"{ from = "lastname", to = "lastName" }"#);
        let stays = world.add(&json!({ "lastname": "Stays" }));
        let leaves = world.add(&json!({ "lastname": "Leaves" }));
        let never = world.add(&json!({ "lastname": "Never", "statecode": 1, "statuscode": 2 }));
        let counts = world.synced();
        assert_eq!(counts, Counts { read: 3, written: 2, filtered: 1, ..Counts::default() });
        world.change(leaves, &json!({ "statecode": 1, "statuscode": 2, "lastname": "Gone" }));
        world.synced();
        assert_eq!(world.profiles_of(leaves).len(), usize::from(!delete));
        if !delete {
            assert_eq!(world.profile(leaves)["lastName"], "Leaves", "left as it was");
        }
        world.change(leaves, &json!({ "statecode": 0, "statuscode": 1, "lastname": "Back" }));
        world.synced();
        assert_eq!(world.profile(leaves)["lastName"], "Back");
        assert_eq!((world.profiles_of(stays).len(), world.profiles_of(never).len()), (1, 0));
    }
}

#[test]
fn a_contact_that_left_the_filter_while_the_token_was_lost_is_deleted() {
    let world = world(
        "apply_deletes = true\nfilter = { match = \"all\", delete_filtered_out = true, rules = [ { column = \"statecode\", is = \"eq\", value = 0 } ] }",
        r#"{ from = "lastname", to = "lastName" }"#,
    );
    let leaves = world.add(&json!({ "lastname": "Leaves" }));
    let stays = world.add(&json!({ "lastname": "Stays" }));
    world.synced();
    world.change(leaves, &json!({ "statecode": 1, "statuscode": 2 }));
    world.sandbox.dynamics().expire_tokens();
    world.synced();
    assert_eq!((world.profiles_of(leaves).len(), world.profiles_of(stays).len()), (0, 1));
}

#[test]
fn a_failure_that_is_tried_again_unmended_fails_again_and_mended_is_carried() {
    let strict = r#"{ from = "firstname", to = "firstName" }"#;
    let world = world("", strict);
    let (id, _) = refused(&world, &json!({ "firstname": "x".repeat(31) }));
    world.run(&["dead-letters", "retry"]).ends(0);
    assert!(world.dead_letters().is_empty());
    let counts = world.sync().ends(1).counts();
    assert_eq!(counts, Counts { read: 1, dead_lettered: 1, ..Counts::default() });
    assert_eq!(world.dead_letters().len(), 1);
    let lax = r#"fields = [ { from = "firstname", to = "firstName", on_too_long = "cut" } ]"#;
    world.configure(&by_filter("", lax));
    world.synced();
    assert_eq!(world.profile(id)["firstName"], "x".repeat(30));
    assert!(world.dead_letters().is_empty());
}

#[test]
fn a_contact_deleted_after_it_failed_leaves_no_dead_letter() {
    let world = world("apply_deletes = true", r#"{ from = "firstname", to = "firstName" }"#);
    let (id, _) = refused(&world, &json!({ "firstname": "x".repeat(31) }));
    world.delete(id);
    world.synced();
    assert!(world.dead_letters().is_empty());
}
