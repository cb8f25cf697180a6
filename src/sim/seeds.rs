//! The plan of a seed. Each concern has a stream of numbers of its own, and each
//! seed knows only some kinds of trouble: most bugs need few, often.

use crate::failpoint::Point;
use crate::model::Flow;
use crate::model::consent::Direction;
use crate::sandbox::{System, TokenMoment, Variants};

use super::plan::{Act, Change, Crash, How, Meddling, Plan, Round, Settings, Wanted};
use super::scenes::scene;
use super::stream::Stream;
use super::trouble::{late_writes, rules};

const POINTS: [Point; 4] = [Point::Commit, Point::Committed, Point::Request, Point::Answered];
const FLOWS: [Flow; 3] = [Flow::Ingress, Flow::Egress, Flow::Optout];

/// The kinds of people that a seed knows.
#[derive(Clone, Copy)]
struct Society {
    vehicles: bool,
    jobs: bool,
    schema: bool,
    operators: bool,
    /// Campaign's users do more there than to opt out.
    campaign: bool,
    /// Clocks are set all the time, and little else is done than to opt out.
    clocks: bool,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let streams = Streams::of(seed);
        let Streams { world, clocks, society, .. } = &streams;
        let skew = || match clocks.below(4) {
            0 | 1 => 0,
            2 => clocks.below(10_000).cast_signed() - 5_000,
            _ => clocks.below(1_200_000).cast_signed() - 600_000,
        };
        let society = Society {
            vehicles: society.chance(40),
            jobs: society.chance(40),
            schema: society.chance(15),
            operators: society.chance(30),
            clocks: society.chance(15),
            campaign: society.chance(25),
        };
        let direction = direction(&Stream::new(seed, "direction"));
        let mut settings = settings(&Stream::new(seed, "settings"), society, direction);
        settings.keeps = Stream::new(seed, "keeps").chance(10);
        let scenes = Stream::new(seed, "scenes");
        let scene = if scenes.chance(40) { scene(&scenes, &mut settings) } else { Vec::new() };
        let rates = Rates {
            faults: streams.faults.one_of(&[0, 0, 5, 15, 40]),
            crashes: streams.crashes.one_of(&[0, 30, 80]),
            meddling: if streams.meddlers.chance(40) { 4 } else { 0 },
            restores: if streams.restores.chance(15) { 30 } else { 0 },
        };
        let contacts = world.index(7);
        let rounds = 1 + world.index(if scene.is_empty() { 5 } else { 3 });
        let mut doubtful = false;
        let late = Stream::new(seed, "late");
        let is_late = late.chance(6);
        let rounds = (0..rounds).map(|_| {
            let mut round = streams.round(society, settings, rates);
            if is_late {
                round.faults = vec![late_writes(&late)];
            }
            if doubtful {
                // Who was given up is not left alone.
                round.before.extend((0..6).map(Act::Edit));
            }
            doubtful = round.faults.iter().any(|rule| rule.path.is_some());
            round
        });
        Self {
            seed,
            contacts,
            clocks: [skew(), skew(), skew()],
            variants: variants(&Stream::new(seed, "variants"), rates.restores > 0),
            settings,
            rounds: rounds.chain(scene).collect(),
            gap: Stream::new(seed, "gap").chance(10),
            price: Stream::new(seed, "price").chance(20),
        }
    }
}

/// How often things happen in a life: percents, but for who meddles.
#[derive(Clone, Copy)]
struct Rates {
    faults: u64,
    crashes: u64,
    /// Most who meddle in a round, and one.
    meddling: u64,
    restores: u64,
}

/// The numbers of each concern.
struct Streams {
    world: Stream,
    people: Stream,
    faults: Stream,
    crashes: Stream,
    clocks: Stream,
    society: Stream,
    operators: Stream,
    meddlers: Stream,
    restores: Stream,
    ways: Stream,
}

impl Streams {
    fn of(seed: u64) -> Self {
        let stream = |purpose| Stream::new(seed, purpose);
        Self {
            world: stream("world"),
            people: stream("people"),
            faults: stream("faults"),
            crashes: stream("crashes"),
            clocks: stream("clocks"),
            society: stream("society"),
            operators: stream("operators"),
            meddlers: stream("meddling"),
            restores: stream("restores"),
            ways: stream("middleboxes"),
        }
    }

    fn round(&self, society: Society, settings: Settings, rates: Rates) -> Round {
        let Self { world, people, operators, .. } = self;
        let how = how(world, society);
        let span = match how {
            How::Passes => 20_000,
            How::Daemon(seconds) | How::Away(seconds) => seconds * 1000,
        };
        let mut during: Vec<_> =
            acts(people, 4, society).map(|act| (people.below(span), act)).collect();
        during.retain(|(_, act)| !matches!(act, Act::Clock(..)));
        let mut before: Vec<_> = acts(people, 5, society).collect();
        if society.clocks {
            before = followed(before, people);
        }
        let mut reload = None;
        if society.operators {
            let asks = (0..operators.below(4))
                .map(|_| (operators.below(span), Act::Ask(wanted(operators, settings, society))));
            during.extend(asks);
            let now = || anew(operators, settings, society);
            reload = operators.chance(50).then(|| (operators.below(3_000), now()));
        }
        Round {
            rest: world.one_of(&[0, 1, 30, 900, 7_200]),
            before,
            during,
            meddling: meddling(&self.meddlers, rates.meddling, society),
            reload,
            faults: rules(&self.faults, rates.faults),
            crash: self.crashes.chance(rates.crashes).then(|| crash(&self.crashes, how)),
            how,
            latency: world.one_of(&[0, 5, 200, 3_000]),
            restored: self.restores.chance(rates.restores),
            repeats: self.ways.one_of(&[0, 0, 0, 0, 10, 60]),
            reorders: self.ways.chance(30),
        }
    }
}

fn how(world: &Stream, society: Society) -> How {
    let away = if society.clocks { 45 } else { 5 };
    match world.below(100) {
        roll if roll < away => How::Away(world.one_of(&[60, 1_300, 5_000])),
        roll if roll < 65 => How::Passes,
        _ => How::Daemon(world.one_of(&[5, 40, 150])),
    }
}

fn crash(crashes: &Stream, how: How) -> Crash {
    match crashes.below(6) {
        0 => Crash::Waits(1 + crashes.below(300)),
        1..5 if how == How::Passes => {
            let (flow, point) = (crashes.one_of(&FLOWS), crashes.one_of(&POINTS));
            Crash::In(flow, point, 1 + crashes.below(16))
        }
        _ => Crash::At(crashes.one_of(&POINTS), 1 + crashes.below(60)),
    }
}

fn direction(it: &Stream) -> Direction {
    match it.below(10) {
        0 => Direction::DynamicsToCampaign,
        1 | 2 => Direction::CampaignToDynamics,
        _ => Direction::Bidirectional,
    }
}

fn settings(it: &Stream, society: Society, direction: Direction) -> Settings {
    Settings {
        page_rows: 1 + it.below(5),
        batch: 1 + it.below(4),
        every: it.one_of(&[10, 30]),
        filter: society.jobs && it.chance(50),
        job: society.jobs && it.chance(70),
        reconcile: it.chance(15),
        guard: it.chance(15).then(|| 1 + it.below(2)),
        schema_cache: it.one_of(&[0, 300, 36_000, 36_000, 36_000]),
        direction,
        keeps: false,
    }
}

/// Other settings for the same life.
fn anew(it: &Stream, now: Settings, society: Society) -> Settings {
    Settings { keeps: now.keeps, ..settings(it, society, now.direction) }
}

fn wanted(it: &Stream, now: Settings, society: Society) -> Wanted {
    let flow = it.one_of(&FLOWS);
    match it.below(18) {
        0 => Wanted::Pause(flow),
        1 | 2 => Wanted::Resume(flow),
        3..6 => Wanted::Pass(flow),
        6 | 7 => Wanted::Replay(it.chance(30)),
        8 | 9 => Wanted::Repair(it.chance(30)),
        10 => Wanted::Turn(it.below(60)),
        11 => Wanted::Retry,
        12 => Wanted::Settings(now),
        13 => Wanted::One(it.index(64)),
        14 => it.one_of(&[Wanted::Verify, Wanted::Approve]),
        _ => Wanted::Settings(anew(it, now, society)),
    }
}

fn acts(people: &Stream, most: u64, society: Society) -> impl Iterator<Item = Act> + use<'_> {
    let count = people.below(most + 1);
    (0..count).map(move |_| act(people, society))
}

fn act(people: &Stream, society: Society) -> Act {
    let who = people.index(64);
    if society.clocks && people.chance(70) {
        return match people.below(4) {
            0 => clock_is_set(people),
            1 => Act::InDynamics(who, people.index(2), people.chance(60)),
            _ => Act::InCampaign(who, people.index(2), people.chance(60)),
        };
    }
    let owner = || people.chance(75).then(|| people.index(64));
    match people.below(48) {
        44 => Act::ExpireEvents(1 + people.index(4)),
        45..48 if society.campaign => in_campaign(people, who),
        28..30 if society.jobs => Act::Job(who, people.chance(60).then(|| people.below(9))),
        30..34 if society.jobs => Act::Flip(who),
        34 if society.schema => Act::Schema(Change::Further),
        35 if society.schema => Act::Schema(Change::Column(people.chance(60))),
        36 if society.schema => Act::Schema(Change::Field(people.chance(60))),
        37..39 if society.vehicles => Act::AddCar(owner()),
        39..41 if society.vehicles => Act::MoveCar(who, owner()),
        41 | 42 if society.vehicles => Act::NameCar(who),
        43 if society.vehicles => Act::DeleteCar(who),
        roll => common(people, who, roll % 29),
    }
}

fn in_campaign(people: &Stream, who: usize) -> Act {
    match people.below(4) {
        0 | 1 => Act::Note(who),
        2 => Act::Overwrite(who),
        _ => Act::Discard(who),
    }
}

fn common(people: &Stream, who: usize, roll: u64) -> Act {
    match roll {
        0..4 => Act::Edit(who),
        4..6 => Act::Add(people.chance(20)),
        6 => Act::Delete(who),
        7 => Act::Merge(who, people.index(64)),
        8..13 => Act::InDynamics(who, people.index(2), people.chance(60)),
        13 | 14 => Act::Argue(who, people.index(2), people.chance(70)),
        15..20 => Act::InCampaign(who, people.index(2), people.chance(60)),
        20..25 => Act::Mail(who),
        25 => Act::ExpireTokens,
        26 => Act::RevokeAccess,
        27 => Act::OwnClock(people.below(240_000).cast_signed() - 120_000),
        _ => clock_is_set(people),
    }
}

/// After a clock was set somebody opts out in Campaign.
fn followed(acts: Vec<Act>, people: &Stream) -> Vec<Act> {
    let with_more = |act: Act| {
        let sets = matches!(act, Act::Clock(..));
        let more = sets.then(|| Act::InCampaign(people.index(64), people.index(2), true));
        std::iter::once(act).chain(more)
    };
    acts.into_iter().flat_map(with_more).collect()
}

fn clock_is_set(people: &Stream) -> Act {
    let system = people.one_of(&[System::Dynamics, System::Campaign]);
    let range = people.one_of(&[(30_000, 90_000), (900_000, 6_300_000)]);
    let by = range.0 + people.below(range.1).cast_signed();
    Act::Clock(system, if people.chance(50) { by } else { -by })
}

/// What people do to those that the program is working on.
fn meddling(it: &Stream, most: u64, society: Society) -> Vec<Meddling> {
    let count = it.below(most);
    (0..count)
        .map(|_| {
            let (pair, out) = (it.index(2), it.chance(60));
            let act = match it.below(20) {
                0..6 if society.jobs => Act::Flip(0),
                0..8 => Act::InDynamics(0, pair, out),
                8..15 => Act::InCampaign(0, pair, out),
                15 | 16 => Act::Argue(0, pair, out),
                17 => Act::Edit(0),
                18 => Act::Flip(0),
                _ => Act::Delete(0),
            };
            let system = it.one_of(&[System::Dynamics, System::Campaign]);
            let reads = it.chance(50);
            // Few contacts are written in Dynamics.
            let most = if system == System::Dynamics && !reads { 2 } else { 10 };
            Meddling { system, reads, number: 1 + it.below(most), act }
        })
        .collect()
}

fn variants(it: &Stream, restores: bool) -> Variants {
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
        // An older store may make a profile a second time, and says so.
        unique_external_id: it.chance(60) || restores,
        ..Variants::default()
    }
}
