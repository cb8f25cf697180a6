//! `filter` of a table mapping: from the tree to groups, rules and operands.

use toml::de::DeValue;

use super::tree::{Keys, Node, as_i64};
use super::values::{flag_or, name};
use crate::mapping::spec::{Filter, Group, Operand, Operator, Rule, Test};
use crate::model::ColumnName;

const FILTER_KEYS: &[&str] = &["match", "rules", "delete_filtered_out"];

const GROUP_KEYS: &[&str] = &["match", "rules"];

const RULE_KEYS: &[&str] = &["column", "is", "value"];

const MATCH: &[(&str, bool)] = &[("all", true), ("any", false)];

const OPERATORS: &[(&str, Operator)] = &[
    ("eq", Operator::Eq),
    ("ne", Operator::Ne),
    ("gt", Operator::Gt),
    ("ge", Operator::Ge),
    ("lt", Operator::Lt),
    ("le", Operator::Le),
    ("contains", Operator::Contains),
    ("begins-with", Operator::BeginsWith),
    ("ends-with", Operator::EndsWith),
    ("in", Operator::In),
    ("null", Operator::Null),
    ("not-null", Operator::NotNull),
];

/// The filter of one table.
pub(super) fn filter(node: &Node<'_>) -> Option<Filter> {
    let keys = node.keys(FILTER_KEYS)?;
    let delete_filtered_out = flag_or(&keys, "delete_filtered_out", false);
    Some(Filter { delete_filtered_out, group: group(&keys)? })
}

/// `match` (default `all`) and `rules`. The nesting is bounded by the TOML
/// parser.
fn group(keys: &Keys<'_>) -> Option<Group> {
    let all = match keys.get("match") {
        Some(node) => node.word(MATCH),
        None => Some(true),
    };
    let node =
        keys.required("rules", "rules = [ { column = \"statecode\", is = \"eq\", value = 0 } ]")?;
    let nodes = node.list()?;
    if nodes.is_empty() {
        node.problem(
            "a group without rules says nothing",
            "add a rule, as in `{ column = \"statecode\", is = \"eq\", value = 0 }`, or remove the group",
        );
    }
    let rules: Vec<_> = nodes.iter().map(rule).collect();
    Some(Group { all: all?, rules: rules.into_iter().collect::<Option<_>>()? })
}

fn rule(node: &Node<'_>) -> Option<Rule> {
    if node.value.get("rules").is_some() || node.value.get("match").is_some() {
        return group(&node.keys(GROUP_KEYS)?).map(Rule::Group);
    }
    let keys = node.keys(RULE_KEYS)?;
    let column = keys.required("column", "column = \"statecode\"").and_then(|node| {
        name(&node, ColumnName::new, "the column's logical name, such as `statecode`")
    });
    let operator = keys.required("is", "is = \"eq\"").and_then(|node| node.word(OPERATORS));
    let operands = operands(&keys, operator?);
    Some(Rule::Test(Test { column: column?, operator: operator?, operands: operands? }))
}

/// As many and such operands as the operator takes.
fn operands(keys: &Keys<'_>, operator: Operator) -> Option<Vec<Operand>> {
    let value = keys.get("value");
    match operator {
        Operator::Null | Operator::NotNull => {
            if value.is_some() {
                keys.problem_at("value", "`null` and `not-null` take no `value`", "remove `value`");
                return None;
            }
            Some(Vec::new())
        }
        Operator::In => {
            let list = keys.required("value", "value = [0, 1]")?.list()?;
            if list.is_empty() {
                keys.problem_at(
                    "value",
                    "`in` with an empty list matches nothing",
                    "list at least one value",
                );
            }
            list.iter().map(operand).collect::<Vec<_>>().into_iter().collect()
        }
        Operator::Contains | Operator::BeginsWith | Operator::EndsWith => {
            let text = keys.required("value", "value = \"text\"")?.text()?;
            Some(vec![Operand::Text(text.to_owned())])
        }
        Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le => {
            let node = keys.required("value", "value = 0")?;
            if node.value.is_bool() {
                node.problem(
                    "a boolean is neither greater nor smaller",
                    "compare with `eq` or `ne`, or write a number, text or date",
                );
                return None;
            }
            operand(&node).map(|operand| vec![operand])
        }
        Operator::Eq | Operator::Ne => {
            operand(&keys.required("value", "value = 0")?).map(|operand| vec![operand])
        }
    }
}

/// One scalar. A TOML date or date-time is taken as its text.
fn operand(node: &Node<'_>) -> Option<Operand> {
    let found = match node.value {
        DeValue::String(text) => Some(Operand::Text(text.clone().into_owned())),
        DeValue::Boolean(flag) => Some(Operand::Bool(*flag)),
        DeValue::Datetime(time) => Some(Operand::Text(time.to_string())),
        DeValue::Integer(integer) => as_i64(integer).map(Operand::Integer),
        DeValue::Float(_) => as_f64(node.value).map(Operand::Float),
        DeValue::Array(_) => {
            node.problem("only `in` takes a list", "write one value, or `is = \"in\"`");
            return None;
        }
        DeValue::Table(_) => None,
    };
    if found.is_none() {
        node.problem(
            "this cannot be compared with a column",
            "write a string, a number, a boolean or a date",
        );
    }
    found
}

/// A finite float of the file.
pub(super) fn as_f64(value: &DeValue<'_>) -> Option<f64> {
    let number: f64 = value.as_float()?.as_str().parse().ok()?;
    number.is_finite().then_some(number)
}
