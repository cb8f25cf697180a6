//! Every operator on every type in nested groups, answered a second time by a
//! plainer evaluator: a value is a place in an order, a word, or a set, and
//! nothing is compiled.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use proptest::prelude::*;
use uuid::Uuid;

use super::{column_name, decimal, mapping, resource, row, table};
use crate::mapping::spec::{Filter, Group, Operand, Operator, Rule, TableMapping, Test};
use crate::mapping::{Applied, compile};
use crate::model::Value;

/// What a column holds; none where it is empty.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// The n-th value of its type.
    Nth(i64),
    Word(String),
    Chosen(Vec<i64>),
}

pub(super) type Cells = BTreeMap<&'static str, Option<Cell>>;

/// A rule as the evaluator reads it; places or words stand for operands.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Leaf { column: &'static str, operator: Operator, places: Vec<i64>, words: Vec<String> },
}

const ORDERED: [&str; 6] = ["whole", "decimal", "double", "instant", "wall", "date"];

/// Their values have no order that a filter may ask for.
const EQUAL: [&str; 2] = ["bool", "guid"];

const CHOICES: [i64; 3] = [1, 2, 9];

/// Case and accents matter to a careless comparison; few, so that they meet.
fn a_word() -> impl Strategy<Value = String> {
    let words = vec!["a", "A", "b", "é", "É", "ab", "aB", "Ba", "éa b"];
    prop::sample::select(words).prop_map(str::to_owned)
}

pub(super) fn cells() -> impl Strategy<Value = Cells> {
    let nth = || prop::collection::vec(prop::option::weighted(0.8, 0_i64..4), 9);
    let text = prop::option::weighted(0.9, prop_oneof![9 => a_word(), 1 => Just(String::new())]);
    let chosen = prop::option::weighted(0.9, prop::sample::subsequence(CHOICES.to_vec(), 0..=3));
    (nth(), text, chosen).prop_map(|(nth, text, chosen)| {
        let names = ORDERED.into_iter().chain(EQUAL).chain(["choice"]);
        let mut cells: Cells =
            names.zip(nth).map(|(name, nth)| (name, nth.map(Cell::Nth))).collect();
        // An empty text and a choice of nothing are as empty as null.
        cells.insert("text", text.map(Cell::Word));
        cells.insert("multi", chosen.map(Cell::Chosen));
        cells
    })
}

fn leaf() -> impl Strategy<Value = Tree> {
    use Operator::{BeginsWith, Contains, EndsWith, Eq, Ge, Gt, In, Le, Lt, Ne, NotNull, Null};
    let equal = vec![Eq, Ne, In, Null, NotNull];
    let ordered = [equal.clone(), vec![Gt, Ge, Lt, Le]].concat();
    let texts = [ordered.clone(), vec![Contains, BeginsWith, EndsWith]].concat();
    let sets = [equal.clone(), vec![Contains]].concat();
    let pairs: Vec<(&'static str, Operator)> = [
        (&ORDERED[..], &ordered),
        (&EQUAL[..], &equal),
        (&["choice"][..], &ordered),
        (&["text"][..], &texts),
        (&["multi"][..], &sets),
    ]
    .into_iter()
    .flat_map(|(columns, operators)| {
        columns.iter().flat_map(move |column| operators.iter().map(move |it| (*column, *it)))
    })
    .collect();
    let operands = (prop::collection::vec(0_i64..4, 3), prop::collection::vec(a_word(), 3));
    (prop::sample::select(pairs), 1_usize..=3, operands).prop_map(
        |((column, operator), count, (mut places, mut words))| {
            let count = match operator {
                Null | NotNull => 0,
                In => count,
                Eq | Ne | Gt | Ge | Lt | Le | Contains | BeginsWith | EndsWith => 1,
            };
            places.truncate(count);
            words.truncate(count);
            Tree::Leaf { column, operator, places, words }
        },
    )
}

pub(super) fn tree() -> impl Strategy<Value = Tree> {
    leaf().prop_recursive(3, 24, 4, |inner| {
        (any::<bool>(), prop::collection::vec(inner, 1..4))
            .prop_map(|(all, parts)| if all { Tree::All(parts) } else { Tree::Any(parts) })
    })
}

pub(super) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

impl Tree {
    /// The answer, from the words of docs/configuration.md.
    pub(super) fn holds(&self, cells: &Cells) -> bool {
        match self {
            Self::All(parts) => parts.iter().filter(|it| !it.holds(cells)).count() == 0,
            Self::Any(parts) => parts.iter().filter(|it| it.holds(cells)).count() > 0,
            Self::Leaf { column, operator, places, words } => match &cells[column] {
                Some(Cell::Nth(place)) if *column == "choice" => {
                    let number = |place: &i64| choice(*place);
                    let wanted: Vec<i64> = places.iter().map(number).collect();
                    compared(*operator, choice(*place), &wanted)
                }
                Some(Cell::Nth(place)) if *column == "bool" => {
                    let wanted: Vec<i64> = places.iter().map(|it| it % 2).collect();
                    compared(*operator, place % 2, &wanted)
                }
                Some(Cell::Nth(place)) => compared(*operator, *place, places),
                Some(Cell::Word(word)) if !word.is_empty() => worded(*operator, word, words),
                Some(Cell::Chosen(chosen)) if !chosen.is_empty() => {
                    let wanted: Vec<i64> = places.iter().map(|it| choice(*it)).collect();
                    let only = chosen.len() == 1 && wanted.contains(&chosen[0]);
                    match operator {
                        Operator::Eq | Operator::In => only,
                        Operator::Ne => !only,
                        Operator::Contains => chosen.iter().any(|it| wanted.contains(it)),
                        Operator::NotNull => true,
                        Operator::Gt
                        | Operator::Ge
                        | Operator::Lt
                        | Operator::Le
                        | Operator::BeginsWith
                        | Operator::EndsWith
                        | Operator::Null => false,
                    }
                }
                Some(Cell::Word(_) | Cell::Chosen(_)) | None => {
                    matches!(operator, Operator::Null | Operator::Ne)
                }
            },
        }
    }

    pub(super) fn rule(&self) -> Rule {
        let group = |all, parts: &[Self]| {
            Rule::Group(Group { all, rules: parts.iter().map(Self::rule).collect() })
        };
        match self {
            Self::All(parts) => group(true, parts),
            Self::Any(parts) => group(false, parts),
            Self::Leaf { column, operator, places, words } => {
                let operands = if *column == "text" {
                    words.iter().map(|word| Operand::Text(word.clone())).collect()
                } else {
                    places.iter().map(|place| operand(column, *place)).collect()
                };
                Rule::Test(Test { column: column_name(column), operator: *operator, operands })
            }
        }
    }
}

fn choice(place: i64) -> i64 {
    CHOICES[usize::try_from(place).unwrap() % CHOICES.len()]
}

fn compared(operator: Operator, value: i64, wanted: &[i64]) -> bool {
    let first = wanted.first().copied().unwrap_or_default();
    match operator {
        Operator::Eq => value == first,
        Operator::Ne => value != first,
        Operator::Gt => value > first,
        Operator::Ge => value >= first,
        Operator::Lt => value < first,
        Operator::Le => value <= first,
        Operator::In => wanted.contains(&value),
        Operator::NotNull => true,
        Operator::Null | Operator::Contains | Operator::BeginsWith | Operator::EndsWith => false,
    }
}

fn worded(operator: Operator, word: &str, wanted: &[String]) -> bool {
    let word: Vec<char> = lower(word).chars().collect();
    let wanted: Vec<Vec<char>> = wanted.iter().map(|it| lower(it).chars().collect()).collect();
    let first = wanted.first().cloned().unwrap_or_default();
    match operator {
        Operator::Eq => word == first,
        Operator::Ne => word != first,
        Operator::Gt => word > first,
        Operator::Ge => word >= first,
        Operator::Lt => word < first,
        Operator::Le => word <= first,
        Operator::In => wanted.contains(&word),
        Operator::Contains => word.windows(first.len()).any(|part| part == first),
        Operator::BeginsWith => word.starts_with(&first),
        Operator::EndsWith => word.ends_with(&first),
        Operator::NotNull => true,
        Operator::Null => false,
    }
}

/// The n-th value of a column's type.
pub(super) fn value(column: &str, cell: Option<&Cell>) -> Value {
    let place = match cell {
        None => return Value::Null,
        Some(Cell::Word(word)) => return Value::Text(word.clone()),
        Some(Cell::Chosen(chosen)) => return Value::MultiChoice(chosen.clone()),
        Some(Cell::Nth(place)) => *place,
    };
    let quarters = f64::from(i32::try_from(place).unwrap()) / 4.0;
    let midnight = jiff::civil::date(2024, 5, 6).at(0, 0, 0, 0);
    match column {
        "whole" => Value::Integer(place),
        "decimal" => Value::Decimal(decimal(&quarters.to_string())),
        "double" => Value::Double(quarters),
        "bool" => Value::Bool(place % 2 == 1),
        "guid" => Value::Guid(id(place)),
        "choice" => Value::Choice(choice(place)),
        "instant" => Value::Instant(format!("2024-05-06T0{place}:00:00Z").parse().unwrap()),
        "wall" => Value::Civil(midnight.checked_add(place.hours()).unwrap()),
        "date" => Value::Date(midnight.date().checked_add(place.days()).unwrap()),
        other => panic!("no column {other}"),
    }
}

/// The same, as the configuration writes it: another zone, another case of
/// letters, another form of a number.
fn operand(column: &str, place: i64) -> Operand {
    let quarters = f64::from(i32::try_from(place).unwrap()) / 4.0;
    let word = Operand::Text;
    match column {
        "whole" if place % 2 == 0 => word(format!("{place}.0")),
        "whole" => Operand::Integer(place),
        "decimal" | "double" => Operand::Float(quarters),
        "bool" => Operand::Bool(place % 2 == 1),
        "guid" => word(id(place).to_string().to_uppercase()),
        "choice" | "multi" => Operand::Integer(choice(place)),
        "instant" => word(format!("2024-05-06T0{}:00:00+02:00", place + 2)),
        "wall" => word(format!("2024-05-06T0{place}:00:00")),
        "date" => word(format!("2024-05-0{}", place + 6)),
        other => panic!("no column {other}"),
    }
}

fn id(place: i64) -> Uuid {
    Uuid::from_u128(0xabcd_ef00 + u128::try_from(place).unwrap())
}

pub(super) fn filtered(rule: Rule) -> TableMapping {
    let mut spec = mapping(vec![]);
    let group = Group { all: true, rules: vec![rule] };
    spec.filter = Some(Filter { delete_filtered_out: false, group });
    spec
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn every_operator_on_every_type_agrees_with_a_plainer_evaluator(
        tree in tree(),
        cells in cells(),
    ) {
        let compiled = compile(&filtered(tree.rule()), &table(), &resource());
        prop_assert!(compiled.is_ok(), "{:?}", compiled.err());
        let columns: Vec<(&str, Value)> =
            cells.iter().map(|(name, cell)| (*name, value(name, cell.as_ref()))).collect();
        let applied = compiled.unwrap().apply(&row(&columns));
        let passed = match applied {
            Applied::Record(_) => true,
            Applied::FilteredOut => false,
            Applied::Failed(failures) => panic!("{failures:?}"),
        };
        prop_assert_eq!(passed, tree.holds(&cells));
    }
}
