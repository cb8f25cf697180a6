//! The Adobe I/O Events journal: its addresses, its pages, its links (Campaign
//! sheet, 9.2 and 9.3). Gives events as they are told; must not know what they
//! mean nor where a position is kept.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Client, Failure, Origin, Outcome, Request, Response, System, json};

/// Most bytes of a page: the vendor's cap is 1.5 MB, and servers may count
/// differently.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// Longest position or link that is kept, in bytes.
pub(super) const MAX_LINK_BYTES: usize = 8192;

/// Longest wait that an empty answer may ask for.
pub(super) const MAX_QUIET: Duration = Duration::from_mins(10);

/// Reads one journal. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    client: Client,
    origin: Origin,
    path: String,
}

/// One answer of the journal.
#[derive(Clone, Debug)]
pub(crate) struct JournalPage {
    /// The events, as they are told; none: nothing is newer.
    pub(crate) events: Vec<Value>,
    /// Path and query of the next page.
    pub(crate) next: Option<String>,
    /// The position of the last event.
    pub(crate) last: Option<String>,
    /// How long to wait before asking again.
    pub(crate) quiet: Option<Duration>,
}

#[derive(Deserialize)]
struct Wire {
    events: Vec<Entry>,
    #[serde(rename = "_page", default)]
    page: Option<PageInfo>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    position: Option<String>,
    #[serde(default)]
    event: Value,
}

#[derive(Deserialize)]
struct PageInfo {
    #[serde(default)]
    last: Option<String>,
}

impl Journal {
    /// A journal over a connected client, whose origin must be that of `origin`.
    /// `path` is the journal's own; its links lead to other paths of the host.
    pub(crate) fn new(client: Client, origin: Origin, path: &str) -> Self {
        Self { client, origin, path: path.to_owned() }
    }

    /// The client's counters.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Where the oldest events are that are still kept.
    pub(crate) fn start(&self) -> String {
        self.path.clone()
    }

    /// Where nothing is told yet: events that are written from now on.
    pub(crate) fn end(&self) -> String {
        format!("{}?latest=true", self.path)
    }

    /// Where the events after a position are.
    pub(crate) fn since(&self, position: &str) -> String {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("since", position)
            .finish();
        format!("{}?{query}", self.path)
    }

    /// The page at a path with query: [`Self::start`], [`Self::since`], or the
    /// `next` of an earlier page.
    ///
    /// # Errors
    /// [`Outcome::CursorExpired`] where the position is older than what is kept;
    /// [`Outcome::Foreign`] where a link leads to another host.
    pub(crate) async fn page(&self, at: &str) -> Result<JournalPage, Failure> {
        let url = self.origin.own(at).map_err(|error| foreign(&error.to_string()))?;
        self.told(&self.client.read(Request::get(url).at_most(MAX_PAGE_BYTES)).await?)
    }

    /// What an answer tells.
    pub(super) fn told(&self, response: &Response) -> Result<JournalPage, Failure> {
        let next = self.next(response)?;
        if response.status == 204 || response.body.is_empty() {
            let quiet = response.retry_after.map(|wait| wait.min(MAX_QUIET));
            return Ok(JournalPage { events: Vec::new(), next, last: None, quiet });
        }
        let body = response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&response.body);
        if !json::is_within(body, json::MOST_VALUES) {
            return Err(garbled(response, "the page has more than 500000 parts"));
        }
        let page: Wire = serde_json::from_slice(body)
            .map_err(|_| garbled(response, "the answer is not a page of a journal"))?;
        let told = page.page.and_then(|page| page.last);
        let last = told.or_else(|| page.events.last()?.position.clone());
        if last.as_ref().is_some_and(|last| last.len() > MAX_LINK_BYTES) {
            return Err(garbled(response, "a position is longer than 8192 bytes"));
        }
        let events = page.events.into_iter().map(|entry| entry.event).collect();
        Ok(JournalPage { events, next, last, quiet: None })
    }

    /// Path and query of the link `next`, which may not leave the host.
    fn next(&self, response: &Response) -> Result<Option<String>, Failure> {
        let links = response.links.iter().flat_map(|header| links(header));
        let Some(target) = links.filter(|link| link.is("next")).map(|link| link.target).next()
        else {
            return Ok(None);
        };
        if target.len() > MAX_LINK_BYTES {
            return Err(garbled(response, "the link to the next page is longer than 8192 bytes"));
        }
        // A query alone means the journal's own path.
        let whole = if target.starts_with('?') {
            format!("{}{target}", self.path)
        } else {
            target.to_owned()
        };
        let url = self.origin.handed(&whole).map_err(|error| foreign(&error.to_string()))?;
        Ok(Some(url.path_and_query().to_owned()))
    }
}

fn foreign(text: &str) -> Failure {
    Failure::new(System::Journal, Outcome::Foreign, text)
}

/// A journal whose links cannot be followed to an end.
pub(crate) fn misled(what: &str) -> Failure {
    Failure::garbled(System::Journal, what, None)
}

fn garbled(response: &Response, what: &str) -> Failure {
    Failure::garbled(System::Journal, what, response.request_id.clone())
}

/// One link of a `Link` header (RFC 8288).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link<'h> {
    pub(super) target: &'h str,
    parameters: &'h str,
}

impl Link<'_> {
    /// Whether it has this relation.
    pub(super) fn is(&self, relation: &str) -> bool {
        unquoted(self.parameters, ';').into_iter().any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let value = value.trim().trim_matches(['"', '\'']);
            name.trim().eq_ignore_ascii_case("rel")
                && value.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(relation))
        })
    }
}

/// The links of one header value, of which there may be several, separated by
/// commas; those within a target or a quoted text separate nothing.
pub(super) fn links(header: &str) -> Vec<Link<'_>> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, tail)) = after.split_once('>') else { break };
        let parameters = unquoted(tail, ',').first().copied().unwrap_or_default();
        found.push(Link { target: target.trim(), parameters });
        rest = tail.get(parameters.len()..).unwrap_or_default();
    }
    found
}

/// The parts of a text between separators that stand in no quoted text.
fn unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return c == separator && !quoted,
        }
        false
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::links;

    /// The target of `next` in these header values.
    fn next<'h>(headers: &[&'h str]) -> Option<&'h str> {
        let all = headers.iter().flat_map(|header| links(header));
        all.filter(|link| link.is("next")).map(|link| link.target).next()
    }

    #[test]
    fn the_next_link_is_found_in_one_header_and_in_many() {
        let cases: &[(&[&str], Option<&str>)] = &[
            (&["</a?since=x>; rel=\"next\""], Some("/a?since=x")),
            (&["</a>; rel=\"events\"", "</b>;rel=next"], Some("/b")),
            (&["</a>; rel=\"events\", </b,c>; rel=\"next\", </d>; rel=\"page\""], Some("/b,c")),
            (&["</a>; title=\"x, <y>; rel=next\"; rel=\"page\", </b>; REL=\"next\""], Some("/b")),
            (&["<>; rel=next"], Some("")),
            (&["</a>; rel=\"page next\""], Some("/a")),
            (&["</a>; rel=\"nextly\""], None),
            (&["</a; rel=next"], None),
            (&["rel=next"], None),
            (&["", ","], None),
        ];
        for (headers, expected) in cases {
            assert_eq!(next(headers), *expected, "{headers:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_reading_links_panic(text in "[<>;,=\"'a/ \\\\é]{0,40}") {
            let _ = links(&text).iter().filter(|link| link.is("next")).count();
        }
    }
}
