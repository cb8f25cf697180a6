//! From the JSON of one event to what it means: the configuration's pointers
//! and words first, else the default rules.

use jiff::Timestamp;
use serde_json::Value;

use super::spec::{KindWord, Pointer, Recognition};
use super::words::{Bounce, bounce, kind_word, time_of, time_of_number};
use super::xdm::{Body, Told, flag, word};
use crate::model::{EmailEvent, EventKind};

/// Longest id of an event or a contact, in bytes.
const MAX_ID_BYTES: usize = 512;

/// Longest name or URL, in bytes.
const MAX_TEXT_BYTES: usize = 8192;

/// Where the id of an event is, if nobody says: `CloudEvents`, then the older
/// forms (Campaign sheet, 9.2 and 9.5).
const IDS: [&str; 5] = ["/eventid", "/event_id", "/id", "/@id", "/header/msgId"];

/// Where a word for the kind is.
const KINDS: [&str; 4] = ["/type", "/header/_adobeio/eventCode", "/event_code", "/@type"];

/// Where the time is, if not in the content.
const TIMES: [&str; 4] =
    ["/time", "/header/originalTimestamp", "/header/createdAt", "/activitystreams:published"];

/// What an event that a source tells of comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// Dynamics is to hear of it.
    Event(EmailEvent),
    /// It is of a kind that Dynamics does not hear of, and why.
    Filtered(&'static str),
    /// No rule recognises it, or it lacks something; names places, never
    /// values.
    Unrecognised(String),
}

/// Why an event comes to nothing.
enum Stop {
    Filtered(&'static str),
    Unrecognised(String),
}

impl Recognition {
    /// What the event means.
    pub(crate) fn recognise(&self, event: &Value) -> Recognised {
        match self.event(event) {
            Ok(event) => Recognised::Event(event),
            Err(Stop::Filtered(reason)) => Recognised::Filtered(reason),
            Err(Stop::Unrecognised(reason)) => Recognised::Unrecognised(reason),
        }
    }

    fn event(&self, event: &Value) -> Result<EmailEvent, Stop> {
        let body = Body::of(event);
        let told = self.kind(event, body)?;
        if let Some(reason) = body.left_out() {
            return Err(Stop::Filtered(reason));
        }
        let kind = match told {
            KindWord::Ignore => return Err(Stop::Filtered("its kind is ignored")),
            KindWord::Kind(kind) if !self.events.contains(&kind) => {
                return Err(Stop::Filtered("its kind is switched off"));
            }
            KindWord::Kind(EventKind::Bounce) => {
                self.only_hard(event, body)?;
                EventKind::Bounce
            }
            KindWord::Kind(kind) => kind,
        };
        let at = &self.pointers;
        let text = |pointer: &Option<Pointer>, default: Option<&Value>| match pointer {
            Some(pointer) => optional(pointer.as_str(), event.pointer(pointer.as_str())),
            None => Ok(default.and_then(word).filter(|text| text.len() <= MAX_TEXT_BYTES)),
        };
        Ok(EmailEvent {
            kind,
            id: id(self.id_of(event)?)?,
            contact: id(self.contact(event, body)?)?,
            time: self.time(event, body)?,
            campaign: text(&at.campaign, body.campaign())?,
            delivery: text(&at.delivery, body.delivery())?,
            // Only a click has one.
            url: match kind {
                EventKind::Click => text(&at.url, body.url())?,
                EventKind::Send | EventKind::Open | EventKind::Bounce => None,
            },
            mirror_page: text(&at.mirror_page, body.mirror_page())?,
        })
    }

    fn kind(&self, event: &Value, body: Body<'_>) -> Result<KindWord, Stop> {
        let found = match &self.pointers.kind {
            Some(pointer) => {
                let place = pointer.as_str();
                Some((place, required(place, event.pointer(place))?))
            }
            None if self.kinds.is_empty() => match body.kind(self.unsure_bounces) {
                Told::Kind(kind) => return Ok(KindWord::Kind(kind)),
                Told::Filtered(reason) => return Err(Stop::Filtered(reason)),
                Told::Nothing => first(event, &KINDS),
            },
            None => first(event, &KINDS),
        };
        let Some((place, text)) = found else {
            return Err(Stop::Unrecognised(
                "nothing says what kind of event this is: set `pointers.kind` and `kinds` in [egress.journal]".to_owned(),
            ));
        };
        let kind = if self.kinds.is_empty() {
            kind_word(&text).map(KindWord::Kind)
        } else {
            self.kinds.get(&text).copied()
        };
        kind.ok_or_else(|| {
            Stop::Unrecognised(format!(
                "what `{place}` says is no kind of event: add it to `kinds` in [egress.journal], with \"ignore\" if Dynamics need not hear of it"
            ))
        })
    }

    /// Lets hard bounces pass.
    fn only_hard(&self, event: &Value, body: Body<'_>) -> Result<(), Stop> {
        let reason = match &self.pointers.reason {
            Some(pointer) => event.pointer(pointer.as_str()).and_then(word),
            None => body.reason(),
        };
        let quarantined = match &self.pointers.quarantine {
            Some(pointer) => event.pointer(pointer.as_str()).and_then(flag),
            None => body.quarantined(),
        };
        match bounce(reason.as_deref(), quarantined, self.unsure_bounces) {
            Bounce::Hard => Ok(()),
            Bounce::Soft => Err(Stop::Filtered("a soft bounce")),
            Bounce::Ignored => Err(Stop::Filtered("not a bounce")),
        }
    }

    fn id_of(&self, event: &Value) -> Result<(String, String), Stop> {
        if let Some(pointer) = &self.pointers.id {
            let place = pointer.as_str();
            return Ok((format!("`{place}`"), required(place, event.pointer(place))?));
        }
        let found = first(event, &IDS).map(|(place, text)| (format!("`{place}`"), text));
        found.ok_or_else(|| missing("id", &IDS))
    }

    /// What tells an event that is not recognised from any other: its id and
    /// its kind, as far as both are told where they are sure to be. One id may
    /// be that of all that became of a message.
    pub(crate) fn told_name(&self, event: &Value) -> Option<String> {
        let id = self.id_of(event).and_then(id).ok()?;
        let kind = match &self.pointers.kind {
            Some(pointer) => event.pointer(pointer.as_str()).and_then(word)?,
            None => match Body::of(event).kind(self.unsure_bounces) {
                Told::Kind(kind) => kind.as_str().to_owned(),
                Told::Filtered(_) | Told::Nothing => return None,
            },
        };
        Some(format!("{}:{kind}:{id}", kind.len()))
    }

    fn contact(&self, event: &Value, body: Body<'_>) -> Result<(String, String), Stop> {
        if let Some(pointer) = &self.pointers.contact {
            let place = pointer.as_str();
            return Ok((format!("`{place}`"), required(place, event.pointer(place))?));
        }
        let text = body.contact().and_then(word).ok_or_else(|| {
            Stop::Unrecognised(
                "nothing says who the contact is: set `pointers.contact` in [egress.journal]"
                    .to_owned(),
            )
        })?;
        // An identity is written as a URL.
        let last = text.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(("the contact".to_owned(), last))
    }

    fn time(&self, event: &Value, body: Body<'_>) -> Result<Timestamp, Stop> {
        let (place, value) = match &self.pointers.time {
            Some(pointer) => (pointer.as_str(), event.pointer(pointer.as_str())),
            None => match body.time() {
                Some(value) => ("timestamp", Some(value)),
                None => TIMES
                    .iter()
                    .find_map(|place| Some((*place, Some(event.pointer(place)?))))
                    .ok_or_else(|| missing("time", &TIMES))?,
            },
        };
        let value = value.filter(|value| !value.is_null()).ok_or_else(|| nothing_at(place))?;
        time(value).ok_or_else(|| {
            Stop::Unrecognised(format!(
                "`{place}` holds no time: neither ISO 8601 nor milliseconds since 1970"
            ))
        })
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => time_of(text),
        Value::Number(number) => {
            #[expect(clippy::cast_possible_truncation, reason = "parts of a millisecond")]
            let whole = number.as_i64().or_else(|| number.as_f64().map(|float| float as i64));
            whole.and_then(time_of_number)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The first of the places that holds a text or a number.
fn first<'p>(event: &Value, places: &[&'p str]) -> Option<(&'p str, String)> {
    places.iter().find_map(|place| Some((*place, event.pointer(place).and_then(word)?)))
}

fn missing(what: &str, places: &[&str]) -> Stop {
    let places: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
    Stop::Unrecognised(format!(
        "it has no {what} at {}: set `pointers.{what}` in [egress.journal]",
        places.join(", ")
    ))
}

fn nothing_at(place: &str) -> Stop {
    Stop::Unrecognised(format!("there is nothing at `{place}`"))
}

fn required(place: &str, value: Option<&Value>) -> Result<String, Stop> {
    optional(place, value)?.ok_or_else(|| nothing_at(place))
}

/// A text or number at a pointer of the configuration.
fn optional(place: &str, value: Option<&Value>) -> Result<Option<String>, Stop> {
    let Some(value) = value else { return Ok(None) };
    match value {
        Value::Null => return Ok(None),
        Value::String(_) | Value::Number(_) => {}
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(Stop::Unrecognised(format!("`{place}` holds neither text nor number")));
        }
    }
    let text = word(value);
    if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT_BYTES) {
        return Err(Stop::Unrecognised(format!(
            "`{place}` holds more than {MAX_TEXT_BYTES} bytes"
        )));
    }
    Ok(text)
}

/// What identifies something: short, and of characters that can be seen.
fn id((place, text): (String, String)) -> Result<String, Stop> {
    if text.is_empty() || text.len() > MAX_ID_BYTES || text.contains(char::is_control) {
        return Err(Stop::Unrecognised(format!(
            "{place} is no id: empty, longer than {MAX_ID_BYTES} bytes, or with control characters"
        )));
    }
    Ok(text)
}
