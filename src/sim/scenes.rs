//! Scenes: a few rounds in which several things happen in a row that chance alone
//! seldom brings together. What they lead to is the model's to say, not theirs.

use super::plan::{Act, Crash, How, Meddling, Round, Settings};
use super::stream::Stream;
use super::trouble::doubtful_creations;
use crate::failpoint::Point;
use crate::model::Flow;
use crate::sandbox::{Fault, FaultRule, System};

/// Those of whom a scene tells.
const WHO: std::ops::Range<usize> = 0..6;

/// A scene, and what it needs of the settings.
pub(super) fn scene(it: &Stream, settings: &mut Settings) -> Vec<Round> {
    let scenes: [fn(&Stream, &mut Settings) -> Vec<Round>; 10] = [
        set_back,
        leaves_and_returns,
        changes_back,
        cut_batches,
        insists,
        half_read,
        half_stored,
        read_in_pages,
        refuses,
        goes_in_doubt,
    ];
    it.one_of(&scenes)(it, settings)
}

/// `sync` after what people did.
fn passes(before: impl IntoIterator<Item = Act>) -> Round {
    let before = before.into_iter().collect();
    Round { rest: 900, before, how: How::Passes, latency: 5, ..Round::default() }
}

/// Campaign's clock is set back, people opt out by it, and for a while nobody looks.
fn set_back(it: &Stream, _: &mut Settings) -> Vec<Round> {
    let by = 1_500_000 + it.below(5_000_000).cast_signed();
    let clock = [Act::Clock(System::Campaign, -by)];
    let out = WHO.map(|who| Act::InCampaign(who, it.index(2), true));
    let away = How::Away(it.one_of(&[1_300, 2_600]));
    vec![Round { how: away, ..passes(clock.into_iter().chain(out)) }, passes([])]
}

/// People opt out in Campaign, are filtered out, and come back.
fn leaves_and_returns(it: &Stream, settings: &mut Settings) -> Vec<Round> {
    settings.filter = true;
    let with_job = |job| WHO.map(move |who| Act::Job(who, job));
    let out = WHO.map(|who| Act::InCampaign(who, it.index(2), true));
    let leave = passes(out.chain(with_job(None)));
    vec![passes(with_job(Some(1))), leave, passes(with_job(Some(2)))]
}

/// A value is on its way when the program dies, and is what it was by the next pass.
fn changes_back(it: &Stream, settings: &mut Settings) -> Vec<Round> {
    settings.job = true;
    let flips = || WHO.map(Act::Flip);
    let point = it.one_of(&[Point::Request, Point::Answered]);
    let crash = Some(Crash::In(Flow::Ingress, point, 8 + it.below(24)));
    vec![passes([]), Round { crash, ..passes(flips()) }, passes(flips())]
}

/// Batches of activities go out, and nobody hears of them again.
fn cut_batches(it: &Stream, _: &mut Settings) -> Vec<Round> {
    let cut = FaultRule {
        system: Some(System::Dynamics),
        path: Some("$batch".to_owned()),
        times: Some(1 + it.below(3)),
        ..FaultRule::always(it.one_of(&[Fault::CutBefore, Fault::CutAfter]))
    };
    vec![passes([]), Round { faults: vec![cut], ..passes(WHO.map(Act::Mail)) }]
}

/// Who opted out in Dynamics is about to be asked back by Campaign, and insists.
fn insists(it: &Stream, _: &mut Settings) -> Vec<Round> {
    let pair = it.index(2);
    let again = Meddling {
        system: System::Dynamics,
        reads: false,
        number: 1 + it.below(3),
        act: Act::InDynamics(0, pair, true),
    };
    let back = passes(WHO.map(|who| Act::InCampaign(who, pair, false)));
    let out = passes(WHO.map(|who| Act::InDynamics(who, pair, true)));
    vec![out, Round { meddling: vec![again], ..back }]
}

/// Nobody knows of some profiles whether they were made; the contacts go, and are
/// told of twice.
fn goes_in_doubt(it: &Stream, settings: &mut Settings) -> Vec<Round> {
    settings.page_rows = it.one_of(&[2, 50]);
    let faults = doubtful_creations(it);
    let made = Round { faults: faults.to_vec(), ..passes(WHO.map(|_| Act::Add(false))) };
    let twice = FaultRule {
        system: Some(System::Dynamics),
        path: Some("/contacts?".to_owned()),
        ..FaultRule::always(Fault::DuplicateRows)
    };
    let gone = Round { faults: vec![twice], ..passes((0..12).map(Act::Delete)) };
    vec![made, gone, passes([])]
}

/// The program dies while it takes up what people said.
fn half_read(it: &Stream, _: &mut Settings) -> Vec<Round> {
    let said = |who| {
        let (pair, out) = (it.index(2), it.chance(70));
        if it.chance(50) {
            Act::InDynamics(who, pair, out)
        } else {
            Act::InCampaign(who, pair, out)
        }
    };
    dying(it, Flow::Optout, 3 + it.below(11), said)
}

/// A few lives in a row that end one step later each. Somebody else does something
/// in each, so that what is lost is not made good by the next.
fn dying(it: &Stream, flow: Flow, first: u64, does: impl Fn(usize) -> Act) -> Vec<Round> {
    let point = it.one_of(&[Point::Commit, Point::Committed]);
    let lives = (first..).zip(0..6).map(|(number, who)| {
        let crash = Some(Crash::In(flow, point, number));
        Round { crash, ..passes([does(who)]) }
    });
    std::iter::once(passes([])).chain(lives).collect()
}

/// The program dies while it stores what changed or what was told.
fn half_stored(it: &Stream, settings: &mut Settings) -> Vec<Round> {
    settings.page_rows = it.one_of(&[1, 2, 50]);
    let flow = it.one_of(&[Flow::Ingress, Flow::Egress]);
    let does = |who| if flow == Flow::Egress { Act::Mail(who) } else { Act::Edit(who) };
    dying(it, flow, 1 + it.below(18), does)
}

/// All contacts are read anew, page by page, and people go on meanwhile.
fn read_in_pages(it: &Stream, settings: &mut Settings) -> Vec<Round> {
    settings.page_rows = 1 + it.below(2);
    let acts = (0..32).map(|_| {
        let when = it.below(it.one_of(&[60_000, 240_000]));
        let who = it.index(64);
        let said = Act::InDynamics(who, it.index(2), it.chance(70));
        (when, if it.chance(60) { said } else { Act::Edit(who) })
    });
    let read = Round { during: acts.collect(), latency: 3_000, ..passes([Act::ExpireTokens]) };
    vec![passes(WHO.map(|_| Act::Add(false))), read, passes([])]
}

/// Campaign takes no opt-out of a few contacts, and they say no to something else.
fn refuses(it: &Stream, _: &mut Settings) -> Vec<Round> {
    let pair = it.index(2);
    let refused = FaultRule {
        system: Some(System::Campaign),
        method: Some("PATCH".to_owned()),
        ..FaultRule::always(Fault::Status { code: 400, body: String::new() })
    };
    let few = || 0..1 + it.index(3);
    let say = |pair| few().map(move |who| Act::InDynamics(who, pair, true));
    let first = Round { faults: vec![refused], ..passes(say(pair)) };
    vec![passes(WHO.map(|_| Act::Add(false))), first, passes(say(1 - pair))]
}
