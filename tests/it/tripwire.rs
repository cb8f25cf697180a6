//! A host that nobody configured: whatever link or redirect either system hands
//! out, in whatever place, nothing connects to it; and documents made to be
//! taken apart at length.
//!
//! The forms of such links, one by one, are `src/http/origin_tests.rs`.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, System};

use crate::ingress_hostile::Tripwire;
use crate::stress_world::Everything;

const SYSTEMS: [System; 5] =
    [System::Dynamics, System::Campaign, System::Journal, System::Entra, System::Ims];

/// A pass of all flows in which each answer of a system is spoiled so.
async fn spoiled(world: &Everything, system: System, fault: Fault, round: usize) {
    world.people_act(round);
    let rule = FaultRule { system: Some(system), ..FaultRule::always(fault.clone()) };
    world.rig.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    let pass = ["--log-format", "json", "sync", "--patience", "1"];
    let name = fault.name();
    let met = || world.rig.sandbox.requests().faults().get(name).copied().unwrap_or_default();
    let before = met();
    let ended = world.rig.run(&pass).await;
    assert!(met() > before, "{system:?}: nothing was spoiled by {name}: {ended:#?}");
    assert!(ended.code.is_some() && !ended.err.contains("panicked"), "{system:?}: {ended:#?}");
    world.rig.sandbox.set_faults(FaultPlan::default());
}

/// All is made good, and nobody has called in between.
async fn mended(world: &Everything, tripwire: &Tripwire, when: &str) {
    tripwire.untouched();
    world.pass().await;
    world.rig.run(&["dead-letters", "retry"]).await.expect(0);
    let pass = world.pass().await;
    world.is_whole(when, &pass);
    tripwire.untouched();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flow_follows_a_link_abroad_of_any_system() {
    let tripwire = Tripwire::new();
    let world = Everything::start(4).await;
    for (round, system) in SYSTEMS.into_iter().enumerate() {
        let fault = Fault::ForeignLink { to: tripwire.origin() };
        spoiled(&world, system, fault, round).await;
        mended(&world, &tripwire, &format!("links of {system:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flow_follows_a_redirect_of_any_system() {
    let tripwire = Tripwire::new();
    let world = Everything::start(4).await;
    for (round, system) in SYSTEMS.into_iter().enumerate() {
        let fault = Fault::Redirect { to: format!("{}/x", tripwire.origin()) };
        spoiled(&world, system, fault, round).await;
        mended(&world, &tripwire, &format!("redirects of {system:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_without_bottom_are_refused_and_do_no_harm() {
    let world = Everything::start(4).await;
    for (round, system) in SYSTEMS.into_iter().enumerate() {
        let body = format!("{}{}", "{\"value\":[".repeat(100_000), "]}".repeat(100_000));
        spoiled(&world, system, Fault::Status { code: 200, body }, round).await;
        mended(&world, &Tripwire::new(), &format!("depth of {system:?}")).await;
    }
}
