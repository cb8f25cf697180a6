//! Which passes are worth a line.

use super::*;

#[test]
fn a_pass_is_worth_a_line_when_it_did_something_or_found_another_state() {
    let (ok, incomplete) = (RunOutcome::Ok, RunOutcome::Incomplete);
    let came = |outcome, [read, written, unchanged, pending]: [u64; 4]| Came {
        outcome,
        counts: Counts { read, written, unchanged, pending, ..Counts::default() },
        alike: 0,
    };
    // the pass before, the pass: read, written, unchanged, pending → news
    let cases = [
        ((ok, [0, 0, 0, 0]), (ok, [0, 0, 0, 0]), false),
        ((ok, [9, 9, 0, 0]), (ok, [0, 0, 0, 0]), false),
        ((ok, [0, 0, 0, 0]), (ok, [1, 1, 0, 0]), true),
        ((ok, [1, 1, 0, 0]), (ok, [1, 1, 0, 0]), true),
        ((ok, [0, 0, 0, 0]), (ok, [3, 0, 3, 0]), true),
        // A source whose windows overlap tells the same rows again.
        ((ok, [3, 0, 3, 0]), (ok, [3, 0, 3, 0]), false),
        ((ok, [4, 0, 3, 1]), (ok, [1, 0, 0, 1]), true),
        ((ok, [1, 0, 0, 1]), (ok, [1, 0, 0, 1]), false),
        ((incomplete, [2, 0, 0, 2]), (incomplete, [2, 0, 0, 2]), false),
        ((incomplete, [2, 0, 0, 2]), (incomplete, [3, 0, 0, 3]), true),
        ((RunOutcome::Failed, [0, 0, 0, 0]), (RunOutcome::Failed, [0, 0, 0, 0]), false),
        ((RunOutcome::Failed, [0, 0, 0, 0]), (ok, [0, 0, 0, 0]), true),
        ((ok, [0, 0, 0, 0]), (RunOutcome::Failed, [0, 0, 0, 0]), true),
    ];
    for (row, (before, next, news)) in cases.into_iter().enumerate() {
        let (before, next) = (came(before.0, before.1), came(next.0, next.1));
        assert_eq!(before.is_followed_by_news(&next), news, "row {row}");
    }
}

#[test]
fn idle_passes_are_told_as_configured_and_failures_once() {
    let told = |outcome, tell_idle| {
        let mut before = None;
        let tell = |_| {
            let (came, told) = Came::after(before, (outcome, Counts::default()), tell_idle);
            before = Some(came);
            told
        };
        (0..6).map(tell).collect::<Vec<_>>()
    };
    assert_eq!(told(RunOutcome::Ok, true), [true; 6]);
    assert_eq!(told(RunOutcome::Ok, false), [true, true, true, true, false, false]);
    for tell_idle in [true, false] {
        let once = [true, false, false, false, false, false];
        assert_eq!(told(RunOutcome::Failed, tell_idle), once);
    }
}
