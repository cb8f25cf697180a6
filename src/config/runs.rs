//! When the schedules of a configuration run next.

use jiff::Timestamp;

use super::settings::Config;
use crate::model::Flow;

/// How many times `cdsync check` prints for each schedule.
const RUNS_SHOWN: usize = 5;

/// The next five runs after `now` of each flow that has a schedule.
pub(crate) fn next_runs(config: &Config, now: Timestamp) -> Vec<(Flow, Vec<Timestamp>)> {
    let ingress = config.ingress.as_ref().and_then(|ingress| {
        let schedule = ingress.schedule.as_ref()?;
        let next = |after: &Timestamp| schedule.next_after(*after, &ingress.time_zone);
        let runs = std::iter::successors(next(&now), next).take(RUNS_SHOWN).collect();
        Some((Flow::Ingress, runs))
    });
    ingress.into_iter().collect()
}
