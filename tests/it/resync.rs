//! Replays: what Campaign lost or changed is sent again, once, whatever it was
//! told before; requests last, are joined, and go on after an interruption.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    FIELDS, STORES, Setup, World, by_filter, by_uri, on_pages, on_writes, status,
};

/// Someone works in Campaign behind our back.
fn edit(world: &World, id: Uuid, changes: &Value) {
    let campaign = world.sandbox.campaign();
    assert_eq!(campaign.update("profile", "externalId", &id.to_string(), changes).unwrap(), 1);
}

fn number(world: &World, sql: &str) -> i64 {
    let store = rusqlite::Connection::open(world.path("store.db")).unwrap();
    store.query_row(&format!("SELECT CAST(({sql}) AS INTEGER)"), [], |row| row.get(0)).unwrap()
}

fn requests_left(world: &World) -> i64 {
    number(world, "SELECT count(*) FROM resync")
}

fn rows_of(run: &crate::support::Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_replay_of_a_table_brings_back_what_campaign_lost_or_changed() {
    let world = World::new(Setup::default());
    world.synced();
    let ids = world.contacts();
    edit(&world, ids[0], &json!({ "lastName": "Edited" }));
    edit(&world, ids[1], &json!({ "cusCustomerSince": "1999-01-01 00:00:00.000Z" }));
    assert_eq!(world.sandbox.campaign().delete("profile", "externalId", &ids[2].to_string()), 1);
    assert_eq!(world.synced().written, 0, "a pass believes the mirror");
    let run = world.run(&["resync", "--table", "contact", "--json"]).ends(0);
    world.equal();
    let counts = run.counts();
    assert_eq!((counts.read, counts.written), (24, 24));
    assert_eq!(rows_of(&run), [json!({ "table": "contact", "rows": 24, "absent": 0 })]);
    let started = run.event("resync.started");
    assert_eq!((&started["purpose"], &started["resumed"]), (&json!("replay"), &json!(false)));
    assert_eq!(run.event("resync.finished")["rows"], 24);
    assert_eq!(requests_left(&world), 0);
    assert_eq!(world.synced().written, 0, "a replay is over when it is done");
}

#[test]
fn a_replay_sends_every_mapped_field_of_every_row_once_also_those_without_updates() {
    let tables = by_uri("", FIELDS);
    let world = World::new(Setup { contacts: 5, page_rows: 2, tables, ..Setup::default() });
    world.synced();
    let campaign = world.sandbox.campaign();
    for id in world.contacts() {
        let other = json!({ "firstName": "X", "cusNote": "X", "cusPoints": 77,
            "cusCustomerSince": "1999-01-01 00:00:00.000Z" });
        assert_eq!(campaign.update("profile", "cusCrmId", &id.to_string(), &other).unwrap(), 1);
    }
    world.forget();
    world.run(&["resync", "--table", "contact"]).ends(0);
    assert_eq!(world.verbs(), ["PATCH"; 5]);
    world.equal();
}

#[test]
fn a_replay_of_ids_touches_no_other_record_and_says_which_are_not_there() {
    let tables = by_filter("apply_deletes = true", FIELDS) + STORES;
    let world = World::new(Setup { tables, ..Setup::default() });
    world.synced();
    let ids = world.contacts();
    for id in &ids[..3] {
        edit(&world, *id, &json!({ "email": "edited@example.com" }));
    }
    let nobody = Uuid::from_u128(77).to_string();
    let (first, second) = (ids[0].to_string(), ids[1].to_string());
    world.forget();
    let run = world.run(&["resync", "--json", "--table", "contact", "--id", &first, &second]);
    assert_eq!(rows_of(&run.ends(0)), [json!({ "table": "contact", "rows": 2, "absent": 0 })]);
    assert_eq!(world.verbs(), ["PATCH", "PATCH"]);
    // Without a table the record is looked for in all of them.
    let third = ids[2].to_string();
    let run = world.run(&["resync", "--json", "--id", &third, "--id", &nobody]).ends(0);
    let expected = [
        json!({ "table": "contact", "rows": 2, "absent": 1 }),
        json!({ "table": "new_store", "rows": 2, "absent": 2 }),
    ];
    assert_eq!(rows_of(&run), expected);
    world.equal();
    assert_eq!(world.sandbox.campaign().count("profile"), ids.len());
}

#[test]
fn a_replay_since_a_time_takes_the_rows_that_dynamics_changed_since() {
    let world = World::new(Setup::default());
    let ids = world.contacts();
    world.change(ids[4], &json!({ "lastname": "Later" }));
    world.synced();
    let row = world.sandbox.dynamics().get("contact", ids[4]).unwrap();
    let since = row["modifiedon"].as_str().unwrap().to_owned();
    let later: usize = ids
        .iter()
        .filter(|id| {
            let row = world.sandbox.dynamics().get("contact", **id).unwrap();
            row["modifiedon"].as_str().unwrap() >= since.as_str()
        })
        .count();
    edit(&world, ids[4], &json!({ "lastName": "Edited" }));
    let run = world.run(&["resync", "--json", "--since", &since]).ends(0);
    assert_eq!(rows_of(&run)[0]["rows"], later);
    world.equal();
    let run = world.run(&["resync", "--json", "--since", "2999-01-01"]).ends(0);
    assert_eq!(rows_of(&run)[0]["rows"], 0);
}

#[test]
fn a_replay_before_the_first_load_doubles_nothing_and_the_load_follows() {
    let world = World::new(Setup::default());
    world.synced();
    world.lose_store();
    let ids = world.contacts();
    edit(&world, ids[0], &json!({ "lastName": "Edited" }));
    let first = ids[0].to_string();
    world.run(&["resync", "--id", &first]).ends(0);
    assert_eq!(
        world.profile(ids[0])["lastName"],
        world.sandbox.dynamics().get("contact", ids[0]).unwrap()["lastname"]
    );
    assert_eq!(world.sandbox.campaign().count("profile"), ids.len());
    world.equal_after_sync();
    assert_eq!(world.sandbox.campaign().count("profile"), ids.len());
}

#[test]
fn a_replay_leaves_the_cursor_where_it_is_and_the_next_pass_reads_on() {
    let world = World::new(Setup::default());
    world.synced();
    let ids = world.contacts();
    world.change(ids[3], &json!({ "firstname": "Changed" }));
    world.delete(ids[5]);
    world.forget();
    world.run(&["resync", "--table", "contact"]).ends(0);
    assert!(world.pages().iter().all(|page| !page.path.contains("deltatoken")));
    let counts = world.equal_after_sync();
    assert_eq!((counts.read, counts.unchanged, counts.deleted), (2, 1, 1));
}

#[test]
fn a_request_that_was_interrupted_is_joined_or_taken_up_by_the_next_pass() {
    for second in [&["resync", "--table", "contact"][..], &["sync"][..]] {
        let world = World::new(Setup { contacts: 9, page_rows: 3, ..Setup::default() });
        world.synced();
        let ids = world.contacts();
        for id in &ids {
            edit(&world, *id, &json!({ "lastName": "Edited" }));
        }
        // Crashes until one falls between two pages.
        for commits in 3.. {
            let mut crashing = world.command(&["resync", "--table", "contact"]);
            crashing.env("CDSYNC_CRASH", format!("committed:{commits}"));
            assert!(!crashing.output().unwrap().status.success(), "no crash was late enough");
            if number(&world, "SELECT total(done) FROM resync") > 0 {
                break;
            }
        }
        assert_eq!(requests_left(&world), 1);
        let waits = &world.status()["resync"][0];
        assert_eq!((&waits["table"], &waits["purpose"]), (&json!("contact"), &json!("replay")));
        assert!(world.run(&["status"]).stdout.contains("replay of contact is not done"));
        let run = world.run(second).ends(0);
        assert_eq!(run.event("resync.started")["resumed"], true, "{}", run.stderr);
        let joined = run.events("resync.joined");
        assert_eq!(joined.len(), usize::from(second[0] == "resync"), "{}", run.stderr);
        assert!(joined.iter().all(|it| it["asked_at"].as_str().unwrap().starts_with("20")));
        assert_eq!(run.event("resync.finished")["rows"], 9);
        assert_eq!(requests_left(&world), 0);
        world.equal();
    }
}

#[test]
fn a_plan_shows_what_a_waiting_request_will_write() {
    let world = World::new(Setup { contacts: 3, ..Setup::default() });
    world.synced();
    let mut crashing = world.command(&["resync", "--table", "contact"]);
    crashing.env("CDSYNC_CRASH", "committed:2");
    assert!(!crashing.output().unwrap().status.success());
    assert_eq!(requests_left(&world), 1);
    let planned = world.plan();
    assert_eq!(planned.len(), 3, "{planned:#?}");
    assert_eq!(requests_left(&world), 1, "a plan leaves no trace");
}

#[test]
fn what_makes_no_sense_is_refused_before_anybody_is_asked() {
    let world = World::new(Setup::default());
    let id = Uuid::from_u128(1).to_string();
    let mut said = String::new();
    for arguments in [
        &[][..],
        &["--id", &id, "--since", "2026-03-01"],
        &["--table", "contact", "--show-values"],
        &["--table", "lead"],
        &["--id", "4711"],
        &["--since", "yesterday"],
        &["--table"],
    ] {
        let mut all = vec!["--log-format", "pretty", "resync"];
        all.extend(arguments);
        let mut command = world.command(&[]);
        // The pretty log in place of the one that worlds use.
        command = {
            let mut plain = std::process::Command::new(command.get_program());
            plain.env_clear().current_dir(world.dir.path()).args(["--config", "config.toml"]);
            plain.args(&all);
            plain
        };
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        said.push_str(&format!("{arguments:?}\n{}\n", String::from_utf8_lossy(&output.stderr)));
    }
    insta::assert_snapshot!("resync_refusals", said);
    assert!(world.sandbox.requests().entries().is_empty());
    assert!(!world.path("store.db").exists());
}

#[test]
fn an_interrupted_comparison_leaves_nothing_and_an_interrupted_replay_goes_on() {
    for (purpose, left) in [("--verify", 0), ("--repair", 1)] {
        let world = World::new(Setup { page_rows: 5, ..Setup::default() });
        world.synced();
        world.play(on_pages(cdsync::sandbox::Fault::Slow { ms: 60_000 }));
        let running =
            crate::rig::Running::start(world.command(&["resync", "--table", "contact", purpose]));
        running.wait_for("resync.started");
        running.signal("INT");
        let ended = running.end();
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(ended.err.contains("interrupted"), "{ended:#?}");
        assert_eq!(requests_left(&world), left);
        world.calm();
        let finished = world.sync().ends(0).events("resync.finished");
        assert_eq!(i64::try_from(finished.len()).unwrap(), left);
    }
}

#[test]
fn a_change_that_waits_or_comes_meanwhile_wins_over_the_replay() {
    let world = World::new(Setup { tables: by_uri("", FIELDS), ..Setup::default() });
    world.synced();
    let id = world.contacts()[7];
    world.change(id, &json!({ "lastname": "First" }));
    for commits in 3.. {
        let mut crashing = world.command(&["sync"]);
        crashing.env("CDSYNC_CRASH", format!("committed:{commits}"));
        assert!(!crashing.output().unwrap().status.success(), "no crash was late enough");
        if number(&world, "SELECT count(*) FROM outbox") > 0 {
            break;
        }
    }
    world.change(id, &json!({ "lastname": "Second" }));
    world.run(&["resync", "--table", "contact"]).ends(0);
    assert_eq!(world.profile(id)["lastName"], "Second");
    world.change(id, &json!({ "lastname": "Third" }));
    world.equal_after_sync();
}

#[test]
fn records_that_are_on_their_way_are_counted_once_when_they_are_sent_again() {
    let setup = Setup { contacts: 120, tables: by_uri("", FIELDS), ..Setup::default() };
    let world = World::new(setup);
    world.synced();
    let ids: Vec<String> = world.contacts().iter().map(ToString::to_string).collect();
    for id in world.contacts() {
        world.change(id, &json!({ "lastname": "Waits" }));
    }
    world.play(on_writes("PATCH", status(403)));
    world.sync().ends(3);
    world.calm();
    world.play(on_writes("PATCH", cdsync::sandbox::Fault::Slow { ms: 100 }));
    let nobody = Uuid::from_u128(77).to_string();
    let mut arguments = vec!["resync", "--json", "--table", "contact", "--id", &nobody];
    arguments.extend(ids.iter().map(String::as_str));
    let run = world.run(&arguments).ends(0);
    assert_eq!(rows_of(&run), [json!({ "table": "contact", "rows": 121, "absent": 1 })]);
    world.equal();
}

#[test]
fn a_long_resync_tells_how_fast_it_is_and_how_long_it_will_take() {
    let world = World::new(Setup { contacts: 12, page_rows: 2, ..Setup::default() });
    world.synced();
    world.play(on_pages(cdsync::sandbox::Fault::Slow { ms: 600 }));
    for purpose in [&[][..], &["--verify"]] {
        let mut arguments = vec!["resync", "--table", "contact"];
        arguments.extend(purpose);
        let told = world.run(&arguments).ends(0).events("resync.progress");
        assert!(!told.is_empty(), "{purpose:?}");
        for event in told {
            assert_eq!((&event["table"], &event["total"]), (&json!("contact"), &json!(12)));
            let number = |name: &str| event[name].as_u64().unwrap();
            assert!(number("rows") <= 12, "{event}");
            // A machine may be so busy that not one row a second is read.
            let (rest, rate) = (12 - number("rows"), number("rate_per_second"));
            assert!(rate == 0 || number("left_seconds") <= rest.div_ceil(rate) + 1, "{event}");
        }
    }
}
