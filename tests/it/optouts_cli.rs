//! The ledger's commands on the real thing, with a daemon and without.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::optout::{flags, passed, set_profile, settle, world};
use crate::support::World;

/// A world in which one opt-out came from either side.
fn told() -> (World, Uuid, Uuid) {
    let world = world("bidirectional", "");
    let contacts = world.contacts();
    for id in &contacts {
        world.change(*id, &json!({ "donotbulkemail": false, "donotphone": false }));
    }
    world.synced();
    settle(&world);
    world.change(contacts[0], &json!({ "donotbulkemail": true }));
    set_profile(&world, contacts[1], &json!({ "blackListPhone": true }));
    settle(&world);
    (world, contacts[0], contacts[1])
}

fn rows(world: &World, arguments: &[&str]) -> Vec<Value> {
    let run = world.run(arguments).ends(0);
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stdout))
}

#[test]
fn the_ledger_says_who_opted_out_where_and_why() {
    let (world, in_dynamics, in_campaign) = told();
    let rows = rows(&world, &["optouts", "list", "--json"]);
    let of = |id: Uuid| rows.iter().find(|row| row["contact"] == id.to_string()).unwrap();
    let (first, second) = (of(in_dynamics), of(in_campaign));
    assert_eq!(
        (&first["flag"], &first["agreed_by"]),
        (&json!("blackListEmail"), &json!("dynamics"))
    );
    assert_eq!(
        (&second["flag"], &second["agreed_by"]),
        (&json!("blackListPhone"), &json!("campaign"))
    );
    for row in [first, second] {
        assert_eq!((&row["dynamics"], &row["campaign"]), (&json!(true), &json!(true)));
        assert_eq!((&row["agreed"], &row["state"]), (&json!(true), &json!("settled")));
        assert!(row["decision"]["at"].is_string() && row["campaign_changed"].is_string());
    }
    let shown = world.run(&["optouts", "show", &in_campaign.to_string()]).ends(0).stdout;
    assert!(shown.contains("Campaign says opted out, and that always stands"), "{shown}");
    let nobody = world.run(&["optouts", "show", &Uuid::nil().to_string()]).ends(1);
    assert!(nobody.stderr.contains("has nothing of"), "{}", nobody.stderr);
    let listed = world.run(&["optouts", "list"]).ends(0).stdout;
    assert!(listed.contains(&in_dynamics.to_string()), "{listed}");
    let due = world.run(&["optouts", "list", "--state", "due", "--json"]).ends(0).stdout;
    assert_eq!(due.trim(), "[]");
}

#[test]
fn the_export_goes_into_a_new_file_that_nobody_else_may_read() {
    let (world, in_dynamics, _) = told();
    let run = world.run(&["optouts", "export", "--output", "ledger.csv"]).ends(0);
    assert_eq!(run.stdout, "");
    let file = world.path("ledger.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, world.run(&["optouts", "export"]).ends(0).stdout);
    assert!(text.contains(&format!("{in_dynamics},blackListEmail,true")), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = world.run(&["optouts", "export", "--output", "ledger.csv"]).ends(2);
    assert!(again.stderr.contains("remove it, or name another"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "not touched");
    let whole = rows(&world, &["optouts", "export", "--format", "json"]);
    assert_eq!(whole.len(), text.lines().count() - 1);
}

#[test]
fn beside_a_daemon_the_commands_say_the_same() {
    let (world, in_dynamics, _) = told();
    let commands: [&[&str]; 3] =
        [&["optouts", "list"], &["optouts", "export"], &["optouts", "export", "--format", "json"]];
    let id = in_dynamics.to_string();
    let show: &[&str] = &["optouts", "show", &id];
    // The daemon has the store and leaves the ledger alone.
    world.run(&["pause", "optout"]).ends(0);
    world.run(&["pause", "ingress"]).ends(0);
    let alone: Vec<String> =
        commands.iter().chain([&show]).map(|it| world.run(it).ends(0).stdout).collect();
    let daemon = crate::rig::Running::start(world.command(&["run"]));
    daemon.wait_for("\"daemon.started\"");
    let beside: Vec<String> =
        commands.iter().chain([&show]).map(|it| world.run(it).ends(0).stdout).collect();
    world.run(&["optouts", "export", "--output", "beside.csv"]).ends(0);
    let file = std::fs::read_to_string(world.path("beside.csv")).unwrap();
    let none = world.run(&["approve-optouts"]).ends(0);
    daemon.signal("TERM");
    daemon.end();
    assert_eq!(alone, beside);
    assert_eq!(file, alone[1]);
    assert!(none.stderr.contains("nothing to approve"), "{}", none.stderr);
}

#[test]
fn held_clearings_are_listed_and_go_when_a_person_approves_them() {
    let count = 60;
    let world = world("campaign-to-dynamics", "clearing_guard = { rows = 5 }");
    let ids: Vec<Uuid> =
        (0..count).map(|n| world.add(&json!({ "lastname": format!("N{n}") }))).collect();
    world.synced();
    let set = |opted_out: bool| {
        for id in &ids {
            set_profile(&world, *id, &json!({ "blackListEmail": opted_out }));
        }
    };
    set(true);
    settle(&world);
    assert_eq!(flags(&world, ids[0]), [[true, false], [true, false]]);
    set(false);
    let held = passed(&world);
    assert_eq!(held.code, 1, "{}", held.stderr);
    assert!(held.stderr.contains("\"optouts.held\""), "{}", held.stderr);
    assert_eq!(rows(&world, &["optouts", "list", "--state", "held", "--json"]).len(), count);
    assert_eq!(flags(&world, ids[0]), [[true, false], [false, false]]);
    let said = world.run(&["approve-optouts"]).ends(0);
    assert!(said.stderr.contains("60 held opt-outs are approved"), "{}", said.stderr);
    settle(&world);
    for id in &ids {
        assert_eq!(flags(&world, *id), [[false, false], [false, false]]);
    }
    let again = world.run(&["approve-optouts"]).ends(0);
    assert!(again.stderr.contains("nothing to approve"), "{}", again.stderr);
}
