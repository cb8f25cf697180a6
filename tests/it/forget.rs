//! `forget`: what was known of a person is gone to the last byte, beside a
//! daemon and without one, and nobody else loses anything.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System, Variants};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::egress_world::{egress, event, on_batches};
use crate::ingress_links::{add_vehicle, vehicles};
use crate::optout_rig::{REST, ago, in_campaign, settle};
use crate::rig::{Rig, Running};
use crate::support::{FIELDS, Setup, World, by_filter, on_writes, status};

const MARK: &str = "Qzxforgetq";

/// All three flows.
fn everything(contacts: usize) -> World {
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    let world = World::new(Setup { contacts, variants, ..Setup::default() });
    let fields = FIELDS.replace("  { from = \"donotbulkemail\", to = \"blackListEmail\" },\n", "");
    let tables = by_filter("apply_deletes = true", &fields);
    let optout = format!(
        "[optout]\ndirection = \"bidirectional\"\n{REST}pairs = [ {{ dynamics = \"donotbulkemail\", campaign = \"blackListEmail\" }} ]\n"
    );
    world.configure(&format!("{tables}{}{}{optout}", vehicles(""), egress(&world, "")));
    world
}

/// Where one of these words, in any case of letters, or the bytes of the id
/// stand: names of the files that the store made.
fn found(directory: &std::path::Path, store: &str, id: Uuid) -> Vec<String> {
    let words = [MARK.to_owned(), id.to_string(), id.simple().to_string()];
    let mut places = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(store) {
            continue;
        }
        // The log may go at any moment.
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let small = bytes.to_ascii_lowercase();
        let has = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|it| it == word);
        let said = words.iter().any(|word| has(&small, word.to_lowercase().as_bytes()));
        if said || has(&bytes, id.as_bytes()) {
            places.push(name);
        }
    }
    places
}

#[test]
fn lines_of_the_logs_copy_that_name_a_forgotten_person_go_with_him() {
    let world = everything(3);
    let (id, other) = (world.contacts()[1], world.contacts()[0]);
    world.run(&["sync", "--patience", "60"]).ends(0);
    let spool = world.path("store.db-logs");
    std::fs::create_dir(&spool).unwrap();
    let line = |text: String| format!("{{\"event\":\"record.dead_lettered\",\"id\":\"{text}\"}}\n");
    let kept = [line(other.to_string()), "{\"event\":\"flow.finished\"}\n".to_owned()].concat();
    let named = line(id.to_string()) + &line(id.simple().to_string().to_uppercase());
    let parts = ["00000001.jsonl", "00000002.jsonl"].map(|name| spool.join(name));
    for part in &parts {
        std::fs::write(part, format!("{named}{kept}{named}")).unwrap();
    }
    let run = world.run(&["forget", &id.to_string(), "--json"]).ends(0);
    let said: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(said["log_lines"], 8, "{said}");
    assert!(run.stderr.contains("journalctl --vacuum-time"), "{}", run.stderr);
    for part in &parts {
        assert_eq!(std::fs::read_to_string(part).unwrap(), kept);
    }
    // Nothing but lines: the store has forgotten him before.
    std::fs::write(&parts[0], format!("{kept}{named}")).unwrap();
    let run = world.run(&["forget", &id.to_string()]).ends(0);
    assert!(run.stdout.contains("2 waiting lines of the log's copy removed"), "{}", run.stdout);
    assert_eq!(std::fs::read_to_string(&parts[0]).unwrap(), kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_the_end_of_a_pass_is_told_so() {
    let rig = Rig::usual(3).await;
    let id = rig.sandbox.dynamics().ids("contact")[1].to_string();
    rig.run(&["sync"]).await.expect(0);
    let slow = Fault::Slow { ms: 600_000 };
    let rule = FaultRule { system: Some(System::Dynamics), ..FaultRule::always(slow) };
    // The pass under way does not come to an end.
    let (begun, begins) = std::sync::mpsc::channel();
    rig.sandbox.before((System::Dynamics, "GET", "WhoAmI"), 0, move || begun.send(()).unwrap());
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
    begins.recv().unwrap();
    let forgetting = Running::start(rig.command(&["forget", &id]));
    forgetting.wait_for("waits until no pass runs, now of ingress");
    rig.run(&["pause", "ingress"]).await.expect(0);
    forgetting.end().expect(0);
    assert_eq!(found(&rig.path("store"), "cdsync.db", id.parse().unwrap()), Vec::<String>::new());
    daemon.signal("TERM");
    daemon.end().expect(0);
}

fn mark(world: &World, id: Uuid) {
    let texts = json!({ "lastname": MARK, "firstname": MARK, "emailaddress1": format!("{MARK}@{MARK}.example"), "description": MARK });
    world.change(id, &texts);
}

/// The person is in every table of the store: written, waiting, in dead
/// letters, in events, in the ledger.
fn spread(world: &World, id: Uuid) {
    mark(world, id);
    world.run(&["sync", "ingress", "--patience", "60"]).ends(0);
    settle(world);
    in_campaign(world, id, true, Some(ago(60)));
    settle(world);
    let mut odd = event(7, &id.to_string());
    odd["kind"] = json!("unheard-of");
    let told = [event(0, &id.to_string().to_uppercase()), event(1, &id.to_string()), odd];
    world.sandbox.journal().add(&told);
    world.play(on_batches(status(503)));
    world.run(&["sync", "egress", "--patience", "1"]).ends(4);
    world.calm();
    world.change(id, &json!({ "lastname": format!("{MARK} again") }));
    add_vehicle(world, Some(id), "waits for the contact");
    world.play(on_writes("PATCH", status(503)));
    world.run(&["sync", "ingress", "--patience", "1"]).ends(4);
    world.calm();
    world.run(&["trace", &id.to_string()]).ends(0);
}

#[test]
fn no_byte_of_a_forgotten_person_is_left_and_the_others_go_on() {
    let world = everything(6);
    let id = world.contacts()[2];
    spread(&world, id);
    assert!(!found(world.dir.path(), "store.db", id).is_empty(), "the person is nowhere before");
    let run = world.run(&["forget", &id.to_string().to_uppercase(), "--json"]).ends(0);
    assert_eq!(run.stderr.matches(&id.to_string()).count(), 0, "{}", run.stderr);
    let said: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&said["known"], &said["left"]), (&json!(true), &json!([])), "{said}");
    assert_eq!(found(world.dir.path(), "store.db", id), Vec::<String>::new());
    world.run(&["trace", &id.to_string()]).ends(1);
    assert_eq!(found(world.dir.path(), "store.db", id), Vec::<String>::new(), "asked for later");
    world.run(&["forget", &id.to_string()]).ends(1);
    // The others' changes, and what was left of the person's child.
    world.change(world.contacts()[0], &json!({ "lastname": "Other" }));
    world.run(&["sync", "--patience", "60"]).ends(0);
    assert_eq!(world.profile(world.contacts()[0])["lastName"], "Other");
}

#[test]
fn a_person_who_was_deleted_on_both_sides_does_not_come_back() {
    let world = everything(4);
    let id = world.contacts()[1];
    mark(&world, id);
    world.run(&["sync", "--patience", "60"]).ends(0);
    world.delete(id);
    world.run(&["sync", "--patience", "60"]).ends(0);
    assert!(world.profiles_of(id).is_empty());
    world.run(&["forget", &id.to_string()]).ends(0);
    world.change(world.contacts()[0], &json!({ "lastname": "Other" }));
    world.run(&["sync", "--patience", "60"]).ends(0);
    assert_eq!(found(world.dir.path(), "store.db", id), Vec::<String>::new());
}

#[test]
fn a_person_whom_dynamics_still_has_comes_again_and_is_not_doubled() {
    let world = everything(3);
    let id = world.contacts()[0];
    world.run(&["sync", "--patience", "60"]).ends(0);
    let run = world.run(&["forget", &id.to_string()]).ends(0);
    assert!(run.stderr.contains("comes again with its next change"), "{}", run.stderr);
    world.run(&["sync", "--patience", "60"]).ends(0);
    assert_eq!(found(world.dir.path(), "store.db", id), Vec::<String>::new());
    world.change(id, &json!({ "lastname": "Back" }));
    world.run(&["sync", "--patience", "60"]).ends(0);
    assert_eq!(world.profile(id)["lastName"], "Back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_daemon_forgets_between_two_passes() {
    let rig = Rig::usual(5).await;
    let id = rig.sandbox.dynamics().ids("contact")[1];
    let daemon = Running::start(rig.command(&["--log-format", "json", "run"]));
    daemon.wait_for("\"flow.finished\"");
    rig.run(&["forget", &id.to_string()]).await.expect(0);
    let directory = rig.store().parent().unwrap().to_owned();
    assert_eq!(found(&directory, "cdsync.db", id), Vec::<String>::new());
    let line = daemon.wait_for("\"record.forgotten\"");
    assert!(!line.contains(&id.to_string()), "{line}");
    let other = rig.sandbox.dynamics().ids("contact")[0];
    rig.sandbox.dynamics().update("contact", other, &json!({ "lastname": "Later" })).unwrap();
    rig.run(&["--log-format", "json", "sync", "--via-daemon"]).await.expect(0);
    daemon.signal("TERM");
    daemon.end().expect(0);
    rig.assert_equal("after somebody was forgotten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_forgetting_leaves_all_or_nothing_of_the_person() {
    // The first commit is of what the person goes by, and changes nothing.
    for (plan, forgotten) in [
        ("committed:1", false),
        ("commit:2", false),
        ("committed:2", true),
        ("commit:3", true),
        ("committed:3", true),
    ] {
        let rig = Rig::start(4, crate::crash::nothing_is_unique()).await;
        rig.run(crate::crash::SYNC).await.expect(0);
        let id = rig.sandbox.dynamics().ids("contact")[1];
        let ended = rig.run_crashing(&["forget", &id.to_string()], plan).await;
        assert!(ended.crashed(), "{plan}: {ended:#?}");
        let known = rig.run(&["trace", &id.to_string()]).await;
        known.expect(i32::from(forgotten));
        rig.run(crate::crash::SYNC).await.expect(0).adds_up();
        let directory = rig.store().parent().unwrap().to_owned();
        let left = found(&directory, "cdsync.db", id);
        assert_eq!(left.is_empty(), forgotten, "{plan}: {left:?}");
        let other = rig.sandbox.dynamics().ids("contact")[0];
        for id in [id, other] {
            let change = json!({ "lastname": "Later" });
            rig.sandbox.dynamics().update("contact", id, &change).unwrap();
        }
        rig.run(crate::crash::SYNC).await.expect(0);
        rig.assert_equal(plan);
    }
}
