//! Which flow and which run of it.

use std::fmt;

/// One of the three flows. Matched exhaustively: a new flow must be handled
/// everywhere before it compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Flow {
    /// Dynamics tables to Campaign resources.
    Ingress,
    /// Campaign e-mail events to Dynamics activities.
    Egress,
    /// Opt-out flags, one way or both.
    Optout,
}

impl Flow {
    /// All flows, in the order in which commands show them.
    pub(crate) const ALL: [Self; 3] = [Self::Ingress, Self::Egress, Self::Optout];

    /// The name in commands, logs and the store.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Optout => "optout",
        }
    }

    /// The flow of this name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.as_str() == text)
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number of one run of one flow, rising over the life of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunId(pub(crate) i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
