//! What is built in and what is packaged: licences, banned crates and sources
//! as deny.toml has them; units and changelog that fit the program.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::process::Command;

type Outcome = Result<(), Box<dyn Error>>;

fn text(path: &str) -> Result<String, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The crates that are built on Linux, also for tests alone, with their
/// licences. `cargo metadata` would name optional ones that nobody switches on.
fn crates() -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let asked = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--locked", "--offline", "--target", "x86_64-unknown-linux-gnu"])
        .args(["--prefix", "none", "--format", "{p}|{l}"])
        .output()?;
    if !asked.status.success() {
        return Err(String::from_utf8_lossy(&asked.stderr).into());
    }
    let mut crates = BTreeMap::new();
    for line in String::from_utf8(asked.stdout)?.lines() {
        let (package, licence) = line.split_once('|').unwrap_or((line, ""));
        let name = package.split(' ').next().unwrap_or_default();
        crates.insert(name.to_owned(), licence.trim_end_matches(" (*)").to_owned());
    }
    Ok(crates)
}

/// The strings of a list in deny.toml; of objects, their `crate`.
fn rules(section: &str, key: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let rules: toml::Table = toml::from_str(&text("deny.toml")?)?;
    let list = rules.get(section).and_then(|section| section.get(key)).and_then(|l| l.as_array());
    let list = list.ok_or_else(|| format!("deny.toml has no {section}.{key}"))?;
    let entry = |entry: &toml::Value| {
        entry.as_str().or_else(|| entry.get("crate")?.as_str()).map(str::to_owned)
    };
    Ok(list.iter().filter_map(entry).collect())
}

/// Whether an SPDX expression can be met with these licences. `/` is what older
/// crates write for OR.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = either(&words, allowed);
    met && rest.is_empty()
}

fn either<'w>(words: &'w [&'w str], allowed: &BTreeSet<String>) -> (bool, &'w [&'w str]) {
    let (mut met, mut rest) = both(words, allowed);
    while let ["OR", more @ ..] = rest {
        let (other, left) = both(more, allowed);
        (met, rest) = (met | other, left);
    }
    (met, rest)
}

fn both<'w>(words: &'w [&'w str], allowed: &BTreeSet<String>) -> (bool, &'w [&'w str]) {
    let (mut met, mut rest) = one(words, allowed);
    while let ["AND", more @ ..] = rest {
        let (other, left) = one(more, allowed);
        (met, rest) = (met & other, left);
    }
    (met, rest)
}

fn one<'w>(words: &'w [&'w str], allowed: &BTreeSet<String>) -> (bool, &'w [&'w str]) {
    match words {
        ["(", inner @ ..] => match either(inner, allowed) {
            (met, [")", rest @ ..]) => (met, rest),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, rest @ ..] => {
            (allowed.contains(&format!("{licence} WITH {exception}")), rest)
        }
        [licence, rest @ ..] => (allowed.contains(*licence), rest),
        [] => (false, &[]),
    }
}

#[test]
fn every_crate_has_a_licence_that_deny_toml_allows() -> Outcome {
    let allowed = rules("licenses", "allow")?;
    let crates = crates()?;
    assert!(crates.len() > 50, "the crates were not found");
    let refused: Vec<String> = crates
        .iter()
        .filter(|(_, licence)| !permits(licence, &allowed))
        .map(|(name, licence)| format!("{name}: {licence:?}"))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    Ok(())
}

#[test]
fn an_expression_of_licences_is_read_as_spdx_has_it() {
    let allowed =
        BTreeSet::from(["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned));
    for (expression, wanted) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("MIT AND (GPL-3.0 OR Zlib)", true),
        ("GPL-3.0 OR MIT AND Zlib", true),
        ("(GPL-3.0 OR MIT) AND ISC", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("(MIT", false),
        ("MIT Zlib", false),
    ] {
        assert_eq!(permits(expression, &allowed), wanted, "{expression}");
    }
}

#[test]
fn no_crate_is_banned_or_comes_from_elsewhere() -> Outcome {
    let banned = rules("bans", "deny")?;
    let registries = rules("sources", "allow-registry")?;
    for name in crates()?.keys() {
        assert!(!banned.contains(name), "{name} is banned by deny.toml");
    }
    let lock: toml::Table = toml::from_str(&text("Cargo.lock")?)?;
    for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
        let source = package.get("source").and_then(toml::Value::as_str);
        let known = source.is_none_or(|source| {
            source.strip_prefix("registry+").is_some_and(|registry| registries.contains(registry))
        });
        assert!(known, "{:?} comes from {source:?}", package.get("name"));
    }
    Ok(())
}

#[test]
fn the_bill_of_materials_names_the_crates_and_the_sqlite_that_is_built_in() -> Outcome {
    let place = tempfile::tempdir()?;
    let (bill, licences) = (place.path().join("bill.json"), place.path().join("licences"));
    let made = Command::new("python3")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_NET_OFFLINE", "true")
        .env("SOURCE_DATE_EPOCH", "0")
        .arg("packaging/sbom")
        .args([bill.as_os_str(), "--licences".as_ref(), licences.as_os_str()])
        .output()?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bill: serde_json::Value = serde_json::from_slice(&std::fs::read(bill)?)?;
    let components = bill["components"].as_array().ok_or("no components")?;
    let has = |name: &str, version: &str, scope: &str| {
        components
            .iter()
            .any(|it| it["name"] == name && it["version"] == version && it["scope"] == scope)
    };
    assert!(has("sqlite", rusqlite::version(), "required"), "not the SQLite that is built in");
    let lock: toml::Table = toml::from_str(&text("Cargo.lock")?)?;
    for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
        let (name, version) = (&package["name"], &package["version"]);
        let (name, version) = (name.as_str().ok_or("name")?, version.as_str().ok_or("version")?);
        match name {
            "tokio" | "rusqlite" | "aws-lc-sys" => {
                assert!(has(name, version, "required"), "{name}");
            }
            "serde_derive" | "cc" => assert!(has(name, version, "excluded"), "{name}"),
            // For tests alone; optional, and never built.
            "proptest" | "quinn" => assert!(!has(name, version, "required"), "{name}"),
            _ => {}
        }
    }
    assert!(std::fs::read_to_string(licences)?.contains("Permission is hereby granted"));
    Ok(())
}

#[test]
fn the_unit_of_an_instance_differs_only_in_where_things_lie() -> Outcome {
    let settings = |unit: &str| -> Vec<String> {
        // Settings that are commented out begin without a space.
        let settings = unit.lines().filter(|line| !line.starts_with("# "));
        settings.map(str::to_owned).collect()
    };
    let one = text("systemd/cdsync.service")?;
    let instance = text("systemd/cdsync@.service")?
        .replace(" (%i)", "")
        .replace("/etc/cdsync/%i.toml", "/etc/cdsync/config.toml")
        .replace("cdsync/%i", "cdsync");
    assert_eq!(settings(&instance), settings(&one), "left: instance, right: cdsync.service");
    Ok(())
}

#[test]
fn the_changelog_of_the_package_begins_with_this_version() -> Outcome {
    let changelog = text("packaging/debian/changelog")?;
    let wanted = format!("cdsync ({}-1) ", env!("CARGO_PKG_VERSION"));
    assert!(changelog.starts_with(&wanted), "packaging/debian/changelog needs an entry {wanted}");
    Ok(())
}
