//! What one change costs in peace, where a life counts it in the end.

use super::run::Program;
use super::world::World;
use super::{Violation, check};

impl World<'_> {
    /// In peace a contact that changes costs one write, and nothing else is
    /// written.
    pub(super) async fn price(&self, program: &Program) -> Result<(), Violation> {
        if !self.plan.price {
            return Ok(());
        }
        let Some(at) = self.somebody() else { return Ok(()) };
        self.rest(60).await;
        let before = self.wire.state().writes;
        self.act(&super::plan::Act::Edit(at), None);
        self.passes_of(program).await.map_err(|error| Violation::new("I10", error))?;
        self.unbroken()?;
        let writes = self.wire.state().writes - before;
        if writes != 1 {
            let what = format!("one contact was edited, and {writes} writes were sent");
            return Err(Violation::new("I10", what));
        }
        self.settle(program).await
    }

    /// A contact that has a profile and was never merged.
    fn somebody(&self) -> Option<usize> {
        let sandbox = &self.wire.sandbox;
        let profiles = check::profiles(sandbox);
        let ids = sandbox.dynamics().ids("contact");
        let state = self.wire.state();
        ids.iter().position(|id| {
            let row = sandbox.dynamics().get("contact", *id).unwrap_or_default();
            let wanted = check::in_scope(&row, &self.now());
            wanted && profiles.contains_key(id) && !state.model.merged.contains(id)
        })
    }
}
