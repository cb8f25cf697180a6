//! What Dynamics is asked for after a change of a filter, answered by servers
//! that compare as differently as the documents allow.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::filter_reference::{Cell, Cells, Tree, cells, filtered, lower, tree, value};
use super::{mapping, resource, table};
use crate::mapping::affected::{Ask, How};
use crate::mapping::compile;
use crate::mapping::spec::Operator;
use crate::model::Value;

/// How a server may compare where the documents leave it open.
#[derive(Clone, Copy, Debug)]
struct Server {
    /// Letters without their accents, texts without spaces at the end.
    loosely: bool,
    /// Whether an empty column is unequal to a value.
    null_is_unequal: bool,
    /// Whether it keeps fractions of a second that it does not show.
    finer: bool,
}

impl Server {
    /// Whether it gives the row for this condition.
    fn gives(self, ask: &Ask, cells: &Cells) -> bool {
        let (column, how, literal) = match ask {
            Ask::Always => return true,
            Ask::Never => return false,
            Ask::All(parts) => return parts.iter().all(|part| self.gives(part, cells)),
            Ask::Any(parts) => return parts.iter().any(|part| self.gives(part, cells)),
            Ask::Said(text) => panic!("{text} is for the wire"),
            Ask::Test { column, how, literal } => (column.as_str(), *how, literal.as_str()),
        };
        let filled = match &cells[column] {
            None => None,
            Some(Cell::Word(word)) if word.is_empty() => None,
            Some(Cell::Chosen(chosen)) if chosen.is_empty() => None,
            Some(cell) => Some(cell),
        };
        match (filled, literal) {
            (None, "null") => return how == How::Eq,
            (Some(_), "null") => return how == How::Ne,
            (None, _) => return how == How::Ne && self.null_is_unequal,
            (Some(Cell::Word(word)), _) => {
                let inner = literal.strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
                return self.words(&lower(word), how, &inner.replace("''", "'"));
            }
            (Some(_), _) => {}
        }
        let order = match value(column, filled) {
            Value::Integer(it) | Value::Choice(it) => ordered(&it.to_string(), literal),
            Value::Decimal(it) => ordered(&it.to_string(), literal),
            Value::Double(it) => ordered(&it.to_string(), literal),
            Value::Instant(it) => self.moments(&it.strftime("%FT%T").to_string(), literal),
            Value::Civil(it) => self.moments(&it.strftime("%FT%T").to_string(), literal),
            Value::Date(it) => it.to_string().as_str().cmp(literal),
            Value::Bool(it) => it.to_string().as_str().cmp(literal),
            Value::Guid(it) => it.to_string().as_str().cmp(literal),
            Value::Null | Value::Text(_) | Value::MultiChoice(_) | Value::Unreadable(_) => {
                panic!("compares with nothing")
            }
        };
        match how {
            How::Eq => order.is_eq(),
            How::Ne => order.is_ne(),
            How::Gt => order.is_gt(),
            How::Ge => order.is_ge(),
            How::Lt => order.is_lt(),
            How::Le => order.is_le(),
            How::Contains | How::StartsWith | How::EndsWith => panic!("{how:?} is for texts"),
        }
    }

    fn words(self, word: &str, how: How, wanted: &str) -> bool {
        let fold = |text: &str| {
            if self.loosely { text.trim_end().replace('é', "e") } else { text.to_owned() }
        };
        let (word, wanted) = (fold(word), fold(wanted));
        match how {
            How::Eq => word == wanted,
            How::Ne => word != wanted,
            How::Contains => word.contains(&wanted),
            How::StartsWith => word.starts_with(&wanted),
            How::EndsWith => word.ends_with(&wanted),
            How::Gt | How::Ge | How::Lt | How::Le => panic!("texts have an order of their own"),
        }
    }

    fn moments(self, shown: &str, literal: &str) -> Ordering {
        let kept = if self.finer { format!("{shown}.7") } else { shown.to_owned() };
        kept.as_str().cmp(literal.trim_end_matches('Z'))
    }
}

fn ordered(value: &str, literal: &str) -> Ordering {
    let number = |text: &str| text.parse::<f64>().unwrap();
    number(value).total_cmp(&number(literal))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn a_server_that_is_asked_for_either_side_of_a_filter_gives_every_row_of_it(
        tree in tree(),
        cells in cells(),
        (loosely, null_is_unequal, finer) in any::<(bool, bool, bool)>(),
    ) {
        let compiled = compile(&filtered(tree.rule()), &table(), &resource()).unwrap();
        let server = Server { loosely, null_is_unequal, finer };
        let sides = compiled.sides();
        let (side, name) = if tree.holds(&cells) {
            (sides.passes, "passes")
        } else {
            (sides.fails, "fails")
        };
        prop_assert!(server.gives(&side, &cells), "{} {:?} {:?}", name, server, side);
    }

    #[test]
    fn a_row_on_whose_fate_two_filters_differ_is_asked_for(
        old in tree(),
        new in tree(),
        cells in cells(),
    ) {
        let sides = |tree: &Tree| {
            compile(&filtered(tree.rule()), &table(), &resource()).unwrap().sides()
        };
        let (before, now) = (sides(&old), sides(&new));
        let server = Server { loosely: true, null_is_unequal: false, finer: true };
        let comes = Ask::all(vec![before.fails, now.passes]);
        let leaves = Ask::all(vec![before.passes, now.fails]);
        match (old.holds(&cells), new.holds(&cells)) {
            (false, true) => prop_assert!(server.gives(&comes, &cells)),
            (true, false) => prop_assert!(server.gives(&leaves, &cells)),
            (true, true) | (false, false) => {}
        }
    }
}

#[test]
fn what_both_systems_compare_alike_is_asked_for_and_nothing_more() {
    use Operator::{BeginsWith, Eq, Ge, Gt, In, Ne, NotNull, Null};
    let leaf = |column, operator, places: &[i64], words: &[&str]| Tree::Leaf {
        column,
        operator,
        places: places.to_vec(),
        words: words.iter().map(|it| (*it).to_owned()).collect(),
    };
    let seconds = ("2024-05-06T01:00:00Z", "2024-05-06T01:00:01Z");
    let cases = [
        (leaf("whole", Gt, &[3], &[]), "whole gt 3", "(whole le 3 or whole eq null)"),
        (leaf("bool", Ne, &[1], &[]), "(bool ne true or bool eq null)", "bool eq true"),
        (
            leaf("choice", In, &[0, 1], &[]),
            "(choice eq 1 or choice eq 2)",
            "((choice ne 1 and choice ne 2) or choice eq null)",
        ),
        (leaf("date", Null, &[], &[]), "date eq null", "date ne null"),
        (leaf("text", NotNull, &[], &[]), "text ne null", "text eq null"),
        (leaf("text", Eq, &[], &["O'B"]), "text eq 'o''b'", "true"),
        (leaf("text", BeginsWith, &[], &["a[b"]), "text ne null", "true"),
        (leaf("text", BeginsWith, &[], &["É"]), "text ne null", "true"),
        (leaf("text", BeginsWith, &[], &["a\tb"]), "text ne null", "true"),
        (leaf("text", BeginsWith, &[], &["ab"]), "startswith(text,'ab')", "true"),
        (leaf("text", Eq, &[], &["a[b"]), "text eq 'a[b'", "true"),
        (leaf("double", Eq, &[8], &[]), "(double ge 2 and double le 2)", "true"),
        (
            leaf("instant", Ge, &[1], &[]),
            &*format!("instant ge {}", seconds.0),
            &*format!("(instant le {} or instant eq null)", seconds.1),
        ),
    ];
    for (tree, passes, fails) in &cases {
        let compiled = compile(&filtered(tree.rule()), &table(), &resource()).unwrap();
        let sides = compiled.sides();
        assert_eq!((sides.passes.text().as_str(), sides.fails.text().as_str()), (*passes, *fails));
    }
    let none = compile(&mapping(vec![]), &table(), &resource()).unwrap().sides();
    assert_eq!((none.passes.text(), none.fails.text()), ("true".to_owned(), "false".to_owned()));
}

#[test]
fn conditions_are_joined_without_idle_parts_and_said_once() {
    let table = table();
    let whole = |value| Ask::holding(&table.columns["whole"], &Value::Choice(value)).unwrap();
    let (one, two) = (whole(1), whole(2));
    assert_eq!(Ask::all(vec![]), Ask::Always);
    assert_eq!(Ask::any(vec![]), Ask::Never);
    assert_eq!(Ask::all(vec![Ask::Always, one.clone(), one.clone()]), one);
    assert_eq!(Ask::any(vec![one.clone(), Ask::Never, one.clone()]), one);
    assert_eq!(Ask::any(vec![one.clone(), two]).text(), "(whole eq 1 or whole eq 2)");
    assert_eq!(Ask::all(vec![one.clone(), Ask::Never]), Ask::Never);
    assert_eq!(Ask::any(vec![one, Ask::Always]), Ask::Always);
}

#[test]
fn rows_that_hold_a_value_are_asked_for_where_that_can_be_said() {
    let table = table();
    let asked = |column: &str, value: Value| {
        Ask::holding(&table.columns[column], &value).map(|ask| ask.text())
    };
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(asked("text", Value::Null).as_deref(), Some("text eq null"));
    assert_eq!(asked("bool", Value::Bool(true)).as_deref(), Some("bool eq true"));
    assert_eq!(asked("choice", Value::Choice(2)).as_deref(), Some("choice eq 2"));
    assert_eq!(asked("text", text("a")).as_deref(), Some("text eq 'a'"));
    assert_eq!(asked("text", text("")), None);
    assert_eq!(asked("whole", Value::Integer(2)), None);
}
