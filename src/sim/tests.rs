//! The seeds that are run with the other tests, and those that are asked for.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Violation;
use super::plan::{Act, Plan, Round, Settings};
use super::run::{Life, live};
use super::shrink::shrink;
use super::world::World;
use crate::clock::{Clock, Monotonic};
use crate::model::Flow;
use crate::model::consent::Direction;
use crate::sandbox::{Credentials, Fault, FaultRule, System};

/// A life takes some milliseconds; one that takes this long will not end.
const STILL: Duration = Duration::from_mins(5);

/// Each of so many lives is lived twice, and must be the same.
const TWICE: u64 = 15;

/// A directory in memory, with the secrets of a seed.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn run(plan: &Plan, directory: &Path) -> Life {
    tell(plan, directory, false)
}

/// The files of a seed's secrets.
fn secrets(seed: u64, directory: &Path) {
    let credentials = Credentials::of_seed(seed);
    for (name, text) in [
        ("dynamics-secret", &credentials.dynamics_client_secret),
        ("campaign-secret", &credentials.campaign_client_secret),
    ] {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600);
        std::io::Write::write_all(&mut file.open(directory.join(name)).unwrap(), text.as_bytes())
            .unwrap();
    }
}

fn tell(plan: &Plan, directory: &Path, loud: bool) -> Life {
    secrets(plan.seed, directory);
    let life = || live(plan, directory, loud);
    // A program that panics has broken its promise: the seed must not be lost.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(life)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        let broken = Some(Violation::new("panic", text));
        Life { broken, story: Vec::new(), requests: 0, trace: 0 }
    })
}

/// What a seed's life broke, in words with the command that repeats it.
fn failure(plan: &Plan, life: &Life) -> Option<String> {
    let (broken, seed) = (life.broken.as_ref()?, plan.seed);
    let again = again(seed);
    Some(format!("seed {seed}: {}: {}\nagain, and shorter: {again}\n", broken.promise, broken.what))
}

/// The command that lives a life again.
fn again(seed: u64) -> String {
    format!("CDSYNC_SIM_SEED={seed} cargo test --lib simulated_lives -- --nocapture")
}

/// The shortest plan that breaks the same promise, and its story.
fn shortest(plan: Plan, promise: &str, directory: &Path) -> String {
    let same =
        |plan: &Plan| run(plan, directory).broken.is_some_and(|other| other.promise == promise);
    let plan = shrink(plan, same);
    let life = tell(&plan, directory, true);
    let kept = Kept { found: "what it found, in one line".to_owned(), plan };
    let json = serde_json::to_string_pretty(&kept).unwrap();
    let story = life.story.join("\n");
    format!("{:#?}\n{:?}\n{story}\nto keep it, in tests/lives:\n{json}", kept.plan, life.broken)
}

/// A life in which a bug was found, made shorter.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The bug, in one line.
    found: String,
    plan: Plan,
}

/// What seeds came to.
#[derive(Default)]
struct Outcome {
    failures: Vec<String>,
    requests: u64,
    lives: u64,
}

impl Outcome {
    /// A life is over; tells of each failure, and of a long run how far it is.
    fn add(&mut self, requests: u64, failure: Option<String>) {
        self.requests += requests;
        self.lives += 1;
        let mut news = failure.clone().unwrap_or_default();
        self.failures.extend(failure);
        if self.lives.is_multiple_of(10_000) {
            news += &format!("{} lives, {} failed\n", self.lives, self.failures.len());
        }
        let _ = std::io::Write::write_all(&mut std::io::stderr(), news.as_bytes());
    }
}

fn now() -> Monotonic {
    Clock::system().monotonic()
}

/// The lives that are being lived, each with its beginning: one that stands still
/// would never name its seed.
#[derive(Default)]
struct Underway(Mutex<BTreeMap<u64, Monotonic>>);

impl Underway {
    fn live<T>(&self, seed: u64, life: impl FnOnce() -> T) -> T {
        self.0.lock().unwrap().insert(seed, now());
        let lived = life();
        self.0.lock().unwrap().remove(&seed);
        lived
    }

    /// What is to be said of a life that has begun so long ago. Another takes its
    /// place in a few milliseconds.
    fn standing(&self, now: Monotonic) -> Option<String> {
        let lives = self.0.lock().unwrap();
        let still = |begun: Monotonic| now.since(begun) >= STILL;
        let (seed, _) = lives.iter().find(|(_, begun)| still(**begun))?;
        Some(format!("seed {seed} stands still\nagain: {}\n", again(*seed)))
    }

    /// Ends the process, with the name of a life that stands still, unless the
    /// others are through.
    fn watch(&self, working: &AtomicU64) {
        while working.load(Ordering::Acquire) > 0 {
            std::thread::park_timeout(Duration::from_secs(5));
            if let Some(what) = self.standing(now()) {
                let _ = std::io::Write::write_all(&mut std::io::stderr(), what.as_bytes());
                std::process::abort();
            }
        }
    }
}

/// One that works until it is dropped, and who is to hear that.
struct Works<'w>(&'w AtomicU64, std::thread::Thread);

impl Drop for Works<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
        self.1.unpark();
    }
}

/// Runs seeds on all processors, until some have failed.
fn seeds(range: std::ops::Range<u64>) -> Outcome {
    let enough = from_environment("CDSYNC_SIM_ENOUGH").unwrap_or(20);
    let next = AtomicU64::new(range.start);
    let underway = Underway::default();
    let outcome = Mutex::new(Outcome::default());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let working = AtomicU64::new(workers as u64);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| underway.watch(&working)).thread().clone();
        for _ in 0..workers {
            let works = Works(&working, watch.clone());
            scope.spawn(|| {
                let (_works, directory) = (works, directory());
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let failed = outcome.lock().unwrap().failures.len() as u64;
                    if at >= range.end || failed >= enough {
                        return;
                    }
                    let plan = Plan::of_seed(at);
                    let mut life = underway.live(at, || run(&plan, directory.path()));
                    if at.is_multiple_of(TWICE) {
                        life = underway.live(at, || same(life, &run(&plan, directory.path())));
                    }
                    let mut failed = failure(&plan, &life);
                    if let (Some(text), Some(broken), 1) =
                        (&mut failed, &life.broken, range.end - range.start)
                    {
                        *text += &shortest(plan, broken.promise, directory.path());
                    }
                    outcome.lock().unwrap().add(life.requests, failed);
                }
            });
        }
    });
    outcome.into_inner().unwrap()
}

/// A life, unless the same plan lived another one the second time.
fn same(life: Life, other: &Life) -> Life {
    let what = "the same seed lived two lives";
    let differs = life.broken.is_none() && life.trace != other.trace;
    let broken = if differs { Some(Violation::new("I31", what)) } else { life.broken };
    Life { broken, ..life }
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
fn a_life_that_stands_still_names_its_seed() {
    let underway = Underway::default();
    underway.live(7, || {
        let begun = now();
        assert_eq!(underway.standing(begun), None);
        let told = underway.standing(begun.plus(STILL)).unwrap();
        assert!(told.starts_with("seed 7 stands still\nagain: CDSYNC_SIM_SEED=7 "), "{told}");
    });
    assert_eq!(underway.standing(now().plus(STILL)), None);
}

#[test]
fn lives_in_which_a_bug_was_found_break_no_promise_any_more() {
    let directory = directory();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lives");
    let mut lives = 0;
    for file in std::fs::read_dir(kept).unwrap() {
        let file = file.unwrap().path();
        let kept: Kept = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert!(!kept.found.is_empty() && !kept.found.contains('\n'), "{}", file.display());
        let life = run(&kept.plan, directory.path());
        let broken = life.broken.map(|it| format!("{}: {}", it.promise, it.what));
        assert_eq!(broken, None, "{}: {}", file.display(), kept.found);
        lives += 1;
    }
    assert!(lives > 0);
}

/// So many contacts, none of them left out, and nothing that happens.
fn undisturbed(contacts: usize) -> Plan {
    let plan = Plan::of_seed(1);
    let settings = Settings { filter: false, direction: Direction::Bidirectional, ..plan.settings };
    Plan { contacts, clocks: [0; 3], rounds: Vec::new(), settings, ..plan }
}

#[test]
fn what_an_impatient_pass_had_begun_goes_with_the_next_of_the_same_process() {
    let directory = directory();
    let plan = undisturbed(1);
    secrets(plan.seed, directory.path());
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::begin(&plan, directory.path()).await;
        let slow = FaultRule::always(Fault::Slow { ms: 60_000 });
        let writes = FaultRule { method: Some("POST".into()), ..slow };
        let faults = vec![FaultRule { system: Some(System::Campaign), ..writes }];
        world.trouble(0, &Round { faults, ..Round::default() });
        let program = world.start().await.unwrap();
        let patience = Duration::from_secs(10);
        let ended = world.pass_within(&program, Flow::Ingress, patience).await.unwrap();
        assert_eq!(ended, "gave up");
        world.trouble(0, &Round::default());
        let ended = world.pass_within(&program, Flow::Ingress, patience).await.unwrap();
        assert_eq!(ended, "done");
        let waits = program.store.call(|work| work.flow_backlog(Flow::Ingress)).await.unwrap();
        assert_eq!(waits, 0, "nobody takes it up before the process ends");
    });
}

/// What a pass comes to whose writes, and the look-ups after them, are answered
/// with half an answer each, and the next one in peace.
fn garbled(flow: Flow, system: System, look_up: Option<&str>) -> [&'static str; 2] {
    let directory = directory();
    let plan = undisturbed(7);
    secrets(plan.seed, directory.path());
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::begin(&plan, directory.path()).await;
        let program = world.start().await.unwrap();
        let patience = Duration::from_mins(1);
        if flow == Flow::Egress {
            world.pass_within(&program, Flow::Ingress, patience).await.unwrap();
            (0..7).for_each(|who| drop(world.act(&Act::Mail(who), None)));
        }
        let half = FaultRule { system: Some(system), ..FaultRule::always(Fault::Truncated) };
        let writes = FaultRule { method: Some("POST".to_owned()), ..half.clone() };
        let look_ups = look_up.map(|path| FaultRule { path: Some(path.to_owned()), ..half });
        let faults = std::iter::once(writes).chain(look_ups).collect();
        world.trouble(0, &Round { faults, ..Round::default() });
        let first = world.pass_within(&program, flow, patience).await.unwrap();
        world.unbroken().unwrap();
        world.trouble(0, &Round::default());
        let second = world.pass_within(&program, flow, patience).await.unwrap();
        let waits = program.store.call(move |work| work.flow_backlog(flow)).await.unwrap();
        assert_eq!(waits, 0);
        [first, second]
    })
}

#[test]
fn a_pass_to_which_campaign_answers_what_nobody_understands_ends_and_keeps_all() {
    let came = garbled(Flow::Ingress, System::Campaign, Some("byExternalId"));
    assert_eq!(came, ["kept refusing", "done"]);
}

#[test]
fn a_pass_to_which_dynamics_answers_what_nobody_understands_ends_and_keeps_all() {
    let came = garbled(Flow::Egress, System::Dynamics, None);
    assert_eq!(came, ["kept refusing", "done"]);
}

#[test]
fn simulated_lives_break_no_promise() {
    let Outcome { failures, requests, lives } = seeds(wanted());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(requests > lives, "{requests} requests in {lives} lives");
}
