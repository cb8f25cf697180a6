//! A flag on both sides, with the polarity of each; and the guard of
//! clearings. As the configuration states them.

use crate::model::{ColumnName, FieldName};

/// A boolean of the contact and the flag of the profile that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagPair {
    /// The column in Dynamics.
    pub(crate) column: ColumnName,
    /// Campaign's name of the flag; of the two spellings, `blackList…`.
    pub(crate) flag: FieldName,
    /// True: the column says "allow", so that its `true` is "not opted out".
    pub(crate) inverted: bool,
    /// Whether an empty column counts as `false`. Otherwise it says nothing.
    pub(crate) null_is_false: bool,
}

impl FlagPair {
    /// What the column's value says: true is "do not contact"; none where it
    /// says nothing.
    pub(crate) fn opted_out(&self, value: Option<bool>) -> Option<bool> {
        let value = value.or(self.null_is_false.then_some(false))?;
        Some(value != self.inverted)
    }

    /// The column's value that says this.
    pub(crate) fn column_value(&self, opted_out: bool) -> bool {
        opted_out != self.inverted
    }
}

/// When the clearings of a run are held; either limit, if there are any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClearingGuard {
    /// Most clearings that pass unasked.
    pub(crate) rows: Option<u64>,
    /// Largest share of the mapped contacts, in percent, that passes unasked.
    pub(crate) percent: Option<f64>,
}

impl Default for ClearingGuard {
    fn default() -> Self {
        Self { rows: Some(500), percent: Some(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polarity_and_empty_columns_mean_what_the_pair_says() {
        for (inverted, null_is_false, value, expected) in [
            (false, false, Some(true), Some(true)),
            (false, false, Some(false), Some(false)),
            (false, false, None, None),
            (false, true, None, Some(false)),
            (true, false, Some(true), Some(false)),
            (true, false, Some(false), Some(true)),
            (true, false, None, None),
            (true, true, None, Some(true)),
        ] {
            let pair = FlagPair {
                column: ColumnName::new("donotphone").unwrap(),
                flag: FieldName::new("blackListPhone").unwrap(),
                inverted,
                null_is_false,
            };
            assert_eq!(pair.opted_out(value), expected, "{inverted} {null_is_false} {value:?}");
            for opted_out in [false, true] {
                let written = pair.column_value(opted_out);
                assert_eq!(pair.opted_out(Some(written)), Some(opted_out), "back again");
            }
        }
    }
}
