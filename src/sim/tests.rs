//! The seeds that are run with the other tests, and those that are asked for.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::plan::Plan;
use super::run::{Life, live};
use super::shrink::shrink;
use crate::sandbox::Credentials;

/// A directory in memory, with the secrets of a seed.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn run(plan: &Plan, directory: &Path) -> Life {
    let credentials = Credentials::of_seed(plan.seed);
    for (name, text) in [
        ("dynamics-secret", &credentials.dynamics_client_secret),
        ("campaign-secret", &credentials.campaign_client_secret),
    ] {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600);
        std::io::Write::write_all(&mut file.open(directory.join(name)).unwrap(), text.as_bytes())
            .unwrap();
    }
    live(plan, directory)
}

/// Runs a seed; where it fails, the shortest plan that fails in the same way.
fn seed(seed: u64, directory: &Path) -> Result<u64, String> {
    let plan = Plan::of_seed(seed);
    let life = run(&plan, directory);
    let Some(broken) = life.broken else { return Ok(life.requests) };
    let same = |plan: &Plan| {
        run(plan, directory).broken.is_some_and(|other| other.promise == broken.promise)
    };
    let plan = shrink(plan, same);
    let life = run(&plan, directory);
    Err(format!(
        "seed {seed}: {broken:?}\nagain: CDSYNC_SIM_SEED={seed} cargo test --lib simulated_lives -- --nocapture\n{plan:#?}\n{:?}\n{}",
        life.broken,
        life.story.join("\n"),
    ))
}

/// Runs seeds on all processors; the first failures, and the number of requests.
fn seeds(range: std::ops::Range<u64>) -> (Vec<String>, u64) {
    let next = AtomicU64::new(range.start);
    let requests = AtomicU64::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let directory = directory();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= range.end || failures.lock().unwrap().len() >= 3 {
                        return;
                    }
                    match seed(at, directory.path()) {
                        Ok(count) => drop(requests.fetch_add(count, Ordering::Relaxed)),
                        Err(failure) => failures.lock().unwrap().push(failure),
                    }
                }
            });
        }
    });
    (failures.into_inner().unwrap(), requests.into_inner())
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seeds that are run: the first sixty, unless the environment says otherwise.
fn wanted() -> std::ops::Range<u64> {
    if let Some(one) = from_environment("CDSYNC_SIM_SEED") {
        return one..one + 1;
    }
    let from = from_environment("CDSYNC_SIM_FROM").unwrap_or(0);
    from..from + from_environment("CDSYNC_SIM_SEEDS").unwrap_or(60)
}

#[test]
fn simulated_lives_break_no_promise() {
    let (failures, requests) = seeds(wanted());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(requests > 0, "nothing was asked");
}
