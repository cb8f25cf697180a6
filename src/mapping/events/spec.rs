//! What the configuration says of how events are told: which member means
//! what, which words name which kind. Pure; must not know where events come
//! from.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::EventKind;

/// Largest JSON pointer of the configuration, in bytes.
pub(crate) const MAX_POINTER_BYTES: usize = 512;

/// A JSON pointer (RFC 6901) from the event's top, such as `/data/contact`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer(String);

impl Pointer {
    /// A pointer; none where the text is not one. The empty pointer, which
    /// means the event itself, is refused: no member is the whole event.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let mut escaped = text.split('~').skip(1);
        let valid = text.starts_with('/')
            && text.len() <= MAX_POINTER_BYTES
            && !text.contains(char::is_control)
            && escaped.all(|rest| rest.starts_with(['0', '1']));
        valid.then(|| Self(text.to_owned()))
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the members of an event are; none: where the default rules look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pointers {
    /// Campaign's id of the event.
    pub(crate) id: Option<Pointer>,
    /// What happened.
    pub(crate) kind: Option<Pointer>,
    /// The recipient: the profile's key.
    pub(crate) contact: Option<Pointer>,
    /// When it happened.
    pub(crate) time: Option<Pointer>,
    /// The campaign's name.
    pub(crate) campaign: Option<Pointer>,
    /// The delivery's name.
    pub(crate) delivery: Option<Pointer>,
    /// The URL that was clicked.
    pub(crate) url: Option<Pointer>,
    /// Where the e-mail can be looked at.
    pub(crate) mirror_page: Option<Pointer>,
    /// Why an e-mail came back.
    pub(crate) reason: Option<Pointer>,
    /// Whether the address is in quarantine.
    pub(crate) quarantine: Option<Pointer>,
}

/// What a word of the configuration's `kinds` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KindWord {
    /// An event of this kind.
    Kind(EventKind),
    /// Nothing that Dynamics is to hear of.
    Ignore,
}

/// What becomes of a bounce whose reason Campaign's tables call hard or soft,
/// "depending on the provider's answer" (Campaign sheet, 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UnsureBounces {
    /// Hard where Campaign has put the address into quarantine.
    #[default]
    Quarantined,
    /// Always hard.
    Hard,
    /// Never.
    Soft,
}

/// How the events of a source are recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recognition {
    /// Where the members are.
    pub(crate) pointers: Pointers,
    /// What the texts under `pointers.kind` mean; empty: the usual words.
    pub(crate) kinds: BTreeMap<String, KindWord>,
    /// The kinds that are switched on.
    pub(crate) events: BTreeSet<EventKind>,
    /// Bounces that may be either.
    pub(crate) unsure_bounces: UnsureBounces,
}
