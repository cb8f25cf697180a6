//! The clearing guard: many liftings at once are held until a person says yes.

use uuid::Uuid;

use crate::optout_rig::{
    BULK, REST, ago, begun, decided, email, in_campaign, in_dynamics, number, passed, settle,
    silent,
};
use crate::support::World;

const CONTACTS: usize = 130;

fn guarded() -> (World, Vec<Uuid>) {
    let more = format!("{REST}{BULK}\nclearing_guard = {{ rows = 55, percent = 100 }}");
    begun("bidirectional", &more, CONTACTS)
}

/// These people said no long ago and yes a while ago.
fn say_yes(world: &World, ids: &[Uuid], no: i64, yes: i64) {
    for id in ids {
        in_dynamics(world, *id, true, ago(no));
        in_campaign(world, *id, false, Some(ago(yes)));
    }
}

#[test]
fn a_wave_is_held_the_rest_goes_on_and_an_approval_is_for_that_wave_only() {
    let (world, ids) = guarded();
    let (first, rest) = ids.split_at(60);
    let (second, single) = rest.split_at(60);
    say_yes(&world, first, 900, 600);
    in_dynamics(&world, single[0], true, ago(60));
    in_campaign(&world, single[1], true, Some(ago(60)));
    let run = passed(&world).ends(1);
    assert_eq!(run.counts().pending, 60, "{}", run.stderr);
    let held = run.event("optouts.held");
    assert_eq!((&held["clearings"], &held["limit"]), (&60.into(), &"rows".into()), "{held}");
    assert!(first.iter().all(|id| email(&world, *id) == (true, false)), "none is lifted");
    assert!(first.iter().all(|id| decided(&world, *id).is_empty()), "nor decided");
    assert_eq!(email(&world, single[0]), (true, true));
    assert_eq!(email(&world, single[1]), (true, true));
    // Asked again, it is the same.
    passed(&world).ends(1);
    assert!(first.iter().all(|id| email(&world, *id) == (true, false)));

    world.run(&["approve-optouts"]).ends(0);
    assert!(first.iter().all(|id| email(&world, *id) == (true, false)), "not before the next pass");
    // Meanwhile one of them says no in Campaign, and another wave arrives.
    in_campaign(&world, first[0], true, Some(ago(0)));
    say_yes(&world, second, 500, 300);
    let run = passed(&world).ends(1);
    assert_eq!(run.event("optouts.released")["clearings"], 60, "{}", run.stderr);
    assert_eq!(email(&world, first[0]), (true, true), "looked at once more");
    assert!(first[1..].iter().all(|id| email(&world, *id) == (false, false)));
    assert!(second.iter().all(|id| email(&world, *id) == (true, false)), "a wave of its own");
    assert_eq!(number(&world, "SELECT count(*) FROM consent WHERE state = 'held'"), 60);
    world.run(&["approve-optouts"]).ends(0);
    settle(&world);
    assert!(second.iter().all(|id| email(&world, *id) == (false, false)));
    silent(&world, "both waves");
}

#[test]
fn a_held_wave_that_campaign_takes_back_is_gone_and_holds_nobody_else() {
    let (world, ids) = guarded();
    let (wave, rest) = ids.split_at(60);
    say_yes(&world, wave, 900, 600);
    assert_eq!(passed(&world).ends(1).counts().pending, 60);
    for id in wave {
        in_campaign(&world, *id, true, Some(ago(30)));
    }
    say_yes(&world, &rest[..1], 900, 600);
    settle(&world);
    assert!(wave.iter().all(|id| email(&world, *id) == (true, true)));
    assert_eq!(email(&world, rest[0]), (false, false), "is no part of that wave");
    assert_eq!(number(&world, "SELECT count(*) FROM consent WHERE state <> 'settled'"), 0);
    silent(&world, "taken back");
}

#[test]
fn few_liftings_pass_unasked() {
    let more = format!("{REST}{BULK}\nclearing_guard = {{ rows = 1, percent = 1 }}");
    let (world, ids) = begun("bidirectional", &more, 60);
    say_yes(&world, &ids[..50], 900, 600);
    settle(&world);
    assert!(ids[..50].iter().all(|id| email(&world, *id) == (false, false)));
    say_yes(&world, &ids[..51], 500, 300);
    assert_eq!(passed(&world).ends(1).events("optouts.held").len(), 1);
    assert!(ids[..51].iter().all(|id| email(&world, *id) == (true, false)));
}
