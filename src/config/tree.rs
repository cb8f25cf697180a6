//! The file as a tree of values with places, walked key by key so that every
//! unknown key and every wrong type is found, not only the first.
//!
//! Each getter records its own problem and answers `None`; the reader goes on
//! with a default. Must not know what any key means; only, for a hint, in which
//! section it is at home.

use std::cell::RefCell;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::masks::{is_secret_key, mask_scalars, mask_secret};
use super::problem::{Problem, Problems, position};
use super::suggest::{listed, nearest};

/// What is collected while a file is walked.
pub(super) struct Doc<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
    masks: RefCell<Vec<Range<usize>>>,
}

impl<'t> Doc<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, problems: RefCell::default(), masks: RefCell::default() }
    }

    /// Records a problem at a span.
    pub(super) fn problem(
        &self,
        span: &Range<usize>,
        place: &str,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let (line, column) = position(self.text, span.start);
        self.problems.borrow_mut().push(Problem {
            place: place.to_owned(),
            line,
            column,
            problem: problem.into(),
            hint: hint.into(),
            span: span.clone(),
        });
    }

    pub(super) fn mask(&self, span: Range<usize>) {
        self.masks.borrow_mut().push(span);
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// All that was found.
    pub(super) fn finish(self) -> Problems {
        Problems::new(self.problems.into_inner(), self.masks.into_inner())
    }

    /// Whether nothing was found.
    pub(super) fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }
}

/// A value with its place.
#[derive(Clone)]
pub(super) struct Node<'d> {
    pub(super) doc: &'d Doc<'d>,
    pub(super) path: String,
    pub(super) span: Range<usize>,
    pub(super) value: &'d DeValue<'d>,
}

impl<'d> Node<'d> {
    /// Records a problem with this value.
    pub(super) fn problem(&self, problem: impl Into<String>, hint: impl Into<String>) {
        self.doc.problem(&self.span, &self.path, problem, hint);
    }

    /// Lets no output show this value.
    pub(super) fn mask(&self) {
        mask_scalars(self.doc, &self.span, self.value);
    }

    fn wrong_type(&self, wanted: &str, hint: &str) {
        let found = self.value.type_str();
        let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
        self.problem(format!("this is {article} {found}, it must be {wanted}"), hint);
    }

    pub(super) fn text(&self) -> Option<&'d str> {
        let found = self.value.as_str();
        if found.is_none() {
            self.wrong_type("a string", "write it in double quotes");
        }
        found
    }

    pub(super) fn flag(&self) -> Option<bool> {
        let found = self.value.as_bool();
        if found.is_none() {
            self.wrong_type("a boolean", "write `true` or `false`, without quotes");
        }
        found
    }

    /// An integer of the range.
    pub(super) fn integer(&self, allowed: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let hint = format!("a whole number from {} to {}", allowed.start(), allowed.end());
        let Some(integer) = self.value.as_integer() else {
            self.wrong_type("an integer", &format!("write {hint}, without quotes"));
            return None;
        };
        let number = as_i64(integer).filter(|number| allowed.contains(number));
        if number.is_none() {
            self.problem("this number is out of range", hint);
        }
        number
    }

    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let Some(list) = self.value.as_array() else {
            self.wrong_type("an array", "write it in brackets: `[ … ]`");
            return None;
        };
        let nodes = list.iter().enumerate().map(|(position, item)| Self {
            doc: self.doc,
            path: format!("{}[{position}]", self.path),
            span: item.span(),
            value: item.get_ref(),
        });
        Some(nodes.collect())
    }

    /// A table with whatever keys.
    pub(super) fn any_keys(&self) -> Option<Keys<'d>> {
        let Some(table) = self.value.as_table() else {
            self.wrong_type("a table", &format!("write it as `[{}]`", self.path));
            return None;
        };
        let (doc, path, span) = (self.doc, self.path.clone(), self.span.clone());
        Some(Keys { doc, path, span, table, known: &[] })
    }

    /// A table with these keys; any other is a problem.
    pub(super) fn keys(&self, known: &'static [&'static str]) -> Option<Keys<'d>> {
        let Some(table) = self.value.as_table() else {
            let known = listed(known.iter().copied());
            self.wrong_type("a table", &format!("write it in braces, with the keys {known}"));
            return None;
        };
        let (doc, path, span) = (self.doc, self.path.clone(), self.span.clone());
        let keys = Keys { doc, path, span, table, known };
        keys.refuse_unknown();
        Some(keys)
    }

    /// One of the words.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let hint = match nearest(text, words.iter().map(|(word, _)| *word)) {
                Some(word) => format!("did you mean `{word}`? "),
                None => String::new(),
            };
            let all = listed(words.iter().map(|(word, _)| *word));
            self.problem(
                format!("`{}` is not known here", shortened(text)),
                format!("{hint}one of {all}"),
            );
        }
        found
    }
}

/// The keys of a table.
pub(super) struct Keys<'d> {
    pub(super) doc: &'d Doc<'d>,
    pub(super) path: String,
    span: Range<usize>,
    table: &'d DeTable<'d>,
    known: &'static [&'static str],
}

impl<'d> Keys<'d> {
    /// The root of a document.
    pub(super) fn root(
        doc: &'d Doc<'d>,
        table: &'d DeTable<'d>,
        known: &'static [&'static str],
    ) -> Self {
        let keys = Self { doc, path: String::new(), span: 0..0, table, known };
        keys.refuse_unknown();
        keys
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn get(&self, key: &str) -> Option<Node<'d>> {
        let (_, value) = self.table.iter().find(|(found, _)| found.get_ref() == key)?;
        Some(Node {
            doc: self.doc,
            path: self.path_of(key),
            span: value.span(),
            value: value.get_ref(),
        })
    }

    /// The keys that are present.
    pub(super) fn present(&self) -> impl Iterator<Item = &'d str> {
        self.table.iter().map(|(key, _)| key.get_ref().as_ref())
    }

    /// A key that must be there; `example` is its whole line.
    pub(super) fn required(&self, key: &str, example: &str) -> Option<Node<'d>> {
        let found = self.get(key);
        if found.is_none() && !self.misspelt(key) {
            let what = if example.starts_with('[') { example } else { key };
            self.doc.problem(
                &self.span,
                &self.path_of(key),
                format!("`{what}` is missing"),
                format!("add `{example}`"),
            );
        }
        found
    }

    /// Whether an unknown key is there that will have been reported as a
    /// misspelling of `key`: one mistake is one problem.
    pub(super) fn misspelt(&self, key: &str) -> bool {
        let mut unknown = self.present().filter(|word| !self.known.contains(word));
        unknown.any(|word| nearest(word, self.known.iter().copied()) == Some(key))
    }

    /// Records a problem with the table as a whole.
    pub(super) fn problem(&self, problem: impl Into<String>, hint: impl Into<String>) {
        self.doc.problem(&self.span, &self.path, problem, hint);
    }

    /// Records a problem with a key, placed at the key itself.
    pub(super) fn problem_at(
        &self,
        key: &str,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let span = self
            .table
            .iter()
            .find(|(found, _)| found.get_ref() == key)
            .map_or_else(|| self.span.clone(), |(found, _)| found.span());
        self.doc.problem(&span, &self.path_of(key), problem, hint);
    }

    fn refuse_unknown(&self) {
        let known = self.known;
        for (key, value) in self.table {
            let word = key.get_ref().as_ref();
            if known.contains(&word) {
                if is_secret_key(word) {
                    mask_secret(self.doc, &value.span(), value.get_ref());
                }
                continue;
            }
            // It may be a misspelt secret.
            mask_scalars(self.doc, &value.span(), value.get_ref());
            let hint = match (nearest(word, known.iter().copied()), home_of(word)) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, Some(home)) => {
                    format!("`{word}` belongs to {home}; move it there")
                }
                (None, _) => format!("known here: {}", listed(known.iter().copied())),
            };
            self.problem_at(word, format!("unknown key `{}`", shortened(word)), hint);
        }
    }
}

/// Where a key belongs that stands in a wrong table: mostly one that was
/// written after the header of the next table.
fn home_of(key: &str) -> Option<&'static str> {
    match key {
        "tenant"
        | "username"
        | "password"
        | "certificate"
        | "authority_url"
        | "requests_per_5_minutes" => Some("`[dynamics]`"),
        "organization_id" | "scopes" | "ims_url" | "requests_per_second" => Some("`[campaign]`"),
        "requests_per_day" | "optout_share" => Some("`[dynamics]` and `[campaign]`"),
        "socket" | "jitter" | "idle_passes" => Some("`[daemon]`"),
        "path" => Some("`[store]`"),
        "schedule" | "table" => Some("`[ingress]`"),
        "events"
        | "source"
        | "prefix"
        | "complete_activities"
        | "contact_wait"
        | "name_space"
        | "unsure_bounces" => Some("`[egress]`"),
        "pointers" | "kinds" => Some("`[egress.journal]`"),
        "direction" | "rule" | "margin" | "clearing_guard" | "pairs" => Some("`[optout]`"),
        "host" | "port" | "user" | "private_key" | "known_hosts" => Some("`[campaign.sftp]`"),
        "delivery_log" | "tracking_log" | "settle_seconds" | "file_alarm" => {
            Some("`[egress.sftp]`")
        }
        "apply_deletes" | "tracking" | "language" | "delete_guard" | "fields" | "key" | "links"
        | "missing_parent" => Some("`[[ingress.table]]`"),
        "delete_filtered_out" | "rules" | "match" => Some("`filter` of `[[ingress.table]]`"),
        "on_null" | "on_empty" | "on_too_long" | "updates" | "replace" => {
            Some("an entry of `fields`")
        }
        "calls_per_run" | "repair" => Some("`[reconcile]`"),
        "dynamics" | "campaign" | "store" | "ingress" | "reconcile" | "egress" | "optout"
        | "metrics" | "daemon" => Some("the top of the file, as `[name]`"),
        _ => None,
    }
}

/// A number of the file, if it fits.
pub(super) fn as_i64(integer: &toml::de::DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A word of the file for a message.
pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
