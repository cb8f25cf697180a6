//! A filter as written, checked and compiled against the table's columns.
//!
//! Knows the operand forms of the configuration; `filter` decides on rows.

use crate::mapping::convert::{choices, exact, parse_number};
use crate::mapping::dates::{self, Moment};
use crate::mapping::filter::{CompiledFilter, Node, Operands};
use crate::mapping::matrix::{column_words, unreadable_source};
use crate::mapping::problem::{Place, Problem, did_you_mean, listed};
use crate::mapping::spec::{Filter, Group, Operand, Operator, Rule, Test};
use crate::model::{
    Choices, Column, ColumnType, DateTimeBehavior, Decimal, RecordId, TableSchema,
};

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
        let Some(column) = self.table.columns.get(&rule.column) else {
            let names = self.table.columns.keys().map(crate::model::ColumnName::as_str);
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
        Some(column.clone())
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

    fn operator_fits(&mut self, operator: Operator, kind: &ColumnType, path: &[usize]) -> Option<()> {
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
        let text = format!("`{}` does not apply to a {} column", name(operator), column_words(kind));
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

/// Text and hint of a finding.
type Finding = (String, String);

fn wrong(kind: &ColumnType, form: &str) -> Finding {
    let text = format!("the value does not compare with a {} column", column_words(kind));
    (text, format!("write {form}"))
}

/// Operands in the type of their column.
fn operands(rule: &Test, kind: &ColumnType, language: u32) -> Result<Operands, Finding> {
    fn each<T>(
        rule: &Test,
        read: impl Fn(&Operand) -> Result<T, Finding>,
    ) -> Result<Vec<T>, Finding> {
        rule.operands.iter().map(read).collect()
    }
    if rule.operands.is_empty() {
        return Ok(Operands::Nothing);
    }
    match kind {
        ColumnType::Text { .. } => each(rule, |it| text_operand(it, kind)).map(Operands::Text),
        ColumnType::Integer | ColumnType::Decimal | ColumnType::Double => {
            each(rule, |it| number(it, kind)).map(Operands::Number)
        }
        ColumnType::Boolean(_) => each(rule, |it| boolean(it, kind)).map(Operands::Bool),
        ColumnType::Choice(_) | ColumnType::MultiChoice(_) => {
            let chosen = each(rule, |it| choice(it, rule.operator, kind, language))?;
            Ok(Operands::Choice(chosen.concat()))
        }
        ColumnType::Guid | ColumnType::Lookup { .. } => {
            each(rule, |it| id(it, kind)).map(Operands::Id)
        }
        ColumnType::DateTime(DateTimeBehavior::UserLocal) => each(rule, |it| {
            let moment = text_of(it).and_then(dates::read);
            let instant = moment.and_then(|moment| match moment {
                Moment::Instant(instant, _) => Some(instant),
                Moment::Wall(wall) => dates::as_if_utc(wall).ok(),
                Moment::Date(date) => dates::as_if_utc(date.at(0, 0, 0, 0)).ok(),
            });
            instant.ok_or_else(|| wrong(kind, "an instant like \"2024-05-06T07:08:09Z\""))
        })
        .map(Operands::Instant),
        ColumnType::DateTime(DateTimeBehavior::TimeZoneIndependent) => each(rule, |it| {
            let moment = text_of(it).and_then(dates::read);
            let wall = moment.and_then(|moment| match moment {
                Moment::Instant(instant, wall) => {
                    (dates::as_if_utc(wall) == Ok(instant)).then_some(wall)
                }
                Moment::Wall(wall) => Some(wall),
                Moment::Date(date) => Some(date.at(0, 0, 0, 0)),
            });
            wall.ok_or_else(|| wrong(kind, "a wall time like \"2024-05-06T07:08:09\", no zone"))
        })
        .map(Operands::Civil),
        ColumnType::DateTime(DateTimeBehavior::DateOnly) => each(rule, |it| {
            let date = text_of(it).and_then(dates::read_date);
            date.ok_or_else(|| wrong(kind, "a date like \"2024-05-06\""))
        })
        .map(Operands::Date),
        ColumnType::Other(_) => Err(wrong(kind, "a filter on another column")),
    }
}

fn text_of(operand: &Operand) -> Option<&str> {
    if let Operand::Text(text) = operand { Some(text) } else { None }
}

fn text_operand(operand: &Operand, kind: &ColumnType) -> Result<String, Finding> {
    match text_of(operand) {
        Some("") => {
            let text = "an empty text compares with nothing: Dynamics stores it as null";
            Err((text.to_owned(), "use `is = \"null\"` or `is = \"not-null\"`".to_owned()))
        }
        Some(text) => Ok(text.to_lowercase()),
        None => Err(wrong(kind, "a text in quotes")),
    }
}

fn number(operand: &Operand, kind: &ColumnType) -> Result<Decimal, Finding> {
    match operand {
        Operand::Integer(number) => Ok(Decimal::from(*number)),
        Operand::Float(number) => exact(*number).map_err(|_| wrong(kind, "a finite number")),
        Operand::Text(text) => parse_number(text).map_err(|_| wrong(kind, "a number")),
        Operand::Bool(_) => Err(wrong(kind, "a number")),
    }
}

fn boolean(operand: &Operand, kind: &ColumnType) -> Result<bool, Finding> {
    if let Operand::Bool(flag) = operand {
        Ok(*flag)
    } else {
        Err(wrong(kind, "true or false, without quotes"))
    }
}

fn id(operand: &Operand, kind: &ColumnType) -> Result<RecordId, Finding> {
    text_of(operand)
        .and_then(|text| RecordId::parse(text).ok())
        .ok_or_else(|| wrong(kind, "a GUID like \"2e451703-c286-e711-80ef-00155db19e6d\""))
}

/// The technical values that an operand means: a number that is an option, or
/// every option with this label in `language`, in any case of letters.
fn choice(
    operand: &Operand,
    operator: Operator,
    kind: &ColumnType,
    language: u32,
) -> Result<Vec<i64>, Finding> {
    let none = Choices::default();
    let choices = choices(kind).unwrap_or(&none);
    match operand {
        Operand::Integer(value) if choices.get(*value).is_some() => Ok(vec![*value]),
        Operand::Integer(_) => {
            let all: Vec<String> = choices.0.iter().map(|it| it.value.to_string()).collect();
            let hint = format!("its values are {}", listed(all.iter().map(String::as_str)));
            Err(("the column has no option of this value".to_owned(), hint))
        }
        Operand::Text(_)
            if matches!(operator, Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le) =>
        {
            Err(wrong(kind, "the technical number: labels have no order"))
        }
        Operand::Text(text) => {
            let wanted = text.to_lowercase();
            let labels = || choices.0.iter().filter_map(|it| Some((it, it.label(language)?)));
            let found: Vec<i64> = labels()
                .filter(|(_, label)| label.to_lowercase() == wanted)
                .map(|(option, _)| option.value)
                .collect();
            if found.is_empty() {
                let hint = format!("its labels are {}", listed(labels().map(|(_, label)| label)));
                return Err((format!("the column has no option labelled `{text}`"), hint));
            }
            Ok(found)
        }
        Operand::Float(_) | Operand::Bool(_) => {
            Err(wrong(kind, "a label in quotes or a technical number"))
        }
    }
}
