//! docs/conformance.md against the installed clients: each public operation of
//! each is driven by the test that it names, or stands outside with a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use cdsync::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::conform_rig::{Client, Stage, node_modules};

/// Operations of one client by name, with what the page says of each.
fn page(client: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, rest) = page.split_once(&format!("\n## `{client}`\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let mut found = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.trim_matches('|').split(" | ");
        let (names, said) = (cells.next().unwrap(), cells.next().unwrap());
        for name in names.split('`').skip(1).step_by(2) {
            let twice = found.insert(name.to_owned(), said.trim().to_owned());
            assert_eq!(twice, None, "{client}: {name} has two rows");
        }
    }
    found
}

/// The source of one test, `module::name`.
fn source(test: &str) -> Option<String> {
    let (module, name) = test.split_once("::")?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/{module}.rs"));
    let module = std::fs::read_to_string(path).ok()?;
    let (_, body) = module.split_once(&format!("fn {name}("))?;
    Some(body.split("\n#[test]").next()?.to_owned())
}

#[track_caller]
fn holds(client: &str, operations: &Value) {
    let installed: BTreeSet<&str> =
        operations.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let page = page(client);
    let listed: BTreeSet<&str> = page.keys().map(String::as_str).collect();
    assert_eq!(listed, installed, "{client}; left: docs/conformance.md, right: installed");
    for (operation, said) in &page {
        if let Some(reason) = said.strip_prefix("outside: ") {
            assert!(reason.len() > 10, "{client}: {operation} has no reason");
            continue;
        }
        let quoted: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
        let test = quoted.first().unwrap_or_else(|| panic!("{client}: {operation}: {said}"));
        let body = source(test).unwrap_or_else(|| panic!("{operation}: there is no test {test}"));
        // As the test asks for it: by its name, or by the word behind the test.
        let usual = operation
            .trim_start_matches("batch.")
            .trim_start_matches("changeset.")
            .trim_start_matches("client.")
            .trim_start_matches("builder.")
            .trim_start_matches("fetchxml.")
            .trim_start_matches("expand.");
        let word = quoted.get(1).map_or_else(|| format!("\"{usual}\""), |word| (*word).to_owned());
        assert!(body.contains(&word), "{client}: {test} drives no {operation}");
    }
}

#[test]
fn each_operation_of_microsofts_client_is_driven_or_stands_outside() {
    let mut stage = Stage::new(Client::Python, SandboxOptions::default());
    let surface = stage.done(&json!({"surface": true}));
    holds("PowerPlatform-Dataverse-Client", &surface["operations"]);
    // A namespace that the list does not know would hide its operations.
    let ways = json!(["auth", "batch", "dataframe", "files", "query", "records", "tables"]);
    assert_eq!(surface["ways"], ways);
}

#[test]
fn each_operation_of_dynamics_web_api_is_driven_or_stands_outside() {
    let mut stage = Stage::new(Client::WebApi, SandboxOptions::default());
    let surface = stage.done(&json!({"surface": true}));
    holds("dynamics-web-api", &surface["operations"]);
}

#[test]
fn each_operation_of_adobes_clients_is_driven_or_stands_outside() {
    let mut stage = Stage::new(Client::Campaign, SandboxOptions::default());
    let surface = stage.done(&json!({"surface": true}));
    holds("@adobe/aio-lib-campaign-standard", &surface["operations"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/journal.cjs");
    let home = tempfile::tempdir().unwrap();
    let mut node = Command::new("node");
    node.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    node.env("NODE_PATH", node_modules()).env("HOME", home.path()).current_dir(home.path());
    node.env("ORGANIZATION", "organization").env("CLIENT_ID", "client");
    let output = node.args([script, "surface"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let operations: Value = serde_json::from_slice(&output.stdout).unwrap();
    holds("@adobe/aio-lib-events", &operations);
}
