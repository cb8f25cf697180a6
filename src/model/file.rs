//! Files that Campaign exports: which ones are meant, and how they are written.
//! The export leaves all of that free (Campaign sheet, 8.1), so all of it is
//! told and nothing is guessed but compression and byte order marks.

use encoding_rs::Encoding;
use jiff::tz::TimeZone;

/// How a delimited text file is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FileFormat {
    /// One ASCII character.
    pub(crate) separator: u8,
    /// What values may stand in, if anything; one ASCII character.
    pub(crate) quote: Option<u8>,
    /// Of the text; a byte order mark overrides it.
    pub(crate) encoding: &'static Encoding,
    /// How dates and times are written.
    pub(crate) dates: DateForm,
    /// Whether the bytes are packed.
    pub(crate) compression: Compression,
    /// The zone of times that name none.
    pub(crate) time_zone: TimeZone,
}

impl Default for FileFormat {
    fn default() -> Self {
        Self {
            separator: b',',
            quote: Some(b'"'),
            encoding: encoding_rs::UTF_8,
            dates: DateForm::Xml,
            compression: Compression::Auto,
            time_zone: TimeZone::UTC,
        }
    }
}

/// Whether a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// By its first bytes: the server's monitoring packs files behind our back.
    Auto,
    /// Never.
    None,
    /// Always gzip.
    Gzip,
}

/// How dates are written. Between their parts may stand any one separator or
/// none; a year has four digits or two; a time of day may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateForm {
    /// `2024-05-06T07:08:09.123Z`, and its shorter forms.
    Xml,
    /// Digits in this order.
    Numeric([DatePart; 3]),
}

/// A part of a numeric date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatePart {
    /// Four digits, or two from 1970 to 2069.
    Year,
    /// Two digits.
    Month,
    /// Two digits.
    Day,
}

/// File names with `*` (any text) and `?` (any one character). The name of a
/// packed twin, with `.gz` behind it, is meant too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// A pattern that can be the name of a file.
    pub(crate) fn new(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > 255 {
            return Err("a pattern has 1 to 255 bytes");
        }
        if text.contains(|c: char| c == '/' || c.is_control()) {
            return Err("a pattern is of file names: neither `/` nor control characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// As written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a file of this name is meant.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let whole = glob(&self.0, name);
        whole || name.strip_suffix(".gz").is_some_and(|name| glob(&self.0, name))
    }
}

/// Whether a name is as a pattern with `*` and `?` says. In time proportional to
/// the product of the lengths, whatever the pattern: only the last `*` is ever
/// tried again.
pub(crate) fn glob(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let rest = name.clone();
        match (pattern.next(), name.next()) {
            (Some('*'), _) => {
                name = rest;
                retry = Some((pattern.clone(), name.clone()));
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {}
            (Some(_), _) | (None, Some(_)) => {
                let Some((after_star, mut taken)) = retry.take() else { return false };
                if taken.next().is_none() {
                    return false;
                }
                pattern = after_star.clone();
                name = taken.clone();
                retry = Some((after_star, taken));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_a_shell_would_make_of_it_and_packed_twins() {
        for (pattern, name, expected) in [
            ("delivery_log_*.csv", "delivery_log_20240506_070809.csv", true),
            ("delivery_log_*.csv", "delivery_log_.csv", true),
            ("delivery_log_*.csv", "delivery_log_1.csv.gz", true),
            ("delivery_log_*.csv", "delivery_log_1.csv.filepart", false),
            ("delivery_log_*.csv", "Delivery_log_1.csv", false),
            ("delivery_log_*.csv", "tracking_log_1.csv", false),
            ("*", "", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "aéc", true),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
            ("**", "x", true),
            ("a.csv", "aXcsv", false),
            ("[a].csv", "[a].csv", true),
            ("a*.gz", "ab.gz", true),
        ] {
            let found = Pattern::new(pattern).unwrap().matches(name);
            assert_eq!(found, expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_full_of_stars_is_matched_at_once() {
        let pattern = Pattern::new(&"*a".repeat(100)).unwrap();
        assert!(!pattern.matches(&"a".repeat(99)));
        assert!(pattern.matches(&"a".repeat(255)));
    }

    #[test]
    fn a_pattern_names_files_of_one_directory() {
        for text in ["", "a/b", "a\nb", "a\0", &"a".repeat(256)] {
            assert!(Pattern::new(text).is_err(), "{text:?}");
        }
    }
}
