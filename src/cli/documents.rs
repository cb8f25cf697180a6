//! The documents say nothing that the program does not understand: every
//! command line parses, every block of TOML loads.

use std::fs;
use std::path::Path;

use clap::Parser;
use clap::error::ErrorKind;
use toml::{Table, Value};

use super::args::Cli;
use crate::config::{TEMPLATES, load};

/// What a block of TOML that is only a part is put into.
const BASE: &str = r#"
[dynamics]
url = "https://contoso.crm4.dynamics.com"
tenant = "contoso.onmicrosoft.com"
client_id = "6d0d8c4e"
client_secret = { env = "DYNAMICS_SECRET" }
[campaign]
url = "https://mc.adobe.io/contoso"
client_id = "abc"
client_secret = { env = "CAMPAIGN_SECRET" }
organization_id = "A@AdobeOrg"
[campaign.sftp]
host = "files.example.org"
user = "contoso"
private_key = { env = "KEY" }
known_hosts = "/etc/cdsync/known_hosts"
[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = { from = "contactid", to = "externalId", in_uri = true }
fields = [ { from = "firstname", to = "firstName" } ]
"#;

/// Words that stand for something else, and an example of it.
const STANDS_FOR: &[(&str, &[&str])] = &[
    ("COMMAND", &["sync"]),
    ("FLOW", &["ingress"]),
    ("TABLE", &["contact"]),
    ("TABLE=COLUMN", &["contact=new_extid"]),
    ("NAME", &["contacts"]),
    ("FILE", &["file"]),
    ("TIME", &["2026-03-01"]),
    ("GUID", &["2e451703-c286-e711-80ef-00155db19e6d"]),
    ("ID", &["2e451703-c286-e711-80ef-00155db19e6d", "7"]),
];

/// README.md and the pages of docs/.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|end| end == "md")));
    let page = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(page).collect()
}

/// The blocks between fences, each with its language.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let (mut blocks, mut open): (Vec<(&str, String)>, bool) = (Vec::new(), false);
    for line in page.lines().map(str::trim_start) {
        if let Some(language) = line.strip_prefix("```") {
            if !open {
                blocks.push((language, String::new()));
            }
            open = !open;
        } else if let Some((_, text)) = blocks.last_mut().filter(|_| open) {
            text.push_str(line);
            text.push('\n');
        }
    }
    blocks
}

/// The command of a line of shell, without comment and redirection.
fn command(line: &str) -> Option<&str> {
    let start = line.find("cdsync ")?;
    let before = line[..start].trim();
    if !(before.is_empty() || before.starts_with("sudo ")) {
        return None;
    }
    let line = &line[start..];
    let end = [" #", " |", " >", " &&"].iter().filter_map(|end| line.find(end)).min();
    Some(line[..end.unwrap_or(line.len())].trim())
}

/// The kinds of error that a command line ends with, one for each reading of
/// its placeholders; empty where one of them parses.
fn errors(line: &str) -> Vec<ErrorKind> {
    let mut readings: Vec<Vec<String>> = vec![Vec::new()];
    for word in line.split_whitespace() {
        let known = STANDS_FOR.iter().find(|(name, _)| *name == word);
        let words = known.map_or_else(|| vec![word], |(_, words)| words.to_vec());
        readings = readings
            .iter()
            .flat_map(|reading| {
                words.iter().map(|word| [reading.as_slice(), &[(*word).to_owned()]].concat())
            })
            .collect();
    }
    let mut errors = Vec::new();
    for reading in readings {
        match Cli::try_parse_from(reading) {
            Ok(_) => return Vec::new(),
            Err(error)
                if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
            {
                return Vec::new();
            }
            Err(error) => errors.push(error.kind()),
        }
    }
    errors
}

#[test]
fn every_command_line_of_the_documents_parses() {
    let mut seen = 0;
    for (name, page) in pages() {
        for (_, block) in blocks(&page).iter().filter(|(language, _)| *language == "sh") {
            for line in block.lines().filter_map(command) {
                seen += 1;
                assert!(errors(line).is_empty(), "{name}: `{line}`: {:?}", errors(line));
            }
        }
    }
    assert!(seen > 25, "{seen} lines: they are not found");
}

#[test]
fn every_template_that_the_documents_name_exists() {
    for (name, page) in pages() {
        for rest in page.split("--template ").skip(1) {
            let word = rest.split(|c: char| !c.is_alphanumeric() && c != '-').next().unwrap();
            let known = TEMPLATES.iter().any(|template| template.name == word);
            assert!(known || ["NAME", "list", ""].contains(&word), "{name}: --template {word}");
        }
    }
}

#[test]
fn every_command_that_the_documents_mention_exists() {
    // A mention may leave out what else the command needs.
    let only_short =
        [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    let mut seen = 0;
    for (name, page) in pages() {
        // A mention may be broken over two lines.
        let flat = page.replace('\n', " ");
        for span in flat.split('`').filter(|span| span.starts_with("cdsync ")) {
            if span.contains(['…', '[', '|']) {
                continue;
            }
            seen += 1;
            let errors = errors(span);
            let understood = errors.is_empty() || errors.iter().any(|it| only_short.contains(it));
            assert!(understood, "{name}: `{span}`: {errors:?}");
        }
    }
    assert!(seen > 100, "{seen} mentions: they are not found");
}

/// Puts a part into the whole, section by section; values are replaced, also
/// such as stand in braces.
fn put(whole: &mut Table, part: Table) {
    let section =
        |table: &Table| !["env", "file", "credential"].iter().any(|it| table.contains_key(*it));
    for (key, value) in part {
        match (whole.get_mut(&key), value) {
            (Some(Value::Table(whole)), Value::Table(part)) if section(&part) => put(whole, part),
            (_, value) => {
                whole.insert(key, value);
            }
        }
    }
}

/// A value in one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let members = table.iter().map(|(key, value)| format!("{key:?} = {}", inline(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(bit) => bit.to_string(),
        Value::Datetime(time) => time.to_string(),
    }
}

#[test]
fn every_block_of_toml_in_the_documents_loads() {
    let mut seen = 0;
    // Those of the sandbox are files of its own.
    for (name, page) in pages().into_iter().filter(|(name, _)| name != "sandbox.md") {
        for (_, block) in blocks(&page).iter().filter(|(language, _)| *language == "toml") {
            seen += 1;
            let part: Table =
                toml::from_str(block).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut whole: Table = toml::from_str(BASE).unwrap();
            let certificate = part.get("dynamics").and_then(|it| it.get("certificate")).is_some();
            put(&mut whole, part);
            if let Some(dynamics) = whole.get_mut("dynamics").and_then(Value::as_table_mut)
                && certificate
            {
                dynamics.remove("client_secret");
            }
            let line = |(key, value): (&String, &Value)| format!("{key} = {}\n", inline(value));
            let text: String = whole.iter().map(line).collect();
            if let Err(problems) = load(&text) {
                panic!("{name}: {block}\n{problems}");
            }
        }
    }
    assert!(seen >= 15, "{seen} blocks: they are not found");
}

#[test]
fn the_plan_of_faults_in_the_documents_is_one() {
    let plans: Vec<String> = pages()
        .iter()
        .flat_map(|(_, page)| blocks(page))
        .filter(|(language, block)| *language == "toml" && block.contains("[[rule]]"))
        .map(|(_, block)| block)
        .collect();
    assert!(!plans.is_empty());
    for plan in plans {
        toml::from_str::<crate::sandbox::FaultPlan>(&plan).unwrap();
    }
}
