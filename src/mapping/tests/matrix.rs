//! Every cell of the table in the module documentation.

use super::{apply_one, field, mapping, problems, source_types, target_types, text};
use super::{decimal, resource, table};
use crate::mapping::compile;
use crate::mapping::matrix::{check, unreadable_source};
use crate::model::{ColumnType, Value};

/// Columns: text, int8..64, float, double, bool, date, datetime, enum, link,
/// list, other. `x` converts, `.` is refused.
const CELLS: &[(&str, &str)] = &[
    ("text", "xxxxxxxxxxx..."),
    ("whole", "xxxxxxxx..x..."),
    ("decimal", "xxxxxxxx......"),
    ("double", "xxxxxxxx......"),
    ("bool", "xxxxxxxx..x..."),
    ("choice", "xxxxxxxx..x..."),
    ("multi", "x............."),
    ("instant", "x.......xx...."),
    ("date", "x.......xx...."),
    ("wall", "x.......xx...."),
    ("guid", "x............."),
    ("lookup", "x............."),
    ("virtual", ".............."),
];

#[test]
fn every_pair_of_types_converts_or_is_refused_with_a_hint() {
    let (sources, targets) = (source_types(), target_types());
    assert_eq!(CELLS.len(), sources.len());
    for ((name, kind), (row, cells)) in sources.iter().zip(CELLS) {
        assert_eq!(name, row);
        assert_eq!(cells.len(), targets.len());
        for ((target_name, target), cell) in targets.iter().zip(cells.chars()) {
            let verdict = check(kind, target);
            assert_eq!(verdict.is_ok(), cell == 'x', "{name} to {target_name}");
            if let Err(refusal) = verdict {
                assert!(!refusal.hint.is_empty() && !refusal.text.is_empty());
            }
            let compiled = compile(&mapping(vec![field(name, target_name)]), &table(), &resource());
            assert_eq!(compiled.is_ok(), cell == 'x', "{name} to {target_name} compiled");
        }
    }
}

#[test]
fn a_column_that_no_mapping_may_read_is_refused_with_what_to_do_instead() {
    let hint = |kind: &str| {
        let refusal = unreadable_source(&ColumnType::Other(kind.to_owned())).unwrap();
        assert_eq!(refusal.text, format!("columns of type `{kind}` hold no value to map"));
        refusal.hint
    };
    insta::assert_snapshot!(hint("Virtual"), @"shadow name columns (such as `statecodename`) cannot be selected: map the column they belong to and its label is sent; files and images are not carried");
    insta::assert_snapshot!(hint("PartyList"), @"lists of related rows are not carried");
    insta::assert_snapshot!(hint("CalendarRules"), @"lists of related rows are not carried");
    insta::assert_snapshot!(hint("EntityName"), @"map the lookup itself; it sends the id");
    insta::assert_snapshot!(hint("ManagedProperty"), @"managed properties belong to the solution, not to the record");
    insta::assert_snapshot!(hint("Later"), @"map a column of another type");
    assert!(unreadable_source(&ColumnType::Integer).is_none());
}

/// A value of each source type that no allowed target can refuse for its form.
fn sample(source: &str, target: &str) -> Value {
    match (source, target) {
        ("text", "bool") => text("true"),
        ("text", "date") => text("2024-05-06"),
        ("text", "datetime") => text("2024-05-06T07:08:09Z"),
        ("text", "enum") => text("male"),
        ("text", _) => text("1"),
        ("whole", _) => Value::Integer(1),
        ("decimal", _) => Value::Decimal(decimal("1.000")),
        ("double", _) => Value::Double(1.0),
        ("bool", _) => Value::Bool(true),
        ("choice", _) => Value::Choice(1),
        ("multi", _) => Value::MultiChoice(vec![1, 2]),
        ("instant", _) => Value::Instant("2024-05-06T07:08:09Z".parse().unwrap()),
        ("date", _) => Value::Date("2024-05-06".parse().unwrap()),
        ("wall", _) => Value::Civil("2024-05-06T07:08:09".parse().unwrap()),
        _ => Value::Guid(super::ID.parse().unwrap()),
    }
}

#[test]
fn every_allowed_cell_converts_a_plain_value() {
    for (source, cells) in CELLS {
        for ((target, _), cell) in target_types().iter().zip(cells.chars()) {
            if cell != 'x' {
                continue;
            }
            let outcome = apply_one(field(source, target), sample(source, target));
            // These send texts that the enumeration does not know by itself.
            let needs_replacement =
                matches!((*source, *target), ("whole" | "bool", "enum") | ("choice", "bool"));
            assert_eq!(outcome.is_err(), needs_replacement, "{source} to {target}: {outcome:?}");
        }
    }
}

#[test]
fn a_refused_pair_is_reported_at_its_field() {
    let found = problems(&mapping(vec![field("text", "text"), field("multi", "bool")]));
    assert_eq!(found.len(), 1);
    let first = found.first().unwrap();
    assert_eq!(first.place, crate::mapping::Place::Field(1));
    assert_eq!(
        first.text,
        "a multi-select choice column does not convert to a field of type boolean"
    );
    assert_eq!(first.hint, "it may hold several choices at once: map it to a text field");
}
