//! Two columns that are one flag.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{CampaignSide, DynamicsSide};
use crate::model::{ColumnName, FieldName, SourceRow, TargetValue, Value};

/// A Dynamics boolean and the Campaign flag it is paired with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagPair {
    /// The column.
    pub(crate) column: ColumnName,
    /// The flag as the ledger names it.
    pub(crate) flag: FieldName,
    /// The flag as this Campaign's metadata names it.
    pub(crate) wire: FieldName,
    /// The flag's own stamp, where the metadata has one.
    pub(crate) stamp: Option<FieldName>,
    /// Whether the column says "allow" where the flag says "do not".
    pub(crate) inverted: bool,
    /// Whether an empty column says that nothing was said; otherwise it says
    /// nothing at all.
    pub(crate) null_is_false: bool,
}

impl FlagPair {
    /// What a row says of the flag; none if it does not say anything.
    pub(crate) fn opted_out(&self, row: &SourceRow) -> Option<bool> {
        match row.columns.get(&self.column)? {
            Value::Bool(value) => Some(*value != self.inverted),
            Value::Null if self.null_is_false => Some(false),
            Value::Null
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Double(_)
            | Value::Text(_)
            | Value::Choice(_)
            | Value::MultiChoice(_)
            | Value::Instant(_)
            | Value::Civil(_)
            | Value::Date(_)
            | Value::Guid(_)
            | Value::Unreadable(_) => None,
        }
    }

    /// The same with the time and version of the record.
    pub(crate) fn dynamics_side(&self, row: &SourceRow) -> Option<DynamicsSide> {
        let opted_out = self.opted_out(row)?;
        Some(DynamicsSide { opted_out, modified: modified(row), version: row.version })
    }

    /// What the column is to hold.
    pub(crate) fn column_value(&self, opted_out: bool) -> bool {
        opted_out != self.inverted
    }

    /// What a profile says of the flag. One that does not show it has it unset.
    pub(crate) fn campaign_side(&self, fields: &BTreeMap<FieldName, TargetValue>) -> CampaignSide {
        let opted_out = matches!(fields.get(&self.wire), Some(TargetValue::Bool(true)));
        let stamp = self.stamp.as_ref().and_then(|stamp| match fields.get(stamp)? {
            TargetValue::Instant(stamp) => Some(*stamp),
            TargetValue::Empty
            | TargetValue::Bool(_)
            | TargetValue::Number(_)
            | TargetValue::Text(_)
            | TargetValue::Date(_) => None,
        });
        CampaignSide { opted_out, stamp }
    }
}

/// The record's `modifiedon`.
pub(crate) fn modified(row: &SourceRow) -> Option<Timestamp> {
    match row.columns.get("modifiedon")? {
        Value::Instant(modified) => Some(*modified),
        Value::Null
        | Value::Bool(_)
        | Value::Integer(_)
        | Value::Decimal(_)
        | Value::Double(_)
        | Value::Text(_)
        | Value::Choice(_)
        | Value::MultiChoice(_)
        | Value::Civil(_)
        | Value::Date(_)
        | Value::Guid(_)
        | Value::Unreadable(_) => None,
    }
}
