//! The opt-outs of a profile that is deleted are kept in the ledger, and a profile
//! that is made begins with those that are kept there.

use std::sync::Arc;

use crate::campaign::Listed;
use crate::model::{FieldName, RecordId};
use crate::store::consent::FlagRow;
use crate::store::{Leased, Store, StoreError};

use super::target::Flags;

/// What is kept of a table's profiles.
#[derive(Clone, Debug)]
pub(crate) struct Parting {
    flags: Flags,
    store: Store,
}

impl Parting {
    /// Keeps these flags; none where there are none.
    pub(super) fn of(flags: Flags, store: &Store) -> Option<Self> {
        (!flags.pairs.is_empty()).then(|| Self { flags, store: store.clone() })
    }

    /// Whether a profile is to be looked at before it is deleted.
    pub(super) fn looks_first(&self) -> bool {
        self.flags.are_said_in_campaign()
    }

    /// Keeps what a profile says that is about to be deleted.
    pub(super) async fn keep(&self, of: RecordId, profile: &Listed) -> Result<(), StoreError> {
        let pairs = self.flags.pairs.iter();
        let sides = pairs.map(|it| (it.pair.flag.clone(), it.campaign_side(&profile.fields)));
        let no: Vec<_> = sides.filter(|(_, side)| side.opted_out).collect();
        if no.is_empty() {
            return Ok(());
        }
        self.store
            .call(move |work| {
                no.iter().try_for_each(|(flag, side)| work.profile_goes(of, flag, *side))
            })
            .await
    }

    /// The flags that Campaign calls so.
    pub(super) fn flags_of<'a>(
        &'a self,
        names: impl Iterator<Item = &'a str>,
    ) -> impl Iterator<Item = FieldName> {
        names.filter_map(|name| {
            let pair = self.flags.pairs.iter().find(|it| it.wire.as_str() == name)?;
            Some(pair.pair.flag.clone())
        })
    }

    /// The flags whose name in Campaign is such.
    pub(super) fn flags_that(&self, is_such: impl Fn(&str) -> bool) -> Vec<FieldName> {
        let pairs = self.flags.pairs.iter().filter(|it| is_such(it.wire.as_str()));
        pairs.map(|it| it.pair.flag.clone()).collect()
    }

    /// The flags of a new profile, as Campaign names them: those that the ledger
    /// keeps for it.
    pub(super) fn of_new<'a>(&'a self, leased: &'a Leased) -> impl Iterator<Item = Arc<str>> + 'a {
        self.named(leased, |row| row.marks_new_profile(self.flags.direction))
    }

    /// Those of which the opt-out flow has heard from Dynamics, perhaps since the
    /// record was decided on.
    pub(super) fn of_dynamics<'a>(
        &'a self,
        leased: &'a Leased,
    ) -> impl Iterator<Item = Arc<str>> + 'a {
        self.named(leased, |row| row.dynamics_marks_new_profile(self.flags.direction))
    }

    fn named<'a>(
        &'a self,
        leased: &'a Leased,
        is_such: impl Fn(&FlagRow) -> bool + 'a,
    ) -> impl Iterator<Item = Arc<str>> + 'a {
        leased.flags.iter().filter(move |row| is_such(row)).filter_map(|row| {
            let pair = self.flags.pairs.iter().find(|it| it.pair.flag == row.flag)?;
            Some(pair.wire.as_str().into())
        })
    }
}

/// Each once, in order.
pub(super) fn without_twins(names: impl Iterator<Item = Arc<str>>) -> Vec<Arc<str>> {
    let mut kept = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}
