//! Host pinning: the only way from text to an address we send to.
//!
//! Owns: the comparison of a URL with the configured origin. Must not know what
//! is behind a URL. A link that a remote hands us is data until it passed here
//! (server-side request forgery, token leak).

use std::fmt;
use std::sync::Arc;

use url::Url;

/// Longest URL taken, in bytes. Dataverse takes 32,768 characters for a GET.
/// Source: dp/webapi/compose-http-requests-handle-errors.md.
const MAX_URL_BYTES: usize = 65_536;

/// Scheme, host, port and path prefix of a configured base URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Origin(Arc<Pin>);

#[derive(PartialEq, Eq)]
struct Pin {
    /// The base, its path ending in `/`, without query, fragment, userinfo.
    base: Url,
    /// `scheme://host[:port]`, lower case.
    origin: String,
    /// The same with the scheme's default port spelled out, where it is used.
    with_port: Option<String>,
}

/// An address of the configured system.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RemoteUrl {
    origin: Origin,
    url: Url,
}

/// A URL that does not belong to the configured system. Its text names hosts,
/// never paths or queries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL is not of the configured system {expected}: {reason}{}", found.as_ref().map(|f| format!(" (it names {f})")).unwrap_or_default())]
pub(crate) struct ForeignUrl {
    /// What is wrong with it.
    pub(crate) reason: &'static str,
    /// The configured origin.
    pub(crate) expected: String,
    /// The origin that the text names, where it names one.
    pub(crate) found: Option<String>,
}

impl Origin {
    /// Pins to `base`: its scheme, host, port and path. Userinfo, query and
    /// fragment of `base` are dropped.
    pub(crate) fn new(base: &Url) -> Self {
        let mut base = base.clone();
        base.set_query(None);
        base.set_fragment(None);
        // Neither can fail for a URL with a host; one without a host matches nothing.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        let origin = base.origin().ascii_serialization();
        let with_port = match (base.port(), base.port_or_known_default()) {
            (None, Some(port)) => Some(format!("{origin}:{port}")),
            (Some(_) | None, _) => None,
        };
        Self(Arc::new(Pin { base, origin, with_port }))
    }

    /// `scheme://host[:port]` without a path: also the resource that an Entra
    /// scope names. Source: dp/authenticate-oauth.md.
    pub(crate) fn as_str(&self) -> &str {
        &self.0.origin
    }

    /// Whether the origin is plain HTTP (a sandbox or a test).
    pub(crate) fn is_plain(&self) -> bool {
        self.0.base.scheme() == "http"
    }

    /// An address we built: a path with query, relative to the base or starting
    /// with the base's path (as [`RemoteUrl::path_and_query`] gives it).
    pub(crate) fn own(&self, path_and_query: &str) -> Result<RemoteUrl, ForeignUrl> {
        if scheme_of(path_and_query).is_some() {
            return Err(self.foreign("a path was expected, not a whole URL", path_and_query));
        }
        // Joining would leave them out, and the address would be another one.
        if climbs(path_and_query.split('?').next().unwrap_or_default()) {
            return Err(self.foreign("a part of the path is `.` or `..`", path_and_query));
        }
        self.handed(path_and_query)
    }

    /// An address that a remote gave us (next link, delta link, `next.href`,
    /// `href`, Location), absolute or relative, or one that was stored.
    pub(crate) fn handed(&self, text: &str) -> Result<RemoteUrl, ForeignUrl> {
        if let Some(reason) = suspicious(text) {
            return Err(self.foreign(reason, text));
        }
        if scheme_of(text).is_some() && !self.spelled_as_ours(text) {
            return Err(self.foreign("another scheme, host or port", text));
        }
        let Ok(url) = self.0.base.join(text) else {
            return Err(self.foreign("it cannot be parsed", text));
        };
        if url.origin() != self.0.base.origin()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(self.foreign("another scheme, host or port", text));
        }
        let prefix = self.0.base.path();
        if !url.path().starts_with(prefix) && url.path() != prefix.trim_end_matches('/') {
            return Err(self.foreign("a path outside the configured one", text));
        }
        // Stored without its host, it would name one of its own.
        if url.path().starts_with("//") {
            return Err(self.foreign("it names a host of its own", text));
        }
        if climbs(url.path()) {
            return Err(self.foreign("an encoded way out of the path", text));
        }
        Ok(RemoteUrl { origin: self.clone(), url })
    }

    /// Whether an absolute URL is spelled with our scheme, host and port. Done on
    /// the text, so that no parser's leniency decides.
    fn spelled_as_ours(&self, text: &str) -> bool {
        let spellings = [Some(&self.0.origin), self.0.with_port.as_ref()];
        spellings.into_iter().flatten().any(|ours| {
            text.get(..ours.len()).is_some_and(|start| start.eq_ignore_ascii_case(ours))
                && matches!(text.as_bytes().get(ours.len()), None | Some(b'/' | b'?'))
        })
    }

    fn foreign(&self, reason: &'static str, text: &str) -> ForeignUrl {
        let found = Url::parse(text).ok().or_else(|| self.0.base.join(text).ok());
        let found = found
            .map(|url| url.origin().ascii_serialization())
            .filter(|found| *found != self.0.origin);
        ForeignUrl {
            reason,
            expected: self.0.origin.clone(),
            found: found.map(|f| f.chars().take(100).collect()),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin)
    }
}

impl RemoteUrl {
    /// Path and query: what may be stored. It cannot name a host, and
    /// [`Origin::handed`] makes an address of it again.
    pub(crate) fn path_and_query(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// The whole address, for the transport.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Whose address it is.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Without the query: filters and keys in it may be personal data.
impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin.0.origin, self.url.path())
    }
}

/// The scheme, when the text starts with one (RFC 3986, 3.1).
fn scheme_of(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))?;
    (text.as_bytes().get(end) == Some(&b':')).then(|| text.get(..end)).flatten()
}

/// Forms that parsers read differently; none occurs in an honest link.
fn suspicious(text: &str) -> Option<&'static str> {
    let before_query = text.split('?').next().unwrap_or(text);
    if text.len() > MAX_URL_BYTES {
        Some("too long")
    } else if text.is_empty() {
        Some("empty")
    } else if text.contains(|c: char| c.is_control())
        || text.trim() != text
        || before_query.contains(char::is_whitespace)
    {
        Some("blanks or control characters")
    } else if before_query.contains('\\') {
        Some("a backslash")
    } else if text.contains('#') {
        Some("a fragment")
    } else if text.starts_with("//") {
        Some("it names a host of its own")
    } else {
        None
    }
}

/// Whether a path leaves its place once a server decodes `%2e`, `%2f`, `%5c`
/// (also encoded twice).
fn climbs(path: &str) -> bool {
    let climbs =
        |text: &str| text.split(['/', '\\']).any(|segment| segment == ".." || segment == ".");
    if !path.contains('%') {
        return climbs(path);
    }
    let mut text = path.to_ascii_lowercase();
    for _ in 0..3 {
        if climbs(&text) {
            return true;
        }
        text =
            text.replace("%25", "%").replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\");
    }
    climbs(&text)
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
