//! Opt-outs on their way to be lifted. What was said of one since it was decided
//! goes before: it is looked at again, and nothing is lifted.

use super::{FlagRow, FlagState, NewConsentDecision};
use crate::store::{StoreError, Work};

impl Work<'_> {
    /// Notes that the opt-out of a flag is to be lifted, which was like this as that
    /// was decided. False where something was said of it meanwhile.
    pub(crate) fn note_clearing(&mut self, row: &FlagRow) -> Result<bool, StoreError> {
        let same = self.is_still(row)?;
        if same {
            self.set_flag(&FlagRow { state: FlagState::Clearing, ..row.clone() })?;
        }
        Ok(same)
    }

    /// Stores the decisions to lift opt-outs, each with the flag as it was then; of a
    /// flag that is not lifted there is none. Nothing is stored, and none given, where
    /// something was said of one of them meanwhile.
    pub(crate) fn intend(
        &mut self,
        ruled: &[(FlagRow, Option<NewConsentDecision>)],
    ) -> Result<Option<Vec<Option<i64>>>, StoreError> {
        for (row, _) in ruled.iter().filter(|(_, new)| new.is_some()) {
            if !self.is_still(row)? {
                return Ok(None);
            }
        }
        let stored =
            ruled.iter().map(|(_, new)| new.as_ref().map(|new| self.add_decision(new)).transpose());
        stored.collect::<Result<_, _>>().map(Some)
    }

    fn is_still(&self, row: &FlagRow) -> Result<bool, StoreError> {
        Ok(self.flag(row.contact, &row.flag)?.is_some_and(|now| now == *row))
    }
}
