//! Filters: every operator on every type, null, groups, refusals.

use super::{
    ID, column_name, decimal, mapping, problems, resource, row, source_types, table, text,
};
use crate::mapping::spec::{Filter, Group, Operand, Operator, Rule, TableMapping, Test};
use crate::mapping::{Applied, Place, compile};
use crate::model::Value;

const OPERATORS: [Operator; 12] = [
    Operator::Eq,
    Operator::Ne,
    Operator::Gt,
    Operator::Ge,
    Operator::Lt,
    Operator::Le,
    Operator::Contains,
    Operator::BeginsWith,
    Operator::EndsWith,
    Operator::In,
    Operator::Null,
    Operator::NotNull,
];

fn word(text: &str) -> Operand {
    Operand::Text(text.to_owned())
}

fn test(column: &str, operator: Operator, operands: &[Operand]) -> Rule {
    Rule::Test(Test { column: column_name(column), operator, operands: operands.to_vec() })
}

fn filtered(all: bool, rules: Vec<Rule>) -> TableMapping {
    let mut spec = mapping(vec![]);
    spec.filter = Some(Filter { delete_filtered_out: false, group: Group { all, rules } });
    spec
}

fn passes(rule: Rule, column: &str, value: &Value) -> bool {
    let compiled = compile(&filtered(true, vec![rule]), &table(), &resource()).unwrap();
    match compiled.apply(&row(&[(column, value.clone())])) {
        Applied::Record(_) => true,
        Applied::FilteredOut => false,
        Applied::Failed(failures) => panic!("{failures:?}"),
    }
}

#[test]
fn each_operator_on_each_type() {
    use Operator::{BeginsWith, Contains, EndsWith, Eq, Ge, Gt, In, Le, Lt, Ne};
    let instant = |it: &str| Value::Instant(it.parse().unwrap());
    let wall = |it: &str| Value::Civil(it.parse().unwrap());
    let day = |it: &str| Value::Date(it.parse().unwrap());
    let cases: Vec<(&str, Value, Operator, Vec<Operand>, bool)> = vec![
        ("text", text("ÄRGER"), Eq, vec![word("ärger")], true),
        ("text", text("a"), Ne, vec![word("A")], false),
        ("text", text("Contoso GmbH"), Contains, vec![word("SO g")], true),
        ("text", text("Contoso"), BeginsWith, vec![word("con")], true),
        ("text", text("Contoso"), BeginsWith, vec![word("onto")], false),
        ("text", text("Contoso"), EndsWith, vec![word("OSO")], true),
        ("text", text("b"), Gt, vec![word("A")], true),
        ("text", text("b"), Le, vec![word("B")], true),
        ("text", text("50%_"), Contains, vec![word("%_")], true),
        ("text", text("5000"), Contains, vec![word("%_")], false),
        ("text", text("x"), In, vec![word("y"), word("X")], true),
        ("whole", Value::Integer(5), Ge, vec![Operand::Integer(5)], true),
        ("whole", Value::Integer(5), Lt, vec![Operand::Float(5.5)], true),
        ("decimal", Value::Decimal(decimal("0.1")), Eq, vec![Operand::Float(0.1)], true),
        (
            "decimal",
            Value::Decimal(decimal("9007199254740993")),
            Gt,
            vec![Operand::Integer(9_007_199_254_740_992)],
            true,
        ),
        ("decimal", Value::Decimal(decimal("-2.5")), Lt, vec![word("-2.49")], true),
        ("double", Value::Double(0.1), Eq, vec![Operand::Float(0.1)], true),
        ("bool", Value::Bool(true), Eq, vec![Operand::Bool(true)], true),
        ("bool", Value::Bool(false), Ne, vec![Operand::Bool(true)], true),
        ("choice", Value::Choice(2), Eq, vec![Operand::Integer(2)], true),
        ("choice", Value::Choice(2), Eq, vec![word("female")], true),
        ("choice", Value::Choice(9), Eq, vec![word("MALE")], true),
        ("choice", Value::Choice(77), Ne, vec![word("Male")], true),
        ("choice", Value::Choice(2), Gt, vec![Operand::Integer(1)], true),
        ("choice", Value::Choice(2), In, vec![word("Male"), Operand::Integer(2)], true),
        ("multi", Value::MultiChoice(vec![1, 2]), Contains, vec![Operand::Integer(2)], true),
        ("multi", Value::MultiChoice(vec![1, 2]), Eq, vec![Operand::Integer(2)], false),
        ("multi", Value::MultiChoice(vec![2]), Eq, vec![word("Female")], true),
        ("multi", Value::MultiChoice(vec![1, 2]), Ne, vec![Operand::Integer(1)], true),
        ("guid", Value::Guid(ID.parse().unwrap()), Eq, vec![word(&ID.to_uppercase())], true),
        ("lookup", Value::Guid(ID.parse().unwrap()), In, vec![word(&format!("{{{ID}}}"))], true),
        (
            "instant",
            instant("2024-05-06T07:00:00Z"),
            Eq,
            vec![word("2024-05-06T09:00:00+02:00")],
            true,
        ),
        ("instant", instant("2024-05-06T07:00:00Z"), Ge, vec![word("2024-05-06")], true),
        ("instant", instant("2024-05-06T07:00:00Z"), Lt, vec![word("2024-05-06 07:00:01")], true),
        ("wall", wall("2024-05-06T07:00:00"), Eq, vec![word("2024-05-06T07:00:00Z")], true),
        ("wall", wall("2024-05-06T07:00:00"), Gt, vec![word("2024-05-06")], true),
        ("date", day("2024-05-06"), Le, vec![word("2024-05-06")], true),
        ("date", day("9999-12-31"), Gt, vec![word("0001-01-01")], true),
    ];
    for (column, value, operator, operands, expected) in cases {
        let verdict = passes(test(column, operator, &operands), column, &value);
        assert_eq!(verdict, expected, "{value:?} {operator:?} {operands:?}");
    }
}

/// An operand that fits each type, and a value that equals it.
fn pair(column: &str) -> (Operand, Value) {
    match column {
        "text" => (word("a"), text("A")),
        "whole" => (Operand::Integer(1), Value::Integer(1)),
        "decimal" => (Operand::Integer(1), Value::Decimal(decimal("1.0"))),
        "double" => (Operand::Integer(1), Value::Double(1.0)),
        "bool" => (Operand::Bool(true), Value::Bool(true)),
        "choice" => (Operand::Integer(1), Value::Choice(1)),
        "multi" => (Operand::Integer(1), Value::MultiChoice(vec![1])),
        "instant" => (word("2024-05-06"), Value::Instant("2024-05-06T00:00:00Z".parse().unwrap())),
        "date" => (word("2024-05-06"), Value::Date("2024-05-06".parse().unwrap())),
        "wall" => (word("2024-05-06"), Value::Civil("2024-05-06T00:00:00".parse().unwrap())),
        _ => (word(ID), Value::Guid(ID.parse().unwrap())),
    }
}

#[test]
fn an_empty_column_passes_null_and_ne_only_and_an_equal_one_the_opposite() {
    for (column, _) in source_types().into_iter().filter(|(name, _)| *name != "virtual") {
        let (operand, equal) = pair(column);
        for operator in OPERATORS {
            let none = matches!(operator, Operator::Null | Operator::NotNull);
            let operands = if none { vec![] } else { vec![operand.clone()] };
            let rule = test(column, operator, &operands);
            let spec = filtered(true, vec![rule.clone()]);
            if compile(&spec, &table(), &resource()).is_err() {
                continue;
            }
            let name = format!("{column} {operator:?}");
            let on_null = matches!(operator, Operator::Null | Operator::Ne);
            assert_eq!(passes(rule.clone(), column, &Value::Null), on_null, "{name}");
            let strict = matches!(operator, Operator::Gt | Operator::Lt);
            assert_eq!(passes(rule, column, &equal), !on_null && !strict, "{name}");
        }
    }
    assert!(passes(test("text", Operator::Null, &[]), "text", &text("")));
    assert!(passes(test("multi", Operator::Null, &[]), "multi", &Value::MultiChoice(vec![])));
    assert!(passes(test("text", Operator::NotNull, &[]), "text", &text(" ")));
}

#[test]
fn groups_nest() {
    let is = |column: &str, number| test(column, Operator::Eq, &[Operand::Integer(number)]);
    let spec = filtered(
        false,
        vec![
            is("whole", 1),
            Rule::Group(Group { all: true, rules: vec![is("choice", 1), is("whole", 2)] }),
        ],
    );
    let compiled = compile(&spec, &table(), &resource()).unwrap();
    for (whole, choice, expected) in [(1, 2, true), (2, 1, true), (2, 2, false), (3, 1, false)] {
        let row = row(&[("whole", Value::Integer(whole)), ("choice", Value::Choice(choice))]);
        let passed = matches!(compiled.apply(&row), Applied::Record(_));
        assert_eq!(passed, expected, "{whole} {choice}");
    }
}

#[test]
fn an_absent_or_unreadable_filter_column_fails_the_record() {
    let whole = test("whole", Operator::Eq, &[Operand::Integer(1)]);
    let words = test("text", Operator::Eq, &[word("x")]);
    let compiled = compile(&filtered(false, vec![whole, words]), &table(), &resource()).unwrap();
    let decided = ("whole", Value::Integer(1));
    for other in [None, Some(Value::Unreadable("a string")), Some(Value::Bool(true))] {
        let mut columns = vec![decided.clone()];
        columns.extend(other.map(|value| ("text", value)));
        let Applied::Failed(failures) = compiled.apply(&row(&columns)) else { panic!("passed") };
        assert_eq!(failures.len(), 1);
        let failure = failures.first().unwrap();
        assert_eq!((failure.field.as_ref(), &failure.column), (None, &column_name("text")));
    }
}

#[test]
fn a_row_left_out_fails_for_nothing_else() {
    let compiled = compile(
        &filtered(true, vec![test("whole", Operator::Eq, &[Operand::Integer(1)])]),
        &table(),
        &resource(),
    )
    .unwrap();
    let row = row(&[("contactid", Value::Null), ("whole", Value::Integer(2))]);
    assert_eq!(compiled.apply(&row), Applied::FilteredOut);
}

#[test]
fn rules_that_cannot_work_are_refused_at_their_place() {
    use Operator::{Contains, Eq, Gt, In, Null};
    let cases: Vec<(Rule, &str, &str)> = vec![
        (
            test("emailaddres", Null, &[]),
            "`contact` has no column",
            "did you mean `emailaddress1`?",
        ),
        (test("secret", Null, &[]), "the column `secret` cannot be read", ""),
        (test("virtual", Null, &[]), "columns of type `Virtual`", "shadow name columns"),
        (test("whole", Contains, &[Operand::Integer(1)]), "`contains` does not apply", "use eq"),
        (test("whole", Contains, &[word("x")]), "`contains` does not apply", "use eq"),
        (test("bool", Gt, &[Operand::Bool(true)]), "`gt` does not apply", "use eq"),
        (test("whole", Eq, &[word("x")]), "the value does not compare", "write a number"),
        (
            test("whole", Eq, &[Operand::Float(f64::NAN)]),
            "the value does not compare",
            "write a finite",
        ),
        (test("text", Eq, &[Operand::Integer(1)]), "the value does not compare", "write a text"),
        (
            test("text", Eq, &[word("")]),
            "an empty text compares with nothing",
            "use `is = \"null\"`",
        ),
        (test("bool", Eq, &[word("true")]), "the value does not compare", "write true or false"),
        (
            test("choice", Eq, &[word("Maybe")]),
            "the column has no option labelled `Maybe`",
            "its labels are `Male`, `Female`, `male`",
        ),
        (
            test("choice", Eq, &[Operand::Integer(5)]),
            "the column has no option of this value",
            "its values are `1`, `2`, `9`",
        ),
        (test("choice", Gt, &[word("Male")]), "the value does not compare", "write the technical"),
        (test("date", Eq, &[word("2024-05-06T00:00:00Z")]), "the value", "write a date"),
        (test("wall", Eq, &[word("2024-05-06T07:00:00+02:00")]), "the value", "write a wall time"),
        (test("guid", Eq, &[word("me")]), "the value does not compare", "write a GUID"),
        (test("whole", Eq, &[]), "`eq` takes exactly one value", ""),
        (test("whole", Eq, &[Operand::Integer(1), Operand::Integer(2)]), "`eq` takes exactly", ""),
        (test("whole", In, &[]), "`in` takes a list", ""),
        (test("whole", Null, &[Operand::Integer(1)]), "`null` takes no value", ""),
        (
            Rule::Group(Group { all: true, rules: vec![] }),
            "the group has no rules",
            "write at least",
        ),
    ];
    for (rule, text, hint) in cases {
        let fine = test("whole", Operator::NotNull, &[]);
        let nested = Rule::Group(Group { all: false, rules: vec![fine, rule.clone()] });
        let found = problems(&filtered(true, vec![nested]));
        assert_eq!(found.len(), 1, "{found:?}");
        let first = found.first().unwrap();
        assert!(first.text.starts_with(text), "{first:?}");
        assert!(first.hint.starts_with(hint), "{first:?}");
        assert_eq!(first.place, Place::Rule(vec![0, 1]));
    }
    let nothing = |all| compile(&filtered(all, vec![]), &table(), &resource());
    assert!(nothing(true).is_ok(), "every row fulfils all of no rules");
    assert_eq!(nothing(false).unwrap_err()[0].text, "the group has no rules");
}
