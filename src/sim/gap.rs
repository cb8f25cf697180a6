//! A full read that does not show a contact, where a life has one in the end.

use super::run::Program;
use super::world::World;
use super::{Violation, check};
use crate::sandbox::Sandbox;

impl World<'_> {
    /// In peace a full read leaves a contact out, as pages may while rows move:
    /// its profile stays, for it is asked for before it goes.
    pub(super) async fn gap(&self, program: &Program) -> Result<(), Violation> {
        if !self.plan.gap {
            return Ok(());
        }
        let before = held(&self.wire.sandbox);
        self.wire.sandbox.dynamics().expire_tokens();
        self.wire.state().blind = true;
        self.tell("a full read leaves a contact out".to_owned());
        self.rest(60).await;
        self.passes_of(program).await.map_err(|error| Violation::new("I12", error))?;
        self.wire.state().blind = false;
        self.unbroken()?;
        if held(&self.wire.sandbox) < before {
            let what = "a profile went because a read did not show its contact";
            return Err(Violation::new("I12", what));
        }
        self.settle(program).await
    }
}

fn held(sandbox: &Sandbox) -> usize {
    check::profiles(sandbox).len()
}
