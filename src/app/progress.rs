//! Whether a pass moves: its end to patience, and what it tells meanwhile.

use std::time::Duration;

use crate::app::App;
use crate::app::pass::Watch;
use crate::campaign::Journal;
use crate::campaign::sftp::Sftp;
use crate::clock::Monotonic;
use crate::http::Client;
use crate::model::{Flow, RunId, Tally, TallyDelta};
use crate::store::{Store, StoreError};
use crate::telemetry::{FlowProgress, PatienceEnded};

/// How often progress is looked at.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// How often progress is logged.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Ends a pass in which nothing moves.
pub(super) struct Patience {
    app: App,
    flow: Flow,
    tally: Tally,
    limit: Duration,
    seen: (u64, TallyDelta),
    since: Monotonic,
}

impl Patience {
    pub(super) fn new(app: &App, flow: Flow, tally: &Tally, limit: Duration) -> Self {
        let since = app.clock.monotonic();
        let seen = (0, TallyDelta::default());
        Self { app: app.clone(), flow, tally: tally.clone(), limit, seen, since }
    }

    /// Returns when nothing has moved for the whole limit.
    pub(super) async fn run_out(&mut self) {
        loop {
            let moved = (self.app.progress(self.flow), self.tally.get());
            let now = self.app.clock.monotonic();
            if moved != self.seen {
                (self.seen, self.since) = (moved, now);
            }
            if now.since(self.since) >= self.limit {
                return;
            }
            self.app.clock.sleep(TICK).await;
        }
    }

    /// Somebody else's turn is no lack of progress.
    pub(super) fn rest(&mut self) {
        self.since = self.app.clock.monotonic();
    }

    pub(super) fn report(&self, app: &App) {
        let outage = app.outage();
        let waited_ms = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
        PatienceEnded { waited_ms, reason: outage }.emit();
    }
}

impl App {
    /// What stands in the way, while a system does not answer.
    pub(crate) fn outage(&self) -> Option<String> {
        let files = || self.sftp.as_ref().and_then(Sftp::outage);
        self.clients().find_map(Client::outage).or_else(files)
    }

    /// Rises with what gets a flow further, or another one that needs the same
    /// systems.
    fn progress(&self, flow: Flow) -> u64 {
        let dynamics = self.dynamics.client().progress();
        let campaign = self.campaign.client().progress();
        let journal = self.journal.as_ref().map_or(0, |journal| journal.client().progress());
        let files = self.sftp.as_ref().map_or(0, Sftp::progress);
        match flow {
            Flow::Ingress => dynamics + campaign,
            Flow::Egress => dynamics + journal + files,
            // A contact is read on both sides before each repeated write: while
            // writes fail on one, reads of the other lead nowhere. What is read
            // and settled shows in the tally all the same.
            Flow::Optout if self.flags_stuck() => files,
            Flow::Optout => dynamics + campaign + files,
        }
    }

    fn flags_stuck(&self) -> bool {
        self.dynamics.client().writes_fail() || self.campaign.client().writes_fail()
    }

    /// The clients of all systems.
    pub(super) fn clients(&self) -> impl Iterator<Item = &Client> {
        let journal = self.journal.as_ref().map(Journal::client);
        [self.dynamics.client(), self.campaign.client()].into_iter().chain(journal)
    }
}

/// Tells how far a pass is.
pub(super) struct Ticker<'a> {
    pub(super) app: &'a App,
    pub(super) store: &'a Store,
    pub(super) flow: Flow,
    pub(super) run: RunId,
    pub(super) tally: &'a Tally,
    pub(super) watch: &'a mut (dyn FnMut(Watch) + Send),
    pub(super) last: &'a mut Option<(Monotonic, u64)>,
    pub(super) told: &'a mut Option<(TallyDelta, u64)>,
    /// Whether the pass before it failed: what it reads is told at DEBUG until it
    /// does something with it.
    pub(super) quiet: bool,
}

impl Ticker<'_> {
    /// Waits a moment, then tells.
    pub(super) async fn tick(&mut self) -> Result<(), StoreError> {
        self.app.clock.sleep(TICK).await;
        let counts = self.tally.get();
        let flow = self.flow;
        let backlog = self.store.call(move |work| work.flow_backlog(flow)).await?;
        (self.watch)(Watch { counts, backlog });
        let now = self.app.clock.monotonic();
        let (since, written) = *self.last.get_or_insert((now, 0));
        let elapsed = now.since(since);
        // Where nothing moves, saying so again tells nobody anything.
        if elapsed >= PROGRESS_EVERY && *self.told != Some((counts, backlog)) {
            *self.told = Some((counts, backlog));
            let rate = (counts.written - written) * 1000
                / u64::try_from(elapsed.as_millis()).unwrap_or(1).max(1);
            FlowProgress {
                flow,
                run: self.run,
                read: counts.read,
                written: counts.written,
                backlog,
                rate_per_second: rate,
            }
            .emit(!self.quiet || counts.written + counts.deleted + counts.dead_lettered > 0);
            *self.last = Some((now, counts.written));
        }
        Ok(())
    }
}
