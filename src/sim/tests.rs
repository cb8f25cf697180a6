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
    tell(plan, directory, false)
}

fn tell(plan: &Plan, directory: &Path, loud: bool) -> Life {
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
    live(plan, directory, loud)
}

/// What a seed's life broke, in words with the command that repeats it.
fn failure(plan: &Plan, life: &Life) -> Option<String> {
    let (broken, seed) = (life.broken.as_ref()?, plan.seed);
    let again = format!("CDSYNC_SIM_SEED={seed} cargo test --lib simulated_lives -- --nocapture");
    Some(format!("seed {seed}: {}: {}\nagain, and shorter: {again}\n", broken.promise, broken.what))
}

/// The shortest plan that breaks the same promise, and its story.
fn shortest(plan: Plan, promise: &str, directory: &Path) -> String {
    let same =
        |plan: &Plan| run(plan, directory).broken.is_some_and(|other| other.promise == promise);
    let plan = shrink(plan, same);
    let life = tell(&plan, directory, true);
    format!("{plan:#?}\n{:?}\n{}", life.broken, life.story.join("\n"))
}

/// What seeds came to.
#[derive(Default)]
struct Outcome {
    failures: Vec<String>,
    requests: u64,
    lives: u64,
}

/// Runs seeds on all processors, until some have failed.
fn seeds(range: std::ops::Range<u64>) -> Outcome {
    let enough = from_environment("CDSYNC_SIM_ENOUGH").unwrap_or(20);
    let next = AtomicU64::new(range.start);
    let outcome = std::sync::Mutex::new(Outcome::default());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let directory = directory();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let failed = outcome.lock().unwrap().failures.len() as u64;
                    if at >= range.end || failed >= enough {
                        return;
                    }
                    let plan = Plan::of_seed(at);
                    let life = run(&plan, directory.path());
                    let mut failed = failure(&plan, &life);
                    if let (Some(text), Some(broken), 1) =
                        (&mut failed, &life.broken, range.end - range.start)
                    {
                        *text += &shortest(plan, broken.promise, directory.path());
                    }
                    let mut outcome = outcome.lock().unwrap();
                    outcome.requests += life.requests;
                    outcome.lives += 1;
                    outcome.failures.extend(failed);
                }
            });
        }
    });
    outcome.into_inner().unwrap()
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
fn the_same_seed_lives_the_same_life() {
    let directory = directory();
    for seed in 0..8 {
        let plan = Plan::of_seed(seed);
        let lives = [(); 2].map(|()| tell(&plan, directory.path(), true));
        let [one, other] = &lives;
        let differs = one.story.iter().zip(&other.story).filter(|(one, other)| one != other);
        let differs: Vec<_> = differs.take(3).collect();
        assert!(differs.is_empty(), "seed {seed}: {differs:#?}");
        assert_eq!(one.trace, other.trace, "seed {seed}");
    }
}

#[test]
fn simulated_lives_break_no_promise() {
    let Outcome { failures, requests, lives } = seeds(wanted());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(requests > lives, "{requests} requests in {lives} lives");
}
