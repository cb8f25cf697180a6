//! A no that is no side's own: another contact's, or that of a profile that is
//! gone. It counts until both sides say so.

use super::{FlagRow, FlagState};
use crate::model::consent::Reason;
use crate::model::{FieldName, RecordId};
use crate::store::{StoreError, Work};

/// How `told_by` begins where the no of a contact with the same address is
/// taken over.
pub(super) const ADDRESS_OF: &str = "address of ";

/// What `told_by` is where the no of a profile is taken over that was deleted.
pub(super) const PROFILE: &str = "deleted profile";

impl FlagRow {
    /// Of whom a no is taken over that is not written yet: a contact that was
    /// merged into this one, one that had its address and is gone, or its own
    /// profile before that was deleted.
    pub(crate) fn taken_over(&self) -> Option<Reason> {
        self.merged.then(|| match self.told_by.as_str() {
            by if by.starts_with(ADDRESS_OF) => Reason::Recreated,
            PROFILE => Reason::ProfileDeleted,
            _ => Reason::Merged,
        })
    }

    /// Told by this. Where a no is taken over it stays told by whose it was.
    pub(super) fn told(self, by: &str) -> Self {
        let told_by = if self.merged { self.told_by } else { by.to_owned() };
        Self { told_by, ..self }
    }
}

impl Work<'_> {
    /// Another's no is to count for this contact.
    pub(super) fn take_over(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
        told_by: String,
    ) -> Result<(), StoreError> {
        let row = match self.flag(contact, flag)? {
            Some(row) => FlagRow { told_by, ..row },
            None => FlagRow::unknown(contact, flag, &told_by),
        };
        self.set_flag(&FlagRow { merged: true, state: FlagState::Due, attempts: 0, ..row })
    }
}
