//! What the daemon has a schedule for.

use crate::app::App;
use crate::model::Flow;
use crate::scheduler::{Plan, Spread, number};

impl App {
    /// When passes of each configured flow run.
    ///
    /// # Errors
    /// Where the configuration does not say.
    pub(crate) fn flow_plans(&self) -> Result<Vec<(Flow, Plan)>, String> {
        let ingress = self.config.ingress.as_ref().map(|it| (&it.schedule, &it.time_zone));
        let egress = self.config.egress.as_ref().map(|it| (&it.schedule, &it.time_zone));
        let optout = self.config.optout.as_ref().map(|it| (&it.schedule, &it.time_zone));
        let flows = [(Flow::Ingress, ingress), (Flow::Egress, egress), (Flow::Optout, optout)];
        let planned = flows.into_iter().filter_map(|(flow, times)| Some((flow, times?)));
        planned
            .map(|(flow, (schedule, zone))| {
                let schedule = schedule.clone().ok_or_else(|| {
                    format!("`[{flow}]` has no schedule for the daemon; add one, such as `schedule = \"*/15 * * * * *\"` for every 15 seconds")
                })?;
                Ok((flow, Plan { schedule, zone: zone.clone(), spread: self.spread(flow.as_str()) }))
            })
            .collect()
    }

    /// When slices of the comparison run, if they do.
    pub(crate) fn reconcile_plan(&self) -> Option<Plan> {
        let settings = self.config.reconcile.as_ref()?;
        Some(Plan {
            schedule: settings.schedule.clone(),
            zone: settings.time_zone.clone(),
            spread: self.spread("reconcile"),
        })
    }

    /// How runs are spread: differently for each flow, and for each pair of
    /// systems, so that several installations do not all begin at once.
    fn spread(&self, of: &str) -> Spread {
        let config = &self.config;
        let text = format!("{}|{}|{of}", config.dynamics.url.0, config.campaign.url.0);
        Spread { limit: config.daemon.jitter, seed: number(text.as_bytes()) }
    }
}
