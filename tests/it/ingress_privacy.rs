//! No name, address, value, secret or token leaves the store by any output.

use cdsync::sandbox::{ErrorStyle, Fault, FaultRule, Variants};
use serde_json::{Value, json};

use crate::support::{FIELDS, Run, Setup, World, by_filter, on_writes};

/// Stands in every text of every contact.
const MARK: &str = "Qzxmarkq";

/// A contact with a mark in every text and odd values everywhere else.
fn marked(number: usize) -> Value {
    let text = |column: &str| format!("{MARK}{}{number}", &column[..2]);
    json!({
        "firstname": text("firstname"), "lastname": text("lastname"),
        "middlename": text("middlename"), "jobtitle": text("jobtitle"),
        "emailaddress1": format!("{}@{}.example", text("em"), MARK.to_lowercase()),
        "telephone1": "+49 30 55566677788", "description": text("description"),
        "birthdate": "1931-07-13", "new_points": 987_654, "new_revenue": 31_415_926.25,
        "new_localtime": "1987-03-14T15:09:26Z", "address1_city": text("city"),
    })
}

/// What must not be seen, in any case of letters.
fn secrets(world: &World) -> Vec<String> {
    let known = world.sandbox.credentials();
    let mut words = vec![known.dynamics_client_secret, known.campaign_client_secret];
    for word in
        [MARK, "55566677788", "1931-07-13", "987654", "31415926", "1987-03-14", "eyJ", "Bearer "]
    {
        words.push(word.to_owned());
    }
    words
}

#[test]
fn no_output_of_any_command_tells_a_value_or_a_secret() {
    for campaign_errors in [ErrorStyle::JsonString, ErrorStyle::PlainText] {
        let variants =
            Variants { campaign_errors, unique_external_id: false, ..Variants::default() };
        let world = World::new(Setup {
            contacts: 0,
            variants,
            tables: by_filter("apply_deletes = true\ndelete_guard = { rows = 0 }", FIELDS),
            ..Setup::default()
        });
        let mut runs: Vec<Run> = Vec::new();
        let ids: Vec<_> = (0..12).map(|number| world.add(&marked(number))).collect();
        let twins = ids[3].to_string();
        for _ in 0..2 {
            let twin = json!({ "externalId": twins, "lastName": format!("{MARK}twin") });
            world.sandbox.campaign().insert("profile", &twin).unwrap();
        }
        world.add(&json!({ "firstname": MARK.repeat(4), "lastname": MARK }));
        // Vendors repeat what they refuse.
        let echo = format!(
            "A 'Profile' with the same key '{MARK}' already exists. BAS-010040 Cannot convert '{MARK}' (type text) to integer (8 bit) type. {MARK}@{MARK}.example"
        );
        let body = match campaign_errors {
            ErrorStyle::JsonString => json!(echo).to_string(),
            ErrorStyle::PlainText => echo,
        };
        let poison = Fault::Status { code: 500, body };
        world.play(FaultRule { after: Some(2), times: Some(3), ..on_writes("POST", poison) });
        runs.push(world.run(&["--log-level", "trace", "check"]));
        runs.push(world.run(&["--log-level", "trace", "check", "--json"]));
        runs.push(world.run(&["--log-level", "trace", "plan", "ingress"]));
        runs.push(world.run(&["--log-level", "trace", "plan", "ingress", "--json"]));
        runs.push(world.run(&["--log-level", "trace", "sync", "ingress"]).ends(1));
        world.play(FaultRule { times: Some(2), ..FaultRule::always(Fault::Status {
            code: 400,
            body: format!("{{\"error\":{{\"code\":\"0x80048d19\",\"message\":\"Cannot convert the literal '{MARK}' to the expected type 'Edm.Int32'.\"}}}}"),
        })});
        runs.push(world.run(&["--log-level", "trace", "sync", "ingress"]));
        world.calm();
        world.delete(ids[0]);
        world.change(ids[1], &json!({ "lastname": format!("{MARK}changed") }));
        runs.push(world.run(&["--log-level", "trace", "sync", "ingress"]));
        runs.push(world.run(&["status"]));
        runs.push(world.run(&["status", "--json"]));
        runs.push(world.run(&["dead-letters", "list"]));
        let letters = world.dead_letters();
        assert!(letters.len() >= 4, "{letters:?}");
        for letter in &letters {
            let number = letter["id"].to_string();
            runs.push(world.run(&["dead-letters", "show", &number]));
            runs.push(world.run(&["dead-letters", "show", &number, "--json"]));
        }
        runs.push(world.run(&["dead-letters", "list", "--json"]));
        runs.push(world.run(&["tables", "contact"]));
        runs.push(world.run(&["resources", "profile"]));
        runs.push(world.run(&["approve-deletes", "contact"]));
        for run in &runs {
            for word in secrets(&world) {
                for text in [&run.stdout, &run.stderr] {
                    let found = text
                        .lines()
                        .find(|line| line.to_lowercase().contains(&word.to_lowercase()));
                    assert!(found.is_none(), "{word} in {found:?}");
                }
            }
        }
    }
}

#[test]
fn the_files_of_the_store_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new(Setup::default());
    world.synced();
    let mut seen = 0;
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("store.db") {
            seen += 1;
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?}");
        }
    }
    assert!(seen >= 1);
}
