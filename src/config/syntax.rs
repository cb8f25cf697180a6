//! Errors of the TOML syntax as problems. There is no tree to tell which text
//! is a secret, so that the lines themselves are judged, with caution.

use std::collections::BTreeSet;

use super::masks::is_secret_key;
use super::problem::position;
use super::tree::Doc;

/// Records the parser's errors, one for each line.
pub(super) fn problems(doc: &Doc<'_>, errors: &[toml::de::Error]) {
    mask_secret_lines(doc);
    let mut lines = BTreeSet::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        if lines.insert(position(doc.text(), span.start).0) {
            let message = error.message();
            let hint = if message.contains("duplicate") {
                "remove or rename one of the two"
            } else {
                "TOML takes one `key = value` a line, strings in double quotes, tables as `[name]`"
            };
            doc.problem(&span, "", message.lines().next().unwrap_or_default(), hint);
        }
    }
}

/// Masks every line that names a secret, what follows it up to the next table
/// header (it may be the rest of an unclosed text), every line inside a text
/// of several lines, and what may be a URL with a password or token.
fn mask_secret_lines(doc: &Doc<'_>) {
    let mut start = 0;
    let mut secret = false;
    let mut quoted = false;
    for line in doc.text().split_inclusive('\n') {
        let end = start + line.trim_end().len();
        if !quoted && is_header(line.trim()) {
            secret = false;
        }
        let named = line
            .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .any(|word| !word.is_empty() && is_secret_key(word));
        secret |= named;
        // A URL with user information or a query.
        let url = line.contains(['@', '?']);
        if (secret || quoted || url) && end > start {
            doc.mask(start..end);
        }
        let marks = line.matches("\"\"\"").count() + line.matches("'''").count();
        quoted ^= marks % 2 == 1;
        start += line.len();
    }
}

/// `[name]` or `[[name]]`, with nothing that a secret could be made of.
fn is_header(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default().trim();
    line.starts_with('[')
        && line.ends_with(']')
        && line.len() <= 40
        && line.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '[' | ']' | '.' | '_'))
}
