//! One page of a journal.
//!
//! Owns: the parameters of a request, how much fits into a reply, and the
//! links. Knows nothing of who may ask.

use http::StatusCode;
use jiff::{SpanRelativeTo, Timestamp};

use super::store::Journal;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, ListMarks, Reply};

/// Most bytes of events in one reply.
const MOST_BYTES: usize = 1_500_000;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With the oldest event that is kept; nothing was asked for.
    Oldest,
    /// Behind the event of this number.
    After(u64),
    /// Behind a position that is no longer kept.
    Expired(String),
}

/// What a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) start: Start,
    /// Most events.
    limit: Option<u64>,
}

impl Asked {
    /// The number of the event before the first that is told.
    pub(super) fn after(&self, journal: &Journal) -> u64 {
        match &self.start {
            Start::After(number) => *number,
            Start::Oldest | Start::Expired(_) => journal.expired(),
        }
    }
}

/// Reads the parameters; the text says what is wrong with them.
pub(super) fn asked(journal: &Journal, call: &Call, now: i64) -> Result<Asked, String> {
    let limit = match call.param("limit") {
        None => None,
        Some(text) => match text.parse() {
            Ok(limit) if limit > 0 => Some(limit),
            Ok(_) | Err(_) => return Err("limit must be a positive integer.".to_owned()),
        },
    };
    let start = match (call.param("since"), call.param("seek"), call.param("latest")) {
        (Some(_), Some(_), _) => return Err("since and seek exclude each other.".to_owned()),
        (Some(position), None, _) => match journal.number(position) {
            Some(number) if journal.expired() > 0 && number <= journal.expired() => {
                Start::Expired(position.to_owned())
            }
            Some(number) => Start::After(number),
            None => return Err("since is no position of this journal.".to_owned()),
        },
        (None, Some(seek), _) => {
            let moment = moment(seek, now)
                .ok_or_else(|| "seek must be a negative ISO 8601 duration.".to_owned())?;
            Start::After(journal.before(moment))
        }
        (None, None, Some("true")) => Start::After(journal.end()),
        (None, None, Some("false") | None) => Start::Oldest,
        (None, None, Some(_)) => return Err("latest must be true or false.".to_owned()),
    };
    Ok(Asked { start, limit })
}

/// The point in time that lies a negative duration from now.
fn moment(seek: &str, now: i64) -> Option<i64> {
    let span: jiff::Span = seek.parse().ok()?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let moment = Timestamp::from_millisecond(now).ok()?.checked_add(length).ok()?;
    length.is_negative().then(|| moment.as_millisecond())
}

/// The events behind the start, or 204.
pub(super) fn page(journal: &Journal, asked: &Asked, variants: Variants) -> Reply {
    let after = asked.after(journal);
    let most = asked.limit.unwrap_or_else(|| u64::from(variants.journal_batch));
    let mut body = br#"{"events":["#.to_vec();
    let start = body.len();
    let mut ranges = Vec::new();
    let mut last = after;
    while u64::try_from(ranges.len()).unwrap_or(u64::MAX) < most {
        let Some(entry) = journal.get(last + 1) else { break };
        let position = journal.position(last + 1);
        let row = format!(r#"{{"position":"{position}","event":{}}}"#, entry.event);
        if !ranges.is_empty() && body.len() + row.len() > MOST_BYTES {
            break;
        }
        if !ranges.is_empty() {
            body.push(b',');
        }
        let from = body.len();
        body.extend_from_slice(row.as_bytes());
        ranges.push(from..body.len());
        last += 1;
    }
    let (Some(first), Some(end)) = (ranges.first(), ranges.last()) else {
        return nothing(journal, asked, variants);
    };
    let marks = ListMarks { start, first: first.clone(), last: end.clone() };
    let (position, count) = (journal.position(last), ranges.len());
    body.extend_from_slice(
        format!(r#"],"_page":{{"last":"{position}","count":{count}}}}}"#).as_bytes(),
    );
    let mut reply = Reply::new(StatusCode::OK, "application/json", body);
    reply.rows = Some(count);
    reply.marks = Some(marks);
    linked(reply, journal, Some(&position), asked.limit, variants)
}

/// 204: nothing newer. Without a parameter the journal is empty, and then the
/// reply does not say when to come again.
fn nothing(journal: &Journal, asked: &Asked, variants: Variants) -> Reply {
    let reply = Reply::empty(StatusCode::NO_CONTENT);
    match &asked.start {
        Start::After(number) => {
            let position = journal.position(*number);
            let wait = variants.journal_retry_after.to_string();
            linked(
                reply.with("retry-after", &wait),
                journal,
                Some(&position),
                asked.limit,
                variants,
            )
        }
        Start::Oldest | Start::Expired(_) => linked(reply, journal, None, asked.limit, variants),
    }
}

/// The reply with its links, one header each unless the variant joins them.
fn linked(
    reply: Reply,
    journal: &Journal,
    since: Option<&str>,
    limit: Option<u64>,
    variants: Variants,
) -> Reply {
    let place = journal.place();
    let since = since.map(|position| format!("since={position}"));
    let limit = limit.map(|limit| format!("limit={limit}"));
    let query = |parts: &[&Option<String>]| {
        let parts: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    };
    let behind = query(&[&since]);
    let links = [
        ("next", format!("/events-fast/{place}{}", query(&[&since, &limit]))),
        ("events", format!("/events/{place}")),
        ("count", format!("/count/{place}{behind}")),
        ("latest", format!("/events/{place}?latest=true")),
        ("page", format!("/events/{place}?since={{position}}&limit={{count}}")),
        ("seek", format!("/events/{place}?seek={{duration}}&limit={{count}}")),
        ("validate", format!("/events-validate/{place}{behind}")),
    ];
    // The guide's 204 shows two of them.
    let shown = |rel: &str| reply.status == StatusCode::OK || rel == "next" || rel == "validate";
    let links: Vec<String> = links
        .iter()
        .filter(|(rel, _)| shown(rel))
        .map(|(rel, target)| format!("<{target}>; rel=\"{rel}\""))
        .collect();
    if variants.journal_links_joined {
        return reply.with("link", &links.join(", "));
    }
    links.iter().fold(reply, |reply, link| reply.and("link", link))
}
