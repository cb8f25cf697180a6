//! Repeatable random values.
//!
//! Owns: a value of any column's type with the edges now and then.

use crate::sandbox::dataverse::schema::{Behavior, Column, ColumnType};
use crate::sandbox::moment;
pub(super) use crate::sandbox::random::Stream;
use crate::sandbox::row::Cell;

pub(super) const CITIES: [&str; 8] =
    ["Berlin", "København", "São Paulo", "Zürich", "東京", "St. John's", "Łódź", "Oslo"];

/// A value of any column's type, the edges now and then.
pub(super) fn any(column: &Column, stream: &mut Stream) -> Option<Cell<'static>> {
    if let ColumnType::Boolean { default, .. } = &column.kind {
        return Some(Cell::Bool(*default != stream.one_in(8)));
    }
    if stream.one_in(3) {
        return None;
    }
    let edge = stream.one_in(40);
    match &column.kind {
        ColumnType::Uniqueidentifier => Some(Cell::Guid(stream.guid())),
        ColumnType::Text { max } | ColumnType::Memo { max } => {
            let text = if edge {
                "é".repeat((*max).min(200))
            } else {
                format!("{} {}", stream.pick(&CITIES), stream.below(999))
            };
            (text.chars().count() <= *max).then(|| Cell::Text(text.into()))
        }
        ColumnType::Integer { min, max } if edge => {
            Some(Cell::Int(if stream.one_in(2) { *min } else { *max }))
        }
        ColumnType::Integer { min, .. } => Some(Cell::Int((*min).max(0) + stream.signed(1000))),
        ColumnType::BigInt => Some(Cell::Int(stream.signed(1 << 50))),
        ColumnType::Decimal { precision, .. } => {
            let fraction = stream.below(100);
            let precision = *precision;
            Some(Cell::Decimal(format!("{}.{fraction:0precision$}", stream.below(10_000)).into()))
        }
        ColumnType::Money => Some(Cell::Decimal(
            format!("{}.{:04}", stream.below(1_000_000), stream.below(10_000)).into(),
        )),
        ColumnType::Double => {
            let part = u32::try_from(stream.below(180_000_000)).unwrap_or(0);
            Some(Cell::Double(f64::from(part) / 1_000_000.0 - 90.0))
        }
        ColumnType::Picklist(choices)
        | ColumnType::State(choices)
        | ColumnType::Status(choices) => {
            let at = usize::try_from(stream.below(u64::try_from(choices.len()).unwrap_or(1)))
                .unwrap_or(0);
            choices.get(at).map(|choice| Cell::Int(choice.value))
        }
        ColumnType::MultiSelect(choices) => {
            let chosen: Vec<String> = choices
                .iter()
                .filter(|_| stream.one_in(2))
                .map(|choice| choice.value.to_string())
                .collect();
            (!chosen.is_empty()).then(|| Cell::Text(chosen.join(",").into()))
        }
        ColumnType::DateTime { behavior: Behavior::DateOnly, .. } => {
            let (low, high) =
                (moment::days_from_civil(1900, 1, 1), moment::days_from_civil(9999, 12, 31));
            Some(Cell::Date(if edge { high } else { low + stream.signed(45_000) }))
        }
        ColumnType::DateTime { .. } => {
            let low = moment::days_from_civil(1753, 1, 1) * 86_400_000;
            let usual = moment::days_from_civil(2015, 1, 1) * 86_400_000;
            Some(Cell::Time(if edge {
                low
            } else {
                usual + stream.signed(10 * 365 * 86_400) * 1000
            }))
        }
        ColumnType::Boolean { .. } | ColumnType::Lookup { .. } | ColumnType::EntityName => None,
    }
}
