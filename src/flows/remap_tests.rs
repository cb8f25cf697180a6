//! What a changed mapping reaches, change by change.

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
        filled: Some("c ne null".into()),
        clears: true,
        empty: [7; 8],
        ..KnownField::default()
    }
}

fn table(field: KnownField) -> KnownTable {
    KnownTable { fields: [("f".to_owned(), field)].into(), ..KnownTable::default() }
}

fn told(prints: &[u64]) -> Reach {
    let prints = prints.iter().map(|print| print.to_le_bytes()).collect();
    Reach {
        told: [("f".to_owned(), Told::Any(prints))].into(),
        instead: vec![said("c ne null")],
        ..Reach::default()
    }
}

/// Where the case can be asked for.
fn told_by(print: u64, ask: &str) -> Reach {
    Reach { instead: vec![said(ask)], ..told(&[print]) }
}

fn said(text: &str) -> Ask {
    Ask::Said(text.to_owned())
}

fn asks(texts: &[&str]) -> Reach {
    Reach { asks: texts.iter().map(|text| said(text)).collect(), ..Reach::default() }
}

fn all(why: &'static str) -> Reach {
    Reach { all: Some(why), ..Reach::default() }
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
    let change = compare(&table(before.clone()), &table(now.clone()), false);
    assert_eq!(
        (change.parts, change.reach),
        (parts.iter().map(|it| (*it).to_owned()).collect(), reach)
    );
}

#[test]
fn a_change_of_a_choice_reaches_those_that_were_sent_what_changes() {
    let none = Reach::default;
    let all = [(0, Some(9)), (1, Some(10)), (2, Some(20))];
    let whole = field("whole", &all);
    let replaced = ["replacements of f"];
    reaches(&whole, &whole, &[], none());
    let other = with(&whole, &[(0, Some(9)), (1, Some(11)), (2, Some(20))]);
    reaches(&whole, &other, &replaced, told(&[10]));
    let label = KnownField { spec: whole.spec.clone(), ..other };
    reaches(&whole, &label, &["labels of f"], told(&[10]));
    let by: BTreeMap<_, _> = [(1, "c eq 1".to_owned()), (2, "c eq 2".to_owned())].into();
    let asked = KnownField { asks: by, ..label };
    reaches(&whole, &asked, &["labels of f"], told_by(10, "c eq 1"));
    // A new choice: nobody was told anything for it.
    let more = [(3, Some(30))].into_iter().chain(all).collect();
    let more = KnownField { cases: more, ..whole.clone() };
    reaches(&whole, &more, &[], none());
    // One that can no longer be sent: its records become dead letters.
    let fails = with(&whole, &[(0, Some(9)), (1, None), (2, Some(20))]);
    reaches(&whole, &fails, &replaced, told(&[10]));
    let parts = field("parts", &[(1, Some(10))]);
    let more = with(&parts, &[(1, Some(10)), (2, Some(20))]);
    reaches(&parts, &more, &replaced, none());
    reaches(&parts, &with(&parts, &[(1, Some(11))]), &replaced, asks(&["c ne null"]));
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
    reaches(&number, &more, &replaced, asks(&["c ne null"]));
}

#[test]
fn a_change_of_the_rule_reaches_what_is_or_was_filled_and_less_updates_none() {
    let field = field("whole", &[(1, Some(10))]);
    let rule = KnownField { rule: "other".into(), ..field.clone() };
    let moved = KnownField { filled: Some("d ne null".into()), ..rule.clone() };
    let kept = KnownField { clears: false, ..rule.clone() };
    let earlier = KnownField { filled: None, clears: false, ..rule.clone() };
    let once = KnownField { updates: false, ..field.clone() };
    let how = ["how f is filled"];
    reaches(&field, &rule, &how, asks(&["c ne null", "c ne null"]));
    reaches(&field, &moved, &how, asks(&["c ne null", "d ne null"]));
    reaches(&field, &kept, &how, asks(&["c ne null", "c ne null"]));
    reaches(&kept, &field, &how, all("an empty column did not count before"));
    let known = Reach { all: Some(EARLIER), ..asks(&["c ne null"]) };
    reaches(&earlier, &field, &how, known);
    reaches(&field, &once, &["updates of f"], Reach::default());
    reaches(&once, &field, &["updates of f"], all("what was not carried is not known"));
}

#[test]
fn another_choice_for_missing_parents_reaches_those_that_miss_one() {
    let link = |rule: &str, targets: &[&str]| KnownField {
        rule: rule.into(),
        link: Some("bare".into()),
        reads: KnownKind {
            targets: targets.iter().map(|it| (*it).to_owned()).collect(),
            ..KnownKind::default()
        },
        ..field("open", &[])
    };
    let missed = Reach { missed: vec!["f".into()], ..Reach::default() };
    let part = ["missing_parent of f"];
    reaches(&link("wait", &["a"]), &link("letter", &["a"]), &part, missed.clone());
    let both = Reach { asks: vec![said("c ne null")], ..missed };
    reaches(&link("wait", &["a", "b"]), &link("letter", &["a", "b"]), &part, both);
}

#[test]
fn a_changed_filter_reaches_who_comes_in_and_leaves_only_where_it_matters() {
    let sides = |passes: &str, fails: &str| Some([passes.to_owned(), fails.to_owned()]);
    let old = KnownTable { filter: "o".into(), sides: sides("a", "b"), ..KnownTable::default() };
    let new = KnownTable { filter: "n".into(), sides: sides("c", "d"), ..KnownTable::default() };
    let deleting = |table: &KnownTable| KnownTable { delete_filtered_out: true, ..table.clone() };
    let (comes, leaves) = ("(b and c)", "(a and d)");
    let earlier = KnownTable { sides: None, ..old.clone() };
    let cases: [(&KnownTable, &KnownTable, bool, &[&str]); 7] = [
        (&old, &new, false, &[comes]),
        (&old, &new, true, &[comes, leaves]),
        (&old, &deleting(&new), false, &[comes, "d"]),
        (&deleting(&old), &deleting(&new), false, &[comes, leaves]),
        (&old, &deleting(&old), false, &["b"]),
        (&deleting(&old), &old, false, &[]),
        (&earlier, &new, false, &[]),
    ];
    for (row, (before, now, parent, expected)) in cases.into_iter().enumerate() {
        let reach = compare(before, now, parent).reach;
        let asked: Vec<String> = reach.asks.iter().map(Ask::text).collect();
        assert_eq!(asked, expected, "row {row}");
        let taken_back = before.delete_filtered_out && !now.delete_filtered_out;
        assert_eq!(reach.deletions, taken_back, "row {row}");
        assert_eq!(reach.all.is_some(), before.sides.is_none(), "row {row}");
    }
}

#[test]
fn a_change_of_the_table_is_told_in_words() {
    let clears = table(field("open", &[]));
    let known = table(KnownField { clears: false, ..field("open", &[]) });
    let empty = KnownTable::default();
    let form = KnownTable { form: "Null".into(), ..known.clone() };
    let key = KnownTable { rest: "new".into(), ..known.clone() };
    // The column is read already, for another field.
    let other = KnownTable {
        fields: [("g".to_owned(), field("open", &[]))].into(),
        sides: Some(["true".to_owned(), "false".to_owned()]),
        ..KnownTable::default()
    };
    let fields = known.fields.clone().into_iter().chain(other.fields.clone()).collect();
    let both = KnownTable { fields, ..other.clone() };
    let filtered = KnownTable {
        filter: "new".into(),
        filter_columns: [("d".to_owned(), KnownKind::default())].into(),
        ..other.clone()
    };
    let cases: [(&KnownTable, &KnownTable, &str, Reach); 7] = [
        (&empty, &known, "new field f", Reach { all: Some(UNREAD), ..asks(&["c ne null"]) }),
        (&other, &both, "new field f", asks(&["c ne null"])),
        (&other, &filtered, "the filter", all(UNREAD)),
        (&empty, &clears, "new field f", all("what Campaign holds in a new field is not known")),
        (&known, &empty, "without field f", Reach::default()),
        (&known, &form, "how fields are emptied", Reach::default()),
        (&known, &key, "the key", all("every record has another key")),
    ];
    for (before, now, part, reach) in cases {
        let mut change = compare(before, now, false);
        change.reach.asks.retain(|ask| *ask != Ask::Never);
        assert_eq!((change.parts.join(";").as_str(), change.reach), (part, reach));
        assert!(change.failed);
    }
    let told = [("f".to_owned(), Told::But([7; 8]))];
    assert_eq!(compare(&empty, &known, false).returned, told.into());
    assert!(!compare(&known, &known, false).failed);
}
