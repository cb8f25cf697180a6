//! The first steps of a new user: `init`, `sandbox --write-config`, `check`,
//! `sync`, as a person would type them.

use std::fs;

use crate::rig::{Rig, Running, bare, finish, mode};

#[tokio::test]
async fn init_writes_a_file_that_check_accepts_and_spares_an_existing_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    let name = file.to_str().unwrap();
    let written = finish(bare(&["init", "--config", name])).await;
    assert!(written.expect(0).err.contains("`cdsync check --offline`"), "{written:#?}");
    assert_eq!(mode(&file), 0o640);
    finish(bare(&["check", "--offline", "--config", name])).await.expect(0);

    fs::write(&file, "mine").unwrap();
    for arguments in [["init", "--config", name], ["init", "--log-level=info", name]] {
        let again = finish(bare(&arguments)).await;
        assert!(again.expect(2).err.contains("--force overwrites it"), "{again:#?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
    finish(bare(&["init", "--force", name])).await.expect(0);
    let text = fs::read_to_string(&file).unwrap();
    let shown = finish(bare(&["init", "-"])).await;
    assert_eq!(shown.expect(0).out, text);
    assert_eq!(shown.err, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_from_metadata_writes_mappings_that_run() {
    let rig = Rig::usual(8).await;
    let short = rig.text("");
    let before = short.split("[ingress]").next().unwrap().to_owned();
    fs::write(rig.path("config.toml"), before).unwrap();
    let made = rig.path("made.toml");
    let made = made.to_str().unwrap();
    rig.run(&["init", "--from-metadata", made]).await.expect(0);
    let text = fs::read_to_string(made).unwrap();
    for pair in ["{ from = \"firstname\", to = \"firstName\" }", "to = \"email\""] {
        assert!(text.contains(pair), "{pair} is missing in {text}");
    }
    for arguments in
        [&["check", "--offline"] as &[&str], &["check"], &["sync", "ingress"], &["status"]]
    {
        let mut all = vec!["--config", made];
        all.extend(arguments);
        finish(bare(&all)).await.expect(0);
    }
    assert_eq!(rig.sandbox.campaign().count("profile"), 8);
}

#[tokio::test]
async fn the_sandbox_command_writes_a_configuration_that_works() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("try.toml");
    let name = file.to_str().unwrap();
    let sandbox = Running::start(bare(&[
        "sandbox",
        "--listen",
        "127.0.0.1:0",
        "--contacts",
        "12",
        "--write-config",
        name,
    ]));
    let hint = sandbox.wait_for("try: cdsync --config");
    assert!(hint.contains(name), "{hint}");
    sandbox.wait_for("Ctrl-C ends it");
    for made in ["try.toml", "try-dynamics-secret", "try-campaign-secret", "try-sftp-key"] {
        assert_eq!(mode(&directory.path().join(made)), 0o600, "{made}");
    }
    finish(bare(&["--config", name, "check"])).await.expect(0);
    let first = finish(bare(&["--config", name, "sync", "ingress"])).await;
    // Contacts, a vehicle for four of them, a service visit for two.
    assert_eq!(first.expect(0).events("flow.finished")[0]["written"], 12 + 3 + 6);
    let second = finish(bare(&["--config", name, "sync", "ingress"])).await;
    assert_eq!(second.expect(0).events("flow.finished")[0]["written"], 0);
    let mail = finish(bare(&["--config", name, "sync", "egress"])).await;
    let told = mail.expect(0).events("flow.finished")[0]["written"].as_u64().unwrap();
    assert!(told >= 12, "an e-mail to each contact, and what came of it: {told}");
    let second = finish(bare(&["--config", name, "sync", "egress"])).await;
    assert_eq!(second.expect(0).events("flow.finished")[0]["written"], 0);
    let flags = finish(bare(&["--config", name, "sync", "optout"])).await;
    assert!(flags.expect(0).events("flow.finished")[0]["read"].as_u64().unwrap() >= 12);
    let second = finish(bare(&["--config", name, "sync", "optout"])).await;
    assert_eq!(second.expect(0).events("flow.finished")[0]["written"], 0);
    sandbox.signal("INT");
    assert_eq!(sandbox.end().code, Some(0));
}

/// A sandbox that writes a configuration.
fn writing(name: &str, more: &[&str]) -> std::process::Command {
    let usual = ["sandbox", "--listen", "127.0.0.1:0", "--contacts", "1", "--write-config", name];
    bare(&[&usual, more].concat())
}

/// Lets it write; what it said of removed files.
fn written(name: &str, more: &[&str]) -> Vec<String> {
    let sandbox = Running::start(writing(name, more));
    sandbox.wait_for("Ctrl-C ends it");
    sandbox.signal("INT");
    let ended = sandbox.finish();
    ended.expect(0);
    ended.err.lines().filter(|line| line.contains("removed")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_sandbox_overwrites_and_removes_nothing_but_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let (config, store) = (file("try.toml"), file("try-store.db"));
    let name = config.to_str().unwrap();
    let refused = async |theirs: &std::path::Path| {
        let ended = finish(writing(name, &[])).await;
        let said = &ended.expect(2).err;
        assert!(said.contains("--force") && said.contains("another name"), "{said}");
        assert!(said.contains(&format!("{} is there", theirs.display())), "{said}");
        assert_eq!(fs::read_to_string(theirs).unwrap(), "theirs");
    };
    for (theirs, place) in [("try.toml", &config), ("try-store.db", &store)] {
        fs::write(place, "theirs").unwrap();
        refused(place).await;
        fs::remove_file(place).unwrap();
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert!(left.is_empty(), "{theirs}: {left:?}");
    }
    // A store without its configuration is somebody's, an empty file is nobody's.
    fs::write(&config, "").unwrap();
    fs::write(&store, "theirs").unwrap();
    fs::write(file("try-dynamics-secret"), "theirs").unwrap();
    refused(&file("try-dynamics-secret")).await;
    let removed = written(name, &["--force"]);
    assert!(removed.len() == 1 && removed[0].contains("try-store.db: the store of"), "{removed:?}");
    assert!(!store.exists() && fs::read_to_string(&config).unwrap().contains("[dynamics]"));
    assert_eq!(mode(&file("try-dynamics-secret")), 0o600);
    // Its own file, and the store that was made with it.
    assert_eq!(written(name, &[]), [] as [String; 0]);
    fs::write(&store, "ours").unwrap();
    fs::write(file("try-store.db-wal"), "ours").unwrap();
    assert!(written(name, &[])[0].contains("try-store.db-wal"));
    assert!(!store.exists() && !file("try-store.db-wal").exists());
    // Whoever took the line away keeps the file.
    let text = fs::read_to_string(&config).unwrap();
    let own: Vec<&str> = text.lines().skip(1).collect();
    fs::write(&config, own.join("\n")).unwrap();
    finish(writing(name, &[])).await.expect(2);
}

#[tokio::test]
async fn the_sandbox_leaves_a_store_alone_that_a_program_has() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let name = file("try.toml");
    let name = name.to_str().unwrap();
    written(name, &[]);
    let before = fs::read_to_string(name).unwrap();
    fs::write(file("try-store.db"), "in use").unwrap();
    let lock = fs::File::create(file("try-store.db.lock")).unwrap();
    fs::write(file("try-store.db.lock"), "process 1 (cdsync run)").unwrap();
    lock.lock().unwrap();
    for more in [&[] as &[&str], &["--force"]] {
        let ended = finish(writing(name, more)).await;
        let said = &ended.expect(5).err;
        assert!(said.contains("process 1 (cdsync run)") && said.contains("another name"), "{said}");
        assert_eq!(fs::read_to_string(file("try-store.db")).unwrap(), "in use");
        assert_eq!(fs::read_to_string(name).unwrap(), before);
    }
}

#[tokio::test]
async fn the_sandbox_listens_on_loopback_only_and_names_a_bad_fault_file() {
    let refused = finish(bare(&["sandbox", "--listen", "0.0.0.0:0"])).await;
    assert!(refused.expect(2).err.contains("loopback addresses only"), "{refused:#?}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("faults.toml");
    fs::write(&file, "[[rule]]\nfault = { kind = \"earthquake\" }\n").unwrap();
    let name = file.to_str().unwrap();
    let refused = finish(bare(&["sandbox", "--listen", "127.0.0.1:0", "--faults", name])).await;
    assert!(refused.expect(2).err.contains("earthquake"), "{refused:#?}");
}
