//! What samples say of the clocks.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::consent::{
    Sample, Sight, Skew, Witness, agreed, borne_out, earliest, is_ahead, is_doubted, measure,
    recent,
};

/// A sample of a system whose clock is `ahead` of the truth, while ours is
/// `ours` ahead; the request began at `start` and took two seconds.
fn sample(start: i64, ahead: i64, ours: i64) -> Sample {
    let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
    Sample {
        stamp: at(start + 1 + ahead),
        sent: at(start + ours),
        received: at(start + 2 + ours),
        witness: Witness::Millis,
    }
}

fn samples(count: i64, ahead: i64, ours: i64) -> Vec<Sample> {
    (0..count).map(|n| sample(n * 10, ahead, ours)).collect()
}

#[test]
fn our_own_clock_cancels_out() {
    for ours in [0, 5000, -86_400] {
        let skew = measure(&samples(5, 3, ours), &samples(5, -4, ours));
        let Skew::Measured { offset, spread } = skew else { panic!("{skew:?}") };
        assert_eq!(offset, SignedDuration::from_secs(-7));
        assert_eq!(spread, Duration::from_secs(2), "half of each request");
    }
}

/// Both clocks as a pass at `start` saw them.
fn sight(start: i64, [dynamics, campaign]: [i64; 2], ours: i64) -> Sight {
    Sight { dynamics: sample(start, dynamics, ours), campaign: sample(start, campaign, ours) }
}

#[test]
fn a_clock_that_was_set_within_the_last_day_proves_nothing() {
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let skew = Skew::Measured { offset: SignedDuration::ZERO, spread: Duration::from_secs(2) };
    let earlier = [sight(-9000, [0, 0], 0), sight(-6000, [1, -1], 0)];
    assert_eq!(borne_out(skew, &earlier, now), skew, "as far apart as measuring leaves open");
    let set = |hours: i64| [sight(-9000, [0, 0], 0), sight(-hours * 3600, [100, 0], 0)];
    assert_eq!(borne_out(skew, &set(1), now), Skew::Unknown, "in whichever pass it was");
    assert_eq!(borne_out(skew, &set(25), now), skew, "a day ago");
    let ours = [sight(-9000, [0, 0], 700), sight(-6000, [0, 0], -700)];
    assert_eq!(borne_out(skew, &ours, now), skew, "our own clock counts for nothing");
    let widest = [sight(-6000, [0, 4], 0)];
    assert_eq!(borne_out(skew, &widest, now), skew, "just as far as measuring leaves open");
    let apart = Skew::Measured { offset: SignedDuration::from_secs(50), spread: Duration::ZERO };
    assert_eq!(borne_out(apart, &[sight(-6000, [0, 50], 0)], now), apart);
}

#[test]
fn what_is_kept_of_the_clocks_is_what_says_more() {
    let last = sight(0, [0, 50], 0);
    assert!(!sight(600, [0, 51], 0).adds_to(&last));
    assert!(!sight(600, [0, 54], 0).adds_to(&last), "both are two seconds in doubt");
    assert!(sight(600, [0, 55], 0).adds_to(&last));
    assert!(sight(600, [0, 90], 0).adds_to(&last), "a clock was set");
    assert!(sight(3600, [0, 50], 0).adds_to(&last), "an hour later");
    let now = sample(600, 0, 0).received;
    let (fresh, stale) = ([sample(590, 0, 0)], [sample(-600, 0, 0)]);
    assert!(Sight::of(&fresh, &fresh, now).is_some());
    assert!(Sight::of(&fresh, &stale, now).is_none(), "not at one time");
    assert!(Sight::of(&[], &fresh, now).is_none());
}

#[test]
fn the_usual_sample_counts_however_long_the_others_took_or_how_far_they_lie_off() {
    let second = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
    let took = |half: i64, ahead: i64| Sample {
        stamp: second(half + ahead),
        sent: second(0),
        received: second(2 * half),
        witness: Witness::Millis,
    };
    let measured = |of: [Sample; 5]| match measure(&of, &samples(3, 0, 0)) {
        Skew::Measured { offset, spread } => (offset.as_secs(), spread.as_secs()),
        Skew::Unknown => panic!("measured"),
    };
    assert_eq!(measured([1, 1, 4, 9, 16].map(|half| took(half, 0))), (0, 4 + 1));
    assert_eq!(measured([0, 1, 3, 4, 5].map(|ahead| took(1, ahead))), (-3, 3 + 1 + 1));
}

#[test]
fn the_earliest_that_a_clock_can_show_leaves_room_for_what_is_in_doubt() {
    let now = Timestamp::from_second(1_700_001_000).unwrap();
    let seconds = |ahead, ours| {
        let shows = earliest(&samples(3, ahead, ours), now)?;
        Some(shows.duration_since(now).as_secs())
    };
    assert_eq!([seconds(0, 0), seconds(5, 0), seconds(-5, 7)], [Some(-1), Some(4), Some(-13)]);
    assert_eq!(earliest(&samples(2, 0, 0), now), None);
}

#[test]
fn fewer_than_three_samples_of_either_prove_nothing() {
    assert_eq!(measure(&samples(2, 0, 0), &samples(9, 0, 0)), Skew::Unknown);
    assert_eq!(measure(&samples(9, 0, 0), &samples(2, 0, 0)), Skew::Unknown);
    assert_eq!(measure(&[], &[]), Skew::Unknown);
}

#[test]
fn samples_far_apart_widen_the_margin_and_then_prove_nothing() {
    let mut campaign = samples(5, 0, 0);
    campaign.push(sample(60, 20, 0));
    let Skew::Measured { offset, spread } = measure(&samples(5, 0, 0), &campaign) else {
        panic!("still measured")
    };
    assert_eq!(offset, SignedDuration::ZERO, "one odd sample moves nothing");
    assert_eq!(spread, Duration::from_secs(22));
    campaign.push(sample(70, 70, 0));
    assert_eq!(measure(&samples(5, 0, 0), &campaign), Skew::Unknown);
}

#[test]
fn stamps_of_our_writes_count_only_as_far_as_the_dates_of_answers_bear_them_out() {
    let skew = |seconds, spread| Skew::Measured {
        offset: SignedDuration::from_secs(seconds),
        spread: Duration::from_secs(spread),
    };
    assert_eq!(agreed(skew(0, 1), skew(3, 1)), skew(0, 1), "within what both leave open");
    assert_eq!(agreed(skew(0, 1), skew(5, 1)), Skew::Unknown, "a clock was set since");
    assert_eq!(agreed(skew(-3601, 1), skew(0, 2)), Skew::Unknown);
    assert_eq!(agreed(skew(100, 1), skew(101, 1)), skew(100, 1), "both are far apart");
    assert_eq!(agreed(Skew::Unknown, skew(7, 1)), skew(7, 1));
    assert_eq!(agreed(skew(7, 1), Skew::Unknown), skew(7, 1), "answers without a date");
    let now = sample(0, 0, 0).received;
    let kept = |hours| recent(samples(1, 0, 0), now + SignedDuration::from_hours(hours)).len();
    assert_eq!((kept(0), kept(23), kept(25), kept(-25)), (1, 1, 0, 0));
}

#[test]
fn old_samples_are_forgotten() {
    let mut campaign = samples(5, 500, 0);
    campaign.extend(samples(21, 1, 0));
    let skew = measure(&samples(5, 0, 0), &campaign);
    assert!(
        matches!(skew, Skew::Measured { offset, .. } if offset == SignedDuration::from_secs(1)),
        "{skew:?}"
    );
}

#[test]
fn a_sample_during_which_our_clock_was_set_back_is_not_counted() {
    let turned = Sample { received: Timestamp::UNIX_EPOCH, ..sample(0, 0, 0) };
    let campaign = vec![turned; 5];
    assert_eq!(measure(&samples(5, 0, 0), &campaign), Skew::Unknown);
}

#[test]
fn a_stamp_in_whole_seconds_is_half_a_second_in_doubt() {
    let whole = |sample: Sample| Sample { witness: Witness::Seconds, ..sample };
    let dynamics: Vec<Sample> = samples(3, 0, 0).into_iter().map(whole).collect();
    let Skew::Measured { offset, spread } = measure(&dynamics, &samples(3, 0, 0)) else {
        panic!("measured")
    };
    assert_eq!(offset, SignedDuration::from_millis(-500));
    assert_eq!(spread, Duration::from_millis(2500));
}

#[test]
fn a_stamp_is_ahead_of_the_dates_where_nothing_in_doubt_explains_it() {
    let now = Timestamp::from_second(1_700_001_000).unwrap();
    let stamp = |ahead: i64| now + SignedDuration::from_secs(ahead);
    let shown = |by, shown| is_ahead(stamp(by), &samples(3, shown, 0), now);
    assert_eq!([3, 4, 116, -116].map(|by| shown(by, 0)), [false, true, true, false]);
    assert_eq!([116, 124].map(|by| shown(by, 120)), [false, true], "their clock is ahead");
    assert!(!is_ahead(stamp(116), &samples(2, 0, 0), now), "not known");
    let [days, fortnight] = [6, 14].map(|days| SignedDuration::from_hours(days * 24));
    assert!(is_doubted(Some(now - days), now) && is_doubted(Some(now + days), now));
    assert!(!is_doubted(Some(now - fortnight), now) && !is_doubted(None, now));
}
