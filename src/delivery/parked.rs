//! Rows that cannot be written in this drain: nothing of them is on its way,
//! and they are not taken again and again.

use crate::model::{Tally, TallyDelta};
use crate::store::{Store, StoreError};

/// The rows of one drain.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// Leased still, to be set aside.
    fresh: Vec<i64>,
    /// To be given back when the drain ends.
    aside: Vec<i64>,
}

impl Parked {
    pub(super) fn add(&mut self, row: i64) {
        self.fresh.push(row);
    }

    /// Sets aside what came since. True if something did: reading may wait for
    /// fewer rows that may go, a replay for those that are on their way.
    pub(super) async fn settle(
        &mut self,
        store: &Store,
        tally: &Tally,
    ) -> Result<bool, StoreError> {
        if self.fresh.is_empty() {
            return Ok(false);
        }
        let rows = std::mem::take(&mut self.fresh);
        self.aside.extend(&rows);
        let tally = tally.clone();
        store
            .call(move |work| {
                let mut unchanged = 0;
                for row in rows {
                    unchanged += u64::from(work.set_aside(row)?);
                }
                tally.add(TallyDelta { unchanged, ..TallyDelta::default() });
                Ok(())
            })
            .await?;
        Ok(true)
    }

    /// Gives back what was never tried: there is no doubt about it.
    pub(super) async fn give_back(self, store: &Store, tally: &Tally) -> Result<(), StoreError> {
        let rows: Vec<i64> = self.aside.into_iter().chain(self.fresh).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let tally = tally.clone();
        store
            .call(move |work| {
                let mut unchanged = 0;
                for row in rows {
                    unchanged += u64::from(work.unlease(row)?);
                }
                tally.add(TallyDelta { unchanged, ..TallyDelta::default() });
                Ok(())
            })
            .await
    }
}
