//! Programs that only some tests need: `.ci/setup` tries to install them.
//!
//! Owns: whether they are here, and who may go on without them. A reader's machine
//! may; in CI (`.ci/run` sets `CDSYNC_WITHOUT`) only where setup could not get them.

use std::io::Write as _;
use std::path::Path;

/// Whether the machine has what a test runs. Where it has not, says so.
///
/// # Panics
/// In CI, where a program is missing that `.ci/setup` has found.
pub(crate) fn has(programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|it| !is_here(it)).collect();
    if missing.is_empty() {
        return true;
    }
    let without = std::env::var("CDSYNC_WITHOUT").ok();
    match passed_over(&missing, without.as_deref()) {
        Ok(text) => {
            let _ = writeln!(std::io::stderr(), "{text}");
            false
        }
        Err(text) => panic!("{text}"),
    }
}

/// A path, or a name in a directory of `PATH`.
fn is_here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Path::new(program).is_absolute() && Path::new(program).is_file()
        || std::env::split_paths(&path).any(|it| it.join(program).is_file())
}

/// `without`: what CI has to do without; none outside of CI.
fn passed_over(missing: &[&str], without: Option<&str>) -> Result<String, String> {
    let known: Option<Vec<&str>> = without.map(|it| it.split_whitespace().collect());
    match known {
        Some(known) if !missing.iter().all(|it| known.contains(it)) => {
            Err(format!("{missing:?} is not here, and .ci/setup does not say so"))
        }
        Some(_) | None => Ok(format!("NOT TRIED: this machine has no {missing:?}")),
    }
}

#[test]
fn a_test_may_go_without_its_tool_but_in_ci_only_if_setup_could_not_get_it() {
    for (without, goes_on) in
        [(None, true), (Some(""), false), (Some("jq"), false), (Some("jq promtool"), true)]
    {
        assert_eq!(passed_over(&["promtool"], without).is_ok(), goes_on, "{without:?}");
    }
    assert!(is_here("sh") && is_here("/bin/sh"));
    assert!(!is_here("no-such-program") && !is_here("/no-such-program"));
}
