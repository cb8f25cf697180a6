//! Whether a file on the server is complete, and what is left to do with it.
//! Pure: what is known of it and what the server shows → what it is now.
//!
//! Uploads are not atomic (Campaign sheet, 8.1). A file is complete when
//! nothing has changed for a while: by our own clock over several looks, or by
//! its own time, if that is not in the future, over two looks.

use std::time::Duration;

use jiff::Timestamp;

use crate::campaign::sftp::Stat;
use crate::store::{FileState, KnownFile};

/// What the configuration and the pass say.
#[derive(Clone, Copy, Debug)]
pub(super) struct LookRules {
    /// For how long nothing must have changed.
    pub(super) settle: Duration,
    /// Whether a marker is asked for, and is there.
    pub(super) marker: Option<bool>,
    /// The rules by which files are read: one that was refused by others is
    /// tried again.
    pub(super) rules: [u8; 32],
    /// Now.
    pub(super) now: Timestamp,
}

/// What a file is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It may still be written to.
    Young,
    /// It looks complete and was never seen before: another look decides.
    AskAgain,
    /// It is complete, and its rows are to be taken.
    Complete,
    /// All its rows are taken.
    Done,
    /// It was refused, and nothing has changed since.
    Refused,
}

/// Looks at a file.
pub(super) fn look(known: Option<&KnownFile>, shown: Stat, rules: &LookRules) -> Look {
    let same = known.filter(|known| known.size == shown.size && known.changed_s == shown.changed_s);
    match same.map(|known| known.state) {
        Some(FileState::Done) => return Look::Done,
        Some(FileState::Refused) if same.and_then(|known| known.digest) == Some(rules.rules) => {
            return Look::Refused;
        }
        // It was complete before.
        Some(FileState::Taking | FileState::Refused) => return Look::Complete,
        Some(FileState::Seen) | None => {}
    }
    match rules.marker {
        Some(true) => return Look::Complete,
        Some(false) => return Look::Young,
        None => {}
    }
    let seen_for = same.map(|known| seconds_between(known.still, rules.now));
    let settle = i64::try_from(rules.settle.as_secs()).unwrap_or(i64::MAX);
    if seen_for.is_some_and(|seconds| seconds >= settle) {
        return Look::Complete;
    }
    let unchanged_for = rules.now.as_second() - shown.changed_s;
    if unchanged_for < settle || shown.changed_s == 0 {
        return Look::Young;
    }
    if seen_for.is_some() { Look::Complete } else { Look::AskAgain }
}

/// Zero where the clock was put back.
fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;
    const RULES: [u8; 32] = [1; 32];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn known(state: FileState, still_ago: i64) -> KnownFile {
        KnownFile {
            name: "a".to_owned(),
            size: 10,
            changed_s: NOW - 500,
            still: at(NOW - still_ago),
            state,
            rows: 0,
            digest: (state == FileState::Refused).then_some(RULES),
            reason: None,
        }
    }

    fn looked(known: Option<&KnownFile>, size: u64, ago: i64, marker: Option<bool>) -> Look {
        let shown = Stat { size, changed_s: NOW - ago };
        let rules =
            LookRules { settle: Duration::from_mins(1), marker, rules: RULES, now: at(NOW) };
        look(known, shown, &rules)
    }

    #[test]
    fn a_file_is_complete_when_nothing_has_changed_for_a_while() {
        let seen = |ago| Some(known(FileState::Seen, ago));
        for (name, known, size, ago, expected) in [
            ("new, old time", None, 10, 500, Look::AskAgain),
            ("new, just written", None, 10, 5, Look::Young),
            ("new, time in the future", None, 10, -500, Look::Young),
            ("new, no time", None, 10, NOW, Look::Young),
            ("seen just now, old time", seen(1), 10, 500, Look::Complete),
            ("seen long ago, unchanged", seen(60), 10, 500, Look::Complete),
            ("grown, old time", seen(60), 11, 500, Look::AskAgain),
            ("grown, just now", seen(60), 11, 1, Look::Young),
            ("same size, written again", seen(60), 10, 1, Look::Young),
        ] {
            assert_eq!(looked(known.as_ref(), size, ago, None), expected, "{name}");
        }
    }

    #[test]
    fn a_file_from_the_future_is_complete_once_our_own_clock_says_so() {
        let future = |ago| KnownFile { changed_s: NOW + 900, ..known(FileState::Seen, ago) };
        assert_eq!(looked(Some(&future(59)), 10, -900, None), Look::Young);
        assert_eq!(looked(Some(&future(60)), 10, -900, None), Look::Complete);
        assert_eq!(looked(Some(&future(-500)), 10, -900, None), Look::Young, "clock put back");
    }

    #[test]
    fn a_marker_alone_decides_where_one_is_asked_for() {
        assert_eq!(looked(None, 10, 1, Some(true)), Look::Complete);
        assert_eq!(looked(None, 10, 500, Some(false)), Look::Young);
        let seen = known(FileState::Seen, 900);
        assert_eq!(looked(Some(&seen), 10, 500, Some(false)), Look::Young);
    }

    #[test]
    fn what_was_done_with_a_file_holds_until_it_changes() {
        for (state, expected) in [
            (FileState::Done, Look::Done),
            (FileState::Refused, Look::Refused),
            (FileState::Taking, Look::Complete),
        ] {
            let known = known(state, 900);
            assert_eq!(looked(Some(&known), 10, 500, None), expected);
            assert_eq!(looked(Some(&known), 11, 500, None), Look::AskAgain, "{state:?}, changed");
        }
        let by_other_rules = KnownFile { digest: Some([2; 32]), ..known(FileState::Refused, 900) };
        assert_eq!(looked(Some(&by_other_rules), 10, 500, None), Look::Complete);
    }
}
