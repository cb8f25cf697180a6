//! The fuzz targets: each gives any bytes to one parser of remote input and
//! asserts what holds of whatever comes out. Compiled for `cargo fuzz` and for
//! tests, which replay the kept inputs of `fuzz/corpus`; no part of the program.
//!
//! The functions lie beside the parsers (`fuzz.rs` of each layer), since these
//! are private; here are their list and what they share.
#![allow(clippy::panic, clippy::unwrap_used, reason = "what fails here is what is looked for")]

mod files;
#[cfg(test)]
mod tests;
mod texts;

use std::fmt::{Debug, Display};

/// What does something with an input, and fails where a promise is broken.
type Target = fn(&[u8]);

/// Every target by its name, which is also that of its folder in `fuzz/corpus`.
const TARGETS: &[(&str, Target)] = &[
    ("batch_reply", crate::dynamics::fuzz::batch_reply),
    ("body", crate::http::fuzz::body),
    ("campaign_metadata", crate::campaign::fuzz::metadata),
    ("campaign_page", crate::campaign::fuzz::page),
    ("config", texts::config),
    ("control", crate::cli::fuzz::control),
    ("cron", texts::cron),
    ("csv", files::csv),
    ("dynamics_metadata", crate::dynamics::fuzz::metadata),
    ("errors", crate::http::fuzz::errors),
    ("file_names", crate::campaign::sftp::fuzz::names),
    ("journal_event", texts::event),
    ("journal_page", crate::campaign::fuzz::journal),
    ("known_hosts", crate::campaign::sftp::fuzz::known_hosts),
    ("links", crate::campaign::fuzz::links),
    ("odata_page", crate::dynamics::fuzz::page),
    ("origin", crate::http::fuzz::origin),
    ("scrape", crate::daemon::fuzz::scrape),
    ("token", crate::http::fuzz::token),
    ("values", crate::mapping::fuzz::values),
];

/// Gives an input to a target.
///
/// # Panics
/// Where a promise is broken, or no target has this name.
pub fn run(target: &str, input: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, target) = found.unwrap_or_else(|| panic!("there is no target {target}"));
    target(input);
}

/// Stands in the kept inputs where personal data would: no error may show it.
pub(crate) const MARKER: &str = "Zaphod7";

/// What stands before and after the first empty line.
pub(crate) fn head_and_body(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.windows(2).position(|two| two == b"\n\n");
    at.map_or((data, &[]), |at| (&data[..at], &data[at + 2..]))
}

/// The first line and the rest.
pub(crate) fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n');
    at.map_or((data, &[]), |at| (&data[..at], &data[at + 1..]))
}

/// Fails where an error text of our own is not fit for a log, or shows the
/// marker, also to a programmer who prints all of it.
pub(crate) fn quiet(error: &(impl Display + Debug)) {
    clean(error);
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains(MARKER), "{text:?}");
    }
}

/// Fails where an error text is not fit for a log. A vendor's may hold words
/// that nobody knows to be a name.
pub(crate) fn clean(error: &impl Display) {
    let text = error.to_string();
    assert!(text.chars().count() <= 600, "{} characters", text.chars().count());
    assert!(!text.contains(char::is_control), "{text:?}");
    for word in text.split_whitespace() {
        assert!(!holds_address(word), "{text:?}");
    }
}

/// Whether an e-mail address of the plainest form is in it: letters or digits,
/// `@`, letters or digits, a point, letters.
fn holds_address(word: &str) -> bool {
    word.match_indices('@').any(|(at, _)| {
        let before = word[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let mut parts = word[at + 1..].split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
        let host = parts.next().unwrap_or_default();
        let (name, top) = host.split_once('.').unwrap_or_default();
        before && !name.is_empty() && top.starts_with(|c: char| c.is_ascii_alphabetic())
    })
}
