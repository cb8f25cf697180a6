//! Which contacts were merged into others: the no of a loser, or of its
//! profile, may be told long after the merge.

use rusqlite::OptionalExtension;

use crate::model::RecordId;
use crate::store::work::record_id;
use crate::store::{Fingerprint, StoreError, Work};

/// Merges that are followed, one behind the other. Any number may go in a
/// circle.
const CHAIN: usize = 16;

impl Work<'_> {
    /// `loser` was merged into `master`.
    pub(crate) fn note_merge(
        &mut self,
        loser: RecordId,
        master: RecordId,
    ) -> Result<(), StoreError> {
        let seal = self.merge_seal(loser, master);
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO consent_merge (loser, master, seal) VALUES (?1, ?2, ?3)",
            )?
            .execute((
                loser.as_bytes().as_slice(),
                master.as_bytes().as_slice(),
                seal.as_slice(),
            ))?;
        Ok(())
    }

    /// A contact stands for itself.
    pub(crate) fn forget_merge(&mut self, contact: RecordId) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM consent_merge WHERE loser = ?1")?
            .execute([contact.as_bytes().as_slice()])?;
        Ok(())
    }

    /// The contact that stands for a merged one: where that was merged in its
    /// turn, the last. None if it was not merged.
    pub(crate) fn survivor_of(&self, loser: RecordId) -> Result<Option<RecordId>, StoreError> {
        let mut at = loser;
        for _ in 0..CHAIN {
            match self.merged_into(at)? {
                Some(next) => at = next,
                None => break,
            }
        }
        Ok((at != loser).then_some(at))
    }

    fn merged_into(&self, loser: RecordId) -> Result<Option<RecordId>, StoreError> {
        let row: Option<(Vec<u8>, Vec<u8>)> = self
            .sql
            .prepare_cached("SELECT master, seal FROM consent_merge WHERE loser = ?1")?
            .query_row([loser.as_bytes().as_slice()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((master, seal)) = row else { return Ok(None) };
        let master = record_id(&master)?;
        let parts: [&[u8]; 2] = [loser.as_bytes(), master.as_bytes()];
        self.key.verify("consent_merge", &parts, &seal)?;
        Ok(Some(master))
    }

    fn merge_seal(&self, loser: RecordId, master: RecordId) -> Fingerprint {
        self.key.seal("consent_merge", &[loser.as_bytes(), master.as_bytes()])
    }
}
