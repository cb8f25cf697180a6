//! The marker in places that are no field of a record: headers of answers, names
//! of files and folders, ids of events, labels, and secrets.

use std::collections::BTreeMap;

use cdsync::sandbox::{Choice, Fault, FaultPlan, FaultRule, System, Variants};
use serde_json::json;

use crate::markers::{MARK, Said, configure, contact, export, holds, tell};
use crate::support::{Setup, World, status};

fn world() -> World {
    let variants = Variants { unique_external_id: false, ..Variants::default() };
    let world = World::new(Setup { contacts: 0, variants, ..Setup::default() });
    configure(&world);
    world
}

/// Headers as the systems send them and as a gateway between may add them. An
/// id of an exchange is logged; what cannot be one is not.
fn headers(more: &[(&str, String)]) -> Fault {
    let address = format!("{MARK}@{MARK}.example");
    let usual = [
        ("server", MARK.to_owned()),
        ("via", format!("1.1 {MARK}")),
        ("warning", format!("199 - \"{MARK}\"")),
        ("set-cookie", format!("session={MARK}; Path=/{MARK}")),
        ("odata-entityid", format!("https://odd.example/{MARK}({MARK})")),
        ("odata-version", MARK.to_owned()),
        ("preference-applied", format!("odata.{MARK}")),
        ("etag", format!("W/\"{MARK}\"")),
        ("date", MARK.to_owned()),
        ("retry-after", MARK.to_owned()),
        ("x-ms-ratelimit-burst-remaining-xrm-requests", MARK.to_owned()),
        ("x-ms-service-request-id", address.clone()),
        ("x-ms-request-id", address.clone()),
        ("x-request-id", address.clone()),
        ("req_id", address),
    ];
    let all = usual.into_iter().chain(more.iter().cloned());
    let set: BTreeMap<String, String> = all.map(|(name, value)| (name.to_owned(), value)).collect();
    Fault::Headers { set }
}

/// A refusal of each kind that reads headers, one after the other.
fn refusals(system: System) -> Vec<FaultRule> {
    let to = format!("https://odd.example/{MARK}?{MARK}#{MARK}");
    let faults = [status(401), Fault::Redirect { to }, status(403), status(429), status(503)];
    let once =
        |fault| FaultRule { system: Some(system), times: Some(1), ..FaultRule::always(fault) };
    faults.into_iter().map(once).collect()
}

#[test]
fn a_marker_in_every_header_of_every_answer_is_in_no_output() {
    let world = world();
    let mut said = Said::default();
    world.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![FaultRule::always(headers(&[]))] });
    let first = world.add(&contact(0));
    tell(&world, &[first], 0);
    export(&world, &[first, first]);
    said.once(&world, "json", &["sync", "--patience", "60"]);
    assert!(holds(&json!(world.profile(first)).to_string(), MARK), "nothing came through");
    let breaking = headers(&[
        ("www-authenticate", format!("Bearer error=\"{MARK}\", error_description=\"{MARK}\"")),
        ("location", format!("/{MARK}?{MARK}")),
        ("link", format!("<https://odd.example/{MARK}>; rel=\"next\"; title=\"{MARK}\"")),
        ("content-type", format!("multipart/mixed; boundary={MARK}")),
        ("content-language", MARK.to_owned()),
    ]);
    let systems = [System::Entra, System::Ims, System::Dynamics, System::Campaign, System::Journal];
    for (round, system) in systems.into_iter().enumerate() {
        let id = world.add(&contact(1 + round));
        tell(&world, &[id], 1 + round);
        let mut rules = refusals(system);
        rules.push(FaultRule { system: Some(system), ..FaultRule::always(breaking.clone()) });
        world.forget();
        world.sandbox.set_faults(FaultPlan { seed: 1, rules });
        said.run(&world, &["sync", "--patience", "1"]);
        said.run(&world, &["check"]);
        let met = world.sandbox.requests().entries().iter().any(|entry| entry.fault.is_some());
        assert!(met, "{system:?} was never met");
    }
    world.calm();
    said.run(&world, &["status", "--json"]);
    said.run(&world, &["dead-letters", "list", "--json"]);
    said.run(&world, &["trace", &first.to_string()]);
    said.is_clean(&world);
}

#[test]
fn a_marker_in_names_that_no_pattern_means_is_in_no_output() {
    let world = world();
    let id = world.add(&contact(0));
    export(&world, &[id, id]);
    let sftp = world.sandbox.sftp();
    for name in [
        format!("{MARK}.csv"),
        format!("{MARK}/delivery_log_3.csv"),
        format!("delivery_log_3.csv.{MARK}"),
        format!("delivery_log_3.{MARK}"),
    ] {
        sftp.put(&format!("exports/{name}"), MARK.as_bytes());
        sftp.put(&format!("d365_loads/exports/{name}"), MARK.as_bytes());
    }
    sftp.make_directory(&format!("exports/{MARK}_folder.csv"));
    let mut said = Said::default();
    said.run(&world, &["sync", "--patience", "60"]);
    said.run(&world, &["sync", "--patience", "60"]);
    said.run(&world, &["check"]);
    said.run(&world, &["check", "--json"]);
    said.run(&world, &["status", "--json"]);
    said.is_clean(&world);
}

#[test]
fn a_marker_in_ids_of_events_and_in_labels_is_in_no_output() {
    let world = world();
    let label = Choice { value: 7, english: MARK.into(), german: MARK.into(), partner: None };
    world.sandbox.dynamics().put_choice("contact", "gendercode", label).unwrap();
    let id = world.add(&json!({ "lastname": "Lee", "gendercode": 7 }));
    let known = world.add(&contact(1));
    let event = |name: String, contact: String, kind: &str, time: &str| {
        json!({ "id": name, "kind": kind, "contact": contact, "time": time, "campaign": "C",
                "delivery": "D", "url": "https://example.org", "mirror": "https://example.org" })
    };
    let address = |number: usize| format!("{MARK}{number}@{MARK}.example");
    let time = "2026-03-01T12:00:00Z";
    world.sandbox.journal().add(&[
        event(address(1), known.to_string(), "open", time),
        event(address(2), known.to_string(), "open", MARK),
        event(address(3), address(3), "click", time),
        event(address(4), id.to_string(), MARK, time),
        event(MARK.repeat(500), known.to_string(), "open", time),
    ]);
    let mut said = Said::default();
    said.run(&world, &["plan"]);
    said.run(&world, &["plan", "--json"]);
    said.run(&world, &["sync", "--patience", "60"]);
    said.run(&world, &["check"]);
    let letters = world.dead_letters();
    assert!(letters.len() >= 4, "{letters:#?}");
    for letter in letters {
        let number = letter["id"].to_string();
        said.run(&world, &["dead-letters", "show", &number]);
        said.run(&world, &["dead-letters", "show", &number, "--json"]);
        said.run(&world, &["trace", letter["record"].as_str().unwrap()]);
    }
    said.run(&world, &["dead-letters", "list"]);
    said.run(&world, &["trace", &id.to_string(), "--json"]);
    said.is_clean(&world);
}

/// Exchanges the `at`-th line that begins so.
fn exchange(world: &World, begins: &str, at: usize, line: &str) {
    let path = world.path("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut seen = 0;
    let lines: Vec<&str> = text
        .lines()
        .map(|old| {
            let hit = old.starts_with(begins);
            seen += usize::from(hit);
            if hit && seen == at + 1 { line } else { old }
        })
        .collect();
    assert!(seen > at, "no line {begins}");
    std::fs::write(path, lines.join("\n")).unwrap();
}

#[test]
fn a_marker_in_a_secret_is_in_no_output_however_wrong_it_is() {
    let world = world();
    let id = world.add(&contact(0));
    export(&world, &[id, id]);
    let whole = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let mut said = Said::default();
    let mut look = |world: &World, lines: &[&str]| {
        let run = |line: &&str| said.once(world, "json", &line.split(' ').collect::<Vec<_>>());
        let codes: Vec<i32> = lines.iter().map(run).collect();
        assert!(codes.iter().any(|code| *code != 0), "{codes:?}");
    };
    let pem = |what: &str| format!("-----BEGIN {what}-----\n{MARK}\n-----END {what}-----\n");
    for (file, text) in [
        ("dynamics-secret", format!("{MARK}\n")),
        ("dynamics-secret", format!("{MARK}\nsecond {MARK}")),
        ("campaign-secret", MARK.to_owned()),
        ("sftp-key", pem("OPENSSH PRIVATE KEY")),
        ("sftp-key", MARK.to_owned()),
    ] {
        let right = std::fs::read_to_string(world.path(file)).unwrap();
        world.secret(file, &text);
        look(&world, &["check", "sync --patience 1"]);
        world.secret(file, &right);
    }
    world.secret("app.pem", &format!("{}{}", pem("PRIVATE KEY"), pem("CERTIFICATE")));
    let secret = world.path("dynamics-secret").display().to_string();
    for (begins, at, line) in [
        ("client_secret", 0, format!("client_secret = \"{MARK}\"")),
        ("client_secret", 0, format!("client_secret = \"{MARK}")),
        ("client_secret", 0, format!("client_secret = {{ text = \"{MARK}\" }}")),
        (
            "client_secret",
            0,
            format!("client_secret = {{ file = \"{secret}\", env = [\"{MARK}\"] }}"),
        ),
        ("client_secret", 1, format!("client_secret = [ \"{MARK}\" ]")),
        ("client_secret", 0, "certificate = { file = \"app.pem\" }".to_owned()),
        ("url", 0, format!("url = \"http://user:{MARK}@127.0.0.1:1\"")),
        ("url", 1, format!("url = \"http://127.0.0.1:1/x?key={MARK}\"")),
        ("ims_url", 0, format!("ims_url = \"http://{MARK}:{MARK}@127.0.0.1:1\"")),
        ("private_key", 0, format!("private_key = \"{MARK}\"")),
        ("private_key", 0, format!("private_key = {MARK}")),
    ] {
        exchange(&world, begins, at, &line);
        look(&world, &["check --offline", "sync --patience 1"]);
        std::fs::write(world.path("config.toml"), &whole).unwrap();
    }
    said.is_clean(&world);
}
