//! `cdsync sandbox` with a customizing of one's own, and `cdsync sync` against
//! it, as someone would try a mapping on a laptop.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::rig::{Running, bare, finish};
use crate::sandbox::{client, send};

const SCHEMA: &str = r#"
[[table]]
name = "new_Pet"
columns = [
  { name = "new_Kind", type = "choice", choices = [{ label = "Dog" }, { label = "Cat" }] },
  { name = "new_Born", type = "date" },
  { name = "new_Weight", type = "decimal", precision = 1 },
  { name = "new_OwnerId", type = "lookup", targets = ["contact"] },
]

[[resource]]
name = "cusPet"
fields = [
  { name = "cusPetId", type = "text", max = 64 },
  { name = "cusName", type = "text" },
  { name = "cusKind", type = "enumeration", values = [{ name = "none" }, { name = "dog", label = "Dog" }, { name = "cat", label = "Cat" }] },
  { name = "cusBorn", type = "date" },
  { name = "cusWeight", type = "double" },
  { name = "petOwner", type = "link", target = "profile" },
]
keys = [{ field = "cusPetId" }]
filters = [{ name = "byPetId", parameter = "petId_parameter", field = "cusPetId" }]
"#;

const CONTACTS: &str =
    "contactid,firstname,lastname\nada,Ada,Byron\ngrace,Grace,Hopper\njean,Jean,Bartik\n";

const PETS: &str = "new_petid,new_name,new_kind,new_born,new_weight,new_ownerid\n\
    rex,Rex,Dog,2021-05-04,31.5,ada\nminka,Minka,Cat,2019-01-31,4.2,grace\nstray,Stray,Dog,,,\n";

const MAPPING: &str = r#"[ingress]
[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }
fields = [{ from = "firstname", to = "firstName" }, { from = "lastname", to = "lastName" }]

[[ingress.table]]
dynamics = "new_pet"
campaign = "cusPet"
key = { from = "new_petid", to = "cusPetId", filter = "byPetId", parameter = "petId_parameter" }
links = [{ from = "new_ownerid", to = "petOwner", table = "contact" }]
apply_deletes = true
fields = [
  { from = "new_name", to = "cusName" },
  { from = "new_kind", to = "cusKind", replace = [{ value = "Dog", with = "dog" }, { value = "Cat", with = "cat" }] },
  { from = "new_born", to = "cusBorn" },
  { from = "new_weight", to = "cusWeight" },
]
"#;

async fn rows(origin: &str, path: &str) -> Vec<Value> {
    let got = send(client().get(format!("{origin}/_sandbox/api/{path}"))).await;
    got.json()["rows"].as_array().unwrap_or_else(|| panic!("{}", got.text)).clone()
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row[name].as_str().unwrap_or_default()
}

/// What Campaign must hold of each pet, and what it holds: name, kind, birth,
/// weight, owner.
async fn pets(origin: &str) -> [BTreeMap<String, [String; 5]>; 2] {
    let kind = |pet: &Value| match pet["new_kind"].as_i64() {
        Some(727_000_000) => "dog",
        Some(_) => "cat",
        None => "none",
    };
    let weight = |value: &Value| format!("{:.1}", value.as_f64().unwrap_or(0.0));
    let mut expected = BTreeMap::new();
    for pet in rows(origin, "dynamics/new_pet").await {
        let values = [
            text(&pet, "new_name").to_owned(),
            kind(&pet).to_owned(),
            text(&pet, "new_born").to_owned(),
            weight(&pet["new_weight"]),
            text(&pet, "_new_ownerid_value").to_owned(),
        ];
        expected.insert(text(&pet, "new_petid").to_owned(), values);
    }
    let mut held = BTreeMap::new();
    for pet in rows(origin, "campaign/cusPet").await {
        let values = [
            text(&pet, "cusName").to_owned(),
            text(&pet, "cusKind").to_owned(),
            text(&pet, "cusBorn").to_owned(),
            weight(&pet["cusWeight"]),
            text(&pet["petOwner"], "key").to_owned(),
        ];
        held.insert(text(&pet, "cusPetId").to_owned(), values);
    }
    [expected, held]
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_of_ones_own_tables_is_tried_against_ones_own_data() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "pets.toml", SCHEMA);
    write(folder.path(), "data/contact.csv", CONTACTS);
    write(folder.path(), "data/new_pet.csv", PETS);
    write(folder.path(), "data/notes.txt", "not data");
    let program = |arguments: &[&str]| {
        let mut command = bare(arguments);
        command.current_dir(folder.path());
        command
    };
    let sandbox = Running::start(program(&[
        "sandbox",
        "--listen",
        "127.0.0.1:0",
        "--schema",
        "pets.toml",
        "--data",
        "data",
        "--variant",
        "delta-expired=410",
        "--log",
        "requests.log",
        "--log-format",
        "json",
        "--mailings",
        "0",
        "--write-config",
        "try.toml",
    ]));
    let hello = sandbox.wait_for("sandbox on ");
    assert!(hello.contains("with 3 contacts, 0 vehicles"), "{hello}");
    let origin = hello.split_whitespace().nth(2).unwrap();
    sandbox.wait_for("data/new_pet.csv: 3 rows for new_pet");
    sandbox.wait_for("Ctrl-C ends it");

    let written = fs::read_to_string(folder.path().join("try.toml")).unwrap();
    let systems = written.split("[ingress]").next().unwrap();
    fs::write(folder.path().join("own.toml"), format!("{systems}{MAPPING}")).unwrap();
    finish(program(&["--config", "own.toml", "check"])).await.expect(0);
    let first = finish(program(&["--config", "own.toml", "sync", "ingress"])).await;
    assert_eq!(first.expect(0).events("flow.finished")[0]["written"], 6);
    let [expected, held] = pets(origin).await;
    assert_eq!((expected.len(), &held), (3, &expected));
    let names: Vec<String> = rows(origin, "campaign/profile")
        .await
        .iter()
        .map(|profile| format!("{} {}", text(profile, "firstName"), text(profile, "lastName")))
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.contains(&"Ada Byron".to_owned()), "{names:?}");

    // What a person does on the sandbox's side comes over, too.
    let pets_here = rows(origin, "dynamics/new_pet").await;
    let rex = pets_here.iter().find(|pet| pet["new_name"] == "Rex").unwrap();
    let minka = pets_here.iter().find(|pet| pet["new_name"] == "Minka").unwrap();
    let address =
        |pet: &Value| format!("{origin}/_sandbox/api/dynamics/new_pet/{}", text(pet, "new_petid"));
    let heavier = client().patch(address(rex)).body("{\"new_weight\": 32.5}");
    assert_eq!(send(heavier).await.status, 204);
    assert_eq!(send(client().delete(address(minka))).await.status, 204);
    // And the answer to an expired token is the one that was asked for.
    send(client().post(format!("{origin}/_sandbox/api/expire-tokens"))).await;
    finish(program(&["--config", "own.toml", "sync", "ingress"])).await.expect(0);
    let [expected, held] = pets(origin).await;
    assert_eq!((expected.len(), &held), (2, &expected));

    let log = fs::read_to_string(folder.path().join("requests.log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expired = lines.iter().filter(|line| line["status"] == 410).count();
    assert_eq!(expired, 2, "a token for each table: {log}");
    assert!(lines.iter().all(|line| line["system"] != "sandbox"), "{log}");
    let secret = fs::read_to_string(folder.path().join("try-dynamics-secret")).unwrap();
    assert!(!log.contains(secret.trim()), "a secret in the log");
}

#[tokio::test]
async fn requests_are_told_line_by_line_where_that_is_asked() {
    let sandbox = Running::start(bare(&[
        "sandbox",
        "--listen",
        "127.0.0.1:0",
        "--contacts",
        "0",
        "--log",
        "-",
    ]));
    let hello = sandbox.wait_for("sandbox on ");
    let origin = hello.split_whitespace().nth(2).unwrap();
    sandbox.wait_for("Ctrl-C ends it");
    send(client().get(format!("{origin}/_sandbox/api"))).await;
    send(client().get(format!("{origin}/api/data/v9.2/contacts?$top=1"))).await;
    let line = sandbox.wait_for("/contacts");
    assert!(line.contains(" dynamics GET    401 "), "{line}");
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_said_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "pets.toml", "[[table]]\nname = \"new_Pet\"\ncolums = []\n");
    write(folder.path(), "contact.csv", "lastname,birthdate\nByron,yesterday\n");
    write(folder.path(), "empty/readme.md", "");
    let wrong = |arguments: &'static [&'static str]| {
        let mut command = bare(arguments);
        command.args(["--listen", "127.0.0.1:0"]).current_dir(folder.path());
        finish(command)
    };
    for (arguments, expected) in [
        (&["sandbox", "--schema", "pets.toml"] as &[&str], "pets.toml: TOML parse error at line 3"),
        (&["sandbox", "--schema", "pets.yaml"], "must end with .toml or .json"),
        (&["sandbox", "--data", "contact.csv"], "contact.csv:2, column birthdate: this is no date"),
        (&["sandbox", "--data", "person=contact.csv"], "there is no table and no resource"),
        (&["sandbox", "--data", "empty"], "empty has no .csv and no .json file"),
        (&["sandbox", "--data", "none.csv"], "none.csv cannot be read"),
        (&["sandbox", "--variant", "delta-expired"], "write NAME=VALUE"),
        (&["sandbox", "--variant", "delta=410"], "--list-variants"),
        (&["sandbox", "--log", "no/such/file"], "no/such/file cannot be written"),
    ] {
        let ended = wrong(arguments).await;
        assert!(ended.expect(2).err.contains(expected), "{arguments:?}: {}", ended.err);
    }
}
