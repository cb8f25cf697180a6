//! The budgets of the day: who counts, where the counts last, and which flow
//! has to wait.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::app::App;
use crate::app::explore::{Finding, FindingKind};
use crate::clock::Clock;
use crate::config::{Config, DayBudget};
use crate::http::{Book, Class, Client, DayLimit, Entry, Meter, System, Used, end_of};
use crate::model::Flow;
use crate::store::{Store, StoreError};

/// What counts the requests to each system. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Meters {
    pub(super) dynamics: Arc<Meter>,
    pub(super) campaign: Arc<Meter>,
    pub(super) journal: Arc<Meter>,
    /// Why the store did not take or give a count.
    failed: Arc<Mutex<Option<StoreError>>>,
}

impl Meters {
    pub(super) fn new(clock: &Clock) -> Self {
        let meter = |system| Arc::new(Meter::new(system, clock.clone()));
        Self {
            dynamics: meter(System::Dynamics),
            campaign: meter(System::Campaign),
            journal: meter(System::Journal),
            failed: Arc::default(),
        }
    }

    /// Why the store did not take or give a count: no request was sent then, and
    /// that is not the system's fault.
    pub(super) fn failed(&self) -> Option<StoreError> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the counts last in the store.
    pub(super) fn keep_in(&self, store: &Store) {
        // A handle that does not keep the store open: who closes it waits for
        // all others to go.
        let store = store.downgrade();
        let failed = Arc::clone(&self.failed);
        let book: Book = Arc::new(move |system: System, entry| {
            let (store, failed) = (store.upgrade(), Arc::clone(&failed));
            Box::pin(async move {
                let name = system.as_str();
                // Who has closed the store sends no more that would count.
                let Some(store) = store else {
                    return Ok(match entry {
                        Entry::Read(_) => 0,
                        Entry::Write(_, count) => count,
                    });
                };
                let kept = match entry {
                    Entry::Read(day) => store.call(move |work| work.calls_of(name, day)).await,
                    Entry::Write(day, count) => {
                        let done = store.call(move |work| work.set_calls(name, day, count)).await;
                        done.map(|()| count)
                    }
                };
                kept.map_err(|error: StoreError| {
                    let said = error.to_string();
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    said
                })
            })
        });
        for meter in [&self.dynamics, &self.campaign, &self.journal] {
            meter.keep_in(Arc::clone(&book));
        }
    }

    /// Makes the store say what was counted, no more. A store that fails is
    /// found by the next who needs it.
    pub(super) async fn settle(&self) {
        for meter in [&self.dynamics, &self.campaign, &self.journal] {
            let _ = meter.settle().await;
        }
    }
}

/// The limit that a client keeps to. Where no flow carries opt-outs, nothing is
/// kept for them.
pub(super) fn day_limit(config: &Config, budget: Option<DayBudget>) -> Option<DayLimit> {
    let budget = budget?;
    let share = if config.has(Flow::Optout) { budget.optout_share } else { 0 };
    let kept = budget.requests.saturating_mul(share).div_ceil(100);
    Some(DayLimit { per_day: budget.requests, kept })
}

/// What the budgets of a day mean for the flows, offline.
pub(crate) fn budget_findings(config: &Config) -> Vec<Finding> {
    let limit = day_limit(config, config.dynamics.per_day);
    let batch = config.egress.as_ref().map(|egress| egress.batch as u64);
    let found = limit.zip(batch).and_then(|(limit, batch)| {
        let ordinary = limit.per_day.saturating_sub(limit.kept);
        (ordinary < batch).then(|| Finding {
            place: "dynamics.requests_per_day".to_owned(),
            problem: format!(
                "a day has {ordinary} requests for all but opt-outs, and one `$batch` of egress counts as up to {batch}; smaller ones are sent"
            ),
            hint: "raise `requests_per_day`, or lower `optout_share` or `batch` in [egress]"
                .to_owned(),
            kind: FindingKind::Warning,
        })
    });
    found.into_iter().collect()
}

/// The systems without whose budget a flow does not run.
pub(super) fn needed(flow: Flow) -> &'static [System] {
    match flow {
        Flow::Ingress | Flow::Optout => &[System::Dynamics, System::Campaign],
        Flow::Egress => &[System::Dynamics],
    }
}

/// The class of its requests.
pub(super) fn class(flow: Flow) -> Class {
    match flow {
        Flow::Ingress | Flow::Egress => Class::Ordinary,
        Flow::Optout => Class::Urgent,
    }
}

impl App {
    /// The same with clients whose requests are of the flow's class.
    pub(super) fn of_flow(&self, flow: Flow) -> Self {
        match class(flow) {
            Class::Ordinary => self.clone(),
            Class::Urgent => Self {
                dynamics: self.dynamics.urgent(),
                campaign: self.campaign.urgent(),
                ..self.clone()
            },
        }
    }

    /// Until when a flow waits for the budget of a system that it needs; none
    /// where it may run.
    pub(crate) fn budget_until(&self, flow: Flow) -> Option<Timestamp> {
        let is_needed =
            |client: &&Client| needed(flow).iter().any(|system| system.as_str() == client.system());
        let stopped = |used: &Used| used.closed.stops(class(flow));
        let waits = self.clients().filter(is_needed).map(spent).filter(stopped);
        waits.map(|used| end_of(used.day)).max()
    }

    /// Looks whether a budget that was used up is open again, and tells.
    pub(crate) fn look_at_budgets(&self) {
        self.clients().for_each(|client| {
            spent(client);
        });
    }
}

fn spent(client: &Client) -> Used {
    let (meter, limit) = client.budget();
    meter.look(limit)
}
