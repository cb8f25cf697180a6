//! When the schedules of a configuration run next.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::settings::Config;
use crate::schedule::Schedule;

/// How many times `cdsync check` prints for each schedule.
const RUNS_SHOWN: usize = 5;

/// The next five runs after `now` of each flow that has a schedule, and of the
/// comparison, each in the schedule's time zone.
pub(crate) fn next_runs(config: &Config, now: Timestamp) -> Vec<(&'static str, Vec<Zoned>)> {
    let ingress = config.ingress.as_ref().and_then(|ingress| {
        Some(("ingress", runs(ingress.schedule.as_ref()?, &ingress.time_zone, now)))
    });
    let reconcile = config
        .reconcile
        .as_ref()
        .map(|reconcile| ("reconcile", runs(&reconcile.schedule, &reconcile.time_zone, now)));
    let egress = config.egress.as_ref().and_then(|egress| {
        Some(("egress", runs(egress.schedule.as_ref()?, &egress.time_zone, now)))
    });
    let optout = config.optout.as_ref().and_then(|optout| {
        Some(("optout", runs(optout.schedule.as_ref()?, &optout.time_zone, now)))
    });
    ingress.into_iter().chain(egress).chain(optout).chain(reconcile).collect()
}

fn runs(schedule: &Schedule, zone: &TimeZone, now: Timestamp) -> Vec<Zoned> {
    let next = |after: &Timestamp| schedule.next_after(*after, zone);
    let runs = std::iter::successors(next(&now), next).take(RUNS_SHOWN);
    runs.map(|at| at.to_zoned(zone.clone())).collect()
}
