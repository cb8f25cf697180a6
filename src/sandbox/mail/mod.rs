//! What Campaign's mailings bring about: sends, opens, clicks and bounces.
//!
//! Owns: the events as facts, told by the journal, by log files or by both, and
//! the list of activities that they must become. Written from campaign sheet
//! 5.2 to 5.4, 8.1 and 9.6.

pub(crate) mod control;
mod expect;
mod logs;
mod story;
mod xdm;

use uuid::Uuid;

pub use self::control::MailControl;
pub use self::expect::{EventIds, ExpectedActivity};
pub use self::logs::{LogDates, LogForm};
pub(super) use self::logs::{file, time};
pub use self::story::Mailing;

/// What happened to an e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailKind {
    /// It was sent.
    Send,
    /// It was opened.
    Open,
    /// A link in it was clicked.
    Click,
    /// It came back.
    Bounce,
}

impl MailKind {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Send, Self::Open, Self::Click, Self::Bounce];

    /// `send`, `open`, `click` or `bounce`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Open => "open",
            Self::Click => "click",
            Self::Bounce => "bounce",
        }
    }
}

/// What is to become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// An activity.
    Due,
    /// Nothing: it was a proof.
    Proof,
    /// Nothing: the address is a seed of the sender's own.
    Seed,
    /// Nothing: the bounce is a soft one.
    Soft,
    /// An activity once Dynamics has the contact, which it has not.
    Stranger,
    /// A dead letter: no rule knows this kind of event.
    Strange,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFact {
    /// What happened.
    pub kind: MailKind,
    /// What is to become of it.
    pub standing: Standing,
    /// The id of the row in Campaign's log of this kind.
    pub log_id: u64,
    /// The id of the e-mail's row in the delivery log.
    pub broad_log: u64,
    /// The unique id of the event in the journal.
    pub event_id: Uuid,
    /// The recipient's `externalId`.
    pub contact: String,
    /// When it happened, in milliseconds since 1970, whole seconds.
    pub at: i64,
    /// The campaign's name.
    pub campaign: String,
    /// The delivery's name.
    pub delivery: String,
    /// Why it came back, as Campaign's logs label it.
    pub reason: Option<&'static str>,
    /// The URL that was clicked.
    pub url: Option<String>,
    /// Where the e-mail can be looked at.
    pub mirror_page: String,
    /// Whether it corrects what was told before: the same row of the log, days
    /// later.
    pub late: bool,
}
