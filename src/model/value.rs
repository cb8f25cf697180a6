//! Values: as Dynamics means them, and as Campaign shall hold them.

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use uuid::Uuid;

/// A text that is not a decimal number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number")]
pub(crate) struct DecimalError;

/// Most digits of a number, as read and as written.
const MOST_DIGITS: usize = 400;

/// An exact decimal number, kept as its canonical text so that no digit is
/// lost on the way: no exponent, no trailing zeros after the point, no `-0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decimal(String);

impl Decimal {
    /// Reads a JSON number's text, with or without an exponent. Refuses what
    /// is not a number, more than 400 digits and exponents beyond ±400: no column
    /// holds them.
    pub(crate) fn parse(text: &str) -> Result<Self, DecimalError> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i32>().map_err(|_| DecimalError)?)
            }
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: String = [whole, fraction].concat();
        let well_formed = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !well_formed || digits.len() > MOST_DIGITS || exponent.unsigned_abs() > 400 {
            return Err(DecimalError);
        }
        let point = i32::try_from(whole.len()).map_err(|_| DecimalError)? + exponent;
        let text = canonical(negative, &digits, point);
        // What is written must be read again.
        let written = text.bytes().filter(u8::is_ascii_digit).count();
        if written > MOST_DIGITS { Err(DecimalError) } else { Ok(Self(text)) }
    }

    /// The shortest decimal number that reads back as `number`. `None` for
    /// what is not finite.
    pub(crate) fn from_f64(number: f64) -> Option<Self> {
        if number.is_finite() { Self::parse(&format!("{number:e}")).ok() } else { None }
    }

    /// The canonical text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole number it is, if it has no fraction and fits.
    pub(crate) fn to_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

impl Ord for Decimal {
    /// By size, exactly: no digit is lost to a floating-point number.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0.strip_prefix('-'), other.0.strip_prefix('-')) {
            (Some(left), Some(right)) => magnitude(right).cmp(&magnitude(left)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => magnitude(&self.0).cmp(&magnitude(&other.0)),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What orders canonical texts without a sign: digits before the point, then
/// those digits, then the ones after it.
fn magnitude(text: &str) -> (usize, &str, &str) {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    (whole.len(), whole, fraction)
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

/// Writes `digits` with the decimal point after `point` of them.
fn canonical(negative: bool, digits: &str, point: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let at = |index: i32| -> char {
        usize::try_from(index)
            .ok()
            .and_then(|index| digits.as_bytes().get(index))
            .map_or('0', |byte| char::from(*byte))
    };
    let whole: String = (0..point.max(0)).map(at).collect();
    // What lies before the first digit is a zero.
    let fraction: String = (point.min(count)..count).map(at).collect();
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative && !(whole == "0" && fraction.is_empty()) { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that Dynamics holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// The column is empty.
    Null,
    /// Two options.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Decimal or money.
    Decimal(Decimal),
    /// Double precision; never NaN or infinite.
    Double(f64),
    /// Text, possibly empty.
    Text(String),
    /// A choice, state or status by its technical value.
    Choice(i64),
    /// A multi-select choice by its technical values, in the order given.
    MultiChoice(Vec<i64>),
    /// An instant (behaviour `UserLocal`).
    Instant(Timestamp),
    /// A wall-clock time of no zone (behaviour `TimeZoneIndependent`).
    Civil(DateTime),
    /// A date (behaviour `DateOnly`).
    Date(Date),
    /// An id: of a row or of what a lookup points to.
    Guid(Uuid),
    /// What came does not have the form of the column's type; the text says
    /// what was expected, never what came.
    Unreadable(&'static str),
}

/// A value that Campaign shall hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TargetValue {
    /// Nothing: written in the form that empties a field of its type.
    Empty,
    /// True or false.
    Bool(bool),
    /// A number, exact.
    Number(Decimal),
    /// Text or the name of an enumeration's value.
    Text(String),
    /// A date.
    Date(Date),
    /// An instant; Campaign keeps milliseconds.
    Instant(Timestamp),
}
