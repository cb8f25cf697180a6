//! A filter compiled against its columns' types, and the decision on one row.
//!
//! Text compares without regard to case, as Dataverse's own `$filter` does
//! ("Filter rows"); numbers exactly; date-times as instants; choices by
//! technical value. An empty column (null, empty text, no choice made) passes
//! `null` and, unlike in SQL, `ne`; every other comparison with it is false.
//!
//! Knows nothing of fields and conversions; `filter_compile` builds it.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use crate::mapping::apply::{FieldFailure, misfit, value_of};
use crate::mapping::spec::Operator;
use crate::model::{Column, ColumnName, Decimal, RecordId, SourceRow, Value};

/// A filter whose every operand has its column's type.
#[derive(Clone, Debug)]
pub(super) struct CompiledFilter {
    /// The columns that it reads, each once.
    pub(super) columns: Vec<Column>,
    pub(super) root: Node,
}

/// Groups and tests.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// True if every part is; true if empty.
    All(Vec<Node>),
    /// True if any part is.
    Any(Vec<Node>),
    /// One comparison.
    Test {
        /// What is compared.
        column: ColumnName,
        /// How.
        operator: Operator,
        /// With what.
        operands: Operands,
    },
}

/// Operands in their column's type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operands {
    /// None: `null` and `not-null`.
    Nothing,
    /// Lower-cased.
    Text(Vec<String>),
    /// Exact.
    Number(Vec<Decimal>),
    /// Booleans.
    Bool(Vec<bool>),
    /// Technical values.
    Choice(Vec<i64>),
    /// Ids of rows.
    Id(Vec<RecordId>),
    /// Instants.
    Instant(Vec<Timestamp>),
    /// Wall times.
    Civil(Vec<DateTime>),
    /// Dates.
    Date(Vec<Date>),
}

impl CompiledFilter {
    /// Whether the row belongs in Campaign. A column that is absent or
    /// unreadable is a failure even where another rule already decides: such a
    /// row is never left out in silence.
    pub(super) fn passes(
        &self,
        row: &SourceRow,
        primary: &ColumnName,
    ) -> Result<bool, Vec<FieldFailure>> {
        let failures: Vec<FieldFailure> = self
            .columns
            .iter()
            .filter_map(|column| {
                let reason = match value_of(row, &column.name, primary) {
                    None => Some("the row does not carry the filter's column".to_owned()),
                    Some(value) => misfit(column, &value),
                }?;
                Some(FieldFailure { field: None, column: column.name.clone(), reason })
            })
            .collect();
        if failures.is_empty() { Ok(self.root.holds(row, primary)) } else { Err(failures) }
    }
}

impl Node {
    fn holds(&self, row: &SourceRow, primary: &ColumnName) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(row, primary)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(row, primary)),
            Self::Test { column, operator, operands } => value_of(row, column, primary)
                .is_some_and(|value| test(&value, *operator, operands)),
        }
    }
}

/// Whether Dataverse would call the column empty.
fn is_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        Value::MultiChoice(chosen) => chosen.is_empty(),
        Value::Bool(_)
        | Value::Integer(_)
        | Value::Decimal(_)
        | Value::Double(_)
        | Value::Choice(_)
        | Value::Instant(_)
        | Value::Civil(_)
        | Value::Date(_)
        | Value::Guid(_)
        | Value::Unreadable(_) => false,
    }
}

fn test(value: &Value, operator: Operator, operands: &Operands) -> bool {
    if is_null(value) {
        return matches!(operator, Operator::Null | Operator::Ne);
    }
    match operands {
        Operands::Nothing => operator == Operator::NotNull,
        Operands::Text(texts) => {
            matches!(value, Value::Text(text) if text_test(&text.to_lowercase(), operator, texts))
        }
        Operands::Number(numbers) => {
            number_of(value).is_some_and(|number| ordered(&number, operator, numbers))
        }
        Operands::Bool(flags) => {
            matches!(value, Value::Bool(flag) if ordered(flag, operator, flags))
        }
        Operands::Choice(choices) => choice_test(value, operator, choices),
        Operands::Id(ids) => {
            matches!(value, Value::Guid(id) if ordered(&RecordId::from(*id), operator, ids))
        }
        Operands::Instant(times) => {
            matches!(value, Value::Instant(time) if ordered(time, operator, times))
        }
        Operands::Civil(times) => {
            matches!(value, Value::Civil(time) if ordered(time, operator, times))
        }
        Operands::Date(dates) => {
            matches!(value, Value::Date(date) if ordered(date, operator, dates))
        }
    }
}

fn number_of(value: &Value) -> Option<Decimal> {
    if let Value::Integer(number) = value {
        Some(Decimal::from(*number))
    } else if let Value::Decimal(number) = value {
        Some(number.clone())
    } else if let Value::Double(number) = value {
        Decimal::from_f64(*number)
    } else {
        None
    }
}

/// `ne` is the opposite of `in`; an ordering holds against its one operand.
fn ordered<T: Ord>(value: &T, operator: Operator, operands: &[T]) -> bool {
    let any = |holds: fn(&T, &T) -> bool| operands.iter().any(|operand| holds(value, operand));
    match operator {
        Operator::Eq | Operator::In => any(T::eq),
        Operator::Ne => !any(T::eq),
        Operator::Gt => any(T::gt),
        Operator::Ge => any(T::ge),
        Operator::Lt => any(T::lt),
        Operator::Le => any(T::le),
        Operator::NotNull => true,
        Operator::Contains | Operator::BeginsWith | Operator::EndsWith | Operator::Null => false,
    }
}

fn text_test(text: &str, operator: Operator, operands: &[String]) -> bool {
    let any = |holds: fn(&str, &str) -> bool| operands.iter().any(|operand| holds(text, operand));
    match operator {
        Operator::Contains => any(|text, part| text.contains(part)),
        Operator::BeginsWith => any(|text, part| text.starts_with(part)),
        Operator::EndsWith => any(|text, part| text.ends_with(part)),
        Operator::Eq | Operator::In => any(|text, operand| text == operand),
        Operator::Ne => !any(|text, operand| text == operand),
        Operator::Gt => any(|text, operand| text > operand),
        Operator::Ge => any(|text, operand| text >= operand),
        Operator::Lt => any(|text, operand| text < operand),
        Operator::Le => any(|text, operand| text <= operand),
        Operator::NotNull => true,
        Operator::Null => false,
    }
}

/// A multi-select equals an operand if that is the only choice made; it
/// contains one that is among those made.
fn choice_test(value: &Value, operator: Operator, operands: &[i64]) -> bool {
    if let Value::Choice(choice) = value {
        return ordered(choice, operator, operands);
    }
    let Value::MultiChoice(chosen) = value else { return false };
    let contains = chosen.iter().any(|choice| operands.contains(choice));
    let only = contains && chosen.iter().all(|choice| chosen.first() == Some(choice));
    match operator {
        Operator::Eq | Operator::In => only,
        Operator::Ne => !only,
        Operator::Contains => contains,
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
