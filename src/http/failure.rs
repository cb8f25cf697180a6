//! What can come of a request, and whose fault it is.
//!
//! Must not know tables or flows. A [`Failure`] may be logged and stored as it
//! is: it holds no secret, no URL and no quoted value.

use std::fmt;
use std::time::Duration;

use super::clean::clean;

/// The remote systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum System {
    /// Microsoft Dynamics 365 (Dataverse).
    Dynamics,
    /// Adobe Campaign.
    Campaign,
    /// Adobe I/O Events: the journal of Campaign's events.
    Journal,
}

impl System {
    /// `dynamics`, `campaign` or `journal`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dynamics => "dynamics",
            Self::Campaign => "campaign",
            Self::Journal => "journal",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What came of a request that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// 429 and its kin: refused for now, surely not applied. `Client::send`
    /// waits and repeats by itself; only a part of a batch shows it further up.
    Throttled,
    /// Surely not applied: DNS, connect or TLS failed.
    NotSent,
    /// Sent, and no complete answer came back: it may have been applied.
    Unknown,
    /// 408, 502, 503, 504, busy, locked: the system's trouble. May be applied.
    Unavailable,
    /// An unclassified 500: transient, but it counts on the record.
    ServerError,
    /// Credentials or privileges: a person must act (exit 3).
    Refused,
    /// 401. Becomes `Refused` when a fresh token does not help.
    Unauthenticated,
    /// The row is not there.
    Missing,
    /// A row with this key exists already.
    DuplicateKey,
    /// The row changed since it was read (412).
    VersionConflict,
    /// The delta token or journal position is too old: read all again.
    CursorExpired,
    /// This record's data is refused for good.
    BadRecord,
    /// Our URL, query, mapping or table is wrong: stops the table.
    Setup,
    /// A complete answer that is not what the protocol says. After a write it
    /// may have been applied.
    Garbled,
    /// A link or redirect to a host that is not configured.
    Foreign,
    /// More bytes than allowed, theirs or ours (413).
    TooLarge,
    /// Not sent: our own budget of the day is used up. Nobody's fault.
    Spent,
}

impl Outcome {
    /// All of them, for tables and tests.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 17] = [
        Self::Throttled,
        Self::NotSent,
        Self::Unknown,
        Self::Unavailable,
        Self::ServerError,
        Self::Refused,
        Self::Unauthenticated,
        Self::Missing,
        Self::DuplicateKey,
        Self::VersionConflict,
        Self::CursorExpired,
        Self::BadRecord,
        Self::Setup,
        Self::Garbled,
        Self::Foreign,
        Self::TooLarge,
        Self::Spent,
    ];

    /// A stable word for logs, metrics and the store.
    #[cfg(test)]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
            Self::Unavailable => "unavailable",
            Self::ServerError => "server_error",
            Self::Refused => "refused",
            Self::Unauthenticated => "unauthenticated",
            Self::Missing => "missing",
            Self::DuplicateKey => "duplicate_key",
            Self::VersionConflict => "version_conflict",
            Self::CursorExpired => "cursor_expired",
            Self::BadRecord => "bad_record",
            Self::Setup => "setup",
            Self::Garbled => "garbled",
            Self::Foreign => "foreign",
            Self::TooLarge => "too_large",
            Self::Spent => "spent",
        }
    }

    /// Whether the system was reached and answered, as it might for ever: patience,
    /// for which each answer is progress, does not end that.
    pub(crate) fn is_vain_answer(self) -> bool {
        matches!(self, Self::Garbled | Self::TooLarge | Self::VersionConflict)
    }

    /// Whether a write that ended so may have been applied all the same. A
    /// gateway's 502, 503 or 504 says nothing of what happened behind it (60 s
    /// gateway time-out; campaign sheet, section 14, point 8).
    pub(crate) fn may_be_applied(self) -> bool {
        match self {
            Self::Unknown
            | Self::Unavailable
            | Self::ServerError
            | Self::Garbled
            | Self::Foreign
            | Self::TooLarge => true,
            Self::Throttled
            | Self::NotSent
            | Self::Refused
            | Self::Unauthenticated
            | Self::Missing
            | Self::DuplicateKey
            | Self::VersionConflict
            | Self::CursorExpired
            | Self::BadRecord
            | Self::Setup
            | Self::Spent => false,
        }
    }
}

/// A request that did not succeed, for programs and for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Which system.
    pub(crate) system: System,
    /// What it means.
    pub(crate) outcome: Outcome,
    /// HTTP status, when there was an answer.
    pub(crate) status: Option<u16>,
    /// The vendor's code (`0x80040217`, `RST-360011`, `403023`, `AADSTS7000215`).
    pub(crate) code: Option<String>,
    /// The vendor's text, cleaned: one line, at most 300 characters, no quoted
    /// values and no addresses.
    pub(crate) message: String,
    /// The vendor's id of the exchange.
    pub(crate) request_id: Option<String>,
    /// How long the vendor asked to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the form of the words shows that the system itself said them, and
    /// not a proxy or gateway in front of it. Of Campaign only.
    pub(crate) own_words: bool,
}

impl Failure {
    /// A failure found on our side of the wire; `message` is cleaned.
    pub(crate) fn new(system: System, outcome: Outcome, message: &str) -> Self {
        Self {
            system,
            outcome,
            status: None,
            code: None,
            message: clean(message),
            request_id: None,
            retry_after: None,
            own_words: false,
        }
    }

    /// A failure in our own words, which hold names and no remote value: they
    /// are kept as they are.
    pub(crate) fn ours(system: System, outcome: Outcome, text: String) -> Self {
        Self { message: text, ..Self::new(system, outcome, "") }
    }

    /// Whether nothing went wrong but that the budget of the day is used up: told
    /// once, where that is found.
    pub(crate) fn is_spent(&self) -> bool {
        self.outcome == Outcome::Spent
    }

    /// A complete answer that does not hold what the protocol says. `what` is
    /// our own text, for instance a JSON path; never a remote value.
    pub(crate) fn garbled(system: System, what: &str, request_id: Option<String>) -> Self {
        Self { request_id, ..Self::new(system, Outcome::Garbled, what) }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.system, self.message)?;
        let status = self.status.map(|status| format!("HTTP {status}"));
        let code = self.code.as_ref().map(|code| format!("code {code}"));
        let id = self.request_id.as_ref().map(|id| format!("request {id}"));
        let notes: Vec<String> = [status, code, id].into_iter().flatten().collect();
        if notes.is_empty() { Ok(()) } else { write!(f, " ({})", notes.join(", ")) }
    }
}
