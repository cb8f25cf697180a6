//! When a failed write is repeated, given up, or ends the work: pure, and
//! tested for every outcome.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::http::Outcome;

/// Attempts that may fail through Campaign's fault before a record is given up.
pub(crate) const MAX_ATTEMPTS: u32 = 6;

/// First wait of a record's back-off.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Longest wait of a record's back-off.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What is known of the system besides this one failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Several different records have failed since the last success: the
    /// system is in trouble, not the record.
    pub(crate) outage: bool,
    /// Another record succeeded since this one's last attempt.
    pub(crate) others_succeed: bool,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Try again.
    Retry {
        /// Attempts that count, so far.
        attempts: u32,
        /// Whether the write may have been applied: look the key up first.
        uncertain: bool,
        /// Not before this has passed.
        wait: Duration,
    },
    /// To the dead letters.
    GiveUp,
    /// The mapping or the resource is wrong: the table stops.
    StopTable,
    /// Nobody's write will succeed: the flow stops.
    StopFlow,
}

/// Decides. `attempts` have failed before this one; `uncertain` is what was
/// known before it.
pub(crate) fn verdict(
    outcome: Outcome,
    attempts: u32,
    uncertain: bool,
    evidence: Evidence,
) -> Verdict {
    let counts = match outcome {
        Outcome::Refused | Outcome::Unauthenticated | Outcome::Foreign | Outcome::Spent => {
            return Verdict::StopFlow;
        }
        // One record's field that Campaign will not take is that record's
        // trouble; when nobody's is taken, the mapping is wrong.
        Outcome::Setup if evidence.outage => return Verdict::StopTable,
        Outcome::Setup => return Verdict::GiveUp,
        Outcome::BadRecord | Outcome::Missing | Outcome::DuplicateKey | Outcome::CursorExpired => {
            return Verdict::GiveUp;
        }
        Outcome::Throttled | Outcome::NotSent => false,
        // The remote's trouble, unless it has none with the others.
        Outcome::Unknown | Outcome::Unavailable => evidence.others_succeed,
        Outcome::ServerError | Outcome::Garbled | Outcome::TooLarge | Outcome::VersionConflict => {
            !evidence.outage
        }
    };
    let attempts = attempts + u32::from(counts);
    if attempts >= MAX_ATTEMPTS {
        return Verdict::GiveUp;
    }
    Verdict::Retry {
        attempts,
        uncertain: uncertain || outcome.may_be_applied(),
        wait: wait(attempts, evidence.outage),
    }
}

/// Whether the system was reached so many times in vain. None of them counts
/// against a record while others fail the same way.
pub(super) fn is_in_vain(outcome: Outcome, tries: u32) -> bool {
    outcome.is_vain_answer() && tries >= MAX_ATTEMPTS
}

/// How long a failed write rests, of which `jitter` takes a part. One that may
/// be applied yet is not looked up before `read_back` has passed.
pub(super) fn rest(
    wait: Duration,
    in_doubt: bool,
    read_back: Duration,
    jitter: impl FnOnce(Duration) -> Duration,
) -> Duration {
    let rest = wait / 2 + jitter(wait / 2);
    if in_doubt { rest.max(read_back) } else { rest }
}

/// How long a write rests that may have been carried out before a pass began: of a
/// short `patience` a half, or the pass would end before, and so each that follows.
pub(super) fn first_rest(read_back: Duration, patience: Duration) -> Duration {
    read_back.min(patience / 2)
}

/// Exponential, bounded; longer while the system is in trouble.
pub(super) fn wait(attempts: u32, outage: bool) -> Duration {
    let steps = ExponentialBuilder::default()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_factor(2.0)
        .without_max_times()
        .build();
    let step = if outage { 4 } else { attempts.saturating_sub(1) };
    let mut steps = steps.skip(usize::try_from(step).unwrap_or(usize::MAX));
    steps.next().unwrap_or(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Evidence = Evidence { outage: false, others_succeed: false };
    const OTHERS_FINE: Evidence = Evidence { outage: false, others_succeed: true };
    const OUTAGE: Evidence = Evidence { outage: true, others_succeed: false };

    #[test]
    fn the_first_rest_ends_within_a_short_patience() {
        let seconds = Duration::from_secs;
        for (read_back, patience, rests) in [(5, 120, 5), (5, 10, 5), (5, 8, 4), (60, 30, 15)] {
            assert_eq!(first_rest(seconds(read_back), seconds(patience)), seconds(rests));
        }
    }

    #[test]
    fn every_outcome_has_its_consequence() {
        for outcome in Outcome::ALL {
            let verdict = verdict(outcome, 0, false, OTHERS_FINE);
            let text = match verdict {
                Verdict::Retry { attempts, uncertain, .. } => {
                    format!("retry, counts {attempts}, look up {uncertain}")
                }
                Verdict::GiveUp => "give up".into(),
                Verdict::StopTable => "stop the table".into(),
                Verdict::StopFlow => "stop the flow".into(),
            };
            let expected = match outcome {
                Outcome::Throttled | Outcome::NotSent => "retry, counts 0, look up false",
                Outcome::Unknown
                | Outcome::Unavailable
                | Outcome::ServerError
                | Outcome::Garbled
                | Outcome::TooLarge => "retry, counts 1, look up true",
                Outcome::VersionConflict => "retry, counts 1, look up false",
                Outcome::Refused | Outcome::Unauthenticated | Outcome::Foreign | Outcome::Spent => {
                    "stop the flow"
                }
                Outcome::Setup
                | Outcome::Missing
                | Outcome::DuplicateKey
                | Outcome::CursorExpired
                | Outcome::BadRecord => "give up",
            };
            assert_eq!(text, expected, "{outcome:?}");
        }
    }

    #[test]
    fn an_outage_uses_up_no_attempts() {
        for outcome in [Outcome::ServerError, Outcome::Unknown, Outcome::Unavailable] {
            let verdict = verdict(outcome, 5, false, OUTAGE);
            assert!(matches!(verdict, Verdict::Retry { attempts: 5, .. }), "{outcome:?}");
        }
        let alone = verdict(Outcome::Unavailable, 5, false, ALONE);
        assert!(matches!(alone, Verdict::Retry { attempts: 5, .. }));
    }

    #[test]
    fn a_record_that_fails_alone_is_given_up_in_the_end() {
        assert_eq!(verdict(Outcome::ServerError, MAX_ATTEMPTS - 1, true, ALONE), Verdict::GiveUp);
        assert_eq!(verdict(Outcome::Unknown, MAX_ATTEMPTS - 1, true, OTHERS_FINE), Verdict::GiveUp);
    }

    #[test]
    fn a_table_stops_when_nobodys_write_is_understood() {
        assert_eq!(verdict(Outcome::Setup, 0, false, OUTAGE), Verdict::StopTable);
    }

    #[test]
    fn a_doubt_about_an_earlier_attempt_stays() {
        let verdict = verdict(Outcome::NotSent, 0, true, ALONE);
        assert!(matches!(verdict, Verdict::Retry { uncertain: true, .. }));
    }

    #[test]
    fn answers_that_nobody_understands_end_it_and_silence_is_left_to_patience() {
        let ends = |outcome: &Outcome| is_in_vain(*outcome, MAX_ATTEMPTS);
        let ended: Vec<_> = Outcome::ALL.into_iter().filter(ends).collect();
        assert_eq!(ended, [Outcome::VersionConflict, Outcome::Garbled, Outcome::TooLarge]);
        assert!(!is_in_vain(Outcome::Garbled, MAX_ATTEMPTS - 1));
    }

    #[test]
    fn a_write_in_doubt_rests_until_it_must_have_been_applied() {
        let read_back = Duration::from_secs(5);
        let rests = |in_doubt, seconds| {
            let half = |of: Duration| of / 2;
            rest(Duration::from_secs(seconds), in_doubt, read_back, half).as_millis()
        };
        assert_eq!([rests(true, 4), rests(true, 8)], [5000, 6000]);
        assert_eq!([rests(false, 4), rests(false, 8)], [3000, 6000]);
    }

    #[test]
    fn waits_double_and_end_at_the_longest() {
        let waits: Vec<u128> = (1..9).map(|n| wait(n, false).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    }
}
