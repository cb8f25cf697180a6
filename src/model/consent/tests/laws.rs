//! What holds of every decision, whatever the case.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::model::RowVersion;
use crate::model::consent::{
    Agreement, CampaignSide, Case, Decision, Direction, DynamicsSide, Mode, OwnWrite, Reason, Skew,
};

const DIRECTIONS: [Direction; 3] =
    [Direction::DynamicsToCampaign, Direction::CampaignToDynamics, Direction::Bidirectional];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn moment() -> impl Strategy<Value = Option<Timestamp>> {
    prop::option::weighted(0.9, (0_i64..12).prop_map(at))
}

fn side() -> impl Strategy<Value = CampaignSide> {
    (any::<bool>(), moment()).prop_map(|(opted_out, stamp)| CampaignSide { opted_out, stamp })
}

fn skew() -> impl Strategy<Value = Skew> {
    prop_oneof![
        Just(Skew::Unknown),
        (-8_i64..8, 0_u64..4).prop_map(|(offset, spread)| Skew::Measured {
            offset: SignedDuration::from_secs(offset),
            spread: Duration::from_secs(spread),
        }),
    ]
}

prop_compose! {
    fn any_case()(
        opted_out in any::<bool>(),
        modified in moment(),
        version in prop::option::weighted(0.9, 1_i64..4),
        campaign in side(),
        agreed in prop::option::of((side(), any::<bool>(), prop::option::of(side()))),
        own in prop::option::of((1_i64..4, moment())),
        skew in skew(),
    ) -> Case {
        Case {
            dynamics: DynamicsSide { opted_out, modified, version: version.map(RowVersion) },
            campaign,
            agreement: agreed.map(|(campaign, dynamics, own_campaign)| Agreement {
                campaign, dynamics, own_campaign,
            }),
            own_write: own.map(|(version, user_time)| OwnWrite {
                version: RowVersion(version), user_time,
            }),
            skew,
        }
    }
}

fn any_mode() -> impl Strategy<Value = Mode> {
    let safe = (0_u64..6).prop_map(|margin| Mode::Safe { margin: Duration::from_secs(margin) });
    prop_oneof![Just(Mode::Documented), safe]
}

/// The case as it is once both sides were told, and nobody else did anything.
fn told(case: &Case, decision: &Decision) -> Case {
    let dynamics = DynamicsSide { opted_out: decision.dynamics, ..case.dynamics };
    let campaign = CampaignSide { opted_out: decision.campaign, ..case.campaign };
    Case { dynamics, campaign, ..*case }
}

/// The same with all times later by so many seconds.
fn later(case: &Case, seconds: i64) -> Case {
    let shift = |time: Option<Timestamp>| time.map(|it| it + SignedDuration::from_secs(seconds));
    let side = |side: CampaignSide| CampaignSide { stamp: shift(side.stamp), ..side };
    Case {
        dynamics: DynamicsSide { modified: shift(case.dynamics.modified), ..case.dynamics },
        campaign: side(case.campaign),
        agreement: case.agreement.map(|it| Agreement {
            campaign: side(it.campaign),
            own_campaign: it.own_campaign.map(side),
            ..it
        }),
        own_write: case.own_write.map(|it| OwnWrite { user_time: shift(it.user_time), ..it }),
        skew: case.skew,
    }
}

proptest! {
    #[test]
    fn both_ways_an_opt_out_is_lifted_only_for_a_later_change_in_campaign(
        case in any_case(), mode in any_mode(),
    ) {
        let decision = case.decide(Direction::Bidirectional, mode);
        prop_assert_eq!(decision.dynamics, decision.campaign, "both sides are told the same");
        prop_assert!(!case.campaign.opted_out || decision.campaign, "what Campaign says stands");
        if decision.clears(&case) {
            prop_assert_eq!(decision.reason, Reason::CampaignNewer);
            prop_assert!(decision.lead.is_some_and(|lead| lead > SignedDuration::ZERO));
            prop_assert!(case.dynamics.version.is_some() && case.campaign.stamp.is_some());
        }
        if case.dynamics.opted_out == case.campaign.opted_out {
            prop_assert_eq!(decision.dynamics, case.dynamics.opted_out, "nothing is made up");
        }
    }

    #[test]
    fn what_was_decided_is_decided_again(case in any_case(), mode in any_mode()) {
        for direction in DIRECTIONS {
            let decision = case.decide(direction, mode);
            let again = told(&case, &decision).decide(direction, mode);
            // One way, a value that somebody set on the other side stays apart.
            prop_assert!(!again.clears(&told(&case, &decision)) || direction != Direction::Bidirectional);
            if decision.dynamics == decision.campaign {
                prop_assert_eq!(again.reason, Reason::Agreed);
                prop_assert_eq!((again.dynamics, again.campaign), (decision.dynamics, decision.campaign));
            }
        }
    }

    #[test]
    fn a_wider_margin_and_a_wider_spread_lift_no_more(
        case in any_case(), margin in 0_u64..6, more in 0_u64..6,
    ) {
        let lifts = |case: &Case, margin| {
            let mode = Mode::Safe { margin: Duration::from_secs(margin) };
            case.decide(Direction::Bidirectional, mode).clears(case)
        };
        let narrow = lifts(&case, margin);
        prop_assert!(narrow || !lifts(&case, margin + more));
        if let Skew::Measured { offset, spread } = case.skew {
            let spread = spread + Duration::from_secs(more);
            let vague = Case { skew: Skew::Measured { offset, spread }, ..case };
            prop_assert!(narrow || !lifts(&vague, margin));
        }
        let unknown = Case { skew: Skew::Unknown, ..case };
        prop_assert!(!lifts(&unknown, margin));
    }

    #[test]
    fn with_equal_clocks_the_safe_rule_lifts_nothing_that_the_page_would_keep(
        case in any_case(), margin in 0_u64..6,
    ) {
        let skew = Skew::Measured { offset: SignedDuration::ZERO, spread: Duration::ZERO };
        // An own write hides behind a later time what a user did before it.
        // Without a row version nothing is lifted, in either mode.
        let version = case.dynamics.version.or(Some(RowVersion(1)));
        let dynamics = DynamicsSide { version, ..case.dynamics };
        let case = Case { dynamics, skew, own_write: None, ..case };
        let mode = Mode::Safe { margin: Duration::from_secs(margin) };
        let safe = case.decide(Direction::Bidirectional, mode);
        let page = case.decide(Direction::Bidirectional, Mode::Documented);
        prop_assert!(page.clears(&case) || !safe.clears(&case));
        let differs = safe.dynamics != page.dynamics;
        prop_assert_eq!(safe.documented, differs.then_some(page.dynamics));
    }

    #[test]
    fn only_differences_of_times_count(case in any_case(), mode in any_mode(), shift in -900_i64..900) {
        for direction in DIRECTIONS {
            let (here, there) = (case.decide(direction, mode), later(&case, shift).decide(direction, mode));
            prop_assert_eq!(
                (here.dynamics, here.campaign, here.reason, here.lead, here.documented),
                (there.dynamics, there.campaign, there.reason, there.lead, there.documented)
            );
        }
    }

    #[test]
    fn a_merge_lifts_nothing_and_what_is_taken_over_stays(case in any_case(), mode in any_mode()) {
        for direction in DIRECTIONS {
            let loser = case.of_loser(case.decide(direction, mode));
            prop_assert!(!loser.clears(&case));
            prop_assert_eq!(loser.dynamics, case.dynamics.opted_out, "Dynamics takes no change");
            let taken = case.take_over(direction, Reason::Merged);
            prop_assert!(!taken.clears(&case));
            let once = told(&case, &taken);
            let twice = once.take_over(direction, Reason::Merged);
            prop_assert_eq!((twice.dynamics, twice.campaign), (taken.dynamics, taken.campaign));
            prop_assert!(taken.dynamics || direction == Direction::DynamicsToCampaign);
            prop_assert!(taken.campaign || direction == Direction::CampaignToDynamics);
        }
    }
}
