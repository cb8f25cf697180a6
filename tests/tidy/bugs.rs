//! tests/planted: the bugs that a script plants for the simulation to find are
//! still bugs of this program, and what is written down of them is of all.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use serde::Deserialize;

type Outcome = Result<(), Box<dyn Error>>;

/// How many bugs there are at least, and in how many seeds each is found.
const BUGS: usize = 25;
const SEEDS: u64 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bugs {
    bug: Vec<Bug>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    name: String,
    says: String,
    edit: Vec<Edit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    find: String,
    put: String,
}

fn text(path: &str) -> Result<String, Box<dyn Error>> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(place).map_err(|error| format!("{path}: {error}").into())
}

fn bugs() -> Result<Vec<Bug>, Box<dyn Error>> {
    let bugs: Bugs = toml::from_str(&text("tests/planted/bugs.toml")?)?;
    Ok(bugs.bug)
}

#[test]
fn every_planted_bug_still_has_its_place_in_the_sources() -> Outcome {
    let bugs = bugs()?;
    let names: BTreeSet<&str> = bugs.iter().map(|bug| bug.name.as_str()).collect();
    assert!(names.len() >= BUGS && names.len() == bugs.len(), "{} bugs", bugs.len());
    for Bug { name, says, edit } in &bugs {
        assert!(!says.is_empty() && !edit.is_empty(), "{name}");
        for Edit { file, find, put } in edit {
            let places = text(file)?.matches(find.as_str()).count();
            assert_eq!(places, 1, "{name}: what it looks for stands {places} times in {file}");
            assert!(put.contains(&format!("planted(\"{name}\")")), "{name}: always there");
        }
    }
    Ok(())
}

#[test]
fn every_planted_bug_was_found_within_a_thousand_seeds() -> Outcome {
    let bugs = bugs()?;
    let found = text("tests/planted/found.tsv")?;
    let mut names = BTreeSet::new();
    for line in found.lines().skip(1) {
        let [name, seed, promise] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not three columns: {line}").into());
        };
        names.insert(name);
        let seed: u64 = seed.parse().map_err(|_| format!("{name} was not found"))?;
        assert!(seed < SEEDS && !promise.is_empty(), "{line}");
    }
    let all: BTreeSet<&str> = bugs.iter().map(|bug| bug.name.as_str()).collect();
    assert_eq!(names, all);
    Ok(())
}
