//! What people do at the very moment that a program works.
//!
//! Owns: actions that wait for a request. Knows nothing of what they do.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Sandbox;
use super::log::System;

type Action = Box<dyn FnOnce() + Send>;

struct Hook {
    system: System,
    method: String,
    path: String,
    skip: usize,
    action: Action,
}

/// The actions that have not been carried out yet.
#[derive(Default)]
pub(crate) struct Hooks(Mutex<Vec<Hook>>);

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hooks").field(&self.waiting().len()).finish()
    }
}

impl Hooks {
    fn waiting(&self) -> MutexGuard<'_, Vec<Hook>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out what waits for this request, before it is answered.
    pub(crate) fn run(&self, system: System, method: &str, target: &str) {
        let mut due = Vec::new();
        {
            let mut waiting = self.waiting();
            for mut hook in std::mem::take(&mut *waiting) {
                let fits = hook.system == system
                    && hook.method == method
                    && target.contains(hook.path.as_str());
                match (fits, hook.skip) {
                    (true, 0) => due.push(hook.action),
                    (true, _) => {
                        hook.skip -= 1;
                        waiting.push(hook);
                    }
                    (false, _) => waiting.push(hook),
                }
            }
        }
        // Outside the lock: an action may wait for another request.
        for action in due {
            action();
        }
    }
}

impl Sandbox {
    /// Does something once, just before the request with this method whose path
    /// and query contain `path` is answered; `skip` such requests go first.
    pub fn before(
        &self,
        (system, method, path): (System, &str, &str),
        skip: usize,
        action: impl FnOnce() + Send + 'static,
    ) {
        self.shared.hooks.waiting().push(Hook {
            system,
            method: method.to_owned(),
            path: path.to_owned(),
            skip,
            action: Box::new(action),
        });
    }

    /// How many of these actions have not been carried out yet.
    pub fn still_before(&self) -> usize {
        self.shared.hooks.waiting().len()
    }
}
