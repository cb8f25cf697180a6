//! Reads that would never end: a page link that leads back, and empty pages
//! without end. Knows links as text only.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Pages without a row, one after the other, that are taken for no read at all.
const EMPTY_PAGES: u32 = 200;

/// What a run has seen of one table's pages.
#[derive(Debug, Default)]
pub(super) struct PageWatch {
    followed: HashSet<u64>,
    empty: u32,
}

impl PageWatch {
    /// Notes a page with so many rows. The text says why the read cannot go on.
    pub(super) fn rows(&mut self, rows: usize) -> Result<(), String> {
        self.empty = if rows == 0 { self.empty + 1 } else { 0 };
        if self.empty < EMPTY_PAGES {
            return Ok(());
        }
        Err(format!("{EMPTY_PAGES} pages came one after the other without a single row"))
    }

    /// Notes the link to the next page of the read with this number.
    pub(super) fn link(&mut self, read: (i64, u32), link: &str) -> Result<(), String> {
        let mut hasher = DefaultHasher::new();
        (read, link).hash(&mut hasher);
        if self.followed.insert(hasher.finish()) {
            return Ok(());
        }
        Err("the link to the next page leads back to a page that has been read".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_counts_once_in_a_read_and_empty_pages_only_in_a_row() {
        let mut watch = PageWatch::default();
        assert!(watch.link((1, 0), "a").is_ok());
        assert!(watch.link((1, 0), "b").is_ok());
        assert!(watch.link((2, 0), "a").is_ok());
        assert!(watch.link((1, 0), "a").is_err());
        for _ in 1..EMPTY_PAGES {
            assert!(watch.rows(0).is_ok());
        }
        assert!(watch.rows(1).is_ok() && watch.rows(0).is_ok());
        for _ in 2..EMPTY_PAGES {
            assert!(watch.rows(0).is_ok());
        }
        assert!(watch.rows(0).is_err());
    }
}
