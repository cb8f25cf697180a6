//! A wave of deletions that the guard has to hold, where a life has one.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::run::Program;
use super::world::World;
use super::{Violation, check};

impl World<'_> {
    /// In peace one contact more is deleted than the guard lets go unasked: no
    /// profile goes before somebody has said so.
    pub(super) async fn wave(&self, program: &Program) -> Result<(), Violation> {
        let Some(wave) = self.too_many() else { return Ok(()) };
        for id in &wave {
            self.wire.state().model.delete(&self.wire.sandbox, *id);
        }
        self.tell(format!("a wave of {} deletions", wave.len()));
        self.rest(60).await;
        self.passes_of(program).await.map_err(|error| Violation::new("I13", error))?;
        self.unbroken()?;
        let left = check::profiles(&self.wire.sandbox);
        if let Some(gone) = wave.iter().find(|id| !left.contains_key(id)) {
            let what = format!("the profile of {gone} went with a wave that is too large");
            return Err(Violation::new("I13", what));
        }
        self.settle(program).await
    }

    /// Contacts whose profiles are there, one more than may go; none where there
    /// are fewer, or no guard.
    fn too_many(&self) -> Option<BTreeSet<Uuid>> {
        let guard = self.now().guard.filter(|_| !self.now().keeps)?;
        let most = usize::try_from(guard).ok()? + 1;
        let profiles = check::profiles(&self.wire.sandbox);
        let ids = self.wire.sandbox.dynamics().ids("contact").into_iter();
        let wave: BTreeSet<Uuid> = ids.filter(|id| profiles.contains_key(id)).take(most).collect();
        (wave.len() == most).then_some(wave)
    }
}
