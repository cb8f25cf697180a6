//! One value of Dynamics to one value of Campaign, as the matrix allows.
//!
//! Owns the rules of conversion. Every error text names types, lengths and
//! limits, never the value. Knows nothing of records: `apply` does those.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::mapping::dates::{self, Moment};
use crate::mapping::forms::{
    choices, entry, exact, fitted, number_for, parse_boolean, parse_number, written,
};
use crate::mapping::matrix::{column_words, field_words};
use crate::mapping::spec::OnTooLong;
use crate::model::{Choices, Column, Decimal, FieldType, TargetValue, Value};

/// Everything a conversion needs to know besides the value.
#[derive(Clone, Debug)]
pub(super) struct Conversion {
    /// The column it reads.
    pub(super) source: Column,
    /// The type it writes.
    pub(super) target: FieldType,
    /// Whether choices (and booleans) send their label; else their value.
    pub(super) labels: bool,
    /// The language of labels (LCID).
    pub(super) language: u32,
    /// What a text longer than its field does.
    pub(super) on_too_long: OnTooLong,
    /// The zone between dates and date-times; UTC, if absent.
    pub(super) zone: TimeZone,
}

impl Conversion {
    /// Converts a value that is neither null nor unreadable and
    /// fits (`forms::holds`) the column. An empty text becomes [`TargetValue::Empty`].
    pub(super) fn convert(&self, value: &Value) -> Result<TargetValue, String> {
        match &self.target {
            FieldType::Integer { .. } | FieldType::Float | FieldType::Double => {
                if let Value::Text(text) = value {
                    return self.read_text(text);
                }
                number_for(self.number(value)?, &self.target)
            }
            FieldType::Boolean => self.boolean(value),
            FieldType::Date | FieldType::DateTime => self.time(value),
            FieldType::Text { .. } | FieldType::Enumeration(_) => {
                self.read_text(&self.shown(value)?)
            }
            FieldType::Link { .. } | FieldType::Collection | FieldType::Other(_) => {
                Err(self.refused())
            }
        }
    }

    /// The text that `value` would send: what replacements are compared with,
    /// and what a text field receives.
    ///
    /// Labels are joined with `; ` (as Dynamics itself formats them), technical
    /// values with `,`. Numbers are canonical, ids lower-case with dashes,
    /// times ISO 8601; a date-time that goes to a date field shows as its date
    /// in the field's zone, and a date that goes to a datetime field as its
    /// first instant.
    pub(super) fn shown<'v>(&self, value: &'v Value) -> Result<Cow<'v, str>, String> {
        let text = match value {
            Value::Text(text) => return Ok(Cow::Borrowed(text)),
            Value::Bool(flag) if self.labels => self.label(i64::from(*flag))?.to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Decimal(number) => number.as_str().to_owned(),
            Value::Double(number) => exact(*number)?.as_str().to_owned(),
            Value::Choice(choice) if self.labels => self.label(*choice)?.to_owned(),
            Value::Choice(choice) => choice.to_string(),
            Value::MultiChoice(chosen) if self.labels => {
                let labels: Result<Vec<_>, _> = chosen.iter().map(|it| self.label(*it)).collect();
                labels?.join("; ")
            }
            Value::MultiChoice(chosen) => {
                chosen.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
            }
            Value::Guid(id) => id.as_hyphenated().to_string(),
            Value::Instant(_) | Value::Civil(_) | Value::Date(_) => self.shown_time(value)?,
            Value::Null | Value::Unreadable(_) => return Err(self.refused()),
        };
        Ok(Cow::Owned(text))
    }

    /// Converts a text: a text column's, a label or a replacement's. Empty
    /// text empties the field whatever its type.
    pub(super) fn read_text(&self, text: &str) -> Result<TargetValue, String> {
        if text.is_empty() {
            return Ok(TargetValue::Empty);
        }
        match &self.target {
            FieldType::Text { max_length } => {
                fitted(text, *max_length, self.on_too_long).map(TargetValue::Text)
            }
            FieldType::Integer { .. } | FieldType::Float | FieldType::Double => {
                number_for(parse_number(text)?, &self.target)
            }
            FieldType::Boolean => parse_boolean(text).map(TargetValue::Bool),
            FieldType::Date => dates::read_date(text)
                .map(TargetValue::Date)
                .ok_or_else(|| "the text is not a date of the form 2024-05-06".to_owned()),
            FieldType::DateTime => self.read_instant(text).map(TargetValue::Instant),
            FieldType::Enumeration(values) => {
                entry(values, text).map(|entry| TargetValue::Text(entry.name.clone())).ok_or_else(
                    || "the text is neither name nor label in the field's enumeration".to_owned(),
                )
            }
            FieldType::Link { .. } | FieldType::Collection | FieldType::Other(_) => {
                Err(self.refused())
            }
        }
    }

    /// A text that says a time: with a zone it is that instant, without one it
    /// is read in the field's zone, and a date alone is its first instant.
    pub(super) fn read_instant(&self, text: &str) -> Result<Timestamp, String> {
        let instant = match dates::read(text) {
            Some(Moment::Instant(instant, _)) => Ok(instant),
            Some(Moment::Wall(wall)) => self
                .zone
                .to_ambiguous_timestamp(wall)
                .compatible()
                .map_err(|_| dates::OUT_OF_RANGE.to_owned()),
            Some(Moment::Date(date)) => dates::start_of(date, &self.zone).map_err(str::to_owned),
            None => Err("the text is not a time of the form 2024-05-06T07:08:09Z".to_owned()),
        }?;
        Ok(dates::cut_to_millis(instant))
    }

    fn number(&self, value: &Value) -> Result<Decimal, String> {
        match value {
            Value::Integer(number) | Value::Choice(number) => Ok(Decimal::from(*number)),
            Value::Bool(flag) => Ok(Decimal::from(i64::from(*flag))),
            Value::Decimal(number) => Ok(number.clone()),
            Value::Double(number) => exact(*number),
            Value::Text(_)
            | Value::MultiChoice(_)
            | Value::Instant(_)
            | Value::Civil(_)
            | Value::Date(_)
            | Value::Guid(_)
            | Value::Null
            | Value::Unreadable(_) => Err(self.refused()),
        }
    }

    fn boolean(&self, value: &Value) -> Result<TargetValue, String> {
        match value {
            Value::Bool(flag) => Ok(TargetValue::Bool(*flag)),
            Value::Integer(_) | Value::Decimal(_) | Value::Double(_) => {
                match self.number(value)?.to_i64() {
                    Some(0) => Ok(TargetValue::Bool(false)),
                    Some(1) => Ok(TargetValue::Bool(true)),
                    Some(_) | None => Err("only the numbers 0 and 1 are booleans".to_owned()),
                }
            }
            Value::Text(_) | Value::Choice(_) => self.read_text(&self.shown(value)?),
            Value::MultiChoice(_)
            | Value::Instant(_)
            | Value::Civil(_)
            | Value::Date(_)
            | Value::Guid(_)
            | Value::Null
            | Value::Unreadable(_) => Err(self.refused()),
        }
    }

    fn time(&self, value: &Value) -> Result<TargetValue, String> {
        let to_date = matches!(self.target, FieldType::Date);
        let instant = match value {
            Value::Text(text) => return self.read_text(text),
            Value::Instant(it) if to_date => {
                return Ok(TargetValue::Date(dates::date_of(*it, &self.zone)));
            }
            Value::Civil(wall) if to_date => return Ok(TargetValue::Date(wall.date())),
            Value::Date(date) if to_date => return Ok(TargetValue::Date(*date)),
            Value::Instant(instant) => *instant,
            Value::Civil(wall) => dates::as_if_utc(*wall)?,
            Value::Date(date) => dates::start_of(*date, &self.zone)?,
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Double(_)
            | Value::Choice(_)
            | Value::MultiChoice(_)
            | Value::Guid(_)
            | Value::Unreadable(_) => return Err(self.refused()),
        };
        Ok(TargetValue::Instant(dates::cut_to_millis(instant)))
    }

    fn shown_time(&self, value: &Value) -> Result<String, String> {
        if matches!(self.target, FieldType::Date | FieldType::DateTime) {
            return Ok(written(&self.time(value)?));
        }
        match value {
            Value::Instant(instant) => Ok(instant.to_string()),
            Value::Civil(wall) => Ok(wall.to_string()),
            Value::Date(date) => Ok(date.to_string()),
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Double(_)
            | Value::Text(_)
            | Value::Choice(_)
            | Value::MultiChoice(_)
            | Value::Guid(_)
            | Value::Unreadable(_) => Err(self.refused()),
        }
    }

    fn label(&self, value: i64) -> Result<&str, String> {
        let choice = self.choices().and_then(|choices| choices.get(value)).ok_or_else(|| {
            "the choice is not among the options that the metadata lists".to_owned()
        })?;
        choice
            .label(self.language)
            .ok_or_else(|| format!("the choice has no label in language {}", self.language))
    }

    /// The options of the column, where its type has any.
    pub(super) fn choices(&self) -> Option<&Choices> {
        choices(&self.source.kind)
    }

    /// A pair that `compile` refuses; reached only if its check were skipped.
    fn refused(&self) -> String {
        format!(
            "a {} does not convert to {}",
            column_words(&self.source.kind),
            field_words(&self.target)
        )
    }
}
