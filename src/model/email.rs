//! What happened to an e-mail, whichever source told of it.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use super::record::RecordId;

/// The name space of activity ids. It never changes: the same event must get
/// the same id from every store and every version of the program.
const ACTIVITIES: Uuid = Uuid::from_u128(0x7d1c_2f3a_94b6_4c5e_8a0f_5e6b_31c9_d274);

/// The four kinds of event, one activity table each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EventKind {
    /// The e-mail was sent.
    Send,
    /// It was opened.
    Open,
    /// A URL in it was clicked.
    Click,
    /// It came back, for good.
    Bounce,
}

impl EventKind {
    /// All kinds, in the order in which commands show them.
    pub(crate) const ALL: [Self; 4] = [Self::Send, Self::Open, Self::Click, Self::Bounce];

    /// The name in the configuration, in logs and in the store.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Open => "open",
            Self::Click => "click",
            Self::Bounce => "bounce",
        }
    }

    /// The kind of this name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One event. Personal data: it stands in the store until it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmailEvent {
    /// What happened.
    pub(crate) kind: EventKind,
    /// Campaign's id of the event, or of the row in its logs.
    pub(crate) id: String,
    /// The recipient, as Campaign names it: the key of the profile.
    pub(crate) contact: String,
    /// When it happened, not when it was told.
    pub(crate) time: Timestamp,
    /// The campaign's name, where it has one.
    pub(crate) campaign: Option<String>,
    /// The delivery's name.
    pub(crate) delivery: Option<String>,
    /// The URL that was clicked.
    pub(crate) url: Option<String>,
    /// Where the e-mail can be looked at.
    pub(crate) mirror_page: Option<String>,
}

impl EmailEvent {
    /// The id of the activity: made of kind and id alone, so that both sources
    /// and every repetition lead to the same row. A log row that was sent and
    /// bounced later is two events. `name_space` tells Campaign instances apart
    /// that write to one environment; empty for the only one.
    pub(crate) fn activity(&self, name_space: &str) -> RecordId {
        let name = if name_space.is_empty() {
            format!("{}:{}", self.kind, self.id)
        } else {
            format!("{name_space}:{}:{}", self.kind, self.id)
        };
        Uuid::new_v5(&ACTIVITIES, name.as_bytes()).into()
    }
}

/// The id of a dead letter that is no event yet: made of what identifies it in
/// its source, so that it is one letter however often it is told.
pub(crate) fn letter_id(name_space: &str, source: &str, identity: &str) -> RecordId {
    let name = format!("{name_space}:unrecognised:{source}:{identity}");
    Uuid::new_v5(&ACTIVITIES, name.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, id: &str) -> EmailEvent {
        EmailEvent {
            kind,
            id: id.into(),
            contact: "someone".into(),
            time: Timestamp::UNIX_EPOCH,
            campaign: None,
            delivery: None,
            url: None,
            mirror_page: None,
        }
    }

    #[test]
    fn an_events_activity_has_the_same_id_for_ever() {
        let id = event(EventKind::Send, "4109a990").activity("");
        assert_eq!(id.to_string(), "bba92fa4-2eb4-5946-9d4a-a4cd047728d9");
    }

    #[test]
    fn a_row_that_was_sent_and_bounced_is_two_activities() {
        let sent = event(EventKind::Send, "7").activity("");
        assert_ne!(sent, event(EventKind::Bounce, "7").activity(""));
        assert_ne!(sent, event(EventKind::Send, "8").activity(""));
        assert_ne!(sent, event(EventKind::Send, "7").activity("stage"));
    }

    #[test]
    fn what_tells_of_an_event_again_may_differ_in_the_rest() {
        let told_again = EmailEvent {
            contact: "spelt otherwise".into(),
            campaign: Some("CMP1".into()),
            ..event(EventKind::Open, "9")
        };
        assert_eq!(told_again.activity(""), event(EventKind::Open, "9").activity(""));
    }
}
