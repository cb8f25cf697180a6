//! Every cell of the rule.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::RowVersion;
use crate::model::consent::Skew;
use crate::model::consent::{
    Agreement, CampaignSide, Case, Decision, Direction, DynamicsSide, Mode, OwnWrite, Reason,
};

const SAFE: Mode = Mode::Safe { margin: Duration::from_secs(2) };
const EXACT: Skew = Skew::Measured { offset: SignedDuration::ZERO, spread: Duration::ZERO };

fn at(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(1_700_000_000 + seconds).ok()
}

/// Dynamics at second 100 with this value, Campaign at `stamp`.
fn case(dynamics: bool, campaign: bool, stamp: Option<Timestamp>) -> Case {
    Case {
        dynamics: DynamicsSide {
            opted_out: dynamics,
            modified: at(100),
            version: Some(RowVersion(7)),
        },
        campaign: CampaignSide { opted_out: campaign, stamp },
        agreement: None,
        own_write: None,
        skew: EXACT,
    }
}

fn bidirectional(case: &Case, mode: Mode) -> Decision {
    case.decide(Direction::Bidirectional, mode)
}

#[test]
fn the_documented_table_holds_in_both_modes_where_the_lead_is_proven() {
    // d, c, Campaign newer?, result
    let cells = [
        (false, false, true, false),
        (false, false, false, false),
        (true, true, true, true),
        (true, true, false, true),
        (false, true, true, true),
        (false, true, false, true),
        (true, false, true, false),
        (true, false, false, true),
    ];
    for (dynamics, campaign, newer, result) in cells {
        for mode in [SAFE, Mode::Documented] {
            let case = case(dynamics, campaign, at(if newer { 200 } else { 50 }));
            let decision = bidirectional(&case, mode);
            assert_eq!(
                (decision.dynamics, decision.campaign),
                (result, result),
                "{case:?} {mode:?}"
            );
            assert_eq!(decision.documented, None, "both modes agree: {case:?}");
        }
    }
}

#[test]
fn stamps_of_the_same_second_leave_the_person_opted_out() {
    for mode in [SAFE, Mode::Documented] {
        let mut case = case(true, false, at(100));
        case.campaign.stamp = at(100).map(|at| at + SignedDuration::from_millis(999));
        assert!(bidirectional(&case, mode).dynamics);
    }
}

#[test]
fn a_lead_within_margin_and_spread_is_no_proof_and_says_what_the_page_would_give() {
    for (lead, spread, cleared) in [(2, 0, false), (3, 0, true), (5, 3, false), (6, 3, true)] {
        let skew =
            Skew::Measured { offset: SignedDuration::ZERO, spread: Duration::from_secs(spread) };
        let case = Case { skew, ..case(true, false, at(100 + lead)) };
        let decision = bidirectional(&case, SAFE);
        assert_eq!(decision.dynamics, !cleared, "lead {lead} s, spread {spread} s");
        let (reason, documented) = if cleared {
            (Reason::CampaignNewer, None)
        } else {
            (Reason::LeadTooSmall, Some(false))
        };
        assert_eq!((decision.reason, decision.documented), (reason, documented));
        assert_eq!(decision.lead, Some(SignedDuration::from_secs(lead)));
    }
}

#[test]
fn the_measured_offset_is_taken_from_campaigns_stamp() {
    let ahead = Skew::Measured { offset: SignedDuration::from_secs(60), spread: Duration::ZERO };
    let behind = Skew::Measured { offset: SignedDuration::from_secs(-60), spread: Duration::ZERO };
    let seems_newer = Case { skew: ahead, ..case(true, false, at(150)) };
    let decision = bidirectional(&seems_newer, SAFE);
    assert_eq!((decision.dynamics, decision.reason), (true, Reason::DynamicsNewer));
    assert_eq!(decision.documented, Some(false), "the page would have cleared it");
    let seems_older = Case { skew: behind, ..case(true, false, at(50)) };
    let decision = bidirectional(&seems_older, SAFE);
    assert_eq!((decision.dynamics, decision.reason), (false, Reason::CampaignNewer));
    assert_eq!(decision.documented, Some(true), "the page would have kept it");
}

#[test]
fn all_doubt_ends_at_opted_out() {
    let newer = case(true, false, at(200));
    let without_modified = DynamicsSide { modified: None, ..newer.dynamics };
    let agreed = |stamp| {
        Some(Agreement {
            campaign: CampaignSide { opted_out: false, stamp },
            dynamics: false,
            own_campaign: None,
        })
    };
    let own = Some(Agreement {
        campaign: CampaignSide { opted_out: true, stamp: at(10) },
        dynamics: true,
        own_campaign: Some(newer.campaign),
    });
    let doubts = [
        (
            Case { campaign: CampaignSide { opted_out: false, stamp: None }, ..newer },
            Reason::NoCampaignStamp,
        ),
        (Case { dynamics: without_modified, ..newer }, Reason::NoDynamicsTime),
        (Case { skew: Skew::Unknown, ..newer }, Reason::ClocksUnknown),
        (Case { agreement: agreed(at(200)), ..newer }, Reason::StampNotNew),
        (Case { agreement: own, ..newer }, Reason::StampNotNew),
    ];
    for (case, reason) in doubts {
        let decision = bidirectional(&case, SAFE);
        assert_eq!((decision.dynamics, decision.campaign), (true, true), "{reason:?}");
        assert_eq!(decision.reason, reason);
    }
    assert!(!bidirectional(&Case { agreement: agreed(at(10)), ..newer }, SAFE).dynamics);
}

#[test]
fn without_a_version_no_opt_out_in_dynamics_is_lifted_and_any_is_set() {
    let blind =
        |case: Case| Case { dynamics: DynamicsSide { version: None, ..case.dynamics }, ..case };
    let newer = blind(case(true, false, at(200)));
    for mode in [SAFE, Mode::Documented] {
        let decision = bidirectional(&newer, mode);
        assert_eq!((decision.dynamics, decision.campaign), (true, true), "{mode:?}");
        assert_eq!((decision.reason, decision.documented), (Reason::NoRowVersion, Some(false)));
        let decision = newer.decide(Direction::CampaignToDynamics, mode);
        assert_eq!((decision.dynamics, decision.campaign), (true, false), "{mode:?}");
        assert_eq!((decision.reason, decision.documented), (Reason::NoRowVersion, None));
        assert!(!decision.clears(&newer));
        assert!(bidirectional(&blind(case(false, true, at(50))), mode).dynamics);
    }
    let older = bidirectional(&blind(case(true, false, at(50))), SAFE);
    assert_eq!(older.reason, Reason::DynamicsNewer);
}

#[test]
fn a_loser_is_not_written_in_dynamics_and_keeps_its_opt_outs() {
    for (dynamics, campaign, ends) in
        [(false, true, (false, true)), (true, false, (true, true)), (false, false, (false, false))]
    {
        for direction in [Direction::DynamicsToCampaign, Direction::Bidirectional] {
            let case = case(dynamics, campaign, at(50));
            let decision = case.of_loser(case.decide(direction, SAFE));
            assert_eq!((decision.dynamics, decision.campaign), ends, "{direction:?}");
            assert!(!decision.clears(&case));
        }
    }
}

#[test]
fn our_own_write_is_no_change_in_dynamics() {
    let own = |version| Some(OwnWrite { version: RowVersion(version), user_time: at(20) });
    let stamp = at(60);
    let ours = Case { own_write: own(7), ..case(true, false, stamp) };
    let decision = bidirectional(&ours, SAFE);
    assert_eq!((decision.dynamics, decision.reason), (false, Reason::CampaignNewer));
    assert_eq!(decision.user_time, at(20), "the time before our write counts on");
    let edited_since = Case { own_write: own(6), ..case(true, false, stamp) };
    assert!(bidirectional(&edited_since, SAFE).dynamics);
    assert!(
        bidirectional(&ours, Mode::Documented).dynamics,
        "taken literally, our own write makes Dynamics newer"
    );
    let unknown_before = Some(OwnWrite { version: RowVersion(7), user_time: None });
    let decision = bidirectional(&Case { own_write: unknown_before, ..ours }, SAFE);
    assert_eq!(decision.reason, Reason::NoDynamicsTime);
}

#[test]
fn towards_campaign_dynamics_value_is_taken_whatever_the_times() {
    for stamp in [at(50), at(200), None] {
        for value in [true, false] {
            let decision = case(value, !value, stamp).decide(Direction::DynamicsToCampaign, SAFE);
            assert_eq!((decision.dynamics, decision.campaign), (value, value));
        }
    }
}

#[test]
fn towards_dynamics_only_a_change_in_campaign_is_taken() {
    let side = |opted_out, stamp| CampaignSide { opted_out, stamp };
    let agreement = |campaign, own_campaign| {
        Some(Agreement { campaign, dynamics: campaign.opted_out, own_campaign })
    };
    // Campaign now, agreement, value of Dynamics, expected in Dynamics
    let cells = [
        ("first sight of an opt-out", side(true, None), None, false, true),
        ("first sight of a flag that was cleared before", side(false, at(5)), None, true, true),
        ("first sight of a flag that was cleared since", side(false, at(200)), None, true, false),
        ("first sight of a flag nobody ever touched", side(false, None), None, true, true),
        ("opted out since", side(true, at(9)), agreement(side(false, at(5)), None), false, true),
        ("cleared since", side(false, at(9)), agreement(side(true, at(5)), None), true, false),
        (
            "cleared since, without stamps",
            side(false, None),
            agreement(side(true, None), None),
            true,
            false,
        ),
        (
            "edited in Dynamics since",
            side(true, at(5)),
            agreement(side(true, at(5)), None),
            false,
            false,
        ),
        (
            "edited in Dynamics since, to true",
            side(false, at(5)),
            agreement(side(false, at(5)), None),
            true,
            true,
        ),
    ];
    for (what, campaign, agreement, dynamics, expected) in cells {
        let case = Case { campaign, agreement, ..case(dynamics, campaign.opted_out, None) };
        let decision = case.decide(Direction::CampaignToDynamics, SAFE);
        assert_eq!(decision.dynamics, expected, "{what}");
        assert_eq!(decision.campaign, campaign.opted_out, "{what}: Campaign is never written");
    }
}

#[test]
fn a_stamp_told_without_its_fraction_is_no_change() {
    let told = CampaignSide { opted_out: false, stamp: at(5) };
    let agreement = Some(Agreement { campaign: told, dynamics: false, own_campaign: None });
    let stamp = at(5).map(|at| at + SignedDuration::from_millis(304));
    let case = Case { agreement, ..case(true, false, stamp) };
    assert!(case.decide(Direction::CampaignToDynamics, SAFE).dynamics);
}

#[test]
fn a_merged_no_goes_only_where_flags_travel_to() {
    let case = case(false, false, at(50));
    for (direction, ends) in [
        (Direction::DynamicsToCampaign, (false, true)),
        (Direction::CampaignToDynamics, (true, false)),
        (Direction::Bidirectional, (true, true)),
    ] {
        let decision = case.take_over(direction, Reason::Merged);
        assert_eq!((decision.dynamics, decision.campaign), ends, "{direction:?}");
        assert!(!decision.clears(&case));
    }
}

#[test]
fn a_decision_knows_whether_it_lifts_an_opt_out() {
    let newer = case(true, false, at(200));
    assert!(bidirectional(&newer, SAFE).clears(&newer));
    let older = case(true, false, at(50));
    assert!(!bidirectional(&older, SAFE).clears(&older));
    let towards = case(false, true, at(50));
    assert!(towards.decide(Direction::DynamicsToCampaign, SAFE).clears(&towards));
}

#[test]
fn extreme_stamps_never_lift_an_opt_out() {
    let skew = Skew::Measured { offset: SignedDuration::MIN, spread: Duration::MAX };
    for stamp in [Timestamp::MAX, Timestamp::MIN] {
        let case = Case { skew, ..case(true, false, Some(stamp)) };
        assert!(bidirectional(&case, SAFE).dynamics);
    }
}

#[test]
fn every_reason_has_its_word() {
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
    }
    assert_eq!(Reason::parse("nonsense"), None);
}

#[test]
fn towards_campaign_what_it_took_over_from_another_stays_until_dynamics_says_something_new() {
    let after = |dynamics: bool, campaign: bool| Agreement {
        campaign: CampaignSide { opted_out: campaign, stamp: at(50) },
        dynamics,
        own_campaign: None,
    };
    let case = |agreement| Case { agreement, ..case(false, true, at(90)) };
    let decided = |agreement| {
        let decision = case(agreement).decide(Direction::DynamicsToCampaign, SAFE);
        ((decision.dynamics, decision.campaign), decision.reason)
    };
    let kept = ((false, true), Reason::NothingNew);
    let lifted = ((false, false), Reason::Direction);
    assert_eq!(decided(Some(after(false, true))), kept);
    assert_eq!(decided(Some(after(true, true))), lifted, "Dynamics has cleared it");
    assert_eq!(decided(Some(after(false, false))), lifted, "somebody set it in Campaign");
    assert_eq!(decided(None), lifted);
}
