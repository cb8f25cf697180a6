//! Which column type converts to which field type, and why the others do not.
//! The table itself stands in the module documentation of `mapping`.
//!
//! Knows types only; the conversions of values are in `convert`.

use crate::model::{ColumnType, DateTimeBehavior, FieldType};

/// Why a pair of types is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What is wrong.
    pub(super) text: String,
    /// What to do instead.
    pub(super) hint: &'static str,
}

/// A column type in words, for problems and failures.
pub(crate) fn column_words(kind: &ColumnType) -> &'static str {
    match kind {
        ColumnType::Text { .. } => "text",
        ColumnType::Integer => "whole number",
        ColumnType::Decimal => "decimal",
        ColumnType::Double => "double",
        ColumnType::Boolean(_) => "boolean",
        ColumnType::Choice(_) => "choice",
        ColumnType::MultiChoice(_) => "multi-select choice",
        ColumnType::DateTime(DateTimeBehavior::UserLocal) => "date-time (UserLocal)",
        ColumnType::DateTime(DateTimeBehavior::DateOnly) => "date (DateOnly)",
        ColumnType::DateTime(DateTimeBehavior::TimeZoneIndependent) => {
            "date-time (TimeZoneIndependent)"
        }
        ColumnType::Guid => "id",
        ColumnType::Lookup { .. } => "lookup",
        ColumnType::Other(_) => "unmappable type",
    }
}

/// A field type in words, for problems and failures.
pub(crate) fn field_words(kind: &FieldType) -> String {
    match kind {
        FieldType::Text { max_length: Some(length) } => format!("text({length})"),
        FieldType::Text { max_length: None } => "text".to_owned(),
        FieldType::Integer { bits } => format!("integer ({bits} bit)"),
        FieldType::Float => "float".to_owned(),
        FieldType::Double => "double".to_owned(),
        FieldType::Boolean => "boolean".to_owned(),
        FieldType::Date => "date".to_owned(),
        FieldType::DateTime => "datetime".to_owned(),
        FieldType::Enumeration(_) => "enumeration".to_owned(),
        FieldType::Link { .. } => "link".to_owned(),
        FieldType::Collection => "collection".to_owned(),
        FieldType::Other(name) => format!("type `{name}`"),
    }
}

/// Why no mapping may read a column of this type, or `None` if one may.
pub(super) fn unreadable_source(kind: &ColumnType) -> Option<Refusal> {
    let ColumnType::Other(name) = kind else { return None };
    let hint = match name.as_str() {
        "Virtual" => {
            "shadow name columns (such as `statecodename`) cannot be selected: map the column \
             they belong to and its label is sent; files and images are not carried"
        }
        "PartyList" | "CalendarRules" => "lists of related rows are not carried",
        "EntityName" => "map the lookup itself; it sends the id",
        "ManagedProperty" => "managed properties belong to the solution, not to the record",
        _ => "map a column of another type",
    };
    Some(Refusal { text: format!("columns of type `{name}` hold no value to map"), hint })
}

/// Whether a column of type `source` may be mapped to a field of type `target`.
///
/// Rule: the connector's table of conversions ("Best practices: data type
/// conversion", point 54 of the Campaign sheet, section 11), without the pairs
/// that could only send a wrong value.
pub(super) fn check(source: &ColumnType, target: &FieldType) -> Result<(), Refusal> {
    if let Some(refusal) = unreadable_source(source) {
        return Err(refusal);
    }
    let allowed = match target {
        FieldType::Text { .. } => true,
        FieldType::Integer { .. } | FieldType::Float | FieldType::Double | FieldType::Boolean => {
            is_text(source) || is_number(source) || is_choice(source)
        }
        FieldType::Date | FieldType::DateTime => is_text(source) || is_date(source),
        FieldType::Enumeration(_) => {
            is_text(source) || is_choice(source) || matches!(source, ColumnType::Integer)
        }
        FieldType::Link { .. } | FieldType::Collection | FieldType::Other(_) => {
            return Err(unwritable(target));
        }
    };
    if allowed {
        return Ok(());
    }
    Err(Refusal {
        text: format!(
            "a {} column does not convert to a field of type {}",
            column_words(source),
            field_words(target)
        ),
        hint: alternative(source),
    })
}

fn is_text(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Text { .. })
}

fn is_number(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Integer | ColumnType::Decimal | ColumnType::Double)
}

fn is_choice(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Boolean(_) | ColumnType::Choice(_))
}

fn is_date(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::DateTime(_))
}

fn unwritable(target: &FieldType) -> Refusal {
    let hint = match target {
        FieldType::Link { .. } => "links are written through `links`, not through `fields`",
        FieldType::Collection => "collections are never written; map the child table instead",
        FieldType::Text { .. }
        | FieldType::Integer { .. }
        | FieldType::Float
        | FieldType::Double
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::DateTime
        | FieldType::Enumeration(_)
        | FieldType::Other(_) => {
            "map to a field of type text, number, boolean, date, datetime or enumeration"
        }
    };
    Refusal { text: format!("a field of type {} cannot be mapped", field_words(target)), hint }
}

fn alternative(source: &ColumnType) -> &'static str {
    match source {
        ColumnType::Integer | ColumnType::Decimal | ColumnType::Double => {
            "map it to a field of type integer, float, double or text"
        }
        ColumnType::Boolean(_) => "map it to a field of type boolean, integer, enumeration or text",
        ColumnType::Choice(_) => "map it to a field of type enumeration, integer or text",
        ColumnType::MultiChoice(_) => "it may hold several choices at once: map it to a text field",
        ColumnType::DateTime(_) => "map it to a field of type date, datetime or text",
        ColumnType::Guid | ColumnType::Lookup { .. } => {
            "it sends the id as text: map it to a text field of at least 36 characters"
        }
        ColumnType::Text { .. } | ColumnType::Other(_) => "map it to a text field",
    }
}
