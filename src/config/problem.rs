//! A problem of the configuration: what, where, and what to do; and all of
//! them together. Must not know what any key means.

use std::fmt;
use std::ops::Range;

/// One problem, placed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "`problem` is the word of `check --json`")]
pub(crate) struct Problem {
    /// The key path, as in `ingress.table[0].fields[2].to`; empty for a
    /// problem of the file's syntax.
    pub(crate) place: String,
    /// Line of the file, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
    /// What is wrong. Never shows a value that may be secret.
    pub(crate) problem: String,
    /// A concrete remedy.
    pub(crate) hint: String,
    /// The bytes of the file that are meant.
    pub(super) span: Range<usize>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "{} ({})", self.problem, self.hint)
    }
}

/// All problems of one file, in the order of their places; never empty where
/// it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems {
    pub(super) list: Vec<Problem>,
    /// The bytes of the file that no output may show.
    pub(super) masks: Vec<Range<usize>>,
}

impl Problems {
    /// Puts the problems in order and drops repetitions.
    pub(super) fn new(mut list: Vec<Problem>, masks: Vec<Range<usize>>) -> Self {
        list.sort_by(|a, b| (a.line, a.column, &a.place).cmp(&(b.line, b.column, &b.place)));
        list.dedup();
        Self { list, masks }
    }

    /// One by one.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}

/// One line each.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.list.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Line and column (both from 1, the column in characters) of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}
