//! Each failure is told in one line, where it is handled: no line of those who
//! pass it on, and none for what heals by itself. A command that ends with
//! another code than 0 or 1 says why in its last line.

use std::collections::BTreeMap;

use cdsync::sandbox::{Fault, FaultRule, SftpFault, System};
use serde_json::json;

use crate::egress_world::{event, on_batches};
use crate::markers::configure;
use crate::rig::Running;
use crate::support::{Run, Setup, World, on_pages, on_writes, status};

/// How often each event of a level that wants a look was told.
fn loud(run: &Run) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in run.lines() {
        if line["level"] == "WARN" || line["level"] == "ERROR" {
            *counts.entry(line["event"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    counts
}

type Prepare = fn(&World);

fn refused(system: System, code: u16, body: &str) -> FaultRule {
    let fault = Fault::Status { code, body: body.to_owned() };
    FaultRule { system: Some(system), ..FaultRule::always(fault) }
}

fn once(rule: FaultRule) -> FaultRule {
    FaultRule { times: Some(1), ..rule }
}

fn change(world: &World) {
    world.change(world.contacts()[0], &json!({ "lastname": "Changed" }));
}

/// What goes wrong, in which flow, and the lines that tell of it.
type Family = (&'static str, &'static str, Prepare, &'static [(&'static str, usize)]);

const FAMILIES: &[Family] = &[
    ("nothing", "ingress", change, &[]),
    (
        "a request that heals",
        "ingress",
        |world| {
            change(world);
            world.play(once(on_writes("PATCH", status(503))));
        },
        &[],
    ),
    (
        "a page that heals",
        "ingress",
        |world| {
            change(world);
            world.play(once(on_pages(Fault::CutIn)));
        },
        &[],
    ),
    (
        "an expired token",
        "ingress",
        |world| {
            change(world);
            world.play(once(on_pages(Fault::ExpiredToken)));
        },
        &[],
    ),
    (
        "throttling",
        "ingress",
        |world| {
            change(world);
            world.play(once(on_writes("PATCH", Fault::Throttle { retry_after: 1 })));
        },
        &[("delivery.throttled", 1)],
    ),
    (
        "a value that does not fit",
        "ingress",
        |world| {
            world.add(&json!({ "firstname": "x".repeat(40), "lastname": "Long" }));
        },
        &[("record.dead_lettered", 1)],
    ),
    (
        "a record that Campaign refuses",
        "ingress",
        |world| {
            change(world);
            let body = "\"'x' is not a valid constant\"".to_owned();
            world.play(on_writes("PATCH", Fault::Status { code: 500, body }));
        },
        &[("record.dead_lettered", 1)],
    ),
    (
        "a table that may not be read",
        "ingress",
        |world| {
            let mut rule = refused(System::Dynamics, 403, "");
            rule.path = Some("new_stores".to_owned());
            world.play(rule);
        },
        &[("table.failed", 1), ("command.failed", 1)],
    ),
    (
        "a column that is gone",
        "ingress",
        |world| {
            world.sandbox.dynamics().remove_column("contact", "middlename").unwrap();
            world.sandbox.dynamics().remove_column("contact", "firstname").unwrap();
        },
        &[("schema.drifted", 1)],
    ),
    (
        "a wave of deletions",
        "ingress",
        |world| {
            for id in world.contacts() {
                world.delete(id);
            }
        },
        &[("deletes.held", 1)],
    ),
    (
        "credentials of Dynamics",
        "ingress",
        |world| {
            change(world);
            world.play(refused(
                System::Entra,
                401,
                r#"{"error":"invalid_client","error_description":"AADSTS7000215"}"#,
            ));
        },
        &[("auth.refused", 1), ("command.failed", 1)],
    ),
    (
        "a system that does not answer",
        "ingress",
        |world| {
            change(world);
            world.play(refused(System::Campaign, 503, ""));
        },
        &[("sync.gave_up", 1), ("command.failed", 1)],
    ),
    (
        "an event that nobody understands",
        "egress",
        |world| {
            let mut odd = event(1, &world.contacts()[0].to_string());
            odd["kind"] = json!("unheard-of");
            world.sandbox.journal().add(&[odd]);
        },
        &[("record.dead_lettered", 1)],
    ),
    (
        "a batch that heals",
        "egress",
        |world| {
            world.sandbox.journal().add(&[event(1, &world.contacts()[0].to_string())]);
            world.play(once(on_batches(status(503))));
        },
        &[],
    ),
    (
        "a file that cannot be read",
        "egress",
        |world| {
            world.sandbox.sftp().put_at(
                "exports/delivery_log_1.csv",
                b"a,b\n1,2\n",
                crate::optout_rig::ago(3600),
            );
        },
        &[("file.refused", 1)],
    ),
    (
        "a file server that lets nobody in",
        "egress",
        |world| {
            world.sandbox.sftp().set_faults(&[SftpFault::Refused]);
        },
        &[("flow.stopped", 1), ("command.failed", 1)],
    ),
    (
        "a journal that refuses",
        "egress",
        |world| {
            world.play(refused(System::Journal, 403, ""));
        },
        &[("flow.stopped", 1), ("command.failed", 1)],
    ),
];

#[test]
fn each_failure_is_told_in_one_line_where_it_is_handled() {
    let mut wrong = Vec::new();
    for (what, flow, prepare, lines) in FAMILIES {
        let world = World::new(Setup { contacts: 4, ..Setup::default() });
        configure(&world);
        world.run(&["sync", flow, "--patience", "60"]).ends(0);
        prepare(&world);
        let gives_up = lines.contains(&("sync.gave_up", 1));
        let run = world.run(&["sync", flow, "--patience", if gives_up { "2" } else { "60" }]);
        let expected: BTreeMap<String, usize> =
            lines.iter().map(|(event, count)| ((*event).to_owned(), *count)).collect();
        let mut told = loud(&run);
        if gives_up && told.get("remote.unreachable") == Some(&1) {
            // Told if there was time for several requests.
            told.remove("remote.unreachable");
        }
        if told != expected {
            wrong.push(format!("{what}: exit {}: {}", run.code, run.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_daemon_tells_in_one_line_what_ends_a_pass_however_many_meet_it() {
    let world = World::new(Setup { contacts: 2, ..Setup::default() });
    configure(&world);
    world.sandbox.sftp().set_faults(&[SftpFault::Refused]);
    let daemon = Running::start(world.command(&["run"]));
    daemon.wait_for("\"daemon.started\"");
    // The schedule has both flows at it, and a person one of them.
    for _ in 0..2 {
        world.run(&["sync", "egress", "--via-daemon"]).ends(3);
    }
    daemon.signal("TERM");
    let ended = daemon.finish();
    let lines = ended.expect(0).err.lines().map(|line| serde_json::from_str(line).unwrap());
    let errors: Vec<serde_json::Value> = lines
        .filter(|line: &serde_json::Value| line["level"] == "ERROR" && line["flow"] == "egress")
        .collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["event"], "flow.failing", "{errors:#?}");
    let reason = errors[0]["reason"].as_str().unwrap();
    assert!(reason.contains("key"), "{reason}");
}
