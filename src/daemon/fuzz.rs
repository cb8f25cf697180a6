//! The fuzz target of this layer: what asks for the numbers.
#![allow(clippy::panic, clippy::unwrap_used, reason = "what fails here is what is looked for")]

use super::monitor::asked;

/// A request to `/metrics` or `/healthz`: taken only where it is whole and asks
/// for one of them; else one of three refusals.
pub(crate) fn scrape(data: &[u8]) {
    match asked(data) {
        Ok(asked) => {
            let text = String::from_utf8_lossy(data);
            let first = text.trim_start().lines().next().unwrap_or_default();
            let known = first.contains("/metrics") || first.contains("/healthz");
            assert!(known, "{first:?}: {asked:?}");
            assert!(first.starts_with("GET ") || first.starts_with("HEAD "), "{first:?}");
        }
        Err(status) => assert!(
            ["400 Bad Request", "404 Not Found", "405 Method Not Allowed"].contains(&status)
        ),
    }
}
