//! An answer is taken for "the record is not there" only where Campaign itself
//! says so of the record's true place.

use cdsync::sandbox::{Fault, FaultRule, System};
use serde_json::json;

use crate::optout_rig::{BULK, ago, email, in_dynamics, passed, sections};
use crate::support::{Counts, FIELDS, Setup, World, by_filter, by_uri, on_writes};

/// What others than Campaign say with a 404.
const NOT_CAMPAIGNS: [&str; 4] = [
    "<html>\r\n<head><title>404 Not Found</title></head><body>nginx</body></html>",
    "",
    "404 page not found",
    r#"{"error_code":"404000","message":"no route"}"#,
];

/// What Campaign says of a `PKey` that it does not know any more.
const STALE: [(u16, &str); 3] = [
    (
        500,
        "'O5iRp40EGA' attribute unknown (see definition of 'Profiles (nms:recipient)' schema). XTK-170036 Unable to parse expression '@id = @O5iRp40EGA'.",
    ),
    (500, "\"'@gibberish' is not a valid constant\""),
    (404, "\"Unable to decrypt PKey. (PKey=@jksad)\""),
];

fn once(method: &str, code: u16, body: &str) -> FaultRule {
    let fault = Fault::Status { code, body: body.to_owned() };
    FaultRule { times: Some(1), ..on_writes(method, fault) }
}

fn world(tables: fn(&str, &str) -> String) -> World {
    let world = World::new(Setup {
        contacts: 3,
        tables: tables("apply_deletes = true", FIELDS),
        ..Setup::default()
    });
    world.equal_after_sync();
    world
}

#[test]
fn a_404_that_is_not_campaigns_own_is_no_deletion() {
    for tables in [by_filter, by_uri] {
        for body in NOT_CAMPAIGNS {
            let world = world(tables);
            world.delete(world.contacts()[0]);
            world.play(once("DELETE", 404, body));
            let run = world.sync().ends(0);
            assert_eq!(run.counts(), Counts { read: 1, deleted: 1, ..Counts::default() });
            assert_eq!(world.sandbox.campaign().count("profile"), 2, "{body:?}");
        }
    }
}

#[test]
fn a_404_that_stays_is_told_and_the_deletion_is_kept() {
    let world = world(by_filter);
    world.delete(world.contacts()[0]);
    let fault = Fault::Status { code: 404, body: NOT_CAMPAIGNS[0].to_owned() };
    world.play(on_writes("DELETE", fault));
    let run = world.sync().ends(1);
    assert_eq!(run.counts().dead_lettered, 1);
    assert!(run.stderr.contains("404 that is not Campaign's own"), "{}", run.stderr);
    world.calm();
    world.run(&["dead-letters", "retry"]).ends(0);
    world.sync().ends(0);
    assert_eq!(world.sandbox.campaign().count("profile"), 2);
}

#[test]
fn a_path_that_has_gone_stale_is_no_deletion() {
    for (code, body) in STALE {
        let world = world(by_filter);
        world.delete(world.contacts()[0]);
        world.play(once("DELETE", code, body));
        let run = world.sync().ends(0);
        assert_eq!(run.counts().deleted, 1);
        assert_eq!(world.sandbox.campaign().count("profile"), 2, "{body:?}");
    }
}

#[test]
fn a_record_that_somebody_else_deleted_counts_as_deleted() {
    for tables in [by_filter, by_uri] {
        let world = world(tables);
        let id = world.contacts()[0];
        let key = if world.profile(id).get("cusCrmId").is_some_and(|it| it != "") {
            "cusCrmId"
        } else {
            "externalId"
        };
        world.delete(id);
        let campaign = world.sandbox.campaign();
        world.sandbox.before((System::Campaign, "DELETE", "/profile/"), 0, move || {
            assert_eq!(campaign.delete("profile", key, &id.to_string()), 1);
        });
        let run = world.sync().ends(0);
        assert_eq!(run.counts().deleted, 1, "{}", run.stderr);
        assert_eq!(world.sandbox.campaign().count("profile"), 2);
    }
}

#[test]
fn a_404_that_is_not_campaigns_own_is_no_reason_to_leave_an_opt_out() {
    for body in NOT_CAMPAIGNS {
        let tables = sections("dynamics-to-campaign", BULK);
        let usual = tables.lines().find(|line| line.starts_with("key = ")).unwrap().to_owned();
        let key = r#"key = { from = "contactid", to = "cusCrmId", in_uri = true }"#;
        let tables = tables.replace(&usual, key);
        let world = World::new(Setup { contacts: 2, tables, ..Setup::default() });
        let id = world.contacts()[0];
        let off = json!({ "donotbulkemail": false });
        world.sandbox.dynamics().update_at("contact", id, &off, ago(86_400)).unwrap();
        world.synced();
        passed(&world).ends(0);
        in_dynamics(&world, id, true, ago(1));
        world.play(FaultRule { path: Some("/profile/".to_owned()), ..once("GET", 404, body) });
        passed(&world).ends(0);
        assert_eq!(email(&world, id), (true, true), "{body:?}");
    }
}
