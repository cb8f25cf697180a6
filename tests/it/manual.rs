//! What the package has beside the program: man pages, completions, the example
//! configuration. Made by the program, not by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::rig::{bare, finish};

fn packaged() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging/manual")
}

/// Every file below a directory, by its path from there.
fn files(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut open = vec![directory.to_owned()];
    let mut files = BTreeMap::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let name = path.strip_prefix(directory).unwrap().to_owned();
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    files
}

#[tokio::test]
async fn the_packaged_manual_is_what_the_program_writes() {
    let made = tempfile::tempdir().unwrap();
    finish(bare(&["manual", made.path().to_str().unwrap()])).await.expect(0);
    let made = files(made.path());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        let _ = fs::remove_dir_all(packaged());
        for (name, text) in &made {
            let file = packaged().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
    }
    let kept = files(&packaged());
    let names = |files: &BTreeMap<PathBuf, String>| files.keys().cloned().collect::<Vec<_>>();
    let remedy = "INSTA_UPDATE=always cargo test --test it manual:: brings packaging/manual up";
    assert_eq!(names(&made), names(&kept), "left: program, right: packaging; {remedy}");
    for (name, text) in &made {
        assert!(kept.get(name) == Some(text), "{} is not up to date; {remedy}", name.display());
    }
}

#[tokio::test]
async fn the_example_configuration_is_without_problems() {
    let config = packaged().join("config.toml");
    let config = config.to_str().unwrap();
    finish(bare(&["--config", config, "check", "--offline"])).await.expect(0);
}
