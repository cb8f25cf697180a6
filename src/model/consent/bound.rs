//! A pair as this environment and this Campaign name it: from rows and records
//! to the two sides.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{CampaignSide, DynamicsSide, FlagPair};
use crate::model::{FieldName, SourceRow, TargetValue, Value};

/// A pair with the names that the metadata has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BoundPair {
    /// The pair as configured.
    pub(crate) pair: FlagPair,
    /// The flag as this Campaign names it.
    pub(crate) wire: FieldName,
    /// The flag's own stamp, where there is one.
    pub(crate) stamp: Option<FieldName>,
}

impl BoundPair {
    /// The profile's fields that tell of the flag.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &FieldName> {
        std::iter::once(&self.wire).chain(&self.stamp)
    }

    /// What a row says of the flag; none if it does not say anything.
    pub(crate) fn opted_out(&self, row: &SourceRow) -> Option<bool> {
        match self.column_value(row) {
            None if row.columns.get(&self.pair.column) != Some(&Value::Null) => None,
            value => self.pair.opted_out(value),
        }
    }

    /// The column's value; none where it is empty or cannot be read.
    pub(crate) fn column_value(&self, row: &SourceRow) -> Option<bool> {
        match row.columns.get(&self.pair.column)? {
            Value::Bool(value) => Some(*value),
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

    /// The side of a row that says nothing of the flag, taken as this.
    pub(crate) fn silent(row: &SourceRow, opted_out: bool) -> DynamicsSide {
        DynamicsSide { opted_out, modified: modified(row), version: row.version }
    }

    /// What a profile says of the flag. One that does not show it has it unset.
    pub(crate) fn campaign_side(&self, fields: &BTreeMap<FieldName, TargetValue>) -> CampaignSide {
        let opted_out = match fields.get(&self.wire) {
            None | Some(TargetValue::Empty) => false,
            Some(TargetValue::Bool(value)) => *value,
            // What cannot be read is no proof that nobody said no.
            Some(
                TargetValue::Number(_)
                | TargetValue::Text(_)
                | TargetValue::Date(_)
                | TargetValue::Instant(_),
            ) => true,
        };
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
