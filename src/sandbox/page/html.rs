//! HTML that no data can break out of.
//!
//! Owns: escaping, and the frame of every page. Markup is a `'static` text of
//! this program, so that what comes from a row cannot be taken for it.

use http::StatusCode;

use crate::sandbox::wire::Reply;

const STYLE: &str = include_str!("style.css");

/// The pages in the head of each.
const TABS: [(&str, &str); 5] = [
    ("/_sandbox", "Overview"),
    ("/_sandbox/calls", "Calls"),
    ("/_sandbox/optouts", "Opt-outs"),
    ("/_sandbox/journal", "Journal"),
    ("/_sandbox/settings", "Faults and variants"),
];

/// No script, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A piece of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup of this program.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Any text, escaped; also good between the quotes of an attribute.
    pub(super) fn text(&mut self, text: impl AsRef<str>) -> &mut Self {
        for letter in text.as_ref().replace("\r\n", "\n").chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // HTML has no name for them, and browsers differ.
                letter if letter.is_control() && !matches!(letter, '\n' | '\t') => {
                    self.0.push('\u{fffd}');
                }
                letter => self.0.push(letter),
            }
        }
        self
    }

    /// A number with thousands.
    pub(super) fn number(&mut self, number: usize) -> &mut Self {
        let digits = number.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                self.0.push(',');
            }
            self.0.push(digit);
        }
        self
    }

    /// A link to one of the sandbox's pages.
    pub(super) fn link(&mut self, target: impl AsRef<str>, text: impl AsRef<str>) -> &mut Self {
        debug_assert!(target.as_ref().starts_with("/_sandbox"));
        self.raw("<a href=\"").text(target).raw("\">").text(text).raw("</a>")
    }

    /// Another piece.
    pub(super) fn add(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }
}

/// A page; `refresh` loads it again after so many seconds.
pub(super) fn page(title: &str, here: &str, refresh: Option<u8>, body: &Html) -> Reply {
    let mut out = Html::default();
    out.raw("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">");
    if let Some(seconds) = refresh {
        out.raw("<meta http-equiv=\"refresh\" content=\"").text(seconds.to_string()).raw("\">");
    }
    out.raw("<title>").text(title).raw(" · sandbox</title><style>").raw(STYLE);
    out.raw("</style></head><body><header><strong>cdsync sandbox</strong><nav>");
    for (target, name) in TABS {
        if target == here {
            out.raw("<a aria-current=\"page\" href=\"").text(target).raw("\">").text(name);
            out.raw("</a>");
        } else {
            out.link(target, name);
        }
    }
    out.raw("</nav></header><main>").add(body).raw("</main></body></html>\n");
    framed(StatusCode::OK, out)
}

/// A page that says what was wrong.
pub(super) fn refused(status: StatusCode, text: &str) -> Reply {
    let mut body = Html::default();
    body.raw("<h1>").text(status.canonical_reason().unwrap_or("Refused")).raw("</h1><p class=bad>");
    body.text(text).raw("</p>");
    let mut reply = page("Refused", "", None, &body);
    reply.status = status;
    reply
}

fn framed(status: StatusCode, html: Html) -> Reply {
    Reply::new(status, "text/html; charset=utf-8", html.0)
        .with("content-security-policy", POLICY)
        .with("x-content-type-options", "nosniff")
        .with("referrer-policy", "same-origin")
        .with("cache-control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_row_becomes_markup() {
        let mut html = Html::default();
        html.text("<script>alert('x')</script> & \"quoted\" \u{1b}[31m\u{0}");
        assert_eq!(
            html.0,
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot; \u{fffd}[31m\u{fffd}"
        );
    }

    #[test]
    fn numbers_have_thousands() {
        let mut html = Html::default();
        html.number(0).raw(" ").number(999).raw(" ").number(1_234_567);
        assert_eq!(html.0, "0 999 1,234,567");
    }
}
