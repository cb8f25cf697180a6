//! Until when a remote is left alone: shared by all who might ask it, so that it
//! outlives any of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Monotonic;

/// A pause of one remote. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pause(Arc<Mutex<Option<Monotonic>>>);

impl Pause {
    /// Its end, while it holds.
    pub(super) fn until(&self, now: Monotonic) -> Option<Monotonic> {
        self.lock().filter(|until| *until > now)
    }

    /// Lets it last until then at least; gives its end.
    pub(super) fn extend(&self, until: Monotonic) -> Monotonic {
        let mut held = self.lock();
        let until = held.map_or(until, |held| held.max(until));
        *held = Some(until);
        until
    }

    fn lock(&self) -> MutexGuard<'_, Option<Monotonic>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
