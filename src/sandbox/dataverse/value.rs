//! Values between JSON and cells ("Web API properties", Dynamics sheet 2.6).
//!
//! Owns: the type checks on the way in, the spelling and the formatted value
//! on the way out. Knows one column at a time.

use uuid::Uuid;

use super::error::{Refusal, payload, refuse};
use super::schema::{Behavior, Column, ColumnType, Table};
use crate::sandbox::moment;
use crate::sandbox::row::Cell;
use crate::sandbox::wire::push_json;

/// 1753-01-01, the smallest storable date, in days.
const FIRST_DAY: i64 = -79_258;

fn mismatch(table: &Table, raw: &str, edm: &str) -> Refusal {
    let literal = raw.trim_matches('"');
    payload(
        &table.set,
        &format!(
            "Microsoft.OData.ODataException: Cannot convert the literal '{literal}' to the expected type '{edm}'."
        ),
    )
}

fn string(table: &Table, raw: &str) -> Result<String, Refusal> {
    serde_json::from_str(raw).map_err(|_| mismatch(table, raw, "Edm.String"))
}

fn number(table: &Table, raw: &str) -> Result<i64, Refusal> {
    raw.parse::<i32>().map(i64::from).map_err(|_| mismatch(table, raw, "Edm.Int32"))
}

/// Reads a JSON value for a column; `None` clears it.
pub(crate) fn parse(
    table: &Table,
    column: &Column,
    raw: &str,
    empty_is_null: bool,
) -> Result<Option<Cell<'static>>, Refusal> {
    if raw == "null" {
        return Ok(None);
    }
    let cell = match &column.kind {
        ColumnType::Text { max } | ColumnType::Memo { max } => {
            let text = string(table, raw)?;
            check_text(table, column, &text, *max)?;
            if text.is_empty() && empty_is_null {
                return Ok(None);
            }
            Cell::Text(text.into())
        }
        ColumnType::EntityName => Cell::Text(string(table, raw)?.into()),
        ColumnType::Uniqueidentifier => {
            let text = string(table, raw)?;
            Cell::Guid(Uuid::try_parse(&text).map_err(|_| mismatch(table, raw, "Edm.Guid"))?)
        }
        ColumnType::Integer { min, max } => {
            let value = number(table, raw)?;
            if value < *min || value > *max {
                return Err(out_of_range(table, column, raw, "0x8004432f"));
            }
            Cell::Int(value)
        }
        ColumnType::BigInt => {
            Cell::Int(raw.parse().map_err(|_| mismatch(table, raw, "Edm.Int64"))?)
        }
        ColumnType::Decimal { precision, limit } => {
            decimal(table, column, raw, *precision, *limit)?
        }
        ColumnType::Money => decimal(table, column, raw, 4, 922_337_203_685_477)?,
        ColumnType::Double => Cell::Double(double(table, column, raw)?),
        ColumnType::Boolean { .. } => match raw {
            "true" => Cell::Bool(true),
            "false" => Cell::Bool(false),
            _ => return Err(mismatch(table, raw, "Edm.Boolean")),
        },
        ColumnType::Picklist(choices)
        | ColumnType::State(choices)
        | ColumnType::Status(choices) => {
            let value = number(table, raw)?;
            if !choices.iter().any(|choice| choice.value == value) {
                return Err(no_choice(table, column, value));
            }
            Cell::Int(value)
        }
        ColumnType::MultiSelect(_) => return multi(table, column, raw),
        ColumnType::DateTime { behavior, .. } => date_time(table, raw, *behavior)?,
        ColumnType::Lookup { .. } => return Err(undeclared(table, &column.name)),
    };
    Ok(Some(cell))
}

/// A property that cannot be written.
pub(crate) fn undeclared(table: &Table, name: &str) -> Refusal {
    let inner = format!(
        "Microsoft.Crm.CrmException: Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM.{}'.",
        table.name
    );
    payload(&table.set, &inner)
}

fn check_text(table: &Table, column: &Column, text: &str, max: usize) -> Result<(), Refusal> {
    // The length is counted in UTF-16 units, as the database stores it.
    if text.encode_utf16().count() > max {
        return Err(refuse(
            400,
            "0x80044331",
            format!(
                "A validation error occurred.  The length of the '{}' attribute of the '{}' entity exceeded the maximum allowed length of '{max}'.",
                column.name, table.name
            ),
        ));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err(refuse(
            400,
            "0x80040278",
            format!("The field '{}' contains one or more invalid characters.", column.name),
        ));
    }
    Ok(())
}

fn out_of_range(table: &Table, column: &Column, raw: &str, code: &'static str) -> Refusal {
    refuse(
        400,
        code,
        format!(
            "A validation error occurred. The value {raw} of '{}' on record of type '{}' is outside the valid range.",
            column.name, table.name
        ),
    )
}

fn no_choice(table: &Table, column: &Column, value: i64) -> Refusal {
    refuse(
        400,
        "0x8004431a",
        format!(
            "A validation error occurred. The value {value} of '{}' on record of type '{}' is outside the valid range. The picklist value is out of the range.",
            column.name, table.name
        ),
    )
}

fn double(table: &Table, column: &Column, raw: &str) -> Result<f64, Refusal> {
    let value: f64 = raw.parse().map_err(|_| mismatch(table, raw, "Edm.Double"))?;
    if value.is_finite() && value.abs() <= 100_000_000_000.0 {
        return Ok(value);
    }
    Err(out_of_range(table, column, raw, "0x80044330"))
}

fn multi(table: &Table, column: &Column, raw: &str) -> Result<Option<Cell<'static>>, Refusal> {
    let text = string(table, raw)?;
    let mut values = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let value: i64 = part.parse().map_err(|_| mismatch(table, raw, "Edm.Int32"))?;
        if !column.kind.choices().iter().any(|choice| choice.value == value) {
            return Err(no_choice(table, column, value));
        }
        if !values.contains(&value) {
            values.push(value);
        }
    }
    if values.is_empty() {
        return Ok(None);
    }
    values.sort_unstable();
    let list: Vec<String> = values.iter().map(ToString::to_string).collect();
    Ok(Some(Cell::Text(list.join(",").into())))
}

fn date_time(table: &Table, raw: &str, behavior: Behavior) -> Result<Cell<'static>, Refusal> {
    let range = || {
        refuse(
            400,
            "0x80040239",
            "The date-time format is invalid, or value is outside the supported range.",
        )
    };
    if behavior == Behavior::DateOnly {
        let text: String =
            serde_json::from_str(raw).map_err(|_| mismatch(table, raw, "Edm.Date"))?;
        let days = moment::parse_date(&text).ok_or_else(|| mismatch(table, raw, "Edm.Date"))?;
        return if days >= FIRST_DAY { Ok(Cell::Date(days)) } else { Err(range()) };
    }
    let text: String =
        serde_json::from_str(raw).map_err(|_| mismatch(table, raw, "Edm.DateTimeOffset"))?;
    if text.contains(' ') {
        return Err(mismatch(table, raw, "Edm.DateTimeOffset"));
    }
    let millis =
        moment::parse_moment(&text).ok_or_else(|| mismatch(table, raw, "Edm.DateTimeOffset"))?;
    let seconds = millis.div_euclid(1000);
    if !(FIRST_DAY * 86_400..=253_402_300_799).contains(&seconds) {
        return Err(range());
    }
    Ok(Cell::Time(seconds * 1000))
}

/// A decimal number in exact arithmetic: digits and the place of the point.
pub(crate) fn scaled(raw: &str, precision: usize) -> Option<i128> {
    let (mantissa, exponent) = match raw.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (raw, 0),
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or((1, mantissa), |rest| (-1, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 36 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i128 = digits.parse().ok()?;
    let shift = i32::try_from(precision).ok()? + exponent - i32::try_from(fraction.len()).ok()?;
    let power = |by: u32| 10_i128.checked_pow(by);
    let shifted = if shift >= 0 {
        value.checked_mul(power(u32::try_from(shift).ok()?)?)?
    } else {
        power(shift.unsigned_abs()).map_or(0, |unit| (value + unit / 2) / unit)
    };
    Some(sign * shifted)
}

fn decimal(
    table: &Table,
    column: &Column,
    raw: &str,
    precision: usize,
    limit: i64,
) -> Result<Cell<'static>, Refusal> {
    if raw.starts_with(['"', '{', '[', 't', 'f']) {
        return Err(mismatch(table, raw, "Edm.Decimal"));
    }
    let unit = 10_i128.pow(u32::try_from(precision).unwrap_or(0));
    let value = scaled(raw, precision).filter(|value| value.abs() <= i128::from(limit) * unit);
    let value = value.ok_or_else(|| out_of_range(table, column, raw, "0x80044330"))?;
    let sign = if value < 0 { "-" } else { "" };
    let (whole, rest) = (value.abs() / unit, value.abs() % unit);
    let text = if precision == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{rest:0precision$}")
    };
    Ok(Cell::Decimal(text.into()))
}

/// Appends a cell's JSON spelling.
pub(crate) fn write(out: &mut Vec<u8>, cell: Option<&Cell<'_>>) {
    match cell {
        None => out.extend_from_slice(b"null"),
        Some(Cell::Bool(value)) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Some(Cell::Int(value)) => out.extend_from_slice(value.to_string().as_bytes()),
        Some(Cell::Double(value)) => {
            // Writing a finite number into memory cannot fail.
            let _ = serde_json::to_writer(out, value);
        }
        Some(Cell::Text(value)) => push_json(out, value),
        Some(Cell::Decimal(value)) => out.extend_from_slice(value.as_bytes()),
        Some(Cell::Guid(value) | Cell::Ref(value, _)) => {
            out.push(b'"');
            out.extend_from_slice(
                value.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes(),
            );
            out.push(b'"');
        }
        Some(Cell::Time(value)) => push_json(out, &moment::dataverse_text(*value)),
        Some(Cell::Date(value)) => push_json(out, &moment::date_text(*value)),
    }
}

/// The text an English user would see, for types that have one (sheet 2.5).
pub(crate) fn formatted(column: &Column, cell: &Cell<'_>) -> Option<String> {
    let label = |value: i64| {
        column
            .kind
            .choices()
            .iter()
            .find(|choice| choice.value == value)
            .map(|choice| choice.english.clone())
    };
    match cell {
        Cell::Bool(value) => label(i64::from(*value)),
        Cell::Int(value) if column.kind.choices().is_empty() => Some(grouped(&value.to_string())),
        Cell::Int(value) => label(*value),
        Cell::Double(value) => Some(grouped(&format!("{value:.2}"))),
        Cell::Text(value) if matches!(column.kind, ColumnType::MultiSelect(_)) => {
            let labels: Vec<String> =
                value.split(',').filter_map(|part| label(part.parse().ok()?)).collect();
            Some(labels.join("; "))
        }
        Cell::Decimal(value) if column.kind == ColumnType::Money => {
            let short = value.get(..value.len().saturating_sub(2)).unwrap_or(value);
            Some(format!("€{}", grouped(short)))
        }
        Cell::Decimal(value) => Some(grouped(value)),
        Cell::Time(value) => match &column.kind {
            ColumnType::DateTime { date_format: true, .. } => {
                Some(moment::display_date(value.div_euclid(86_400_000)))
            }
            ColumnType::DateTime { .. }
            | ColumnType::Uniqueidentifier
            | ColumnType::Text { .. }
            | ColumnType::Memo { .. }
            | ColumnType::EntityName
            | ColumnType::Integer { .. }
            | ColumnType::BigInt
            | ColumnType::Decimal { .. }
            | ColumnType::Double
            | ColumnType::Money
            | ColumnType::Boolean { .. }
            | ColumnType::Picklist(_)
            | ColumnType::MultiSelect(_)
            | ColumnType::State(_)
            | ColumnType::Status(_)
            | ColumnType::Lookup { .. } => Some(moment::display_text(*value)),
        },
        Cell::Date(value) => Some(moment::display_date(*value)),
        Cell::Text(_) | Cell::Guid(_) | Cell::Ref(..) => None,
    }
}

/// Thousands with commas.
fn grouped(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) =
        rest.split_once('.').map_or((rest, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}
