//! The command line as users and scripts know it: help, words for what is
//! wrong, exit codes.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::rig::{CONTACTS, Ended, Rig, Running, bare, finish};

const COMMANDS: &[&str] = &[
    "",
    "demo",
    "sandbox",
    "init",
    "check",
    "tables",
    "resources",
    "provision",
    "run",
    "pause",
    "resume",
    "sync",
    "plan",
    "resync",
    "trace",
    "status",
    "dead-letters",
    "dead-letters list",
    "dead-letters show",
    "dead-letters retry",
    "dead-letters discard",
    "approve-deletes",
    "discard-table",
    "optouts",
    "optouts list",
    "optouts show",
    "optouts export",
    "approve-optouts",
    "forget",
];

#[tokio::test]
async fn every_command_explains_itself() {
    for command in COMMANDS {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let help = finish(bare(&arguments)).await;
        help.expect(0);
        assert_eq!(help.err, "");
        assert!(!help.out.contains('\u{1b}'), "{command}: colours without a terminal");
        let name = if command.is_empty() { "cdsync" } else { command };
        assert_snapshot!(format!("help {name}").replace([' ', '-'], "_"), help.out);
    }
}

/// What an ended command said, with the names of this run taken out.
fn said(rig: &Rig, ended: &Ended) -> String {
    let here = rig.path("");
    let here = here.to_str().unwrap().trim_end_matches('/');
    let text =
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", ended.code.unwrap(), ended.out, ended.err);
    text.replace(here, "HERE").replace(&rig.sandbox.origin(), "ORIGIN")
}

/// Runs a command with this change of the configuration's text.
async fn with(rig: &Rig, from: &str, to: &str, arguments: &[&str]) -> String {
    let text = rig.text(CONTACTS);
    assert!(text.contains(from), "{from}");
    fs::write(rig.path("config.toml"), text.replacen(from, to, 1)).unwrap();
    let ended = rig.run(arguments).await;
    rig.configure(CONTACTS);
    said(rig, &ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_is_explained() {
    let rig = Rig::usual(0).await;
    let missing = finish(bare(&["status", "--config", "/nowhere/cdsync.toml"])).await;
    assert_snapshot!("config_missing", said(&rig, &missing));
    let check = &["check", "--offline"];
    assert_snapshot!("config_broken", with(&rig, "[store]", "[store", check).await);
    assert_snapshot!("config_unknown_key", with(&rig, "tenant =", "tenat =", check).await);
    let secret = format!("{{ file = \"{}\" }}", rig.path("dynamics-secret").display());
    let typed = with(&rig, &secret, "\"hunter2-hunter2\"", check).await;
    assert!(!typed.contains("hunter2"), "{typed}");
    assert_snapshot!("config_typed_secret", typed);
    let origin = format!("authority_url = \"{}\"", rig.sandbox.origin());
    let plain = "authority_url = \"http://login.example.com\"";
    assert_snapshot!("config_plain_http", with(&rig, &origin, plain, check).await);
    // The same words, whatever the command.
    assert_snapshot!(
        "config_seen_by_sync",
        with(&rig, "tenant =", "tenat =", &["--log-format", "pretty", "sync"]).await
    );
    assert!(rig.sandbox.requests().entries().is_empty(), "somebody was contacted");
    assert!(!rig.store().exists(), "a store was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_others_may_read_is_refused() {
    let rig = Rig::usual(0).await;
    let file = rig.path("dynamics-secret");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_snapshot!(
        "secret_readable",
        said(&rig, &rig.run(&["--log-format", "pretty", "sync"]).await)
    );
    assert_snapshot!(
        "secret_readable_offline",
        said(&rig, &rig.run(&["check", "--offline"]).await)
    );
    let told = rig.run(&["check", "--json"]).await.expect(2).json();
    let problem = &told["problems"][0];
    assert_eq!(problem["where"], "dynamics.client_secret");
    assert!(problem["problem"].as_str().unwrap().contains("may be read by others"), "{told}");
    assert!(problem["hint"].as_str().unwrap().starts_with("run `chmod 600"), "{told}");
    fs::remove_file(&file).unwrap();
    // Where it is looked at may not be where the program will run.
    rig.run(&["check", "--offline"]).await.expect(0);
    assert_snapshot!(
        "secret_missing",
        said(&rig, &rig.run(&["--log-format", "pretty", "sync"]).await)
    );
    assert!(rig.sandbox.requests().entries().is_empty(), "somebody was contacted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_arguments_are_explained() {
    let rig = Rig::usual(0).await;
    for (name, arguments) in [
        ("flow_unknown", &["sync", "ingres"] as &[&str]),
        ("approve_unknown_table", &["approve-deletes", "lead"]),
        ("approve_no_name", &["approve-deletes", "a b"]),
        ("letter_unknown", &["dead-letters", "show", "7"]),
        ("letter_retry_unknown", &["dead-letters", "retry", "7"]),
        ("letter_discard_unknown", &["dead-letters", "discard", "7"]),
        ("patience_zero", &["sync", "--patience", "0"]),
        ("level_unknown", &["sync", "--log-level", "loud"]),
        ("approve_nothing", &["approve-deletes", "contact"]),
        ("discard_mapped_table", &["discard-table", "contact"]),
        ("discard_unknown_table", &["discard-table", "new_nothing"]),
        ("forget_no_id", &["forget", "7"]),
        ("forget_unknown", &["forget", "2e451703-c286-e711-80ef-00155db19e6d"]),
        ("letters_none", &["dead-letters", "list"]),
        ("optouts_none", &["optouts", "list"]),
        ("optouts_no_id", &["optouts", "show", "7"]),
        ("optouts_not_configured", &["approve-optouts"]),
    ] {
        assert_snapshot!(name, said(&rig, &rig.run(arguments).await));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_or_resource_that_is_not_there_is_named() {
    let rig = Rig::usual(0).await;
    for (command, name) in [("tables", "new_nothing"), ("resources", "cusNothing")] {
        let ended = rig.run(&[command, name]).await;
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(ended.err.contains(name), "{ended:#?}");
        assert_eq!(ended.out, "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn global_options_stand_before_or_after_the_command() {
    let rig = Rig::usual(0).await;
    let file = rig.path("config.toml");
    let file = file.to_str().unwrap();
    for arguments in [
        ["--config", file, "check", "--offline"],
        ["check", "--config", file, "--offline"],
        ["check", "--offline", "--config", file],
    ] {
        finish(bare(&arguments)).await.expect(0);
    }
    let before = rig.run(&["--log-format", "json", "--log-level", "warn", "sync"]).await;
    let after = rig.run(&["sync", "--log-level", "warn", "--log-format", "json"]).await;
    assert_eq!((before.expect(0).err.as_str(), after.expect(0).err.as_str()), ("", ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_credential_ends_with_3() {
    let rig = Rig::usual(3).await;
    crate::rig::private(&rig.path("dynamics-secret"), "hunter2");
    for arguments in [&["sync"] as &[&str], &["check"], &["tables"], &["plan"]] {
        let ended = rig.run(arguments).await;
        ended.expect(3);
        assert!(!ended.err.contains("hunter2"), "{ended:#?}");
    }
    let sync = rig.run(&["sync", "--log-format", "json"]).await;
    assert_eq!(sync.events("auth.refused").len(), 1, "{sync:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_ends_with_1_and_a_later_version_mends_it() {
    let rig = Rig::usual(0).await;
    let long = serde_json::json!({ "firstname": "Ann", "lastname": "L".repeat(50) });
    let id = rig.sandbox.dynamics().insert("contact", &long).unwrap();
    rig.configure(&CONTACTS.replace("\"lastName\" }", "\"salutation\" }"));
    let ended = rig.run(&["sync", "--log-format", "json"]).await;
    ended.expect(1);
    let letters = rig.run(&["dead-letters", "list", "--json"]).await;
    let letters = letters.expect(0).json();
    let letter = &letters.as_array().unwrap()[0];
    for key in ["id", "flow", "table", "record", "reason", "status", "request_id", "attempts"] {
        assert!(letter.get(key).is_some(), "{key}: {letter}");
    }
    assert_eq!(letter["record"], id.to_string());
    assert!(letter["reason"].as_str().unwrap().contains("salutation"), "{letter}");
    let shown = rig.run(&["dead-letters", "show", "1"]).await;
    assert!(shown.expect(0).out.contains("salutation"), "{shown:#?}");
    let one = rig.run(&["dead-letters", "show", "1", "--json"]).await;
    assert_eq!(one.expect(0).json(), *letter);
    let table = rig.run(&["dead-letters", "list"]).await;
    assert!(table.expect(0).out.starts_with("id  flow "), "{table:#?}");

    let short = serde_json::json!({ "lastname": "Short" });
    rig.sandbox.dynamics().update("contact", id, &short).unwrap();
    rig.run(&["sync"]).await.expect(0);
    let left = rig.run(&["dead-letters", "list", "--json"]).await;
    assert_eq!(left.expect(0).json(), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_port_ends_with_4_when_patience_does() {
    let rig = Rig::usual(0).await;
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let text = rig.text(CONTACTS).replace(&rig.sandbox.origin(), &dead);
    fs::write(rig.path("config.toml"), text).unwrap();
    let ended = rig.run(&["sync", "--patience", "1", "--log-format", "json"]).await;
    ended.expect(4);
    let took = ended.events("flow.finished")[0]["duration_ms"].as_u64().unwrap();
    assert!((1000..5000).contains(&took), "{took} ms");
    let told = &ended.events("sync.gave_up")[0];
    assert_eq!(told["waited_ms"], 1000);
    assert!(told["reason"].as_str().is_some(), "{told}");
    assert!(ended.err.contains("gave up after 1 s without progress"), "{ended:#?}");
    rig.configure(CONTACTS);
    rig.run(&["sync"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_used_ends_with_5() {
    let rig = Rig::usual(3).await;
    rig.run(&["sync"]).await.expect(0);
    let commands: [&[&str]; 5] = [
        &["sync"],
        &["status"],
        &["plan"],
        &["dead-letters", "list"],
        &["approve-deletes", "contact"],
    ];
    {
        // Held as another process would hold it.
        let lock = fs::File::options().write(true).open(rig.path("store/cdsync.db.lock")).unwrap();
        lock.lock().unwrap();
        fs::write(rig.path("store/cdsync.db.lock"), "process 42 (cdsync run) since noon").unwrap();
        for command in commands {
            let ended = rig.run(command).await;
            ended.expect(5);
            assert!(ended.err.contains("is in use by process 42 (cdsync run)"), "{ended:#?}");
        }
        assert_snapshot!("store_locked", said(&rig, &rig.run(&["status"]).await));
    }
    let ours = rig.number("PRAGMA user_version");
    rig.raw().execute_batch("PRAGMA user_version = 999").unwrap();
    let newer = said(&rig, &rig.run(&["status"]).await);
    assert_snapshot!("store_newer", newer.replace(&format!("knows {ours};"), "knows OURS;"));
    rig.raw().pragma_update(None, "user_version", ours).unwrap();
    rig.raw().execute("UPDATE checkpoint SET generation = generation + 1", []).unwrap();
    let before = rig.number("SELECT generation FROM checkpoint");
    assert_snapshot!("store_damaged", said(&rig, &rig.run(&["status"]).await));
    rig.run(&["sync"]).await.expect(5);
    assert_eq!(rig.number("SELECT generation FROM checkpoint"), before);
    assert_eq!(rig.number("SELECT count(*) FROM mirror"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_without_room_for_a_store_ends_with_5() {
    let rig = Rig::usual(0).await;
    let here = rig.store();
    // Even root cannot make a directory there.
    let nowhere = with(
        &rig,
        here.to_str().unwrap(),
        "/proc/cdsync/cdsync.db",
        &["--log-format", "pretty", "sync"],
    )
    .await;
    assert_snapshot!("store_unwritable", nowhere);
    fs::create_dir_all(here.parent().unwrap()).unwrap();
    fs::write(&here, "Dear diary").unwrap();
    assert_snapshot!(
        "store_no_database",
        said(&rig, &rig.run(&["--log-format", "pretty", "sync"]).await)
    );
    assert_eq!(fs::read_to_string(&here).unwrap(), "Dear diary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_refused_while_the_first_works() {
    use cdsync::sandbox::{Fault, FaultPlan, FaultRule};
    let rig = Rig::usual(3).await;
    let slow = FaultRule {
        path: Some("/profile".into()),
        ..FaultRule::always(Fault::Slow { ms: 60_000 })
    };
    rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![slow] });
    let first = Running::start(rig.command(&["sync", "--log-format", "json"]));
    first.wait_for("flow.started");
    let second = rig.run(&["status"]).await;
    second.expect(5);
    assert!(second.err.contains("(cdsync sync --log-format json) since 2"), "{second:#?}");
    first.signal("TERM");
    let ended = first.end();
    assert_eq!(ended.signal, None, "{ended:#?}");
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.err.contains("interrupted; the next run goes on"), "{ended:#?}");
    rig.sandbox.set_faults(FaultPlan::default());
    rig.run(&["sync"]).await.expect(0);
    rig.assert_equal("after an interruption");
}
