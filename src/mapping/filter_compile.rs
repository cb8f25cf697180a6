//! A filter as written, checked and compiled against the table's columns.
//!
//! Knows rules and columns; `operand` reads the values, `filter` decides on rows.

use crate::mapping::compile::primary_column;
use crate::mapping::filter::{CompiledFilter, Node};
use crate::mapping::matrix::{column_words, unreadable_source};
use crate::mapping::operand::operands;
use crate::mapping::problem::{Place, Problem, did_you_mean};
use crate::mapping::spec::{Filter, Group, Operator, Rule, Test};
use crate::model::{Column, ColumnName, ColumnType, TableSchema};

/// Compiles a filter; findings are added to `problems`.
pub(super) fn compile(
    filter: &Filter,
    table: &TableSchema,
    language: u32,
    problems: &mut Vec<Problem>,
) -> Option<CompiledFilter> {
    let mut compiler = Compiler { table, language, columns: Vec::new(), problems };
    let root = compiler.group(&filter.group, &mut Vec::new())?;
    let columns = compiler.columns;
    Some(CompiledFilter { columns, root })
}

struct Compiler<'a> {
    table: &'a TableSchema,
    language: u32,
    columns: Vec<Column>,
    problems: &'a mut Vec<Problem>,
}

impl Compiler<'_> {
    /// All rules are visited even after one has failed.
    fn group(&mut self, group: &Group, path: &mut Vec<usize>) -> Option<Node> {
        if group.rules.is_empty() && (!path.is_empty() || !group.all) {
            let hint = "write at least one rule, or leave the group out";
            self.problem(path, "rules", "the group has no rules", hint);
            return None;
        }
        let mut nodes = Vec::with_capacity(group.rules.len());
        let mut sound = true;
        for (index, rule) in group.rules.iter().enumerate() {
            path.push(index);
            let node = match rule {
                Rule::Test(test) => self.test(test, path),
                Rule::Group(inner) => self.group(inner, path),
            };
            path.pop();
            sound &= node.is_some();
            nodes.extend(node);
        }
        if !sound {
            return None;
        }
        Some(if group.all { Node::All(nodes) } else { Node::Any(nodes) })
    }

    fn test(&mut self, rule: &Test, path: &[usize]) -> Option<Node> {
        let column = self.column(rule, path)?;
        let counted = self.count(rule, path);
        let fits = self.operator_fits(rule.operator, &column.kind, path);
        if counted.is_none() || fits.is_none() {
            return None;
        }
        match operands(rule, &column.kind, self.language) {
            Ok(operands) => {
                if !self.columns.iter().any(|known| known.name == column.name) {
                    self.columns.push(column);
                }
                let column = rule.column.clone();
                Some(Node::Test { column, operator: rule.operator, operands })
            }
            Err((text, hint)) => {
                self.problem(path, "value", &text, &hint);
                None
            }
        }
    }

    fn column(&mut self, rule: &Test, path: &[usize]) -> Option<Column> {
        let found = if rule.column == self.table.primary_id {
            Some(primary_column(self.table))
        } else {
            self.table.columns.get(&rule.column).cloned()
        };
        let Some(column) = found else {
            let names = self.table.columns.keys().map(ColumnName::as_str);
            let hint = did_you_mean(
                rule.column.as_str(),
                names,
                "list the columns with `cdsync tables NAME`",
            );
            let text = format!("`{}` has no column `{}`", self.table.name, rule.column);
            self.problem(path, "column", &text, &hint);
            return None;
        };
        if let Some(refusal) = unreadable_source(&column.kind) {
            self.problem(path, "column", &refusal.text, refusal.hint);
            return None;
        }
        if !column.readable {
            let text = format!("the column `{}` cannot be read", column.name);
            self.problem(path, "column", &text, "filter on another column");
            return None;
        }
        Some(column)
    }

    fn count(&mut self, rule: &Test, path: &[usize]) -> Option<()> {
        let count = rule.operands.len();
        let expected = match rule.operator {
            Operator::Null | Operator::NotNull if count != 0 => "takes no value",
            Operator::In if count == 0 => "takes a list of at least one value",
            Operator::Eq
            | Operator::Ne
            | Operator::Gt
            | Operator::Ge
            | Operator::Lt
            | Operator::Le
            | Operator::Contains
            | Operator::BeginsWith
            | Operator::EndsWith
                if count != 1 =>
            {
                "takes exactly one value"
            }
            Operator::Null
            | Operator::NotNull
            | Operator::In
            | Operator::Eq
            | Operator::Ne
            | Operator::Gt
            | Operator::Ge
            | Operator::Lt
            | Operator::Le
            | Operator::Contains
            | Operator::BeginsWith
            | Operator::EndsWith => return Some(()),
        };
        let text = format!("`{}` {expected}", name(rule.operator));
        self.problem(path, "value", &text, "several values go with `is = \"in\"`");
        None
    }

    fn operator_fits(
        &mut self,
        operator: Operator,
        kind: &ColumnType,
        path: &[usize],
    ) -> Option<()> {
        let fits = match operator {
            Operator::Null | Operator::NotNull | Operator::Eq | Operator::Ne | Operator::In => true,
            Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le => !matches!(
                kind,
                ColumnType::Boolean(_)
                    | ColumnType::MultiChoice(_)
                    | ColumnType::Guid
                    | ColumnType::Lookup { .. }
            ),
            Operator::Contains => {
                matches!(kind, ColumnType::Text { .. } | ColumnType::MultiChoice(_))
            }
            Operator::BeginsWith | Operator::EndsWith => matches!(kind, ColumnType::Text { .. }),
        };
        if fits {
            return Some(());
        }
        let text =
            format!("`{}` does not apply to a {} column", name(operator), column_words(kind));
        self.problem(path, "is", &text, "use eq, ne, in, null or not-null");
        None
    }

    fn problem(&mut self, path: &[usize], part: &'static str, text: &str, hint: &str) {
        self.problems.push(Problem::new(&Place::Rule(path.to_vec()), part, text, hint));
    }
}

/// The operator as the configuration writes it.
fn name(operator: Operator) -> &'static str {
    match operator {
        Operator::Eq => "eq",
        Operator::Ne => "ne",
        Operator::Gt => "gt",
        Operator::Ge => "ge",
        Operator::Lt => "lt",
        Operator::Le => "le",
        Operator::Contains => "contains",
        Operator::BeginsWith => "begins-with",
        Operator::EndsWith => "ends-with",
        Operator::In => "in",
        Operator::Null => "null",
        Operator::NotNull => "not-null",
    }
}
