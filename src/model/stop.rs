//! The wish to end soon: work that is under way is settled, no more is taken.

use std::sync::Arc;

use tokio::sync::watch;

/// A wish that is made once and seen by all clones.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Makes the wish.
    pub(crate) fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was made.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// The wish, for who must not know this type.
    pub(crate) fn seen(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Waits until it is made.
    pub(crate) async fn requested(&self) {
        let mut wish = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = wish.wait_for(|wished| *wished).await;
    }
}
