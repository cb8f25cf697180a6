//! What docs/monitoring.md and monitoring/ tell an administrator to do, done with
//! what the program really says: the recipes for the log, the rules, the dashboard.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use cdsync::sandbox::{Fault, FaultRule, SftpFault, System};

use crate::markers::command;
use crate::markers_log::world;
use crate::metrics::{ask, served};
use crate::rig::Running;
use crate::support::World;
use crate::tools::has;

/// systemd's own program that writes a journal from what it is told.
const JOURNAL_REMOTE: &str = "/lib/systemd/systemd-journal-remote";

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The commands of the page's shell blocks that begin so, those of several lines
/// in one.
fn recipes(program: &str) -> Vec<String> {
    let page = file("docs/monitoring.md");
    let blocks = page.split("```sh\n").skip(1).map(|it| it.split("```").next().unwrap());
    let mut found: Vec<String> = Vec::new();
    for line in blocks.flat_map(str::lines).filter(|line| !line.starts_with('#')) {
        match found.last_mut() {
            Some(before) if before.ends_with('|') => *before = format!("{before}\n{line}"),
            _ => found.push(line.to_owned()),
        }
    }
    found.retain(|it| it.starts_with(program));
    found
}

/// Runs a recipe in the world's directory; what it says must be something.
fn told(world: &World, recipe: &str) -> String {
    let script = format!("journalctl() {{ command journalctl --file journal \"$@\"; }}\n{recipe}");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(world.path(""))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && error.is_empty(), "{recipe}: {error}");
    assert!(!text.trim().is_empty() && !text.contains("No entries"), "{recipe} finds nothing");
    // A field that is not there is an empty column, or null.
    if recipe.contains("@tsv") {
        let holes = |line: &&str| line.split('\t').any(str::is_empty);
        let empty: Vec<_> = text.lines().filter(holes).collect();
        assert!(empty.is_empty(), "{recipe}: {empty:?}");
    }
    assert!(!text.contains("null"), "{recipe}: {text}");
    text
}

/// Entries as the daemon sends them to the journal, up to one with this event.
fn until(entries: &Receiver<Vec<u8>>, event: &str, seen: &mut Vec<Vec<u8>>) {
    let field = format!("\nCDSYNC_EVENT={event}\n");
    loop {
        let entry = entries.recv_timeout(Duration::from_mins(2)).unwrap();
        let is_it = String::from_utf8_lossy(&entry).contains(&field);
        seen.push(entry);
        if is_it {
            return;
        }
    }
}

/// A daemon's entries: failures that pass, records that are given up, throttling.
fn entries(world: &World) -> Vec<Vec<u8>> {
    let path = world.path("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    let (sender, entries) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(length) = socket.recv(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    let throttled = FaultRule {
        system: Some(System::Campaign),
        times: Some(1),
        ..FaultRule::always(Fault::Throttle { retry_after: 1 })
    };
    world.play(throttled);
    world.sandbox.sftp().set_faults(&[SftpFault::Refused]);
    let mut run = command(world, "auto", &["run"]);
    run.env("CDSYNC_JOURNAL", &path).env("JOURNAL_STREAM", "8:1");
    let daemon = Running::start(run);
    let mut seen = Vec::new();
    until(&entries, "flow.failing", &mut seen);
    world.sandbox.sftp().set_faults(&[]);
    until(&entries, "flow.recovered", &mut seen);
    world.run(&["sync", "ingress", "--via-daemon", "--patience", "60"]);
    daemon.signal("TERM");
    until(&entries, "daemon.stopped", &mut seen);
    daemon.end().expect(0);
    seen
}

#[test]
fn every_recipe_for_the_journal_finds_what_it_promises() {
    let world = world();
    let entries = entries(&world);
    let recipes = recipes("journalctl");
    assert!(recipes.len() >= 6, "{recipes:?}");
    if !has(&["journalctl", JOURNAL_REMOTE, "jq", "bash"]) {
        return;
    }
    // Later than any midnight that may come while this runs.
    let at = world.sandbox.now(System::Dynamics).as_microsecond() + 7_200_000_000;
    let mut export = Vec::new();
    for entry in &entries {
        // The unit is the journal's own knowledge. `Journal Export Format` has
        // fields as `Native Journal Protocol` has them.
        let head = format!("__REALTIME_TIMESTAMP={at}\n_SYSTEMD_UNIT=cdsync.service\n");
        export.extend_from_slice(head.as_bytes());
        export.extend_from_slice(entry);
        export.push(b'\n');
    }
    let mut writer = Command::new(JOURNAL_REMOTE)
        .args(["--output", "made.journal", "-"])
        .current_dir(world.path(""))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writer.stdin.take().unwrap().write_all(&export).unwrap();
    assert!(writer.wait().unwrap().success());
    fs::rename(world.path("made.journal"), world.path("journal")).unwrap();
    let text = String::from_utf8_lossy(&export).into_owned();
    let of_ingress = text.split("\n\n").filter(|it| it.contains("\nCDSYNC_FLOW=ingress\n"));
    let run = of_ingress.filter_map(|it| it.split("\nCDSYNC_RUN=").nth(1)?.lines().next());
    let run = run.last().unwrap();
    for recipe in recipes {
        told(&world, &recipe.replace("CDSYNC_RUN=17", &format!("CDSYNC_RUN={run}")));
    }
}

#[test]
fn every_recipe_for_a_file_finds_what_it_promises() {
    let world = world();
    let run = world.run(&["sync", "--patience", "60"]);
    fs::write(world.path("cdsync.log"), &run.stderr).unwrap();
    let recipes = recipes("jq");
    assert!(recipes.len() >= 3, "{recipes:?}");
    if has(&["jq", "bash"]) {
        for recipe in recipes {
            told(&world, &recipe);
        }
    }
}

#[test]
fn every_alert_comes_when_it_is_to_and_only_then() {
    let (rules, tests) =
        ("monitoring/prometheus-rules.yml", "monitoring/prometheus-rules-tests.yml");
    let names = |text: &str, key: &str| -> BTreeSet<String> {
        text.lines().filter_map(|it| it.trim().strip_prefix(key)).map(str::to_owned).collect()
    };
    let tested = file(tests);
    assert_eq!(names(&tested, "alertname: "), names(&file(rules), "- alert: "));
    // Each when it comes, and when it does not.
    let all = tested.matches("alertname: ").count();
    let coming = tested.matches("exp_alerts:").count();
    assert!(coming >= 15 && all - coming >= 15, "{coming} of {all}");
    if !has(&["promtool"]) {
        return;
    }
    for arguments in [["check", "rules", rules], ["test", "rules", tests]] {
        let directory = env!("CARGO_MANIFEST_DIR");
        let tried =
            Command::new("promtool").args(arguments).current_dir(directory).output().unwrap();
        assert!(
            tried.status.success(),
            "{}",
            String::from_utf8_lossy(&[tried.stdout, tried.stderr].concat())
        );
    }
}

/// Names in an expression, each with the labels that it is asked for.
fn asked(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let grouped = expression.split(" by (").skip(1).filter_map(|it| it.split(')').next());
    let grouped: BTreeSet<String> =
        grouped.flat_map(|it| it.split(',')).map(|it| it.trim().to_owned()).collect();
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find("cdsync_") {
        let tail = &rest[at..];
        let end = tail.find(|c| !word(c)).unwrap_or(tail.len());
        let (name, behind) = tail.split_at(end);
        let matchers = behind.strip_prefix('{').and_then(|it| it.split('}').next()).unwrap_or("");
        let labels = matchers.split(',').filter_map(|it| it.split(['=', '!']).next());
        let mut labels: BTreeSet<String> =
            labels.map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
        labels.extend(grouped.iter().cloned());
        found.push((name.to_owned(), labels));
        rest = behind;
    }
    found
}

/// Expressions of the dashboard's panels, with the labels of their legends, and
/// those of the rules.
fn expressions() -> Vec<(String, BTreeSet<String>)> {
    fn walk(value: &serde_json::Value, found: &mut Vec<(String, BTreeSet<String>)>) {
        if let Some(expression) = value["expr"].as_str() {
            let legend = value["legendFormat"].as_str().unwrap_or_default();
            let labels = legend.split("{{").skip(1).filter_map(|it| it.split("}}").next());
            found.push((expression.to_owned(), labels.map(|it| it.trim().to_owned()).collect()));
        }
        let inner = value.as_object().into_iter().flat_map(|it| it.values());
        inner.chain(value.as_array().into_iter().flatten()).for_each(|it| walk(it, found));
    }
    let board = serde_json::from_str(&file("monitoring/grafana-dashboard.json")).unwrap();
    let mut found = Vec::new();
    walk(&board, &mut found);
    let rules = file("monitoring/prometheus-rules.yml");
    // Expressions go over several lines, up to the next key of the rule.
    for part in rules.split("expr: ").skip(1) {
        let lines = part.lines().take_while(|line| {
            let key = line.trim().split(':').next().unwrap_or_default();
            !matches!(key, "for" | "labels")
        });
        found.push((lines.collect::<Vec<_>>().join(" "), BTreeSet::new()));
    }
    found
}

/// The labels of each number that a page shows.
fn shown(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, behind) = line.split_once(['{', ' ']).unwrap();
        let labels = shown.entry(name.to_owned()).or_default();
        if line[name.len()..].starts_with('{') {
            let pairs = behind.rsplit_once('}').unwrap().0.split("\",");
            labels.extend(pairs.map(|it| it.split('=').next().unwrap().to_owned()));
        }
    }
    shown
}

#[test]
fn every_panel_and_every_rule_asks_for_what_a_daemon_shows() {
    let world = world();
    let path = world.path("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let budget = |text: &str, section: &str| {
        text.replacen(
            &format!("[{section}]\n"),
            &format!("[{section}]\nrequests_per_day = 100000\n"),
            1,
        )
    };
    fs::write(&path, budget(&budget(&text, "dynamics"), "campaign")).unwrap();
    let daemon = Running::start(command(&world, "json", &["run"]));
    let address = served(&daemon);
    world.run(&["sync", "--via-daemon", "--patience", "60"]);
    // Numbers may be a second old.
    let page = (0..100_000).find_map(|_| {
        let page = ask(&address, &format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n")).body;
        let flows = ["ingress", "egress", "optout"];
        let done = |flow: &&str| {
            page.contains(&format!("cdsync_last_pass_duration_seconds{{flow=\"{flow}\"}}"))
        };
        flows.iter().all(done).then_some(page)
    });
    let shown = shown(&page.unwrap());
    daemon.signal("TERM");
    daemon.end().expect(0);
    let expressions = expressions();
    assert!(expressions.len() >= 30, "{}", expressions.len());
    let mut wrong = Vec::new();
    for (expression, legend) in &expressions {
        let asked = asked(expression);
        if asked.is_empty() && !expression.contains("up{") {
            wrong.push(format!("no number of ours in {expression}"));
        }
        for (name, mut labels) in asked {
            labels.extend(legend.iter().cloned());
            labels.retain(|label| label != "job" && label != "instance");
            match shown.get(&name) {
                None => wrong.push(format!("{name} is not shown: {expression}")),
                Some(known) if !labels.is_subset(known) => {
                    wrong.push(format!("{name} has {known:?}, asked for {labels:?}: {expression}"));
                }
                Some(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
