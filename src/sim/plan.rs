//! What happens in one simulated life, before it begins: a value that can be
//! shown, repeated and made shorter.

use crate::failpoint::Point;
use crate::sandbox::{Fault, FaultRule, System, TokenMoment, Variants};

use super::stream::Stream;

/// Everything that a run needs.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The seed that it came from; also that of the look-alikes and of jitter.
    pub(crate) seed: u64,
    /// Contacts at the beginning.
    pub(crate) contacts: usize,
    /// By how many milliseconds each system's clock is wrong.
    pub(crate) clocks: [i64; 2],
    /// How the look-alikes behave where the documents leave it open.
    pub(crate) variants: Variants,
    /// Rows on a page.
    pub(crate) page_rows: u64,
    /// What happens, in order.
    pub(crate) rounds: Vec<Round>,
}

/// One pass of the flows with what happens around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// Seconds without anything before it.
    pub(crate) rest: u64,
    /// What people do before it.
    pub(crate) before: Vec<Act>,
    /// What people do during it, so many milliseconds after its begin.
    pub(crate) during: Vec<(u64, Act)>,
    /// What goes wrong.
    pub(crate) faults: Vec<FaultRule>,
    /// When the program dies: at the nth passing of a point.
    pub(crate) crash: Option<(Point, u64)>,
    /// Whether the flows run side by side, as in the daemon.
    pub(crate) together: bool,
    /// Longest way of a request, and of its answer, in milliseconds.
    pub(crate) latency: u64,
}

/// What somebody does. Contacts are counted among those that exist.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A contact gets the next version of its name.
    Edit(usize),
    /// A contact comes into being, opted out of mail or not.
    Add(bool),
    /// A contact is deleted.
    Delete(usize),
    /// The first takes the second in.
    Merge(usize, usize),
    /// A flag is set on a contact in Dynamics.
    InDynamics(usize, usize, bool),
    /// A flag is set on a profile in Campaign.
    InCampaign(usize, usize, bool),
    /// Campaign sends mail to a contact and tells of it.
    Mail(usize),
    /// All delta tokens expire.
    ExpireTokens,
    /// All access tokens end.
    RevokeAccess,
    /// A system's clock is wrong by so many milliseconds from now on.
    Clock(System, i64),
}

const FAULTS: &[fn(&Stream) -> Fault] = &[
    |it| Fault::Throttle { retry_after: 1 + it.below(20) },
    |it| Fault::Status { code: it.one_of(&[500, 502, 503, 504]), body: String::new() },
    |_| Fault::CutBefore,
    |_| Fault::CutAfter,
    |_| Fault::CutAfter,
    |_| Fault::CutIn,
    |it| Fault::Slow { ms: 100 + it.below(5_000) },
    |it| Fault::Slow { ms: 100_000 + it.below(50_000) },
    |_| Fault::Truncated,
    |_| Fault::Foreign,
    |_| Fault::WrongContent,
    |_| Fault::ExpiredToken,
    |_| Fault::ExpiredDelta,
    |_| Fault::DuplicateRows,
];

const POINTS: [Point; 4] = [Point::Commit, Point::Committed, Point::Request, Point::Answered];

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let world = Stream::new(seed, "world");
        // Which kinds of trouble this life knows at all.
        let (people, faults, crashes) = (
            Stream::new(seed, "people"),
            Stream::new(seed, "faults"),
            Stream::new(seed, "crashes"),
        );
        let fault_rate = faults.one_of(&[0, 0, 5, 15, 40]);
        let crash_rate = crashes.one_of(&[0, 20, 60]);
        let skew = |it: &Stream| match it.below(4) {
            0 | 1 => 0,
            2 => it.below(10_000).cast_signed() - 5_000,
            _ => it.below(1_200_000).cast_signed() - 600_000,
        };
        let clocks = Stream::new(seed, "clocks");
        let rounds = 1 + world.index(5);
        Self {
            seed,
            contacts: world.index(7),
            clocks: [skew(&clocks), skew(&clocks)],
            variants: variants(&Stream::new(seed, "variants")),
            page_rows: 1 + world.below(5),
            rounds: (0..rounds)
                .map(|_| Round {
                    rest: world.one_of(&[0, 1, 30, 900, 7_200]),
                    before: acts(&people, 5).collect(),
                    during: acts(&people, 4).map(|act| (people.below(20_000), act)).collect(),
                    faults: rules(&faults, fault_rate),
                    crash: crashes
                        .chance(crash_rate)
                        .then(|| (crashes.one_of(&POINTS), 1 + crashes.below(60))),
                    together: world.chance(50),
                    latency: world.one_of(&[0, 5, 200, 3_000]),
                })
                .collect(),
        }
    }
}

fn acts(people: &Stream, most: u64) -> impl Iterator<Item = Act> + use<'_> {
    let count = people.below(most + 1);
    (0..count).map(move |_| act(people))
}

fn act(people: &Stream) -> Act {
    let who = people.index(64);
    match people.below(28) {
        0..4 => Act::Edit(who),
        4..6 => Act::Add(people.chance(20)),
        6 => Act::Delete(who),
        7 => Act::Merge(who, people.index(64)),
        8..14 => Act::InDynamics(who, people.index(2), people.chance(60)),
        14..20 => Act::InCampaign(who, people.index(2), people.chance(60)),
        20..25 => Act::Mail(who),
        25 => Act::ExpireTokens,
        26 => Act::RevokeAccess,
        _ => {
            let system = people.one_of(&[System::Dynamics, System::Campaign]);
            Act::Clock(system, people.below(240_000).cast_signed() - 120_000)
        }
    }
}

fn rules(faults: &Stream, rate: u64) -> Vec<FaultRule> {
    if rate == 0 {
        return Vec::new();
    }
    let count = 1 + faults.below(3);
    (0..count)
        .map(|_| {
            let fault = faults.one_of(FAULTS)(faults);
            let system = faults.one_of(&[
                None,
                Some(System::Dynamics),
                Some(System::Campaign),
                Some(System::Journal),
            ]);
            #[expect(clippy::cast_precision_loss, reason = "a small percentage")]
            let probability = Some(rate as f64 / 100.0);
            let times = Some(1 + faults.below(12));
            FaultRule { system, probability, times, ..FaultRule::always(fault) }
        })
        .collect()
}

fn variants(it: &Stream) -> Variants {
    Variants {
        delta_expired: it.one_of(&[400, 410]),
        first_token: it.one_of(&[TokenMoment::LastPage, TokenMoment::FirstPage]),
        campaign_delete: it.one_of(&[200, 204]),
        equal_flag_bumps: it.chance(50),
        flags_have_stamps: it.chance(90),
        deny_list_names: it.chance(30),
        journal_repeats: u32::from(it.chance(30)) * 3,
        journal_shuffle: u32::from(it.chance(30)) * 4,
        journal_batch: it.one_of(&[1, 3, 100]),
        batch_operations: it.one_of(&[2, 10, 1000]),
        journal_links_joined: it.chance(50),
        ..Variants::default()
    }
}
