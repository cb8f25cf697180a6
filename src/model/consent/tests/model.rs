//! All short histories of one contact: users on both sides, an export that is
//! stale by the time it is read, and a daemon that may be interrupted between
//! reading and writing by any of them.
//!
//! Steps as in the study of the rule: nine of them, two starting agreements,
//! and four settling rounds behind every history.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::RowVersion;
use crate::model::consent::Skew;
use crate::model::consent::{
    Agreement, CampaignSide, Case, Direction, DynamicsSide, Mode, OwnWrite,
};

const LENGTH: usize = 6;
const SKEWS: [i64; 7] = [0, 3, -3, 5, -5, 8, -8];

#[derive(Clone, Copy, Debug)]
enum Step {
    DynamicsSets(bool),
    DynamicsEditsElse,
    CampaignSets(bool),
    Pause,
    CampaignExports,
    DaemonReads,
    DaemonWrites,
}

const STEPS: [Step; 9] = [
    Step::DynamicsSets(true),
    Step::DynamicsSets(false),
    Step::DynamicsEditsElse,
    Step::CampaignSets(true),
    Step::CampaignSets(false),
    Step::Pause,
    Step::CampaignExports,
    Step::DaemonReads,
    Step::DaemonWrites,
];

/// What the daemon takes from the rule, and which guards it has beside it.
#[derive(Clone, Copy)]
struct Daemon {
    mode: Mode,
    /// Whether it reads again before it writes, and writes only what it saw.
    guarded: bool,
    skew_known: bool,
}

const OURS: Daemon =
    Daemon { mode: Mode::Safe { margin: Duration::from_secs(1) }, guarded: true, skew_known: true };

/// Value, time and version.
type Contact = (bool, i64, i64);

/// Value and stamp.
type Profile = (bool, Option<i64>);

/// Both systems, the daemon's store and what the model alone knows.
#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    now: i64,
    dynamics: (bool, i64, i64),
    campaign: (bool, Option<i64>),
    file: Option<(bool, Option<i64>)>,
    read: Option<(Contact, Profile)>,
    agreement: Option<(bool, (bool, Option<i64>))>,
    own_campaign: Option<(bool, Option<i64>)>,
    own_write: Option<(i64, i64)>,
    /// The last word of a person.
    newest_act: bool,
    /// We lifted an opt-out against it.
    brief: bool,
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_000 + second).unwrap()
}

fn campaign_side((opted_out, stamp): (bool, Option<i64>)) -> CampaignSide {
    CampaignSide { opted_out, stamp: stamp.map(time) }
}

impl World {
    fn agreed_on(value: bool) -> Self {
        Self {
            now: 0,
            dynamics: (value, 0, 1),
            campaign: (value, None),
            file: None,
            read: None,
            agreement: Some((value, (value, None))),
            own_campaign: None,
            own_write: None,
            newest_act: value,
            brief: false,
        }
    }

    fn step(&mut self, step: Step, skew: i64, daemon: Daemon) {
        self.now += 1;
        match step {
            Step::DynamicsSets(value) => {
                self.dynamics = (value, self.now, self.dynamics.2 + 1);
                self.newest_act = value;
            }
            Step::DynamicsEditsElse => {
                self.dynamics = (self.dynamics.0, self.now, self.dynamics.2 + 1);
            }
            Step::CampaignSets(value) => {
                self.campaign = (value, Some(self.now + skew));
                self.newest_act = value;
            }
            Step::Pause => {}
            Step::CampaignExports => self.file = Some(self.campaign),
            Step::DaemonReads => {
                let told = self.file.or(self.agreement.map(|(_, campaign)| campaign));
                self.read = told.map(|campaign| (self.dynamics, campaign));
            }
            Step::DaemonWrites => self.write(skew, daemon),
        }
    }

    fn case(
        &self,
        dynamics: (bool, i64, i64),
        campaign: (bool, Option<i64>),
        skew: i64,
        daemon: Daemon,
    ) -> Case {
        let (opted_out, modified, version) = dynamics;
        Case {
            dynamics: DynamicsSide {
                opted_out,
                modified: Some(time(modified)),
                version: Some(RowVersion(version)),
            },
            campaign: campaign_side(campaign),
            agreement: self.agreement.map(|(dynamics, campaign)| Agreement {
                campaign: campaign_side(campaign),
                dynamics,
                own_campaign: self.own_campaign.map(campaign_side),
            }),
            own_write: self.own_write.map(|(version, user_time)| OwnWrite {
                version: RowVersion(version),
                user_time: Some(time(user_time)),
            }),
            skew: if daemon.skew_known {
                Skew::Measured { offset: SignedDuration::from_secs(skew), spread: Duration::ZERO }
            } else {
                Skew::Unknown
            },
        }
    }

    fn write(&mut self, skew: i64, daemon: Daemon) {
        let Some((dynamics, campaign)) = self.read.take() else { return };
        let case = self.case(dynamics, campaign, skew, daemon);
        let decision = case.decide(Direction::Bidirectional, daemon.mode);
        let lifts = decision.clears(&case);
        let differs = dynamics != self.dynamics || campaign != self.campaign;
        // Before an opt-out is lifted both sides are read once more.
        if daemon.guarded && lifts && differs {
            return;
        }
        let mut dynamics_now = dynamics;
        if decision.dynamics != dynamics.0 {
            // `If-Match`.
            if daemon.guarded && self.dynamics.2 != dynamics.2 {
                return;
            }
            if !decision.dynamics && self.newest_act {
                self.brief = true;
            }
            let user_time = case.user_time().map_or(0, |time| time.as_second() - 1_000);
            self.dynamics = (decision.dynamics, self.now, self.dynamics.2 + 1);
            self.own_write = Some((self.dynamics.2, user_time));
            dynamics_now = self.dynamics;
        }
        let mut campaign_now = campaign;
        if decision.campaign != campaign.0 {
            let write = !daemon.guarded || self.campaign.0 != decision.campaign;
            if write {
                if !decision.campaign && self.newest_act {
                    self.brief = true;
                }
                self.campaign = (decision.campaign, Some(self.now + skew));
                self.own_campaign = Some(self.campaign);
            }
            campaign_now = self.campaign;
        }
        if dynamics_now.0 == campaign_now.0 {
            self.agreement = Some((dynamics_now.0, campaign_now));
        }
    }

    fn settle(mut self, skew: i64, daemon: Daemon) -> Self {
        for _ in 0..4 {
            for step in [Step::CampaignExports, Step::DaemonReads, Step::DaemonWrites] {
                self.step(step, skew, daemon);
            }
        }
        self
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    lost: u64,
    brief: u64,
    apart: u64,
}

/// Counts over all histories; those that lead to the same world are followed
/// once.
fn count(skew: i64, daemon: Daemon, length: usize) -> Counts {
    count_from([true, false].map(World::agreed_on), skew, daemon, length)
}

fn count_from(begin: [World; 2], skew: i64, daemon: Daemon, length: usize) -> Counts {
    let mut counts = Counts::default();
    let mut worlds: HashSet<World> = begin.into();
    for _ in 0..length {
        let mut next = HashSet::new();
        for world in &worlds {
            for step in STEPS {
                let mut world = world.clone();
                world.step(step, skew, daemon);
                next.insert(world);
            }
        }
        for world in &next {
            let end = world.clone().settle(skew, daemon);
            let (dynamics, campaign) = (end.dynamics.0, end.campaign.0);
            counts.lost += u64::from(end.newest_act && !(dynamics && campaign));
            counts.apart += u64::from(dynamics != campaign);
            counts.brief += u64::from(end.brief);
        }
        worlds = next;
    }
    counts
}

#[test]
fn no_opt_out_is_lost_or_lifted_for_a_while_in_any_history_at_any_skew() {
    for skew in SKEWS {
        assert_eq!(count(skew, OURS, LENGTH), Counts::default(), "skew {skew}");
    }
}

#[test]
fn nor_in_the_first_run_without_a_ledger() {
    for skew in SKEWS {
        let begin = [true, false].map(|value| World { agreement: None, ..World::agreed_on(value) });
        assert_eq!(count_from(begin, skew, OURS, LENGTH - 1), Counts::default(), "skew {skew}");
    }
}

#[test]
fn without_a_measured_skew_no_opt_out_is_lost_either() {
    for skew in SKEWS {
        let daemon = Daemon { skew_known: false, ..OURS };
        assert_eq!(count(skew, daemon, LENGTH - 1), Counts::default(), "skew {skew}");
    }
}

#[test]
fn the_model_sees_what_the_page_taken_literally_loses() {
    let literal = Daemon { mode: Mode::Documented, ..OURS };
    assert!(count(3, literal, LENGTH - 2).lost > 0, "a clock that is ahead");
    let blind = Daemon { guarded: false, ..literal };
    let counts = count(0, blind, LENGTH - 1);
    assert!(counts.lost > 0 && counts.brief > 0, "writing what was read before: {counts:?}");
}

#[test]
fn a_later_subscription_in_campaign_prevails_where_dynamics_was_left_alone() {
    for skew in SKEWS {
        let mut world = World::agreed_on(true);
        for step in [Step::Pause, Step::Pause, Step::CampaignSets(false)] {
            world.step(step, skew, OURS);
        }
        let end = world.settle(skew, OURS);
        assert_eq!((end.dynamics.0, end.campaign.0), (false, false), "skew {skew}");
    }
}
