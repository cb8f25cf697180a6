//! What a changed mapping means for the records that Campaign holds: which of
//! them it can concern, told by the fingerprints of what they were sent. Pure.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::mapping::Ask;
use crate::store::{Fingerprint, KnownField, KnownTable, Told};

/// A change of a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// What changed, in words; empty if nothing that decides on records.
    pub(crate) parts: Vec<String>,
    /// The fields concerned.
    pub(crate) fields: Vec<String>,
    /// Which records it concerns.
    pub(crate) reach: Reach,
    /// Fields that the mapping did not have before, each with what an empty one
    /// is told: what Campaign holds there is not known, whatever it was told
    /// once.
    pub(crate) returned: BTreeMap<String, Told>,
    /// Whether records that could not be mapped may be so now.
    pub(crate) failed: bool,
}

/// The records that a change concerns: those that any part names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Why it may be any record, where nothing narrower can be said.
    pub(crate) all: Option<&'static str>,
    /// Those that were told this in a field.
    pub(crate) told: BTreeMap<String, Told>,
    /// The same by what Dynamics holds, and more, for when they are many.
    pub(crate) instead: Vec<Ask>,
    /// Those that Dynamics gives for one of these conditions.
    pub(crate) asks: Vec<Ask>,
    /// Those that go without one of these links.
    pub(crate) missed: Vec<String>,
    /// Those whose deletion waits: it may have another reason than before.
    pub(crate) deletions: bool,
}

/// Compares what a mapping was with what it is. `parent`: whether records of
/// other tables link to its records, so that it matters who leaves the filter.
pub(crate) fn compare(before: &KnownTable, now: &KnownTable, parent: bool) -> Change {
    let mut change = Change { failed: bare(before) != bare(now), ..Change::default() };
    for (name, field) in &now.fields {
        match before.fields.get(name) {
            None => {
                change.note(format!("new field {name}"), Some(name));
                change.returned.insert(name.clone(), Told::But(field.empty));
                if field.clears {
                    change.all("what Campaign holds in a new field is not known");
                } else {
                    change.ask(&[&field.filled]);
                }
            }
            Some(old) => change.field(name, old, field),
        }
    }
    for name in before.fields.keys().filter(|name| !now.fields.contains_key(*name)) {
        change.note(format!("without field {name}"), Some(name));
    }
    change.filter(before, now, parent);
    if before.form != now.form {
        change.note("how fields are emptied".to_owned(), None);
    }
    if before.rest != now.rest {
        change.note("the key".to_owned(), None);
        change.all("every record has another key");
    }
    if before.opt_outs != now.opt_outs {
        let part = "opt-out flags of new records".to_owned();
        // Their columns are not in what Dynamics was asked for so far.
        change.note(part, None);
        if !now.opt_outs.is_empty() {
            change.all("what waits may be made without the flags");
        }
    }
    // The links that are stored go on without it, whatever is read once.
    if !columns(now).is_subset(&columns(before)) {
        change.all(UNREAD);
    }
    change
}

impl Change {
    fn field(&mut self, name: &str, old: &KnownField, new: &KnownField) {
        if old.rule != new.rule {
            return self.rule(name, old, new);
        }
        if !old.updates && new.updates {
            self.note(format!("updates of {name}"), Some(name));
            return self.all("what was not carried is not known");
        }
        if old.updates && !new.updates {
            self.note(format!("updates of {name}"), Some(name));
        }
        let what = if old.spec == new.spec { "labels" } else { "replacements" };
        let concerned = concerned(old, new);
        // A case that is new, or is gone, was sent to nobody; what waits may
        // still hold it otherwise than now.
        let idle = concerned.as_ref().is_some_and(|(prints, _)| prints.is_empty());
        if !idle || (old.cases != new.cases && old.spec != new.spec) {
            self.note(format!("{what} of {name}"), Some(name));
        }
        match concerned {
            Some(_) if idle => {}
            Some((prints, cases)) => {
                self.reach.told.insert(name.to_owned(), Told::Any(prints));
                let each: Option<Vec<&String>> =
                    cases.iter().map(|case| new.asks.get(case)).collect();
                let texts = each.unwrap_or_else(|| new.filled.iter().collect());
                self.reach.instead.extend(texts.into_iter().map(|text| Ask::of_text(text)));
            }
            None => self.ask(&[&new.filled]),
        }
    }

    /// What fills a field, or how, is another.
    fn rule(&mut self, name: &str, old: &KnownField, new: &KnownField) {
        if old.link.is_some() && old.link == new.link {
            self.note(format!("missing_parent of {name}"), Some(name));
            self.reach.missed.push(name.to_owned());
            // Whether it points to another table is known to Dynamics only.
            if new.reads.targets.len() > 1 {
                self.ask(&[&new.filled]);
            }
            return;
        }
        self.note(format!("how {name} is filled"), Some(name));
        if old.filled.is_some() && new.clears && !old.clears {
            return self.all("an empty column did not count before");
        }
        self.ask(&[&old.filled, &new.filled]);
    }

    fn filter(&mut self, before: &KnownTable, now: &KnownTable, parent: bool) {
        if before.delete_filtered_out && !now.delete_filtered_out {
            self.reach.deletions = true;
            if before.filter == now.filter {
                self.note("delete_filtered_out".to_owned(), None);
            }
        }
        let stricter = !before.delete_filtered_out && now.delete_filtered_out;
        if before.filter == now.filter && !stricter {
            return;
        }
        let part = if before.filter == now.filter { "delete_filtered_out" } else { "the filter" };
        self.note(part.to_owned(), None);
        let (Some([was_in, was_out]), Some([is_in, is_out])) = (&before.sides, &now.sides) else {
            return self.all(EARLIER);
        };
        let both = |one: &str, two: &str| Ask::all(vec![Ask::of_text(one), Ask::of_text(two)]);
        if before.filter != now.filter {
            self.reach.asks.push(both(was_out, is_in));
        }
        if stricter {
            self.reach.asks.push(Ask::of_text(is_out));
        } else if now.delete_filtered_out || parent {
            self.reach.asks.push(both(was_in, is_out));
        }
    }

    /// Rows that fulfil one of these conditions are concerned.
    fn ask(&mut self, conditions: &[&Option<String>]) {
        for condition in conditions {
            match condition {
                Some(text) => self.reach.asks.push(Ask::of_text(text)),
                None => self.all(EARLIER),
            }
        }
    }

    fn all(&mut self, why: &'static str) {
        self.reach.all.get_or_insert(why);
    }

    fn note(&mut self, part: String, field: Option<&str>) {
        self.parts.push(part);
        if let Some(field) = field
            && !self.fields.iter().any(|known| known == field)
        {
            self.fields.push(field.to_owned());
        }
    }
}

/// Why a condition is missing.
const EARLIER: &str = "an earlier version kept less of the mapping";

/// Why the changes cannot be followed as before.
const UNREAD: &str = "it needs a column that was not read before";

/// The columns that the mapping decides by.
fn columns(table: &KnownTable) -> BTreeSet<&str> {
    let fields = table.fields.values().map(|field| &field.column);
    fields.chain(table.filter_columns.keys()).map(String::as_str).collect()
}

/// What was sent for the cases that send something else now, and these cases;
/// none where that cannot be told.
fn concerned(old: &KnownField, new: &KnownField) -> Option<(HashSet<Fingerprint>, Vec<u64>)> {
    let (mut prints, mut cases) = (HashSet::new(), Vec::new());
    let mut add = |case: u64, print: Option<u64>| {
        if let Some(print) = print {
            prints.insert(print.to_le_bytes());
            cases.push(case);
        }
    };
    match new.domain.as_str() {
        "whole" => {
            for (case, now) in &new.cases {
                match old.cases.get(case) {
                    Some(before) if before != now => add(*case, *before),
                    Some(_) | None => {}
                }
            }
        }
        "parts" => {
            let same = |(case, now)| old.cases.get(case).is_none_or(|before| before == now);
            if !new.cases.iter().all(same) {
                return None;
            }
        }
        _ => {
            for (case, now) in &new.cases {
                match old.cases.get(case) {
                    Some(before) if before == now => {}
                    Some(before) => add(*case, *before),
                    // Without the replacement the text itself was sent.
                    None if new.reads.words == "text" => {
                        add(*case, new.plain.get(case).copied().flatten());
                    }
                    None => return None,
                }
            }
            for (case, before) in &old.cases {
                if !new.cases.contains_key(case) {
                    add(*case, *before);
                }
            }
        }
    }
    Some((prints, cases))
}

/// As it is stored.
fn bare(table: &KnownTable) -> KnownTable {
    let mut table = table.clone();
    for field in table.fields.values_mut() {
        field.plain.clear();
        field.asks.clear();
        field.empty = Fingerprint::default();
    }
    table
}

#[cfg(test)]
#[path = "remap_tests.rs"]
mod tests;
