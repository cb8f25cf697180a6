//! Every cell of the documented truth table, end to end, in both modes, on the
//! first run and on a later one.

use jiff::SignedDuration;

use crate::optout_rig::{
    BULK, REST, ago, begun, decided, email, fresh, in_campaign, in_dynamics, settle, silent,
};
use crate::support::World;

/// How Campaign's stamp stands to Dynamics' time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    Later,
    Equal,
    Earlier,
    Missing,
}

use Stamp::{Earlier, Equal, Later, Missing};

/// Dynamics' value, Campaign's value, whose time is later, and what both must
/// hold then (reliability sheet 2.3).
const TABLE: [(bool, bool, Stamp, bool); 16] = [
    (false, false, Later, false),
    (false, false, Equal, false),
    (false, false, Earlier, false),
    (false, false, Missing, false),
    (true, true, Later, true),
    (true, true, Equal, true),
    (true, true, Earlier, true),
    (true, true, Missing, true),
    (false, true, Later, true),
    (false, true, Equal, true),
    (false, true, Earlier, true),
    (false, true, Missing, true),
    (true, false, Later, false),
    (true, false, Equal, true),
    (true, false, Earlier, true),
    (true, false, Missing, true),
];

fn set_out(world: &World, ids: &[uuid::Uuid]) {
    let now = ago(0);
    let past = |seconds| now - SignedDuration::from_secs(seconds);
    for (id, (dynamics, campaign, stamp, _)) in ids.iter().zip(TABLE) {
        let at = match stamp {
            Later => Some(past(480)),
            Equal => Some(past(600)),
            Earlier => Some(past(720)),
            Missing => None,
        };
        in_dynamics(world, *id, dynamics, past(600));
        in_campaign(world, *id, campaign, at);
    }
}

fn check(world: &World, ids: &[uuid::Uuid], when: &str) {
    for (id, (dynamics, campaign, stamp, result)) in ids.iter().zip(TABLE) {
        let cell = format!("{when}: {dynamics} {campaign} {stamp:?}");
        assert_eq!(email(world, *id), (result, result), "{cell}");
        let decisions = decided(world, *id);
        if dynamics == campaign {
            assert!(decisions.is_empty(), "{cell}: {decisions:?}");
            continue;
        }
        assert_eq!(decisions.len(), 1, "{cell}: {decisions:?}");
        let decision = &decisions[0];
        assert_eq!((decision.result, decision.outcome.as_str()), (result, "done"), "{cell}");
        let reason = match (dynamics, stamp) {
            (false, _) => "campaign-opted-out",
            (true, Later) => "campaign-newer",
            (true, Equal | Earlier) => "dynamics-newer",
            (true, Missing) => "no-campaign-stamp",
        };
        assert_eq!(decision.reason, reason, "{cell}");
        assert_eq!(decision.documented, None, "{cell}: the documented result");
        assert!(!decision.requests.is_empty(), "{cell}: no request is named");
        if reason == "campaign-newer" {
            let lead = decision.lead_ms.unwrap();
            // Two minutes, and what measuring the clocks leaves open.
            assert!((90_000..150_000).contains(&lead), "{cell}: {lead}");
        }
    }
}

#[test]
fn every_cell_is_as_documented_in_both_modes_after_an_agreement() {
    for rule in ["safe", "documented"] {
        let more = format!("{REST}{BULK}\nrule = \"{rule}\"");
        let (world, ids) = begun("bidirectional", &more, TABLE.len());
        set_out(&world, &ids);
        settle(&world);
        check(&world, &ids, rule);
        silent(&world, rule);
    }
}

#[test]
fn every_cell_is_as_documented_in_both_modes_on_the_first_run() {
    for rule in ["safe", "documented"] {
        let more = format!("{REST}{BULK}\nrule = \"{rule}\"");
        let (world, ids) = fresh("bidirectional", &more, TABLE.len());
        set_out(&world, &ids);
        settle(&world);
        check(&world, &ids, rule);
        silent(&world, rule);
    }
}

#[test]
fn towards_campaign_every_cell_is_what_dynamics_says() {
    let (world, ids) = begun("dynamics-to-campaign", BULK, TABLE.len());
    set_out(&world, &ids);
    settle(&world);
    for (id, (dynamics, campaign, stamp, _)) in ids.iter().zip(TABLE) {
        // What only Campaign's users did is nobody's business here.
        let expected = if dynamics { true } else { campaign };
        assert_eq!(email(&world, *id), (dynamics, expected), "{dynamics} {campaign} {stamp:?}");
    }
    silent(&world, "towards Campaign");
}

#[test]
fn towards_dynamics_every_change_in_campaign_is_taken() {
    let (world, ids) = begun("campaign-to-dynamics", &format!("{REST}{BULK}"), TABLE.len());
    set_out(&world, &ids);
    settle(&world);
    for (id, (dynamics, campaign, stamp, _)) in ids.iter().zip(TABLE) {
        // A flag without a stamp that is as it was has not changed.
        let expected = if stamp == Missing && !campaign { dynamics } else { campaign };
        assert_eq!(email(&world, *id), (expected, campaign), "{dynamics} {campaign} {stamp:?}");
    }
    silent(&world, "towards Dynamics");
}
