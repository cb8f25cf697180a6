//! A profile that is made for a contact who said no is opted out from its first
//! moment: nobody may mail it before the flow that owns the flags has run.

use cdsync::sandbox::{Fault, FaultRule};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::optout::{CONTACT, flags, settle, world};
use crate::support::{World, on_pages, on_writes, status};

const OUT_BY_MAIL: [[bool; 2]; 2] = [[true, false], [true, false]];

fn opted_out(world: &World) -> Uuid {
    world.add(&json!({ "lastname": "Sancho", "donotbulkemail": true, "donotphone": false }))
}

fn stamp(world: &World, id: Uuid, name: &str) -> String {
    let profile = world.profile(id);
    profile.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[test]
fn a_new_profile_is_made_opted_out_in_one_call_and_only_where_dynamics_says_so() {
    for direction in ["bidirectional", "dynamics-to-campaign"] {
        let world = world(direction, "");
        world.synced();
        world.forget();
        let id = opted_out(&world);
        world.synced();
        assert_eq!(world.verbs(), ["POST"], "{direction}");
        assert_eq!(flags(&world, id), OUT_BY_MAIL, "{direction}");
        assert_ne!(stamp(&world, id, "blackListEmailLastModified"), "");
        assert_eq!(
            stamp(&world, id, "blackListPhoneLastModified"),
            "",
            "a flag that is not set is not sent: it would look like a change in Campaign"
        );
        settle(&world);
        world.forget();
        settle(&world);
        assert_eq!(world.verbs(), Vec::<String>::new(), "both sides agree");
    }
}

#[test]
fn a_later_change_of_the_flag_does_not_travel_with_the_other_fields() {
    let world = world("bidirectional", "");
    let id = opted_out(&world);
    let other = world.add(&json!({ "lastname": "Panza", "donotbulkemail": false }));
    world.synced();
    world.forget();
    world.change(other, &json!({ "donotbulkemail": true }));
    assert_eq!(world.synced().written, 0);
    world.change(other, &json!({ "lastname": "Quixote", "donotbulkemail": true }));
    world.change(id, &json!({ "lastname": "Quixote", "donotbulkemail": false }));
    assert_eq!(world.synced().written, 2);
    assert_eq!(world.verbs(), ["PATCH", "PATCH"]);
    assert_eq!(flags(&world, other), [[true, false], [false, false]]);
    assert_eq!(flags(&world, id), [[false, false], [true, false]], "not cleared by it");
    settle(&world);
    assert_eq!(flags(&world, other), OUT_BY_MAIL, "the flow that owns it brings it");
}

#[test]
fn a_profile_that_is_there_already_is_not_told_of_the_flag() {
    let world = world("bidirectional", "");
    world.synced();
    let id = opted_out(&world);
    // Somebody else made it, after Campaign was listed.
    let profile = json!({ "externalId": id.to_string(), "lastName": "Old" });
    world.sandbox.campaign().insert("profile", &profile).unwrap();
    world.synced();
    assert_eq!(world.profile(id)["lastName"], "Sancho");
    assert_eq!(flags(&world, id), [[true, false], [false, false]]);
    settle(&world);
    assert_eq!(flags(&world, id), OUT_BY_MAIL);
}

#[test]
fn an_attempt_without_an_answer_leaves_one_profile_opted_out() {
    for fault in [Fault::CutBefore, Fault::CutAfter, Fault::Truncated, status(503)] {
        let world = world("bidirectional", "");
        world.synced();
        let id = opted_out(&world);
        world.play(FaultRule { times: Some(1), ..on_writes("POST", fault.clone()) });
        world.synced();
        world.calm();
        assert_eq!(flags(&world, id), OUT_BY_MAIL, "{fault:?}");
    }
}

#[test]
fn a_profile_that_campaign_lost_is_made_again_opted_out() {
    let world = world("bidirectional", "");
    let id = opted_out(&world);
    world.synced();
    assert_eq!(world.sandbox.campaign().delete("profile", "externalId", &id.to_string()), 1);
    world.change(id, &json!({ "lastname": "Again" }));
    world.synced();
    assert_eq!(flags(&world, id), OUT_BY_MAIL);
}

#[test]
fn flags_that_are_paired_later_are_there_for_whom_is_made_from_then_on() {
    let begun = world("bidirectional", "");
    let with_optout = std::fs::read_to_string(begun.path("config.toml")).unwrap();
    begun.configure(CONTACT);
    let early = opted_out(&begun);
    begun.synced();
    assert_eq!(flags(&begun, early), [[true, false], [false, false]]);
    std::fs::write(begun.path("config.toml"), with_optout).unwrap();
    let late = opted_out(&begun);
    begun.synced();
    assert_eq!(flags(&begun, late), OUT_BY_MAIL);
    assert_eq!(flags(&begun, early), [[true, false], [false, false]], "no PATCH carries it");
    let later = opted_out(&begun);
    begun.synced();
    assert_eq!(flags(&begun, later), OUT_BY_MAIL, "and with the changes after that");
}

#[test]
fn the_plan_names_the_flags_of_a_new_profile_and_of_no_other() {
    let world = world("bidirectional", "");
    world.synced();
    let id = opted_out(&world);
    let there = world.contacts()[0];
    world.change(there, &json!({ "lastname": "Changed", "donotphone": true }));
    let plan = world.plan();
    let of = |id: Uuid| plan.iter().find(|line| line["id"] == id.to_string()).unwrap();
    assert_eq!(of(id)["action"], "create");
    assert!(of(id)["fields"].as_array().unwrap().contains(&json!("blackListEmail")), "{plan:?}");
    assert_eq!(of(there)["fields"], json!(["lastName"]));
}

#[test]
fn towards_dynamics_alone_dynamics_has_no_say_in_a_new_profile() {
    let world = world("campaign-to-dynamics", "");
    let id = opted_out(&world);
    world.synced();
    assert_eq!(flags(&world, id), [[true, false], [false, false]]);
}

#[test]
fn a_flag_that_is_cleared_after_its_profile_was_made_with_it_is_cleared_there_too() {
    for fault in [None, Some(Fault::CutAfter)] {
        let world = world("dynamics-to-campaign", "");
        world.synced();
        let id = opted_out(&world);
        if let Some(fault) = &fault {
            let once = on_writes("POST", fault.clone());
            world.play(FaultRule { times: Some(1), ..once });
        }
        world.synced();
        assert_eq!(flags(&world, id), OUT_BY_MAIL);
        // Before the flow that owns the flags has ever looked.
        world.change(id, &json!({ "donotbulkemail": false }));
        settle(&world);
        assert_eq!(flags(&world, id), [[false, false], [false, false]], "{fault:?}");
    }
}

#[test]
fn a_flag_that_was_seen_before_its_profile_was_made_with_it_is_cleared_there_too() {
    let world = world("dynamics-to-campaign", "");
    world.synced();
    let id = opted_out(&world);
    // There is no profile to bring it to.
    world.run(&["sync", "optout"]).ends(0);
    world.synced();
    assert_eq!(flags(&world, id), OUT_BY_MAIL);
    world.change(id, &json!({ "donotbulkemail": false }));
    settle(&world);
    assert_eq!(flags(&world, id), [[false, false], [false, false]]);
}

#[test]
fn a_no_that_was_heard_while_a_creation_waited_is_in_it() {
    for direction in ["bidirectional", "dynamics-to-campaign"] {
        let world = world(direction, "");
        world.synced();
        let id = world.add(&json!({ "lastname": "Sancho", "donotbulkemail": false }));
        world.play(on_writes("POST", status(503)));
        assert_eq!(world.sync_for("1").code, 4, "{direction}: its profile cannot be made yet");
        world.change(id, &json!({ "donotbulkemail": true, "donotphone": false }));
        settle(&world);
        // The profile is made of what was read before: nothing can be read now.
        world.play(on_pages(status(503)));
        assert_eq!(world.sync_for("1").code, 4, "{direction}");
        assert_eq!(flags(&world, id), OUT_BY_MAIL, "{direction}: from its first moment");
        world.calm();
        world.synced();
        settle(&world);
        world.forget();
        settle(&world);
        assert_eq!(world.verbs(), [""; 0], "{direction}: both agree");
    }
}
