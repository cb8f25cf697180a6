//! One simulated life: the rounds of a plan, then peace, then the comparison.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::plan::{Plan, Round};
use super::wire::{ORIGIN, Wire};
use super::{Violation, check};
use crate::app::{App, PassEnd, PassOptions, PassReport, Requests, sync};
use crate::clock::Clock;
use crate::config::load;
use crate::failpoint;
use crate::model::{Flow, Stop};
use crate::sandbox::{FaultPlan, Sandbox, SandboxOptions, System};
use crate::store::{Mode, Store, StoreError};

/// Passes in peace until all must have arrived.
const SETTLING: usize = 12;
/// As long as a pass may stand still.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a life came to.
pub(crate) struct Life {
    /// The first promise that was broken.
    pub(crate) broken: Option<Violation>,
    /// What happened, for people.
    pub(crate) story: Vec<String>,
    /// Requests of all kinds.
    pub(crate) requests: u64,
}

/// Carries a plan out. `directory` holds the secrets, and the store while it
/// lasts.
pub(crate) fn live(plan: &Plan, directory: &Path) -> Life {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else {
        let broken = Some(Violation::new("setup", "no runtime"));
        return Life { broken, story: Vec::new(), requests: 0 };
    };
    failpoint::plan(None);
    let life = runtime.block_on(World::begin(plan, directory).life());
    failpoint::plan(None);
    life
}

struct World<'a> {
    plan: &'a Plan,
    wire: Arc<Wire>,
    config: crate::config::Config,
}

impl<'a> World<'a> {
    fn begin(plan: &'a Plan, directory: &Path) -> Self {
        let from = Timestamp::from_second(1_790_000_000).unwrap_or_default();
        let clock = Clock::simulated_by(plan.seed, from);
        let options = SandboxOptions {
            seed: plan.seed,
            contacts: plan.contacts,
            variants: plan.variants,
            ..SandboxOptions::default()
        };
        let sandbox = match Sandbox::in_process(options, ORIGIN, &clock) {
            Ok(sandbox) => sandbox,
            Err(error) => unreachable!("{error}"),
        };
        sandbox.requests().set_cap(0);
        sandbox.set_clock_offset(System::Dynamics, plan.clocks[0]);
        sandbox.set_clock_offset(System::Campaign, plan.clocks[1]);
        let text = configuration(plan, &sandbox, directory);
        let config = match load(&text) {
            Ok(config) => config,
            Err(problems) => unreachable!("{problems:?}\n{text}"),
        };
        for file in ["cdsync.db", "cdsync.db-wal", "cdsync.db-shm"] {
            let _ = std::fs::remove_file(directory.join(file));
        }
        Self { plan, wire: Wire::new(sandbox, &clock, plan.seed), config }
    }

    async fn life(self) -> Life {
        let broken = self.rounds().await.err();
        let state = self.wire.state();
        Life {
            broken: state.broken.clone().or(broken),
            story: state.model.story.clone(),
            requests: state.requests,
        }
    }

    async fn rounds(&self) -> Result<(), Violation> {
        for (number, round) in self.plan.rounds.iter().enumerate() {
            self.tell(format!("-- round {number}"));
            self.rest(round.rest).await;
            for act in &round.before {
                self.act(act);
            }
            self.trouble(number as u64, round);
            self.round(round).await?;
            self.unbroken()?;
        }
        self.trouble(0, &Round::default());
        self.settle().await?;
        check::quiet(&self.wire.sandbox, &self.wire.state().model)?;
        self.is_silent().await
    }

    /// What goes wrong from now on, and how long the ways are.
    fn trouble(&self, number: u64, round: &Round) {
        let (seed, rules) = (self.plan.seed ^ number, round.faults.clone());
        let mut state = self.wire.state();
        state.calm = rules.is_empty();
        state.latency = round.latency;
        drop(state);
        self.wire.sandbox.set_faults(FaultPlan { seed, rules });
    }

    fn tell(&self, what: String) {
        self.wire.state().model.story.push(what);
    }

    fn act(&self, act: &super::plan::Act) {
        self.wire.state().model.act(&self.wire.sandbox, act);
    }

    async fn rest(&self, seconds: u64) {
        self.wire.clock.sleep(Duration::from_secs(seconds)).await;
    }

    fn unbroken(&self) -> Result<(), Violation> {
        self.wire.state().broken.clone().map_or(Ok(()), Err)
    }

    /// The program lives for one pass of each flow, unless it dies before.
    async fn round(&self, round: &Round) -> Result<(), Violation> {
        failpoint::plan(round.crash);
        self.wire.forget_pauses();
        let people = async {
            let mut after = 0;
            let mut acts: Vec<_> = round.during.iter().collect();
            acts.sort_by_key(|(at, _)| *at);
            for (at, act) in acts {
                self.wire.clock.sleep(Duration::from_millis(at.saturating_sub(after))).await;
                after = *at;
                self.act(act);
            }
        };
        let passes = mortal(self.passes(round.together));
        let (ended, ()) = tokio::join!(passes, people);
        failpoint::plan(None);
        match ended {
            None => {
                self.tell("the program died".to_owned());
                Ok(())
            }
            Some(Ok(ends)) => {
                self.tell(format!("{ends:?}"));
                Ok(())
            }
            Some(Err(error)) => Err(Violation::new("I30", format!("the store: {error}"))),
        }
    }

    async fn passes(&self, together: bool) -> Result<Vec<&'static str>, StoreError> {
        let (config, clock) = (self.config.clone(), self.wire.clock.clone());
        let app = App::over(&self.wire.transport(), config, clock);
        let app = app.map_err(|error| StoreError::Statement(error.to_string()))?;
        let store = app.open_store(Mode::Durable).await?;
        let flows = [Flow::Ingress, Flow::Egress, Flow::Optout];
        let mut ends = Vec::new();
        if together {
            for report in join_all(flows.map(|flow| self.pass(&app, &store, flow))).await {
                ends.push(report?);
            }
        } else {
            for flow in flows {
                ends.push(self.pass(&app, &store, flow).await?);
            }
        }
        store.close().await;
        Ok(ends)
    }

    async fn pass(&self, app: &App, store: &Store, flow: Flow) -> Result<&'static str, StoreError> {
        let options = PassOptions {
            patience: PATIENCE,
            requests: Requests::default(),
            stop: Stop::default(),
            again: false,
            asked: true,
            before: None,
        };
        let report = Box::pin(sync(app, store, flow, options, &mut |_| {})).await?;
        self.wire.note(adds_up(flow, &report));
        Ok(match report.end {
            PassEnd::Done => "done",
            PassEnd::Incomplete => "incomplete",
            PassEnd::Refused(_) => "refused",
            PassEnd::KeptRefusing(_) => "kept refusing",
            PassEnd::Spent(_) => "spent",
            PassEnd::TablesFailed => "every table failed",
            PassEnd::GaveUp => "gave up",
            PassEnd::Stopped => "stopped",
        })
    }

    /// Peace, until a pass of all flows writes nothing.
    async fn settle(&self) -> Result<(), Violation> {
        let mut last = Vec::new();
        for _ in 0..SETTLING {
            self.rest(600).await;
            let before = self.wire.state().writes;
            self.wire.forget_pauses();
            last = self
                .passes(false)
                .await
                .map_err(|error| Violation::new("I29", error.to_string()))?;
            self.unbroken()?;
            if self.wire.state().writes == before && last.iter().all(|end| *end == "done") {
                return Ok(());
            }
        }
        Err(Violation::new("I29", format!("no end in peace: {last:?}")))
    }

    /// Two further passes write nothing.
    async fn is_silent(&self) -> Result<(), Violation> {
        let before = self.wire.state().writes;
        for _ in 0..2 {
            self.rest(60).await;
            self.wire.forget_pauses();
            self.passes(false).await.map_err(|error| Violation::new("I10", error.to_string()))?;
        }
        self.unbroken()?;
        match self.wire.state().writes - before {
            0 => Ok(()),
            writes => {
                Err(Violation::new("I10", format!("{writes} writes although nothing changed")))
            }
        }
    }
}

fn adds_up(flow: Flow, report: &PassReport) -> Result<(), Violation> {
    let it = &report.counts;
    let sum = it.written + it.unchanged + it.filtered + it.deleted + it.pending + it.dead_lettered;
    if it.read == sum { Ok(()) } else { Err(Violation::new("I15", format!("{flow:?}: {it:?}"))) }
}

/// The end of a future; none where the program dies before it.
async fn mortal<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = Box::pin(work);
    let mut work = Some(work.as_mut());
    std::future::poll_fn(|context| {
        let ended = work.as_mut().map(|work| work.as_mut().poll(context));
        if failpoint::is_dead() {
            return Poll::Ready(None);
        }
        match ended {
            Some(Poll::Ready(ended)) => Poll::Ready(Some(ended)),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    })
    .await
}

fn configuration(plan: &Plan, sandbox: &Sandbox, directory: &Path) -> String {
    let credentials = sandbox.credentials();
    let here = directory.display();
    format!(
        r#"[dynamics]
url = "{ORIGIN}"
tenant = "{tenant}"
client_id = "{dynamics_id}"
client_secret = {{ file = "{here}/dynamics-secret" }}
authority_url = "{ORIGIN}"
requests_per_5_minutes = 100000
page_rows = {page_rows}
[campaign]
url = "{campaign}"
client_id = "{campaign_id}"
client_secret = {{ file = "{here}/campaign-secret" }}
organization_id = "{organization}"
ims_url = "{ORIGIN}"
requests_per_second = 10000
[store]
path = "{here}/cdsync.db"
[ingress]
schedule = "*/15 * * * * *"
[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = {{ from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }}
apply_deletes = true
fields = [
  {{ from = "lastname", to = "lastName" }},
  {{ from = "firstname", to = "firstName" }},
  {{ from = "emailaddress1", to = "email" }},
]
[egress]
events = ["send", "open", "click", "bounce"]
batch = 3
[egress.journal]
url = "{journal}"
pointers = {{ id = "/id", kind = "/kind", contact = "/contact", time = "/time", campaign = "/campaign", delivery = "/delivery", url = "/url", mirror_page = "/mirror" }}
kinds = {{ send = "send", open = "open", click = "click", bounce = "bounce" }}
[optout]
direction = "bidirectional"
source = "rest"
rest = {{ filter = "byModifiedSince", parameter = "since_parameter" }}
pairs = [
  {{ dynamics = "donotbulkemail", campaign = "blackListEmail" }},
  {{ dynamics = "donotphone", campaign = "blackListPhone" }},
]
"#,
        tenant = credentials.tenant,
        dynamics_id = credentials.dynamics_client_id,
        campaign = sandbox.campaign_url(),
        campaign_id = credentials.campaign_client_id,
        organization = credentials.organization_id,
        journal = sandbox.journal().url(),
        page_rows = plan.page_rows,
    )
}
