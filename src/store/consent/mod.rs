//! The opt-out ledger: what each side said last, what both agreed on, which
//! flags are still to be settled, and every decision with its evidence.

mod address;
mod cursor;
mod decision;
mod flag;
mod hint;
mod lifting;
mod merged;
mod parting;
mod taken_over;

pub(crate) use address::{Noted, SharedAddress};
pub(crate) use cursor::{ClockOf, StoredSample};
pub(crate) use decision::{ConsentDecision, NewConsentDecision, Outcome};
pub(crate) use flag::{FlagRow, FlagState};
pub(crate) use hint::Hinted;

use jiff::Timestamp;

use crate::store::StoreError;

/// A time column.
fn time(us: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    us.map(Timestamp::from_microsecond)
        .transpose()
        .map_err(|_| StoreError::Corrupt("a time of the opt-out ledger is out of range".into()))
}

/// A time for a column: the store keeps microseconds, and compares what it read
/// with what it wrote.
fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_microsecond)
}

/// What a seal covers of an optional number.
fn sealed(number: Option<i64>) -> [u8; 9] {
    let mut bytes = [0; 9];
    if let Some(number) = number {
        bytes[0] = 1;
        bytes[1..].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}
