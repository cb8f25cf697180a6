//! The daemon with all flows, both systems in trouble, people at work on both
//! sides, and kill -9 at random moments: in the end all is equal.
//!
//! `cargo test` kills a few times; `CDSYNC_STRESS_KILLS=500` as often as it
//! says (docs/reliability.md). The seed is printed; `CDSYNC_STRESS_SEED` takes
//! it again, though no machine stalls at the same places twice.

use std::process::{Command, Stdio};
use std::time::Duration;

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};

use crate::rig::Rig;
use crate::stress_world::{Dice, Everything, asked_for, clock, report};

const RUN: &[&str] = &["--log-format", "json", "run"];

/// Kills in `cargo test`.
const FEW: u64 = 15;

/// Kills after which all must be quiet and equal once.
const ROUND: u64 = 25;

/// Longest life of a daemon, in milliseconds.
const LIFE: u64 = 1_800;

/// What goes wrong in both systems and passes again.
fn trouble(dice: &mut Dice) -> FaultPlan {
    let faults: [fn(&mut Dice) -> Fault; 11] = [
        |_| Fault::Throttle { retry_after: 1 },
        |dice| Fault::Status {
            code: [500, 502, 503, 504][usize::try_from(dice.below(4)).unwrap()],
            body: String::new(),
        },
        |_| Fault::CutBefore,
        |_| Fault::CutAfter,
        |_| Fault::CutIn,
        |dice| Fault::Slow { ms: 10 + dice.below(200) },
        |_| Fault::Truncated,
        |_| Fault::Foreign,
        |_| Fault::ExpiredToken,
        |_| Fault::ExpiredDelta,
        |_| Fault::DuplicateRows,
    ];
    let systems = [System::Dynamics, System::Campaign, System::Journal];
    let rules = (0..3)
        .map(|_| {
            let fault = faults[usize::try_from(dice.below(11)).unwrap()](dice);
            let system = systems[usize::try_from(dice.below(3)).unwrap()];
            FaultRule {
                system: Some(system),
                every: Some(2 + dice.below(6)),
                times: Some(1 + dice.below(6)),
                ..FaultRule::always(fault)
            }
        })
        .collect();
    FaultPlan { seed: dice.below(u64::MAX), rules }
}

/// One life of the daemon, ended from outside after so many milliseconds.
async fn life(rig: &Rig, milliseconds: u64) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt as _;
    let mut command: Command = rig.command(RUN);
    let log = std::fs::File::create(rig.path("daemon.log")).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    // It may have ended by itself, which is looked at below.
    let _ = child.kill();
    tokio::task::spawn_blocking(move || child.wait().unwrap().signal()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_at_any_moment_loses_nothing_and_doubles_nothing() {
    const SIGKILL: i32 = 9;
    let kills = asked_for("CDSYNC_STRESS_KILLS").unwrap_or(FEW);
    let seed =
        asked_for("CDSYNC_STRESS_SEED").unwrap_or_else(|| clock().as_microsecond().unsigned_abs());
    if kills > FEW {
        report(&format!("CDSYNC_STRESS_SEED={seed} CDSYNC_STRESS_KILLS={kills}"));
    }
    let mut dice = Dice::new(seed);
    let world = Everything::start(6).await;
    world.configure("* * * * * *");
    for kill in 0..kills {
        world.people_act(usize::try_from(kill).unwrap());
        world.rig.sandbox.set_faults(trouble(&mut dice));
        let signal = life(&world.rig, 50 + dice.below(LIFE)).await;
        let log = || std::fs::read_to_string(world.rig.path("daemon.log")).unwrap();
        assert_eq!(signal, Some(SIGKILL), "seed {seed}, kill {kill}: ended by itself: {}", log());
        assert!(!log().contains("panicked"), "seed {seed}, kill {kill}: {}", log());
        if (kill + 1) % ROUND == 0 || kill + 1 == kills {
            settle(&world, &format!("seed {seed}, after kill {kill}")).await;
        }
    }
    world.is_silent(&format!("seed {seed}")).await;
}

/// Peace: what was put aside is tried again, and all is equal.
async fn settle(world: &Everything, when: &str) {
    world.rig.sandbox.set_faults(FaultPlan::default());
    // What the trouble spoiled for good is told of, and has a way back.
    let first = world.pass().await;
    assert!(matches!(first.code, Some(0 | 1)), "{when}: {first:#?}");
    world.rig.run(&["dead-letters", "retry"]).await.expect(0);
    let second = world.pass().await;
    world.is_whole(when, &second);
}
