//! Words that events and log files share: the kinds of event, why an e-mail
//! came back, and the forms of a time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::spec::UnsureBounces;
use crate::model::EventKind;

/// Epoch numbers below this are seconds, above it milliseconds: as
/// milliseconds it is in 1973, as seconds in the year 5138.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// The kind that a word usually names: `Sent`, `email-open`,
/// `com.example.campaign.email.clicked`. Looks at the last word only.
pub(super) fn kind_word(text: &str) -> Option<EventKind> {
    let last = text.rsplit(|c: char| !c.is_ascii_alphanumeric()).find(|word| !word.is_empty())?;
    match last.to_ascii_lowercase().as_str() {
        "send" | "sends" | "sent" | "emailsend" | "emailsent" => Some(EventKind::Send),
        "open" | "opens" | "opened" | "emailopen" | "emailopened" => Some(EventKind::Open),
        "click" | "clicks" | "clicked" | "emailclick" | "emailclicked" => Some(EventKind::Click),
        "bounce" | "bounces" | "bounced" | "emailbounce" | "emailbounced" => {
            Some(EventKind::Bounce)
        }
        _ => None,
    }
}

/// Reasons after which Campaign does not try the address again.
const HARD: &[&str] = &[
    "1",
    "user_unknown",
    "unknown_user",
    "7",
    "address_empty",
    "empty_address",
    "address_not_specified",
    "address_undefined",
    "8",
    "address_on_denylist",
    "on_denylist",
    "denylist",
    "denylisted",
    "denylisted_address",
    "address_on_blacklist",
    "on_blacklist",
    "blacklist",
    "blacklisted",
    "blacklisted_address",
    "9",
    "quarantined_address",
    "address_quarantined",
    "quarantined",
    "quarantine",
];

/// Reasons that may pass.
const SOFT: &[&str] =
    &["0", "not_defined", "undefined", "2", "invalid_domain", "5", "mailbox_full", "expired"];

/// Reasons for which the e-mail was never sent, or which say nothing of the
/// address.
const IGNORED: &[&str] = &[
    "6",
    "not_connected",
    "10",
    "duplicate",
    "25",
    "error_ignored",
    "11",
    "typology_rule",
    "12",
    "business_ranking",
    "14",
    "quality",
    "15",
    "unchecked",
    "16",
    "offer_missing",
    "17",
    "over_delivery_limit",
    "127",
    "control_group",
    "cancelled",
    "text_too_long",
    "too_long",
    "character_not_supported_by_encoding",
    "untranslatable",
];

/// What a failed e-mail is to Dynamics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bounce {
    /// A hard bounce: an event.
    Hard,
    /// A soft one, or one that is not known to be hard.
    Soft,
    /// No bounce: the e-mail was never meant to leave.
    Ignored,
}

/// How hard a bounce is (Campaign sheet, 5.2 and 5.4). `reason` is a label, a
/// number, or a word of the public XDM schema of mutation events; `quarantined` whether Campaign put the
/// address into quarantine. What says neither is taken at its word.
pub(crate) fn bounce(
    reason: Option<&str>,
    quarantined: Option<bool>,
    unsure: UnsureBounces,
) -> Bounce {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    let Some(reason) = reason.map(plain) else {
        return match quarantined {
            Some(quarantined) => by_flag(Some(quarantined), unsure),
            None => Bounce::Hard,
        };
    };
    let is_in = |words: &[&str]| words.contains(&reason.as_str());
    if is_in(HARD) {
        Bounce::Hard
    } else if is_in(SOFT) {
        Bounce::Soft
    } else if is_in(IGNORED) {
        Bounce::Ignored
    } else {
        by_flag(quarantined, unsure)
    }
}

fn by_flag(quarantined: Option<bool>, unsure: UnsureBounces) -> Bounce {
    match (unsure, quarantined) {
        (UnsureBounces::Hard, _) | (UnsureBounces::Quarantined, Some(true)) => Bounce::Hard,
        (UnsureBounces::Soft | UnsureBounces::Quarantined, _) => Bounce::Soft,
    }
}

/// `Address on denylist` → `address_on_denylist`.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

/// A time as text: ISO 8601 with an offset, Campaign's `2018-05-17
/// 08:44:49.366Z`, or digits since 1970. Without an offset it is in UTC.
pub(super) fn time_of(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return time_of_number(number);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let civil: DateTime = text.parse().ok()?;
    // A date alone is no moment.
    let has_time = text.contains(['T', 't', ' ']);
    civil.to_zoned(TimeZone::UTC).ok().filter(|_| has_time).map(|time| time.timestamp())
}

/// Seconds or milliseconds since 1970; none before that.
pub(super) fn time_of_number(number: i64) -> Option<Timestamp> {
    if number < 0 {
        return None;
    }
    if number < SECONDS_BELOW {
        return Timestamp::from_second(number).ok();
    }
    Timestamp::from_millisecond(number).ok()
}
