//! Libraries in C (`tests/stress`) that stand between the real program and the
//! operating system.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The library of this name for `LD_PRELOAD`, made once.
pub(crate) fn library(name: &'static str) -> PathBuf {
    static MADE: Mutex<BTreeMap<&'static str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(name).or_insert_with(|| make(name)).clone()
}

fn make(name: &str) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stress");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = folder.join(format!("{name}-{}.so", std::process::id()));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&made);
    cc.arg(sources.join(format!("{name}.c"))).arg("-ldl");
    assert!(cc.status().unwrap().success(), "cc, which SQLite needs too");
    // Programs that have the library open keep it.
    let place = folder.join(format!("{name}.so"));
    fs::rename(&made, &place).unwrap();
    place
}
