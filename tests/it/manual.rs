//! What the package has beside the program: man pages, completions, the example
//! configuration. Made by the program, not by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::rig::{bare, finish};
use crate::tools::has;

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

/// What the program writes.
async fn made() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    finish(bare(&["manual", place.path().to_str().unwrap()])).await.expect(0);
    place
}

#[tokio::test]
async fn the_packaged_manual_is_what_the_program_writes() {
    let place = made().await;
    let made = files(place.path());
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

/// The headings of a page.
fn headings(page: &str) -> Vec<&str> {
    page.lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .map(|it| it.trim_matches('"'))
        .collect()
}

#[tokio::test]
async fn every_page_says_how_it_is_called_what_it_reads_and_how_it_ends() {
    let place = made().await;
    for (path, page) in files(&place.path().join("man")) {
        let told = headings(&page);
        let shown = path.display();
        let wanted =
            ["NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"];
        for heading in wanted {
            assert!(told.contains(&heading), "{shown} has no {heading}: {told:?}");
        }
        assert!(page.is_ascii(), "{shown} shows wrong where the terminal is not UTF-8");
        let title = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
        assert_eq!(title.matches('"').count(), 4, "{shown} has no footer: {title}");
        let synopsis = page.split(".SH SYNOPSIS").nth(1).unwrap().split(".SH").next().unwrap();
        assert!(synopsis.contains("\\-\\-config\\fR \\fIFILE\\fR"), "{shown}: {synopsis}");
        assert!(page.contains("CDSYNC_CONFIG"), "{shown}");
    }
}

#[tokio::test]
async fn formatters_find_nothing_wrong_with_a_page() {
    let place = made().await;
    let man = place.path().join("man");
    let pages = files(&man);
    for (tool, arguments) in [
        ("groff", &["-man", "-ww", "-z", "-Tutf8"][..]),
        ("groff", &["-man", "-ww", "-z", "-Tascii"]),
        ("mandoc", &["-T", "lint", "-W", "warning"]),
    ] {
        if !has(&[tool]) {
            continue;
        }
        for page in pages.keys() {
            let path = man.join(page);
            let looked = std::process::Command::new(tool).args(arguments).arg(path).output();
            let looked = looked.unwrap();
            let said =
                String::from_utf8_lossy(&[looked.stdout, looked.stderr].concat()).into_owned();
            assert!(looked.status.success() && said.is_empty(), "{tool}: {said}");
        }
    }
}
