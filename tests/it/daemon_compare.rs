//! A comparison that takes long, beside the passes of a daemon.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use cdsync::sandbox::{Fault, System};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::optout_rig::{ago, both_ways, email, in_dynamics};
use crate::rig::Running;
use crate::support::{Run, World, on_pages};

const VERIFY: &[&str] = &["resync", "--table", "contact", "--verify", "--json"];
const NEVER: &str = "0 0 0 1 1 *";

/// A daemon that runs nothing by itself after its first passes, and reads three
/// contacts a page.
fn started(contacts: usize) -> (World, Vec<Uuid>, Running) {
    let (world, ids) = both_ways(contacts);
    let text = fs::read_to_string(world.path("config.toml")).unwrap();
    let text = text
        .replace("page_rows = 5000", "page_rows = 3")
        .replace("*/15 * * * * *", NEVER)
        .replace("[optout]\n", &format!("[optout]\nschedule = \"{NEVER}\"\n"));
    fs::write(world.path("config.toml"), text).unwrap();
    let daemon = Running::start(world.command(&["run"]));
    for _ in 0..2 {
        daemon.wait_for("\"flow.finished\"");
    }
    (world, ids, daemon)
}

/// A comparison whose third page waits until something was done.
struct Halfway {
    arrived: mpsc::Receiver<()>,
    answer: mpsc::Sender<()>,
    asked: std::thread::JoinHandle<Run>,
}

impl Halfway {
    fn begun(world: &World) -> Self {
        // Time for the loop to see what it is told, on a machine with much to do.
        world.play(on_pages(Fault::Slow { ms: 50 }));
        let (here, arrived) = mpsc::channel();
        let (answer, go) = mpsc::channel::<()>();
        world.sandbox.before((System::Dynamics, "GET", "/contacts?"), 2, move || {
            let _ = here.send(());
            let _ = go.recv_timeout(Duration::from_mins(2));
        });
        let mut command = world.command(VERIFY);
        let asked = std::thread::spawn(move || {
            let output = command.output().unwrap();
            Run {
                code: output.status.code().unwrap_or(-1),
                stdout: String::from_utf8(output.stdout).unwrap(),
                stderr: String::from_utf8(output.stderr).unwrap(),
            }
        });
        let halfway = Self { arrived, answer, asked };
        halfway.arrived.recv_timeout(Duration::from_mins(2)).unwrap();
        halfway
    }

    /// Lets it go on to its end.
    fn ended(self) -> Run {
        drop(self.answer);
        self.asked.join().unwrap()
    }
}

/// The place of the first line with all of this.
#[track_caller]
fn place(lines: &[Value], event: &str, with: (&str, &str)) -> usize {
    let fits = |line: &Value| line["event"] == event && line[with.0] == with.1;
    lines.iter().position(fits).unwrap_or_else(|| panic!("no {event} {with:?} in {lines:#?}"))
}

#[test]
fn a_long_comparison_lets_opt_outs_and_a_reload_pass_and_sees_no_drift_in_what_they_change() {
    let (world, ids, daemon) = started(90);
    let halfway = Halfway::begun(&world);
    // Not read yet by the comparison: listed as it was, carried before its page.
    let last = *ids.iter().max().unwrap();
    world.change(last, &json!({ "lastname": "Meanwhile" }));
    in_dynamics(&world, last, true, ago(0));
    let resync = world.status()["resync"].as_array().unwrap().clone();
    assert!(resync.iter().any(|it| it["purpose"] == "verify"), "{resync:?}");
    let shown = world.run(&["status"]).ends(0).stdout;
    assert!(shown.contains("verify of contact is not done"), "{shown}");
    daemon.signal("HUP");
    for flow in ["ingress", "optout"] {
        world.run(&["resume", flow]).ends(0);
    }
    let compared = halfway.ended();
    assert_eq!((compared.code, compared.stdout.as_str()), (0, ""), "{}", compared.stderr);
    assert_eq!(email(&world, last), (true, true));
    assert_eq!(world.profile(last)["lastName"], "Meanwhile");
    daemon.signal("TERM");
    let ended = daemon.finish();
    let lines: Vec<Value> =
        ended.expect(0).err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let begun = place(&lines, "resync.started", ("purpose", "verify"));
    let lines = &lines[begun..];
    let end = place(lines, "resync.finished", ("purpose", "verify"));
    for flow in ["ingress", "optout"] {
        assert!(place(lines, "flow.finished", ("flow", flow)) < end, "{flow}: {lines:#?}");
    }
    let reloaded = lines.iter().position(|line| line["event"] == "config.reloaded").unwrap();
    assert!(reloaded < end, "{lines:#?}");
    // Nothing is left of it.
    assert_eq!(world.status()["resync"], json!([]));
}

#[test]
fn a_comparison_ends_when_another_mapping_is_read() {
    let (world, _, daemon) = started(90);
    let halfway = Halfway::begun(&world);
    let text = fs::read_to_string(world.path("config.toml")).unwrap();
    let wider = text.replace(
        "{ from = \"lastname\"",
        "{ from = \"firstname\", to = \"firstName\" }, { from = \"lastname\"",
    );
    assert_ne!(wider, text);
    fs::write(world.path("config.toml"), wider).unwrap();
    daemon.signal("HUP");
    world.run(&["status"]).ends(0);
    let compared = halfway.ended().ends(1);
    let said = compared.event("command.failed")["reason"].to_string();
    assert!(said.contains("compare again"), "{said}");
    daemon.wait_for("\"config.reloaded\"");
    // The next one begins anew.
    world.calm();
    world.run(&["sync", "--via-daemon"]).ends(0);
    world.run(VERIFY).ends(0);
    daemon.signal("TERM");
    daemon.end().expect(0);
}
