//! `plan` shows and writes nothing; one process holds the store.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use cdsync::sandbox::{Fault, System};
use serde_json::json;

use crate::support::{Setup, World, on_pages};

fn unsafe_requests(world: &World) -> usize {
    [System::Dynamics, System::Campaign]
        .into_iter()
        .flat_map(|system| world.asked(system))
        .filter(|entry| entry.method != "GET")
        .count()
}

#[test]
fn a_plan_of_a_first_load_shows_every_record_and_changes_nothing() {
    let world = World::new(Setup::default());
    let plan = world.plan();
    assert_eq!(plan.len(), 24);
    for line in &plan {
        assert_eq!((&line["flow"], &line["table"]), (&json!("ingress"), &json!("contact")));
        assert_eq!(line["action"], "create");
        assert!(line["fields"].as_array().unwrap().contains(&json!("externalId")));
        assert!(world.contacts().iter().any(|id| line["id"] == id.to_string()));
    }
    assert_eq!(unsafe_requests(&world), 0);
    assert_eq!(world.plan().len(), 24, "planning leaves nothing behind");
    assert_eq!(world.status()["tables"]["contact"]["state"], "new");
    world.forget();
    world.equal_after_sync();
    assert_eq!(world.verbs(), ["POST"; 24]);
}

#[test]
fn a_plan_of_changes_names_what_sync_then_does() {
    let world = World::new(Setup::default());
    world.equal_after_sync();
    assert!(world.plan().is_empty());
    let ids = world.contacts();
    world.change(ids[0], &json!({ "lastname": "Changed", "new_points": 77 }));
    world.delete(ids[1]);
    let new = world.add(&json!({ "lastname": "New" }));
    let wrong = world.add(&json!({ "firstname": "x".repeat(31) }));
    world.forget();
    let plan = world.plan();
    let of = |id: uuid::Uuid| {
        let mut lines = plan.iter().filter(|line| line["id"] == id.to_string());
        let line = lines.next().unwrap_or_else(|| panic!("{id} is planned")).clone();
        assert!(lines.next().is_none(), "{id} once");
        line
    };
    assert_eq!(plan.len(), 4);
    assert_eq!(of(ids[0])["action"], "update");
    let mut fields: Vec<_> = of(ids[0])["fields"].as_array().unwrap().clone();
    fields.sort_by_key(ToString::to_string);
    assert_eq!(fields, [json!("cusPoints"), json!("lastName")]);
    assert_eq!(of(ids[1])["action"], "delete");
    assert_eq!(of(new)["action"], "create");
    assert_eq!(of(wrong)["action"], "dead-letter");
    assert_eq!(unsafe_requests(&world), 0);
    assert!(world.dead_letters().is_empty());
    let counts = world.sync().ends(1).counts();
    assert_eq!((counts.written, counts.deleted, counts.dead_lettered), (2, 1, 1));
}

#[test]
fn a_plan_says_of_each_field_why_and_shows_values_only_when_asked() {
    let world = World::new(Setup::default());
    world.equal_after_sync();
    let id = world.contacts()[3];
    world.change(id, &json!({ "lastname": "Quixote", "emailaddress1": null }));
    let new = world.add(&json!({ "lastname": "Panza" }));
    let plan = world.plan();
    let line = |id: uuid::Uuid| plan.iter().find(|it| it["id"] == id.to_string()).unwrap();
    assert_eq!(line(id)["reasons"], json!({ "lastName": "changed", "email": "cleared" }));
    let all_new = line(new)["reasons"].as_object().unwrap().values().all(|it| it == "new");
    assert!(all_new && line(new).get("values").is_none());
    let text = world.run(&["plan", "ingress"]).ends(0).stdout;
    assert!(text.contains("lastName (changed), email (cleared)"), "{text}");
    assert!(!text.contains("Quixote") && !text.contains("Panza"), "{text}");
    let whys: Vec<usize> = text
        .lines()
        .filter_map(|it| it.find("these fields differ").or(it.find("not in Campaign yet")))
        .collect();
    assert!(whys.len() == 2 && whys[0] == whys[1], "the columns stand in line: {text}");
    let shown = world.run(&["plan", "ingress", "--json", "--show-values"]).ends(0).stdout;
    assert!(shown.contains("\"lastName\":\"Quixote\""), "{shown}");
    let shown = world.run(&["plan", "ingress", "--show-values"]).ends(0).stdout;
    assert!(shown.contains("lastName = \"Quixote\" (changed)"), "{shown}");
}

#[test]
fn a_plan_with_a_lost_token_shows_differences_only() {
    let world = World::new(Setup::default());
    world.equal_after_sync();
    world.delete(world.contacts()[1]);
    world.sandbox.dynamics().expire_tokens();
    let plan = world.plan();
    assert_eq!(plan.len(), 1, "{plan:?}");
    assert_eq!(plan[0]["action"], "delete");
    world.equal_after_sync();
}

#[test]
fn a_second_process_on_the_store_is_refused_and_told_who_holds_it() {
    let world = World::new(Setup::default());
    world.play(on_pages(Fault::Slow { ms: 600_000 }));
    let mut holder = world.command(&["sync", "ingress"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(holder.stderr.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("flow.started") {}
    for command in [
        &["sync", "ingress"][..],
        &["status"],
        &["plan", "ingress"],
        &["dead-letters", "list"],
        &["approve-deletes", "contact"],
    ] {
        let run = world.run(command).ends(5);
        let name = format!("process {}", holder.id());
        assert!(run.stderr.contains(&name), "{command:?}: {}", run.stderr);
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    world.calm();
    world.equal_after_sync();
}

#[test]
fn a_pass_that_was_killed_is_taken_up_by_the_next() {
    let world = World::new(Setup { page_rows: 5, ..Setup::default() });
    world.play(cdsync::sandbox::FaultRule {
        after: Some(2),
        ..on_pages(Fault::Slow { ms: 600_000 })
    });
    let mut first = world.command(&["sync", "ingress"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("load.started") {}
    first.kill().unwrap();
    first.wait().unwrap();
    world.calm();
    world.equal_after_sync();
    let created = world.verbs().into_iter().filter(|verb| verb == "POST").count();
    assert!(created >= 24);
    assert_eq!(world.sandbox.campaign().count("profile"), 24);
}

#[test]
fn an_interrupted_pass_ends_in_order_and_is_taken_up_by_the_next() {
    let world = World::new(Setup { page_rows: 5, ..Setup::default() });
    world.play(cdsync::sandbox::FaultRule {
        after: Some(2),
        ..on_pages(Fault::Slow { ms: 600_000 })
    });
    let mut first = world.command(&["sync", "ingress"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("load.started") {}
    let id = first.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(first.wait().unwrap().code(), Some(1));
    for line in lines {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert!(line["event"].is_string());
    }
    world.calm();
    world.equal_after_sync();
}
