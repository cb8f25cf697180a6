//! Puts together the delivery of activities. What is read of their tables is
//! kept for the life of the process, not of a pass: passes are frequent, and
//! most find nothing new.

use crate::app::App;
use crate::config::{Config, EgressSettings};
use crate::delivery::{ActivityDelivery, ActivitySettings, ActivityTargets};
use crate::dynamics::{self, ActivityTable};
use crate::model::{Stop, Tally};
use crate::store::Store;

impl App {
    /// The delivery of one pass; it ends early once `stop` is asked for.
    pub(super) fn activity_delivery(
        &self,
        settings: &EgressSettings,
        store: &Store,
        tally: &Tally,
        stop: Stop,
    ) -> ActivityDelivery {
        let how = ActivitySettings {
            contact_wait: settings.contact_wait,
            complete: settings.complete_activities,
            max_in_flight: self.config.dynamics.max_in_flight,
        };
        let targets = self.activities.clone();
        ActivityDelivery::new(store, &self.clock, tally, targets, how).until(stop)
    }
}

/// Where activities go: a table for each kind that is switched on.
pub(super) fn activity_targets(config: &Config, reader: &dynamics::Reader) -> ActivityTargets {
    let settings = config.egress.as_ref();
    let kinds = settings.into_iter().flat_map(|it| it.events.iter().map(move |kind| (*kind, it)));
    let tables = kinds.filter_map(|(kind, settings)| {
        let name = settings.tables.get(&kind)?.clone();
        Some((kind, ActivityTable::new(reader.clone(), kind, name, &settings.prefix)))
    });
    ActivityTargets {
        tables: tables.collect(),
        writer: dynamics::Writer::new(reader.clone(), settings.map_or(1, |it| it.batch)),
    }
}
