//! What was said about a flag: which no stands.

use crate::clock::Monotonic;

/// On which side somebody did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// In Dynamics.
    Dynamics,
    /// In Campaign.
    Campaign,
}

/// Something that was said about a flag: when by true time, where, and how many
/// were said before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) at: Monotonic,
    pub(super) side: Side,
    pub(super) number: u64,
    /// A yes, where the other side's no had arrived: it is the later one.
    pub(super) heard: bool,
}

/// The newest words of each kind and side about one flag.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Words {
    pub(super) no: [Option<Word>; 2],
    pub(super) yes: [Option<Word>; 2],
}

impl Words {
    /// The newest no that stands. Said on two sides at one time, it stands in any
    /// case.
    pub(super) fn no_that_stands(&self) -> Option<Word> {
        let lifted = |no: &Word| {
            self.yes.iter().flatten().any(|yes| {
                let after = (no.side == yes.side || yes.heard) && no.number < yes.number;
                no.at < yes.at || (no.at == yes.at && after)
            })
        };
        let standing = self.no.into_iter().flatten().filter(|no| !lifted(no));
        standing.max_by_key(|no| no.number)
    }

    /// The newest yes, wherever it was said.
    pub(super) fn newest_yes(&self) -> Option<Word> {
        self.yes.into_iter().flatten().max_by_key(|yes| yes.number)
    }
}
