//! The tasks beside the loop: none of them may end unnoticed.

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::daemon::desk::Event;

/// Tasks that run as long as the daemon; dropped, they end.
#[derive(Debug)]
pub(super) struct Tasks {
    set: JoinSet<()>,
    events: mpsc::Sender<Event>,
}

impl Tasks {
    /// Ends are told as events.
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { set: JoinSet::new(), events }
    }

    /// Starts a task that is not to end. A panic is a bug and ends the process.
    pub(super) fn start(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let events = self.events.clone();
        self.set.spawn(async move {
            task.await;
            // The loop is gone only when the daemon ends anyway.
            let _ = events.send(Event::Ended(name)).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_is_told_of_by_its_name() {
        let (sender, mut events) = mpsc::channel(1);
        let mut tasks = Tasks::new(sender);
        tasks.start("stays", std::future::pending());
        tasks.start("ends", std::future::ready(()));
        assert!(matches!(events.recv().await, Some(Event::Ended("ends"))));
    }
}
