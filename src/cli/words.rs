//! Words to who waits: what takes longer than a moment says what it waits for.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::daemon::Piece;

use super::output::say;

/// How long something may take without a word.
const SILENT: Duration = Duration::from_secs(2);

/// How often it is said again.
const AGAIN: Duration = Duration::from_secs(10);

/// Where they go.
#[derive(Clone, Debug)]
pub(super) enum Words {
    /// To stderr.
    Here,
    /// To who asked over the control socket.
    Channel(mpsc::Sender<Piece>),
}

impl Words {
    fn say(&self, text: String) {
        match self {
            Self::Here => say(&text),
            // Whoever does not read is not waited for.
            Self::Channel(out) => drop(out.try_send(Piece::Word(text))),
        }
    }

    /// Waits for the end of something. Where that takes longer, says now and then
    /// what it is, and how long it has taken.
    pub(super) async fn while_waiting<T>(
        &self,
        work: impl Future<Output = T>,
        clock: &Clock,
        what: impl Fn() -> String,
    ) -> T {
        tokio::pin!(work);
        let began = clock.monotonic();
        let mut pause = SILENT;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = clock.sleep(pause) => {
                    let seconds = clock.monotonic().since(began).as_secs();
                    self.say(format!("{} ({seconds} s)", what()));
                    pause = AGAIN;
                }
            }
        }
    }
}
