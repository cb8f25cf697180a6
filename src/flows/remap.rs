//! What a changed mapping means for the records that Campaign holds: which of
//! them it can concern, told by the fingerprints of what they were sent. Pure.

use std::collections::{BTreeMap, HashSet};

use crate::store::{Fingerprint, KnownField, KnownTable};

/// A change of a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// What changed, in words; empty if nothing that decides on records.
    pub(crate) parts: Vec<String>,
    /// The fields concerned.
    pub(crate) fields: Vec<String>,
    /// Which records it concerns.
    pub(crate) reach: Reach,
    /// Fields that the mapping did not have before: what Campaign holds there
    /// is not known, whatever it was told once.
    pub(crate) returned: Vec<String>,
    /// Whether records that could not be mapped may be so now.
    pub(crate) failed: bool,
}

/// The records that a change concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// None.
    #[default]
    Nothing,
    /// Those that were told one of these values in one of these fields.
    Told(BTreeMap<String, HashSet<Fingerprint>>),
    /// Any.
    All,
}

/// Compares what a mapping was with what it is.
pub(crate) fn compare(before: &KnownTable, now: &KnownTable) -> Change {
    let mut change = Change { failed: bare(before) != bare(now), ..Change::default() };
    for (name, field) in &now.fields {
        match before.fields.get(name) {
            None => {
                change.returned.push(name.clone());
                change.all(format!("new field {name}"), Some(name));
            }
            Some(old) => change.field(name, old, field),
        }
    }
    for name in before.fields.keys().filter(|name| !now.fields.contains_key(*name)) {
        change.nothing(format!("without field {name}"), Some(name));
    }
    if before.filter != now.filter {
        change.all("the filter".to_owned(), None);
    } else if !before.delete_filtered_out && now.delete_filtered_out {
        change.all("delete_filtered_out".to_owned(), None);
    }
    if before.form != now.form {
        change.nothing("how fields are emptied".to_owned(), None);
    }
    if before.rest != now.rest {
        change.all("the key".to_owned(), None);
    }
    if before.opt_outs != now.opt_outs {
        let part = "opt-out flags of new records".to_owned();
        // Their columns are not in what Dynamics was asked for so far.
        if now.opt_outs.is_empty() { change.nothing(part, None) } else { change.all(part, None) }
    }
    change
}

impl Change {
    fn field(&mut self, name: &str, old: &KnownField, new: &KnownField) {
        if old.rule != new.rule {
            return self.all(format!("how {name} is filled"), Some(name));
        }
        if !old.updates && new.updates {
            return self.all(format!("updates of {name}"), Some(name));
        }
        if old.updates && !new.updates {
            self.nothing(format!("updates of {name}"), Some(name));
        }
        let what = if old.spec == new.spec { "labels" } else { "replacements" };
        match concerned(old, new) {
            Some(prints) if prints.is_empty() => {
                // A case that is new, or is gone, was sent to nobody; what
                // waits may still hold it otherwise than now.
                if old.cases != new.cases && old.spec != new.spec {
                    self.nothing(format!("{what} of {name}"), Some(name));
                }
            }
            Some(prints) => {
                self.note(format!("{what} of {name}"), Some(name));
                match &mut self.reach {
                    Reach::All => {}
                    Reach::Told(told) => {
                        told.insert(name.to_owned(), prints);
                    }
                    Reach::Nothing => {
                        self.reach = Reach::Told([(name.to_owned(), prints)].into());
                    }
                }
            }
            None => self.all(format!("{what} of {name}"), Some(name)),
        }
    }

    fn all(&mut self, part: String, field: Option<&str>) {
        self.note(part, field);
        self.reach = Reach::All;
    }

    fn nothing(&mut self, part: String, field: Option<&str>) {
        self.note(part, field);
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

/// What was sent for the cases that send something else now; none where that
/// cannot be told.
fn concerned(old: &KnownField, new: &KnownField) -> Option<HashSet<Fingerprint>> {
    let mut prints = HashSet::new();
    let mut add = |print: Option<u64>| prints.extend(print.map(u64::to_le_bytes));
    match new.domain.as_str() {
        "whole" => {
            for (case, now) in &new.cases {
                match old.cases.get(case) {
                    Some(before) if before != now => add(*before),
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
                    Some(before) => add(*before),
                    // Without the replacement the text itself was sent.
                    None if new.reads.words == "text" => {
                        add(new.plain.get(case).copied().flatten());
                    }
                    None => return None,
                }
            }
            for (case, before) in &old.cases {
                if !new.cases.contains_key(case) {
                    add(*before);
                }
            }
        }
    }
    Some(prints)
}

/// As it is stored.
fn bare(table: &KnownTable) -> KnownTable {
    let mut table = table.clone();
    for field in table.fields.values_mut() {
        field.plain.clear();
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::KnownKind;

    fn field(domain: &str, cases: &[(u64, Option<u64>)]) -> KnownField {
        KnownField {
            column: "c".into(),
            reads: KnownKind { words: "text".into(), ..KnownKind::default() },
            spec: "spec".into(),
            rule: "rule".into(),
            updates: true,
            domain: domain.into(),
            cases: cases.iter().copied().collect(),
            ..KnownField::default()
        }
    }

    fn table(field: KnownField) -> KnownTable {
        KnownTable { fields: [("f".to_owned(), field)].into(), ..KnownTable::default() }
    }

    fn told(prints: &[u64]) -> Reach {
        let prints = prints.iter().map(|print| print.to_le_bytes()).collect();
        Reach::Told([("f".to_owned(), prints)].into())
    }

    /// The same field with another entry in the configuration.
    fn with(field: &KnownField, cases: &[(u64, Option<u64>)]) -> KnownField {
        KnownField {
            spec: "new".into(),
            cases: cases.iter().copied().collect(),
            plain: cases.iter().map(|(case, _)| (*case, Some(case + 1000))).collect(),
            ..field.clone()
        }
    }

    #[track_caller]
    fn reaches(before: &KnownField, now: &KnownField, parts: &[&str], reach: Reach) {
        let change = compare(&table(before.clone()), &table(now.clone()));
        assert_eq!(
            (change.parts, change.reach),
            (parts.iter().map(|it| (*it).to_owned()).collect(), reach)
        );
    }

    #[test]
    fn a_change_of_a_choice_reaches_those_that_were_sent_what_changes() {
        let all = [(0, Some(9)), (1, Some(10)), (2, Some(20))];
        let whole = field("whole", &all);
        let replaced = ["replacements of f"];
        reaches(&whole, &whole, &[], Reach::Nothing);
        let other = with(&whole, &[(0, Some(9)), (1, Some(11)), (2, Some(20))]);
        reaches(&whole, &other, &replaced, told(&[10]));
        let label = KnownField { spec: whole.spec.clone(), ..other };
        reaches(&whole, &label, &["labels of f"], told(&[10]));
        // A new choice: nobody was told anything for it.
        let more = [(3, Some(30))].into_iter().chain(all).collect();
        let more = KnownField { cases: more, ..whole.clone() };
        reaches(&whole, &more, &[], Reach::Nothing);
        // One that can no longer be sent: its records become dead letters.
        let fails = with(&whole, &[(0, Some(9)), (1, None), (2, Some(20))]);
        reaches(&whole, &fails, &replaced, told(&[10]));
        let parts = field("parts", &[(1, Some(10))]);
        let more = with(&parts, &[(1, Some(10)), (2, Some(20))]);
        reaches(&parts, &more, &replaced, Reach::Nothing);
        reaches(&parts, &with(&parts, &[(1, Some(11))]), &replaced, Reach::All);
    }

    #[test]
    fn a_change_of_a_text_reaches_those_that_were_sent_it_or_its_replacement() {
        let open = field("open", &[(1, Some(10))]);
        let replaced = ["replacements of f"];
        let more = with(&open, &[(1, Some(10)), (2, Some(20))]);
        reaches(&open, &more, &replaced, told(&[1002]));
        reaches(&open, &with(&open, &[(1, Some(11))]), &replaced, told(&[10]));
        reaches(&open, &with(&open, &[]), &replaced, told(&[10]));
        let reads = KnownKind { words: "whole number".into(), ..KnownKind::default() };
        let number = KnownField { reads, ..open };
        let more = with(&number, &[(1, Some(10)), (2, Some(20))]);
        reaches(&number, &more, &replaced, Reach::All);
    }

    #[test]
    fn a_change_of_the_rule_reaches_all_and_less_updates_none() {
        let field = field("whole", &[(1, Some(10))]);
        let rule = KnownField { rule: "other".into(), ..field.clone() };
        let once = KnownField { updates: false, ..field.clone() };
        reaches(&field, &rule, &["how f is filled"], Reach::All);
        reaches(&field, &once, &["updates of f"], Reach::Nothing);
        reaches(&once, &field, &["updates of f"], Reach::All);
    }

    #[test]
    fn a_change_of_the_table_is_told_in_words() {
        let known = table(field("open", &[]));
        let empty = KnownTable::default();
        let filtered = KnownTable { filter: "new".into(), ..known.clone() };
        let deleting = KnownTable { delete_filtered_out: true, ..known.clone() };
        let form = KnownTable { form: "Null".into(), ..known.clone() };
        let key = KnownTable { rest: "new".into(), ..known.clone() };
        let cases: [(&KnownTable, &KnownTable, &str, Reach); 7] = [
            (&empty, &known, "new field f", Reach::All),
            (&known, &empty, "without field f", Reach::Nothing),
            (&known, &filtered, "the filter", Reach::All),
            (&known, &deleting, "delete_filtered_out", Reach::All),
            (&deleting, &known, "", Reach::Nothing),
            (&known, &form, "how fields are emptied", Reach::Nothing),
            (&known, &key, "the key", Reach::All),
        ];
        for (before, now, part, reach) in cases {
            let change = compare(before, now);
            assert_eq!((change.parts.join(";").as_str(), change.reach), (part, reach));
            assert!(change.failed);
        }
        assert_eq!(compare(&empty, &known).returned, ["f"]);
        assert!(!compare(&known, &known).failed);
    }
}
