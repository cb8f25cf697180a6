//! The values that a filter's rules compare with, read in the type of their
//! column.
//!
//! Knows the operand forms of the configuration; nothing of rows or groups.

use crate::mapping::dates::{self, Moment};
use crate::mapping::filter::Operands;
use crate::mapping::forms::{choices, exact, parse_number};
use crate::mapping::matrix::column_words;
use crate::mapping::problem::listed;
use crate::mapping::spec::{Operand, Operator, Test};
use crate::model::{Choices, ColumnType, DateTimeBehavior, Decimal, RecordId};

/// Text and hint of a finding.
pub(super) type Finding = (String, String);

fn wrong(kind: &ColumnType, form: &str) -> Finding {
    let text = format!("the value does not compare with a {} column", column_words(kind));
    (text, format!("write {form}"))
}

/// Operands in the type of their column.
pub(super) fn operands(rule: &Test, kind: &ColumnType, language: u32) -> Result<Operands, Finding> {
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
